"""Message types with a fault each, as they are met with, and the law that should find it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    Field,
    PlainSerializer,
    SecretStr,
    WithJsonSchema,
    computed_field,
    field_serializer,
    field_validator,
)

from omniq_typed import MessageType, Registry, message, message_type, upcast
from omniq_typed.schema import files
from omniq_typed.testing import laws

NOW = Registry(strict_types=False)
BEFORE = Registry(strict_types=False)
"""What was deployed once."""


@dataclass(frozen=True)
class Planted:
    """`law` is to find the fault of `name`; `shows`: what its report has to say."""

    name: str
    law: Callable[..., None]
    shows: str
    evolving: bool = False

    def check(self, schemas: Path, examples: int) -> None:
        """Raises LawBroken."""
        more: dict[str, Any] = {"schemas": schemas, "registry": NOW} if self.evolving else {}
        self.law(self.message_type, examples=examples, **more)

    @property
    def message_type(self) -> MessageType[Any]:
        return [each for each in NOW.types() if each.name == self.name][-1]


def export_what_was_deployed(folder: Path) -> None:
    """The schemas of the versions whose classes are in `BEFORE` alone."""
    files.write(folder, BEFORE.types())


# In the type


@message("naive_datetime", registry=NOW)
class Naive(BaseModel):
    at: datetime


@message("datetime_said_to_be_aware", registry=NOW)
class SaidToBeAware(BaseModel):
    at: Annotated[datetime, WithJsonSchema({"type": "string", "format": "date-time"})]


@message("time_of_day", registry=NOW)
class Alarm(BaseModel):
    rings_at: time


@message("unicode_digits", registry=NOW)
class PostalCode(BaseModel):
    code: str = Field(pattern=r"^\d{4}$")


@message("timedelta", registry=NOW)
class Timer(BaseModel):
    runs_for: timedelta


@message("large_integer", registry=NOW)
class Counter(BaseModel):
    count: int


@message("decimal_through_float", registry=NOW)
class Paid(BaseModel):
    amount: Annotated[Decimal, PlainSerializer(float, return_type=float, when_used="json")]


class Customer(BaseModel):
    first_name: str = Field(alias="firstName")


@message("alias_without_by_alias", registry=NOW)
class Ordered(BaseModel):
    customer: Customer

    @field_serializer("customer")
    def _as_dict(self, customer: Customer) -> dict[str, Any]:
        return customer.model_dump()


@message("another_alias_to_read", registry=NOW)
class Renamed(BaseModel):
    number: int = Field(default=0, validation_alias=AliasChoices("no"))


@message("post_init_twice", registry=NOW)
@dataclass
class Greeted:
    name: str

    def __post_init__(self) -> None:
        self.name = f"Dear {self.name}"


@message("validator_that_is_not_idempotent", registry=NOW)
class Priced(BaseModel):
    net: int

    @field_validator("net")
    @classmethod
    def _with_tax(cls, net: int) -> int:
        return net * 2


@message("default_factory_of_another_type", registry=NOW)
@dataclass
class Tagged:
    tags: set[str] = field(default_factory=list)  # type: ignore[arg-type]


@message("default_that_is_not_allowed", registry=NOW)
class Billed(BaseModel):
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] = "euro"


@message("masked", registry=NOW)
class LoggedIn(BaseModel):
    password: SecretStr


@message("look_alikes", registry=NOW)
class Moved(BaseModel):
    to: str | Literal["home"] | Annotated[int, PlainSerializer(str, return_type=str)]


@message("schema_that_says_too_much", registry=NOW)
class Open(BaseModel):
    code: Annotated[str, Field(max_length=3), WithJsonSchema({})]


@message("schema_that_says_too_little", registry=NOW)
class Shut(BaseModel):
    code: Annotated[str, WithJsonSchema({"type": "string", "maxLength": 3})]


@message("computed_beyond_its_type", registry=NOW)
class Box(BaseModel):
    side: Annotated[int, Field(ge=0, le=100)]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def volume(self) -> Annotated[int, Field(le=1000)]:
        return self.side**3


def _lenient(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value


message_type(
    Annotated[list[Annotated[str, BeforeValidator(_lenient), Field(min_length=1)]], Field()],
    name="fine",
    registry=NOW,
)


# Between versions


@message("upcast_drops_a_field", version=1, registry=BEFORE)
class PlacedV1(BaseModel):
    order_id: str
    total: int
    note: str | None = None


@message("upcast_drops_a_field", version=2, registry=NOW)
class Placed(BaseModel):
    order_id: str
    amount: int
    note: str | None = None


@upcast(Placed, from_version=1, registry=NOW)
def total_is_called_amount(order: dict[str, Any]) -> dict[str, Any]:
    return {"order_id": order["order_id"], "amount": order["total"]}


@message("upcast_drops_a_nested_field", version=1, registry=BEFORE)
class SentV1(BaseModel):
    class Parcel(BaseModel):
        grams: int
        fragile: bool = False

    parcels: list[Parcel]


@message("upcast_drops_a_nested_field", version=2, registry=NOW)
class Sent(BaseModel):
    class Parcel(BaseModel):
        grams: int
        fragile: bool = False

    parcels: list[Parcel]
    express: bool


@upcast(Sent, from_version=1, registry=NOW)
def none_were_express(sent: dict[str, Any]) -> dict[str, Any]:
    return {"parcels": [{"grams": each["grams"]} for each in sent["parcels"]], "express": False}


@message("upcast_forgets_null", version=1, registry=BEFORE)
class NamedV1(BaseModel):
    name: str | None


@message("upcast_forgets_null", version=2, registry=NOW)
class Named(BaseModel):
    names: list[str]


@upcast(Named, from_version=1, registry=NOW)
def split_the_name(named: dict[str, Any]) -> dict[str, Any]:
    return {"names": named["name"].split()}


@message("upcast_is_missing", version=1, registry=BEFORE)
class GoneV1(BaseModel):
    id: str


@message("upcast_is_missing", version=2, registry=NOW)
class Gone(BaseModel):
    id: int


@message("stricter_than_before", version=1, registry=BEFORE)
class WeighedV1(BaseModel):
    grams: int


@message("stricter_than_before", version=1, registry=NOW)
class Weighed(BaseModel):
    grams: int = Field(ge=0)


@message("new_value_of_an_enum", version=1, registry=BEFORE)
class SettledV1(BaseModel):
    how: Literal["card", "cash"]


@message("new_value_of_an_enum", version=2, registry=NOW)
class Settled(BaseModel):
    how: Literal["card", "cash", "app"]


@upcast(Settled, from_version=1, registry=NOW)
def same_as_before(settled: dict[str, Any]) -> dict[str, Any]:
    return settled


FAULTS = (
    Planted("naive_datetime", laws.portable, '"date-time"'),
    Planted("datetime_said_to_be_aware", laws.conforms, '"date-time"'),
    Planted("time_of_day", laws.portable, '"time"'),
    Planted("unicode_digits", laws.portable, "does not match"),
    Planted("timedelta", laws.portable, '"duration"'),
    Planted("large_integer", laws.portable, "greater than the maximum of 9007199254740991"),
    Planted("decimal_through_float", laws.roundtrip, "/amount was Decimal("),
    Planted("alias_without_by_alias", laws.roundtrip, "/customer/firstName: Field required"),
    Planted("another_alias_to_read", laws.roundtrip, "/number was"),
    Planted("post_init_twice", laws.roundtrip, "is 'Dear Dear '"),
    Planted("validator_that_is_not_idempotent", laws.roundtrip, "/net was "),
    Planted("default_factory_of_another_type", laws.roundtrip, "Expected `set[str]`"),
    Planted("default_that_is_not_allowed", laws.roundtrip, "/currency: String should match"),
    Planted("masked", laws.roundtrip, "/password: would be written as **"),
    Planted("look_alikes", laws.roundtrip, "(union_choice)"),
    Planted("schema_that_says_too_much", laws.rejects_near_misses, "/code: "),
    Planted("schema_that_says_too_little", laws.conforms, "/code: "),
    Planted("computed_beyond_its_type", laws.conforms, "/volume: "),
    Planted("upcast_drops_a_field", laws.evolves, "/note", evolving=True),
    Planted("upcast_drops_a_nested_field", laws.evolves, "/parcels/0/fragile", evolving=True),
    Planted("upcast_forgets_null", laws.evolves, "split_the_name", evolving=True),
    Planted("upcast_is_missing", laws.evolves, "no upcasts lead from v1", evolving=True),
    Planted("stricter_than_before", laws.evolves, "/grams: ", evolving=True),
    Planted("new_value_of_an_enum", laws.forward, '"app" is not one of', evolving=True),
)
