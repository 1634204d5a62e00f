"""Dicts, lists, sets and tuples."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, NamedTuple
from uuid import UUID

from pydantic import BaseModel, Field, FiniteFloat

from omniq_typed import SafeInt
from tests.catalogue.choices import Priority, Status
from tests.catalogue.kinds import both, kind

QUEUE = "catalogue-containers"


class IndexModel(BaseModel):
    pages: dict[str, list[SafeInt]]


@dataclass
class IndexDataclass:
    pages: dict[str, list[SafeInt]]


DICT_OF_LISTS = kind(
    "dict_of_lists",
    "Dict of lists",
    "pages: dict[str, list[SafeInt]]",
    *both(
        IndexModel,
        IndexDataclass,
        [
            {"pages": {"Ada": [3, 17], "日本": []}},
            {"pages": {}},
            {"pages": {"": [0], "a/b~c": [1, 2], "\n": list(range(100))}},
        ],
    ),
    queue=QUEUE,
)


class LedgerModel(BaseModel):
    by_account: dict[UUID, FiniteFloat]
    by_day: dict[date, SafeInt]
    by_status: dict[Status, bool]


@dataclass
class LedgerDataclass:
    by_account: dict[UUID, FiniteFloat]
    by_day: dict[date, SafeInt]
    by_status: dict[Status, bool]


DICT_KEYS = kind(
    "dict_keys",
    "Dicts with typed keys",
    "by_account: dict[UUID, FiniteFloat]",
    *both(
        LedgerModel,
        LedgerDataclass,
        [
            {
                "by_account": {UUID(int=7): 12.5},
                "by_day": {date(2024, 12, 24): 3},
                "by_status": {},
            },
            {"by_account": {}, "by_day": {}, "by_status": {}},
            {
                "by_account": {UUID(int=n): float(n) for n in range(20)},
                "by_day": {date.min: 0, date.max: -1},
                "by_status": dict.fromkeys(Status, False),
            },
        ],
    ),
    queue=QUEUE,
)


class MatrixModel(BaseModel):
    rows: list[list[FiniteFloat]] = Field(max_length=50)
    labels: Annotated[list[str], Field(min_length=1, max_length=3)]


@dataclass
class MatrixDataclass:
    rows: Annotated[list[list[FiniteFloat]], Field(max_length=50)]
    labels: Annotated[list[str], Field(min_length=1, max_length=3)]


LISTS = kind(
    "lists",
    "Lists in lists, bounded",
    "rows: list[list[FiniteFloat]] = Field(max_length=50)",
    *both(
        MatrixModel,
        MatrixDataclass,
        [
            {"rows": [[1.0, 0.0], [0.0, 1.0]], "labels": ["x", "y"]},
            {"rows": [], "labels": [""]},
            {"rows": [[]] * 50, "labels": ["ä", "Ж", "軸"]},
        ],
    ),
    queue=QUEUE,
)


class TagsModel(BaseModel):
    ports: set[SafeInt]
    tags: frozenset[str] = frozenset()


@dataclass
class TagsDataclass:
    ports: set[SafeInt]
    tags: frozenset[str] = frozenset()


SETS = kind(
    "sets",
    "Sets and frozensets",
    ("ports: set[SafeInt]", "tags: frozenset[str] = frozenset()"),
    *both(
        TagsModel,
        TagsDataclass,
        [
            {"ports": {80, 443}, "tags": frozenset({"prod"})},
            {"ports": set()},
            {"ports": set(range(40)), "tags": frozenset({"", "å", "a b"})},
        ],
    ),
    queue=QUEUE,
)


class PointModel(BaseModel):
    at: tuple[FiniteFloat, FiniteFloat]
    path: tuple[SafeInt, ...] = ()
    mark: tuple[str, SafeInt, bool] = ("start", 0, True)


@dataclass
class PointDataclass:
    at: tuple[FiniteFloat, FiniteFloat]
    path: tuple[SafeInt, ...] = ()
    mark: tuple[str, SafeInt, bool] = ("start", 0, True)


TUPLES = kind(
    "tuples",
    "Tuples",
    ("at: tuple[FiniteFloat, FiniteFloat]", "path: tuple[SafeInt, ...] = ()"),
    *both(
        PointModel,
        PointDataclass,
        [
            {"at": (59.91, 10.75), "path": (1, 2)},
            {"at": (0.0, -0.0)},
            {"at": (90.0, 180.0), "path": tuple(range(200)), "mark": ("終", -1, False)},
        ],
    ),
    queue=QUEUE,
)


class Span(NamedTuple):
    """A JSON array on the wire."""

    begin: SafeInt
    end: SafeInt
    level: Priority = Priority.LOW


class HighlightModel(BaseModel):
    spans: list[Span]


@dataclass
class HighlightDataclass:
    spans: list[Span]


NAMED_TUPLE = kind(
    "named_tuple",
    "NamedTuple",
    "class Span(NamedTuple):",
    *both(
        HighlightModel,
        HighlightDataclass,
        [
            {"spans": [Span(0, 5), Span(7, 9, Priority.HIGH)]},
            {"spans": []},
            {"spans": [Span(-(2**53 - 1), 2**53 - 1)]},
        ],
    ),
    queue=QUEUE,
)


class BasketModel(BaseModel):
    items: list[str] = Field(default_factory=list)
    counts: dict[str, SafeInt] = Field(default_factory=dict)
    labels: set[str] = Field(default_factory=lambda: {"new"})


@dataclass
class BasketDataclass:
    items: list[str] = field(default_factory=list)
    counts: dict[str, SafeInt] = field(default_factory=dict)
    labels: set[str] = field(default_factory=lambda: {"new"})


DEFAULT_FACTORIES = kind(
    "default_factories",
    "Default factories",
    "items: list[str] = field(default_factory=list)",
    *both(
        BasketModel,
        BasketDataclass,
        [
            {"items": ["BK-0042"], "counts": {"BK-0042": 2}},
            {},
            {"items": ["", "ø"], "labels": set()},
        ],
    ),
    queue=QUEUE,
)

KINDS = (DICT_OF_LISTS, DICT_KEYS, LISTS, SETS, TUPLES, NAMED_TUPLE, DEFAULT_FACTORIES)
