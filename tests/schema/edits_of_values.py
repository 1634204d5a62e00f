"""Edits of what a value may be: types, numbers, texts, choices, references."""

from __future__ import annotations

import copy
from typing import Any

from omniq_typed.schema.wire.generator import UNSAID
from tests.schema.edit_place import (
    BOUNDS,
    FORMATS,
    PATTERNS,
    Edit,
    Json,
    NotHere,
    Place,
    small,
    some_bound,
)


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
    place.node[word] = place.one_of(BOUNDS)


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
    some_bound(place, "minLength", "maxLength")


def change_pattern(place: Place) -> None:
    place.of_type("string")
    place.node["pattern"] = place.one_of(PATTERNS)


def another_pattern(place: Place) -> None:
    place.of_type("string")
    place.node.setdefault("allOf", []).append({"pattern": place.one_of(PATTERNS)})


def drop_pattern(place: Place) -> None:
    place.needs("pattern")
    del place.node["pattern"]


def change_format(place: Place) -> None:
    place.of_type("string")
    place.node["format"] = place.one_of(FORMATS)


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


def _bare(node: Json) -> Json:
    return {key: value for key, value in node.items() if key not in ("$defs", "$schema")}


def _values(place: Place) -> list[Any]:
    if "const" in place.node:
        return [place.node.pop("const")]
    place.needs("enum")
    return list(place.node["enum"])


EDITS: tuple[Edit, ...] = (
    *(change_type, replace, anything, nullable, not_nullable, change_bound, drop_bound),
    *(nudge_bound, change_multiple, change_length, change_pattern, another_pattern),
    *(drop_pattern, change_format, drop_format, add_value, drop_value, change_constant),
    *(free_values, add_choice, drop_choice, exactly_one, nest_choices, both),
    *(other_reference, inline, recurse, add_predicate, drop_predicate),
)
