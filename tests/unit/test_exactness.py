"""What writing JSON and reading it back lets pass in silence: each loss is found where it is, and
nothing that comes back as it was is called one."""

from __future__ import annotations

import math
import warnings
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, is_dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from ipaddress import IPv4Address
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any, Generic, Literal, NamedTuple, NotRequired, TypeVar
from uuid import UUID

import pytest
from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FiniteFloat,
    PlainSerializer,
    RootModel,
    SecretStr,
    TypeAdapter,
    create_model,
    field_serializer,
    model_serializer,
)
from pydantic import dataclasses as pydantic_dataclasses
from typing_extensions import TypeAliasType, TypedDict

from omniq_typed.messages.exactness import exactness_check

T = TypeVar("T")
NAN = math.nan
AN_ID = UUID("12345678-1234-5678-1234-567812345678")


class Colour(Enum):
    RED = "red"


class Shade(StrEnum):
    DARK = "dark"


class Level(IntEnum):
    LOW = 1


class Customer(BaseModel):
    name: str = "Ada"


class VipCustomer(Customer):
    discount: str = "10%"


class Stranger(BaseModel):
    name: str = "Bob"


@dataclass
class Line:
    sku: str = "A"


@dataclass
class GiftLine(Line):
    card: str = "hello"


@dataclass
class OtherLine:
    sku: str = "A"


@dataclass(slots=True)
class Slotted:
    count: int = 1
    line: Line = field(default_factory=Line)


@dataclass(slots=True)
class SlottedMore(Slotted):
    extra: int = 2


@dataclass(frozen=True)
class Frozen:
    ratio: float | None = None


@dataclass(frozen=True)
class FrozenMore(Frozen):
    extra: int = 2


@pydantic_dataclasses.dataclass
class Checked:
    count: int = 1


@pydantic_dataclasses.dataclass
class CheckedMore(Checked):
    extra: int = 2


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"
    customer: Customer = Customer()


class Kitten(Cat):
    weeks: int = 3


class Dog(BaseModel):
    kind: Literal["dog"] = "dog"
    name: str = ""


class Puppy(Dog):
    weeks: int = 3


Pet = Annotated[Cat | Dog, Field(discriminator="kind")]


class Stamp(TypedDict):
    by: str
    ratio: NotRequired[float | None]


class Bark(TypedDict):
    kind: Literal["bark"]
    volume: NotRequired[int]


class Purr(TypedDict):
    kind: Literal["purr"]
    softness: NotRequired[int]


class Open(TypedDict):
    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]
    by: str


class Row(NamedTuple):
    name: str
    ratio: float | None = None
    customer: Customer = Customer()


class Page(BaseModel, Generic[T]):
    items: list[T] = []


@dataclass
class Box(Generic[T]):
    item: T


class Aliased(BaseModel):
    customers: list[Customer] = Field(default_factory=list, alias="cust/omers~")


class Extras(BaseModel):
    model_config = ConfigDict(extra="allow")
    name: str = "Ada"


class TypedExtras(BaseModel):
    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Customer] = Field(init=False)  # pyright: ignore[reportIncompatibleVariableOverride]


class Ratios(RootModel[list[float | None]]): ...


class MaybeText(RootModel[str | None]): ...


class Constants(BaseModel):
    model_config = ConfigDict(ser_json_inf_nan="constants")
    ratio: float | None = None
    either: float | str | None = ""


class Strings(BaseModel):
    model_config = ConfigDict(ser_json_inf_nan="strings")
    ratio: float | None = None
    either: float | str = ""


class Old(BaseModel):
    customer: Customer = Field(default=Customer(), deprecated=True)


class Tree(BaseModel):
    ratio: float | None = None
    children: list[Tree] = Field(default_factory=list)
    by_name: dict[str, Tree | None] = Field(default_factory=dict)


class BigTree(Tree):
    more: int = 1


@dataclass
class Node:
    following: Node | None = None


@dataclass
class LastNode(Node):
    note: str = "the end"


