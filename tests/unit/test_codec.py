"""Messages to checked JSON and back, and the names under which their types are registered."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, RootModel, create_model, model_validator

from omniq_typed.core.enqueue import publish_one
from omniq_typed.errors import (
    InvalidArgument,
    InvalidMessageType,
    InvalidPayload,
    UndecodableJob,
    UnstructuredPayload,
)
from omniq_typed.messages.codec import decode, encode, encode_unregistered
from omniq_typed.messages.message import message
from omniq_typed.messages.message_type import MessageType
from omniq_typed.messages.registry import Registry
from omniq_typed.models import NewJob

registry = Registry()


@message("test.line", registry=registry)
@dataclass
class Line:
    sku: str
    count: int


@message("test.order", version=2, registry=registry)
@dataclass
class Order:
    id: str
    lines: list[Line] = field(default_factory=list)
    note: str | None = None
    price: float = 0.0
    by_key: dict[str, list[int]] = field(default_factory=dict)


@message("test.person", registry=registry)
class Person(BaseModel):
    name: str
    age: int = Field(default=1, gt=0)
    born_in: str = Field(alias="bornIn")
    friend: Person | None = None
    tags: list[str] = Field(default_factory=list)


class Employee(Person):
    salary: int = 0


@message("test.numbers", registry=registry)
class Numbers(RootModel[list[int]]):
    pass


@message("test.slashes", registry=registry)
@dataclass
class Slashes:
    counts: dict[str, int]


def write(value: Any, cls: type[Any] | None = None) -> bytes:
    return encode(registry.of_type(cls or type(value)), value)


def read(cls: type[Any], payload: bytes) -> Any:
    return decode(registry.of_type(cls), payload)


def person(**fields: Any) -> Person:
    return Person(**{"name": "Ann", "bornIn": "Oslo", **fields})


def mutated(model: Person, **fields: Any) -> Person:
    for name, value in fields.items():
        setattr(model, name, value)
    return model


def faults_of(value: Any, cls: type[Any] | None = None) -> list[tuple[str, str]]:
    with pytest.raises(InvalidPayload) as caught:
        write(value, cls)
    assert caught.value.message_type == registry.of_type(cls or type(value)).label
    assert all(fault.message for fault in caught.value.faults)
    return [(fault.path, fault.code) for fault in caught.value.faults]


def anything(value: object) -> Any:
    """Past the type checker: what a program without one may do."""
    return value


texts = st.text(st.characters(exclude_categories=["Cs"]))
numbers = st.integers(-(2**60), 2**60)
lines = st.builds(Line, texts, numbers)
orders = st.builds(
    Order,
    texts,
    st.lists(lines, max_size=3),
    st.none() | texts,
    st.floats(allow_nan=False, allow_infinity=False),
    st.dictionaries(texts, st.lists(numbers, max_size=2), max_size=3),
)


@given(orders)
def test_what_is_written_is_read_again(order: Order) -> None:
    assert read(Order, write(order)) == order


@given(texts, st.integers(1, 10**9), st.lists(texts, max_size=3))
def test_a_model_is_read_again(name: str, age: int, tags: list[str]) -> None:
    it = person(name=name, age=age, tags=tags, friend=person())
    assert read(Person, write(it)) == it


def test_the_json_is_compact_and_by_alias() -> None:
    assert write(Line("a", 1)) == b'{"sku":"a","count":1}'
    written = orjson.loads(write(person()))
    assert written["bornIn"] == "Oslo" and "born_in" not in written
    with pytest.raises(UndecodableJob) as caught:
        read(Person, b'{"name":"Ann","born_in":"Oslo"}')
    assert [(f.path, f.code) for f in caught.value.faults] == [("/bornIn", "missing")]


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        pytest.param(Line(anything(5), 1), ("/sku", "string_type"), id="int in str"),
        pytest.param(Line("a", anything("1")), ("/count", "int_type"), id="str in int"),
        pytest.param(Line("a", anything(1.5)), ("/count", "int_type"), id="float in int"),
        pytest.param(Line("a", anything(None)), ("/count", "int_type"), id="None in int"),
        pytest.param(
            Order("a", [Line("b", anything("x"))]), ("/lines/0/count", "int_type"), id="nested"
        ),
        pytest.param(Order("a", anything(None)), ("/lines", "list_type"), id="None in list"),
        pytest.param(Order("a", note=anything(5)), ("/note", "string_type"), id="int in Optional"),
        pytest.param(Order("a", price=float("nan")), ("/price", "float_type"), id="NaN"),
        pytest.param(Order("a", price=float("inf")), ("/price", "float_type"), id="infinity"),
        pytest.param(
            Order("a", by_key={"k": [1, anything("2")]}),
            ("/by_key/k/1", "int_type"),
            id="in a dict",
        ),
        pytest.param(
            Slashes({"a/b~c": anything("1")}), ("/counts/a~1b~0c", "int_type"), id="RFC 6901"
        ),
        pytest.param(mutated(person(), age=0), ("/age", "greater_than"), id="mutated: rule"),
        pytest.param(mutated(person(), age="x"), ("/age", "int_type"), id="mutated: type"),
        pytest.param(mutated(person(), born_in=5), ("/bornIn", "string_type"), id="mutated: alias"),
        pytest.param(mutated(person(), name=b"x"), ("/name", "string_type"), id="mutated: bytes"),
        pytest.param(mutated(person(), tags=("a",)), ("/tags", "list_type"), id="mutated: tuple"),
        pytest.param(
            person(friend=mutated(person(), name=7)),
            ("/friend/name", "string_type"),
            id="mutated inside",
        ),
        pytest.param(
            Person.model_construct(name=5, born_in="x"),
            ("/name", "string_type"),
            id="model_construct",
        ),
    ],
)
def test_a_wrong_value_is_refused_with_its_place(value: Any, fault: tuple[str, str]) -> None:
    assert faults_of(value) == [fault]


def test_every_fault_is_told() -> None:
    order = Order(anything(1), [Line("a", 1), Line(anything(2), anything("x"))])
    assert [path for path, _ in faults_of(order)] == ["/id", "/lines/1/sku", "/lines/1/count"]


def test_fields_that_model_construct_left_out_are_missing() -> None:
    assert faults_of(Person.model_construct()) == [("/name", "missing"), ("/bornIn", "missing")]
    assert write(Person.model_construct(name="Ann", born_in="Oslo")) == write(person())


def test_a_dataclass_field_that_was_deleted_is_refused() -> None:
    line = Line("a", 1)
    del line.sku
    assert faults_of(line) == [("", "serialization")]


@pytest.mark.parametrize("raw", [b"abc", b"\xff"])
def test_bytes_in_a_str_field_are_refused(raw: bytes) -> None:
    """Also those that could be read as text: the reader would get another type than was sent."""
    assert len(faults_of(Line(anything(raw), 1))) == 1
    assert len(faults_of(mutated(person(), name=raw))) == 1
    assert len(faults_of(person(friend=mutated(person(), name=raw)))) == 1


@pytest.mark.parametrize(
    "value",
    [
        Order("a", anything((Line("b", 1),))),
        Order("a", anything([{"sku": "b", "count": 1}])),
        Order("\ud800"),
        Order("a", note=anything(object())),
    ],
    ids=["tuple for list", "dict for dataclass", "lone surrogate", "unknown type"],
)
def test_what_would_come_back_as_something_else_is_refused(value: Order) -> None:
    assert len(faults_of(value)) == 1


def test_a_value_that_holds_itself_is_refused() -> None:
    it = person()
    it.friend = it
    assert faults_of(it) == [("", "serialization")]


@pytest.mark.parametrize(
    "value",
    [Employee(name="Ann", bornIn="Oslo"), Line("a", 1), {"name": "Ann"}, None, Person],
    ids=["subclass", "another type", "dict", "None", "the class"],
)
def test_only_an_instance_of_the_very_class_is_written(value: object) -> None:
    assert faults_of(value, Person) == [("", "wrong_class")]


class Massaged(BaseModel):
    at: datetime | None = None
    tags: set[str] = set()
    place: tuple[int, int] = (0, 0)
    wait: timedelta = timedelta()

    @model_validator(mode="before")
    @classmethod
    def as_it_is(cls, data: Any) -> Any:
        return data


class Converted(Massaged):
    @model_validator(mode="before")
    @classmethod
    def as_it_is(cls, data: Any) -> Any:
        kept = {name: each for name, each in data.items() if name != "place"}
        return {**kept, "tags": set(data["tags"]), "wait": timedelta(), "place": (1, 2)}


message("test.massaged", registry=registry)(Massaged)
message("test.converted", registry=registry)(Converted)


def test_what_a_before_validator_hands_on_is_explained() -> None:
    """Pydantic then checks Python objects, and no strict rule takes a list for a set."""
    value = Massaged(at=datetime(2026, 1, 1, tzinfo=UTC), tags={"a"}, place=(1, 2))
    with pytest.raises(InvalidPayload) as caught:
        write(value)
    faults = {fault.path: fault for fault in caught.value.faults}
    assert set(faults) == {"/at", "/tags", "/place", "/wait"}
    assert all("mode='after'" in fault.message for fault in faults.values())
    written = b'{"at":"2026-01-01T00:00:00Z"}'
    with pytest.raises(UndecodableJob) as refused:
        decode(registry.of_type(Massaged), written)
    assert "mode='after'" in refused.value.faults[0].message
    write(Converted(tags={"a"}, place=(1, 2)))


@pytest.mark.parametrize("payload", [b'{"at":5}', b'{"tags":{}}', b'{"place":"1"}'])
def test_what_is_wrong_in_any_case_is_not_explained_by_it(payload: bytes) -> None:
    with pytest.raises(UndecodableJob) as caught:
        decode(registry.of_type(Massaged), payload)
    assert "mode='after'" not in caught.value.faults[0].message


def test_an_unregistered_type_is_checked_the_same_way() -> None:
    @dataclass
    class Loose:
        count: int

    class Free(BaseModel):
        count: int = Field(alias="c")

    assert encode_unregistered(Loose(1)) == b'{"count":1}'
    assert encode_unregistered(Free(c=1)) == b'{"c":1}'
    with pytest.raises(InvalidPayload) as caught:
        encode_unregistered(Loose(anything("1")))
    assert [(f.path, f.code) for f in caught.value.faults] == [("/count", "int_type")]
    assert caught.value.message_type.endswith("Loose")


def test_a_list_at_the_root_is_a_payload_and_a_number_is_none() -> None:
    assert read(Numbers, write(Numbers([1, 2]))) == Numbers([1, 2])
    publish_one("q", NewJob("j", write(Numbers([1, 2]))))
    with pytest.raises(UnstructuredPayload):
        publish_one("q", NewJob("j", encode_unregistered(RootModel[int](5))))


@pytest.mark.parametrize(
    ("cls", "payload", "fault"),
    [
        (Line, b"{", ("", "json_invalid")),
        (Line, b"\xff", ("", "json_invalid")),
        (Line, b"", ("", "json_invalid")),
        (Line, b"[]", ("", "dataclass_type")),
        (Line, b"null", ("", "dataclass_type")),
        (Person, b"5", ("", "model_type")),
        (Numbers, b"{}", ("", "list_type")),
        (Line, b'{"sku":"a"}', ("/count", "missing")),
        (Line, b'{"sku":"a","count":"1"}', ("/count", "int_type")),
        (Line, b'{"sku":"a","count":1.0}', ("/count", "int_type")),
        (Order, b'{"id":"a","lines":[{"sku":1,"count":1}]}', ("/lines/0/sku", "string_type")),
    ],
)
def test_a_payload_that_does_not_fit_is_undecodable(
    cls: type[Any], payload: bytes, fault: tuple[str, str]
) -> None:
    with pytest.raises(UndecodableJob) as caught:
        read(cls, payload)
    assert caught.value.reason == "invalid_payload"
    assert [(f.path, f.code) for f in caught.value.faults] == [fault]
    assert registry.of_type(cls).label in str(caught.value)


# Registration.


def test_one_name_and_version_belongs_to_one_class() -> None:
    own = Registry()

    @message("taken", registry=own)
    class First(BaseModel):
        pass

    with pytest.raises(InvalidMessageType) as caught:

        @message("taken", registry=own)
        class Second(BaseModel):
            pass

    places = re.findall(rf"{re.escape(Path(__file__).name)}:(\d+)", str(caught.value))
    assert len(places) == 2 and places[0] != places[1], "both places are named"
    assert [it.cls for it in own.types()] == [First], "the first one stays"


def test_one_class_has_one_name() -> None:
    own = Registry()

    @message("first", registry=own)
    class Twice(BaseModel):
        pass

    with pytest.raises(InvalidMessageType, match=r"second v1 at .* collides with first v1 at "):
        message("second", registry=own)(Twice)
    with pytest.raises(InvalidMessageType, match=r"first v1 at .* collides with first v1 at "):
        message("first", registry=own)(Twice)
    with pytest.raises(InvalidMessageType, match=r"first v2 at .* collides with first v1 at "):
        message("first", version=2, registry=own)(Twice)
    assert [it.label for it in own.types()] == ["first v1"]


def test_another_version_is_another_type() -> None:
    own = Registry()

    @message("a", version=2, registry=own)
    class Newer(BaseModel):
        pass

    @message("a", registry=own)
    class Older(BaseModel):
        pass

    assert [(it.label, it.cls) for it in own.types()] == [("a v1", Older), ("a v2", Newer)]


def test_the_same_source_again_takes_the_name_over() -> None:
    """A module that is reloaded, or run as __main__ and imported as well."""
    own = Registry()

    def define() -> type[BaseModel]:
        @message("again", registry=own)
        class Again(BaseModel):
            pass

        return Again

    first, second = define(), define()
    assert first is not second
    assert [it.cls for it in own.types()] == [second]


@pytest.mark.parametrize("bad", ["", "a b", "ü", "a\n", "a" * 129, "a/b", None, 5.5, "{a}"])
def test_a_name_that_cannot_travel_is_refused(bad: Any) -> None:
    with pytest.raises(InvalidMessageType) as caught:
        message(bad, registry=Registry())
    assert caught.value.field == "name"


@pytest.mark.parametrize(
    ("options", "field_name"),
    [
        ({"version": 0}, "version"),
        ({"version": "1"}, "version"),
        ({"version": True}, "version"),
        ({"max_attempts": 0}, "max_attempts"),
        ({"timeout_ms": -1}, "timeout_ms"),
        ({"backoff_ms": 1.5}, "backoff_ms"),
        ({"queue": "a b"}, "queue"),
        ({"queue": ""}, "queue"),
        ({"ordering": "Strict"}, "ordering"),
    ],
)
def test_defaults_that_could_never_work_are_refused(
    options: dict[str, Any], field_name: str
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        message("a", registry=Registry(), **options)
    assert caught.value.field == field_name


class Plain:
    pass


@pytest.mark.parametrize("thing", [Plain, int, dict, lambda: None, Line("a", 1), None])
def test_what_is_no_model_and_no_dataclass_is_refused(thing: Any) -> None:
    own = Registry()
    with pytest.raises(InvalidMessageType, match="neither a Pydantic model nor a dataclass"):
        message("a", registry=own)(thing)
    assert own.types() == []


def test_the_decorator_without_its_name_is_refused() -> None:
    bare: Callable[..., Any] = message
    with pytest.raises(InvalidMessageType) as caught:

        @bare
        class Nameless(BaseModel):
            pass

    assert caught.value.field == "name"


def test_an_undecorated_class_has_no_type() -> None:
    with pytest.raises(InvalidMessageType, match=r"'Plain' is no message type; decorate it"):
        registry.of_type(Plain)
    with pytest.raises(InvalidMessageType):
        registry.of_type(Employee)


# Fingerprints.


def fingerprint(cls: type[Any]) -> str:
    return MessageType("a", 1, cls).fingerprint


def test_a_fingerprint_is_16_hex_digits_and_stable() -> None:
    assert fingerprint(Line) == registry.of_type(Line).fingerprint
    for cls in (Line, Order, Person, Numbers):
        assert re.fullmatch(r"[0-9a-f]{16}", fingerprint(cls))
    # Written into jobs: a change would make every job look written by another schema.
    assert fingerprint(Line) == "abb9b1e08731db40"


def test_a_fingerprint_is_that_of_the_shape() -> None:
    def shape(kind: type[Any], *, optional: bool = False) -> str:
        fields: dict[str, Any] = {"count": (kind | None, None) if optional else (kind, ...)}
        return fingerprint(create_model("Shape", **fields))

    assert shape(int) == shape(int)
    assert len({shape(int), shape(str), shape(int, optional=True)}) == 3


def test_a_type_without_a_json_schema_has_no_fingerprint() -> None:
    class Odd(BaseModel):
        model_config = ConfigDict(arbitrary_types_allowed=True)
        it: Plain

    assert fingerprint(Odd) == ""
