"""From the findings of a check to the error that says what to do about them."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

import orjson

from omniq_typed.errors import IncompatibleSchema
from omniq_typed.schema.check import Finding

MAX_EXAMPLE_CHARS = 300
_SAYS = {
    "backward": "its readers refuse what v{old} wrote",
    "forward": "readers of v{old} refuse what it writes",
    "version": "it is registered with another schema, and versions do not change",
}


def incompatible(findings: Iterable[Finding]) -> IncompatibleSchema:
    """The error for findings, at least one of which nobody waived."""
    open_ones = tuple(each for each in findings if each.waived_by is None)
    first = open_ones[0]
    problem = f"{' | '.join(_rows(open_ones))}. What can be done: {'; '.join(_ways_out(open_ones))}"
    return IncompatibleSchema(first.name, first.new_version, problem, open_ones)


def _ways_out(findings: Iterable[Finding]) -> list[str]:
    changed = [each for each in findings if each.direction == "version"]
    ways = [
        "give the change a version of its own, with an @upcast from the one before"
        " (`omniq-typed schema diff` shows the change)",
        "accept it, by another mode (@message(compatibility=...)), or by a waiver in the index of"
        " schemas and `omniq-typed schema push`",
    ]
    if changed:
        version = f"{changed[0].name} --version {changed[0].new_version}"
        ways.append(f"while it is being developed, `omniq-typed schema prune {version}`")
    return [*ways, 'leave the registry alone, register="off"']


def _rows(findings: Iterable[Finding]) -> list[str]:
    """One per pair of versions, with all that is wrong between them."""

    def pair(each: Finding) -> tuple[str, int, int, str]:
        return each.name, each.new_version, each.old_version, each.direction

    rows = []
    for (name, new, old, direction), group in groupby(sorted(findings, key=pair), key=pair):
        said = _SAYS[direction].format(old=old)
        rows.append(f"{name} v{new} cannot be used, {said}: {'; '.join(map(_described, group))}")
    return rows


def _described(finding: Finding) -> str:
    found = finding.found
    where = found.pointer or "payload"
    row = f"{where}: {found.message} ({found.rule})"
    if not found.has_example:
        return row
    example = orjson.dumps(found.example, default=str).decode()
    short = example if len(example) <= MAX_EXAMPLE_CHARS else example[:MAX_EXAMPLE_CHARS] + "…"
    return f"{row}, such as {short}"
