"""What a test may assert of what was published, and how a failure reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from omniq_typed import MessageType, Registry, message, message_type
from omniq_typed.errors import InvalidArgument, InvalidMessageType
from omniq_typed.testing import MemoryBus

REGISTRY = Registry(strict_types=False)


@message("assert.order", queue="orders", registry=REGISTRY)
@dataclass
class Order:
    order_id: str
    amount: int = 0
    paid: bool = False
    lines: list[str] = field(default_factory=list)


class Address(BaseModel):
    street: str
    city: str


@message("assert.parcel", queue="parcels", registry=REGISTRY)
class Parcel(BaseModel):
    number: int = Field(alias="parcelNumber")
    to: Address


class Row(TypedDict):
    sku: str


message_type(Row, name="assert.row", queue="rows", registry=REGISTRY)


class Cash(BaseModel):
    kind: Literal["cash"] = "cash"
    cents: int


class Card(BaseModel):
    kind: Literal["card"] = "card"
    cents: int


PAYMENT: MessageType[Any] = message_type(
    Cash | Card, name="assert.payment", queue="payments", registry=REGISTRY
)


@pytest.fixture
def bus() -> MemoryBus:
    return MemoryBus(registry=REGISTRY)


def failure(bus: MemoryBus, declared: Any, **wanted: Any) -> str:
    with pytest.raises(AssertionError) as caught:
        bus.assert_published(declared, **wanted)
    return str(caught.value)


def test_it_answers_the_first_message_with_these_fields(bus: MemoryBus) -> None:
    first, second = Order("A", 1), Order("A", 2)
    bus.publish_many([first, second])
    assert bus.assert_published(Order) == first
    assert bus.assert_published(Order, order_id="A", amount=2) == second
    assert bus.assert_published(Order, lines=[]) == first
    bus.assert_not_published(Order, amount=3)


def test_it_shows_the_nearest_first_and_what_differs(bus: MemoryBus) -> None:
    bus.publish_many([Order("B", 7), Order("A", 1550), Order("C", 8), Order("D", 9)])
    assert failure(bus, Order, order_id="A", amount=1500).splitlines() == [
        "no Order was published with order_id='A', amount=1500; 4 others were, nearest:",
        "[1] Order(order_id='A', amount=1550, paid=False, lines=[])",
        "    amount: wanted 1500, got 1550",
        "    as wanted: order_id",
        "[0] Order(order_id='B', amount=7, paid=False, lines=[])",
        "    order_id: wanted 'A', got 'B'",
        "    amount: wanted 1500, got 7",
        "[2] Order(order_id='C', amount=8, paid=False, lines=[])",
        "    order_id: wanted 'A', got 'C'",
        "    amount: wanted 1500, got 8",
    ]


def test_long_values_are_shown_as_a_diff(bus: MemoryBus) -> None:
    lines = [f"{n} pieces of something long" for n in range(4)]
    bus.publish_json(Order("A", lines=[*lines[:2], "other", lines[3]]))
    shown = failure(bus, Order, lines=lines)
    assert "lines: - wanted, + got" in shown
    assert "-  '2 pieces of something long'," in shown and "+  'other'," in shown
    bus.publish_json(Parcel(parcelNumber=1, to=Address(street="Very long road " * 3, city="Y")))
    shown = failure(bus, Parcel, to=Address(street="Very long road " * 3, city="X"))
    assert "'city': 'X'" in shown and "'city': 'Y'" in shown


def test_where_there_is_none_of_the_type_it_says_what_there_is(bus: MemoryBus) -> None:
    assert failure(bus, Order).endswith("published were: no messages at all")
    bus.publish_many([Parcel(parcelNumber=n, to=Address(street="s", city="c")) for n in range(2)])
    assert failure(bus, Order, amount=1) == (
        "no Order was published; published were: assert.parcel × 2"
    )


def test_a_field_that_the_type_does_not_have_is_an_error(bus: MemoryBus) -> None:
    with pytest.raises(InvalidArgument, match=r"amout: assert\.order v1 .* did you mean 'amount'"):
        bus.assert_published(Order, amout=1)
    with pytest.raises(InvalidArgument, match="no such field; it has number, to"):
        bus.assert_not_published(Parcel, sender=1)
    with pytest.raises(InvalidArgument, match="it has sku"):
        bus.assert_published(Row, xyz=1)
    with pytest.raises(InvalidMessageType, match="is no message type"):
        bus.assert_published(Address)


def test_true_is_not_one(bus: MemoryBus) -> None:
    bus.publish_json(Order("A", amount=1, paid=True))
    bus.assert_published(Order, amount=1, paid=True)
    assert "paid: wanted 1, got True" in failure(bus, Order, paid=1)


def test_what_was_not_to_be_published_is_shown(bus: MemoryBus) -> None:
    bus.publish_many([Order("A", 1), Order("B", 1)])
    with pytest.raises(AssertionError, match=r"^assert\.order was published: Order\(order_id='B'"):
        bus.assert_not_published(Order, order_id="B")
    with pytest.raises(AssertionError, match=r"order_id='A'.*order_id='B'"):
        bus.assert_not_published(Order)


def test_typed_dicts_and_unions_have_fields_too(bus: MemoryBus) -> None:
    bus.publish_json({"sku": "S"}, message_type=Row)
    assert bus.assert_published(Row, sku="S") == {"sku": "S"}
    assert "sku: wanted 'T', got 'S'" in failure(bus, Row, sku="T")
    bus.publish_json(Card(cents=5))
    assert bus.published(PAYMENT) == [Card(cents=5)]
    bus.assert_published(PAYMENT, kind="card", cents=5)
    assert "iban: wanted 'x', got no such field" in failure(bus, PAYMENT, iban="x")
