"""The registered schemas that raw consumers check payloads against, in place of Python classes."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import orjson

from omniq_typed.core.command import Steps
from omniq_typed.errors import Fault, InvalidArgument, UndecodableJob, UnexpectedReply
from omniq_typed.schema.payload_check import PayloadCheck
from omniq_typed.schema.stored import to_history
from omniq_typed.schema.versions import SchemaVersion, TypeHistory
from omniq_typed.schema_registry import reading

log = logging.getLogger("omniq_typed.worker")

ASK_AGAIN_S = 3.0
"""A version that was not registered is not asked for again within this time."""
MAX_REMEMBERED = 1000


@dataclass(frozen=True, slots=True)
class JobSchema:
    """What a job says of its payload. `fingerprint`: of the schema that its writer kept to, '' =
    not said."""

    name: str
    version: int
    fingerprint: str = ""


class RegisteredSchemas:
    """Reader schemas by type and version, as last read. Shared by the threads of a worker."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._types: dict[str, dict[int, _Version]] = {}
        self._asked_at: dict[JobSchema, float] = {}

    def versions(self, name: str) -> list[int]:
        """The versions of a type that are known."""
        return sorted(self._types.get(name, ()))

    def reading(self, names: Iterable[str]) -> Steps[None]:
        """Reads types anew. Raises PermissionDenied that says what to grant."""
        entries = yield from reading(sorted(names))
        for name, entry in entries.items():
            if not entry.revision:
                log.warning("no schema of %s is registered yet; its jobs cannot be checked", name)
            try:
                history = to_history(entry) if entry.revision else None
            except UnexpectedReply as error:
                log.error("%s", error)
            else:
                self._types[name] = _updated(self._types.get(name, {}), history)

    def learning(self, schemas: Iterable[JobSchema]) -> Steps[None] | None:
        """What has to be read before payloads of these schemas can be checked; None: nothing, or
        that was tried a moment ago."""
        lacking = [each for each in schemas if self._is_to_be_asked(each)]
        return self._learning(lacking) if lacking else None

    def _is_to_be_asked(self, schema: JobSchema) -> bool:
        known = self._types.get(schema.name, {}).get(schema.version)
        if known is not None and schema.fingerprint in ("", known.schemas.fingerprint):
            return False
        asked_at = self._asked_at.get(schema)
        return asked_at is None or self._clock() - asked_at >= ASK_AGAIN_S

    def _learning(self, schemas: list[JobSchema]) -> Steps[None]:
        yield from self.reading(each.name for each in schemas)
        if len(self._asked_at) > MAX_REMEMBERED:
            self._asked_at.clear()
        self._asked_at.update((each, self._clock()) for each in schemas)

    def decode(self, name: str, version: int, payload: bytes) -> Any:
        """The dict (or list, where the type is one) of a payload that its schema allows. Raises
        UndecodableJob with path, code and message of each fault."""
        known = self._types.get(name, {}).get(version)
        if known is None:
            there = ", ".join(f"v{each}" for each in self.versions(name)) or "no version"
            raise UndecodableJob(
                "unknown_type", f"no schema of {name} v{version} is registered; there is {there}"
            )
        if known.check is None:
            raise UndecodableJob("unknown_type", f"the schema of {name} v{version} {known.problem}")
        content = _loaded(payload)
        if faults := known.check.faults(content):
            raise UndecodableJob(
                "invalid_payload", f"the payload is no valid {name} v{version}", faults
            )
        return content


@dataclass(frozen=True, slots=True)
class _Version:
    """`check` None: the schema cannot be used, for the `problem`."""

    schemas: SchemaVersion
    check: PayloadCheck | None
    problem: str = ""


def _updated(known: dict[int, _Version], history: TypeHistory | None) -> dict[int, _Version]:
    found = {}
    for number, schemas in (history.versions if history is not None else {}).items():
        old = known.get(number)
        found[number] = old if old is not None and old.schemas == schemas else _ready(schemas)
    return found


def _ready(schemas: SchemaVersion) -> _Version:
    try:
        return _Version(schemas, PayloadCheck(schemas.reader))
    except InvalidArgument as error:
        log.error("the schema of %s v%d %s", schemas.name, schemas.version, error.problem)
        return _Version(schemas, None, error.problem)


def _loaded(payload: bytes) -> Any:
    try:
        return orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        fault = Fault("", "json_invalid", str(error))
        raise UndecodableJob("invalid_payload", "the payload is not JSON", (fault,)) from error