class Chain(TypedDict):
    following: NotRequired[Chain]


Json = TypeAliasType("Json", "dict[str, Json] | list[Json] | str | float | None")


class OwnForm(BaseModel):
    """Each of its fields has a serializer of the user's."""

    a: Annotated[Customer, PlainSerializer(lambda value: {"name": type(value).__name__})]
    b: Annotated[float | None, PlainSerializer(str)]
    c: Customer

    @field_serializer("c")
    def write(self, value: Customer) -> dict[str, str]:
        return {"name": type(value).__name__}


class WritesItself(BaseModel):
    customer: Customer

    @model_serializer
    def write(self) -> dict[str, Any]:
        return {"customer": {"name": type(self.customer).__name__}}


def built(cls: type[T], **fields: Any) -> T:
    """An instance that nothing has checked."""
    if is_dataclass(cls):
        instance = object.__new__(cls)
        for name, content in fields.items():
            object.__setattr__(instance, name, content)
        return instance
    model: Any = cls
    made: T = model.model_construct(**fields)
    return made


def faults(declared: Any, value: Any) -> list[tuple[str, str]]:
    """Of a payload whose field `x` has this type."""
    holder = create_model("Holder", x=(declared, ...))
    check = exactness_check(TypeAdapter(holder))
    if check is None:
        return []
    found = check(holder.model_construct(x=value))
    return [(fault.path.removeprefix("/x"), fault.code) for fault in found]


def written_and_read(declared: Any, value: Any) -> Any:
    """What the encoder does with a field `x` of this type."""
    holder = create_model("Holder", x=(declared, ...))
    adapter = TypeAdapter(holder)
    written = adapter.dump_json(holder.model_construct(x=value), by_alias=True, warnings="error")
    return adapter.validate_json(written, strict=True).__dict__["x"]


