"""Whether the versions of message types keep to what they owe to one another: those that the code
has, and those that are recorded."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from omniq_typed.messages.message_type import MessageType
from omniq_typed.messages.registry import Registry, Upcast
from omniq_typed.schema.compatibility.compare import Break, compare, differing_places
from omniq_typed.schema.compatibility.equality import same_writer
from omniq_typed.schema.compatibility.report import Direction, Finding, Note, Report, Topic
from omniq_typed.schema.compatibility.rules import RULES, Rule
from omniq_typed.schema.compatibility.upcast_trial import fault_of, try_upcasts
from omniq_typed.schema.proving.documents import Document
from omniq_typed.schema.proving.proof import Proof, covers
from omniq_typed.schema.versions import (
    DEFAULT_COMPATIBILITY,
    Compatibility,
    SchemaVersion,
    TypeHistory,
    Waiver,
    declared_mode,
    version_of,
)

__all__ = [
    "Direction",
    "Finding",
    "Note",
    "Report",
    "Topic",
    "check",
    "check_histories",
]


def check(
    types: Iterable[MessageType[Any]],
    registry: Registry,
    histories: Mapping[str, TypeHistory],
    *,
    mode: Compatibility | None = None,
    only_read: Collection[MessageType[Any]] = (),
) -> Report:
    """Compares the versions that the code has with one another and with those recorded, as far as
    the mode of each name asks for: what the code says, else the history, else the default. `mode`:
    instead of all of them; `only_read`: types that the program never publishes, so that their
    writers do not count. Raises InvalidMessageType for a type without a schema."""
    by_name: dict[str, list[MessageType[Any]]] = {}
    for each in types:
        by_name.setdefault(each.name, []).append(each)
    checks = []
    for name, own in sorted(by_name.items()):
        history = histories.get(name, TypeHistory(name, DEFAULT_COMPATIBILITY, {}))
        history = replace(history, mode=mode or declared_mode(own) or history.mode)
        versions = {
            each.version: _Version(version_of(each), each, each not in only_read) for each in own
        }
        checks.append(_TypeCheck(history, versions, registry))
    return _joined(checks)


def check_histories(new: Mapping[str, TypeHistory], known: Mapping[str, TypeHistory]) -> Report:
    """Compares histories that are to be recorded with what is, by the new ones' modes and waivers.
    Upcasts are not known here."""
    checks = []
    for name, history in sorted(new.items()):
        recorded = known.get(name, TypeHistory(name, history.mode, {}))
        judged_by = replace(recorded, mode=history.mode, waivers=history.waivers)
        checks.append(_TypeCheck(judged_by, _versions(history), Registry()))
    return _joined(checks)


@dataclass(frozen=True, slots=True)
class _Version:
    """`type`: where the code has it; `is_written`: whether somebody is known who publishes it, so
    that its writer's schema says what readers meet."""

    schemas: SchemaVersion
    type: MessageType[Any] | None = None
    is_written: bool = True

    @property
    def number(self) -> int:
        return self.schemas.version


def _versions(history: TypeHistory) -> dict[int, _Version]:
    return {
        number: _Version(each, is_written=number not in history.provisional)
        for number, each in history.versions.items()
    }


