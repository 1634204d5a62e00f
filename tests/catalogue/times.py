"""Moments, days and durations."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, BeforeValidator, FiniteFloat, PlainSerializer

from tests.catalogue.kinds import both, kind

QUEUE = "catalogue-times"


class LoginModel(BaseModel):
    at: AwareDatetime


@dataclass
class LoginDataclass:
    at: AwareDatetime


AWARE = kind(
    "aware_datetime",
    "Moment with an offset",
    "at: AwareDatetime",
    *both(
        LoginModel,
        LoginDataclass,
        [
            {"at": datetime(2024, 2, 29, 23, 59, 59, 123456, tzinfo=UTC)},
            {"at": datetime(1970, 1, 1, tzinfo=timezone(timedelta(hours=5, minutes=45)))},
            {"at": datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)},
            {"at": datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=-12)))},
        ],
    ),
    queue=QUEUE,
)


class HolidayModel(BaseModel):
    day: date
    name: str = "Ostern"


@dataclass
class HolidayDataclass:
    day: date
    name: str = "Ostern"


DATE = kind(
    "date",
    "Date",
    "day: date",
    *both(
        HolidayModel,
        HolidayDataclass,
        [{"day": date(2024, 3, 31)}, {"day": date.min, "name": ""}, {"day": date.max}],
    ),
    queue=QUEUE,
)


class AlarmModel(BaseModel):
    rings_at: time


@dataclass
class AlarmDataclass:
    rings_at: time


TIME = kind(
    "time",
    "Time of day (without offset, as its schema does not allow)",
    "rings_at: time",
    *both(
        AlarmModel,
        AlarmDataclass,
        [
            {"rings_at": time(6, 30)},
            {"rings_at": time.min},
            {"rings_at": time.max},
        ],
    ),
    queue=QUEUE,
    portable=False,
)


def _seconds(value: object) -> object:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return timedelta(seconds=value)
    return value


Seconds = Annotated[
    timedelta,
    BeforeValidator(_seconds, json_schema_input_type=FiniteFloat),
    PlainSerializer(timedelta.total_seconds, return_type=float),
]


class CallModel(BaseModel):
    duration: Seconds


@dataclass
class CallDataclass:
    duration: Seconds


SECONDS = kind(
    "seconds",
    "timedelta as seconds",
    "duration: Seconds",
    *both(
        CallModel,
        CallDataclass,
        [
            {"duration": timedelta(minutes=1, seconds=30, milliseconds=250)},
            {"duration": timedelta(0)},
            {"duration": timedelta(days=-400, microseconds=1)},
            {"duration": timedelta(days=365_000)},
        ],
    ),
    queue=QUEUE,
)


class MeetingModel(BaseModel):
    starts_at: datetime


@dataclass
class MeetingDataclass:
    starts_at: datetime


NAIVE = kind(
    "any_datetime",
    "Moment with or without offset (without, it is no RFC 3339 date-time)",
    "starts_at: datetime",
    *both(
        MeetingModel,
        MeetingDataclass,
        [
            {"starts_at": datetime(2024, 6, 1, 9, 0)},
            {"starts_at": datetime(2024, 6, 1, 9, 0, tzinfo=UTC)},
            {"starts_at": datetime.max},
        ],
    ),
    queue=QUEUE,
    portable=False,
)


class TimerModel(BaseModel):
    runs_for: timedelta


@dataclass
class TimerDataclass:
    runs_for: timedelta


ISO_DURATION = kind(
    "iso_duration",
    "timedelta as Pydantic writes it (ISO 8601 with signs and days that others refuse)",
    "runs_for: timedelta",
    *both(
        TimerModel,
        TimerDataclass,
        [
            {"runs_for": timedelta(minutes=90)},
            {"runs_for": timedelta(0)},
            {"runs_for": timedelta(days=-3, seconds=5)},
        ],
    ),
    queue=QUEUE,
    portable=False,
)

KINDS = (AWARE, DATE, TIME, SECONDS, NAIVE, ISO_DURATION)
