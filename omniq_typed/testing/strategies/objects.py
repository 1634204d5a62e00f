"""Models, dataclasses and TypedDicts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from omniq_typed.errors import NoStrategy
from omniq_typed.messages.schema_walk import (
    Field,
    Place,
    body_of,
    choices_of,
    content_of,
    extra_of,
    fields_of,
)
from omniq_typed.testing.strategies.annotations import of_fields
from omniq_typed.testing.strategies.containers import Build, TooDeep
from omniq_typed.testing.strategies.readers import converted
from omniq_typed.testing.strategies.spots import Spot, asks_around, peel
from omniq_typed.testing.strategies.texts import ANY_CHARACTER

OBJECTS = frozenset({"model", "dataclass", "typed-dict"})
"""Kinds with fields (a model may also have a root instead)."""
_MOST_EXTRAS = 2


def objects(build: Build, spot: Spot, subject: str) -> SearchStrategy[Any]:
    """Fields with defaults are there or not."""
    place = spot.place
    body = content_of(body_of(place)).place
    annotations = of_fields(place.schema.get("cls"), spot.annotation)
    required: dict[str, SearchStrategy[Any]] = {}
    optional: dict[str, SearchStrategy[Any]] = {}
    for field in fields_of(body):
        if not field.init:
            continue  # written, and never read
        inner = spot.below(field.written, field.place, annotations.get(field.name))
        given = spot.overrides.get(field.name)
        may_lack = given is None and not is_required(body, field)
        try:
            made = build(inner) if given is None else converted(subject, inner, given)
        except TooDeep:
            if not may_lack:
                raise
            continue
        (optional if may_lack else required)[_name(field, spot, subject)] = made
    whole = st.fixed_dictionaries(required, optional=optional)
    if place.kind == "dataclass" or extra_of(body) != "allow":
        return whole
    return _with_extras(build, replace(spot, place=body), whole)


def is_required(body: Place, field: Field) -> bool:
    """Whether a reader misses the field where it is left out."""
    if body.kind != "typed-dict":
        return field.place.kind != "default"
    schema = (body.schema.get("fields") or {}).get(field.name, {})
    return bool(schema.get("required", body.schema.get("total", True)))


def has_fields_that_ask(place: Place) -> bool:
    """Whether a field has a validator that may look at other fields, which only the object as a
    whole can tell about."""
    if place.schema.get("root_model"):
        return False
    body = content_of(body_of(place)).place
    return any(asks_around(peel(field.place)) for field in fields_of(body))


def _name(field: Field, spot: Spot, subject: str) -> str:
    if field.read:
        return field.read[0]
    raise NoStrategy(
        subject,
        spot.below(field.written, field.place).pointer,
        "is read from a path into other objects, and written elsewhere; use one alias for both",
    )


def _with_extras(
    build: Build, body: Spot, whole: SearchStrategy[dict[str, Any]]
) -> SearchStrategy[Any]:
    """Names are of any kind, but not those of fields."""
    taken = {name for field in fields_of(body.place) for name in (*field.read, field.name)}
    names = st.text(ANY_CHARACTER).filter(lambda name: name not in taken)
    values = build(body.items("extras_schema"))
    extras = st.dictionaries(names, values, max_size=_MOST_EXTRAS)
    return st.builds(lambda fields, more: {**fields, **more}, whole, extras)


def field_names(place: Place) -> frozenset[str]:
    """Python names of the fields that a reader of a type looks for; of a union, in any member."""
    found = content_of(place)
    if found.kind in ("union", "tagged-union"):
        return frozenset().union(*map(field_names, choices_of(found.place)))
    if found.kind == "nullable":
        return field_names(found.place.at(found.place.schema["schema"]))
    if found.kind == "model" and found.place.schema.get("root_model"):
        return frozenset({"root"})
    if found.kind not in OBJECTS:
        return frozenset()
    body = content_of(body_of(found.place)).place
    return frozenset(field.name for field in fields_of(body) if field.init)
