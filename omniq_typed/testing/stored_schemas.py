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
    """The versions of a name, oldest first. Raises InvalidArgument where there are none, or the
    folder cannot be read."""
    found = all_versions(schemas).get(name)
    if not found:
        where = str(schemas) if isinstance(schemas, str | Path) else "what was passed as schemas="
        raise InvalidArgument("schemas", f"{where} has no schemas of {name}")
    return found


def all_versions(schemas: Schemas) -> dict[str, dict[int, SchemaVersion]]:
    """All that is stored, by name and version. Raises InvalidArgument for no folder, or one that
    cannot be read."""
    if isinstance(schemas, Registry):
        found: dict[str, dict[int, SchemaVersion]] = {}
        for each in schemas.types():
            found.setdefault(each.name, {})[each.version] = version_of(each)
        return found
    if isinstance(schemas, str | Path):
        if not Path(schemas).is_dir():
            raise InvalidArgument("schemas", f"{schemas} is no folder")
        schemas = read_history(schemas)
    return {name: dict(sorted(each.versions.items())) for name, each in schemas.items()}
