"""Fields that a reader looks for under several names."""

from __future__ import annotations

from itertools import combinations
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]


def add_names(found: Json, names: tuple[str, ...], *, required: bool, alone: bool) -> None:
    """Puts the other names of a field beside its first, which an object has already. `alone`: one
    of them, if it is there, has to be the only one."""
    first, *others = names
    properties = found["properties"]
    properties.update({each: properties[first] for each in others if each not in properties})
    demands: list[Json] = []
    if required:
        not_required(found, names)
        demands.append({"anyOf": [_with(each) for each in names]})
    if alone:
        demands += [{"not": _with(*pair)} for pair in combinations(names, 2)]
    if demands:
        found["allOf"] = [*found.get("allOf", []), *demands]


def not_required(found: Json, names: tuple[str, ...]) -> None:
    """An object may do without the fields."""
    kept = [each for each in found.pop("required", []) if each not in names]
    if kept:
        found["required"] = kept


def _with(*names: str) -> Json:
    # Ajv's strict mode wants to see the properties that are required.
    return {"type": "object", "properties": dict.fromkeys(names, True), "required": list(names)}


def is_path(alias: Any) -> bool:
    """Whether an alias, as Pydantic keeps it, leads into what another field holds."""
    if not isinstance(alias, list):
        return False
    paths = alias if all(isinstance(each, list) for each in alias) else [alias]
    return any(len(each) > 1 for each in paths)
