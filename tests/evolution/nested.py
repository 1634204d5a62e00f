"""Classes within classes."""

from typing import TypeVar

from pydantic import BaseModel, FiniteFloat

from omniq_typed import SafeInt
from tests.evolution.pairs import Types, pair

T = TypeVar("T")


@pair("An inner class gets a required field", backward="break", forward="ok")
def inner_required_added() -> Types:
    class OldMoney(BaseModel):
        amount: int

    class NewMoney(BaseModel):
        amount: int
        currency: str

    class Old(BaseModel):
        prices: list[OldMoney]

    class New(BaseModel):
        prices: list[NewMoney]

    return Old, New


@pair("An inner class gets an optional field", backward="ok", forward="ok")
def inner_optional_added() -> Types:
    class OldMoney(BaseModel):
        amount: int

    class NewMoney(BaseModel):
        amount: int
        currency: str = "EUR"

    class Old(BaseModel):
        prices: dict[str, OldMoney]

    class New(BaseModel):
        prices: dict[str, NewMoney]

    return Old, New


@pair("An inner class is renamed", backward="ok", forward="ok")
def inner_renamed() -> Types:
    class OldMoney(BaseModel):
        amount: int

    class NewPrice(BaseModel):
        amount: int

    class Old(BaseModel):
        price: OldMoney

    class New(BaseModel):
        price: NewPrice

    return Old, New


@pair("Fields move into an inner class", backward="break", forward="break")
def fields_gathered() -> Types:
    class Money(BaseModel):
        amount: int
        currency: str

    class Old(BaseModel):
        amount: int
        currency: str

    class New(BaseModel):
        price: Money

    return Old, New


@pair("An inner class may be left out", backward="ok", forward="break")
def inner_optional() -> Types:
    class Money(BaseModel):
        amount: int

    class Old(BaseModel):
        price: Money

    class New(BaseModel):
        price: Money | None = None

    return Old, New


@pair("A recursive class gets an optional field", backward="ok", forward="ok")
def recursive_extended() -> Types:
    class Old(BaseModel):
        value: SafeInt
        below: list["Old"]

    class New(BaseModel):
        value: SafeInt
        below: list["New"]
        note: str | None = None

    return Old, New


@pair("A value in a recursive class is widened", backward="ok", forward="break")
def recursive_widened() -> Types:
    class Old(BaseModel):
        value: SafeInt
        below: list["Old"]

    class New(BaseModel):
        value: FiniteFloat
        below: list["New"]

    return Old, New


@pair("A recursive class gets a required field", backward="break", forward="ok")
def recursive_required_added() -> Types:
    class Old(BaseModel):
        value: SafeInt
        below: list["Old"]

    class New(BaseModel):
        value: SafeInt
        below: list["New"]
        name: str

    return Old, New


@pair("A chain of any length is cut", backward="break", forward="ok")
def recursion_ended() -> Types:
    class NewEnd(BaseModel):
        name: str
        following: None = None

    class Old(BaseModel):
        name: str
        following: "Old | None" = None

    class New(BaseModel):
        name: str
        following: NewEnd | None = None

    return Old, New