LOSSES: list[tuple[Any, Any, list[tuple[str, str]]]] = [
    # A subclass, or another class, where a class is declared.
    (Customer, VipCustomer(), [("", "subclass")]),
    (Customer | None, VipCustomer(), [("", "subclass")]),
    (list[Customer], [Customer(), VipCustomer()], [("/1", "subclass")]),
    (tuple[Customer, ...], (VipCustomer(),), [("/0", "subclass")]),
    (tuple[str, Customer], ("a", VipCustomer()), [("/1", "subclass")]),
    (dict[str, Customer], {"a/b": VipCustomer()}, [("/a~1b", "subclass")]),
    (Mapping[str, Customer], {"a": VipCustomer()}, [("/a", "subclass")]),
    (Sequence[Customer], [VipCustomer()], [("/0", "subclass")]),
    (deque[Customer], deque([VipCustomer()]), [("/0", "subclass")]),
    (set[Frozen], {FrozenMore()}, [("/0", "subclass")]),
    (frozenset[Frozen], frozenset({FrozenMore()}), [("/0", "subclass")]),
    (list[dict[str, list[Line]]], [{"a": [GiftLine()]}], [("/0/a/0", "subclass")]),
    (Line, GiftLine(), [("", "subclass")]),
    (Slotted, SlottedMore(), [("", "subclass")]),
    (Slotted, Slotted(line=GiftLine()), [("/line", "subclass")]),
    (Frozen, FrozenMore(), [("", "subclass")]),
    (Checked, CheckedMore(), [("", "subclass")]),
    (Aliased, built(Aliased, customers=[VipCustomer()]), [("/cust~1omers~0/0", "subclass")]),
    (Customer, Stranger(), [("", "wrong_class")]),
    (Customer, OtherLine(), [("", "wrong_class")]),
    (Customer, Colour.RED, [("", "wrong_class")]),
    (Line, OtherLine(), [("", "wrong_class")]),
    (Page[Customer], built(Page[Customer], items=[VipCustomer()]), [("/items/0", "subclass")]),
    (Box[Line], Box(GiftLine()), [("/item", "subclass")]),
    (Row, Row("a", None, VipCustomer()), [("/2", "subclass")]),
    (Old, built(Old, customer=VipCustomer()), [("/customer", "subclass")]),
    (TypedExtras, built(TypedExtras, a=VipCustomer()), [("/a", "subclass")]),
    # In unions, also under a discriminator.
    (Cat | Line | str, Kitten(), [("", "subclass")]),
    (Cat | Line | None, GiftLine(), [("", "subclass")]),
    (Pet, Puppy(), [("", "subclass")]),
    (Pet, Cat(customer=VipCustomer()), [("/customer", "subclass")]),
    (list[Pet], [Dog(), Kitten()], [("/1", "subclass")]),
    (list[Customer] | Customer, [VipCustomer()], [("/0", "subclass")]),
    (list[Customer] | dict[str, Customer], {"a": VipCustomer()}, [("/a", "subclass")]),
    # Classes that refer to themselves.
    (Tree, Tree(children=[Tree(), BigTree()]), [("/children/1", "subclass")]),
    (Tree, Tree(by_name={"a": Tree(ratio=NAN)}), [("/by_name/a/ratio", "not_finite")]),
    (Node, Node(Node(LastNode())), [("/following/following", "subclass")]),
    (Json, {"a": [1.0, None, {"b": [NAN]}]}, [("/a/2/b/0", "not_finite")]),
    (Chain, {"following": {"no": 1}}, [("/following/no", "unknown_key")]),
    # NaN and the infinities, where null may be.
    (float | None, NAN, [("", "not_finite")]),
    (float | None, math.inf, [("", "not_finite")]),
    (list[FiniteFloat | str | None], [-math.inf], [("/0", "not_finite")]),
    (list[float | None], [1.0, NAN, None, -math.inf], [("/1", "not_finite"), ("/3", "not_finite")]),
    (dict[str, float | str | None], {"a": NAN}, [("/a", "not_finite")]),
    (Ratios, Ratios.model_construct([1.0, NAN]), [("/1", "not_finite")]),
    (Frozen, Frozen(NAN), [("/ratio", "not_finite")]),
    (Stamp, {"by": "a", "ratio": NAN}, [("/ratio", "not_finite")]),
    (Row, Row("a", NAN), [("/1", "not_finite")]),
    (Any, NAN, [("", "not_finite")]),
    (dict[str, Any], {"a": {"b": [1, NAN]}}, [("/a/b/1", "not_finite")]),
    (Extras, built(Extras, name="a", more=NAN), [("/more", "not_finite")]),
    (Constants, built(Constants, either=NAN), [("/either", "not_finite")]),
    (Literal["a"] | None, NAN, [("", "not_finite")]),
    (float | None, Decimal("NaN"), [("", "not_finite")]),
    # bool is an int for Python, and for nobody else.
    (int, True, [("", "bool_as_number")]),
    (float, False, [("", "bool_as_number")]),
    (int | None, True, [("", "bool_as_number")]),
    (int | str, True, [("", "bool_as_number")]),
    (float | None, True, [("", "bool_as_number")]),
    (list[int], [1, True], [("/1", "bool_as_number")]),
    (dict[str, int], {"a": False}, [("/a", "bool_as_number")]),
    (Level | int, True, [("", "bool_as_number")]),
    (Slotted, Slotted(count=True), [("/count", "bool_as_number")]),
    # Numbers that a float does not hold.
    (float, 2**53 + 1, [("", "inexact")]),
    (float | None, Decimal("0.1"), [("", "inexact")]),
    (dict[str, float], {"a": 1, "b": 2**60 + 1}, [("/b", "inexact")]),
    # Text that Pydantic makes of whatever is there.
    (Path, "a/b", [("", "wrong_type")]),
    (IPv4Address, "127.0.0.1", [("", "wrong_type")]),
    (Path | None, "a/b", [("", "wrong_type")]),
    (Line | Path, "a/b", [("", "wrong_type")]),
    (dict[Path, str], {"a": "b"}, [("/a", "wrong_type")]),
    (Sequence[int], {1, 2}, [("", "wrong_type")]),
    (AwareDatetime | Sequence[int], "2020-01-02T03:04:05Z", [("", "wrong_type")]),
    (Literal["red"], Colour.RED, [("", "wrong_type")]),
    (Literal["red"], b"red", [("", "wrong_type")]),
    # Keys that a TypedDict does not have, keys that are no text.
    (Stamp, {"by": "a", "be": "b"}, [("/be", "unknown_key")]),
    (list[Stamp], [{"by": "a"}, {"by": "a", "a": 1}], [("/1/a", "unknown_key")]),
    (dict[Any, str], {1: "a"}, [("", "key_as_text")]),
    (dict[int | str, str], {1: "a", "1": "b"}, [("", "key_as_text")]),
    (dict[str | None, str], {None: "a"}, [("", "key_as_text")]),
    (dict[UUID | str, str], {str(AN_ID): "a"}, [("", "key_as_text")]),
    # Unions that do not tell their choices apart.
    (str | UUID, str(AN_ID), [("", "union_choice")]),
    (IPv4Address | str, "127.0.0.1", [("", "union_choice")]),
    (str | Path, Path("a"), [("", "union_choice")]),
    (str | bytes, b"a", [("", "union_choice")]),
    (str | AwareDatetime, datetime(2020, 1, 2, tzinfo=UTC), [("", "union_choice")]),
    (str | Colour, Colour.RED, [("", "union_choice")]),
    (Decimal | str, "1.50", [("", "union_choice")]),
    (list[str] | list[UUID], [str(AN_ID)], [("", "union_choice")]),
    (list[int] | set[int], {1}, [("", "union_choice")]),
    (tuple[int, ...] | list[int], (1, 2), [("", "union_choice")]),
    (Customer | dict[str, str], {"name": "Ada"}, [("", "union_choice")]),
    (Customer | Stranger, Stranger(), [("", "union_choice")]),
    (MaybeText | None, MaybeText(None), [("", "union_choice")]),
    # Secrets.
    (SecretStr, SecretStr("hush"), [("", "masked")]),
    (list[SecretStr], [SecretStr(""), SecretStr("hush")], [("/1", "masked")]),
]


