"""The fields and items of an object or array: what a reader asks of each, and what a writer may
have there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

import jsonschema_rs

from omniq_typed.schema.proving.documents import Document, Parts
from omniq_typed.schema.proving.traits import types_of

Json: TypeAlias = dict[str, Any]
Schema: TypeAlias = Any

OTHER = "*"
"""The step to fields that are not named, and to items beyond those with schemas of their own."""

_INNER = ("properties", "patternProperties", "additionalProperties", "items", "prefixItems")


@dataclass(frozen=True, slots=True)
class Step:
    """From a value to one in it, or to the names of its fields."""

    name: str
    is_item: bool = False
    is_key: bool = False


@dataclass(frozen=True, slots=True)
class Goal:
    """A reader has to take what a writer may have in a place. The name of the step is that of a
    field, the number of an item, or OTHER."""

    step: Step
    reader: Schema
    writer: Parts


def without_inner(schema: Json) -> Json:
    """A schema without what it says of fields and items, but which of them are forbidden."""
    found = dict(schema)
    for key in ("properties", "patternProperties"):
        if key in found:
            found[key] = {name: each is not False for name, each in found[key].items()}
    if "prefixItems" in found:
        found["prefixItems"] = [each is not False for each in found["prefixItems"]]
    for key in ("additionalProperties", "items"):
        if key in found:
            found[key] = found[key] is not False
    return found


def goals_of(reader: Json, writer: Parts, document: Document) -> list[Goal]:
    """What is to be proven of the fields and items of a reader's schema, by the writer's
    document."""
    found: list[Goal] = []
    if _may_be("object", writer):
        found += _of_fields(reader, writer, document)
    if _may_be("array", writer):
        found += _of_items(reader, writer, document)
    return [each for each in found if _is_open(each)]


def _is_open(goal: Goal) -> bool:
    """Not those that `without_inner` keeps, or that the writer cannot fill."""
    asks = isinstance(goal.reader, dict) and bool(goal.reader)
    return asks and False not in goal.writer.schemas


def _may_be(kind: str, writer: Parts) -> bool:
    return all(kind in (types_of(each) or (kind,)) for each in writer.schemas if each is not False)


# Fields


def _of_fields(reader: Json, writer: Parts, document: Document) -> Iterator[Goal]:
    named = reader.get("properties", {})
    for name, schema in named.items():
        yield Goal(Step(name), schema, _field(name, writer, document))
    patterns = reader.get("patternProperties", {})
    rest = reader.get("additionalProperties", True)
    for name in names_of(writer):
        matched = [schema for pattern, schema in patterns.items() if matches(pattern, name)]
        if not matched and name not in named:
            matched = [rest]
        for schema in matched:
            yield Goal(Step(name), schema, _field(name, writer, document))
    for schema in (*patterns.values(), rest):
        yield from _of_unnamed(schema, writer, document)
    keys = Step(OTHER, is_key=True)
    yield Goal(keys, reader.get("propertyNames", True), _all(_keys(writer), document))


def _of_unnamed(reader: Schema, writer: Parts, document: Document) -> Iterator[Goal]:
    """Of fields that no schema of the writer names. One of them that says what they hold is
    enough; each of the patterns may be the one that a name matches."""
    told = [each for each in writer.schemas if "additionalProperties" in each]
    if not told:
        yield Goal(Step(OTHER), reader, Parts(()))
        return
    for schema in (*told[0].get("patternProperties", {}).values(), told[0]["additionalProperties"]):
        yield Goal(Step(OTHER), reader, _all([schema], document))


def _keys(writer: Parts) -> Iterator[Schema]:
    """What the names of fields are."""
    yield {"type": "string"}
    for each in writer.schemas:
        yield each.get("propertyNames", True)
        if each.get("additionalProperties") is False and not each.get("patternProperties"):
            named = list(each.get("properties", ()))
            yield {"enum": named} if named else False


def names_of(writer: Parts) -> list[str]:
    """All fields that schemas of the writer name."""
    return list(
        dict.fromkeys(name for each in writer.schemas for name in each.get("properties", ()))
    )


def _field(name: str, writer: Parts, document: Document) -> Parts:
    return _all((view for each in writer.schemas for view in _views(name, each)), document)


def _views(name: str, schema: Json) -> Iterator[Schema]:
    """What a schema says of a field."""
    named = schema.get("properties", {})
    patterns = schema.get("patternProperties", {})
    matched = [each for pattern, each in patterns.items() if matches(pattern, name)]
    if name in named:
        yield named[name]
    yield from matched
    if name not in named and not matched:
        yield schema.get("additionalProperties", True)


# Items


def _of_items(reader: Json, writer: Parts, document: Document) -> Iterator[Goal]:
    first = reader.get("prefixItems", [])
    count = max([len(first), *(len(each.get("prefixItems", ())) for each in writer.schemas)])
    most = min((each["maxItems"] for each in writer.schemas if "maxItems" in each), default=None)
    for index in range(count if most is None else min(count, most)):
        schema = first[index] if index < len(first) else reader.get("items", True)
        yield Goal(Step(str(index), is_item=True), schema, _item(index, writer, document))
    if most is None or most > count:
        yield Goal(
            Step(OTHER, is_item=True), reader.get("items", True), _item(count, writer, document)
        )


def _item(index: int, writer: Parts, document: Document) -> Parts:
    views = []
    for each in writer.schemas:
        first = each.get("prefixItems", [])
        views.append(first[index] if index < len(first) else each.get("items", True))
    return _all(views, document)


def _all(schemas: Iterable[Schema], document: Document) -> Parts:
    """All of them together. One that cannot be taken apart is left out, as if it allowed all."""
    found = Parts(())
    for each in schemas:
        parts = document.parts(each)
        found = found if parts is None else found.both(parts)
    return found


@lru_cache(maxsize=10_000)
def matches(pattern: str, name: str) -> bool:
    """Whether a name has a pattern, which JSON Schema does not anchor. Raises ValueError for what
    is no pattern."""
    return bool(jsonschema_rs.is_valid({"pattern": pattern}, name))
