"""From a JSON Schema to a strategy of what it allows."""

from __future__ import annotations

from math import inf
from typing import Any

import jsonschema_rs
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from omniq_typed.errors import NoStrategy
from omniq_typed.messages.schema_walk import Place
from omniq_typed.schema.regex.regex_parser import UnknownRegex
from omniq_typed.schema.sampling.shape import Json, Schema, Shape
from omniq_typed.schema.sampling.shapes import Shapes
from omniq_typed.schema.sampling.text_formats import PATTERNS
from omniq_typed.testing.strategies.automata import NoText, matching
from omniq_typed.testing.strategies.collections import ROOM, entries, limits, several
from omniq_typed.testing.strategies.containers import ANY_JSON
from omniq_typed.testing.strategies.numbers import floats, integers
from omniq_typed.testing.strategies.readers import Sieve
from omniq_typed.testing.strategies.texts import ANY_CHARACTER

_LEVELS = 6
"""How many levels deeper than it has to be a payload is."""
_NUMBER_WORDS = {
    "minimum": ("highest", "ge"),
    "exclusiveMinimum": ("highest", "gt"),
    "maximum": ("lowest", "le"),
    "exclusiveMaximum": ("lowest", "lt"),
    "multipleOf": ("highest", "multiple_of"),
}


def valid_json(subject: str, schema: Json) -> SearchStrategy[Any]:
    """Payloads that are valid under a schema (2020-12, formats on). `subject` names it in errors.
    Raises NoStrategy where nothing valid is known."""
    return Sieve(subject, "", objection_of(schema)).of(_Maker(subject, schema).whole())


def objection_of(schema: Json) -> Any:
    """A function of a payload that gives what a validator of the schema objects to, or ''."""
    validator = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)

    def objection(tree: Any) -> str:
        try:
            validator.validate(tree)
        except jsonschema_rs.ValidationError as error:
            path = "".join(f"/{each}" for each in error.instance_path)
            return f"{path or 'the whole'}: {error.message}"
        return ""

    return objection


