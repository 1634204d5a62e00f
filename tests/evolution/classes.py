"""What kind of class it is, and of whom it inherits."""

from dataclasses import dataclass, field
from typing import Generic, NotRequired, TypeVar

from pydantic import BaseModel, FiniteFloat, RootModel
from pydantic.dataclasses import dataclass as pydantic_dataclass
from typing_extensions import TypedDict

from omniq_typed import SafeInt
from tests.evolution.pairs import Types, pair

T = TypeVar("T")


@pair("A model becomes a dataclass", backward="ok", forward="ok")
def model_to_dataclass() -> Types:
    class Old(BaseModel):
        name: str
        tags: list[str] = []

    @dataclass
    class New:
        name: str
        tags: list[str] = field(default_factory=list)

    return Old, New


@pair("A model becomes a TypedDict", backward="ok", forward="ok")
def model_to_typed_dict() -> Types:
    class Old(BaseModel):
        name: str
        count: int

    class New(TypedDict):
        name: str
        count: int

    return Old, New


@pair("A model with a default becomes a TypedDict without", backward="ok", forward="break")
def defaults_to_not_required() -> Types:
    class Old(BaseModel):
        name: str
        count: int

    class New(TypedDict):
        name: str
        count: NotRequired[int]

    return Old, New


@pair("A dataclass becomes one of Pydantic's", backward="ok", forward="ok")
def dataclass_to_pydantic() -> Types:
    @dataclass
    class Old:
        count: int

    @pydantic_dataclass
    class New:
        count: int

    return Old, New


@pair("A TypedDict gets a key that may be missing", backward="ok", forward="ok")
def key_added() -> Types:
    class Old(TypedDict):
        name: str

    class New(TypedDict):
        name: str
        note: NotRequired[str]

    return Old, New


@pair("A key that may be missing has to be there", backward="break", forward="ok")
def key_required() -> Types:
    class Old(TypedDict):
        name: str
        note: NotRequired[str]

    class New(TypedDict):
        name: str
        note: str

    return Old, New


@pair("A key may be missing", backward="ok", forward="break")
def key_not_required() -> Types:
    class Old(TypedDict):
        name: str
        note: str

    class New(TypedDict):
        name: str
        note: NotRequired[str]

    return Old, New


@pair("The argument of a generic class is widened", backward="ok", forward="break")
def generic_widened() -> Types:
    class Box(BaseModel, Generic[T]):
        content: T

    Old = Box[SafeInt]
    New = Box[FiniteFloat]
    return Old, New


@pair("A generic class is written out", backward="ok", forward="ok")
def generic_written_out() -> Types:
    class Box(BaseModel, Generic[T]):
        content: T

    class BoxOfInt(BaseModel):
        content: int

    Old = Box[int]
    New = BoxOfInt
    return Old, New


@pair("Fields move into a base class", backward="ok", forward="ok")
def base_class() -> Types:
    class NewEvent(BaseModel):
        id: str

    class Old(BaseModel):
        id: str
        name: str

    class New(NewEvent):
        name: str

    return Old, New


@pair("The base class gets a required field", backward="break", forward="ok")
def base_class_extended() -> Types:
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
def subclass_narrows() -> Types:
    class Event(BaseModel):
        id: int | str

    class NewNumbered(Event):
        id: int  # pyright: ignore[reportIncompatibleVariableOverride]

    Old = Event
    New = NewNumbered
    return Old, New


@pair("A root model becomes the list in it", backward="ok", forward="ok")
def root_model() -> Types:
    class Names(RootModel[list[str]]):
        pass

    Old = Names
    New = list[str]
    return Old, New
