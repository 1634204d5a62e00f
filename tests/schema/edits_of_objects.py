"""Edits of what an object, or an array, may hold."""

from __future__ import annotations

from tests.schema.edit_place import PATTERNS, Edit, Place, small, some_bound


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
    name = place.one_of(each for each in place.node["properties"] if each != "renamed")
    place.node["properties"]["renamed"] = place.node["properties"].pop(name)
    if name in place.node.get("required", []):
        unrequired(place, name)
        place.node["required"] = sorted({*place.node.get("required", []), "renamed"})


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
        place.node["propertyNames"] = {"pattern": place.one_of(PATTERNS)}


def patterned_properties(place: Place) -> None:
    place.of_type("object")
    place.node["patternProperties"] = {place.one_of(PATTERNS): small(place)}


def change_size(place: Place) -> None:
    place.of_type("object")
    some_bound(place, "minProperties", "maxProperties")


def change_items(place: Place) -> None:
    place.needs("items")
    place.node["items"] = small(place)


def change_count(place: Place) -> None:
    place.of_type("array")
    some_bound(place, "minItems", "maxItems")


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


EDITS: tuple[Edit, ...] = (
    *(drop_property, add_property, rename_property, require, unrequire, change_additional),
    *(drop_additional, change_names, patterned_properties, change_size, change_items),
    *(change_count, toggle_unique, change_prefix),
)
