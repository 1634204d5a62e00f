"""What is written without being read back is always read, and as what it was. More values and types
are tried in test_natural.py."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from enum import Enum, IntEnum, StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import (
    AfterValidator,
    AliasChoices,
    AliasPath,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PastDate,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    create_model,
    field_validator,
    model_validator,
)
from pydantic_core import TzInfo

from omniq_typed import SafeInt
from omniq_typed.messages.natural import sure_writer
from tests.unit.test_exactness import Node, alike


class Item(BaseModel):
    sku: str = Field(min_length=1, max_length=8)
    count: SafeInt = 1


@dataclass
class Address:
    street: str
    zip: int | None = None


class Size(Enum):
    BIG = "big"
    SMALL = "small"


class Colour(StrEnum):
    RED = "red"


class Order(BaseModel):
    id: UUID
    paid: bool
    weight: float = Field(ge=0, lt=100.5)
    kind: Literal["shop", "web"]
    items: list[Item] = Field(max_length=3)
    bill_to: Address
    ship_to: Address | None = None
    notes: dict[Annotated[str, Field(max_length=4)], str] = {}
    level: int = Field(default=1, gt=0, alias="lvl")
    placed_at: AwareDatetime = datetime.max.replace(tzinfo=UTC)
    seen_at: datetime = datetime.min
    due: date = date.min
    size: Size = Size.BIG
    colour: Colour | None = None


def an_order(**other: Any) -> Order:
    said: dict[str, Any] = {
        "id": UUID(int=1),
        "paid": True,
        "weight": 1.5,
        "kind": "web",
        "items": [Item(sku="TEA")],
        "bill_to": Address("here", 1),
        "ship_to": Address("there"),
        "notes": {"a": "é\0\u2028"},
        "level": 2,
        "placed_at": datetime(2026, 11, 27, 1, 2, 3, 4, UTC),
        "colour": Colour.RED,
    }
    return Order.model_construct(**{**said, **other})


def check(declared: Any, value: Any) -> bool:
    """Whether it is sure; it is then read as what it was."""
    adapter = TypeAdapter(declared)
    written = sure_writer(adapter)(value)
    if written is None:
        return False
    assert alike(adapter.validate_json(written, strict=True), value)
    assert adapter.dump_json(value, by_alias=True, warnings="error") == written
    return True


def test_a_plain_message_is_sure() -> None:
    assert check(Order, an_order())
    assert check(Order, an_order(items=[], ship_to=None, notes={}))
    for year, zone in ((1, UTC), (9999, UTC), (1, TzInfo(-86_340)), (9999, TzInfo(86_340))):
        at = datetime(year, 12, 31, 23, 59, 59, 999_999)
        assert check(Order, an_order(placed_at=at.replace(tzinfo=zone), seen_at=at, due=at.date()))


ODD_ZONE = timezone(timedelta(seconds=3208))
ODD: dict[str, list[Any]] = {
    "id": ["1"],
    "paid": [1],
    "weight": [-0.5, 100.5, float("nan"), float("inf"), 1],
    "kind": ["post"],
    "items": [
        [Item.model_construct(sku="", count=1)],
        [Item.model_construct(sku="123456789", count=1)],
        [Item.model_construct(sku="a", count=2**53)],
        [Item.model_construct(sku="\ud800", count=1)],
        [Item(sku="a")] * 4,
    ],
    "bill_to": [Address("x", 2**63), Address("x", 10**5000), Address("\udfff")],
    "notes": [{"12345": ""}, {"a": 1}],
    "level": [0, True],
    "placed_at": [datetime(2026, 11, 27), datetime(2026, 11, 27, tzinfo=ODD_ZONE)],
    "seen_at": [datetime(2026, 11, 27, tzinfo=zone) for zone in (ODD_ZONE, TzInfo(3208))],
    "due": [datetime.min],
    "size": ["big", Colour.RED],
    "colour": ["red"],
}


@pytest.mark.parametrize("name", ODD)
def test_what_breaks_a_bound_is_not(name: str) -> None:
    for value in ODD[name]:
        assert not check(Order, an_order(**{name: value}))


@given(
    st.builds(
        an_order,
        weight=st.floats(),
        level=st.integers(),
        notes=st.dictionaries(st.text(), st.text(st.characters())),
        bill_to=st.builds(Address, st.text(), st.integers()),
    )
)
def test_what_is_sure_is_read(order: Order) -> None:
    adapter = TypeAdapter(Order)
    if check(Order, order):
        return
    try:
        adapter.validate_json(adapter.dump_json(order, by_alias=True), strict=True)
    except (ValidationError, ValueError):
        return
    # Not sure, though it is read: that may be said of a number that no other language reads.
    assert not -(2**63) <= (order.bill_to.zip or 0) < 2**63 or abs(order.level) >= 2**63


def refuse(value: Any) -> Any:
    raise ValueError("refused")


class Checked(BaseModel):
    x: str = "a"

    @field_validator("x")
    @classmethod
    def check(cls, x: str) -> str:
        return str(refuse(x))


class CheckedAsAWhole(BaseModel):
    x: str = "a"

    @model_validator(mode="after")
    def check(self) -> CheckedAsAWhole:
        refuse(self)
        return self


class MadeByHand(BaseModel):
    x: str = "a"

    def __init__(self, **said: Any) -> None:
        refuse(said)
        super().__init__(**said)


class Finished(BaseModel):
    x: str = "a"

    def model_post_init(self, context: Any, /) -> None:
        refuse(context)


class Born(BaseModel):
    x: str = "a"

    def __new__(cls, *args: Any, **said: Any) -> Born:
        born: Born = refuse(cls)
        return born


@dataclass
class FinishedToo:
    x: str = "a"

    def __post_init__(self) -> None:
        refuse(self)


@dataclass
class Given:
    x: str = field(default="a", init=False)


class Changing(BaseModel):
    model_config = ConfigDict(str_strip_whitespace=True)
    x: str = " a "


class Short(BaseModel):
    model_config = ConfigDict(str_max_length=1)
    x: str = "ab"


class ReadByOther(BaseModel):
    x: str = Field(default="a", validation_alias="y")


class ReadByMany(BaseModel):
    x: str = Field(default="a", validation_alias=AliasChoices(AliasPath("y", 0), "x"))


class Crossed(BaseModel):
    x: str = Field(default="a", serialization_alias="y")
    y: str = "b"


class Level(IntEnum):
    LOW = 1


def bare(cls: type) -> Any:
    """An instance that nobody had a say in."""
    made: Any = object.__new__(cls)
    object.__setattr__(made, "__dict__", {"x": "a"})
    return made


def holding(declared: Any, value: Any) -> tuple[type[BaseModel], BaseModel]:
    holder = create_model("Holder", x=(declared, ...))
    return holder, holder.model_construct(x=value)


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        *((cls, cls.model_construct()) for cls in (Checked, CheckedAsAWhole)),
        *((cls, bare(cls)) for cls in (MadeByHand, Finished, Born, FinishedToo)),
        (Given, Given()),
        *((cls, cls.model_construct()) for cls in (Changing, Short, ReadByOther, ReadByMany)),
        (Crossed, Crossed()),
        holding(Annotated[str, AfterValidator(refuse)], "a"),
        holding(Annotated[str, BeforeValidator(refuse)], "a"),
        holding(list[Annotated[int, AfterValidator(refuse)]], [1]),
        holding(dict[Annotated[str, AfterValidator(refuse)], int], {"a": 1}),
        holding(Annotated[str, StringConstraints(pattern="b")], "a"),
        holding(Annotated[str, StringConstraints(to_upper=True)], "a"),
        holding(Annotated[int, Field(multiple_of=2)], 1),
        holding(Level, Level.LOW),
        holding(PastDate, date.max),
        holding(Annotated[datetime, Field(lt=datetime(2026, 1, 1))], datetime.max),
        holding(Annotated[dict[str, Checked], Field()], {"a": Checked.model_construct(x="a")}),
        (Node, Node(Node())),
    ],
    ids=lambda it: getattr(it, "__name__", ""),
)
def test_what_others_have_a_say_in_is_never_sure(declared: Any, value: Any) -> None:
    assert sure_writer(TypeAdapter(declared))(value) is None
