"""A place in a schema where a random edit is made, and what edits put there."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any, TypeAlias

from omniq_typed.schema.wire.wording import LISTS, MAPS, SINGLES

Json: TypeAlias = dict[str, Any]


class NotHere(Exception):
    """The edit means nothing for this schema."""


@dataclass(frozen=True)
class Place:
    """A schema within a schema. `root`: the whole."""

    node: Json
    root: Json
    rng: Random

    def one_of(self, choices: Any) -> Any:
        """Raises NotHere where there is none."""
        found = list(choices)
        if not found:
            raise NotHere
        return self.rng.choice(found)

    def needs(self, *words: str) -> None:
        """Raises NotHere where the schema lacks one of the keywords."""
        if not all(word in self.node for word in words):
            raise NotHere

    def of_type(self, *types: str) -> None:
        """Raises NotHere where it is of another type."""
        if self.node.get("type") not in types:
            raise NotHere

    def become(self, schema: Json) -> None:
        """Another schema instead; definitions stay."""
        kept: Json = {key: self.node[key] for key in ("$defs", "$schema") if key in self.node}
        self.node.clear()
        self.node.update({**schema, **kept})


Edit: TypeAlias = Callable[[Place], None]

_SMALL: tuple[Json, ...] = (
    {"type": "integer"},
    {"type": "number", "minimum": 0},
    {"type": "string"},
    {"type": "string", "maxLength": 5},
    {"type": "null"},
    {"enum": ["a", 1]},
    {"anyOf": [{"type": "boolean"}, {"type": "null"}]},
    {"type": "array", "items": {"type": "string"}},
    {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]},
    {"const": "fixed"},
    {},
)
PATTERNS = ("^[a-z]", "^[A-Z]{2,4}$", "^[0-9]+$", r"^\S*$", "a|b", "^.{0,12}$", "^(?!x)")
FORMATS = ("uuid", "date", "date-time", "ipv4", "uri", "email")
BOUNDS = (-(2**53) + 1, -100, -1, 0, 1, 2, 10, 99.5, 2**31, 2**53 - 1)


def small(place: Place) -> Json:
    """A schema to put somewhere."""
    found: Json = copy.deepcopy(place.rng.choice(_SMALL))
    return found


def some_bound(place: Place, least: str, most: str) -> None:
    word = place.one_of([least, most])
    if word in place.node and place.rng.random() < 0.4:
        del place.node[word]
    else:
        place.node[word] = place.rng.choice((0, 1, 2, 3, 5, 30))


def nodes_of(schema: Any) -> Iterator[Json]:
    """All schemas in a schema."""
    if not isinstance(schema, dict):
        return
    yield schema
    for word, value in schema.items():
        if word in MAPS:
            for each in value.values():
                yield from nodes_of(each)
        elif word in LISTS:
            for each in value:
                yield from nodes_of(each)
        elif word in SINGLES:
            yield from nodes_of(value)
