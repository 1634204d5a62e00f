"""Values out of a few, and unions."""

from enum import Enum, IntEnum
from typing import Annotated, Literal

from pydantic import BaseModel, Discriminator, Field

from tests.evolution.pairs import Types, pair


@pair("An enum gets a member", backward="ok", forward="break")
def member_added() -> Types:
    class OldColor(Enum):
        RED = "red"

    class NewColor(Enum):
        RED = "red"
        BLUE = "blue"

    class Old(BaseModel):
        color: OldColor

    class New(BaseModel):
        color: NewColor

    return Old, New


@pair("An enum loses a member", backward="break", forward="ok")
def member_removed() -> Types:
    class OldSize(IntEnum):
        SMALL = 1
        LARGE = 2

    class NewSize(IntEnum):
        SMALL = 1

    class Old(BaseModel):
        size: OldSize

    class New(BaseModel):
        size: NewSize

    return Old, New


@pair("A member of an enum gets another name", backward="ok", forward="ok")
def member_renamed() -> Types:
    class OldColor(Enum):
        RED = "red"

    class NewColor(Enum):
        CRIMSON = "red"

    class Old(BaseModel):
        color: OldColor

    class New(BaseModel):
        color: NewColor

    return Old, New


@pair("A member of an enum gets another value", backward="break", forward="break")
def value_changed() -> Types:
    class OldColor(Enum):
        RED = "red"

    class NewColor(Enum):
        RED = "RED"

    class Old(BaseModel):
        color: OldColor

    class New(BaseModel):
        color: NewColor

    return Old, New


@pair("A Literal gets a value", backward="ok", forward="break")
def literal_widened() -> Types:
    class Old(BaseModel):
        state: Literal["new"]

    class New(BaseModel):
        state: Literal["new", "paid"]

    return Old, New


@pair("A Literal becomes an Enum of the same values", backward="ok", forward="ok")
def literal_to_enum() -> Types:
    class NewState(Enum):
        NEW = "new"
        PAID = "paid"

    class Old(BaseModel):
        state: Literal["new", "paid"]

    class New(BaseModel):
        state: NewState

    return Old, New


@pair("A Literal becomes str", backward="ok", forward="break")
def literal_to_str() -> Types:
    class Old(BaseModel):
        state: Literal["new", "paid"]

    class New(BaseModel):
        state: str

    return Old, New


@pair("str becomes an Enum", backward="break", forward="ok")
def str_to_enum() -> Types:
    class NewColor(Enum):
        RED = "red"
        BLUE = "blue"

    class Old(BaseModel):
        color: str

    class New(BaseModel):
        color: NewColor

    return Old, New


@pair("A Literal of numbers becomes int", backward="ok", forward="break")
def literal_to_int() -> Types:
    class Old(BaseModel):
        level: Literal[1, 2]

    class New(BaseModel):
        level: int

    return Old, New


@pair("A constant changes", backward="break", forward="break")
def constant_changed() -> Types:
    class Old(BaseModel):
        schema_version: Literal[1]

    class New(BaseModel):
        schema_version: Literal[2]

    return Old, New


class Card(BaseModel):
    kind: Literal["card"] = "card"
    number: str


class Cash(BaseModel):
    kind: Literal["cash"] = "cash"


class Voucher(BaseModel):
    kind: Literal["voucher"] = "voucher"
    code: str


@pair("A tagged union gets a choice", backward="ok", forward="break")
def choice_added() -> Types:
    class Old(BaseModel):
        paid_by: Annotated[Card | Cash, Field(discriminator="kind")]

    class New(BaseModel):
        paid_by: Annotated[Card | Cash | Voucher, Field(discriminator="kind")]

    return Old, New


@pair("A tagged union loses a choice", backward="break", forward="ok")
def choice_removed() -> Types:
    class Old(BaseModel):
        paid_by: Annotated[Card | Cash | Voucher, Field(discriminator="kind")]

    class New(BaseModel):
        paid_by: Annotated[Card | Cash, Field(discriminator="kind")]

    return Old, New


@pair("A class becomes a union with others", backward="ok", forward="break")
def class_to_union() -> Types:
    class Old(BaseModel):
        paid_by: Card

    class New(BaseModel):
        paid_by: Annotated[Card | Cash, Field(discriminator="kind")]

    return Old, New


@pair("A union gets a tag that was always there", backward="ok", forward="ok")
def union_tagged() -> Types:
    class Old(BaseModel):
        paid_by: Card | Cash

    class New(BaseModel):
        paid_by: Annotated[Card | Cash, Field(discriminator="kind")]

    return Old, New


@pair("The choices of a union change places", backward="ok", forward="ok")
def choices_reordered() -> Types:
    class Old(BaseModel):
        value: int | str

    class New(BaseModel):
        value: str | int

    return Old, New


@pair("A choice of a union is widened", backward="ok", forward="break")
def choice_widened() -> Types:
    class Old(BaseModel):
        value: Annotated[int, Field(ge=0)] | str

    class New(BaseModel):
        value: int | str

    return Old, New


@pair("The tag of a choice changes", backward="break", forward="break")
def tag_changed() -> Types:
    class OldCard(BaseModel):
        kind: Literal["card"] = "card"

    class NewCard(BaseModel):
        kind: Literal["creditcard"] = "creditcard"

    class Old(BaseModel):
        paid_by: Annotated[OldCard | Cash, Field(discriminator="kind")]

    class New(BaseModel):
        paid_by: Annotated[NewCard | Cash, Field(discriminator="kind")]

    return Old, New


@pair("A choice gets an optional field", backward="ok", forward="ok")
def choice_extended() -> Types:
    class OldTransfer(BaseModel):
        kind: Literal["transfer"] = "transfer"
        iban: str

    class NewTransfer(BaseModel):
        kind: Literal["transfer"] = "transfer"
        iban: str
        note: str | None = None

    class Old(BaseModel):
        paid_by: Annotated[OldTransfer | Cash, Field(discriminator="kind")]

    class New(BaseModel):
        paid_by: Annotated[NewTransfer | Cash, Field(discriminator="kind")]

    return Old, New


@pair("A union at the top gets a choice", backward="ok", forward="break")
def top_choice_added() -> Types:
    Old = Annotated[Card | Cash, Field(discriminator="kind")]
    New = Annotated[Card | Cash | Voucher, Field(discriminator="kind")]
    return Old, New


@pair("A union of unions is written flat", backward="ok", forward="ok")
def unions_flattened() -> Types:
    class Old(BaseModel):
        value: (int | str) | (bool | None)

    class New(BaseModel):
        value: bool | int | str | None

    return Old, New


@pair("A function tells the choices apart", backward="unknown", forward="ok")
def told_by_function() -> Types:
    def which(value: object) -> str:
        return "card" if "number" in str(value) else "cash"

    from pydantic import Tag

    class Old(BaseModel):
        paid_by: Card | Cash

    class New(BaseModel):
        paid_by: Annotated[
            Annotated[Card, Tag("card")] | Annotated[Cash, Tag("cash")], Discriminator(which)
        ]

    return Old, New
