"""Lists, tuples, sets and mappings."""

from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, Field, FiniteFloat

from omniq_typed import SafeInt
from tests.evolution.pairs import Types, pair


@pair("The items of a list are widened", backward="ok", forward="break")
def items_widened() -> Types:
    class Old(BaseModel):
        sizes: list[SafeInt]

    class New(BaseModel):
        sizes: list[FiniteFloat]

    return Old, New


@pair("The items of a list may be null", backward="ok", forward="break")
def items_nullable() -> Types:
    class Old(BaseModel):
        names: list[str]

    class New(BaseModel):
        names: list[str | None]

    return Old, New


@pair("One becomes a list of many", backward="break", forward="break")
def one_to_many() -> Types:
    class Old(BaseModel):
        tag: str

    class New(BaseModel):
        tag: list[str]

    return Old, New


@pair("One becomes one or a list of many", backward="ok", forward="break")
def one_or_many() -> Types:
    class Old(BaseModel):
        tag: str

    class New(BaseModel):
        tag: str | list[str]

    return Old, New


@pair("A list may have fewer items", backward="break", forward="ok")
def list_shortened() -> Types:
    class Old(BaseModel):
        tags: list[str]

    class New(BaseModel):
        tags: Annotated[list[str], Field(max_length=3)]

    return Old, New


@pair("A list may be empty", backward="ok", forward="break")
def list_may_be_empty() -> Types:
    class Old(BaseModel):
        tags: Annotated[list[str], Field(min_length=1)]

    class New(BaseModel):
        tags: list[str]

    return Old, New


@pair("list becomes set (what was there twice is there once)", backward="ok", forward="ok")
def list_to_set() -> Types:
    class Old(BaseModel):
        tags: list[str]

    class New(BaseModel):
        tags: set[str]

    return Old, New


@pair("list becomes a set of at least two", backward="break", forward="ok")
def list_to_bounded_set() -> Types:
    class Old(BaseModel):
        tags: Annotated[list[str], Field(min_length=2)]

    class New(BaseModel):
        tags: Annotated[set[str], Field(min_length=2)]

    return Old, New


@pair("set becomes frozenset", backward="ok", forward="ok")
def set_to_frozenset() -> Types:
    class Old(BaseModel):
        tags: set[int]

    class New(BaseModel):
        tags: frozenset[int]

    return Old, New


@pair("list becomes a tuple of any length", backward="ok", forward="ok")
def list_to_tuple() -> Types:
    class Old(BaseModel):
        sizes: list[int]

    class New(BaseModel):
        sizes: tuple[int, ...]

    return Old, New


@pair("list becomes a pair", backward="break", forward="ok")
def list_to_pair() -> Types:
    class Old(BaseModel):
        at: list[int]

    class New(BaseModel):
        at: tuple[int, int]

    return Old, New


@pair("A tuple gets an item", backward="break", forward="break")
def tuple_extended() -> Types:
    class Old(BaseModel):
        at: tuple[int, int]

    class New(BaseModel):
        at: tuple[int, int, int]

    return Old, New


@pair("An item of a tuple is widened", backward="ok", forward="break")
def tuple_item_widened() -> Types:
    class Old(BaseModel):
        at: tuple[str, int]

    class New(BaseModel):
        at: tuple[str, int | None]

    return Old, New


@pair("A named tuple gets an item with a default", backward="ok", forward="break")
def named_tuple_extended() -> Types:
    class OldPoint(NamedTuple):
        x: int
        y: int

    class NewPoint(NamedTuple):
        x: int
        y: int
        z: int = 0

    class Old(BaseModel):
        at: OldPoint

    class New(BaseModel):
        at: NewPoint

    return Old, New


@pair("The values of a mapping are widened", backward="ok", forward="break")
def values_widened() -> Types:
    class Old(BaseModel):
        prices: dict[str, SafeInt]

    class New(BaseModel):
        prices: dict[str, SafeInt | None]

    return Old, New


@pair("The keys of a mapping become a few", backward="break", forward="ok")
def keys_narrowed() -> Types:
    class Old(BaseModel):
        prices: dict[str, int]

    class New(BaseModel):
        prices: dict[Literal["new", "used"], int]

    return Old, New


@pair("Keys that are numbers become texts", backward="ok", forward="break")
def keys_to_str() -> Types:
    class Old(BaseModel):
        names: dict[int, str]

    class New(BaseModel):
        names: dict[str, str]

    return Old, New


@pair("The keys of a mapping get a pattern", backward="break", forward="ok")
def keys_get_pattern() -> Types:
    class Old(BaseModel):
        prices: dict[str, int]

    class New(BaseModel):
        prices: dict[Annotated[str, Field(pattern="^[a-z]+$")], int]

    return Old, New


@pair("A mapping becomes a model", backward="break", forward="ok")
def mapping_to_model() -> Types:
    class Sizes(BaseModel):
        width: int
        height: int

    class Old(BaseModel):
        sizes: dict[str, int]

    class New(BaseModel):
        sizes: Sizes

    return Old, New


@pair("A model becomes a mapping", backward="break", forward="break")
def model_to_mapping() -> Types:
    class Label(BaseModel):
        text: str
        count: int

    class Old(BaseModel):
        label: Label

    class New(BaseModel):
        label: dict[str, str]

    return Old, New


@pair("A mapping has a size at the most", backward="break", forward="ok")
def mapping_bounded() -> Types:
    class Old(BaseModel):
        labels: dict[str, str]

    class New(BaseModel):
        labels: Annotated[dict[str, str], Field(max_length=2)]

    return Old, New


@pair("A list at the top gets wider items", backward="ok", forward="break")
def top_list_widened() -> Types:
    Old = list[int]
    New = list[int | None]
    return Old, New


@pair("A list at the top becomes an object", backward="break", forward="break")
def list_to_object() -> Types:
    class Batch(BaseModel):
        items: list[int]

    Old = list[int]
    New = Batch
    return Old, New
