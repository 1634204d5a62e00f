"""Classes within classes, and what kind of class it is."""

from dataclasses import dataclass, field
from typing import Generic, TypeVar

from pydantic import BaseModel, FiniteFloat, RootModel
from pydantic.dataclasses import dataclass as pydantic_dataclass
from typing_extensions import NotRequired, TypedDict

from omniq_typed import SafeInt
from tests.evolution.pairs import pair

T = TypeVar("T")


@pair("An inner class gets a required field", backward="break", forward="ok")
def inner_required_added():
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
def inner_optional_added():
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
def inner_renamed():
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
def fields_gathered():
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
def inner_optional():
    class Money(BaseModel):
        amount: int

    class Old(BaseModel):
        price: Money

    class New(BaseModel):
        price: Money | None = None

    return Old, New


class OldNode(BaseModel):
    value: SafeInt
    below: list["OldNode"]


class NodeWithNote(BaseModel):
    value: SafeInt
    note: str | None = None
    below: list["NodeWithNote"]


class NodeWithFloat(BaseModel):
    value: FiniteFloat
    below: list["NodeWithFloat"]


class NodeWithName(BaseModel):
    name: str
    value: SafeInt
    below: list["NodeWithName"]


@pair("A recursive class gets an optional field", backward="ok", forward="ok")
def recursive_extended():
    Old = OldNode
    New = NodeWithNote
    return Old, New


@pair("A value in a recursive class is widened", backward="ok", forward="break")
def recursive_widened():
    Old = OldNode
    New = NodeWithFloat
    return Old, New


@pair("A recursive class gets a required field", backward="break", forward="ok")
def recursive_required_added():
    Old = OldNode
    New = NodeWithName
    return Old, New


class OldChain(BaseModel):
    name: str
    following: "OldChain | None" = None


class LinkOfTwo(BaseModel):
    name: str
    following: "LinkOfTwoEnd | None" = None


class LinkOfTwoEnd(BaseModel):
    name: str
    following: None = None


@pair("A chain of any length is cut", backward="break", forward="ok")
def recursion_ended():
    Old = OldChain
    New = LinkOfTwo
    return Old, New


@pair("A model becomes a dataclass", backward="ok", forward="ok")
def model_to_dataclass():
    class Old(BaseModel):
        name: str
        tags: list[str] = []

    @dataclass
    class New:
        name: str
        tags: list[str] = field(default_factory=list)

    return Old, New


@pair("A model becomes a TypedDict", backward="ok", forward="ok")
def model_to_typed_dict():
    class Old(BaseModel):
        name: str
        count: int

    class New(TypedDict):
        name: str
        count: int

    return Old, New


@pair("A model with a default becomes a TypedDict without", backward="ok", forward="break")
def defaults_to_not_required():
    class Old(BaseModel):
        name: str
        count: int

    class New(TypedDict):
        name: str
        count: NotRequired[int]

    return Old, New


@pair("A dataclass becomes one of Pydantic's", backward="ok", forward="ok")
def dataclass_to_pydantic():
    @dataclass
    class Old:
        count: int

    @pydantic_dataclass
    class New:
        count: int

    return Old, New


@pair("A TypedDict gets a key that may be missing", backward="ok", forward="ok")
def key_added():
    class Old(TypedDict):
        name: str

    class New(TypedDict):
        name: str
        note: NotRequired[str]

    return Old, New


@pair("A key that may be missing has to be there", backward="break", forward="ok")
def key_required():
    class Old(TypedDict):
        name: str
        note: NotRequired[str]

    class New(TypedDict):
        name: str
        note: str

    return Old, New


@pair("A key may be missing", backward="ok", forward="break")
def key_not_required():
    class Old(TypedDict):
        name: str
        note: str

    class New(TypedDict):
        name: str
        note: NotRequired[str]

    return Old, New


@pair("The argument of a generic class is widened", backward="ok", forward="break")
def generic_widened():
    class Box(BaseModel, Generic[T]):
        content: T

    Old = Box[SafeInt]
    New = Box[FiniteFloat]
    return Old, New


@pair("A generic class is written out", backward="ok", forward="ok")
def generic_written_out():
    class Box(BaseModel, Generic[T]):
        content: T

    class BoxOfInt(BaseModel):
        content: int

    Old = Box[int]
    New = BoxOfInt
    return Old, New


@pair("Fields move into a base class", backward="ok", forward="ok")
def base_class():
    class NewEvent(BaseModel):
        id: str

    class Old(BaseModel):
        id: str
        name: str

    class New(NewEvent):
        name: str

    return Old, New


@pair("The base class gets a required field", backward="break", forward="ok")
def base_class_extended():
    class OldEvent(BaseModel):
        id: str

    class NewEvent(BaseModel):
        id: str
        source: str

    class Old(OldEvent):
        name: str

    class New(NewEvent):
        name: str

    return Old, New


@pair("A subclass narrows a field", backward="break", forward="ok")
def subclass_narrows():
    class Event(BaseModel):
        id: int | str

    class NewEvent(Event):
        id: int

    Old = Event
    New = NewEvent
    return Old, New


@pair("A root model becomes the list in it", backward="ok", forward="ok")
def root_model():
    class Names(RootModel[list[str]]):
        pass

    Old = Names
    New = list[str]
    return Old, New