def short(value: object) -> str:
    """A name for a case that is the same in every process: a set has no order."""
    named = type(value).__name__ if isinstance(value, (set, frozenset)) else str(value)
    return named[:50]


@pytest.mark.parametrize(("declared", "value", "expected"), LOSSES, ids=short)
def test_each_loss_is_found_where_it_is(
    declared: Any, value: Any, expected: list[tuple[str, str]]
) -> None:
    assert faults(declared, value) == expected


@pytest.mark.parametrize(("declared", "value", "expected"), LOSSES, ids=short)
def test_writing_and_reading_back_would_not_have_said_so(
    declared: Any, value: Any, expected: list[tuple[str, str]]
) -> None:
    back = written_and_read(declared, value)
    assert not alike(value, back)


def alike(value: Any, back: Any) -> bool:
    """Equal, of the same classes as far as models and dataclasses go, and no bool for a number."""
    if type(value) is not type(back):
        return bool(value == back) and isinstance(value, bool) == isinstance(back, bool)
    if isinstance(value, BaseModel) or is_dataclass(value):
        one, other = (vars_of(each) for each in (value, back))
        return one.keys() == other.keys() and all(alike(one[name], other[name]) for name in one)
    if isinstance(value, list | tuple | deque):
        return len(value) == len(back) and all(map(alike, value, back))
    if isinstance(value, dict):
        return alike(list(value.items()), list(back.items()))
    return bool(value == back)


def vars_of(value: Any) -> dict[str, Any]:
    if isinstance(value, BaseModel):
        return {**value.__dict__, **(value.__pydantic_extra__ or {})}
    return {name: getattr(value, name) for name in value.__dataclass_fields__}


