"""Registering the message types of a bus in the registry of schemas: one round trip asks for all of
them, and only what is new is checked and written."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
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
from omniq_typed.errors import InvalidArgument, InvalidMessageType, PermissionDenied
from omniq_typed.messages.message_type import MessageType
from omniq_typed.messages.registry import Registry
from omniq_typed.schema.check import Direction, Finding, check, same_reader, same_writer
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

_MAY_NOT_READ = f'{MAY_NOT_READ}, or leave the registry alone, register="off"'

Types: TypeAlias = Iterable[MessageType[Any]]
Versions: TypeAlias = Mapping[MessageType[Any], SchemaVersion]


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
        written: tuple[str, ...] | None = None
        while written is None:
            written = yield from self._attempt(ours)
        self._settled.update(wanted)
        return written

    def _attempt(self, ours: Versions) -> Steps[tuple[str, ...] | None]:
        """What was written; None where others have written meanwhile, so that all is to be decided
        anew. Whoever loses a round to another does not lose one more to the same version."""
        new = yield from self._new_ones(ours)
        if not new:
            return ()
        entries = yield from explained(_MAY_NOT_READ, reading(each.name for each in new))
        histories = {name: self._history(entry) for name, entry in entries.items()}
        self._refuse_incompatible(new, histories)
        if self._register == "check":
            log.info("not registered, but compatible: %s", ", ".join(_labels(new)))
            return ()
        return (yield from self._writing(new, entries, histories))

    def _writing(
        self,
        new: Versions,
        entries: Mapping[str, SchemaEntry],
        histories: Mapping[str, TypeHistory],
    ) -> Steps[tuple[str, ...] | None]:
        changes = [self._change(new, entry, histories[name]) for name, entry in entries.items()]
        try:
            done = yield from writing(changes)
        except PermissionDenied as error:
            needed = {
                each: version
                for each, version in new.items()
                if not _is_only_in_other_words(version, entries[each.name], histories[each.name])
            }
            if needed:
                raise PermissionDenied(_may_not_write(needed), error.server_message) from error
            return ()
        if not done:
            return None
        log.info("registered: %s", ", ".join(_labels(new)))
        return _labels(new)

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

    def _new_ones(self, ours: Versions) -> Steps[Versions]:
        """Those that the registry does not have as they are, in one round trip."""
        if not ours:
            return {}
        verdicts = yield from explained(_MAY_NOT_READ, _asking(ours.values()))
        return {
            each: version
            for (each, version), verdict in zip(ours.items(), verdicts, strict=True)
            if not self._is_settled(each, verdict)
        }

    def _is_settled(self, message_type: MessageType[Any], verdict: SchemaVerdict) -> bool:
        declared = self._declared(message_type.name)
        return verdict.status is SchemaStatus.SAME and declared in (None, verdict.mode)

    def _declared(self, name: str) -> Compatibility | None:
        return declared_mode(self._types_of(name))

    def _types_of(self, name: str) -> list[MessageType[Any]]:
        return [each for each in self._registry.types() if each.name == name]

    def _history(self, entry: SchemaEntry) -> TypeHistory:
        """What is registered of a type, under the mode that counts: the code's, if it says one."""
        declared = self._declared(entry.name)
        if not entry.revision:
            return TypeHistory(entry.name, declared or DEFAULT_COMPATIBILITY, {})
        stored = to_history(entry)
        return replace(stored, mode=declared or stored.mode)

    def _refuse_incompatible(
        self, new: Iterable[MessageType[Any]], histories: Mapping[str, TypeHistory]
    ) -> None:
        findings = [
            finding
            for name, history in histories.items()
            for finding in self._findings([each for each in new if each.name == name], history)
        ]
        if any(each.waived_by is None for each in findings):
            raise incompatible(findings)

    def _findings(self, new: list[MessageType[Any]], history: TypeHistory) -> Iterator[Finding]:
        """What is wrong with new versions of one name, beside those that the code has as they are
        registered, and whose upcasts it knows."""
        known = self._known_as_registered(history)
        report = check([*new, *known], self._registry, {history.name: history}, mode=history.mode)
        here = {each.version for each in (*new, *known)}
        for finding in report.findings:
            if finding.new_version in here or finding.direction is not Direction.BACKWARD:
                yield finding
            elif finding.waived_by is None:
                # An older version comes after a newer one, whose upcasts are in its readers' code.
                log.warning(
                    "%s v%d is registered already, and reads v%d through an upcast, or not at all",
                    history.name,
                    finding.new_version,
                    finding.old_version,
                )

    def _known_as_registered(self, history: TypeHistory) -> list[MessageType[Any]]:
        recorded = {number: _fingerprints(it) for number, it in history.versions.items()}
        ours = ((each, self._version(each)) for each in self._types_of(history.name))
        return [
            each
            for each, version in ours
            if version is not None and recorded.get(each.version) == _fingerprints(version)
        ]

    def _change(self, new: Versions, entry: SchemaEntry, history: TypeHistory) -> SchemaChange:
        records = tuple(
            to_record(version, Origin(each.queue or "", self._source))
            for each, version in new.items()
            if each.name == entry.name
        )
        # The check has accepted another writer: for the mode NONE, by a waiver, or because it says
        # the same in other words.
        return SchemaChange(entry.name, entry.revision, history.mode, "", records, replace=True)


def _fingerprints(version: SchemaVersion) -> tuple[str, str]:
    return version.fingerprint, version.reader_fingerprint


def _asking(versions: Iterable[SchemaVersion]) -> Steps[list[SchemaVerdict]]:
    records = (
        (each.name, SchemaRecord(each.version, each.fingerprint, each.reader_fingerprint))
        for each in versions
    )
    verdicts: list[SchemaVerdict] = yield check_schemas(records)
    return verdicts


def _is_only_in_other_words(
    version: SchemaVersion, entry: SchemaEntry, history: TypeHistory
) -> bool:
    """Whether the registry needs nothing of it, though another program would write it otherwise."""
    recorded = history.versions.get(version.version)
    return (
        recorded is not None
        and entry.mode == history.mode
        and same_writer(version, recorded)
        and same_reader(version, recorded)
    )


def _labels(types: Iterable[MessageType[Any]]) -> tuple[str, ...]:
    return tuple(each.label for each in types)


def _may_not_write(types: Iterable[MessageType[Any]]) -> str:
    return (
        f"the user may not register {', '.join(_labels(types))}; grant {SCHEMA_KEYS_PATTERN} with"
        " +evalsha +time +hmget +hset +zadd, let another user register first, by"
        ' bus.register_schemas() or `omniq-typed schema push`, or use register="check" or "off"'
    )
