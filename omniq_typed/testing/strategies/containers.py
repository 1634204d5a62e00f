"""Arrays and mappings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from pydantic_core import to_json

from omniq_typed.messages.schema_walk import (
    ANYTHING,
    ARRAYS,
    MAPPINGS,
    NAMED_TUPLES,
    items_of_named_tuple,
)
from omniq_typed.testing.strategies.annotations import of_fields, of_items
from omniq_typed.testing.strategies.collections import entries, limits, several
from omniq_typed.testing.strategies.spots import Spot
from omniq_typed.testing.strategies.texts import ANY_CHARACTER

Build: TypeAlias = Callable[[Spot], SearchStrategy[Any]]
"""From a place to a strategy of its JSON."""

_UNIQUE = frozenset({"set", "frozenset"})


class TooDeep(Exception):
    """Nothing fits here without going round a recursive type once more than is allowed."""


def sizes(spot: Spot) -> tuple[int, int]:
    """Fewest and most items."""
    schema = spot.place.schema
    return limits(schema.get("min_length") or 0, schema.get("max_length"), spot.inside)


def arrays(build: Build, spot: Spot) -> SearchStrategy[Any]:
    """Lists, sets and the like; empty where the items do not fit."""
    (item,) = of_items(spot.annotation, 1)
    least, most = sizes(spot)
    try:
        items = build(spot.items("items_schema", item))
    except TooDeep:
        if least:
            raise
        return st.just([]).map(list)
    if spot.place.kind in _UNIQUE:
        return st.lists(items, min_size=least, max_size=most, unique_by=to_json)
    return several(items, least, most)


def mappings(build: Build, spot: Spot) -> SearchStrategy[Any]:
    """Keys are texts."""
    key, value = of_items(spot.annotation, 2)
    least, most = sizes(spot)
    keys = build(spot.items("keys_schema", key)).map(_as_key)
    try:
        values = build(spot.items("values_schema", value))
    except TooDeep:
        if least:
            raise
        return st.builds(dict)
    return entries(keys, values, least, most)


def _as_key(value: Any) -> str:
    if isinstance(value, str):
        return value
    return to_json(value).decode()


def tuples(build: Build, spot: Spot) -> SearchStrategy[Any]:
    """Item by item; one of them may stand for any number."""
    schemas = spot.place.schema.get("items_schema") or ()
    variadic = spot.place.schema.get("variadic_item_index")
    annotations = of_items(spot.annotation, len(schemas))
    parts = []
    for index, each in enumerate(schemas):
        part = "*" if index == variadic else str(index)
        item = spot.below(part, spot.place.at(each), annotations[index])
        parts.append(_run(build, spot, item, len(schemas)) if index == variadic else build(item))
    if variadic is None:
        return st.tuples(*parts).map(list)
    return st.tuples(*parts).map(
        lambda items: [*items[:variadic], *items[variadic], *items[variadic + 1 :]]
    )


def _run(build: Build, spot: Spot, item: Spot, parts: int) -> SearchStrategy[list[Any]]:
    least, most = sizes(spot)
    others = parts - 1
    return several(build(item), max(0, least - others), max(0, most - others))


def named_tuples(build: Build, spot: Spot) -> SearchStrategy[Any]:
    """Arrays; the last items may be missing where they have defaults."""
    cls = spot.place.schema.get("cls") or spot.place.schema.get("function")
    known = of_fields(cls)
    annotations = [known.get(name) for name in getattr(cls, "_fields", ())]
    places = items_of_named_tuple(spot.place)
    items = []
    for index, place in enumerate(places):
        annotation = annotations[index] if index < len(annotations) else None
        items.append(build(spot.below(str(index), place, annotation)))
    fewest = len(places)
    while fewest and places[fewest - 1].kind == "default":
        fewest -= 1
    whole = st.tuples(*items).map(list)
    if fewest == len(places):
        return whole
    return st.builds(lambda row, size: row[:size], whole, st.integers(fewest, len(places)))


def anything(build: Build, spot: Spot) -> SearchStrategy[Any]:
    """JSON of any shape."""
    return ANY_JSON


_KEYS = st.text(ANY_CHARACTER, max_size=5)
_LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53) + 1, 2**53 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(ANY_CHARACTER),
)
ANY_JSON: SearchStrategy[Any] = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_KEYS, inner, max_size=3)),
    max_leaves=5,
)
"""What every JSON parser reads alike."""


def json_texts(build: Build, spot: Spot) -> SearchStrategy[Any]:
    """JSON in a text."""
    inner = spot.at(spot.place.schema.get("schema", ANYTHING))
    return build(inner).map(lambda tree: to_json(tree).decode())


CONTAINERS: dict[str, Callable[[Build, Spot], SearchStrategy[Any]]] = {
    **dict.fromkeys(ARRAYS, arrays),
    **dict.fromkeys(MAPPINGS, mappings),
    "tuple": tuples,
    **dict.fromkeys(NAMED_TUPLES, named_tuples),
    "any": anything,
    "json": json_texts,
}
