"""One of several types: by a discriminator, in a field and at the root."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Discriminator, Field, Tag

from omniq_typed import SafeInt
from tests.catalogue.amounts import Amount
from tests.catalogue.kinds import both, form, kind

QUEUE = "catalogue-unions"


class CardModel(BaseModel):
    kind: Literal["card"] = "card"
    last4: str = Field(pattern="^[0-9]{4}$")


class TransferModel(BaseModel):
    kind: Literal["transfer"] = "transfer"
    iban: str = Field(min_length=15, max_length=34)


@dataclass(kw_only=True)
class CardDataclass:
    kind: Literal["card"] = "card"
    last4: Annotated[str, Field(pattern="^[0-9]{4}$")]


@dataclass(kw_only=True)
class TransferDataclass:
    kind: Literal["transfer"] = "transfer"
    iban: Annotated[str, Field(min_length=15, max_length=34)]


CardOrTransfer = Annotated[CardModel | TransferModel, Field(discriminator="kind")]
CardOrTransferData = Annotated[CardDataclass | TransferDataclass, Field(discriminator="kind")]


class CheckoutModel(BaseModel):
    amount: Amount
    method: CardOrTransfer


@dataclass
class CheckoutDataclass:
    amount: Amount
    method: CardOrTransferData


IBAN = "NO9386011117947"

FIELD_UNION = kind(
    "field_union",
    "Discriminated union in a field",
    "method: CardOrTransfer",
    form(
        "model",
        CheckoutModel,
        [
            CheckoutModel(amount=Decimal("99.00"), method=CardModel(last4="4242")),
            CheckoutModel(amount=Decimal(0), method=TransferModel(iban=IBAN)),
            CheckoutModel(amount=Decimal("0.01"), method=TransferModel(iban="Å" * 34)),
        ],
    ),
    form(
        "dataclass",
        CheckoutDataclass,
        [
            CheckoutDataclass(Decimal("99.00"), CardDataclass(last4="4242")),
            CheckoutDataclass(Decimal(0), TransferDataclass(iban=IBAN)),
            CheckoutDataclass(Decimal("0.01"), TransferDataclass(iban="Å" * 34)),
        ],
    ),
    queue=QUEUE,
)

ROOT_UNION = kind(
    "root_union",
    "Discriminated union at the root",
    'CardOrTransfer = Annotated[CardModel | TransferModel, Field(discriminator="kind")]',
    form(
        "union of models",
        CardOrTransfer,
        [CardModel(last4="4242"), TransferModel(iban=IBAN), CardModel(last4="0000")],
    ),
    form(
        "union of dataclasses",
        CardOrTransferData,
        [CardDataclass(last4="4242"), TransferDataclass(iban=IBAN), CardDataclass(last4="0000")],
    ),
    queue=QUEUE,
)


class CircleModel(BaseModel):
    type: Literal["circle"] = "circle"
    radius: SafeInt


class GroupModel(BaseModel):
    type: Literal["group"] = "group"
    shapes: list[ShapeModel] = Field(default_factory=list)


ShapeModel = Annotated[CircleModel | GroupModel, Field(discriminator="type")]


@dataclass(kw_only=True)
class CircleDataclass:
    type: Literal["circle"] = "circle"
    radius: SafeInt


@dataclass(kw_only=True)
class GroupDataclass:
    type: Literal["group"] = "group"
    shapes: list[ShapeDataclass] = field(default_factory=list)


ShapeDataclass = Annotated[CircleDataclass | GroupDataclass, Field(discriminator="type")]


class DrawingModel(BaseModel):
    layers: dict[str, list[ShapeModel]]


@dataclass
class DrawingDataclass:
    layers: dict[str, list[ShapeDataclass]]


NESTED_UNION = kind(
    "nested_union",
    "Recursive discriminated union in a dict of lists",
    "layers: dict[str, list[ShapeModel]]",
    form(
        "model",
        DrawingModel,
        [
            DrawingModel(layers={"a": [GroupModel(shapes=[CircleModel(radius=3)])]}),
            DrawingModel(layers={}),
            DrawingModel(layers={"a": [], "b": [CircleModel(radius=n) for n in range(9)]}),
        ],
    ),
    form(
        "dataclass",
        DrawingDataclass,
        [
            DrawingDataclass({"a": [GroupDataclass(shapes=[CircleDataclass(radius=3)])]}),
            DrawingDataclass({}),
            DrawingDataclass({"a": [], "b": [CircleDataclass(radius=n) for n in range(9)]}),
        ],
    ),
    queue=QUEUE,
)


class CreatedModel(BaseModel):
    kind: Literal["created"]
    version: Literal[1]


class CreatedAgainModel(BaseModel):
    kind: Literal["created"]
    version: Literal[2]
    source: str


@dataclass
class CreatedDataclass:
    kind: Literal["created"]
    version: Literal[1]


@dataclass
class CreatedAgainDataclass:
    kind: Literal["created"]
    version: Literal[2]
    source: str


def version_of(value: Any) -> str:
    """Of a JSON object or of an instance."""
    version = value.get("version") if isinstance(value, dict) else getattr(value, "version", None)
    return f"v{version}"


class AuditModel(BaseModel):
    entry: Annotated[
        Annotated[CreatedModel, Tag("v1")] | Annotated[CreatedAgainModel, Tag("v2")],
        Discriminator(version_of),
    ]


@dataclass
class AuditDataclass:
    entry: Annotated[
        Annotated[CreatedDataclass, Tag("v1")] | Annotated[CreatedAgainDataclass, Tag("v2")],
        Discriminator(version_of),
    ]


FUNCTION_UNION = kind(
    "function_union",
    "Union with a function as discriminator",
    'Annotated[CreatedModel, Tag("v1")] | Annotated[CreatedAgainModel, Tag("v2")]',
    form(
        "model",
        AuditModel,
        [
            AuditModel(entry=CreatedAgainModel(kind="created", version=2, source="web")),
            AuditModel(entry=CreatedModel(kind="created", version=1)),
            AuditModel(entry=CreatedAgainModel(kind="created", version=2, source="")),
        ],
    ),
    form(
        "dataclass",
        AuditDataclass,
        [
            AuditDataclass(CreatedAgainDataclass("created", 2, "web")),
            AuditDataclass(CreatedDataclass("created", 1)),
            AuditDataclass(CreatedAgainDataclass("created", 2, "")),
        ],
    ),
    queue=QUEUE,
)


class SettingModel(BaseModel):
    value: SafeInt | str | None


@dataclass
class SettingDataclass:
    value: SafeInt | str | None


SCALAR_UNION = kind(
    "scalar_union",
    "Union of an integer and a string",
    "value: SafeInt | str | None",
    *both(SettingModel, SettingDataclass, [{"value": "17"}, {"value": 17}, {"value": None}]),
    queue=QUEUE,
)

KINDS = (FIELD_UNION, ROOT_UNION, NESTED_UNION, FUNCTION_UNION, SCALAR_UNION)
