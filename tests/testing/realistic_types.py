"""Types as programs have them: one form of each kind of the catalogue, and some with more rules in
one place."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from ipaddress import IPv4Network
from typing import Annotated, Any, Generic, Literal, NamedTuple, NotRequired, TypeVar

from annotated_types import MultipleOf
from pydantic import (
    UUID4,
    UUID7,
    AfterValidator,
    AwareDatetime,
    Base64Bytes,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    HttpUrl,
    RootModel,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.dataclasses import dataclass as pydantic_dataclass
from typing_extensions import TypedDict

from omniq_typed import MessageType, Registry, SafeInt, message, message_type
from tests.catalogue import CATALOGUE

REGISTRY = Registry(strict_types=True)

T = TypeVar("T")

Money = Annotated[Decimal, Field(ge=0, max_digits=10, decimal_places=2)]
Sku = Annotated[str, Field(pattern="^[A-Z]{2}-[0-9]{4}$")]
Iban = Annotated[str, Field(pattern="^[A-Z]{2}[0-9]{2}[A-Z0-9]+$", min_length=15, max_length=34)]
Port = Annotated[int, Field(ge=1, le=65_535)]


@message("types.signed_up", registry=REGISTRY)
class SignedUp(BaseModel):
    model_config = ConfigDict(extra="forbid")
    user: str = Field(pattern="^[a-z][a-z0-9_]{2,19}$")
    email: str = Field(pattern=r"^[a-z0-9.]+@[a-z0-9]+\.(?:com|org|no)$", max_length=40)
    age: int = Field(ge=13, le=130)
    terms: Literal[True]
    referrer: HttpUrl | None = None


@message("types.transfer", registry=REGISTRY)
class Transfer(BaseModel):
    transfer_id: UUID4
    debtor: Iban
    creditor: Iban
    amount: Annotated[Decimal, Field(gt=0, le=Decimal("999999.99"), decimal_places=2)]
    currency: Literal["EUR", "NOK", "SEK"]
    booked_at: AwareDatetime
    reference: Annotated[str, StringConstraints(min_length=1, max_length=35)]


class Reading(NamedTuple):
    """At a time in ms, in degrees; how good it is in per cent."""

    at_ms: SafeInt
    celsius: Annotated[FiniteFloat, Field(ge=-90, le=60)]
    quality: Annotated[int, Field(ge=0, le=100, multiple_of=5)] = 100


@message("types.measured", registry=REGISTRY)
@dataclass(frozen=True, slots=True)
class Measured:
    sensor: Annotated[str, Field(pattern="^s-[0-9a-f]{8}$")]
    readings: Annotated[list[Reading], Field(min_length=1, max_length=20)]
    signature: Base64Bytes


@message("types.coupon", registry=REGISTRY)
class Coupon(BaseModel):
    code: Annotated[str, StringConstraints(pattern="^[A-Z0-9]{6,10}$", to_upper=True)]
    discount: Annotated[Decimal, MultipleOf(Decimal("0.05")), Field(ge=0, le=1)]
    tiers: Annotated[dict[Literal["gold", "silver"], Money], Field(min_length=1)]


@message("types.booked", registry=REGISTRY)
class Booked(BaseModel):
    room: Annotated[str, Field(min_length=1, max_length=8)]
    first_night: date
    last_night: date

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Booked:
        if self.last_night < self.first_night:
            raise ValueError("ends before it begins")
        return self


@message("types.scheduled", registry=REGISTRY)
class Scheduled(BaseModel):
    least: SafeInt
    most: SafeInt

    @field_validator("most")
    @classmethod
    def _in_order(cls, most: int, info: ValidationInfo) -> int:
        if most < info.data.get("least", most):
            raise ValueError("less than the least")
        return most


@message("types.org_chart", registry=REGISTRY)
class Person(BaseModel):
    name: str = Field(min_length=1)
    reports: dict[str, Person] = Field(default_factory=dict)
    deputy: Person | None = None


class Number(BaseModel):
    op: Literal["number"] = "number"
    value: FiniteFloat


class Sum(BaseModel):
    op: Literal["sum"] = "sum"
    terms: Annotated[list[Expression], Field(min_length=2, max_length=3)]


class Negated(BaseModel):
    op: Literal["negated"] = "negated"
    inner: Expression


Expression = Annotated[Number | Sum | Negated, Field(discriminator="op")]
message_type(Expression, name="types.expression", registry=REGISTRY)


class Page(BaseModel, Generic[T]):
    items: Annotated[list[T], Field(max_length=5)]
    total: Annotated[int, Field(ge=0, le=10**6)]


@dataclass(kw_only=True)
class OrderLine:
    sku: Sku
    quantity: Annotated[int, Field(gt=0, le=999)]
    price: Money


message_type(Page[OrderLine], name="types.page_of_lines", registry=REGISTRY)


class Limits(TypedDict, total=False):
    burst: Annotated[int, Field(ge=1, le=100)]
    per_minute: Annotated[int, Field(ge=1, le=10_000)]


@message("types.configured", registry=REGISTRY)
class Configured(TypedDict):
    tenant: Annotated[str, Field(pattern="^t[0-9]+$")]
    limits: Limits
    features: NotRequired[list[Annotated[str, Field(min_length=2)]]]


class Action(StrEnum):
    ALLOW = "allow"
    DENY = "deny"
    LOG = "log"


@message("types.firewall_rule", registry=REGISTRY)
@pydantic_dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class FirewallRule:
    source: IPv4Network
    ports: Annotated[frozenset[Port], Field(min_length=1, max_length=8)]
    actions: Annotated[frozenset[Action], Field(min_length=1)]
    rule_id: UUID7


@message("types.deployed", registry=REGISTRY)
class Deployed(BaseModel):
    version: str = Field(pattern=r"^(?:0|[1-9][0-9]*)\.[0-9]+\.[0-9]+(?:-rc[0-9]+)?$")
    image: Annotated[str, AfterValidator(lambda text: text)] = Field(min_length=3, max_length=60)
    replicas: int = Field(ge=0, le=100)
    urls: list[HttpUrl] = Field(default_factory=list, max_length=3)
    labels: dict[Annotated[str, Field(pattern="^[a-z]{1,10}$")], str] = Field(default_factory=dict)


Longitude = Annotated[FiniteFloat, Field(ge=-180, le=180)]
Latitude = Annotated[FiniteFloat, Field(ge=-90, le=90)]


@message("types.area", registry=REGISTRY)
class Area(BaseModel):
    outline: Annotated[list[tuple[Longitude, Latitude]], Field(min_length=4, max_length=12)]
    holes: list[list[tuple[Longitude, Latitude]]] = Field(default_factory=list, max_length=2)
    name: str | None = None


class PriceList(RootModel[dict[Sku, Money]]):
    """By article."""


message_type(PriceList, name="types.price_list", registry=REGISTRY)


def _no_weekend(day: date) -> date:
    if day.weekday() > 4:
        raise ValueError("nobody delivers at the weekend")
    return day


@message("types.delivery", registry=REGISTRY)
@dataclass(kw_only=True)
class Delivery:
    __pydantic_config__ = ConfigDict(
        alias_generator=lambda name: "".join(part.title() for part in name.split("_"))
    )
    deliver_on: Annotated[date, AfterValidator(_no_weekend)]
    weight_g: Annotated[int, Field(gt=0, lt=30_000)]
    parcels: list[Sku] = field(default_factory=list)
    door_code: Annotated[str, Field(pattern="^[0-9]{4}#?$")] | None = None


TYPES: tuple[MessageType[Any], ...] = (
    *(kind.forms[0].message_type for kind in CATALOGUE),
    *REGISTRY.types(),
)
