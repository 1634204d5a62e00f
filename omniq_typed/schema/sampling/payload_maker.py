"""One payload out of a schema, by picking one of the options at each place of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from math import inf
from random import Random
from typing import Any, TypeAlias

from omniq_typed.schema.regex.regex_parser import UnknownRegex
from omniq_typed.schema.sampling.leaf_values import ANYTHING, Numbers, Words
from omniq_typed.schema.sampling.shape import Schema, Shape
from omniq_typed.schema.sampling.shapes import Shapes

Json: TypeAlias = dict[str, Any]

_LEVELS = 5
"""How deep payloads of a recursive schema are."""
_VALUES = 300
"""From so many values on, a payload gets no more than it has to."""
_EDGE_SHARE = 0.5
_TRIES = 20
_LONG_ARRAY = 40
_SHORT_SHARE = 0.85
_VARIED = 2


class NoPayload(Exception):
    """A place for which no value was found."""


class Picks:
    """Which option is taken at each place: by chance (`rng`), else the smallest or (`full`) the
    fullest, but for the places that are `forced`. `met`: at each place the option taken, and how
    many there were; `left`: how many values the payload may still have."""

    def __init__(
        self,
        rng: Random | None = None,
        forced: Mapping[str, int] | None = None,
        *,
        full: bool = False,
    ) -> None:
        self.rng = rng
        self.met: dict[str, tuple[int, int]] = {}
        self.left = _VALUES
        self._forced = forced or {}
        self._full = full
        self._share = rng.choice((0.1, 0.5, 0.5, 0.9)) if rng else 0

    def pick(self, place: str, count: int, *, fullest: int = 0) -> int:
        """One of 0 to count - 1."""
        if self.rng is not None:
            return self.rng.randrange(count)
        found = min(self._forced.get(place, fullest if self._full else 0), count - 1)
        self.met[place] = found, count
        return found

    def at(self, index: int) -> Picks:
        """For the item at a place of an array: those far behind are all made alike."""
        return self if self.rng is not None or index < _VARIED else Picks()

    def has(self, place: str) -> bool:
        """Whether what may be left out is there."""
        if self.left < 0:
            return False
        if self.rng is not None:
            return self.rng.random() < self._share
        return self.pick(place, 2, fullest=1) == 1


class Maker:
    """Makes payloads of a schema that hardly ever are not valid."""

    def __init__(self, schema: Json, names: tuple[str, ...] = ()) -> None:
        self.schema = schema
        self._more = names
        self._shapes = Shapes(schema)
        self._edges: dict[Shape, list[Any]] = {}
        self._sources: dict[Shape, Numbers | Words] = {}

    def payload(self, picks: Picks) -> Any:
        """Raises NoPayload with the place."""
        needed = self._shapes.height(self.schema)
        if needed == inf:
            raise NoPayload("at the whole: no value has an end, or is allowed at all")
        return self._value(self.schema, "", int(needed) + _LEVELS, picks)

    def _value(self, schema: Schema, place: str, room: float, picks: Picks) -> Any:
        """`room`: how many levels there may be below."""
        picks.left -= 1
        if picks.left < 0:
            room = 0
        if schema is True or schema == {}:
            return deepcopy(ANYTHING[picks.pick(f"{place}#value", len(ANYTHING))])
        shapes = self._fitting(schema, room)
        if not shapes:
            raise NoPayload(f"at {place or 'the whole'}: no value is allowed")
        shape = shapes[picks.pick(f"{place}#kind", len(shapes), fullest=len(shapes) - 1)]
        if shape.values is not None:
            return deepcopy(shape.values[picks.pick(f"{place}#value", len(shape.values))])
        match shape.kind:
            case "object":
                return self._object(shape, place, room, picks)
            case "array":
                return self._array(shape, place, room, picks)
            case _:
                return self._leaf(shape, place, picks)

    def _fitting(self, schema: Schema, room: float) -> list[Shape]:
        """The shapes that need no more room, or the least."""
        heights = self._shapes.lowest_first(schema)
        most = max(room, heights[0][0]) if heights else 0
        return [each for height, each in heights if height <= most]

    def _leaf(self, shape: Shape, place: str, picks: Picks) -> Any:
        if shape.kind in ("null", "boolean"):
            return None if shape.kind == "null" else bool(picks.pick(f"{place}#value", 2))
        edges = self._edges_of(shape, place)
        if picks.rng is not None and (not edges or picks.rng.random() > _EDGE_SHARE):
            found = self._source(shape).random(picks.rng)
            if found is not None:
                return found
        if not edges:
            raise NoPayload(f"at {place or 'the whole'}: no {shape.kind} was found")
        return edges[picks.pick(f"{place}#value", len(edges))]

    def _edges_of(self, shape: Shape, place: str) -> list[Any]:
        found = self._edges.get(shape)
        if found is None:
            try:
                found = self._edges[shape] = list(self._source(shape).edges())
            except UnknownRegex as error:
                raise NoPayload(f"at {place or 'the whole'}: {error} is not known here") from error
        return found

    def _source(self, shape: Shape) -> Numbers | Words:
        found = self._sources.get(shape)
        if found is None:
            found = Words(shape) if shape.kind == "string" else Numbers(shape)
            self._sources[shape] = found
        return found

    # Objects

    def _object(self, shape: Shape, place: str, room: float, picks: Picks) -> Json:
        found: Json = {}
        for name, schema in shape.properties.items():
            inner = f"{place}/{name.replace('~', '~0').replace('/', '~1')}"
            if name not in shape.required and not self._is_in(schema, inner, room, picks):
                continue
            found[name] = self._value(schema, inner, room - 1, picks)
        names = self._more_names(shape, place, room, len(found), picks)
        for at, name in enumerate(names):
            value = self._value(shape.property(name), f"{place}/{at}#", room - 1, picks.at(at))
            found[name] = value
        return found

    def _is_in(self, schema: Schema, place: str, room: float, picks: Picks) -> bool:
        return self._shapes.height(schema) < room and picks.has(f"{place}#in")

    def _more_names(
        self, shape: Shape, place: str, room: float, there: int, picks: Picks
    ) -> list[str]:
        """Names of properties that the schema has no names for."""
        if not any(self._has_room(each, room) for each in shape.others):
            return []
        least = max((shape.highest("minProperties") or 0) - there, 0)
        most = (shape.lowest("maxProperties") or inf) - there
        rare = bool(shape.properties)
        most = min(most, least + 1) if rare else most
        count = self._size(f"{place}#more", least, most, picks, rare)
        pool = [
            name
            for name in (dict.fromkeys(self._names(shape, place, picks)) if count else ())
            if name not in shape.properties and self._has_room(shape.property(name), room)
        ]
        start = picks.pick(f"{place}#name", len(pool)) if pool else 0
        return (pool[start:] + pool[:start])[:count]

    def _has_room(self, schema: Schema, room: float) -> bool:
        return self._shapes.height(schema) < max(room, 1)

    def _names(self, shape: Shape, place: str, picks: Picks) -> Iterator[str]:
        for each in self._shapes.of(shape.names):
            if each.kind != "string":
                continue
            if each.values is not None:
                yield from each.values
                continue
            edges = self._edges_of(each, place)
            if picks.rng is not None:
                tries = [self._source(each).random(picks.rng) for _ in range(3)]
                yield from (name for name in tries if isinstance(name, str))
            yield from (*self._more, *edges)

    def _size(self, place: str, least: int, most: float, picks: Picks, rare: bool) -> int:
        """A number of items; `rare`: none, mostly."""
        sizes = [least, least + 1, least + 2, int(min(most, _LONG_ARRAY))]
        sizes = sorted({size for size in sizes if least <= size <= most})
        if not sizes or picks.left < 0:
            return least
        if picks.rng is not None and picks.rng.random() < _SHORT_SHARE:
            return least if rare else picks.rng.choice(sizes[:3])
        return sizes[picks.pick(place, len(sizes), fullest=0 if rare else 1)]

    # Arrays

    def _array(self, shape: Shape, place: str, room: float, picks: Picks) -> list[Any]:
        least = shape.highest("minItems") or 0
        most = self._most_items(shape, least, room)
        if most < least:
            raise NoPayload(f"at {place or 'the whole'}: no array is long enough")
        unique = any(shape.each("uniqueItems"))
        size = self._size(f"{place}#size", least, most, picks, False)
        found: list[Any] = []
        keys: set[str] = set()
        for at in range(size):
            tries = self._tries(shape.item(at), f"{place}/{at}", room - 1, picks.at(at), unique)
            for value in tries:
                key = json.dumps(value, sort_keys=True)
                if not unique or key not in keys:
                    keys.add(key)
                    found.append(value)
                    break
        return found

    def _most_items(self, shape: Shape, least: int, room: float) -> float:
        most = shape.lowest("maxItems")
        bound = inf if most is None else most
        for at, item in enumerate(shape.items):
            if self._shapes.height(item) >= max(room, 1) and (
                at >= least or not self._shapes.of(item)
            ):
                return float(min(bound, at))
        return float(bound)

    def _tries(
        self, schema: Schema, place: str, room: float, picks: Picks, several: bool
    ) -> Iterator[Any]:
        yield self._value(schema, place, room, picks)
        for number in range(_TRIES if several else 0):
            yield self._value(schema, place, room, Picks(picks.rng or Random(number)))
