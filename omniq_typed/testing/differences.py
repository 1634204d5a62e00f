"""What distinguishes two values of a message type, down to the type of every part: `==` says that 1
is True, and of some classes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime, time
from typing import Any

from pydantic import BaseModel

from omniq_typed.messages.schema_walk import pointer

_SETS = (set, frozenset)
_ABSENT = "nothing"


@dataclass(frozen=True, slots=True)
class Difference:
    """`path`: JSON pointer by the names of Python; `one`, `other`: how the two read there."""

    path: str
    one: str
    other: str


def differences(one: Any, other: Any) -> list[Difference]:
    """Empty where the values are the same. What a type never writes (`exclude=True`) and what a
    dataclass does not compare does not count."""
    return list(_differences(one, other, ()))


def _differences(one: Any, other: Any, path: tuple[str, ...]) -> Iterator[Difference]:
    if type(one) is not type(other):
        yield _at(path, one, other, with_type=True)
        return
    parts, others = _parts(one), _parts(other)
    if parts is None or others is None:
        if not _same(one, other):
            yield _at(path, one, other)
        return
    for name in [*parts, *(each for each in others if each not in parts)]:
        below = (*path, name)
        if name not in parts or name not in others:
            here, there = parts.get(name, _ABSENT), others.get(name, _ABSENT)
            yield _at(below, here, there)
        else:
            yield from _differences(parts[name], others[name], below)


def _parts(value: Any) -> dict[str, Any] | None:
    """What a value consists of, by name; None for what has no parts."""
    if isinstance(value, BaseModel):
        named = {name for name, each in type(value).model_fields.items() if not each.exclude}
        own = {name: each for name, each in value.__dict__.items() if name in named}
        return {**own, **(value.__pydantic_extra__ or {})}
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: getattr(value, each.name) for each in fields(value) if each.compare}
    if isinstance(value, Mapping):
        return {str(key): each for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return {str(index): each for index, each in enumerate(value)}
    if isinstance(value, _SETS):
        return {repr(each): each for each in sorted(value, key=repr)}
    return None


def _same(one: Any, other: Any) -> bool:
    """The same moment in another time zone is another value."""
    if isinstance(one, datetime | time) and one.utcoffset() != other.utcoffset():
        return False
    return bool(one == other) or (one != one and other != other)


def _at(path: tuple[str, ...], one: Any, other: Any, *, with_type: bool = False) -> Difference:
    here, there = repr(one), repr(other)
    if with_type and here == there:
        here, there = f"{here} ({type(one).__name__})", f"{there} ({type(other).__name__})"
    return Difference(pointer(path), here, there)
