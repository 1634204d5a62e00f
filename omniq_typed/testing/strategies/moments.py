"""Dates, times of day, moments and durations, as the texts that JSON has for them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from pydantic_core import to_jsonable_python

from omniq_typed.messages.schema_walk import Place, Schema

_TICK = timedelta(microseconds=1)
_DAY = timedelta(days=1)
# Past and future move on while a program runs; two days off, all time zones agree.
_MARGIN = 2 * _DAY
# RFC 3339 has offsets up to 23:59.
_OFFSETS_MIN = st.one_of(st.just(0), st.integers(-23 * 60 - 59, 23 * 60 + 59))

T = TypeVar("T", date, timedelta, time)


def dates(place: Place) -> SearchStrategy[Any]:
    """Years 1 to 9999, but for the bounds."""
    schema = place.schema
    today = datetime.now(UTC).date()
    least, most = _limits(schema, _DAY, date.min, date.max)
    if schema.get("now_op") == "past":
        most = min(most, today - _MARGIN)
    elif schema.get("now_op") == "future":
        least = max(least, today + _MARGIN)
    return st.dates(least, most).map(date.isoformat)


def datetimes(place: Place) -> SearchStrategy[Any]:
    """With an offset or without, as the type allows."""
    schema = place.schema
    bounds = {
        key: _naive(schema[key]) for key in ("ge", "gt", "le", "lt") if schema.get(key) is not None
    }
    least, most = _limits(bounds, _TICK, datetime.min, datetime.max)
    now = datetime.now(UTC).replace(tzinfo=None)
    if schema.get("now_op") == "past":
        most = min(most, now - _MARGIN)
    elif schema.get("now_op") == "future":
        least = max(least, now + _MARGIN)
    naive = st.datetimes(least, most)
    aware = st.builds(_aware, naive, _offsets(schema))
    return _by_zone(schema, naive, aware).map(lambda moment: moment.isoformat())


def times(place: Place) -> SearchStrategy[Any]:
    """With an offset or without, as the type allows."""
    schema = place.schema
    least, most = schema.get("ge", time.min), schema.get("le", time.max)
    naive = st.times(least.replace(tzinfo=None), most.replace(tzinfo=None))
    aware = st.builds(lambda moment, offset: moment.replace(tzinfo=offset), naive, _offsets(schema))
    return _by_zone(schema, naive, aware).map(lambda moment: moment.isoformat())


def timedeltas(place: Place) -> SearchStrategy[Any]:
    """In ISO 8601, as Pydantic writes them."""
    least, most = _limits(place.schema, _TICK, timedelta.min, timedelta.max)
    # Most durations are short; the extremes are rare, and still possible.
    usual = st.timedeltas(
        max(least, timedelta(days=-1000)) if least < timedelta(days=1000) else least,
        min(most, timedelta(days=1000)) if most > timedelta(days=-1000) else most,
    )
    return st.one_of(usual, st.timedeltas(least, most)).map(to_jsonable_python)


def _limits(schema: Schema, step: timedelta, least: Any, most: Any) -> tuple[Any, Any]:
    given = {key: schema[key] for key in ("ge", "gt", "le", "lt") if schema.get(key) is not None}
    lower = [given[key] + step * (key == "gt") for key in ("ge", "gt") if key in given]
    upper = [given[key] - step * (key == "lt") for key in ("le", "lt") if key in given]
    return max([least, *lower]), min([most, *upper])


def _naive(moment: datetime) -> datetime:
    """Bounds in UTC."""
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def _aware(utc: datetime, zone: timezone) -> datetime:
    try:
        return utc.replace(tzinfo=UTC).astimezone(zone)
    except OverflowError:  # within a day of the year 1 or of the end of 9999
        return utc.replace(tzinfo=UTC)


def _offsets(schema: Schema) -> SearchStrategy[timezone]:
    fixed = schema.get("tz_constraint")
    if isinstance(fixed, int):
        return st.just(timezone(timedelta(seconds=fixed)))
    return _OFFSETS_MIN.map(lambda minutes: timezone(timedelta(minutes=minutes)))


def _by_zone(
    schema: Schema, naive: SearchStrategy[T], aware: SearchStrategy[T]
) -> SearchStrategy[T]:
    constraint = schema.get("tz_constraint")
    if constraint is None:
        return st.one_of(naive, aware)
    return naive if constraint == "naive" else aware


MOMENTS: dict[str, Callable[[Place], SearchStrategy[Any]]] = {
    "date": dates,
    "datetime": datetimes,
    "time": times,
    "timedelta": timedeltas,
}
