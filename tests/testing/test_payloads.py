"""`payloads`: valid messages of every kind, as small as they can be where a test fails, and errors
that say what is missing."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from ipaddress import IPv4Address
from pathlib import PurePosixPath
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, TypeVar
from uuid import UUID

import pytest
from annotated_types import MultipleOf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from pydantic import (
    UUID4,
    UUID7,
    AfterValidator,
    AwareDatetime,
    Base64Bytes,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FutureDate,
    HttpUrl,
    Json,
    NaiveDatetime,
    PastDate,
    PlainValidator,
    RootModel,
    StringConstraints,
    ValidationInfo,
    create_model,
    field_validator,
    model_validator,
)
from pydantic_core import CoreSchema, core_schema
from typing_extensions import TypedDict

from omniq_typed import MessageType, Registry, SafeInt, message_type
from omniq_typed.errors import InvalidArgument, NoStrategy
from omniq_typed.messages.codec import decode, encode
from omniq_typed.testing import payloads, register_strategy
from omniq_typed.testing.differences import differences
from omniq_typed.testing.laws.search import Fault, LawBroken, search
from omniq_typed.testing.strategies import registered
from tests.catalogue import FORMS, Form
from tests.testing.drawing import drawn
from tests.testing.realistic_types import REGISTRY, TYPES, Transfer

every_form = pytest.mark.parametrize("form", FORMS, ids=lambda form: form.label)


def values_of(declared: Any, count: int = 100) -> list[Any]:
    """Values of a type in a field."""

    holder: Any = create_model("Holder", value=(declared, ...))
    return [each.value for each in drawn(payloads(holder), count)]


@pytest.fixture
def strategies() -> Iterator[None]:
    """Strategies that a test registers are forgotten."""
    before = dict(registered._known)
    yield
    registered._known.clear()
    registered._known.update(before)


# All kinds


@every_form
def test_values_are_published_and_come_back(form: Form) -> None:
    for value in drawn(payloads(form.message_type), 3):
        payload = encode(form.message_type, value)
        assert differences(value, decode(form.message_type, payload)) == []


def test_a_class_its_message_type_and_any_other_type_are_taken() -> None:
    assert isinstance(drawn(payloads(Transfer), 1)[0], Transfer)
    assert isinstance(drawn(payloads(REGISTRY.of_type(Transfer)), 1)[0], Transfer)
    assert all(type(each) is list for each in drawn(payloads(list[int]), 5))
    assert all(isinstance(each, bool) for each in drawn(payloads(dict[str, bool]), 9)[-1].values())


# What fields may hold

ONE_VALUE = Annotated[set[bool], Field(min_length=2)]
CONSTRAINTS: list[tuple[Any, Callable[[Any], bool]]] = [
    (Annotated[int, Field(gt=3, le=40, multiple_of=4)], lambda it: 3 < it <= 40 and it % 4 == 0),
    (Annotated[int, Field(ge=2**60)], lambda it: it >= 2**60),
    (Annotated[float, Field(gt=0, lt=0.5)], lambda it: 0 < it < 0.5),
    (Annotated[float, Field(multiple_of=0.25, ge=-2)], lambda it: it * 4 == int(it * 4)),
    (
        Annotated[Decimal, Field(max_digits=5, decimal_places=2, gt=1)],
        lambda it: it > 1 and it < 1000 and it == round(it, 2),
    ),
    (
        Annotated[Decimal, Field(ge=Decimal("0.0010"), lt=Decimal("0.0011"))],
        lambda it: Decimal("0.0010") <= it < Decimal("0.0011"),
    ),
    (
        Annotated[Decimal, MultipleOf(Decimal("0.05")), Field(ge=0)],
        lambda it: it >= 0 and it % Decimal("0.05") == 0,
    ),
    (
        Annotated[str, Field(pattern="^(?:ab|c)+$", min_length=20, max_length=22)],
        lambda it: 20 <= len(it) <= 22 and set(it) <= set("abc"),
    ),
    (Annotated[str, Field(pattern="foo")], lambda it: "foo" in it),
    (Annotated[str, Field(pattern=r"(?i)^abc\b")], lambda it: it.lower().startswith("abc")),
    (
        Annotated[str, StringConstraints(strip_whitespace=True, to_upper=True, min_length=2)],
        lambda it: it == it.strip() and it == it.upper() and len(it) >= 2,
    ),
    (Annotated[bytes, Field(min_length=2, max_length=6)], lambda it: 2 <= len(it) <= 6),
    (Base64Bytes, lambda it: isinstance(it, bytes)),
    (AwareDatetime, lambda it: it.tzinfo is not None),
    (NaiveDatetime, lambda it: it.tzinfo is None),
    (
        Annotated[AwareDatetime, Field(ge=datetime(2024, 1, 1, tzinfo=UTC))],
        lambda it: it >= datetime(2024, 1, 1, tzinfo=UTC),
    ),
    (
        Annotated[date, Field(gt=date(2024, 1, 1), le=date(2024, 1, 9))],
        lambda it: it.day in range(2, 10),
    ),
    (PastDate, lambda it: it < datetime.now(UTC).date()),
    (FutureDate, lambda it: it > datetime.now(UTC).date()),
    (
        Annotated[timedelta, Field(ge=timedelta(0), lt=timedelta(hours=1))],
        lambda it: timedelta(0) <= it < timedelta(hours=1),
    ),
    (UUID4, lambda it: it.version == 4),
    (UUID7, lambda it: it.version == 7),
    (HttpUrl, lambda it: it.scheme in ("http", "https")),
    (IPv4Address, lambda it: isinstance(it, IPv4Address)),
    (PurePosixPath, lambda it: isinstance(it, PurePosixPath)),
    (Json[list[int]], lambda it: all(isinstance(each, int) for each in it)),
    (Annotated[list[int], Field(min_length=2, max_length=3)], lambda it: len(it) in (2, 3)),
    (ONE_VALUE, lambda it: it == {True, False}),
    (
        Annotated[dict[Annotated[str, Field(pattern="^k[0-9]$")], int], Field(min_length=2)],
        lambda it: len(it) >= 2 and all(key[0] == "k" for key in it),
    ),
    (dict[date, int], lambda it: all(isinstance(key, date) for key in it)),
    (tuple[int, str], lambda it: len(it) == 2),
    (Annotated[int, AfterValidator(lambda it: it if it % 3 else -1 / 0)], lambda it: it % 3 != 0),
]


@pytest.mark.parametrize(
    ("declared", "holds"), CONSTRAINTS, ids=[str(declared)[:60] for declared, _ in CONSTRAINTS]
)
def test_constraints_are_kept_and_values_vary(declared: Any, holds: Callable[[Any], bool]) -> None:
    found = values_of(declared, 40)
    assert [each for each in found if not holds(each)] == []
    assert len({repr(each) for each in found}) >= 8 or declared == ONE_VALUE


def test_integers_go_beyond_what_doubles_hold_where_the_type_allows_that() -> None:
    assert any(abs(each) > 2**64 for each in values_of(int, 300))
    assert all(abs(each) < 2**53 for each in values_of(SafeInt))


def test_decimals_have_more_digits_than_floats() -> None:
    assert any(len(each.as_tuple().digits) > 17 for each in values_of(Decimal, 300))


def test_defaults_are_left_out_or_not() -> None:
    class Noted(BaseModel):
        id: int
        note: str = "none"

    notes = {each.note == "none" for each in drawn(payloads(Noted), 50)}
    fields = {frozenset(each.model_fields_set) for each in drawn(payloads(Noted), 50)}
    assert notes == {True, False}
    assert fields == {frozenset({"id"}), frozenset({"id", "note"})}


def test_types_that_contain_themselves_are_finite_and_not_only_empty() -> None:
    class Must(BaseModel):
        inner: Annotated[list[Must | int], Field(min_length=1)]

    def depth(value: Any) -> int:
        return 1 + max(map(depth, value.inner)) if isinstance(value, Must) else 0

    depths = {depth(each) for each in drawn(payloads(Must), 200)}
    assert {1, 2, 3} <= depths and max(depths) < 9


def test_fields_that_depend_on_each_other_pass_the_validators() -> None:
    class Span(BaseModel):
        begin: int
        end: int

        @field_validator("end")
        @classmethod
        def _in_order(cls, end: int, info: ValidationInfo) -> int:
            if end < info.data["begin"]:
                raise ValueError("ends before it begins")
            return end

    class Spans(BaseModel):
        spans: Annotated[list[Span], Field(min_length=3)]

    found = drawn(payloads(Spans), 50)
    assert len(found) == 50
    assert all(each.begin <= each.end for spans in found for each in spans.spans)


def test_what_a_validator_before_says_that_it_takes_is_believed() -> None:
    def split(text: str) -> list[str]:
        return text.split(",")

    words = Annotated[list[str], BeforeValidator(split, json_schema_input_type=str)]
    assert any(len(each) > 1 for each in values_of(words, 300))


# Overrides


class Customer(BaseModel):
    name: str
    vip: bool = False


class Order(BaseModel):
    order_id: Annotated[str, Field(min_length=1, alias="orderId")]
    customer: Customer
    amount: Annotated[int, Field(ge=0)] = 0


def test_fields_are_given_by_their_python_names() -> None:
    ada = Customer(name="Ada", vip=True)
    found = drawn(payloads(Order, order_id=st.just("O-1"), customer=st.just(ada)), 30)
    assert {each.order_id for each in found} == {"O-1"}
    assert all(each.customer == ada for each in found)
    assert len({each.amount for each in found}) > 5


def test_strategies_are_put_together() -> None:
    names = st.sampled_from(["Ada", "Bob"])
    found = drawn(payloads(Order, customer=payloads(Customer, name=names)), 50)
    assert {each.customer.name for each in found} == {"Ada", "Bob"}
    assert {each.customer.vip for each in found} == {True, False}


def test_values_given_for_a_field_that_it_refuses_are_left_out() -> None:
    found = drawn(payloads(Order, amount=st.integers(-5, 5)), 30)
    assert {each.amount for each in found} <= set(range(6))


def test_a_union_takes_the_fields_of_its_members() -> None:
    class Card(BaseModel):
        kind: Literal["card"] = "card"
        last4: str

    class Cash(BaseModel):
        kind: Literal["cash"] = "cash"

    either: MessageType[Any] = message_type(
        Annotated[Card | Cash, Field(discriminator="kind")], name="either", registry=Registry()
    )
    found = drawn(payloads(either, last4=st.just("4242")), 50)
    assert {getattr(each, "last4", None) for each in found} == {"4242", None}


def test_a_tag_with_a_default_is_always_there() -> None:
    class Card(BaseModel):
        kind: Literal["card"] = "card"

    class Cash(BaseModel):
        kind: Literal["cash"] = "cash"

    class Wallet(BaseModel):
        items: Annotated[
            list[Annotated[Card | Cash, Field(discriminator="kind")]], Field(min_length=12)
        ]

    found = drawn(payloads(Wallet), 30)
    assert len(found) == 30
    assert {it.kind for wallet in found for it in wallet.items} == {"card", "cash"}


def test_a_root_model_has_a_root() -> None:
    class Names(RootModel[list[str]]):
        pass

    assert drawn(payloads(Names, root=st.just(["Ada"])), 3)[0].root == ["Ada"]


def test_an_unknown_field_is_named_with_those_that_there_are() -> None:
    with pytest.raises(InvalidArgument, match=r"custmer: .* has amount, customer, order_id"):
        payloads(Order, custmer=st.none())
    with pytest.raises(InvalidArgument, match=r"customer: 'Ada' is no strategy; use st.just"):
        payloads(Order, customer="Ada")  # type: ignore[arg-type]


def test_a_field_is_given_what_it_cannot_hold() -> None:
    with pytest.raises(NoStrategy, match=r"Order v1, /customer: .* gave 'Ada', which is no such"):
        drawn(payloads(Order, customer=st.just("Ada")), 3)
    with pytest.raises(NoStrategy, match=r"/amount: .*\(-1\) because: .* greater than or equal"):
        drawn(payloads(Order, amount=st.just(-1)), 100)


# Types of the user


class Money:
    """With a core schema of its own, which says nothing."""

    def __init__(self, text: str) -> None:
        self.amount, self.currency = int(text[:-3]), text[-3:]

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            lambda it: it if isinstance(it, Money) else Money(it),
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda it: f"{it.amount}{it.currency}", return_schema=core_schema.str_schema()
            ),
        )


class Invoice(BaseModel):
    total: Money
    parts: list[Money] = []


def test_an_unknown_type_asks_for_a_strategy_by_name() -> None:
    with pytest.raises(NoStrategy, match=r"/total: of the type Money, .*register_strategy"):
        payloads(Invoice)


def test_a_class_is_given_a_strategy(strategies: None) -> None:
    register_strategy(Money, st.builds(Money, st.sampled_from(["5EUR", "7NOK"])))
    found = drawn(payloads(Invoice), 50)
    assert {each.total.currency for each in found} == {"EUR", "NOK"}
    assert any(each.parts for each in found)
    assert drawn(payloads(Invoice, total=st.just(Money("1SEK"))), 1)[0].total.currency == "SEK"


def test_a_function_makes_the_strategy_and_the_last_one_counts(strategies: None) -> None:
    register_strategy(UUID, lambda cls: st.just(cls(int=1)))
    assert set(values_of(UUID, 3)) == {UUID(int=1)}
    register_strategy(UUID, st.just(UUID(int=2)))
    assert set(values_of(dict[str, UUID | None], 30)[-1].values()) <= {UUID(int=2), None}


CustomerNumber = NewType("CustomerNumber", int)


class Pair(NamedTuple):
    number: CustomerNumber
    other: int


@dataclass
class Mixed:
    number: CustomerNumber
    numbers: list[CustomerNumber] = field(default_factory=list)
    by_name: dict[str, CustomerNumber | None] = field(default_factory=dict)
    pair: Pair | None = None


B = TypeVar("B")


@dataclass
class Box(Generic[B]):
    content: B
    more: list[B]


class MixedDict(TypedDict):
    number: CustomerNumber


def test_a_new_type_is_told_from_what_it_is_made_of(strategies: None) -> None:
    register_strategy(CustomerNumber, st.sampled_from([CustomerNumber(7), CustomerNumber(8)]))
    found = drawn(payloads(Mixed), 100)
    numbers = {each.number for each in found} | {it for each in found for it in each.numbers}
    assert numbers == {7, 8}
    assert {it for each in found for it in each.by_name.values()} == {7, 8, None}
    pairs = [each.pair for each in found if each.pair is not None]
    assert len({each.other for each in pairs}) > 5
    assert {each.number for each in pairs} == {7, 8}
    assert {each["number"] for each in drawn(payloads(MixedDict), 20)} == {7, 8}
    boxes = drawn(payloads(Box[CustomerNumber]), 30)
    assert {it for box in boxes for it in (box.content, *box.more)} == {7, 8}


def test_a_wrong_strategy_is_refused(strategies: None) -> None:
    with pytest.raises(InvalidArgument, match="5 is neither"):
        register_strategy(Money, 5)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="not hashable"):
        register_strategy([], st.none())  # type: ignore[arg-type]
    register_strategy(Money, lambda cls: cls)  # type: ignore[arg-type, return-value]
    with pytest.raises(InvalidArgument, match="which is no strategy"):
        payloads(Invoice)


# What cannot be


def test_a_validator_that_takes_nothing_is_told_with_its_last_words() -> None:
    def never(text: str) -> str:
        raise ValueError("not on my watch")

    class Guarded(BaseModel):
        name: Annotated[str, AfterValidator(never)]

    @settings(database=None)
    @given(payloads(Guarded))
    def test(value: Any) -> None: ...

    with pytest.raises(NoStrategy, match=r"/name: .* do not pass.*not on my watch") as raised:
        test()
    assert raised.value.path == "/name" and raised.value.subject == "Guarded v1"


def test_a_function_of_the_whole_is_told_too() -> None:
    class Both(BaseModel):
        one: int
        two: int

        @model_validator(mode="after")
        def _same(self) -> Both:
            if self.one != self.two + 10**12:
                raise ValueError("they do not fit")
            return self

    with pytest.raises(NoStrategy, match=r"Both v1, the whole: .*they do not fit"):
        drawn(payloads(Both), 100)
    fixed = payloads(Both, one=st.just(10**12), two=st.just(0))
    assert drawn(fixed, 1)[0].one == 10**12


def test_what_json_cannot_carry_is_refused_by_place() -> None:
    class Odd(BaseModel, arbitrary_types_allowed=True):
        rows: list[Callable[[], int]]

    with pytest.raises(NoStrategy, match=r"Odd v1, /rows/\*: .*callable"):
        payloads(Odd)


def test_a_function_that_says_nothing_is_named() -> None:
    def parse(text: Any) -> int:
        return int(text)

    class Parsed(BaseModel):
        number: Annotated[int, PlainValidator(parse)]

    with pytest.raises(NoStrategy, match=r"/number: .*parse does not say what it takes"):
        payloads(Parsed)


def test_a_type_without_an_end_is_refused() -> None:
    class Endless(BaseModel):
        inner: Endless

    with pytest.raises(NoStrategy, match="contains itself without an end"):
        payloads(Endless)


def test_a_pattern_that_nothing_matches_is_refused() -> None:
    class Impossible(BaseModel):
        name: Annotated[str, Field(pattern="^[a-z]{3}$", min_length=5)]

    with pytest.raises(NoStrategy, match=r"/name: .*no text of 5"):
        payloads(Impossible)


# Shrinking


def smallest(strategy: SearchStrategy[Any], wanted: Callable[[Any], bool]) -> Any:
    """The smallest value that Hypothesis finds for a test that fails for the wanted ones."""
    found: list[Any] = []

    def check(value: Any) -> None:
        if wanted(value):
            found.append(value)
            raise Fault("wanted")

    with pytest.raises(LawBroken):
        search("no value is wanted", "the test", strategy, check, 1_000)
    return found[-1]


def test_a_failure_is_shrunk_to_the_smallest_message() -> None:
    found = smallest(payloads(Transfer), lambda it: it.currency == "SEK" and it.amount > 100)
    assert found == Transfer(
        transfer_id=UUID("00000000-0000-4000-8000-000000000000"),
        debtor="AA0000000000000",
        creditor="AA0000000000000",
        amount=Decimal(101),
        currency="SEK",
        booked_at=datetime(2000, 1, 1, tzinfo=UTC),
        reference="0",
    )


def test_objects_around_the_one_that_matters_are_taken_out() -> None:
    def has_many(page: Any) -> bool:
        return any(line.quantity > 100 for line in page.items)

    lines = next(it for it in TYPES if it.name == "types.page_of_lines")
    page = smallest(payloads(lines), has_many)
    assert [(it.quantity, it.sku, it.price) for it in page.items] == [(101, "AA-0000", 0)]
    assert page.total == 0


@pytest.mark.slow
def test_the_simplest_message_of_every_kind_is_plain() -> None:
    for each in TYPES[::3]:
        plainest = smallest(payloads(each), lambda it: True)
        assert len(encode(each, plainest)) < 300, each.label


def test_configurations_of_models_are_kept() -> None:
    class Open(BaseModel):
        model_config = ConfigDict(extra="allow", str_strip_whitespace=True, str_max_length=5)
        name: str

    found = drawn(payloads(Open), 100)
    assert all(len(each.name) <= 5 and each.name == each.name.strip() for each in found)
    assert any(each.model_extra for each in found)


def test_without_hypothesis_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    monkeypatch.delitem(sys.modules, "omniq_typed.testing")
    with pytest.raises(ImportError, match=r"pip install 'omniq-typed\[testing\]'"):
        importlib.import_module("omniq_typed.testing")