# Where nothing gets lost: valid values, and what the encoder finds by itself.
EXACT: list[tuple[Any, Any]] = [
    (Customer, Customer()),
    (Customer | None, None),
    (list[Customer], [Customer(name="a"), Customer(name="b")]),
    (dict[str, Customer], {"a": Customer()}),
    (Slotted, Slotted()),
    (Checked, Checked()),
    (Frozen, Frozen(0.5)),
    (set[Frozen], {Frozen(), Frozen(1.0)}),
    (Pet, Cat()),
    (list[Pet], [Dog(), Cat()]),
    (Annotated[Bark | Purr, Field(discriminator="kind")], {"kind": "purr", "softness": 1}),
    (Cat | Line | str, Line()),
    (Cat | Line | str, "cat"),
    (Page[Customer], Page[Customer](items=[Customer()])),
    (Page[Customer], Page(items=[Customer()])),
    (Box[Line], Box(Line())),
    (Row, Row("a", 1.0)),
    (Stamp, {"by": "a"}),
    (Stamp, {"by": "a", "ratio": None}),
    (Open, {"by": "a"}),
    (Extras, built(Extras, name="a", more={"a": [1.0, None, "b"]})),
    (Ratios, Ratios([1.0, None])),
    (Tree, Tree(children=[Tree(ratio=1.0)], by_name={"a": None, "b": Tree()})),
    (Node, Node(Node())),
    (Json, {"a": [1.0, None, {"b": ["c"]}]}),
    (Old, built(Old, customer=Customer())),
    (float | None, 1),
    (float | None, -0.0),
    (float, 2**53),
    (float, Decimal("0.5")),
    (int | None, 2**60),
    (bool | int, True),
    (int | bool, True),
    (bool | float | None, False),
    (Level | int, Level.LOW),
    (int, Level.LOW),
    (str, Shade.DARK),
    (Literal["dark"], Shade.DARK),
    (Literal[1, "a"], 1),
    (Literal[True], True),
    (str | UUID, AN_ID),
    (str | UUID, "no id"),
    (IPv4Address | str, IPv4Address("127.0.0.1")),
    (Colour | Literal["green"], Colour.RED),
    (int | float, 1.0),
    (Decimal | str, Decimal("1.50")),
    (list[int] | set[int], [1]),
    (Path, Path("a/b")),
    (Path | None, None),
    (Line | Path, Line()),
    (Sequence[int], [1, 2]),
    (Sequence[int], (1, 2)),
    (Sequence[Literal["a"]] | list[Customer], ["a"]),
    (Sequence[Literal["a"]] | list[Customer], [Customer()]),
    (Mapping[str, int], OrderedDict(a=1)),
    (dict[Any, str], {"a": "b"}),
    (dict[UUID | int, str], {AN_ID: "a", 1: "b"}),
    (dict[Path, str], {Path("a"): "b"}),
    (Any, {"a": [1, 1.5, None, True, "b", {"c": []}]}),
    (SecretStr, SecretStr("")),
    (datetime | None, datetime(2020, 1, 2, tzinfo=UTC)),
    (date | timedelta, timedelta(days=1)),
    # The encoder's work: it refuses these, or the reader does.
    (float, NAN),
    (list[float], [NAN]),
    (Strings, built(Strings, ratio=NAN)),
    (str, 1),
    (list[Customer], (Customer(),)),
    (list[Customer], Customer()),
    (dict[str, Customer], [Customer()]),
    (Stamp, Customer()),
    (tuple[Customer, Customer], (Customer(),)),
    (Literal["a"], "b"),
]


@pytest.mark.parametrize(("declared", "value"), EXACT, ids=short)
def test_what_comes_back_or_is_refused_anyway_is_no_loss(declared: Any, value: Any) -> None:
    assert faults(declared, value) == []


def test_constants_are_read_back() -> None:
    assert exactness_of(Constants)(built(Constants, ratio=NAN)) == ()


