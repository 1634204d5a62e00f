"""Random edits of exported schemas, as a change of the Python type would make them, and others."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any, TypeAlias

from omniq_typed.schema.generator import UNSAID
from omniq_typed.schema.wording import LISTS, MAPS, SINGLES

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
        kept = {key: self.node[key] for key in ("$defs", "$schema") if key in self.node}
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
_PATTERNS = ("^[a-z]", "^[A-Z]{2,4}$", "^[0-9]+$", r"^\S*$", "a|b", "^.{0,12}$", "^(?!x)")
_FORMATS = ("uuid", "date", "date-time", "ipv4", "uri", "email")
_BOUNDS = (-(2**53) + 1, -100, -1, 0, 1, 2, 10, 99.5, 2**31, 2**53 - 1)


def small(place: Place) -> Json:
    """A schema to put somewhere."""
    found: Json = copy.deepcopy(place.rng.choice(_SMALL))
    return found


# Objects


def drop_property(place: Place) -> None:
    place.needs("properties")
    name = place.one_of(place.node["properties"])
    del place.node["properties"][name]
    unrequired(place, name)


def add_property(place: Place) -> None:
    place.of_type("object")
    name = place.one_of(["added", "x", "kind", "name", "id"])
    place.node.setdefault("properties", {})[name] = small(place)
    if place.rng.random() < 0.5:
        place.node["required"] = sorted({*place.node.get("required", []), name})


def rename_property(place: Place) -> None:
    place.needs("properties")
    name = place.one_of(place.node["properties"])
    place.node["properties"]["renamed"] = place.node["properties"].pop(name)
    if name in place.node.get("required", []):
        unrequired(place, name)
        place.node.setdefault("required", []).append("renamed")


def require(place: Place) -> None:
    place.needs("properties")
    optional = set(place.node["properties"]) - set(place.node.get("required", []))
    name = place.one_of(sorted(optional))
    place.node["required"] = [*place.node.get("required", []), name]


def unrequire(place: Place) -> None:
    place.needs("required")
    unrequired(place, place.one_of(place.node["required"]))


def unrequired(place: Place, name: str) -> None:
    kept = [each for each in place.node.get("required", []) if each != name]
    place.node["required"] = kept
    if not kept:
        del place.node["required"]


def change_additional(place: Place) -> None:
    place.of_type("object")
    place.node["additionalProperties"] = place.one_of([True, False, small(place), small(place)])


def drop_additional(place: Place) -> None:
    place.needs("additionalProperties")
    del place.node["additionalProperties"]


def change_names(place: Place) -> None:
    place.of_type("object")
    if place.node.pop("propertyNames", None) is None:
        place.node["propertyNames"] = {"pattern": place.one_of(_PATTERNS)}


def patterned_properties(place: Place) -> None:
    place.of_type("object")
    place.node["patternProperties"] = {place.one_of(_PATTERNS): small(place)}


def change_size(place: Place) -> None:
    place.of_type("object")
    _some_bound(place, "minProperties", "maxProperties")


# Values


def change_type(place: Place) -> None:
    place.needs("type")
    others = {"integer": ["number"], "number": ["integer", "string"], "string": ["integer"]}
    place.node["type"] = place.one_of(others.get(place.node["type"], ["string", "null", "object"]))


def replace(place: Place) -> None:
    place.become(small(place))


def anything(place: Place) -> None:
    place.become({})


def nullable(place: Place) -> None:
    place.become({"anyOf": [_bare(place.node), {"type": "null"}]})


def not_nullable(place: Place) -> None:
    place.needs("anyOf")
    kept = [each for each in place.node["anyOf"] if each != {"type": "null"}]
    if not kept or len(kept) == len(place.node["anyOf"]):
        raise NotHere
    place.node["anyOf"] = kept


def change_bound(place: Place) -> None:
    place.of_type("integer", "number")
    word = place.one_of(["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"])
    place.node[word] = place.one_of(_BOUNDS)


def drop_bound(place: Place) -> None:
    words = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
    del place.node[place.one_of(word for word in words if word in place.node)]


def nudge_bound(place: Place) -> None:
    words = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength")
    word = place.one_of(word for word in (*words, "minItems", "maxItems") if word in place.node)
    moved = place.node[word] + place.one_of([-1, 1])
    place.node[word] = max(moved, 0) if word[3:] in ("Length", "Items") else moved


def change_multiple(place: Place) -> None:
    place.of_type("integer", "number")
    place.node["multipleOf"] = place.one_of([1, 2, 3, 5, 6, 0.5])


# Texts


def change_length(place: Place) -> None:
    place.of_type("string")
    _some_bound(place, "minLength", "maxLength")


def change_pattern(place: Place) -> None:
    place.of_type("string")
    place.node["pattern"] = place.one_of(_PATTERNS)


def another_pattern(place: Place) -> None:
    place.of_type("string")
    place.node.setdefault("allOf", []).append({"pattern": place.one_of(_PATTERNS)})


def drop_pattern(place: Place) -> None:
    place.needs("pattern")
    del place.node["pattern"]


def change_format(place: Place) -> None:
    place.of_type("string")
    place.node["format"] = place.one_of(_FORMATS)


def drop_format(place: Place) -> None:
    place.needs("format")
    del place.node["format"]


# Choices


def add_value(place: Place) -> None:
    values = _values(place)
    place.node["enum"] = [*values, place.one_of(["another", 7, None, True])]


def drop_value(place: Place) -> None:
    values = _values(place)
    values.remove(place.one_of(values))
    if not values:
        raise NotHere
    place.node["enum"] = values


def change_constant(place: Place) -> None:
    place.needs("const")
    place.node["const"] = place.one_of(["other", 0, 1, None])


def free_values(place: Place) -> None:
    _values(place)
    place.node.pop("enum", None)


def add_choice(place: Place) -> None:
    place.needs("anyOf")
    place.node["anyOf"].insert(place.rng.randrange(3), small(place))


def drop_choice(place: Place) -> None:
    place.needs("anyOf")
    if len(place.node["anyOf"]) < 2:
        raise NotHere
    place.node["anyOf"].remove(place.one_of(place.node["anyOf"]))


def exactly_one(place: Place) -> None:
    place.needs("anyOf")
    place.node["oneOf"] = place.node.pop("anyOf")


def nest_choices(place: Place) -> None:
    place.needs("anyOf")
    first, *others = place.node["anyOf"]
    place.node["anyOf"] = [{"anyOf": [first, small(place)]}, *others]


def both(place: Place) -> None:
    place.become({"allOf": [_bare(place.node), small(place)]})


# Arrays


def change_items(place: Place) -> None:
    place.needs("items")
    place.node["items"] = small(place)


def change_count(place: Place) -> None:
    place.of_type("array")
    _some_bound(place, "minItems", "maxItems")


def toggle_unique(place: Place) -> None:
    place.of_type("array")
    if place.node.pop("uniqueItems", None) is None:
        place.node["uniqueItems"] = True


def change_prefix(place: Place) -> None:
    place.of_type("array")
    items = place.node.setdefault("prefixItems", [])
    if items and place.rng.random() < 0.5:
        items.pop()
    else:
        items.append(small(place))
    if not items:
        del place.node["prefixItems"]


# References and what no schema says


def other_reference(place: Place) -> None:
    place.needs("$ref")
    place.node["$ref"] = f"#/$defs/{place.one_of(place.root['$defs'])}"


def inline(place: Place) -> None:
    place.needs("$ref")
    name = place.node["$ref"].rpartition("/")[2]
    place.become(copy.deepcopy(place.root["$defs"][name]))


def recurse(place: Place) -> None:
    if "$defs" not in place.root or place.node is place.root:
        raise NotHere
    place.become({"$ref": f"#/$defs/{place.one_of(place.root['$defs'])}"})


def add_predicate(place: Place) -> None:
    place.node["$comment"] = UNSAID + place.one_of(["P", "Q", "P, Q"])


def drop_predicate(place: Place) -> None:
    place.needs("$comment")
    del place.node["$comment"]


EDITS: tuple[Edit, ...] = (
    *(drop_property, add_property, rename_property, require, unrequire),
    *(change_additional, drop_additional, change_names, patterned_properties, change_size),
    *(change_type, replace, anything, nullable, not_nullable),
    *(change_bound, drop_bound, nudge_bound, change_multiple),
    *(change_length, change_pattern, another_pattern, drop_pattern, change_format, drop_format),
    *(add_value, drop_value, change_constant, free_values),
    *(add_choice, drop_choice, exactly_one, nest_choices, both),
    *(change_items, change_count, toggle_unique, change_prefix),
    *(other_reference, inline, recurse, add_predicate, drop_predicate),
)


def edited(schema: Json, rng: Random) -> tuple[Json, str]:
    """A copy with one random edit at a random place, and the edit's name."""
    while True:
        found: Json = copy.deepcopy(schema)
        edit = rng.choice(EDITS)
        nodes = list(nodes_of(found))
        rng.shuffle(nodes)
        for node in nodes:
            try:
                edit(Place(node, found, rng))
            except NotHere:
                continue
            return found, edit.__name__


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


def _bare(node: Json) -> Json:
    return {key: value for key, value in node.items() if key not in ("$defs", "$schema")}


def _values(place: Place) -> list[Any]:
    if "const" in place.node:
        return [place.node.pop("const")]
    place.needs("enum")
    return list(place.node["enum"])


def _some_bound(place: Place, least: str, most: str) -> None:
    word = place.one_of([least, most])
    if word in place.node and place.rng.random() < 0.4:
        del place.node[word]
    else:
        place.node[word] = place.rng.choice((0, 1, 2, 3, 5, 30))
