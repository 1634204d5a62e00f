"""Values that may be more, less, or something else than before."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from pydantic import (
    UUID4,
    AnyUrl,
    AwareDatetime,
    BaseModel,
    Field,
    FiniteFloat,
    HttpUrl,
    NaiveDatetime,
    StringConstraints,
)

from omniq_typed import SafeInt
from tests.evolution.pairs import pair


@pair("A value may be null", backward="ok", forward="break")
def null_allowed():
    class Old(BaseModel):
        note: str

    class New(BaseModel):
        note: str | None

    return Old, New


@pair("A value may not be null any more", backward="break", forward="ok")
def null_refused():
    class Old(BaseModel):
        note: str | None = None

    class New(BaseModel):
        note: str = ""

    return Old, New


@pair("int becomes float", backward="ok", forward="break")
def int_to_float():
    class Old(BaseModel):
        amount: SafeInt

    class New(BaseModel):
        amount: FiniteFloat

    return Old, New


@pair("float becomes int", backward="break", forward="ok")
def float_to_int():
    class Old(BaseModel):
        amount: FiniteFloat

    class New(BaseModel):
        amount: int

    return Old, New


@pair("int becomes Decimal", backward="ok", forward="break")
def int_to_decimal():
    class Old(BaseModel):
        amount: SafeInt

    class New(BaseModel):
        amount: Decimal

    return Old, New


@pair("Decimal becomes float", backward="break", forward="ok")
def decimal_to_float():
    class Old(BaseModel):
        amount: Decimal

    class New(BaseModel):
        amount: FiniteFloat

    return Old, New


@pair("int becomes str", backward="break", forward="break")
def int_to_str():
    class Old(BaseModel):
        number: int

    class New(BaseModel):
        number: str

    return Old, New


@pair("bool becomes int", backward="break", forward="break")
def bool_to_int():
    class Old(BaseModel):
        paid: bool

    class New(BaseModel):
        paid: int

    return Old, New


@pair("int becomes int or str", backward="ok", forward="break")
def int_to_union():
    class Old(BaseModel):
        number: int

    class New(BaseModel):
        number: int | str

    return Old, New


@pair("A lower bound is added", backward="break", forward="ok")
def bound_added():
    class Old(BaseModel):
        count: int

    class New(BaseModel):
        count: int = Field(ge=0)

    return Old, New


@pair("A bound is loosened", backward="ok", forward="break")
def bound_loosened():
    class Old(BaseModel):
        count: int = Field(ge=10, le=20)

    class New(BaseModel):
        count: int = Field(ge=0, le=20)

    return Old, New


@pair("Bounds move", backward="break", forward="break")
def bounds_moved():
    class Old(BaseModel):
        count: int = Field(ge=0, le=10)

    class New(BaseModel):
        count: int = Field(ge=5, le=15)

    return Old, New


@pair("An open bound of int becomes a closed one", backward="ok", forward="ok")
def bound_reworded():
    class Old(BaseModel):
        count: int = Field(gt=0)

    class New(BaseModel):
        count: int = Field(ge=1)

    return Old, New


@pair("An open bound of float becomes a closed one", backward="ok", forward="break")
def bound_closed():
    class Old(BaseModel):
        share: FiniteFloat = Field(gt=0)

    class New(BaseModel):
        share: FiniteFloat = Field(ge=0)

    return Old, New


@pair("SafeInt becomes int", backward="ok", forward="break")
def safe_int_to_int():
    class Old(BaseModel):
        number: SafeInt

    class New(BaseModel):
        number: int

    return Old, New


@pair("A multiple is demanded", backward="break", forward="ok")
def multiple_demanded():
    class Old(BaseModel):
        size: int

    class New(BaseModel):
        size: int = Field(multiple_of=2)

    return Old, New


@pair("Multiples of 4 become multiples of 2", backward="ok", forward="break")
def multiple_loosened():
    class Old(BaseModel):
        size: int = Field(multiple_of=4)

    class New(BaseModel):
        size: int = Field(multiple_of=2)

    return Old, New


@pair("A Decimal gets more digits", backward="ok", forward="break")
def more_digits():
    class Old(BaseModel):
        amount: Annotated[Decimal, Field(max_digits=8, decimal_places=2)]

    class New(BaseModel):
        amount: Annotated[Decimal, Field(max_digits=12, decimal_places=4)]

    return Old, New


@pair("A Decimal gets bounds", backward="break", forward="ok")
def decimal_bounded():
    class Old(BaseModel):
        amount: Annotated[Decimal, Field(max_digits=8, decimal_places=2)]

    class New(BaseModel):
        amount: Annotated[Decimal, Field(max_digits=8, decimal_places=2, ge=0)]

    return Old, New


@pair("A text may be longer", backward="ok", forward="break")
def longer_text():
    class Old(BaseModel):
        name: Annotated[str, Field(max_length=10)]

    class New(BaseModel):
        name: Annotated[str, Field(max_length=20)]

    return Old, New


@pair("A text may not be empty", backward="break", forward="ok")
def text_not_empty():
    class Old(BaseModel):
        name: str

    class New(BaseModel):
        name: Annotated[str, Field(min_length=1)]

    return Old, New


@pair("A pattern is added", backward="break", forward="ok")
def pattern_added():
    class Old(BaseModel):
        code: str

    class New(BaseModel):
        code: Annotated[str, Field(pattern="^[A-Z]{3}$")]

    return Old, New


@pair("A pattern allows more", backward="ok", forward="break")
def pattern_widened():
    class Old(BaseModel):
        code: Annotated[str, Field(pattern="^[A-Z]{3}$")]

    class New(BaseModel):
        code: Annotated[str, Field(pattern="^[A-Za-z]{2,3}$")]

    return Old, New


@pair("A pattern is worded otherwise", backward="ok", forward="ok")
def pattern_reworded():
    class Old(BaseModel):
        code: Annotated[str, Field(pattern="^[0-9]{3}$")]

    class New(BaseModel):
        code: Annotated[str, Field(pattern="^[0-9][0-9][0-9]$")]

    return Old, New


@pair("A pattern becomes a length", backward="ok", forward="break")
def pattern_to_length():
    class Old(BaseModel):
        code: Annotated[str, Field(pattern="^[A-Z]{3}$")]

    class New(BaseModel):
        code: Annotated[str, Field(min_length=3, max_length=3)]

    return Old, New


@pair("Blanks around a text are taken off", backward="ok", forward="ok")
def stripped():
    class Old(BaseModel):
        name: str

    class New(BaseModel):
        name: Annotated[str, StringConstraints(strip_whitespace=True)]

    return Old, New


@pair("str becomes datetime", backward="break", forward="ok")
def str_to_datetime():
    class Old(BaseModel):
        at: str

    class New(BaseModel):
        at: AwareDatetime

    return Old, New


@pair("A time with an offset may have none", backward="ok", forward="break")
def offset_optional():
    class Old(BaseModel):
        at: AwareDatetime

    class New(BaseModel):
        at: datetime

    return Old, New


@pair("A time with an offset has none any more", backward="break", forward="break")
def offset_refused():
    class Old(BaseModel):
        at: AwareDatetime

    class New(BaseModel):
        at: NaiveDatetime

    return Old, New


@pair("datetime becomes date", backward="break", forward="break")
def datetime_to_date():
    class Old(BaseModel):
        at: AwareDatetime

    class New(BaseModel):
        at: date

    return Old, New


@pair("Seconds become timedelta", backward="break", forward="break")
def seconds_to_timedelta():
    class Old(BaseModel):
        lasts: int

    class New(BaseModel):
        lasts: timedelta

    return Old, New


@pair("str becomes UUID", backward="break", forward="ok")
def str_to_uuid():
    class Old(BaseModel):
        id: str

    class New(BaseModel):
        id: UUID

    return Old, New


@pair("UUID becomes UUID4", backward="break", forward="ok")
def uuid_to_uuid4():
    class Old(BaseModel):
        id: UUID

    class New(BaseModel):
        id: UUID4

    return Old, New


@pair("HttpUrl becomes AnyUrl", backward="ok", forward="break")
def http_url_to_any_url():
    class Old(BaseModel):
        link: HttpUrl

    class New(BaseModel):
        link: AnyUrl

    return Old, New


@pair("str becomes bytes in base64", backward="break", forward="ok")
def str_to_bytes():
    class Old(BaseModel):
        data: str

    class New(BaseModel, ser_json_bytes="base64", val_json_bytes="base64"):
        data: bytes

    return Old, New