def test_the_users_own_serializers_are_left_alone() -> None:
    mine = built(OwnForm, a=VipCustomer(), b=NAN, c=VipCustomer())
    assert faults(OwnForm, mine) == []
    assert faults(WritesItself, built(WritesItself, customer=VipCustomer())) == []
    assert faults(Annotated[Customer, BeforeValidator(lambda value: value)], VipCustomer()) == [
        ("", "subclass")
    ]


def exactness_of(declared: Any) -> Any:
    check = exactness_check(TypeAdapter(declared))
    assert check is not None
    return check


# The law: where writing and reading back say nothing, the value came back or a fault is found.

LEAVES: list[Any] = [
    *(bool, int, float, FiniteFloat, str, bytes, Decimal, UUID, Path, IPv4Address, SecretStr),
    *(datetime, AwareDatetime, date, timedelta, Colour, Shade, Level),
    *(Literal["a", 1], Literal["red"]),
    *(Customer, Line, Slotted, Frozen, Checked, Stamp, Row, Page[Customer], Ratios, MaybeText),
    *(list[int], set[float], dict[str, float | None], dict[Path, int], tuple[int, Customer]),
]

POOL: list[Any] = [
    *(None, True, False, 0, 1, -5, 2**53 + 1, 0.0, 1.0, 1.5, NAN, math.inf),
    *("", "a", "1", "red", "dark", "2020-01-02T03:04:05Z", "127.0.0.1", str(AN_ID)),
    *(b"a", Decimal("0.1"), Decimal(1), Decimal("NaN"), AN_ID, Path("a"), IPv4Address("127.0.0.1")),
    *(datetime(2020, 1, 2, tzinfo=UTC), date(2020, 1, 2), timedelta(seconds=1.5)),
    *(Colour.RED, Shade.DARK, Level.LOW, SecretStr("a"), SecretStr("")),
    *(Customer(), VipCustomer(), Stranger(), Line(), GiftLine(), OtherLine()),
    *(Slotted(), SlottedMore(), Slotted(count=True), Frozen(), FrozenMore(), Frozen(NAN)),
    *(Checked(), CheckedMore(), Row("a"), Row("a", NAN), Page(items=[Customer()])),
    *(Ratios([1.0]), Ratios.model_construct([NAN]), MaybeText("a"), MaybeText(None)),
    *([], [1], [True], [1.5], [NAN], ["a"], [Customer()], (1,), (1, Customer()), {1}, {1.5}),
    *({}, {"a": 1}, {"a": NAN}, {"by": "a"}, {"by": "a", "no": 1}, {1: 1}, {Path("a"): 1}),
]

WRAPPERS: dict[str, Any] = {
    "plain": lambda leaf: leaf,
    "optional": lambda leaf: leaf | None,
    "or bool": lambda leaf: leaf | bool,
    "or text": lambda leaf: leaf | str,
    "text or": lambda leaf: str | leaf,
    "or number": lambda leaf: leaf | float | None,
    "or model": lambda leaf: leaf | Customer,
    "or dataclass": lambda leaf: Frozen | leaf | None,
}


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("leaf", LEAVES, ids=str)
def test_nothing_is_lost_without_a_fault_and_no_fault_is_without_a_loss(
    leaf: Any, wrapper: str
) -> None:
    holder = create_model("Holder", x=(WRAPPERS[wrapper](leaf), ...))
    adapter = TypeAdapter(holder)
    check = exactness_check(adapter) or (lambda value: ())
    for value in POOL:
        given = holder.model_construct(x=value)
        codes = {fault.code for fault in check(given)}
        try:
            written = adapter.dump_json(given, by_alias=True, warnings="error")
            back = adapter.validate_json(written, strict=True).__dict__["x"]
        except ValueError:
            continue  # found by the encoder
        if alike(value, back):
            assert codes <= {"wrong_type"}, (value, written)
        else:
            assert codes, (value, written, back)


# The whole value.


