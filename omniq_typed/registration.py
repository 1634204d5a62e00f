"""Registering the message types of a bus in the registry of schemas: one round trip asks for all of
them, and only what is new is checked and written."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeAlias, get_args

from omniq_typed.core.command import Steps
from omniq_typed.core.schema_records import (
    SchemaChange,
    SchemaEntry,
    SchemaRecord,
    SchemaRole,
    SchemaStatus,
    SchemaVerdict,
)
from omniq_typed.core.schemas import check_schemas
from omniq_typed.errors import InvalidArgument, PermissionDenied
from omniq_typed.messages.message_type import MessageType
from omniq_typed.messages.registry import Registry
from omniq_typed.schema.compatibility.admission import Admission, Versions
from omniq_typed.schema.compatibility.equality import same_reader, same_writer
from omniq_typed.schema.stored import Origin, to_record
from omniq_typed.schema.versions import SchemaVersion, TypeHistory
from omniq_typed.schema_registry import (
    GRANT_WRITING,
    MAY_NOT_READ,
    explained,
    reading,
    writing,
)

log = logging.getLogger("omniq_typed.schemas")

Register: TypeAlias = Literal["strict", "check", "off"]
"""What a bus does about its message types before it first publishes or consumes them: 'strict'
registers them, and raises IncompatibleSchema for those that do not keep to the registered
versions; 'check' only raises; 'off' does not ask."""

_MAY_NOT_READ = f'{MAY_NOT_READ}, or leave the registry alone, register="off"'

Types: TypeAlias = Iterable[MessageType[Any]]


def check_register(register: object) -> Register:
    """Raises InvalidArgument for what is none of the three."""
    if register not in get_args(Register):
        raise InvalidArgument("register", f"{register!r} is none; use 'strict', 'check' or 'off'")
    return register  # type: ignore[return-value]


class Registration:
    """What the registry is known to have of a bus's message types, those that it publishes and
    those that it only consumes. `source`: who registers."""

    def __init__(self, registry: Registry, register: Register, source: str) -> None:
        self._register = register
        self._source = source
        self._admission = Admission(registry)
        self._settled: dict[SchemaRole, set[MessageType[Any]]] = {
            role: set() for role in SchemaRole
        }
        self.cleared: set[MessageType[Any]] = set()
        """Those of which nothing is left to do before they are published."""

    def missing(self, types: Types, role: SchemaRole) -> list[MessageType[Any]]:
        """Those that have to be settled before they are published (WRITER) or consumed (READER)."""
        if self._register == "off":
            return []
        return [each for each in types if each not in self._settled[role]]

    def clearing(self, types: Types) -> Steps[None]:
        """Settles what has to be before these types are published. Raises as `settling`."""
        wanted = [each for each in types if each not in self.cleared]
        if missing := self.missing(wanted, SchemaRole.WRITER):
            yield from self.settling(missing, SchemaRole.WRITER)
        self.cleared.update(wanted)

    def settling(self, types: Types, role: SchemaRole) -> Steps[tuple[str, ...]]:
        """Checks types and registers what is new, all or nothing; answers their labels. Raises
        IncompatibleSchema, and PermissionDenied that says what to grant."""
        wanted = list(types)
        ours = self._admission.versions(wanted)
        written: tuple[str, ...] | None = None
        while written is None:
            written = yield from self._attempt(ours, role)
        # A version that we have brought ourselves is one that we read, too.
        self._settled[SchemaRole.READER].update(wanted)
        if role is SchemaRole.WRITER:
            self._settled[role].update(wanted)
        return written

    def _attempt(self, ours: Versions, role: SchemaRole) -> Steps[tuple[str, ...] | None]:
        """What was written; None where others have written meanwhile, so that all is to be decided
        anew. Whoever loses a round to another does not lose one more to the same version."""
        new = yield from self._new_ones(ours, role)
        if not new:
            return ()
        entries = yield from explained(_MAY_NOT_READ, reading(each.name for each in new))
        histories = {name: self._admission.history(entry) for name, entry in entries.items()}
        self._admission.refuse_incompatible(new, histories, role)
        if role is SchemaRole.READER:
            new = _unknown_ones(new, histories)
        if not new:
            return ()
        if self._register == "check":
            log.info("not registered, but compatible: %s", ", ".join(_labels(new)))
            return ()
        changes = [
            self._change(new, entries[name], histories[name], role)
            for name in dict.fromkeys(each.name for each in new)
        ]
        return (yield from self._writing(changes, new, entries, histories))

    def _writing(
        self,
        changes: Iterable[SchemaChange],
        new: Versions,
        entries: Mapping[str, SchemaEntry],
        histories: Mapping[str, TypeHistory],
    ) -> Steps[tuple[str, ...] | None]:
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

    def _new_ones(self, ours: Versions, role: SchemaRole) -> Steps[Versions]:
        """Those that the registry does not have as they are, in one round trip."""
        if not ours:
            return {}
        verdicts = yield from explained(_MAY_NOT_READ, _asking(ours.values()))
        return {
            each: version
            for (each, version), verdict in zip(ours.items(), verdicts, strict=True)
            if not self._is_settled(each, verdict, role)
        }

    def _is_settled(
        self, message_type: MessageType[Any], verdict: SchemaVerdict, role: SchemaRole
    ) -> bool:
        if verdict.status is not SchemaStatus.SAME:
            return False
        if role is SchemaRole.READER:
            return True
        declared = self._admission.declared_mode(message_type.name)
        return verdict.role is SchemaRole.WRITER and declared in (None, verdict.mode)

    def _change(
        self, new: Versions, entry: SchemaEntry, history: TypeHistory, role: SchemaRole
    ) -> SchemaChange:
        records = tuple(
            to_record(version, Origin(each.queue or "", self._source), role)
            for each, version in new.items()
            if each.name == entry.name
        )
        # Who only consumes a type that is there does not say what its versions owe to one another.
        mode = "" if entry.revision and role is SchemaRole.READER else history.mode
        # The check has accepted another writer: for the mode NONE, by a waiver, or because it says
        # the same in other words.
        replace = role is SchemaRole.WRITER
        return SchemaChange(entry.name, entry.revision, mode, "", records, replace)


def _asking(versions: Iterable[SchemaVersion]) -> Steps[list[SchemaVerdict]]:
    records = (
        (each.name, SchemaRecord(each.version, each.fingerprint, each.reader_fingerprint))
        for each in versions
    )
    verdicts: list[SchemaVerdict] = yield check_schemas(records)
    return verdicts


def _unknown_ones(new: Versions, histories: Mapping[str, TypeHistory]) -> Versions:
    """Versions that nobody has registered: only those are a consumer's to write."""
    unknown = {}
    for each, version in new.items():
        history = histories[each.name]
        if each.version not in history.versions:
            unknown[each] = version
        elif each.version in history.provisional:
            source = history.provisional[each.version]
            told = "%s is read by a schema of its own; only another consumer has registered it (%s)"
            log.info(told, each.label, source)
        else:
            log.info("%s is read by a schema of its own, which takes what is published", each.label)
    return unknown


def _is_only_in_other_words(
    version: SchemaVersion, entry: SchemaEntry, history: TypeHistory
) -> bool:
    """Whether the registry needs nothing of it, though another program would write it otherwise."""
    recorded = history.versions.get(version.version)
    return (
        recorded is not None
        and version.version not in history.provisional
        and entry.mode == history.mode
        and same_writer(version, recorded)
        and same_reader(version, recorded)
    )


def _labels(types: Iterable[MessageType[Any]]) -> tuple[str, ...]:
    return tuple(each.label for each in types)


def _may_not_write(types: Iterable[MessageType[Any]]) -> str:
    return (
        f"the user may not register {', '.join(_labels(types))}; {GRANT_WRITING}, let another user"
        " register first, by bus.register_schemas() or `omniq-typed schema push`, or use"
        ' register="check" or "off"'
    )
