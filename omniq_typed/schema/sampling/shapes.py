"""A schema taken apart: references followed, choices apart, so that each shape that is left says
plainly of one kind of value what it has to be."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, product
from math import inf
from typing import Any
from urllib.parse import unquote

from omniq_typed.schema.sampling.shape import Json, Kind, Schema, Shape

KINDS: tuple[Kind, ...] = ("null", "boolean", "integer", "string", "array", "object", "number")
MOST_SHAPES = 300
"""Of one schema: of unions of unions with more, the first ones."""
_DEEPEST = 40
_COMBINED = frozenset({"$ref", "allOf", "anyOf", "oneOf", "$defs"})


class Shapes:
    """The shapes of a schema and of all schemas in it."""

    def __init__(self, schema: Json) -> None:
        self._whole = schema
        self._found: dict[int, tuple[Schema, tuple[Shape, ...]]] = {}
        self._fitting: dict[tuple[int, int], bool] = {}
        self._heights: dict[int, float] = {}
        self._sorted: dict[int, list[tuple[float, Shape]]] = {}

    def of(self, schema: Schema) -> tuple[Shape, ...]:
        """Those that a value may have, none where there can be no value."""
        known = self._found.get(id(schema))
        if known is None:
            ways = self._ways(schema, ())
            shapes = tuple(shape for parts in ways for shape in _shapes_of(parts))
            # The schema is kept, so that no other gets its id.
            known = self._found[id(schema)] = (schema, shapes)
        return known[1]

    def height(self, schema: Schema) -> float:
        """How many levels a value has at the least: 0 for what holds nothing."""
        known = self._heights.get(id(schema))
        if known is None:
            depths = (depth for depth in range(_DEEPEST) if self._fits(schema, depth))
            known = self._heights[id(schema)] = next(depths, inf)
        return known

    def lowest_first(self, schema: Schema) -> list[tuple[float, Shape]]:
        """The shapes that have an end, each with its height; null before all others."""
        known = self._sorted.get(id(schema))
        if known is None:
            found = [(self.height_of(each), each) for each in self.of(schema)]
            found.sort(key=lambda pair: (pair[0], pair[1].kind != "null"))
            known = self._sorted[id(schema)] = [pair for pair in found if pair[0] < inf]
        return known

    def height_of(self, shape: Shape) -> float:
        """As `height`, of one shape."""
        inner = [self.height(each) for each in self._wanted(shape)]
        return 1 + max(inner) if inner else 0

    def _fits(self, schema: Schema, depth: int) -> bool:
        shapes = self.of(schema)
        key = (id(schema), depth)
        if key not in self._fitting:
            self._fitting[key] = any(self._shape_fits(shape, depth) for shape in shapes)
        return self._fitting[key]

    def _shape_fits(self, shape: Shape, depth: int) -> bool:
        wanted = self._wanted(shape)
        return not wanted or (depth > 0 and all(self._fits(each, depth - 1) for each in wanted))

    @staticmethod
    def _wanted(shape: Shape) -> list[Schema]:
        """The schemas of what a value cannot do without."""
        if shape.values is not None:
            return []
        if shape.kind == "object":
            return [shape.properties[name] for name in shape.required]
        if shape.kind == "array":
            least = shape.highest("minItems") or 0
            return [shape.item(at) for at in range(min(least, len(shape.items)))]
        return []

    def _ways(self, schema: Schema, above: tuple[str, ...]) -> list[tuple[Json, ...]]:
        """Each choice within as a tuple of plain schemas that hold at once. `above`: references
        that were followed to get here, which say nothing new."""
        if isinstance(schema, bool):
            return [()] if schema else []
        plain = {key: value for key, value in schema.items() if key not in _COMBINED}
        demands: list[list[tuple[Json, ...]]] = [[(plain,)] if plain else [()]]
        reference = schema.get("$ref")
        if reference is not None:
            if reference in above:
                return []
            demands.append(self._ways(self._target(reference), (*above, reference)))
        demands += [self._ways(each, above) for each in schema.get("allOf", ())]
        for word in ("anyOf", "oneOf"):
            if word in schema:
                choices = [way for each in schema[word] for way in self._ways(each, above)]
                demands.append(choices[:MOST_SHAPES])
        joined = (tuple(part for way in each for part in way) for each in product(*demands))
        return list(islice(joined, MOST_SHAPES))

    def _target(self, reference: str) -> Schema:
        """What a JSON pointer leads to; nothing is known of other documents."""
        found: Any = self._whole
        for part in reference.removeprefix("#").split("/")[1:]:
            name = unquote(part).replace("~1", "/").replace("~0", "~")
            if isinstance(found, bool):
                return False
            found = found[int(name)] if isinstance(found, list) else found.get(name, False)
        is_known = reference.startswith("#") and isinstance(found, (dict, bool))
        return found if is_known else False


def _shapes_of(parts: tuple[Json, ...]) -> Iterator[Shape]:
    kinds: list[Kind] = [kind for kind in KINDS if all(kind in _kinds(part) for part in parts)]
    if "number" in kinds and "integer" in kinds:
        kinds.remove("integer")
    named = [values for part in parts for values in _named(part)]
    for kind in kinds:
        if not named:
            yield Shape(kind, parts)
            continue
        values = [each for each in named[0] if _is_of(each, kind) and _in_all(each, named[1:])]
        if values:
            yield Shape(kind, parts, tuple(values))


def _named(part: Json) -> Iterator[list[Any]]:
    if "enum" in part:
        yield part["enum"]
    if "const" in part:
        yield [part["const"]]


def _in_all(value: Any, lists: list[list[Any]]) -> bool:
    return all(any(_same(value, each) for each in values) for values in lists)


def _same(one: Any, other: Any) -> bool:
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def _is_of(value: Any, kind: Kind) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    match kind:
        case "null":
            return value is None
        case "integer":
            return isinstance(value, int)
        case "number":
            return isinstance(value, (int, float))
        case "string":
            return isinstance(value, str)
        case "array":
            return isinstance(value, list)
        case _:
            return kind == "object" and isinstance(value, dict)


def _kinds(part: Json) -> tuple[str, ...]:
    said = part.get("type", KINDS)
    kinds = (said,) if isinstance(said, str) else tuple(said)
    return (*kinds, "integer") if "number" in kinds else kinds
