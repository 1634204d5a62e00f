"""Types made of types: nested, generic, recursive, inherited."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, Field

from omniq_typed import SafeInt
from tests.catalogue.amounts import Amount, MoneyDataclass, MoneyModel
from tests.catalogue.kinds import both, form, kind

QUEUE = "catalogue-nested"

T = TypeVar("T")


class LineModel(BaseModel):
    sku: str
    quantity: Annotated[int, Field(gt=0, le=10_000)]
    price: MoneyModel


class OrderModel(BaseModel):
    order_id: str
    lines: list[LineModel]
    total: MoneyModel | None = None


@dataclass
class LineDataclass:
    sku: str
    quantity: Annotated[int, Field(gt=0, le=10_000)]
    price: MoneyDataclass


@dataclass
class OrderDataclass:
    order_id: str
    lines: list[LineDataclass]
    total: MoneyDataclass | None = None


NESTED = kind(
    "nested",
    "Nested",
    "lines: list[LineModel]",
    form(
        "model",
        OrderModel,
        [
            OrderModel(
                order_id="ORD-1",
                lines=[
                    LineModel(sku="BK-0042", quantity=2, price=MoneyModel(amount=Decimal("19.90")))
                ],
            ),
            OrderModel(order_id="", lines=[], total=MoneyModel(amount=Decimal(0))),
            OrderModel(
                order_id="ORD-✓",
                lines=[
                    LineModel(sku=f"S-{n}", quantity=n, price=MoneyModel(amount=Decimal(n)))
                    for n in range(1, 30)
                ],
            ),
        ],
    ),
    form(
        "dataclass",
        OrderDataclass,
        [
            OrderDataclass(
                "ORD-1", [LineDataclass("BK-0042", 2, MoneyDataclass(Decimal("19.90")))]
            ),
            OrderDataclass("", [], MoneyDataclass(Decimal(0))),
            OrderDataclass(
                "ORD-✓",
                [LineDataclass(f"S-{n}", n, MoneyDataclass(Decimal(n))) for n in range(1, 30)],
            ),
        ],
    ),
    queue=QUEUE,
)


@dataclass
class Parcel:
    """A dataclass that models hold."""

    grams: SafeInt
    contents: list[LineModel] = field(default_factory=list)


class ShipmentModel(BaseModel):
    parcels: dict[str, Parcel]


LINE = LineModel(sku="BK-0042", quantity=1, price=MoneyModel(amount=Decimal("5.00")))

DATACLASS_IN_MODEL = kind(
    "dataclass_in_model",
    "Dataclass in a model in a dataclass",
    "parcels: dict[str, Parcel]",
    form(
        "model",
        ShipmentModel,
        [
            ShipmentModel(parcels={"P1": Parcel(250, [LINE])}),
            ShipmentModel(parcels={}),
            ShipmentModel(parcels={"": Parcel(0), "Ω": Parcel(2**53 - 1, [LINE, LINE])}),
        ],
    ),
    queue=QUEUE,
)


@dataclass
class ReturnedDataclass:
    refund: MoneyModel
    lines: list[LineModel] = field(default_factory=list)


MODEL_IN_DATACLASS = kind(
    "model_in_dataclass",
    "Model in a dataclass",
    "refund: MoneyModel",
    form(
        "dataclass",
        ReturnedDataclass,
        [
            ReturnedDataclass(MoneyModel(amount=Decimal("5.00")), [LINE]),
            ReturnedDataclass(MoneyModel(amount=Decimal(0), currency="")),
            ReturnedDataclass(MoneyModel(amount=Decimal("-1")), [LINE] * 20),
        ],
    ),
    queue=QUEUE,
)


class PageModel(BaseModel, Generic[T]):
    items: list[T]
    next_cursor: str | None = None


@dataclass
class PageDataclass(Generic[T]):
    items: list[T]
    next_cursor: str | None = None


MoneyPage = PageModel[MoneyModel]

GENERIC = kind(
    "generic",
    "Generic, of a type of one’s own",
    ("class PageModel(BaseModel, Generic[T]):", "MoneyPage = PageModel[MoneyModel]"),
    form(
        "generic model",
        MoneyPage,
        [
            MoneyPage(items=[MoneyModel(amount=Decimal("1.50"))], next_cursor="c2"),
            MoneyPage(items=[]),
            MoneyPage(items=[MoneyModel(amount=Decimal(n)) for n in range(25)]),
        ],
    ),
    form(
        "generic dataclass",
        PageDataclass[MoneyDataclass],
        [
            PageDataclass([MoneyDataclass(Decimal("1.50"))], "c2"),
            PageDataclass([]),
            PageDataclass([MoneyDataclass(Decimal(n)) for n in range(25)]),
        ],
    ),
    queue=QUEUE,
)


class FolderModel(BaseModel):
    name: str
    folders: list[FolderModel] = Field(default_factory=list)


@dataclass
class FolderDataclass:
    name: str
    folders: list[FolderDataclass] = field(default_factory=list)


def folder_model(depth: int) -> FolderModel:
    """A folder in a folder, `depth` deep."""
    return FolderModel(name=f"d{depth}", folders=[folder_model(depth - 1)] if depth else [])


def folder_dataclass(depth: int) -> FolderDataclass:
    """A folder in a folder, `depth` deep."""
    return FolderDataclass(f"d{depth}", [folder_dataclass(depth - 1)] if depth else [])


TREE = kind(
    "tree",
    "Recursive: a tree",
    "folders: list[FolderModel] = Field(default_factory=list)",
    form(
        "model",
        FolderModel,
        [
            FolderModel(name="home", folders=[FolderModel(name="ada"), FolderModel(name="bøb")]),
            FolderModel(name=""),
            folder_model(40),
        ],
    ),
    form(
        "dataclass",
        FolderDataclass,
        [
            FolderDataclass("home", [FolderDataclass("ada"), FolderDataclass("bøb")]),
            FolderDataclass(""),
            folder_dataclass(40),
        ],
    ),
    queue=QUEUE,
)


class StepModel(BaseModel):
    title: str
    then: StepModel | None = None


@dataclass
class StepDataclass:
    title: str
    then: StepDataclass | None = None


def steps(step: type[Any], *titles: str) -> Any:
    """A chain of steps of one form, the last one without a next."""
    head, *tail = titles
    return step(title=head, then=steps(step, *tail) if tail else None)


CHAINS = (("mix", "bake"), ("",), tuple(f"№ {n}" for n in range(60)))

LINKED_LIST = kind(
    "linked_list",
    "Recursive: a linked list",
    "then: StepModel | None = None",
    form("model", StepModel, [steps(StepModel, *chain) for chain in CHAINS]),
    form("dataclass", StepDataclass, [steps(StepDataclass, *chain) for chain in CHAINS]),
    queue=QUEUE,
)


class EventModel(BaseModel):
    event_id: str
    attempt: SafeInt = 1


class RefundedModel(EventModel):
    amount: Amount


@dataclass(kw_only=True)
class EventDataclass:
    event_id: str
    attempt: SafeInt = 1


@dataclass(kw_only=True)
class RefundedDataclass(EventDataclass):
    amount: Amount


INHERITED = kind(
    "inherited",
    "Inherited fields; keyword-only dataclass",
    ("class RefundedModel(EventModel):", "@dataclass(kw_only=True)"),
    *both(
        RefundedModel,
        RefundedDataclass,
        [
            {"event_id": "evt_1", "amount": Decimal("12.00")},
            {"event_id": "", "attempt": 0, "amount": Decimal(0)},
            {"event_id": "ævt", "attempt": 99, "amount": Decimal("-0.01")},
        ],
    ),
    queue=QUEUE,
)

KINDS = (
    NESTED,
    DATACLASS_IN_MODEL,
    MODEL_IN_DATACLASS,
    GENERIC,
    TREE,
    LINKED_LIST,
    INHERITED,
)
