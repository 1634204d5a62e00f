"""Whether two values are the same down to the type of every part; `==` says that 1 is True."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Any

from pydantic import BaseModel


def differences(left: Any, right: Any, where: str = "") -> list[str]:
    """What distinguishes two values, as `/lines/0/price: …`; empty where nothing does."""
    found = list(_differences(left, right, where))
    if not found and left != right:  # what only the value's own == knows about
        found.append(f"{where or 'the whole'}: {left!r} != {right!r}")
    return found


def _differences(left: Any, right: Any, where: str) -> Iterator[str]:
    if type(left) is not type(right):
        yield f"{where or 'the whole'}: {type(left).__name__}, not {type(right).__name__}"
        return
    mine, others = _parts(left), _parts(right)
    if len(mine) != len(others):
        yield f"{where or 'the whole'}: {len(mine)} parts, not {len(others)}"
    elif _is_leaf(left) and (left != right or _offset(left) != _offset(right)):
        yield f"{where or 'the whole'}: {left!r} != {right!r}"
    for (name, part), (other_name, other) in zip(mine, others, strict=False):
        if name != other_name:
            yield f"{where or 'the whole'}: {name!r}, not {other_name!r}"
        yield from _differences(part, other, f"{where}/{name}")


def _is_leaf(value: Any) -> bool:
    structured = isinstance(value, (BaseModel, dict, list, tuple, set, frozenset))
    return not structured and not is_dataclass(value)


def _parts(value: Any) -> list[tuple[Any, Any]]:
    """Name and content of what a value consists of."""
    if isinstance(value, BaseModel):
        return [*value.__dict__.items(), *(value.__pydantic_extra__ or {}).items()]
    if isinstance(value, dict):
        # Keys are parts too: 1 and True are the same key.
        return [(repr(key), (key, each)) for key, each in value.items()]
    if isinstance(value, (list, tuple)):
        return list(enumerate(value))
    if isinstance(value, (set, frozenset)):
        return list(enumerate(sorted(value, key=repr)))
    if is_dataclass(value):
        return [(field.name, getattr(value, field.name)) for field in fields(value)]
    return []


def _offset(value: Any) -> Any:
    """Two moments are equal in whatever time zone."""
    return value.utcoffset() if isinstance(value, datetime) else None
