"""Which definitions of a core schema contain themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from omniq_typed.messages.schema_walk import Schema


def recursive_definitions(definitions: Mapping[str, Schema]) -> frozenset[str]:
    """Their references."""
    inside = {ref: set(_references(each)) & definitions.keys() for ref, each in definitions.items()}
    return frozenset(ref for ref in inside if ref in _reached(ref, inside))


def _reached(start: str, inside: Mapping[str, set[str]]) -> set[str]:
    found: set[str] = set()
    waiting = [start]
    while waiting:
        for ref in inside[waiting.pop()] - found:
            found.add(ref)
            waiting.append(ref)
    return found


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, Mapping):
        if schema.get("type") == "definition-ref":
            yield schema["schema_ref"]
        for key, each in schema.items():
            if key not in ("metadata", "serialization", "config"):
                yield from _references(each)
    elif isinstance(schema, list | tuple):
        for each in schema:
            yield from _references(each)
