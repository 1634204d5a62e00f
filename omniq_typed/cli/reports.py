"""The report of a check, as text, as JSON, or as annotations of a GitHub workflow."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from pathlib import Path
from typing import Any

import click

from omniq_typed.messages.message_type import MessageType
from omniq_typed.schema.compatibility.check import Direction, Finding, Note, Report
from omniq_typed.schema.compatibility.compare import Break
from omniq_typed.schema.compatibility.rules import Rule
from omniq_typed.schema.description import as_text
from omniq_typed.schema.files import INDEX

_SAYS = {
    Direction.BACKWARD: "v{new} does not read all that v{old} wrote",
    Direction.FORWARD: "v{old} does not read all that v{new} writes",
    Direction.VERSION: "v{new} is recorded with another schema, and a version does not change",
}
_WHAT_TO_DO = {
    Direction.BACKWARD: "let v{new} read both forms (a default, a wider type), or write an @upcast"
    " from v{old}",
    Direction.FORWARD: "let v{new} write what v{old} reads, or, if all readers are updated first,"
    " ask for no more than BACKWARD",
    Direction.VERSION: "take the change back (`omniq-typed schema diff` shows it), or give it a"
    " version of its own: version={next}, with an @upcast from v{new}",
}
_MEND_UPCASTS = "mend the upcasts from v{old} to v{new}"
_EXAMPLE_CHARS = 400


class Format(StrEnum):
    """For whom a report is written."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A report, of which types, and against what."""

    report: Report
    types: Sequence[MessageType[Any]]
    against: str

    def place_of(self, finding: Finding) -> tuple[str, int]:
        """File, from the current directory or the workflow's, and line of the type; '', 0 where it
        has none."""
        for each in self.types:
            if (each.name, each.version) == (finding.name, finding.new_version):
                file, _, line = each.defined_at.rpartition(":")
                return (_relative(file), int(line)) if line.isdigit() else ("", 0)
        return "", 0


def written(outcome: Outcome, form: Format) -> str:
    """The whole report."""
    if form is Format.JSON:
        return json.dumps(_as_json(outcome), indent=2, ensure_ascii=False)
    lines = _annotations(outcome) if form is Format.GITHUB else _text(outcome)
    return "\n".join([*lines, summary(outcome)])


def break_lines(found: Break) -> Iterator[str]:
    """Rule and place of a break; in words; a payload that shows it."""
    yield f"{found.rule} at {found.pointer or 'the whole payload'}"
    yield found.message
    if found.has_example:
        text = json.dumps(found.example, ensure_ascii=False)
        yield f"such as {text if len(text) <= _EXAMPLE_CHARS else f'{text[:_EXAMPLE_CHARS]}…'}"


def summary(outcome: Outcome) -> str:
    """One line."""
    breaks = [each for each in outcome.report.findings if each.waived_by is None]
    waived = len(outcome.report.findings) - len(breaks)
    verdict = _count(len(breaks), "break") if breaks else "compatible"
    also = f", {waived} waived" if waived else ""
    types = _count(len(outcome.types), "message type")
    return f"{types} compared with {outcome.against}: {verdict}{also}"


def _text(outcome: Outcome) -> Iterator[str]:
    def between(each: Finding) -> tuple[str, int, int, str]:
        return each.name, each.new_version, each.old_version, each.direction

    findings = sorted(outcome.report.findings, key=between)
    for _, group in groupby(findings, key=between):
        found = list(group)
        yield from _text_of_pair(found, outcome)
        yield ""
    yield from (f"note: {_noted(each)}" for each in outcome.report.notes)


def _text_of_pair(findings: Sequence[Finding], outcome: Outcome) -> Iterator[str]:
    """All that is wrong between two versions, in one direction."""
    first = findings[0]
    file, line = outcome.place_of(first)
    place = f" ({file}:{line})" if file else ""
    title = f"{first.name} v{first.new_version}: {_say(_SAYS[first.direction], first)}"
    yield click.style(title, bold=True) + place
    for each in findings:
        kind = click.style("break", fg="red") if each.waived_by is None else "waived"
        head, *rest = break_lines(each.found)
        yield f"  {kind} {head}"
        yield from (f"    {line}" for line in rest)
        if each.waived_by is not None:
            yield f"    waived: {each.waived_by.reason}"
    if any(each.waived_by is None for each in findings):
        yield f"  What to do: {_what_to_do(first)}."


def _what_to_do(finding: Finding) -> str:
    waiver = as_text({"version": finding.new_version, "rule": finding.found.rule, "reason": "..."})
    todo = _say(_WHAT_TO_DO[finding.direction], finding)
    if finding.found.rule == Rule.UPCAST_FAILED:
        todo = _say(_MEND_UPCASTS, finding)
    return f"{todo}; or, if it is meant, waive it in {INDEX}: {waiver}"


def _annotations(outcome: Outcome) -> Iterator[str]:
    """Workflow commands: a line `::error file=...,line=...,title=...::message` for each."""
    for each in outcome.report.findings:
        file, line = outcome.place_of(each)
        properties = {"file": file, "line": str(line)} if file else {}
        properties["title"] = f"{each.name} v{each.new_version} against v{each.old_version}"
        said = "\n".join([f"{_say(_SAYS[each.direction], each)}:", *break_lines(each.found)])
        waiver = each.waived_by
        said += f"\nWhat to do: {_what_to_do(each)}." if waiver is None else f"\n{waiver.reason}"
        level = "error" if waiver is None else "notice"
        listed = ",".join(f"{key}={_escaped_property(it)}" for key, it in properties.items())
        yield f"::{level} {listed}::{_escaped(said)}"
    for note in outcome.report.notes:
        yield f"::notice ::{_escaped(_noted(note))}"


def _as_json(outcome: Outcome) -> dict[str, Any]:
    """Keys are only ever added."""
    found = outcome.report.to_json()
    for each, finding in zip(found["findings"], outcome.report.findings, strict=True):
        file, line = outcome.place_of(finding)
        each |= {"file": file or None, "line": line or None}
    types = [each.label for each in outcome.types]
    return {"against": outcome.against, "types": types, **found}


def _noted(note: Note) -> str:
    of_waiver = note.new_version == note.old_version
    against = "" if of_waiver else f" against v{note.old_version}"
    return f"{note.name} v{note.new_version}{against}: {note.message}"


def _say(text: str, finding: Finding) -> str:
    new, old = finding.new_version, finding.old_version
    return text.format(new=new, old=old, next=new + 1)


def _relative(file: str) -> str:
    base = Path(os.environ.get("GITHUB_WORKSPACE") or Path.cwd())
    path = Path(file)
    return path.relative_to(base).as_posix() if path.is_relative_to(base) else file


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escaped_property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
