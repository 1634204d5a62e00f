"""Arguments of a script, as ARGV in its header lists them. The grammar is in lua/README.md.

Each is a dict for JSON: a shape (lua_shapes.py) that has a `name`; or a group with `arguments` of
its own, which is one of

    name, times: the name of an int before it, or {"min", "max"}: up to the end (max null: no bound)
    where, is: the name of an argument before it, and the values behind which the group occurs
"""

from __future__ import annotations

import re
from collections.abc import Callable

from omniq_typed.core.lua_shapes import TYPES, Json, Names, literals_of, named, parse_shape

_NAME = r"([a-z][a-z0-9_]*)"
_ARGUMENT = re.compile(rf"{_NAME}: (.+)")
_REPEATED = re.compile(rf"{_NAME}, (.+) times(?::|, as in lib/(\w+)\.lua)")
_WHERE = re.compile(rf"where {_NAME} is (.+):")
_BOUNDS = re.compile(r"([0-9]+) to ([0-9]+)")

RecordOf = Callable[[str], list[str]]
"""Name of a file of lua/lib → the lines of its RECORD."""


def parse_arguments(lines: list[str], record_of: RecordOf) -> list[Json]:
    """The arguments of these lines, which are indented as far as their groups are deep. Raises
    ValueError for what breaks the grammar."""
    found = _block(lines, record_of)
    for group in _groups(found):
        if isinstance(group.get("times"), dict) and group is not found[-1]:
            raise ValueError(f"{group['name']}: what comes behind it could not be told from it")
    return found


def _block(lines: list[str], record_of: RecordOf) -> list[Json]:
    found: list[Json] = []
    for line, below in _items(lines):
        entry = _group(line, below, found, record_of) or _argument(" ".join([line, *below]))
        if any("name" in entry and each.get("name") == entry["name"] for each in found):
            raise ValueError(f"{entry['name']!r} stands there twice")
        found.append(entry)
    return found


def _items(lines: list[str]) -> list[tuple[str, list[str]]]:
    """Each line at the left, with those below it that are indented further."""
    found: list[tuple[str, list[str]]] = []
    for line in lines:
        if not line.startswith(" "):
            found.append((line, []))
        elif found and line.startswith("  "):
            found[-1][1].append(line[2:])
        else:
            raise ValueError(f"{line!r} is indented as nothing is")
    return found


def _argument(line: str) -> Json:
    row = _ARGUMENT.fullmatch(line)
    if row is None or row[1] in TYPES:
        raise ValueError(f"{line!r} is no 'name: type; meaning'")
    text, _, meaning = row[2].partition("; ")
    shape = parse_shape(text, Names())
    for each in shape.get("one_of", [shape]):
        if not {"type", "literal"} & each.keys():
            raise ValueError(f"{line!r}: an argument is no list")
    return named(row[1], shape, meaning)


def _group(line: str, below: list[str], before: list[Json], record_of: RecordOf) -> Json | None:
    """A group, or None where the line is none. `before`: what stands before it in its block."""
    repeated, where = _REPEATED.fullmatch(line), _WHERE.fullmatch(line)
    if repeated is None and where is None:
        return None
    if repeated is not None and repeated[3] and below:
        raise ValueError(f"{line!r} has lines below, and names a file of them")
    lines = record_of(repeated[3]) if repeated is not None and repeated[3] else below
    if not lines:
        raise ValueError(f"{line!r} has no arguments below")
    if repeated is not None:
        head: Json = {"name": repeated[1], "times": _times(repeated[2], before)}
    else:
        assert where is not None
        head = {"where": where[1], "is": _values(where[1], where[2], before)}
    return {**head, "arguments": _block(lines, record_of)}


def _times(text: str, before: list[Json]) -> str | Json:
    bounds = _BOUNDS.fullmatch(text)
    if bounds is not None:
        return {"min": int(bounds[1]), "max": int(bounds[2])}
    if text == "any number of":
        return {"min": 0, "max": None}
    if not any(each.get("name") == text and each.get("type") == "int" for each in before):
        raise ValueError(f"{text!r} times: no int before it is called so")
    return text


def _values(name: str, text: str, before: list[Json]) -> list[str]:
    values = literals_of(parse_shape(text, Names()))
    allowed = [literals_of(each) for each in before if each.get("name") == name]
    if not values or not allowed or not set(values) <= set(allowed[0]):
        raise ValueError(f"where {name} is {text}: no argument before it can be that")
    return values


def _groups(arguments: list[Json]) -> list[Json]:
    """All groups, at any depth."""
    groups = [each for each in arguments if "arguments" in each]
    return groups + [inner for each in groups for inner in _groups(each["arguments"])]
