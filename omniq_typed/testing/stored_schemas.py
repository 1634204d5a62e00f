"""Schemas of the versions of a name: from a folder of exported ones, histories, or a registry."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from omniq_typed.errors import InvalidArgument
from omniq_typed.messages.registry import Registry
from omniq_typed.schema.history import read_history
from omniq_typed.schema.versions import SchemaVersion, TypeHistory, version_of

Schemas: TypeAlias = Path | str | Mapping[str, TypeHistory] | Registry
"""A folder that `schema.files.write` exported, histories by name, or types that have classes."""


def stored_versions(name: str, schemas: Schemas) -> dict[int, SchemaVersion]:
    """The versions of a name, oldest first. Raises InvalidArgument where there are none."""
    if isinstance(schemas, Registry):
        found = {it.version: version_of(it) for it in schemas.types() if it.name == name}
        where = "the registry"
    else:
        folder = isinstance(schemas, (str, Path))
        histories = read_history(schemas) if isinstance(schemas, (str, Path)) else schemas
        found = dict(histories[name].versions) if name in histories else {}
        where = str(schemas) if folder else "the histories"
    if not found:
        raise InvalidArgument("schemas", f"{where} has no schemas of {name}")
    return dict(sorted(found.items()))
