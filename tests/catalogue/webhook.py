"""A payload as a payment provider might send it: everything at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from ipaddress import IPv4Address
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, HttpUrl
from pydantic.alias_generators import to_camel

from omniq_typed import SafeInt
from tests.catalogue.amounts import Amount
from tests.catalogue.kinds import form, kind

QUEUE = "catalogue-webhook"

WIRE = ConfigDict(alias_generator=to_camel, populate_by_name=True)
Currency = Annotated[str, Field(pattern="^[A-Z]{3}$")]
EventId = Annotated[str, Field(pattern="^evt_[0-9a-zA-Z]{8,32}$")]


class Mode(StrEnum):
    LIVE = "live"
    TEST = "test"


class PayerModel(BaseModel):
    model_config = WIRE
    customer_id: UUID
    full_name: str = Field(min_length=1, max_length=200)
    born_on: date | None = None
    last_ip: IPv4Address | None = None


class ItemModel(BaseModel):
    model_config = WIRE
    sku: str
    unit_price: Amount
    quantity: SafeInt = Field(gt=0)
    tags: list[str] = Field(default_factory=list)


class PaidModel(BaseModel):
    model_config = WIRE
    type: Literal["payment.paid"] = "payment.paid"
    total: Amount
    currency: Currency
    items: list[ItemModel]
    payer: PayerModel


class DisputedModel(BaseModel):
    model_config = WIRE
    type: Literal["payment.disputed"] = "payment.disputed"
    reason: Literal["fraud", "duplicate", "other"]
    evidence_due: AwareDatetime
    evidence: dict[str, HttpUrl] = Field(default_factory=dict)


class DeliveryModel(BaseModel):
    model_config = WIRE
    event_id: EventId
    created_at: AwareDatetime
    mode: Mode = Mode.LIVE
    attempt: Annotated[int, Field(ge=1, le=25)] = 1
    data: Annotated[PaidModel | DisputedModel, Field(discriminator="type")]
    metadata: dict[str, str | SafeInt | None] = Field(default_factory=dict)


@dataclass(kw_only=True)
class PayerDataclass:
    __pydantic_config__ = WIRE
    customer_id: UUID
    full_name: Annotated[str, Field(min_length=1, max_length=200)]
    born_on: date | None = None
    last_ip: IPv4Address | None = None


@dataclass(kw_only=True)
class ItemDataclass:
    __pydantic_config__ = WIRE
    sku: str
    unit_price: Amount
    quantity: Annotated[SafeInt, Field(gt=0)]
    tags: list[str] = field(default_factory=list)


@dataclass(kw_only=True)
class PaidDataclass:
    __pydantic_config__ = WIRE
    type: Literal["payment.paid"] = "payment.paid"
    total: Amount
    currency: Currency
    items: list[ItemDataclass]
    payer: PayerDataclass


@dataclass(kw_only=True)
class DisputedDataclass:
    __pydantic_config__ = WIRE
    type: Literal["payment.disputed"] = "payment.disputed"
    reason: Literal["fraud", "duplicate", "other"]
    evidence_due: AwareDatetime
    evidence: dict[str, HttpUrl] = field(default_factory=dict)


@dataclass(kw_only=True)
class DeliveryDataclass:
    __pydantic_config__ = WIRE
    event_id: EventId
    created_at: AwareDatetime
    mode: Mode = Mode.LIVE
    attempt: Annotated[int, Field(ge=1, le=25)] = 1
    data: Annotated[PaidDataclass | DisputedDataclass, Field(discriminator="type")]
    metadata: dict[str, str | SafeInt | None] = field(default_factory=dict)


def paid(payer: type[Any], item: type[Any], body: type[Any], delivery: type[Any]) -> Any:
    """A payment with two items, of the classes of one form."""
    ada = payer(
        customer_id=UUID("0190163d-8694-739b-aea5-966c26f8ad91"),
        full_name="Ada Lovelace",
        born_on=date(1815, 12, 10),
        last_ip=IPv4Address("192.0.2.17"),
    )
    items = [
        item(sku="BK-0042", unit_price=Decimal("19.90"), quantity=2, tags=["book", "größe:L"]),
        item(sku="GIFT", unit_price=Decimal("0.00"), quantity=1),
    ]
    return delivery(
        event_id="evt_1Nq5x8K2",
        created_at=datetime(2024, 6, 1, 12, 30, tzinfo=UTC),
        data=body(total=Decimal("39.80"), currency="EUR", items=items, payer=ada),
        metadata={"campaign": "sommer ☀", "visits": 3, "referrer": None},
    )


def disputed(body: type[Any], delivery: type[Any], evidence: dict[str, HttpUrl]) -> Any:
    """A dispute, of the classes of one form."""
    return delivery(
        event_id="evt_ZZZZZZZZZZZZZZZZ",
        created_at=datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        mode=Mode.TEST,
        attempt=25,
        data=body(reason="fraud", evidence_due=datetime(1, 1, 1, tzinfo=UTC), evidence=evidence),
    )


PROOFS = {"receipt": HttpUrl("https://example.com/r/17.pdf"), "": HttpUrl("http://[::1]/")}

WEBHOOK = kind(
    "webhook",
    "A webhook’s payload: all of it together",
    'data: Annotated[PaidModel | DisputedModel, Field(discriminator="type")]',
    form(
        "model",
        DeliveryModel,
        [
            disputed(DisputedModel, DeliveryModel, {}),
            paid(PayerModel, ItemModel, PaidModel, DeliveryModel),
            disputed(DisputedModel, DeliveryModel, PROOFS),
        ],
    ),
    form(
        "dataclass",
        DeliveryDataclass,
        [
            disputed(DisputedDataclass, DeliveryDataclass, {}),
            paid(PayerDataclass, ItemDataclass, PaidDataclass, DeliveryDataclass),
            disputed(DisputedDataclass, DeliveryDataclass, PROOFS),
        ],
    ),
    queue=QUEUE,
)

KINDS = (WEBHOOK,)
