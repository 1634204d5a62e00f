"""What JSON would lose of a single value, a key, or the choice of a union."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from fractions import Fraction
from math import isfinite
from types import NoneType
from typing import Any, cast

from pydantic_core import SchemaSerializer, SchemaValidator

from omniq_typed.messages.looks import (
    ABSENT,
    ITERABLES,
    MAX_DEPTH,
    NEVER,
    Absent,
    Check,
    Found,
    Look,
    class_name,
    items_look,
    look_at,
    look_at_named,
)
from omniq_typed.messages.schema_walk import ANYTHING, Place, content_of

_SAFE_INTEGER = 2**53


def plain_class(cls: Any) -> type | None:
    plain = getattr(cls, "__origin__", None) or cls
    return plain if isinstance(plain, type) else None


def bool_as_number(value: Any) -> Found | None:
    if not isinstance(value, bool):
        return None
    return [((), "bool_as_number", f"{value} is no number, and would be written as {int(value)}")]


INT = Look(frozenset({int}), bool_as_number)


def not_finite(value: Any) -> Found:
    return [((), "not_finite", f"{value} is not in JSON, and would be written as null or text")]


def float_look(inf_nan: str, beside: frozenset[str]) -> Look:
    # Elsewhere the reader refuses what is written instead of a number.
    silent = {"null": "null", "strings": "string"}.get(inf_nan) in beside

    def check(value: Any) -> Found | None:
        if isinstance(value, bool):
            return bool_as_number(value)
        if isinstance(value, float):
            return not_finite(value) if silent and not isfinite(value) else None
        if isinstance(value, int) and -_SAFE_INTEGER <= value <= _SAFE_INTEGER:
            return None
        return _inexact(value) if isinstance(value, int | Decimal | Fraction) else None

    return Look(NEVER if silent else frozenset({float}), check)


def _inexact(value: int | Decimal | Fraction) -> Found | None:
    if isinstance(value, Decimal) and not value.is_finite():
        return not_finite(value)
    try:
        exact = float(value) == value
    except OverflowError:
        exact = False
    message = f"a {class_name(value)} that no float holds exactly: it would be rounded"
    return None if exact else [((), "inexact", message)]


def literal_look(expected: Iterable[Any], beside: frozenset[str]) -> Look:
    values = tuple(expected)
    types = frozenset(map(type, values))

    def check(value: Any) -> Found | None:
        if isinstance(value, bool):
            return bool_as_number(value) if value in values else None
        if isinstance(value, float) and not isfinite(value) and "null" in beside:
            return not_finite(value)
        if isinstance(value, (int, float, *types)):
            return None  # the encoder compares
        return [((), "wrong_type", f"a {class_name(value)}, where only {values} may be")]

    return Look(types, check)


def _finite(value: Any, depth: int = MAX_DEPTH) -> Found | None:
    """Where anything goes: NaN becomes null all the same."""
    if isinstance(value, float):
        return None if isfinite(value) else not_finite(value)
    if not depth or not isinstance(value, (dict, *ITERABLES)):
        return None
    inside = Look(_PLAIN, lambda each: _finite(each, depth - 1))
    return (
        look_at_named(inside, value)
        if isinstance(value, dict)
        else look_at(items_look(inside), value)
    )


_PLAIN: frozenset[type] = frozenset({str, int, bool, NoneType})

ANY = Look(_PLAIN, _finite)


def masked(value: Any) -> Found | None:
    secret = value.get_secret_value() if hasattr(value, "get_secret_value") else None
    return [((), "masked", "would be written as **********")] if secret else None


def unknown_key(value: Any) -> Found:
    return [((), "unknown_key", "the type has no such key, so it would be lost")]


def key_check(place: Place) -> Check | None:
    """Keys are text in JSON: where their type allows other things besides, 1 may become '1'."""
    keys = place.schema.get("keys_schema", ANYTHING)
    content = content_of(place.at(keys))
    asked = plain_class(content.instance_of)
    if asked is not None and not content.custom:
        return lambda value: _wrong_keys(asked, value)
    if content.custom or content.kind not in ("any", "nullable", "union"):
        return None
    way_back = _way_back(place, {"type": "dict", "keys_schema": keys, "values_schema": _NULL})

    def check(value: Any) -> Found | None:
        if content.kind == "any" and all(type(key) is str for key in value):
            return None
        back = way_back(dict.fromkeys(value)) if way_back is not None else ABSENT
        changed = not isinstance(back, Absent) and not _same(list(value), list(back))
        message = "keys are text in JSON, and not all of them would come back as they are"
        return [((), "key_as_text", message)] if changed else None

    return check


def _wrong_keys(cls: type, value: Mapping[Any, Any]) -> Found | None:
    wrong = next((key for key in value if not isinstance(key, cls)), None)
    if wrong is None:
        return None
    return [
        ((str(wrong),), "wrong_type", f"the key is a {class_name(wrong)}, not a {cls.__name__}")
    ]


_NULL: Mapping[str, Any] = {"type": "none"}


def round_trip_check(place: Place) -> Check | None:
    """For unions whose JSON does not say which choice it is: the only way to know is to try."""
    way_back = _way_back(place, place.schema)
    if way_back is None:
        return None

    def check(value: Any) -> Found | None:
        back = way_back(value)
        if isinstance(back, Absent) or _same(value, back):
            return None
        kept = type(value) is type(back)
        message = f"a {class_name(value)} that comes back as " + (
            "one of other items" if kept else f"a {class_name(back)}"
        )
        return [((), "union_choice", message)]

    return check


def _way_back(place: Place, schema: Mapping[str, Any]) -> Callable[[Any], Any] | None:
    """What a reader gets for a value, ABSENT where it cannot be written or read: the encoder will
    say so. None for a schema that does not stand by itself."""
    whole: Any = {
        "type": "definitions",
        "schema": schema,
        "definitions": list(place.definitions.values()),
    }
    config = cast(Any, dict(place.config))
    try:
        writer, reader = SchemaSerializer(whole, config), SchemaValidator(whole, config)
    except Exception:
        return None

    def way_back(value: Any) -> Any:
        try:
            written = writer.to_json(value, by_alias=True, warnings="error")
            return reader.validate_json(written, strict=True)
        except Exception:
            return ABSENT

    return way_back


def _same(value: Any, back: Any) -> bool:
    """Whether a value came back as it was, as far as the choice of a union goes: what is inside
    models and dataclasses has checks of its own."""
    if type(value) is not type(back):
        return bool(value == back) and isinstance(value, bool) == isinstance(back, bool)
    if isinstance(value, list | tuple):
        return len(value) == len(back) and all(map(_same, value, back))
    if isinstance(value, dict):
        return _same(list(value.items()), list(back.items()))
    if isinstance(value, set | frozenset):
        return bool(value == back) or set(map(type, value)) == set(map(type, back))
    return True
