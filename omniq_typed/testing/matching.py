"""Compares messages field by field, and says how far the nearest ones are from what was wanted."""

from __future__ import annotations

import difflib
import pprint
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from pydantic import BaseModel

from omniq_typed.errors import InvalidArgument

SHOWN = 3
"""So many of the nearest candidates are shown."""
WIDE = 60
"""A value whose text is longer is shown on lines of its own, as a diff."""


def fields_of(message: object) -> dict[str, Any]:
    """The fields of a message by their names; a dict's own keys; {} where it has no fields."""
    if isinstance(message, BaseModel):
        return {name: getattr(message, name) for name in type(message).model_fields}
    if is_dataclass(message) and not isinstance(message, type):
        return {each.name: getattr(message, each.name) for each in fields(message)}
    return dict(message) if isinstance(message, Mapping) else {}


def matches(message: object, wanted: Mapping[str, Any]) -> bool:
    """Whether every wanted field is there and equal."""
    return not differences(message, wanted)


def differences(message: object, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The wanted fields that the message has another value for, with that value."""
    held = fields_of(message)
    return {
        name: held.get(name, MISSING)
        for name, value in wanted.items()
        if name not in held or not _equal(held[name], value)
    }


class _Missing:
    def __repr__(self) -> str:
        return "no such field"


MISSING = _Missing()


def _equal(one: object, other: object) -> bool:
    # 1 == True, and no reader of a test means that.
    return isinstance(one, bool) is isinstance(other, bool) and bool(one == other)


def check_names(label: str, known: Iterable[str], wanted: Iterable[str]) -> None:
    """Raises InvalidArgument for a field that no message of the type could have."""
    names = set(known)
    for name in wanted:
        if names and name not in names:
            near = difflib.get_close_matches(name, names, 1)
            hint = (
                f"; did you mean {near[0]!r}?" if near else f"; it has {', '.join(sorted(names))}"
            )
            raise InvalidArgument(name, f"{label} has no such field{hint}")


def nearest(messages: Sequence[object], wanted: Mapping[str, Any]) -> list[int]:
    """The places of the messages that come nearest to what was wanted, the nearest first."""
    return sorted(range(len(messages)), key=lambda at: (_distance(messages[at], wanted), at))


def _distance(message: object, wanted: Mapping[str, Any]) -> float:
    held = fields_of(message)
    return sum(
        1.0 - difflib.SequenceMatcher(None, repr(held.get(name)), repr(wanted[name])).ratio() / 2
        for name in differences(message, wanted)
    )


def comparison(message: object, wanted: Mapping[str, Any]) -> str:
    """What differs, one field after another, and which fields are as wanted."""
    differing = differences(message, wanted)
    lines = [_field(name, wanted[name], held) for name, held in differing.items()]
    same = [name for name in wanted if name not in differing]
    if same:
        lines.append(f"as wanted: {', '.join(same)}")
    return "\n".join(lines)


def _field(name: str, wanted: object, held: object) -> str:
    short = f"{name}: wanted {wanted!r}, got {held!r}"
    if len(short) <= 2 * WIDE:
        return short
    rows = difflib.ndiff(_rows(wanted), _rows(held))
    shown = "\n".join(f"  {row.rstrip()}" for row in rows if not row.startswith("?"))
    return f"{name}: - wanted, + got\n{shown}"


def _rows(value: object) -> list[str]:
    plain = fields_of(value)
    return pprint.pformat(plain or value, width=WIDE, sort_dicts=False).splitlines()
