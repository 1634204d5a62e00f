"""`wire_payloads`: the JSON of versions whose classes may be gone."""

from __future__ import annotations

from typing import Any

from hypothesis.strategies import SearchStrategy

from omniq_typed.errors import InvalidArgument
from omniq_typed.testing.stored_schemas import Schemas, stored_versions
from omniq_typed.testing.strategies.json_schemas import valid_json


def wire_payloads(name: str, version: int, *, schemas: Schemas) -> SearchStrategy[Any]:
    """What the writers of a version of a message wrote: JSON as Python has it, valid under the
    version's stored schema, formats on.

    `schemas`: a folder of exported schemas, histories by name, or a registry. Raises
    InvalidArgument for a version that is not stored, NoStrategy for a schema that is too strange.
    """
    versions = stored_versions(name, schemas)
    if version not in versions:
        known = ", ".join(f"v{each}" for each in versions)
        raise InvalidArgument("version", f"of {name} there are {known}, no v{version}")
    return valid_json(f"{name} v{version}", versions[version].writer)
