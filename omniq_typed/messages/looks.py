"""How a value is looked through for what JSON would lose: Looks, and the ways from one to those of
its parts."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

Found: TypeAlias = list[tuple[tuple[str, ...], str, str]]
"""Path, code, message of each fault."""

Check: TypeAlias = Callable[[Any], Found | None]


@dataclass(frozen=True, slots=True)
class Look:
    """What to do at a place: nothing where the value's exact type is trusted, else `check` it."""

    trusted: frozenset[type]
    check: Check


Part: TypeAlias = tuple[str, frozenset[type], Check, tuple[str, ...]]
"""A field: its name, its Look, what it adds to a path."""


class Absent:
    """The type of a field that is not there; trusted, since the encoder says what that means."""


ABSENT = Absent()

NEVER: frozenset[type] = frozenset()

MAX_DEPTH = 20

# What may be iterated without harm. A generator must not be used up here.
ITERABLES = (list, tuple, set, frozenset, deque)


def look_at(look: Look | None, value: Any) -> Found | None:
    return None if look is None or type(value) in look.trusted else look.check(value)


def part_of(name: str, look: Look, step: tuple[str, ...]) -> Part:
    return (name, look.trusted | {Absent}, look.check, step)


def look_at_parts(parts: list[Part], get: Callable[[str, Any], Any]) -> Found | None:
    found: Found | None = None
    for name, trusted, check, step in parts:
        content = get(name, ABSENT)
        if type(content) not in trusted:
            inner = check(content)
            if inner:
                found = join_found(found, moved_below(step, inner))
    return found


def look_at_named(look: Look, values: Mapping[Any, Any]) -> Found | None:
    trusted, check = look.trusted, look.check
    found: Found | None = None
    for key, value in values.items():
        if type(value) not in trusted:
            inner = check(value)
            if inner:
                found = join_found(found, moved_below((str(key),), inner))
    return found


def join_found(one: Found | None, other: Found | None) -> Found | None:
    return [*one, *other] if one and other else one or other


def moved_below(step: tuple[str, ...], found: Found) -> Found:
    return [((*step, *path), code, message) for path, code, message in found]


def object_check(
    cls: type, exact: frozenset[type] | None, parts: list[Part], extras: Look | None
) -> Check:
    """`exact`: the classes that the value must have, None for the root. The first of these is the
    one that runs for nearly every object, so it is written out."""
    if cls.__dictoffset__ and extras is None:

        def check(value: Any) -> Found | None:
            if exact is not None and type(value) not in exact:
                return stray(cls, value)
            # Not as attributes: a deprecated field warns when it is read as one.
            get = value.__dict__.get
            found: Found | None = None
            for name, trusted, check_part, step in parts:
                content = get(name, ABSENT)
                if type(content) not in trusted:
                    inner = check_part(content)
                    if inner:
                        found = join_found(found, moved_below(step, inner))
            return found

        return check

    def check_any_other(value: Any) -> Found | None:
        if exact is not None and type(value) not in exact:
            return stray(cls, value)
        if extras is None:
            return look_at_parts(parts, partial(getattr, value))
        found = look_at_parts(parts, value.__dict__.get)
        more = value.__pydantic_extra__
        return join_found(found, look_at_named(extras, more)) if more else found

    return check_any_other


def items_look(look: Look | None) -> Look | None:
    if look is None:
        return None
    trusted, check_item = look.trusted, look.check

    def check(value: Any) -> Found | None:
        if not isinstance(value, ITERABLES):
            return None
        if trusted and trusted.issuperset(map(type, value)):
            return None
        found: Found | None = None
        for index, item in enumerate(value):
            if type(item) not in trusted:
                inner = check_item(item)
                if inner:
                    found = join_found(found, moved_below((str(index),), inner))
        return found

    return Look(NEVER, check)


def positions_look(looks: list[Look | None]) -> Look | None:
    if not any(looks):
        return None

    def check(value: Any) -> Found | None:
        if not isinstance(value, tuple):
            return None
        found: Found | None = None
        for index, (look, item) in enumerate(zip(looks, value, strict=False)):
            inner = look_at(look, item)
            if inner:
                found = join_found(found, moved_below((str(index),), inner))
        return found

    return Look(NEVER, check)


def class_name(value: Any) -> str:
    return type(value).__qualname__


def stray(cls: type, value: Any) -> Found | None:
    if isinstance(value, cls):
        lost = "what the subclass adds would be lost"
        return [((), "subclass", f"a {class_name(value)}, not a {cls.__qualname__}: {lost}")]
    return [((), "wrong_class", f"a {class_name(value)}, not a {cls.__qualname__}")]
