"""What breaks the rules of objects, arrays and mappings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from omniq_typed.messages.schema_walk import (
    ANYTHING,
    ARRAYS,
    MAPPINGS,
    NAMED_TUPLES,
    Place,
    body_of,
    content_of,
    extra_of,
    fields_of,
    items_of_named_tuple,
)
from omniq_typed.testing.mutations.here import Here, resolved
from omniq_typed.testing.mutations.rules import Change, Rule, among
from omniq_typed.testing.mutations.scalars import near
from omniq_typed.testing.strategies.objects import is_required

Walk: TypeAlias = Callable[[Here], Iterator[Change]]

_UNKNOWN_NAME = "unexpected_field"
_NO_KEY = "\u2205"


def objects(walk: Walk, here: Here) -> Iterator[Change]:
    """Fields left out, fields that nobody knows, and what is wrong within fields."""
    if here.place.schema.get("root_model"):
        yield from walk(here.at(body_of(here.place)))
        return
    body = content_of(body_of(here.place)).place
    for field in fields_of(body):
        name = next((each for each in field.read if each in here.tree), None)
        if name is None:
            continue
        if is_required(body, field):
            yield _without(here, name, Rule.REQUIRED, f"{field.name} is required")
        yield from walk(here.item(name, field.place))
    if extra_of(body) == "forbid":
        more = {**here.tree, _UNKNOWN_NAME: 1}
        subject = (*here.path, _UNKNOWN_NAME)
        yield Change(here.path, Rule.EXTRA, "no other fields", among(more), subject)


def _without(here: Here, name: str, rule: Rule, detail: str) -> Change:
    rest = {key: each for key, each in here.tree.items() if key != name}
    return Change(here.path, rule, detail, among(rest), (*here.path, name))


def arrays(walk: Walk, here: Here) -> Iterator[Change]:
    """Too few items, too many, and what is wrong with each."""
    items = here.place.at(here.place.schema.get("items_schema", ANYTHING))
    yield from _lengths(here, lambda size: _resized(here.tree, size))
    for index in range(len(here.tree)):
        yield from walk(here.item(index, items))


def mappings(walk: Walk, here: Here) -> Iterator[Change]:
    """As arrays; keys may be wrong too."""
    schema = here.place.schema
    values = here.place.at(schema.get("values_schema", ANYTHING))
    keys = resolved(here.place.at(schema.get("keys_schema", ANYTHING)))
    any_key = keys.kind == "any" or (keys.kind == "str" and "pattern" not in keys.place.schema)
    yield from _lengths(here, lambda size: _with_keys(here.tree, size))
    for key in here.tree:
        if not any_key:
            yield _other_key(here, key)
        yield from walk(here.item(key, values))


def _other_key(here: Here, key: str) -> Change:
    def renamed(other: str) -> dict[str, Any]:
        return {other if name == key else name: each for name, each in here.tree.items()}

    others, subject = near(key, _NO_KEY), (*here.path, key)
    return Change(
        here.path,
        Rule.KEY,
        "a key of its kind",
        lambda: others().map(renamed),
        subject,
    )


def _lengths(here: Here, resized: Callable[[int], Any]) -> Iterator[Change]:
    least = here.place.schema.get("min_length")
    most = here.place.schema.get("max_length")
    if least:
        yield here.change(Rule.LENGTH, f"min_length={least}", resized(least - 1))
    if most is not None and here.tree:
        yield here.change(Rule.LENGTH, f"max_length={most}", resized(most + 1))


def _resized(items: list[Any], size: int) -> list[Any]:
    return [items[index % len(items)] for index in range(size)] if items else []


def _with_keys(mapping: dict[str, Any], size: int) -> dict[str, Any]:
    """More entries get the values of those that there are."""
    kept = dict(list(mapping.items())[:size])
    values = list(mapping.values())
    for number in range(size):
        if len(kept) < size:
            kept.setdefault(str(number), values[number % len(values)])
    return kept


def tuples(walk: Walk, here: Here) -> Iterator[Change]:
    """By position; one part may stand for any number of items."""
    places = [here.place.at(each) for each in here.place.schema.get("items_schema") or ()]
    variadic = here.place.schema.get("variadic_item_index")
    if variadic is None:
        yield from _positions(walk, here, places)
        yield from _other_counts(here, len(places))
        return
    more = len(here.tree) - len(places) + 1
    places[variadic : variadic + 1] = [places[variadic]] * more
    yield from _positions(walk, here, places)
    yield from _lengths(here, lambda size: _resized(here.tree, size))


def named_tuples(walk: Walk, here: Here) -> Iterator[Change]:
    """By position."""
    places = items_of_named_tuple(here.place)
    yield from _positions(walk, here, places)
    yield from _other_counts(here, len(places))


def _positions(walk: Walk, here: Here, places: list[Place]) -> Iterator[Change]:
    for index, place in enumerate(places[: len(here.tree)]):
        yield from walk(here.item(index, place))


def _other_counts(here: Here, count: int) -> Iterator[Change]:
    """The last items of a named tuple may have defaults: whether it is refused is to be seen."""
    others = [[*here.tree, None, None]] + ([here.tree[:-1]] if here.tree else [])
    yield here.change(Rule.LENGTH, f"{count} items", *others)


SHAPES: dict[str, Callable[[Walk, Here], Iterator[Change]]] = {
    **dict.fromkeys(ARRAYS, arrays),
    **dict.fromkeys(MAPPINGS, mappings),
    **dict.fromkeys(NAMED_TUPLES, named_tuples),
    "tuple": tuples,
    "model": objects,
    "dataclass": objects,
    "typed-dict": objects,
}
