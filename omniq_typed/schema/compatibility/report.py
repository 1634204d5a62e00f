"""What a check of schemas found."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, TypeAlias

from omniq_typed.schema.compatibility.compare import Break
from omniq_typed.schema.versions import Waiver

Json: TypeAlias = dict[str, Any]


class Direction(StrEnum):
    """Who does not understand whom."""

    BACKWARD = "backward"
    """The new version's readers, what the old one's writers wrote."""
    FORWARD = "forward"
    """The old version's readers, what the new one's writers write."""
    VERSION = "version"
    """A version, what is recorded under its own number."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A break between two versions of a type. `waived_by`: the waiver that accepts it."""

    name: str
    new_version: int
    old_version: int
    direction: Direction
    found: Break
    waived_by: Waiver | None = None


class Topic(StrEnum):
    """What a note is about."""

    ANSWERED = "answered"
    """A break that upcasts answer: payloads of the old version were led to the new one."""
    NO_UPCAST = "no_upcast"
    """Schemas that are compatible, but no upcast, without which workers do not take the job."""
    UNUSED_WAIVER = "unused_waiver"


@dataclass(frozen=True, slots=True)
class Note:
    """Something to know that is no break. Of a waiver both versions are its own."""

    name: str
    new_version: int
    old_version: int
    topic: Topic
    message: str


@dataclass(frozen=True, slots=True)
class Report:
    """What a check found. `compared`: how many pairs of schemas it looked at."""

    findings: tuple[Finding, ...]
    notes: tuple[Note, ...] = ()
    compared: int = 0

    @property
    def ok(self) -> bool:
        """Whether nothing breaks that nobody waived."""
        return all(each.waived_by is not None for each in self.findings)

    def to_json(self) -> Json:
        """For programs; keys are only ever added."""
        return {
            "ok": self.ok,
            "compared": self.compared,
            "findings": [_finding_to_json(each) for each in self.findings],
            "notes": [asdict(each) for each in self.notes],
        }


def _finding_to_json(finding: Finding) -> Json:
    found = finding.found
    return {
        "name": finding.name,
        "new_version": finding.new_version,
        "old_version": finding.old_version,
        "direction": finding.direction,
        "rule": found.rule,
        "pointer": found.pointer,
        "message": found.message,
        "proof": found.proof,
        **({"example": found.example} if found.has_example else {}),
        "waived": None if finding.waived_by is None else finding.waived_by.reason,
    }
