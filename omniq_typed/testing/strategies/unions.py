"""One of several: unions, tagged unions, what may be null, and fixed values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from enum import Enum
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from pydantic_core import to_jsonable_python

from omniq_typed.messages.schema_walk import ANYTHING, Place, choices_of
from omniq_typed.testing.strategies.annotations import of_choices, without_none
from omniq_typed.testing.strategies.containers import Build, TooDeep
from omniq_typed.testing.strategies.spots import Spot


def nullables(build: Build, spot: Spot) -> SearchStrategy[Any]:
    """Null where nothing else fits."""
    schema = spot.place.schema.get("schema", ANYTHING)
    try:
        inner = build(spot.at(schema, without_none(spot.annotation)))
    except TooDeep:
        return st.none()
    return st.one_of(st.none(), inner)


def unions(build: Build, spot: Spot) -> SearchStrategy[Any]:
    """The choices that fit."""
    choices = choices_of(spot.place)
    annotations = of_choices(spot.annotation, len(choices))
    pairs = zip(choices, annotations, strict=True)
    spots = (replace(spot, place=place, annotation=each) for place, each in pairs)
    return st.one_of(list(_fitting(build, spots)))


def tagged_unions(build: Build, spot: Spot) -> SearchStrategy[Any]:
    """As `unions`, with the tag in each, which is not told without it even if it has a default."""
    key = tag_key(spot.place)
    choices = dict(spot.place.schema.get("choices") or {})
    if key is None:
        return st.one_of(list(_fitting(build, map(spot.at, choices.values()))))
    found = []
    for tag, schema in choices.items():
        made = _fitting(build, [spot.at(schema)], required=False)
        found += [each.map(_Tagged(key, wire_value(tag))) for each in made]
    if not found:
        raise TooDeep
    return st.one_of(found)


def _fitting(
    build: Build, spots: Iterable[Spot], *, required: bool = True
) -> Iterator[SearchStrategy[Any]]:
    missing = required
    for each in spots:
        try:
            made = build(each)
        except TooDeep:
            continue
        missing = False
        yield made
    if missing:
        raise TooDeep


class _Tagged:
    """Adds the tag to what lacks it."""

    def __init__(self, key: str, tag: Any) -> None:
        self._key, self._tag = key, tag

    def __call__(self, tree: Any) -> Any:
        return {self._key: self._tag, **tree} if isinstance(tree, dict) else tree


def tag_key(union: Place) -> str | None:
    """The key of the JSON object that tells the choices apart; None if a function does."""
    discriminator = union.schema.get("discriminator")
    if isinstance(discriminator, str):
        return discriminator
    if not isinstance(discriminator, list):
        return None
    paths = [path if isinstance(path, list) else [path] for path in discriminator]
    return next((str(path[0]) for path in paths if len(path) == 1), None)


def values_of(place: Place) -> list[Any]:
    """The JSON of all values of a literal or an enum."""
    values = place.schema.get("expected") or place.schema.get("members") or ()
    return [wire_value(each) for each in values]


def wire_value(value: Any) -> Any:
    """JSON of a tag, a literal or a member of an enum."""
    return to_jsonable_python(value.value if isinstance(value, Enum) else value)


def fixed_values(build: Build, spot: Spot) -> SearchStrategy[Any]:
    """Literals and enums."""
    return st.sampled_from(values_of(spot.place))


UNIONS = {
    "nullable": nullables,
    "union": unions,
    "tagged-union": tagged_unions,
    "literal": fixed_values,
    "enum": fixed_values,
}
