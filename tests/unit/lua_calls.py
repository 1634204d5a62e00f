"""Reads calls and replies of scripts by the manifest alone, as a client elsewhere does."""

from __future__ import annotations

import json
from typing import Any

from omniq_typed.core.command import Command
from omniq_typed.core.lua_manifest import manifest
from omniq_typed.transport.packing import words_of

Json = dict[str, Any]

SCRIPTS: dict[str, Json] = manifest("0.0.0")["scripts"]


def arguments_of(command: Command[Any]) -> Json:
    """Name → value; a group is a list of such. AssertionError where they are not as described."""
    words = words_of(command, check=True)
    given = [arg if isinstance(arg, bytes) else str(arg).encode() for arg in words]
    found, rest = _block(SCRIPTS[command.script.name]["arguments"], given)
    assert rest == [], "arguments of which the manifest does not tell"
    return found


def _block(described: list[Json], given: list[bytes]) -> tuple[Json, list[bytes]]:
    found: Json = {}
    for each in described:
        if "times" in each:
            found[each["name"]], given = _repeated(each, found, given)
        elif "where" in each:
            if found[each["where"]] in each["is"]:
                more, given = _block(each["arguments"], given)
                found |= more
        else:
            assert given, f"{each['name']} is missing"
            found[each["name"]], given = _value(each, given[0]), given[1:]
    return found, given


def _repeated(group: Json, before: Json, given: list[bytes]) -> tuple[list[Json], list[bytes]]:
    rows: list[Json] = []
    times = group["times"]

    def wanted() -> bool:
        return bool(given) if isinstance(times, dict) else len(rows) < before[times]

    while wanted():
        row, given = _block(group["arguments"], given)
        rows.append(row)
    if isinstance(times, dict):
        assert times["min"] <= len(rows) <= (times["max"] or len(rows))
    return rows, given


def _value(shape: Json, raw: bytes) -> Any:
    for option in shape.get("one_of", [shape]):
        if "literal" in option and raw == option["literal"].encode():
            return option["literal"]
        if option.get("type") == "int" and raw.isdigit():
            return int(raw)
        if option.get("type") == "number":
            return float(raw)
        if option.get("type") in ("text", "bytes"):
            return raw.decode() if option["type"] == "text" else raw
    raise AssertionError(f"{raw!r} is no {shape}")


def fits(shape: Json, reply: Any, met: set[str] | None = None) -> bool:
    """Whether a reply is of a shape. `met` gets the options that it turned out to be, as JSON."""
    if "one_of" in shape:
        fitting = [option for option in shape["one_of"] if fits(option, reply, met)]
        if met is not None:
            met.update(json.dumps(option) for option in fitting[:1])
        return fitting != []
    if "literal" in shape:
        return bool(reply == shape["literal"].encode())
    if "type" in shape:
        return _is_scalar(shape["type"], reply)
    if not isinstance(reply, list):
        return False
    items, whole = _per_element(shape, len(reply))
    return whole and all(fits(item, each, met) for item, each in zip(items, reply, strict=True))


def options_of(shape: Any) -> set[str]:
    """All options in a shape, at any depth, as JSON."""
    inner = [*shape.values()] if isinstance(shape, dict) else shape
    if not isinstance(inner, list):
        return set()
    own = shape.get("one_of", ()) if isinstance(shape, dict) else ()
    return {json.dumps(option) for option in own}.union(*map(options_of, inner))


def _per_element(shape: Json, length: int) -> tuple[list[Json], bool]:
    """A shape for each element of a list, and whether the list may be that long."""
    if "list" in shape:
        rounds = -(-length // len(shape["list"]))
        return (shape["list"] * rounds)[:length], length % len(shape["list"]) == 0
    items: list[Json] = shape["tuple"]
    more = length - len(items)
    rest = [shape["rest"]] * more if "rest" in shape else []
    return (items + rest)[:length], len(items) + len(rest) == length


def _is_scalar(kind: str, reply: Any) -> bool:
    if reply is None or reply == b"":
        return True  # absent
    if kind in ("text", "bytes"):
        return isinstance(reply, bytes)
    try:
        number = float(reply)
    except (TypeError, ValueError):
        return False
    return kind == "number" or number.is_integer()
