"""What has no class of its own: TypedDicts, root models, plain containers, and JSON itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, NotRequired

from pydantic import AwareDatetime, BaseModel, Field, RootModel
from typing_extensions import TypedDict

from omniq_typed import SafeInt
from tests.catalogue.kinds import both, form, kind

QUEUE = "catalogue-documents"


class Movie(TypedDict):
    title: str
    year: NotRequired[SafeInt]


TYPED_DICT = kind(
    "typed_dict",
    "TypedDict with NotRequired",
    ("class Movie(TypedDict):", "year: NotRequired[SafeInt]"),
    form(
        "TypedDict",
        Movie,
        [
            Movie(title="Persona", year=1966),
            Movie(title=""),
            Movie(title="七人の侍", year=-(2**53 - 1)),
        ],
    ),
    queue=QUEUE,
)


class Filters(TypedDict, total=False):
    genres: list[str]
    since: date | None


class Search(TypedDict):
    filters: Filters
    hits: dict[str, Movie]


NESTED_TYPED_DICT = kind(
    "nested_typed_dict",
    "TypedDicts in a TypedDict, one not total",
    ("class Filters(TypedDict, total=False):", "hits: dict[str, Movie]"),
    form(
        "TypedDict",
        Search,
        [
            Search(filters={"genres": ["drama"]}, hits={"m1": {"title": "Persona"}}),
            Search(filters={}, hits={}),
            Search(filters={"genres": [], "since": None}, hits={}),
            Search(filters={"since": date(1966, 8, 31)}, hits={"": {"title": "", "year": 0}}),
        ],
    ),
    queue=QUEUE,
)


class ShelfModel(BaseModel):
    best: Movie


@dataclass
class ShelfDataclass:
    best: Movie


TYPED_DICT_FIELD = kind(
    "typed_dict_field",
    "TypedDict in a field",
    "best: Movie",
    *both(
        ShelfModel,
        ShelfDataclass,
        [
            {"best": Movie(title="Persona", year=1966)},
            {"best": Movie(title="")},
            {"best": Movie(title="Amélie", year=2001)},
        ],
    ),
    queue=QUEUE,
)


class Reading(BaseModel):
    at: AwareDatetime
    watts: SafeInt


class Readings(RootModel[list[Reading]]):
    """A JSON array."""


ROOT_LIST = kind(
    "root_list",
    "Root model: a list",
    "class Readings(RootModel[list[Reading]]):",
    form(
        "root model",
        Readings,
        [
            Readings.model_validate([{"at": "2024-06-01T12:00:00+02:00", "watts": 415}]),
            Readings([]),
            Readings.model_validate([{"at": "1999-12-31T23:59:59Z", "watts": n} for n in range(9)]),
        ],
    ),
    queue=QUEUE,
)


class Translations(RootModel[dict[str, str]]):
    """A JSON object with keys that nobody knows beforehand."""


ROOT_DICT = kind(
    "root_dict",
    "Root model: a dict",
    "class Translations(RootModel[dict[str, str]]):",
    form(
        "root model",
        Translations,
        [Translations({"de": "Grüße", "ja": "挨拶"}), Translations({}), Translations({"": ""})],
    ),
    queue=QUEUE,
)

ReadingList = list[Reading]

PLAIN_LIST = kind(
    "plain_list",
    "A list of models, without a class around it",
    "ReadingList = list[Reading]",
    form(
        "plain type",
        ReadingList,
        [
            Readings.model_validate([{"at": "2024-06-01T12:00:00Z", "watts": 9}]).root,
            [],
            Readings.model_validate([{"at": "2024-06-01T12:00:00Z", "watts": 0}] * 30).root,
        ],
    ),
    queue=QUEUE,
)


class WrappedModel(BaseModel):
    source: str
    data: Any = Field(default=None)


@dataclass
class WrappedDataclass:
    source: str
    data: Any = None


ANYTHING = kind(
    "anything",
    "Any (nothing in it is checked)",
    "data: Any = Field(default=None)",
    *both(
        WrappedModel,
        WrappedDataclass,
        [
            {"source": "legacy", "data": {"n": 1, "tags": ["a", None, 1.5]}},
            {"source": ""},
            {"source": "ü", "data": [[], {}, "", True]},
        ],
    ),
    queue=QUEUE,
    portable=False,
)

KINDS = (
    TYPED_DICT,
    NESTED_TYPED_DICT,
    TYPED_DICT_FIELD,
    ROOT_LIST,
    ROOT_DICT,
    PLAIN_LIST,
    ANYTHING,
)
