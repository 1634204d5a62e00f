"""What changed between two schemas, of real types: each change at its place, and nothing else."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from omniq_typed import MessageType
from omniq_typed.schema.difference import differences
from omniq_typed.schema.export import reader_schema, writer_schema
from omniq_typed.schema.wire.wording import LISTS, MAPS, SINGLES
from tests.catalogue import FORMS


def changes(old: Any, new: Any, *, reader: bool = False) -> list[tuple[str, str, str, str]]:
    view = reader_schema if reader else writer_schema
    schemas = [view(MessageType("m", 1, cls)) for cls in (old, new)]
    return [(it.pointer, it.what, it.old, it.new) for it in differences(*schemas)]


def model(**fields: Any) -> type[BaseModel]:
    """A class of these annotations; a tuple is an annotation and a default."""
    body = {"__annotations__": {}, "__module__": __name__, "__qualname__": "Model"}
    for name, given in fields.items():
        annotation, *default = given if isinstance(given, tuple) else (given,)
        body["__annotations__"][name] = annotation  # type: ignore[index]
        if default:
            body[name] = default[0]
    return type("Model", (BaseModel,), body)


Small = Annotated[int, Field(ge=0, le=9)]


class Line(BaseModel):
    sku: str
    count: int


class LineWithNote(BaseModel):
    sku: str
    count: Small
    note: str | None = None


class Card(BaseModel):
    kind: Literal["card"]
    number: str


class CardWithOwner(BaseModel):
    kind: Literal["card"]
    number: str
    owner: str


class Cash(BaseModel):
    kind: Literal["cash"]


class Cheque(BaseModel):
    kind: Literal["cheque"]


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Tree(BaseModel):
    name: str
    children: list[Tree]


class TallTree(BaseModel):
    name: str
    children: list[TallTree]
    height: int


@dataclass
class Point:
    x: int


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    x: int


PAIRS: list[tuple[Any, Any, list[tuple[str, str, str, str]]]] = [
    (model(a=int), model(a=int), []),
    (model(a=int, b=str), model(b=str, a=int), []),
    (model(a=int), model(a=int, b=str), [("/b", "field", "", "string, required")]),
    (model(a=int, b=str), model(a=int), [("/b", "field", "string, required", "")]),
    (model(a=int), model(a=str), [("/a", "type", "integer", "string")]),
    (model(a=int), model(a=int | None), [("/a", "choice", "", "null")]),
    (model(a=int | None), model(a=int), [("/a", "choice", "null", "")]),
    (model(a=int | str), model(a=str | int), []),
    (model(a=int), model(a=Small), [("/a", "minimum", "", "0"), ("/a", "maximum", "", "9")]),
    (
        model(a=Small | None),
        model(a=int | None),
        [("/a", "minimum", "0", ""), ("/a", "maximum", "9", "")],
    ),
    (
        model(a=str),
        model(a=Annotated[str, Field(pattern="^x")]),
        [("/a", "pattern", "", '"^x"')],
    ),
    (
        model(a=Literal["x", "y"]),
        model(a=Literal["y", "z"]),
        [("/a", "value", "", '"z"'), ("/a", "value", '"x"', "")],
    ),
    (model(a=Literal["x"]), model(a=Literal["y"]), [("/a", "value", '"x"', '"y"')]),
    (model(a=Literal["x"]), model(a=str), [("/a", "value", '"x"', "string")]),
    (model(a=Colour), model(a=Literal["red", "blue"]), []),
    (model(a=list[int]), model(a=list[str]), [("/a/*", "type", "integer", "string")]),
    (
        model(a=dict[str, int]),
        model(a=dict[str, Small]),
        [("/a/*", "minimum", "", "0"), ("/a/*", "maximum", "", "9")],
    ),
    (model(a=tuple[int, str]), model(a=tuple[int, int]), [("/a/1", "type", "string", "integer")]),
    (
        model(lines=list[Line]),
        model(lines=list[LineWithNote]),
        [
            ("/lines/*/count", "minimum", "", "0"),
            ("/lines/*/count", "maximum", "", "9"),
            ("/lines/*/note", "field", "", "string or null, required"),
        ],
    ),
    (
        model(by=Annotated[Card | Cash, Field(discriminator="kind")]),
        model(by=Annotated[Cheque | CardWithOwner, Field(discriminator="kind")]),
        [
            ("/by/owner", "field", "", "string, required"),
            ("/by", "choice", "", "Cheque"),
            ("/by", "choice", "Cash", ""),
        ],
    ),
    (
        Tree,
        TallTree,
        [
            ("/children/*/height", "field", "", "integer, required"),
            ("/height", "field", "", "integer, required"),
        ],
    ),
    (Point, model(x=int), []),
    (Point, Open, [("/*", "other fields", "refused", "allowed")]),
    (model(**{"a/b~c": int}), model(), [("/a~1b~0c", "field", "integer, required", "")]),
]


@pytest.mark.parametrize(("old", "new", "expected"), PAIRS)
def test_each_change_is_told_at_its_place(
    old: Any, new: Any, expected: list[tuple[str, str, str, str]]
) -> None:
    assert changes(old, new) == expected


@pytest.mark.parametrize(("old", "new", "expected"), PAIRS)
def test_backwards_the_same_places_change(old: Any, new: Any, expected: list[Any]) -> None:
    assert sorted({it[0] for it in changes(new, old)}) == sorted({it[0] for it in expected})


def test_what_a_reader_may_do_without() -> None:
    found = changes(model(a=int), model(a=(int, 5)), reader=True)
    assert found == [("/a", "presence", "required", "optional"), ("/a", "default", "", "5")]


class Named(BaseModel):
    a: Annotated[int, Field(validation_alias=AliasChoices("a", "b"))]
    c: Annotated[int, Field(validation_alias=AliasChoices("c", "d"))]


class NamedOtherwise(BaseModel):
    a: Annotated[int, Field(validation_alias=AliasChoices("a", "b"))]
    c: Annotated[Small, Field(validation_alias=AliasChoices("c", "e"))]


def test_a_field_of_several_names_is_told_once() -> None:
    found = changes(Named, NamedOtherwise, reader=True)
    assert [each[:2] for each in found] == [
        ("", "allOf"),
        ("/c", "minimum"),
        ("/c", "maximum"),
        ("/e", "field"),
        ("/d", "field"),
    ]


def test_a_type_of_many_fields_that_all_changed() -> None:
    before = model(**{f"field_{number}": int for number in range(200)})
    after = model(**{f"field_{number}": str for number in range(200)})
    assert [it[0] for it in changes(before, after)] == [f"/field_{it}" for it in range(200)]


def places(schema: Any) -> list[dict[str, Any]]:
    """All schemas in a schema that an instance can meet."""
    found = [schema] if isinstance(schema, dict) else []
    for key, value in schema.items() if isinstance(schema, dict) else ():
        if key in MAPS:
            found += [it for each in value.values() for it in places(each)]
        elif key in LISTS:
            found += [it for each in value for it in places(each)]
        elif key in SINGLES:
            found += places(value)
    return found


@pytest.mark.slow
def test_a_type_does_not_differ_from_itself_and_every_edit_is_seen() -> None:
    edits = 0
    for form in FORMS:
        for view in (writer_schema, reader_schema):
            schema = view(form.message_type)
            assert differences(schema, schema) == []
            for number in range(len(places(schema))):
                edited = deepcopy(schema)
                place = places(edited)[number]
                place["minProperties"] = place.get("minProperties", 0) + 1
                assert differences(schema, edited) != [], (form.label, place)
                assert differences(edited, schema) != [], (form.label, place)
                edits += 1
    assert edits > 1_000