class _Maker:
    def __init__(self, subject: str, schema: Json) -> None:
        self._subject = subject
        self._schema = schema
        self._shapes = Shapes(schema)
        self._made: dict[tuple[int, int, int], SearchStrategy[Any]] = {}

    def whole(self) -> SearchStrategy[Any]:
        needed = self._shapes.height(self._schema)
        if needed == inf:
            raise NoStrategy(self._subject, "", "its schema allows nothing that has an end")
        return self._value(self._schema, "", int(needed) + _LEVELS, 0)

    def _value(self, schema: Schema, path: str, levels: int, inside: int) -> SearchStrategy[Any]:
        """`levels`: how many there may be below; `inside`: how many arrays there are around."""
        key = (id(schema), levels, min(inside, len(ROOM) - 1))
        if key not in self._made:
            shapes = self._fitting(schema, levels)
            if not shapes:
                raise NoStrategy(self._subject, path, "its schema allows nothing here")
            made = [self._shape(shape, path, levels, inside) for shape in shapes]
            self._made[key] = st.one_of(made)
        return self._made[key]

    def _fitting(self, schema: Schema, levels: int) -> list[Shape]:
        """Those that fit, or the lowest; null comes first, as the simplest."""
        heights = [(self._shapes.height_of(each), each) for each in self._shapes.of(schema)]
        most = max(levels, min((height for height, _ in heights), default=0))
        fitting = [each for height, each in heights if height <= most]
        return sorted(fitting, key=lambda each: each.kind != "null")

    def _shape(self, shape: Shape, path: str, levels: int, inside: int) -> SearchStrategy[Any]:
        if shape.values is not None:
            return st.sampled_from(shape.values)
        match shape.kind:
            case "null":
                return st.none()
            case "boolean":
                return st.booleans()
            case "integer" | "number":
                return _numbers(shape)
            case "string":
                return self._texts(shape, path)
            case "array":
                return self._array(shape, path, levels, inside)
            case _:
                return self._object(shape, path, levels, inside)

    def _texts(self, shape: Shape, path: str) -> SearchStrategy[str]:
        least, most = shape.highest("minLength") or 0, shape.lowest("maxLength")
        formats = [PATTERNS[each] for each in shape.each("format") if each in PATTERNS]
        patterns = tuple(dict.fromkeys([*shape.each("pattern"), *formats]))
        if not patterns:
            return st.text(ANY_CHARACTER, min_size=least, max_size=most)
        try:
            return matching(patterns, least, most)
        except (UnknownRegex, NoText) as error:
            raise NoStrategy(self._subject, path, str(error)) from error

    def _array(self, shape: Shape, path: str, levels: int, inside: int) -> SearchStrategy[Any]:
        least, most = shape.highest("minItems") or 0, shape.lowest("maxItems")
        ahead = shape.items[:-1]
        fixed = [self._value(each, path, levels - 1, inside + 1) for each in ahead]
        sizes = range(least, len(fixed) + 1) if most is None else range(least, most + 1)
        if fixed and (most is not None and most <= len(fixed)):
            return st.one_of([st.tuples(*fixed[:size]).map(list) for size in sizes])
        rest = shape.items[-1]
        beyond = max(0, least - len(fixed))
        if not self._has_room(rest, levels) and not beyond:
            return st.tuples(*fixed).map(list)
        items = self._value(rest, f"{path}/*", levels - 1, inside + 1)
        fewest, most = limits(beyond, None if most is None else most - len(fixed), inside)
        if any(shape.each("uniqueItems")):
            more = st.lists(items, min_size=fewest, max_size=most, unique_by=repr)
        else:
            more = several(items, fewest, most)
        return st.tuples(*fixed, more).map(lambda parts: [*parts[:-1], *parts[-1]])

    def _object(self, shape: Shape, path: str, levels: int, inside: int) -> SearchStrategy[Any]:
        required: dict[str, SearchStrategy[Any]] = {}
        optional: dict[str, SearchStrategy[Any]] = {}
        for name, schema in shape.properties.items():
            wanted = name in shape.required
            if wanted or self._has_room(schema, levels):
                made = self._value(schema, f"{path}/{name}", levels - 1, inside)
                (required if wanted else optional)[name] = made
        named = st.fixed_dictionaries(required, optional=optional)
        least = max(0, (shape.highest("minProperties") or 0) - len(required))
        says_more = shape.others[0] is not True or not shape.properties
        has_room = any(self._has_room(each, levels) for each in shape.others)
        if not (least or says_more) or not has_room:
            return named
        more = self._more(shape, path, levels, inside, least)
        return st.builds(lambda one, other: {**other, **one}, named, more)

    def _more(
        self, shape: Shape, path: str, levels: int, inside: int, least: int
    ) -> SearchStrategy[dict[str, Any]]:
        """Properties that have no names in the schema."""
        least, most = limits(least, shape.lowest("maxProperties"), inside)
        names = self._value(shape.names, path, levels, inside)
        held = len(shape.others) == 1 and shape.others[0]
        if held is True:
            return entries(names, ANY_JSON, least, most)
        below = (f"{path}/*", levels - 1, inside + 1)
        if held is not False:
            return entries(names, self._value(held, *below), least, most)
        # What a property holds goes by its name.
        chosen = st.lists(names, min_size=least, max_size=most, unique=True)
        return chosen.flatmap(
            lambda them: st.fixed_dictionaries(
                {name: self._value(shape.property(name), *below) for name in them}
            )
        )

    def _has_room(self, schema: Schema, levels: int) -> bool:
        return self._shapes.height(schema) < levels


def _numbers(shape: Shape) -> SearchStrategy[Any]:
    """A number may be written with a point or without."""
    limits: dict[str, Any] = {"type": "int"}
    for word, (strictest, name) in _NUMBER_WORDS.items():
        found = getattr(shape, strictest)(word)
        if found is not None:
            limits[name] = found
    return integers(Place(limits)) if shape.kind == "integer" else floats(Place(limits))