@pytest.mark.parametrize(
    ("declared", "value", "expected"),
    [
        # The caller has compared the class of the whole.
        (Page[Customer], Page[Customer](), []),
        (Tree, BigTree(), []),
        (Tree, BigTree(children=[BigTree()]), [("/children/0", "subclass")]),
        (Pet, Puppy(), []),
        (Pet, Kitten(customer=VipCustomer()), []),
        (Cat | Slotted, Slotted(line=GiftLine()), [("/line", "subclass")]),
        # What a whole value may lose besides.
        (list[Customer], [VipCustomer()], [("/0", "subclass")]),
        (Stamp, {"by": "a", "no": 1}, [("/no", "unknown_key")]),
        (
            Annotated[Bark | Purr, Field(discriminator="kind")],
            {"kind": "purr", "volume": 1},
            [("/volume", "unknown_key")],
        ),
        (Row, Row("a", NAN), [("/1", "not_finite")]),
        (Ratios, Ratios.model_construct([NAN]), [("/0", "not_finite")]),
        (Customer | Stranger, Stranger(), [("", "union_choice")]),
        (Customer | Stranger, Customer(), []),
    ],
)
def test_the_class_of_the_whole_is_the_callers_affair(
    declared: Any, value: Any, expected: list[tuple[str, str]]
) -> None:
    found = exactness_of(declared)(value)
    assert [(fault.path, fault.code) for fault in found] == expected


@pytest.mark.parametrize(
    "declared",
    [
        Customer,
        Line,
        dict[str, str],
        list[str | None],
        create_model("Flat", a=(str, ...), b=(Decimal, ...), c=(AwareDatetime, ...), d=(bool, ...)),
        create_model("Deep", a=(dict[str, list[set[str]]], ...), b=(Colour | None, ...)),
        create_model("Mixed", a=(str | list[bool] | None, ...)),
        OwnForm,
        WritesItself,
    ],
)
def test_types_with_nothing_to_lose_have_no_check(declared: Any) -> None:
    assert exactness_check(TypeAdapter(declared)) is None


def test_faults_say_what_would_happen() -> None:
    check = exactness_of(create_model("Holder", a=(Customer, ...), b=(float | None, ...)))
    holder = SimpleNamespace(a=VipCustomer(), b=NAN)
    first, second = check(holder)
    assert first.message.startswith("a VipCustomer, not a Customer")
    assert second.message.startswith("nan is not in JSON")


# It never raises.


class Evil:
    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)


def endless() -> Any:
    tree = Tree()
    tree.children.append(tree)
    node = Node()
    node.following = node
    chain: Chain = {}
    chain["following"] = chain
    nest: list[Any] = []
    nest.append(nest)
    return tree, node, chain, nest


def test_it_never_raises() -> None:
    tree, node, chain, nest = endless()
    strange: list[Any] = [
        *(None, 1, "a", b"a", [], {}, object(), Evil(), Customer, tree, node, chain, nest),
        Customer.model_construct(name=Evil()),
        object.__new__(Slotted),
        object.__new__(Tree),
        iter([Evil()]),
    ]
    types: list[Any] = [declared for declared, *_ in LOSSES]
    for declared in types:
        check = exactness_check(TypeAdapter(declared))
        for value in strange if check is not None else []:
            assert isinstance(check(value), tuple)  # type: ignore[misc]
            faults(declared, value)


def test_schemas_of_the_future_are_passed_over() -> None:
    for schema in ({"type": "martian"}, {"type": "list", "items_schema": {"type": "martian"}}, {}):
        adapter: Any = SimpleNamespace(core_schema=schema)
        assert exactness_check(adapter) is None


def test_iterators_are_not_used_up() -> None:
    def lines() -> Iterator[Line]:
        yield GiftLine()

    for declared in (Iterable[Line], Iterable[Line] | list[Line], Iterable[Line] | None):
        given_once = lines()
        faults(declared, given_once)
        assert list(given_once) == [GiftLine()]


def test_deprecated_fields_are_looked_at_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert faults(Old, built(Old, customer=VipCustomer())) == [("/customer", "subclass")]
