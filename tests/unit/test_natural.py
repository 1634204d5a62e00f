"""The quick look says yes to nothing that the thorough checks would have something to say of, and
yes to what nearly all messages are."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, create_model

from omniq_typed import SafeInt
from omniq_typed.messages.codec import encode
from omniq_typed.messages.exactness import exactness_check
from omniq_typed.messages.natural import natural_check, sure_writer
from tests.catalogue import FORMS, Form
from tests.unit.test_exactness import EXACT, LEAVES, LOSSES, POOL, WRAPPERS, Node, Tree, alike

AT = datetime(2026, 11, 26, tzinfo=UTC)


class Customer(BaseModel):
    id: SafeInt
    name: str


class Size(Enum):
    BIG = "big"


@dataclass(slots=True)
class Line:
    sku: str
    quantity: SafeInt = 1


class Card(BaseModel):
    kind: Literal["card"] = "card"
    digits: str


class Cash(BaseModel):
    kind: Literal["cash"] = "cash"


@dataclass
class Order:
    id: UUID
    at: AwareDatetime
    customer: Customer
    payment: Annotated[Card | Cash, Field(discriminator="kind")]
    lines: list[Line] = field(default_factory=list)
    weights: dict[str, float] = field(default_factory=dict)
    size: Size | None = None
    place: tuple[float, float] | None = None
    tags: tuple[str, ...] = ()


def an_order(**other: Any) -> Order:
    rest: dict[str, Any] = {
        "customer": Customer(id=1, name="Ada"),
        "payment": Card(digits="12"),
        "lines": [Line("a"), Line("b", 2)],
        "weights": {"a": 1.5},
        "size": Size.BIG,
        "place": (1.0, 2.0),
        "tags": ("a",),
    }
    return Order(UUID(int=1), AT, **{**rest, **other})


def says_yes(declared: Any, value: Any) -> bool:
    return natural_check(TypeAdapter(declared))(value)


def holder_of(declared: Any) -> type[BaseModel]:
    return create_model("Holder", x=(declared, ...))


def prove(adapter: TypeAdapter[Any], value: Any) -> None:
    """What is natural comes back as it was, and no check has anything to say of it. What is sure
    does come back."""
    sure = sure_writer(adapter)(value)
    thorough = exactness_check(adapter)
    assert thorough is None or thorough(value) == ()
    try:
        written = adapter.dump_json(value, by_alias=True, warnings=False)
        back = adapter.validate_json(written, strict=True)
    except ValueError:
        assert sure is None
        return  # as it would be without the quick look
    assert sure in (None, written)
    assert adapter.dump_json(value, by_alias=True, warnings="error") == written
    assert alike(value, back)


@pytest.mark.parametrize("wrapper", [*WRAPPERS, "list", "dict", "tuple", "set"])
@pytest.mark.parametrize("leaf", LEAVES, ids=str)
def test_a_yes_is_never_wrong(leaf: Any, wrapper: str) -> None:
    """Each value of a pool in each type, alone and within each kind of container."""
    around: dict[str, tuple[Any, Any]] = {
        "list": (list[leaf], lambda each: [each]),
        "dict": (dict[str, leaf], lambda each: {"a": each}),
        "tuple": (tuple[leaf, str], lambda each: (each, "a")),
        "set": (frozenset[leaf], lambda each: frozenset([each])),
    }
    declared, wrap = around.get(wrapper) or (WRAPPERS[wrapper](leaf), lambda each: each)
    holder = holder_of(declared)
    adapter = TypeAdapter(holder)
    look = natural_check(adapter)
    for each in POOL:
        try:
            value = holder.model_construct(x=wrap(each))
        except TypeError:
            continue  # no member of a set
        if look(value):
            prove(adapter, value)


@pytest.mark.parametrize(
    ("declared", "value"), [*((one, other) for one, other, _ in LOSSES), *EXACT]
)
def test_a_yes_is_never_wrong_for_values_that_are_hard_to_judge(declared: Any, value: Any) -> None:
    holder = holder_of(declared)
    adapter, held = TypeAdapter(holder), holder.model_construct(x=value)
    if natural_check(adapter)(held):
        prove(adapter, held)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.label)
def test_a_yes_is_never_wrong_for_the_types_of_the_catalogue(form: Form) -> None:
    for sample in form.samples:
        if form.message_type.is_natural(sample):
            prove(form.message_type.adapter, sample)
        encode(form.message_type, sample)


def test_most_types_of_the_catalogue_are_looked_at_quickly() -> None:
    quick = [form for form in FORMS if form.message_type.is_natural(form.samples[0])]
    assert len(quick) > len(FORMS) / 2


@pytest.mark.parametrize(
    "value",
    [
        an_order(),
        an_order(lines=[], weights={}, size=None, place=None, tags=()),
        an_order(payment=Cash()),
    ],
)
def test_plain_values_are_natural(value: Order) -> None:
    assert says_yes(Order, value)


def test_recursive_types_too() -> None:
    assert says_yes(Node, Node(Node()))
    assert says_yes(Tree, Tree(children=[Tree(ratio=1.0)], by_name={"a": None, "b": Tree()}))
    endless = Node()
    endless.following = endless
    assert not says_yes(Node, endless)


class Sub(Customer):
    more: int = 1


CASH: Any = Cash()
CASH.__dict__["kind"] = "card"


@pytest.mark.parametrize(
    "other",
    [
        {"customer": Sub(id=1, name="Ada")},
        {"customer": Customer.model_construct(id=True, name="Ada")},
        {"customer": Customer.model_construct(id=1)},
        {"customer": {"id": 1, "name": "Ada"}},
        {"payment": CASH},
        {"payment": Customer(id=1, name="Ada")},
        {"lines": [Line("a"), Line("b", True)]},
        {"lines": (Line("a"),)},
        {"weights": {"a": float("nan")}},
        {"weights": {"a": 1}},
        {"weights": {1: 1.0}},
        {"size": "big"},
        {"place": (1.0, 2.0, 3.0)},
        {"tags": ["a"]},
    ],
)
def test_what_is_not_as_declared_is_not(other: dict[str, Any]) -> None:
    assert not says_yes(Order, an_order(**other))


class Kept(BaseModel):
    model_config = ConfigDict(extra="allow")
    name: str = "Ada"


class Hidden(BaseModel):
    name: str = "Ada"
    secret: str = Field(default="", exclude=True)


@pytest.mark.parametrize("declared", [Kept, Hidden])
def test_objects_that_are_written_otherwise_than_field_by_field_are_left_to_the_thorough_check(
    declared: type[BaseModel],
) -> None:
    assert not says_yes(declared, declared())