class _TypeCheck:
    """Of the versions of one name."""

    def __init__(
        self, history: TypeHistory, own: Mapping[int, _Version], registry: Registry
    ) -> None:
        self._history = history
        self._own = own
        self._recorded = _versions(history)
        self._registry = registry
        self._notes: list[Note] = []
        self._compared = 0

    def report(self) -> Report:
        if self._history.mode is Compatibility.NONE:
            return Report(())
        found = [self._waived(each) for each in self._findings()]
        used = {each.waived_by for each in found}
        for waiver in self._history.waivers:
            if waiver.version in self._own and waiver not in used:
                self._note(waiver.version, waiver.version, Topic.UNUSED_WAIVER, _unused(waiver))
        return Report(tuple(found), tuple(self._notes), self._compared)

    def _findings(self) -> Iterator[Finding]:
        for new, old in self._pairs():
            for direction in self._directions(new, old):
                found = self._breaks(new, old, direction)
                yield from (self._finding(new, old, direction, each) for each in found)

    def _directions(self, new: _Version, old: _Version) -> Iterator[Direction]:
        """In which two versions, or two of the same number, have to understand one another."""
        mode = self._history.mode.value
        same_number = new.number == old.number
        if same_number and new.schemas == old.schemas:
            return
        if same_number and new.is_written and old.is_written:
            if not same_writer(new.schemas, old.schemas):
                yield Direction.VERSION
                return
        elif same_number:
            # One of the two has readers only: whatever the mode, they have to read the other.
            mode = Compatibility.FULL
        if old.is_written and mode.startswith(("BACKWARD", "FULL")):
            yield Direction.BACKWARD
        if new.is_written and mode.startswith(("FORWARD", "FULL")):
            yield Direction.FORWARD

    def _pairs(self) -> Iterator[tuple[_Version, _Version]]:
        """The newer one first. A version is compared with what is recorded of it, too: its readers
        may have changed."""
        known = sorted({*self._own, *self._recorded})
        transitive = self._history.mode.value.endswith("_TRANSITIVE")
        for at, number in enumerate(known):
            if self._is_changed(number) and number in self._recorded:
                yield self._own[number], self._recorded[number]
            for earlier in known[:at] if transitive else known[max(at - 1, 0) : at]:
                yield from self._pairs_of(number, earlier)

    def _pairs_of(self, number: int, earlier: int) -> Iterator[tuple[_Version, _Version]]:
        """Of what is recorded only, nothing is left to be said."""
        new = self._own.get(number) or self._recorded[number]
        if earlier in self._recorded and number in self._own:
            yield new, self._recorded[earlier]
        if self._is_changed(earlier):
            yield new, self._own[earlier]

    def _is_changed(self, number: int) -> bool:
        """Whether the code has a version, and that is not as it is recorded."""
        if number not in self._own:
            return False
        own, recorded = self._own[number], self._recorded.get(number)
        if recorded is None or recorded.schemas != own.schemas:
            return True
        return own.is_written and not recorded.is_written

    def _breaks(self, new: _Version, old: _Version, direction: Direction) -> list[Break]:
        if direction is Direction.VERSION:
            return [_version_changed(new, old)]
        return (
            self._backward(new, old) if direction is Direction.BACKWARD else self._forward(new, old)
        )

    def _backward(self, new: _Version, old: _Version) -> list[Break]:
        self._compared += 1
        steps = self._registry.steps(self._history.name, old.number, new.number)
        if new.type is not None and steps:
            return self._by_upcasts(new, old, steps, new.type)
        found = compare(new.schemas.reader, old.schemas.writer, refuses=_refuses(new, old))
        if not found and new.type is not None and steps is None and old.number not in self._own:
            said = f"workers of v{new.number} do not take jobs of v{old.number} without an @upcast"
            self._note(new.number, old.number, Topic.NO_UPCAST, f"{said}, though they could")
        return list(found)

    def _by_upcasts(
        self, new: _Version, old: _Version, steps: list[Upcast], new_type: MessageType[Any]
    ) -> list[Break]:
        """Workers go through them, whether or not they have to."""
        own = self._own.get(old.number)
        trial = try_upcasts(old.schemas, steps, new_type, None if own is None else own.type)
        if trial.fault:
            detail = f"{trial.fault}; {RULES[Rule.UPCAST_FAILED][1]}"
            has_example = trial.payload is not None
            proof = Proof.NO if has_example else Proof.UNKNOWN
            return [Break(Rule.UPCAST_FAILED, "", detail, proof, trial.payload, has_example)]
        if covers(new.schemas.reader, old.schemas.writer) is not Proof.YES:
            said = f"{trial.count} payloads of v{old.number} were led to v{new.number} by upcasts"
            self._note(new.number, old.number, Topic.ANSWERED, said)
        return []

    def _forward(self, new: _Version, old: _Version) -> list[Break]:
        self._compared += 1
        found = compare(old.schemas.reader, new.schemas.writer, refuses=_refuses(old, new))
        if old.type is not None or old.number not in self._history.provisional:
            return list(found)
        source = self._history.provisional[old.number]
        told = f"v{old.number} was registered by a consumer, {source or 'whose bus has no source'}"
        return [replace(each, message=f"{each.message}; {told}") for each in found]

    def _finding(self, new: _Version, old: _Version, direction: Direction, found: Break) -> Finding:
        return Finding(self._history.name, new.number, old.number, direction, found)

    def _waived(self, finding: Finding) -> Finding:
        for waiver in self._history.waivers:
            is_its = (waiver.version, waiver.rule) == (finding.new_version, finding.found.rule)
            if is_its and waiver.pointer in ("", finding.found.pointer):
                return replace(finding, waived_by=waiver)
        return finding

    def _note(self, new: int, old: int, topic: Topic, message: str) -> None:
        self._notes.append(Note(self._history.name, new, old, topic, message))


def _joined(checks: Iterable[_TypeCheck]) -> Report:
    reports = [each.report() for each in checks]
    return Report(
        tuple(finding for each in reports for finding in each.findings),
        tuple(note for each in reports for note in each.notes),
        sum(each.compared for each in reports),
    )


def _refuses(reader: _Version, writer: _Version) -> Callable[[Any], bool] | None:
    """By the code of the reader, where there is some, and the writer's schema says all that its
    payloads have in common."""
    message_type = reader.type
    if message_type is None or Document(writer.schemas.writer).has_unsaid:
        return None
    return lambda payload: fault_of(message_type, json.dumps(payload).encode()) is not None


def _version_changed(new: _Version, old: _Version) -> Break:
    places = differing_places(new.schemas.writer, old.schemas.writer)
    where = ", ".join(each or "the whole" for each in places[:5]) or "the whole"
    detail = f"what is recorded has the fingerprint {old.schemas.fingerprint}, and the code has"
    message = f"{detail} {new.schemas.fingerprint}; they differ at {where}"
    return Break(Rule.VERSION_CHANGED, "", f"{message}; {RULES[Rule.VERSION_CHANGED][1]}", Proof.NO)


def _unused(waiver: Waiver) -> str:
    where = f" at {waiver.pointer}" if waiver.pointer else ""
    return f"the waiver of {waiver.rule}{where} waives nothing; take it out of the index"
