"""What a type warns of when it is registered: each hazard where it is, the way out, and that what
it says of Pydantic is so."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import InitVar, dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from ipaddress import IPv4Address
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, NotRequired, TypeVar
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import (
    AliasChoices,
    AliasPath,
    AwareDatetime,
    Base64Bytes,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FiniteFloat,
    GetPydanticSchema,
    NaiveDatetime,
    PastDatetime,
    PlainSerializer,
    PlainValidator,
    RootModel,
    SecretStr,
    SkipValidation,
    TypeAdapter,
    ValidationError,
    computed_field,
    create_model,
    field_serializer,
    model_serializer,
)
from pydantic import dataclasses as pydantic_dataclasses
from pydantic_core import core_schema
from typing_extensions import TypeAliasType, TypedDict

from omniq_typed.messages.portability import Hazard, hazards
from omniq_typed.messages.regex_dialects import unportable_regex

MOST = 2**53 - 1
T = TypeVar("T")

SafeInt = Annotated[int, Field(ge=-MOST, le=MOST)]
OrderId = NewType("OrderId", str)


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    LOW = 1
    HIGH = 2**60


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"
    lives: SafeInt = 9


class Dog(BaseModel):
    kind: Literal["dog"] = "dog"
    name: str = ""


class Row(NamedTuple):
    name: str
    at: datetime


class Stamp(TypedDict):
    at: datetime
    by: NotRequired[str]


class Bytes64(BaseModel):
    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")
    data: bytes


class BytesHex(BaseModel):
    model_config = ConfigDict(ser_json_bytes="hex", val_json_bytes="hex")
    data: bytes


class BytesOneWay(BaseModel):
    model_config = ConfigDict(ser_json_bytes="base64")
    data: bytes


class FiniteByConfig(BaseModel):
    model_config = ConfigDict(allow_inf_nan=False)
    ratio: float
    ratios: list[float]


class BytesAround(BaseModel):
    """Its own configuration is not that of the class inside."""

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")
    data: bytes
    inner: BytesOneWay


def found(declared: Any) -> set[tuple[str, str]]:
    return {(each.path, each.code) for each in hazards(TypeAdapter(declared))}


def at_x(declared: Any) -> set[tuple[str, str]]:
    """The hazards of a field `x` of this type, by the path below it."""
    holder = create_model("Holder", x=(declared, ...))
    return {(path.removeprefix("/x"), code) for path, code in found(holder)}


# Declared type of a field → where below it, and what.
FIELDS: list[tuple[Any, set[tuple[str, str]]]] = [
    # Times.
    (datetime, {("", "naive_datetime")}),
    (PastDatetime, {("", "naive_datetime")}),
    (NaiveDatetime, {("", "naive_datetime")}),
    (time, {("", "naive_datetime")}),
    (datetime | None, {("", "naive_datetime")}),
    (list[datetime], {("/*", "naive_datetime")}),
    (dict[str, list[datetime]], {("/*/*", "naive_datetime")}),
    (tuple[str, datetime], {("/1", "naive_datetime")}),
    (tuple[datetime, ...], {("/*", "naive_datetime")}),
    (set[datetime], {("/*", "naive_datetime")}),
    (Row, {("/1", "naive_datetime")}),
    (Stamp, {("/at", "naive_datetime")}),
    (AwareDatetime, set()),
    (date, set()),
    (timedelta, {("", "timedelta")}),
    # Bytes.
    (bytes, {("", "bytes_not_base64")}),
    (BytesOneWay, {("/data", "bytes_not_base64")}),
    (BytesAround, {("/inner/data", "bytes_not_base64")}),
    (Bytes64, set()),
    (BytesHex, set()),
    (Base64Bytes, set()),
    # Numbers.
    (float, {("", "nan")}),
    (Annotated[float, Field(ge=0)], {("", "nan")}),
    (Annotated[float, Field(ge=0, le=1)], set()),
    (Annotated[float | None, Field(ge=0, le=1)], set()),
    (FiniteFloat, set()),
    (FiniteByConfig, set()),
    (int, {("", "unbounded_int")}),
    (Annotated[int, Field(ge=0)], {("", "unbounded_int")}),
    (Annotated[int, Field(gt=0, lt=2**53)], set()),
    (Annotated[int, Field(gt=0, lt=2**53 + 1)], {("", "unbounded_int")}),
    (SafeInt, set()),
    (list[SafeInt | str | None], set()),
    (Decimal, set()),
    (bool, set()),
    (Literal[1, 2**60], set()),
    (Level, set()),
    # Text.
    (str, set()),
    (Annotated[str, Field(pattern=r"^\d+$")], {("", "pattern")}),
    (Annotated[str, Field(pattern=r"^[0-9]+$")], set()),
    (dict[Annotated[str, Field(pattern=r"\w")], str], {("/*", "pattern")}),
    (UUID, set()),
    (IPv4Address, set()),
    (Path, set()),
    (Colour, set()),
    (OrderId, set()),
    (SecretStr, {("", "secret")}),
    # Unions.
    (SafeInt | str, set()),
    (str | list[SafeInt], set()),
    (bool | SafeInt, set()),
    (Literal["a"] | Literal["b"], set()),
    (Colour | Literal["green"], set()),
    (Cat | list[Cat], set()),
    (Annotated[Cat | Dog, Field(discriminator="kind")], set()),
    (Cat | None, set()),
    (Cat | Dog, {("", "ambiguous_union")}),
    (Cat | dict[str, str], {("", "ambiguous_union")}),
    (str | UUID, {("", "ambiguous_union")}),
    (IPv4Address | str, {("", "ambiguous_union")}),
    (Path | Colour, {("", "ambiguous_union")}),
    (AwareDatetime | date, {("", "ambiguous_union")}),
    (SafeInt | FiniteFloat, {("", "ambiguous_union")}),
    (Decimal | FiniteFloat, {("", "ambiguous_union")}),
    (Literal["a"] | str, {("", "ambiguous_union")}),
    (Colour | Literal["red"], {("", "ambiguous_union")}),
    (Literal[1] | bool, {("", "ambiguous_union")}),
    (list[str] | set[str], {("", "ambiguous_union")}),
    (list[Cat | Dog], {("/*", "ambiguous_union")}),
    (RootModel[str | None] | None, {("", "ambiguous_union")}),
    (RootModel[str | None] | bool | None, {("", "ambiguous_union")}),
    (RootModel[str | None] | Literal[1, None], {("", "ambiguous_union")}),
    (Row | Cat, {("", "ambiguous_union"), ("/1", "naive_datetime")}),
    (dict[SafeInt | str, str], {("/*", "ambiguous_union")}),
    (dict[str | None, str], {("/*", "ambiguous_union")}),
    (dict[Literal["a"] | Literal["b"], str], set()),
    (dict[SafeInt, str], set()),
    # Anything.
    (Any, {("", "any")}),
    (object, {("", "any")}),
    (list, {("/*", "any")}),  # pyright: ignore[reportUnknownArgumentType, reportMissingTypeArgument]
    (dict, {("/*", "any")}),  # pyright: ignore[reportUnknownArgumentType, reportMissingTypeArgument]
    (dict[str, Any], {("/*", "any")}),
    (SkipValidation[str], {("", "any")}),
]


def short(value: object) -> str:
    """A name for a case that is the same in every process: a set has no order."""
    return str(sorted(value) if isinstance(value, set) else value)[:60]


@pytest.mark.parametrize(("declared", "expected"), FIELDS, ids=short)
def test_each_hazard_is_named_where_it_is(declared: Any, expected: set[tuple[str, str]]) -> None:
    assert at_x(declared) == expected


# Objects: what is written under one name and read under another, or not at all.


@dataclass
class Counted:
    name: str
    seen: SafeInt = field(default=0, init=False)


@dataclass
class WithInitVar:
    name: str
    secret: InitVar[str] = ""


@pydantic_dataclasses.dataclass(config=ConfigDict(extra="forbid"))
class CountedStrictly:
    name: str
    seen: SafeInt = field(default=0, init=False)


@pydantic_dataclasses.dataclass(config=ConfigDict(extra="forbid"))
class AreaDataclass:
    side: SafeInt

    @computed_field  # type: ignore[prop-decorator]
    @property
    def area(self) -> SafeInt:
        return self.side**2


class Area(BaseModel):
    side: SafeInt

    @computed_field  # type: ignore[prop-decorator]
    @property
    def area(self) -> SafeInt:
        return self.side**2


class AreaForbids(Area, extra="forbid"): ...


class AreaAllows(Area, extra="allow"): ...


class AreaNamed(BaseModel):
    model_config = ConfigDict(extra="forbid")

    @computed_field(alias="squareMetres")  # type: ignore[prop-decorator]
    @property
    def area(self) -> float:
        return 1.0


class OneAlias(BaseModel):
    id: str = Field(alias="orderId")


class TwoAliases(BaseModel):
    id: str = Field(default="", validation_alias="order_id", serialization_alias="orderId")


class ReadAlias(BaseModel):
    id: str = Field(default="", validation_alias="orderId")


class WriteAlias(BaseModel):
    id: str = Field(default="", serialization_alias="a/b~c")


class Choices(BaseModel):
    id: str = Field(default="", validation_alias=AliasChoices("order_id", "orderId"))


class ChoicesFirst(BaseModel):
    id: str = Field(default="", validation_alias=AliasChoices("id", "orderId"))


class ChoicesSecond(BaseModel):
    id: str = Field(default="", validation_alias=AliasChoices("orderId", "id"))


class ByPath(BaseModel):
    id: str = Field(default="", validation_alias=AliasPath("order", "id"))


class ByOwnPath(BaseModel):
    id: str = Field(default="", validation_alias=AliasPath("id", "text"))


class ByName(BaseModel):
    model_config = ConfigDict(populate_by_name=True)
    id: str = Field(default="", validation_alias="orderId")


class Excluded(BaseModel):
    at: datetime | None = Field(default=None, exclude=True)


OBJECTS: list[tuple[Any, set[tuple[str, str]]]] = [
    (Counted, {("/seen", "init_false")}),
    (CountedStrictly, {("/seen", "init_false")}),
    (WithInitVar, {("/secret", "init_false")}),
    (Area, set()),
    (AreaForbids, {("/area", "computed_field")}),
    (AreaAllows, {("/area", "computed_field")}),
    (AreaDataclass, {("/area", "computed_field")}),
    (AreaNamed, {("/squareMetres", "computed_field"), ("/squareMetres", "nan")}),
    (OneAlias, set()),
    (ChoicesFirst, set()),
    (TwoAliases, {("/orderId", "alias_choices")}),
    (ReadAlias, {("/id", "alias_choices")}),
    (WriteAlias, {("/a~1b~0c", "alias_choices")}),
    (Choices, {("/id", "alias_choices")}),
    (ChoicesSecond, {("/id", "alias_choices")}),
    (ByPath, {("/id", "alias_choices")}),
    (ByOwnPath, {("/id", "alias_choices")}),
    (ByName, {("/id", "alias_choices")}),
    (Excluded, set()),
    (list[Counted], {("/*/seen", "init_false")}),
    (dict[str, ReadAlias], {("/*/id", "alias_choices")}),
]


@pytest.mark.parametrize(("declared", "expected"), OBJECTS)
def test_names_and_fields_that_do_not_come_back(
    declared: Any, expected: set[tuple[str, str]]
) -> None:
    assert found(declared) == expected


def test_the_alias_hazard_says_what_does_not_fit() -> None:
    def problem(declared: Any) -> str:
        return hazards(TypeAdapter(declared))[0].problem

    assert problem(ReadAlias) == "written as 'id', looked for as 'orderId'"
    assert problem(Choices) == "written as 'id', looked for as 'order_id' or 'orderId'"
    assert problem(ByPath) == "written as 'id', looked for as a path"
    assert problem(ByName) == "written as 'id', its schema for readers says 'orderId'"


SILENTLY_LOST: list[Any] = [
    TwoAliases.model_construct(id="A"),
    ReadAlias.model_construct(id="A"),
    WriteAlias(id="A"),
    Choices.model_construct(id="A"),
    ByPath.model_construct(id="A"),
    AreaAllows(side=2),
    Counted("a"),
    SecretStr("a"),
]
SILENTLY_LOST[-2].seen = 7


@pytest.mark.parametrize("value", SILENTLY_LOST, ids=lambda value: type(value).__name__)
def test_what_is_called_lost_is_lost_without_an_error(value: Any) -> None:
    adapter = TypeAdapter[Any](type(value))
    written = adapter.dump_json(value, by_alias=True, warnings="error")
    assert adapter.validate_json(written, strict=True) != value


REFUSED: list[Any] = [
    CountedStrictly("a"),
    AreaForbids(side=2),
    AreaDataclass(side=2),
    create_model("Infinite", x=(float, ...))(x=math.inf),
    create_model("Wait", __config__=ConfigDict(ser_json_timedelta="float"), x=(timedelta, ...))(
        x=timedelta(seconds=1.5)
    ),
]


@pytest.mark.parametrize("value", REFUSED, ids=lambda value: type(value).__name__)
def test_what_is_called_refused_is_refused_by_its_own_reader(value: Any) -> None:
    adapter = TypeAdapter[Any](type(value))
    assert hazards(adapter)
    with pytest.raises(ValidationError):
        adapter.validate_json(adapter.dump_json(value, by_alias=True), strict=True)


WAYS_OUT: list[tuple[Any, Any]] = [
    (AwareDatetime, datetime(2020, 1, 2, 3, 4, 5, 678, tzinfo=UTC)),
    (FiniteFloat, timedelta(days=400, microseconds=1).total_seconds()),
    (Bytes64, Bytes64(data=bytes(range(256)))),
    (BytesHex, BytesHex(data=bytes(range(256)))),
    (Base64Bytes, bytes(range(256))),
    (SafeInt, -MOST),
    (Annotated[str, Field(pattern="^[0-9]{2}$")], "42"),
    (OneAlias, OneAlias(orderId="A")),
    (Annotated[Cat | Dog, Field(discriminator="kind")], Dog(name="Rex")),
    (dict[str, str], {"1": "one"}),
    (tuple[str, ...], ("a", "b")),
]


@pytest.mark.parametrize(("declared", "value"), WAYS_OUT, ids=short)
def test_every_way_out_comes_back_as_it_was_and_warns_of_nothing(declared: Any, value: Any) -> None:
    holder = create_model("Holder", x=(declared, ...))
    adapter = TypeAdapter(holder)
    written = adapter.dump_json(holder.model_construct(x=value), by_alias=True, warnings="error")
    assert adapter.validate_json(written, strict=True).__dict__["x"] == value
    assert hazards(adapter) == ()


def test_dates_as_numbers_are_warned_of_where_pydantic_writes_them() -> None:
    config: Any = {"ser_json_temporal": "seconds"}
    holder = create_model("Holder", __config__=config, x=(AwareDatetime, ...), y=(date, ...))
    adapter = TypeAdapter(holder)
    value = holder(x=datetime(2020, 1, 2, tzinfo=UTC), y=date(2020, 1, 2))
    written = adapter.dump_json(value)
    if written == b'{"x":"2020-01-02T00:00:00Z","y":"2020-01-02"}':
        assert hazards(adapter) == ()  # a release of Pydantic that has no such setting
        return
    with pytest.raises(ValidationError):
        adapter.validate_json(written, strict=True)
    codes = [(each.path, each.code) for each in hazards(adapter)]
    assert codes == [("/x", "temporal_number"), ("/y", "temporal_number")]


# The whole type.


class Root(RootModel[list[SafeInt]]): ...


class TextRoot(RootModel[str]): ...


class WrittenAsText(BaseModel):
    x: str

    @model_serializer
    def write(self) -> str:
        return self.x


SCALARS = [
    str,
    AwareDatetime,
    Literal["a"],
    Colour,
    OrderId,
    TextRoot,
    Cat | None,
    Cat | str,
    WrittenAsText,
]
STRUCTURES = [
    Cat,
    Counted,
    Stamp,
    Row,
    Root,
    list[str],
    tuple[str, str],
    dict[str, str],
    Cat | list[Cat],
    Annotated[Cat | Dog, Field(discriminator="kind")],
    Any,  # can be one
]


@pytest.mark.parametrize("declared", SCALARS)
def test_a_payload_that_may_be_a_scalar_is_fatal(declared: Any) -> None:
    fatal = [each for each in hazards(TypeAdapter(declared)) if each.fatal]
    assert [(each.path, each.code) for each in fatal] == [("", "scalar_payload")]


@pytest.mark.parametrize("declared", STRUCTURES)
def test_a_payload_that_is_an_object_or_array_is_not(declared: Any) -> None:
    assert not any(each.fatal for each in hazards(TypeAdapter(declared)))


# Types that refer to themselves.


class Tree(BaseModel):
    at: datetime
    children: list[Tree] = Field(default_factory=list)
    by_name: dict[str, Tree | None] = Field(default_factory=dict)


class Ping(BaseModel):
    ratio: float = 0.0
    pong: Pong | None = None


class Pong(BaseModel):
    ping: Ping | None = None
    data: bytes = b""


class Page(BaseModel, Generic[T]):
    items: list[T]
    following: Page[T] | None = None


Json = TypeAliasType("Json", "dict[str, Json] | list[Json] | str | float | None")


def test_recursive_types_name_each_hazard_by_its_shortest_path() -> None:
    assert found(Tree) == {("/at", "naive_datetime")}
    assert found(Pong) == {("/data", "bytes_not_base64"), ("/ping/ratio", "nan")}
    assert found(Ping) == {("/ratio", "nan"), ("/pong/data", "bytes_not_base64")}
    assert found(Page[datetime]) == {("/items/*", "naive_datetime")}
    assert at_x(Json) == {("", "nan")}


def test_a_lattice_of_classes_is_walked_in_no_time() -> None:
    below: Any = create_model("Model0", x=(float, ...))
    for level in range(1, 60):  # 2**59 paths lead to the float
        below = create_model(f"Model{level}", left=(below, ...), right=(below, ...))
    assert found(below) == {("/left" * 59 + "/x", "nan")}


# What nobody can judge.


class CustomEverywhere(BaseModel):
    a: Annotated[datetime, PlainSerializer(str)]
    b: Annotated[Any, PlainValidator(lambda value: value)]
    c: datetime

    @field_serializer("c")
    def write(self, value: datetime) -> str:
        return value.isoformat()


class Martian(BaseModel):
    a: Annotated[str, GetPydanticSchema(lambda _s, _h: core_schema.callable_schema())]
    b: Annotated[str, GetPydanticSchema(lambda _s, _h: core_schema.is_instance_schema(Cat))]


UNKNOWN: list[Any] = [
    {"type": "martian", "schema": {"type": "int"}},
    {"type": "list", "items_schema": {"type": "martian"}},
    {"type": "definition-ref", "schema_ref": "nowhere"},
    {
        "type": "definitions",
        "schema": {"type": "definition-ref", "schema_ref": "me"},
        "definitions": [{"type": "definition-ref", "schema_ref": "me", "ref": "me"}],
    },
    {"type": "union", "choices": []},
    {"type": "nullable"},
    {"type": "model"},
    {"type": "dataclass"},
    {"type": "chain", "steps": []},
    {},
]


@pytest.mark.parametrize("declared", [CustomEverywhere, Martian])
def test_custom_serializers_and_validators_are_not_judged(declared: Any) -> None:
    assert found(declared) == set()


@pytest.mark.parametrize("schema", UNKNOWN, ids=str)
def test_schemas_of_the_future_are_passed_over(schema: Any) -> None:
    adapter: Any = SimpleNamespace(core_schema=schema)
    assert {each.code for each in hazards(adapter)} <= {"any", "scalar_payload"}


def test_validators_around_a_type_hide_nothing() -> None:
    assert at_x(Annotated[datetime, BeforeValidator(lambda value: value)]) == {
        ("", "naive_datetime")
    }


def test_one_hazard_per_path_and_code() -> None:
    listed = hazards(TypeAdapter(list[dict[Any, Any]]))
    assert [(each.path, each.code) for each in listed] == [("/*/*", "any")]


def test_an_iterator_is_read_after_the_check() -> None:
    assert ("", "lazy_iterable") in at_x(Iterable[str])
    read = TypeAdapter[Any](Iterable[str]).validate_json(b"[1]", strict=True)
    with pytest.raises(ValidationError):
        list(read)


def test_each_says_what_is_wrong_and_what_to_write_instead() -> None:
    everything = [
        each
        for declared, _ in FIELDS + OBJECTS
        for each in hazards(TypeAdapter(create_model("Holder", x=(declared, ...))))
    ]
    assert len({each.code for each in everything}) == 12
    for each in everything:
        assert len(each.problem) > 20 and len(each.way_out) > 20
        assert "{" not in each.problem + each.way_out


def test_hazards_are_values() -> None:
    one = hazards(TypeAdapter(list[bytes]))[0]
    assert one == Hazard(one.path, one.code, one.problem, one.way_out)
    assert (one.path, one.code, one.fatal) == ("/*", "bytes_not_base64", False)


# Laws.

bounds = st.fixed_dictionaries(
    {},
    optional={
        name: st.sampled_from([-math.inf, -1.0, 0.0, 1.0, math.inf])
        for name in ("ge", "gt", "le", "lt")
    },
)


def takes(declared: Any, value: Any) -> bool:
    try:
        TypeAdapter(declared).validate_python(value, strict=True)
    except ValidationError:
        return False
    return True


@given(bounds)
def test_a_float_is_safe_if_and_only_if_its_bounds_keep_nan_out(limits: dict[str, Any]) -> None:
    declared = Annotated[float, Field(**limits)]
    loose = any(takes(declared, odd) for odd in (math.nan, math.inf, -math.inf))
    assert (at_x(declared) == {("", "nan")}) == loose


@given(
    st.fixed_dictionaries(
        {},
        optional={
            name: st.sampled_from(
                [-(2**60), -(2**53) - 1, -(2**53), -MOST, 0, MOST, 2**53, 2**53 + 1, 2**60]
            )
            for name in ("ge", "gt", "le", "lt")
        },
    )
)
@example({"ge": -MOST, "le": MOST})
@example({"gt": -(2**53), "lt": 2**53})
def test_an_int_is_safe_if_and_only_if_none_beyond_2_to_53_is_taken(limits: dict[str, Any]) -> None:
    declared = Annotated[int, Field(**limits)]
    beyond = [2**53, 2**53 + 1, 2**53 + 2, 2**60 + 1, 2**60 - 1, 2**61]
    possible = [each for big in beyond for each in (big, -big)]
    if any(takes(declared, each) for each in possible):
        assert at_x(declared) == {("", "unbounded_int")}
    elif any(takes(declared, each) for each in (0, 1, -1, MOST, -MOST)):
        assert at_x(declared) == set()


PATTERNS = [
    (r"^[A-Z]{3}-[0-9]+$", []),
    (r"^(?:a|b)*[^\]\-.]\.\\d$", []),
    (r"\u00e4\x41\n\t\/", []),
    (r"[a+]+[*?]+x{2}", []),
    (r"^\d+\w?\s$", [r"\d", r"\w", r"\s"]),
    (r"[\d\D]", [r"\d", r"\D"]),
    (r"\bword\b", [r"\b"]),
    (r"(?i)abc", ["(?i)"]),
    (r"(?s:a.b)", ["(?s:"]),
    (r"(?<=a)b(?!c)", ["(?<=", "(?!"]),
    (r"(?P<year>[0-9])", ["(?P<"]),
    (r"(?<year>[0-9])", ["(?<"]),
    (r"(a)\1", [r"\1"]),
    (r"\p{L}+", [r"\p{L}"]),
    (r"\x{41}", [r"\x{41}"]),
    (r"\Aab\Z", [r"\A", r"\Z"]),
    (r"[[:alpha:]]", ["[[:"]),
    (r"[a-z&&[^b]]", ["&&"]),
    (r"a++b", ["++"]),
    (r"(?>a)", ["(?>"]),
]


@pytest.mark.parametrize(("pattern", "expected"), PATTERNS)
def test_constructs_that_regex_engines_do_not_share(pattern: str, expected: list[str]) -> None:
    assert unportable_regex(pattern) == expected


def test_python_s_dollar_and_flags_do_not_travel() -> None:
    assert unportable_regex("^a$", python=True) == ["$"]
    assert unportable_regex(re.compile("a", re.IGNORECASE)) == ["re.IGNORECASE"]
    python_re = ConfigDict(regex_engine="python-re")
    holder = create_model("Holder", __config__=python_re, x=(str, Field(pattern="^[a-z]$")))
    assert found(holder) == {("/x", "pattern")}


def test_the_pattern_hazard_names_what_is_odd() -> None:
    (only,) = hazards(TypeAdapter(list[Annotated[str, Field(pattern=r"^\d\s$")]]))
    assert only.problem.endswith(r"\d, \s")
    assert "[0-9]" in only.way_out
    digits = TypeAdapter(Annotated[str, Field(pattern=r"^\d$")])
    assert digits.validate_python("\u0663")  # an Arabic three, which no ECMAScript takes for \d
