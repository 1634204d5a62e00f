"""All places of a payload where a rule of its type can be broken, and how."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from omniq_typed.messages.schema_walk import Place, choices_of, kinds_of
from omniq_typed.testing.mutations.here import Here, Readers, resolved
from omniq_typed.testing.mutations.rules import Change, Rule, among
from omniq_typed.testing.mutations.scalars import breaches, near
from omniq_typed.testing.mutations.shapes import SHAPES
from omniq_typed.testing.strategies.known_types import known_texts
from omniq_typed.testing.strategies.objects import OBJECTS
from omniq_typed.testing.strategies.spots import (
    Peeled,
    asks_around,
    function_of,
    input_schema,
    is_pydantics,
)
from omniq_typed.testing.strategies.unions import tag_key, values_of, wire_value

_SAMPLES: dict[str, list[Any]] = {
    "null": [None],
    "boolean": [True, False],
    "number": [17, 1.5],
    "string": ["17", "", "x"],
    "array": [[], ["x"]],
    "object": [{}, {"a": 1}],
}
_NO_VALUE = "\u2205"


def changes_of(place: Place, tree: Any, readers: Readers) -> list[Change]:
    """Ways to break one rule of a type, each at one place of a valid payload. Whether the type
    refuses what comes of it is to be seen: a union may have another choice that allows it."""
    return list(_changes(Here(place, tree, readers)))


def _changes(here: Here) -> Iterator[Change]:
    peeled = resolved(here.place)
    yield from _by_functions(here, peeled)
    told = input_schema(peeled)
    if told is not None:
        yield from _changes(here.at(here.place.at(told)))
        return
    yield from _other_types(here, peeled)
    if known_texts(peeled) is not None:
        yield from _known_text(here, peeled)
        return
    inner = here.at(peeled.place)
    if peeled.kind in SHAPES:
        yield from SHAPES[peeled.kind](_changes, inner)
    elif peeled.kind in _CHOICES:
        yield from _CHOICES[peeled.kind](inner)
    elif isinstance(here.tree, str | int | float):
        for rule, detail, values in breaches(inner.place, here.tree):
            yield here.change_to(rule, detail, values)


def _other_types(here: Here, peeled: Peeled) -> Iterator[Change]:
    kinds = kinds_of(here.place)
    if kinds is None:
        return
    allowed = {kind if isinstance(kind, str) else kind[0] for kind in kinds}
    samples = [each for kind, them in _SAMPLES.items() if kind not in allowed for each in them]
    if peeled.kind == "int":
        samples.append(1.5)
    if samples:
        yield here.change(Rule.TYPE, f"expects {' or '.join(sorted(allowed))}", *samples)


def _by_functions(here: Here, peeled: Peeled) -> Iterator[Change]:
    """What a user's validator refuses that the rest of the type allows. One that asks what is
    around it cannot be asked alone."""
    functions = [each for each in peeled.functions if not is_pydantics(each)]
    if not functions or (asks_around(peeled) and peeled.kind not in OBJECTS):
        return
    refused = here.readers.refused(here.place, peeled.place)
    if refused is not None:
        names = [getattr(function_of(each), "__name__", "a function") for each in functions]
        yield here.change_to(Rule.VALIDATOR, " or ".join(names), lambda: refused)


def _known_text(here: Here, peeled: Peeled) -> Iterator[Change]:
    if isinstance(here.tree, str):
        name = getattr(peeled.content.instance_of, "__name__", "a text of its kind")
        yield here.change_to(Rule.FORMAT, name, near(here.tree, "?"))


def _values(here: Here) -> Iterator[Change]:
    values = values_of(here.place)
    others: list[Any] = [_NO_VALUE]
    for each in values:
        if isinstance(each, str):
            others += [each + "x", each[:-1], each.swapcase()]
        elif isinstance(each, int) and not isinstance(each, bool):
            others += [each + 1, each - 1]
    kept = [each for each in others if each not in values]
    yield here.change(Rule.ENUM, f"one of {values}", *kept)


def _nullable(here: Here) -> Iterator[Change]:
    if here.tree is not None:
        yield from _changes(here.at(here.place.at(here.place.schema["schema"])))


def _union(here: Here) -> Iterator[Change]:
    """By the first choice that takes the value."""
    for choice in choices_of(here.place):
        if not here.readers.objection(choice)(here.tree):
            yield from _changes(here.at(choice))
            return


def _tagged_union(here: Here) -> Iterator[Change]:
    key = tag_key(here.place)
    if key is None or not isinstance(here.tree, dict):
        yield from _union(here)
        return
    tag, subject = here.tree.get(key), (*here.path, key)
    choices = {wire_value(each): it for each, it in here.place.schema["choices"].items()}
    lacking = {name: each for name, each in here.tree.items() if name != key}
    yield Change(here.path, Rule.TAG, f"{key} tells which", among(lacking), subject)
    wrong = [each for each in (f"{tag}x", "", _NO_VALUE) if each not in choices]
    yield Change(subject, Rule.TAG, f"one of {[*choices]}", among(*wrong), subject)
    if tag in choices:
        yield from _changes(here.at(here.place.at(choices[tag])))


def _json(here: Here) -> Iterator[Change]:
    yield here.change(Rule.FORMAT, "JSON in a text", "{", "", "nul", "[1,]")


_CHOICES: dict[str, Callable[[Here], Iterator[Change]]] = {
    **dict.fromkeys(("literal", "enum"), _values),
    "nullable": _nullable,
    "union": _union,
    "tagged-union": _tagged_union,
    "json": _json,
}
