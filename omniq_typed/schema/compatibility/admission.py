"""Whether the versions that a program publishes or consumes may join those that are registered."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeAlias

from omniq_typed.core.schema_records import SchemaEntry, SchemaRole
from omniq_typed.errors import InvalidMessageType
from omniq_typed.messages.message_type import MessageType
from omniq_typed.messages.registry import Registry
from omniq_typed.schema.compatibility.check import check
from omniq_typed.schema.compatibility.refusal import incompatible
from omniq_typed.schema.compatibility.report import Direction, Finding
from omniq_typed.schema.stored import to_history
from omniq_typed.schema.versions import (
    DEFAULT_COMPATIBILITY,
    Compatibility,
    SchemaVersion,
    TypeHistory,
    declared_mode,
    version_of,
)

log = logging.getLogger("omniq_typed.schemas")

Versions: TypeAlias = Mapping[MessageType[Any], SchemaVersion]


class Admission:
    """By what a program's code has of its message types."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._versions: dict[MessageType[Any], SchemaVersion | None] = {}

    def versions(self, types: Iterable[MessageType[Any]]) -> Versions:
        """Those that have a JSON Schema; messages of the others are to flow all the same."""
        found = ((each, self._version(each)) for each in types)
        return {each: version for each, version in found if version is not None}

    def declared_mode(self, name: str) -> Compatibility | None:
        """The mode that the code says for a type, if it does."""
        return declared_mode(self._types_of(name))

    def history(self, entry: SchemaEntry) -> TypeHistory:
        """What is registered of a type, under the mode that counts: the code's, if it says one."""
        declared = self.declared_mode(entry.name)
        if not entry.revision:
            return TypeHistory(entry.name, declared or DEFAULT_COMPATIBILITY, {})
        stored = to_history(entry)
        return replace(stored, mode=declared or stored.mode)

    def refuse_incompatible(
        self,
        new: Collection[MessageType[Any]],
        histories: Mapping[str, TypeHistory],
        role: SchemaRole,
    ) -> None:
        """Raises IncompatibleSchema for all that is wrong with new versions. `role`: what the
        program does with them."""
        findings = [
            finding
            for name, history in histories.items()
            for finding in self._findings([it for it in new if it.name == name], history, role)
        ]
        if any(each.waived_by is None for each in findings):
            raise incompatible(findings)

    def _findings(
        self, new: list[MessageType[Any]], history: TypeHistory, role: SchemaRole
    ) -> Iterator[Finding]:
        """What is wrong with new versions of one name, beside those that the code has as they are
        registered, and whose upcasts it knows."""
        known = [each for each in self._known_as_registered(history) if each not in new]
        only_read = [each for each in known if each.version in history.provisional]
        if role is SchemaRole.READER:
            only_read += new
        report = check(
            [*new, *known],
            self._registry,
            {history.name: history},
            mode=history.mode,
            only_read=only_read,
        )
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
        ours = self.versions(self._types_of(history.name))
        return [
            each
            for each, version in ours.items()
            if recorded.get(each.version) == _fingerprints(version)
        ]

    def _types_of(self, name: str) -> list[MessageType[Any]]:
        return [each for each in self._registry.types() if each.name == name]

    def _version(self, message_type: MessageType[Any]) -> SchemaVersion | None:
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


def _fingerprints(version: SchemaVersion) -> tuple[str, str]:
    return version.fingerprint, version.reader_fingerprint
