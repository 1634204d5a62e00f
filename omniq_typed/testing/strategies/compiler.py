"""From a core schema to a strategy of the JSON that its reader takes, place by place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from omniq_typed.errors import NoStrategy
from omniq_typed.messages.schema_walk import ANYTHING, Place, body_of, items_of_named_tuple
from omniq_typed.schema.regex.regex_parser import UnknownRegex
from omniq_typed.testing.strategies.automata import NoText
from omniq_typed.testing.strategies.containers import CONTAINERS, TooDeep
from omniq_typed.testing.strategies.known_types import known_texts
from omniq_typed.testing.strategies.moments import MOMENTS
from omniq_typed.testing.strategies.names import NAMES
from omniq_typed.testing.strategies.numbers import NUMBERS
from omniq_typed.testing.strategies.objects import OBJECTS, has_fields_that_ask, objects
from omniq_typed.testing.strategies.readers import Sieve, accepts, converted
from omniq_typed.testing.strategies.recursion import recursive_definitions
from omniq_typed.testing.strategies.registered import registered, registered_for_kind
from omniq_typed.testing.strategies.spots import (
    Peeled,
    Spot,
    asks_around,
    function_of,
    input_schema,
    peel,
)
from omniq_typed.testing.strategies.texts import TEXTS, is_changed_when_read
from omniq_typed.testing.strategies.unions import UNIONS

_ROUNDS = 3
"""How often a type that contains itself does so, beyond what it has to."""
_MOST_ROUNDS = 30
_LEAVES: dict[str, Callable[[Place], SearchStrategy[Any]]] = {
    **NUMBERS,
    **TEXTS,
    **MOMENTS,
    **NAMES,
}


def json_strategy(
    subject: str,
    place: Place,
    annotation: Any = None,
    overrides: Mapping[str, SearchStrategy[Any]] | None = None,
) -> SearchStrategy[Any]:
    """JSON trees that the reader of a type takes, but for what it checks of several places at once.

    `subject` names the type in errors, `annotation` is the type as the code says it; `overrides`:
    Python values of fields of the outermost object, by their Python names. Raises NoStrategy for
    a place of which no values are known.
    """
    return _Compiler(subject, place).whole(Spot(place, (), annotation, overrides=overrides or {}))


class _Compiler:
    def __init__(self, subject: str, place: Place) -> None:
        self._subject = subject
        named = {each["ref"]: each for each in place.schema.get("definitions") or ()}
        self._recursive = recursive_definitions(named)
        self._made: dict[tuple[str, int, int], SearchStrategy[Any] | None] = {}

    def whole(self, spot: Spot) -> SearchStrategy[Any]:
        for rounds in range(_MOST_ROUNDS):
            try:
                self._build(replace(spot, rounds=rounds))
            except TooDeep:
                continue
            return self._build(replace(spot, rounds=rounds + _ROUNDS))
        raise NoStrategy(self._subject, spot.pointer, "contains itself without an end")

    def _build(self, spot: Spot) -> SearchStrategy[Any]:
        """Raises TooDeep where nothing fits in the rounds that are left."""
        peeled = peel(spot.place)
        given = None if spot.overrides else registered(spot.annotation, peeled)
        if given is None and peeled.kind == "definition-ref":
            found = self._definition(spot, peeled)
            return self._checked(spot, peeled, found) if peeled.functions else found
        known = known_texts(peeled)
        if given is None and known is None:
            given = registered_for_kind(peeled.kind)
        if given is not None:
            return converted(self._subject, spot, given)
        if known is not None:
            return self._checked(spot, peeled, known)
        told = input_schema(peeled)
        inner = replace(spot, place=peeled.place) if told is None else spot.at(told)
        found = self._content(inner) if told is None else self._build(inner)
        return self._checked(spot, peeled, found) if _needs_check(peeled) else found

    def _definition(self, spot: Spot, peeled: Peeled) -> SearchStrategy[Any]:
        place = peeled.content.place
        ref = place.schema.get("schema_ref", "")
        target = replace(spot, place=place.at(place.definitions.get(ref, ANYTHING)))
        if ref in self._recursive:
            if spot.rounds == 0:
                raise TooDeep
            target = replace(target, rounds=spot.rounds - 1)
        if spot.overrides:
            return self._build(target)
        key = (ref, target.rounds, target.inside)
        if key not in self._made:
            try:
                self._made[key] = self._build(target)
            except TooDeep:
                self._made[key] = None
        found = self._made[key]
        if found is None:
            raise TooDeep
        return found

    def _content(self, spot: Spot) -> SearchStrategy[Any]:
        kind, place = spot.place.kind, spot.place
        if kind in _LEAVES:
            try:
                return _LEAVES[kind](place)
            except (UnknownRegex, NoText) as error:
                raise self._unknown(spot, str(error)) from error
        if kind == "model" and place.schema.get("root_model"):
            return self._root(spot)
        if kind in OBJECTS:
            return objects(self._build, spot, self._subject)
        shaped = CONTAINERS.get(kind) or UNIONS.get(kind)
        if shaped is not None and not (kind == "call" and not items_of_named_tuple(place)):
            return shaped(self._build, spot)
        if kind == "none":
            return st.none()
        raise self._unreadable(spot)

    def _root(self, spot: Spot) -> SearchStrategy[Any]:
        root = replace(spot, place=body_of(spot.place), annotation=None)
        given = spot.overrides.get("root")
        return self._build(root) if given is None else converted(self._subject, root, given)

    def _unreadable(self, spot: Spot) -> NoStrategy:
        function, asked = function_of(spot.place.schema), spot.place.schema.get("cls")
        if function is not None:
            name = getattr(function, "__qualname__", repr(function))
            return self._unknown(spot, f"the function {name} does not say what it takes")
        name = getattr(asked, "__qualname__", asked) or f"a {spot.place.kind}"
        return self._unknown(spot, f"no JSON of {name} is known")

    def _unknown(self, spot: Spot, problem: str) -> NoStrategy:
        named = getattr(spot.annotation, "__qualname__", None) or spot.annotation
        kind = f"of the type {named}, " if named is not None else ""
        way_out = "register_strategy(type, strategy), or payloads(T, field=strategy)"
        return NoStrategy(self._subject, spot.pointer, f"{kind}{problem}; use {way_out}")

    def _checked(
        self, spot: Spot, peeled: Peeled, strategy: SearchStrategy[Any]
    ) -> SearchStrategy[Any]:
        """What the reader takes here. A function that may ask for other fields is left to the check
        of the object that has them."""
        if asks_around(peeled) and peeled.kind not in OBJECTS | {"definition-ref"}:
            return strategy
        return Sieve(self._subject, spot.pointer, accepts(spot.place)).of(strategy)


def _needs_check(peeled: Peeled) -> bool:
    """Where a strategy may miss what the reader wants."""
    kind, schema = peeled.kind, peeled.place.schema
    if peeled.functions or kind in ("url", "multi-host-url"):
        return True
    if kind in OBJECTS:
        return has_fields_that_ask(peeled.place)
    if kind in ("float", "decimal"):
        return "multiple_of" in schema
    return kind == "str" and ("pattern" in schema or is_changed_when_read(peeled.place))
