"""A value in a payload beside its place in the type, while rules to break are looked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from hypothesis.strategies import SearchStrategy

from omniq_typed.errors import NoStrategy
from omniq_typed.messages.schema_walk import ANYTHING, Place, Schema
from omniq_typed.testing.mutations.rules import Change, Path, Rule, Values, among
from omniq_typed.testing.strategies.compiler import json_strategy
from omniq_typed.testing.strategies.readers import accepts
from omniq_typed.testing.strategies.spots import Peeled, peel


class Readers:
    """What parts of a type take by themselves, each found out once. `subject` names the type."""

    def __init__(self, subject: str) -> None:
        self._subject = subject
        # The schemas are kept, so that no other gets an id of theirs.
        self._objections: dict[int, tuple[Schema, Callable[[Any], str]]] = {}
        self._refused: dict[int, tuple[Schema, SearchStrategy[Any] | None]] = {}

    def objection(self, place: Place) -> Callable[[Any], str]:
        """As `accepts`."""
        known = self._objections.get(id(place.schema))
        if known is None:
            known = self._objections[id(place.schema)] = (place.schema, accepts(place))
        return known[1]

    def refused(self, place: Place, inner: Place) -> SearchStrategy[Any] | None:
        """What an inner schema takes and the functions around it refuse; None where that cannot
        be made."""
        known = self._refused.get(id(place.schema))
        if known is None:
            known = self._refused[id(place.schema)] = (place.schema, self._search(place, inner))
        return known[1]

    def _search(self, place: Place, inner: Place) -> SearchStrategy[Any] | None:
        objection = self.objection(place)
        try:
            return json_strategy(self._subject, inner).filter(lambda tree: bool(objection(tree)))
        except NoStrategy:
            return None


@dataclass(frozen=True, slots=True)
class Here:
    """`path` leads to `tree` in the payload."""

    place: Place
    tree: Any
    readers: Readers
    path: Path = ()

    def at(self, place: Place) -> Here:
        """The same value, seen as another place."""
        return replace(self, place=place)

    def item(self, key: str | int, place: Place) -> Here:
        """A value within."""
        return replace(self, place=place, tree=self.tree[key], path=(*self.path, key))

    def change(self, rule: Rule, detail: str, *values: Any) -> Change:
        """To one of these values."""
        return self.change_to(rule, detail, among(*values))

    def change_to(self, rule: Rule, detail: str, values: Values) -> Change:
        """To a value of a strategy."""
        return Change(self.path, rule, detail, values, self.path)


def resolved(place: Place) -> Peeled:
    """Without wrappers, and through references, which in JSON are nothing."""
    found = peel(place)
    functions = found.functions
    while found.kind == "definition-ref":
        inner = found.content.place
        target = inner.definitions.get(inner.schema.get("schema_ref", ""), ANYTHING)
        found = peel(inner.at(target))
        functions += found.functions
    return replace(found, functions=functions)
