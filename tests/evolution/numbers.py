"""Numbers, and values that may be null."""

from decimal import Decimal
from typing import Annotated

from pydantic import (
    BaseModel,
    Field,
    FiniteFloat,
)

from omniq_typed import SafeInt
from tests.evolution.pairs import Types, pair


@pair("A value may be null", backward="ok", forward="break")
def null_allowed() -> Types:
    class Old(BaseModel):
        note: str

    class New(BaseModel):
        note: str | None

    return Old, New


@pair("A value may not be null any more", backward="break", forward="ok")
def null_refused() -> Types:
    class Old(BaseModel):
        note: str | None = None

    class New(BaseModel):
        note: str = ""

    return Old, New


@pair("int becomes float", backward="ok", forward="break")
def int_to_float() -> Types:
    class Old(BaseModel):
        amount: SafeInt

    class New(BaseModel):
        amount: FiniteFloat

    return Old, New


@pair("float becomes int", backward="break", forward="ok")
def float_to_int() -> Types:
    class Old(BaseModel):
        amount: FiniteFloat

    class New(BaseModel):
        amount: int

    return Old, New


@pair("int becomes Decimal", backward="ok", forward="break")
def int_to_decimal() -> Types:
    class Old(BaseModel):
        amount: SafeInt

    class New(BaseModel):
        amount: Decimal

    return Old, New


@pair("Decimal becomes float", backward="break", forward="ok")
def decimal_to_float() -> Types:
    class Old(BaseModel):
        amount: Decimal

    class New(BaseModel):
        amount: FiniteFloat

    return Old, New


@pair("int becomes str", backward="break", forward="break")
def int_to_str() -> Types:
    class Old(BaseModel):
        number: int

    class New(BaseModel):
        number: str

    return Old, New


@pair("bool becomes int", backward="break", forward="break")
def bool_to_int() -> Types:
    class Old(BaseModel):
        paid: bool

    class New(BaseModel):
        paid: int

    return Old, New


@pair("int becomes int or str", backward="ok", forward="break")
def int_to_union() -> Types:
    class Old(BaseModel):
        number: int

    class New(BaseModel):
        number: int | str

    return Old, New


@pair("A lower bound is added", backward="break", forward="ok")
def bound_added() -> Types:
    class Old(BaseModel):
        count: int

    class New(BaseModel):
        count: int = Field(ge=0)

    return Old, New


@pair("A bound is loosened", backward="ok", forward="break")
def bound_loosened() -> Types:
    class Old(BaseModel):
        count: int = Field(ge=10, le=20)

    class New(BaseModel):
        count: int = Field(ge=0, le=20)

    return Old, New


@pair("Bounds move", backward="break", forward="break")
def bounds_moved() -> Types:
    class Old(BaseModel):
        count: int = Field(ge=0, le=10)

    class New(BaseModel):
        count: int = Field(ge=5, le=15)

    return Old, New


@pair("An open bound of int becomes a closed one", backward="ok", forward="ok")
def bound_reworded() -> Types:
    class Old(BaseModel):
        count: int = Field(gt=0)

    class New(BaseModel):
        count: int = Field(ge=1)

    return Old, New


@pair("An open bound of float becomes a closed one", backward="ok", forward="break")
def bound_closed() -> Types:
    class Old(BaseModel):
        share: FiniteFloat = Field(gt=0)

    class New(BaseModel):
        share: FiniteFloat = Field(ge=0)

    return Old, New


@pair("SafeInt becomes int", backward="ok", forward="break")
def safe_int_to_int() -> Types:
    class Old(BaseModel):
        number: SafeInt

    class New(BaseModel):
        number: int

    return Old, New


@pair("A multiple is demanded", backward="break", forward="ok")
def multiple_demanded() -> Types:
    class Old(BaseModel):
        size: int

    class New(BaseModel):
        size: int = Field(multiple_of=2)

    return Old, New


@pair("Multiples of 4 become multiples of 2", backward="ok", forward="break")
def multiple_loosened() -> Types:
    class Old(BaseModel):
        size: int = Field(multiple_of=4)

    class New(BaseModel):
        size: int = Field(multiple_of=2)

    return Old, New


@pair("A Decimal gets more digits", backward="ok", forward="break")
def more_digits() -> Types:
    class Old(BaseModel):
        amount: Annotated[Decimal, Field(max_digits=8, decimal_places=2)]

    class New(BaseModel):
        amount: Annotated[Decimal, Field(max_digits=12, decimal_places=4)]

    return Old, New


@pair("A Decimal gets bounds", backward="break", forward="ok")
def decimal_bounded() -> Types:
    class Old(BaseModel):
        amount: Annotated[Decimal, Field(max_digits=8, decimal_places=2)]

    class New(BaseModel):
        amount: Annotated[Decimal, Field(max_digits=8, decimal_places=2, ge=0)]

    return Old, New
