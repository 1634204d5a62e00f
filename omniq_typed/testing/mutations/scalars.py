"""What breaks the rules of a number or a text."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any, TypeAlias

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from pydantic_core import to_jsonable_python

from omniq_typed.messages.schema_walk import Place
from omniq_typed.testing.mutations.rules import Rule, Values, among

Breach: TypeAlias = tuple[Rule, str, Values]
"""The rule, the rule in full, and values that break it."""

_BOUNDS = ("ge", "gt", "le", "lt")
_BELOW = frozenset({"ge", "gt"})
_YEARS = timedelta(days=3660)
_SIGNS = st.sampled_from("aZ0-_ ./é\u0663\n")


def breaches(place: Place, value: Any) -> Iterator[Breach]:
    """Ways to break what a leaf's schema says, near a value that it allows."""
    make = _BY_KIND.get(place.kind)
    if make is not None:
        yield from make(place, value)


def _numbers(place: Place, value: Any) -> Iterator[Breach]:
    yield from _bounds(place)
    step = place.schema.get("multiple_of")
    if step and isinstance(value, int | float):
        beside = [value + step / 2] if place.kind == "float" else [value + 1, value - 1]
        yield Rule.MULTIPLE, f"multiple_of={step}", among(*beside)


def _decimals(place: Place, value: Any) -> Iterator[Breach]:
    yield from _bounds(place)
    schema = place.schema
    number = Decimal(str(value))
    step = schema.get("multiple_of")
    if step:
        yield Rule.MULTIPLE, f"multiple_of={step}", among(str(number + Decimal(step) / 2))
    places, digits = schema.get("decimal_places"), schema.get("max_digits")
    if places is not None:
        more = Decimal(1).scaleb(-places - 1)
        yield Rule.DIGITS, f"decimal_places={places}", among(str(number + more))
    if digits is not None:
        yield Rule.DIGITS, f"max_digits={digits}", among("9" * (digits + 1))
    yield Rule.FORMAT, "a decimal number", near(str(value), "1,5", "0x1", "--1", "NaN")


def _bounds(place: Place) -> Iterator[Breach]:
    for name in _BOUNDS:
        bound = place.schema.get(name)
        if bound is not None:
            beyond = map(to_jsonable_python, _beyond(place.kind, name, bound))
            yield Rule.BOUND, f"{name}={bound}", among(*beyond)


def _beyond(kind: str, name: str, bound: Any) -> list[Any]:
    """What lies outside: the nearest value first, and one far away."""
    sign = -1 if name in _BELOW else 1
    open_ = [bound] if name in ("gt", "lt") else []
    if kind == "int":
        return [*open_, bound + sign, bound + sign * 1000]
    if kind == "float":
        return [*open_, math.nextafter(float(bound), sign * math.inf), bound + sign * 1000.0]
    if kind == "decimal":
        return [str(each) for each in (*open_, Decimal(bound) + sign, Decimal(bound) + sign * 1000)]
    if kind == "fraction":
        return [str(each) for each in (*open_, Fraction(bound) + sign)]
    if kind == "time":
        return open_ + ([time.min] if sign < 0 else [time.max])
    return [*open_, *_moved(bound, sign * (timedelta(days=1))), *_moved(bound, sign * _YEARS)]


def _moved(moment: date | datetime | timedelta, by: timedelta) -> list[Any]:
    try:
        return [moment + by]
    except OverflowError:  # there is nothing beyond the year 9999
        return []


def _texts(place: Place, value: Any) -> Iterator[Breach]:
    schema = place.schema
    least, most = schema.get("min_length") or 0, schema.get("max_length")
    if least:
        yield Rule.LENGTH, f"min_length={least}", among(value[: least - 1])
    if most is not None:
        more = (value or "x") * (most + 1)
        yield Rule.LENGTH, f"max_length={most}", among(more[: most + 1])
    pattern = schema.get("pattern")
    if pattern is not None:
        text = getattr(pattern, "pattern", pattern)
        yield Rule.PATTERN, f"pattern={text}", near(value)


