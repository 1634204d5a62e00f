"""Registering the message types of a bus in the registry of schemas: one round trip asks for all of
them, and only what is new is checked and written."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Literal, TypeAlias, get_args

from omniq_typed.core.command import Steps
from omniq_typed.core.keys import SCHEMA_KEYS_PATTERN
from omniq_typed.core.schema_records import (
    SchemaChange,
    SchemaEntry,
    SchemaRecord,
    SchemaStatus,
    SchemaVerdict,
)
from omniq_typed.core.schemas import check_schemas
from omniq_typed.errors import InvalidArgument, InvalidMessageType
from omniq_typed.messages.message_type import MessageType
from omniq_typed.messages.registry import Registry
from omniq_typed.schema.check import check
from omniq_typed.schema.refusal import incompatible
from omniq_typed.schema.stored import Origin, to_history, to_record
from omniq_typed.schema.versions import (
    DEFAULT_COMPATIBILITY,
    Compatibility,
    SchemaVersion,
    TypeHistory,
    declared_mode,
    version_of,
)
from omniq_typed.schema_registry import MAY_NOT_READ, explained, reading, writing

log = logging.getLogger("omniq_typed.schemas")

Register: TypeAlias = Literal["strict", "check", "off"]
"""What a bus does about its message types before it first publishes or consumes them: 'strict'
registers them, and raises IncompatibleSchema for those that do not keep to the registered
versions; 'check' only raises; 'off' does not ask."""

Types: TypeAlias = Iterable[MessageType[Any]]


def check_register(register: object) -> Register:
    """Raises InvalidArgument for what is none of the three."""
    if register not in get_args(Register):
        raise InvalidArgument("register", f"{register!r} is none; use 'strict', 'check' or 'off'")
    return register  # type: ignore[return-value]


class Registration:
    """What the registry is known to have of a bus's message types. `source`: who registers."""

    def __init__(self, registry: Registry, register: Register, source: str) -> None:
        self._registry = registry
        self._register = register
        self._source = source
        self._settled: set[MessageType[Any]] = set()
        self._versions: dict[MessageType[Any], SchemaVersion | None] = {}

    def missing(self, types: Types) -> list[MessageType[Any]]:
        """Those that have to be settled before they are published or consumed."""
        if self._register == "off":
            return []
        return [each for each in types if each not in self._settled]

    def settling(self, types: Types) -> Steps[tuple[str, ...]]:
        """Checks types and registers what is new, all or nothing; answers their labels. Raises
        IncompatibleSchema, and PermissionDenied that says what to grant."""
        wanted = list(types)
        ours = {each: version for each in wanted if (version := self._version(each)) is not None}
        written: tuple[str, ...] = ()
        while True:
            new = yield from self._new_ones(ours)
            if not new:
                break
            names = [each.name for each in new]
            entries = yield from explained(MAY_NOT_READ, reading(names))
            histories = {name: self._history(entry) for name, entry in entries.items()}
            report = check(new, self._registry, histories)
            if not report.ok:
                raise incompatible(report.findings)
            labels = tuple(each.label for each in new)
            if self._register == "check":
                log.info("not registered, but compatible: %s", ", ".join(labels))
                break
            changes = [self._change(new, entries[name], histories[name].mode) for name in entries]
            if (yield from explained(_may_not_write(labels), writing(changes))):
                log.info("registered: %s", ", ".join(labels))
                written = labels
                break
        self._settled.update(wanted)
        return written

    def _version(self, message_type: MessageType[Any]) -> SchemaVersion | None:
        """None for a type that has no JSON Schema: its messages are to flow all the same."""
        if message_type not in self._versions:
            try:
                self._versions[message_type] = version_of(message_type)
            except InvalidMessageType as error:
                self._versions[message_type] = None
                log.warning("%s is not registered: %s", message_type.label, error.problem)
            except Exception:
                self._versions[message_type] = None
                log.exception("%s is not registered", message_type.label)
        return self._versions[message_type]

    def _new_ones(
        self, ours: Mapping[MessageType[Any], SchemaVersion]
    ) -> Steps[dict[MessageType[Any], SchemaVersion]]:
        """Those that the registry does not have as they are, in one round trip."""
        if not ours:
            return {}
        verdicts = yield from explained(MAY_NOT_READ, _asking(ours.values()))
        return {
            each: version
            for (each, version), verdict in zip(ours.items(), verdicts, strict=True)
            if not self._is_settled(each, verdict)
        }

    def _is_settled(self, message_type: MessageType[Any], verdict: SchemaVerdict) -> bool:
        declared = self._declared(message_type.name)
        return verdict.status is SchemaStatus.SAME and declared in (None, verdict.mode)

    def _declared(self, name: str) -> Compatibility | None:
        return declared_mode(each for each in self._registry.types() if each.name == name)

    def _history(self, entry: SchemaEntry) -> TypeHistory:
        """What is registered of a type, under the mode that counts: the code's, if it says one."""
        declared = self._declared(entry.name)
        if not entry.revision:
            return TypeHistory(entry.name, declared or DEFAULT_COMPATIBILITY, {})
        stored = to_history(entry)
        return replace(stored, mode=declared or stored.mode)

    def _change(
        self,
        new: Mapping[MessageType[Any], SchemaVersion],
        entry: SchemaEntry,
        mode: Compatibility,
    ) -> SchemaChange:
        records = tuple(
            to_record(version, Origin(each.queue or "", self._source))
            for each, version in new.items()
            if each.name == entry.name
        )
        replaces = mode is Compatibility.NONE
        return SchemaChange(entry.name, entry.revision, mode, "", records, replace=replaces)


def _asking(versions: Iterable[SchemaVersion]) -> Steps[list[SchemaVerdict]]:
    records = (
        (each.name, SchemaRecord(each.version, each.fingerprint, each.reader_fingerprint))
        for each in versions
    )
    verdicts: list[SchemaVerdict] = yield check_schemas(records)
    return verdicts


def _may_not_write(labels: Iterable[str]) -> str:
    return (
        f"the user may not register {', '.join(labels)}; grant {SCHEMA_KEYS_PATTERN} with +evalsha"
        " +time +hmget +hset +zadd, let another user register first (bus.register_schemas(), or"
        ' `omniq-typed schema push`), or use register="check" or "off"'
    )
