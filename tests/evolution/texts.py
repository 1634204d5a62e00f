"""Texts, and what is written as text."""

from datetime import date, datetime, timedelta
from typing import Annotated
from uuid import UUID

from pydantic import (
    UUID4,
    AnyUrl,
    AwareDatetime,
    BaseModel,
    Field,
    HttpUrl,
    NaiveDatetime,
    StringConstraints,
)

from tests.evolution.pairs import Types, pair


@pair("A text may be longer", backward="ok", forward="break")
def longer_text() -> Types:
    class Old(BaseModel):
        name: Annotated[str, Field(max_length=10)]

    class New(BaseModel):
        name: Annotated[str, Field(max_length=20)]

    return Old, New


@pair("A text may not be empty", backward="break", forward="ok")
def text_not_empty() -> Types:
    class Old(BaseModel):
        name: str

    class New(BaseModel):
        name: Annotated[str, Field(min_length=1)]

    return Old, New


@pair("A pattern is added", backward="break", forward="ok")
def pattern_added() -> Types:
    class Old(BaseModel):
        code: str

    class New(BaseModel):
        code: Annotated[str, Field(pattern="^[A-Z]{3}$")]

    return Old, New


@pair("A pattern allows more", backward="ok", forward="break")
def pattern_widened() -> Types:
    class Old(BaseModel):
        code: Annotated[str, Field(pattern="^[A-Z]{3}$")]

    class New(BaseModel):
        code: Annotated[str, Field(pattern="^[A-Za-z]{2,3}$")]

    return Old, New


@pair("A pattern is worded otherwise", backward="ok", forward="ok")
def pattern_reworded() -> Types:
    class Old(BaseModel):
        code: Annotated[str, Field(pattern="^[0-9]{3}$")]

    class New(BaseModel):
        code: Annotated[str, Field(pattern="^[0-9][0-9][0-9]$")]

    return Old, New


@pair("A pattern becomes a length", backward="ok", forward="break")
def pattern_to_length() -> Types:
    class Old(BaseModel):
        code: Annotated[str, Field(pattern="^[A-Z]{3}$")]

    class New(BaseModel):
        code: Annotated[str, Field(min_length=3, max_length=3)]

    return Old, New


@pair("Blanks around a text are taken off", backward="ok", forward="ok")
def stripped() -> Types:
    class Old(BaseModel):
        name: str

    class New(BaseModel):
        name: Annotated[str, StringConstraints(strip_whitespace=True)]

    return Old, New


@pair("str becomes datetime", backward="break", forward="ok")
def str_to_datetime() -> Types:
    class Old(BaseModel):
        at: str

    class New(BaseModel):
        at: AwareDatetime

    return Old, New


@pair("A time with an offset may have none", backward="ok", forward="break")
def offset_optional() -> Types:
    class Old(BaseModel):
        at: AwareDatetime

    class New(BaseModel):
        at: datetime

    return Old, New


@pair("A time with an offset has none any more", backward="break", forward="break")
def offset_refused() -> Types:
    class Old(BaseModel):
        at: AwareDatetime

    class New(BaseModel):
        at: NaiveDatetime

    return Old, New


@pair("datetime becomes date", backward="break", forward="break")
def datetime_to_date() -> Types:
    class Old(BaseModel):
        at: AwareDatetime

    class New(BaseModel):
        at: date

    return Old, New


@pair("Seconds become timedelta", backward="break", forward="break")
def seconds_to_timedelta() -> Types:
    class Old(BaseModel):
        lasts: int

    class New(BaseModel):
        lasts: timedelta

    return Old, New


@pair("str becomes UUID", backward="break", forward="ok")
def str_to_uuid() -> Types:
    class Old(BaseModel):
        id: str

    class New(BaseModel):
        id: UUID

    return Old, New


@pair("UUID becomes UUID4", backward="break", forward="ok")
def uuid_to_uuid4() -> Types:
    class Old(BaseModel):
        id: UUID

    class New(BaseModel):
        id: UUID4

    return Old, New


@pair("HttpUrl becomes AnyUrl", backward="ok", forward="break")
def http_url_to_any_url() -> Types:
    class Old(BaseModel):
        link: HttpUrl

    class New(BaseModel):
        link: AnyUrl

    return Old, New


@pair("str becomes bytes in base64", backward="break", forward="ok")
def str_to_bytes() -> Types:
    class Old(BaseModel):
        data: str

    class New(BaseModel, ser_json_bytes="base64", val_json_bytes="base64"):
        data: bytes

    return Old, New