def _bytes(place: Place, value: Any) -> Iterator[Breach]:
    mode = place.config.get("val_json_bytes", "utf8")
    if mode != "utf8":
        yield Rule.FORMAT, mode, near(value, "?", "A", "===", "ß")
    least = place.schema.get("min_length")
    if least:
        yield Rule.LENGTH, f"min_length={least}", among("")


def _moments(place: Place, value: Any) -> Iterator[Breach]:
    yield from _bounds(place)
    odd = {
        "date": ["2024-02-30", "2023-13-01", "01/02/2024", "today"],
        "time": ["24:61", "25:00:00", "noon"],
        "datetime": ["2024-02-30T00:00:00Z", "2024-06-01T25:00:00Z", "yesterday"],
        "timedelta": ["P1Q", "PT", "an hour"],
    }[place.kind]
    yield Rule.FORMAT, f"a {place.kind}", near(value, *odd)
    yield from _now(place)
    zone = place.schema.get("tz_constraint")
    if zone == "naive":
        yield Rule.TIMEZONE, "without a time zone", among(f"{value}Z")
    elif zone is not None:
        yield Rule.TIMEZONE, "with a time zone", among(_without_zone(place.kind, value))


def _now(place: Place) -> Iterator[Breach]:
    when = place.schema.get("now_op")
    if when is None:
        return
    moment = datetime.now(UTC) + (_YEARS if when == "past" else -_YEARS)
    other: Any = moment.date() if place.kind == "date" else moment
    if place.schema.get("tz_constraint") == "naive":
        other = moment.replace(tzinfo=None)
    yield Rule.BOUND, f"in the {when}", among(other.isoformat())


def _without_zone(kind: str, value: str) -> str:
    read: Any = time if kind == "time" else datetime
    return str(read.fromisoformat(value).replace(tzinfo=None).isoformat())


def _names(place: Place, value: Any) -> Iterator[Breach]:
    if place.kind != "uuid":
        odd = ["no url", "://", "http//example.com", ""]
        schemes = place.schema.get("allowed_schemes")
        if schemes:
            odd.append("gopher://example.com/")
        yield Rule.FORMAT, "a URL", among(*odd)
        most = place.schema.get("max_length")
        if most is not None:
            yield Rule.LENGTH, f"max_length={most}", among(f"{value}{'x' * most}")
        return
    yield Rule.FORMAT, "a UUID", near(value, "not-a-uuid", "0190163d-8694")
    version = place.schema.get("version")
    if version is not None:
        other = 4 if version != 4 else 1
        wrong = f"{value[:14]}{other}{value[15:]}"
        yield Rule.FORMAT, f"version {version}", among(wrong)


def near(text: str, *odd: str) -> Values:
    """Texts that are hardly of the same kind: some odd ones, and one character more, less, or
    another one."""
    return lambda: st.one_of(st.sampled_from([*odd, ""]), _one_character_off(text))


def _one_character_off(text: str) -> SearchStrategy[str]:
    at = st.integers(0, max(len(text) - 1, 0))
    return st.one_of(
        at.map(lambda index: text[:index] + text[index + 1 :]),
        st.builds(lambda index, sign: text[:index] + sign + text[index + 1 :], at, _SIGNS),
        st.builds(lambda index, sign: text[:index] + sign + text[index:], at, _SIGNS),
        _SIGNS.map(lambda sign: text + sign),
    )


_BY_KIND: dict[str, Callable[[Place, Any], Iterator[Breach]]] = {
    "int": _numbers,
    "float": _numbers,
    "decimal": _decimals,
    "str": _texts,
    "bytes": _bytes,
    **dict.fromkeys(("date", "time", "datetime", "timedelta"), _moments),
    **dict.fromkeys(("uuid", "url", "multi-host-url"), _names),
}
