"""From the findings of a check to the error that says what to do about them."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

import orjson

from omniq_typed.errors import IncompatibleSchema
from omniq_typed.schema.compatibility.report import Direction, Finding

MAX_EXAMPLE_CHARS = 300
_SAYS = {
    Direction.BACKWARD: "does not keep to v{old}, its readers refuse what v{old} wrote",
    Direction.FORWARD: "does not keep to v{old}, whose readers refuse what it writes",
    Direction.VERSION: "is registered with another schema, and versions do not change",
}
_SAYS_OF_ONE_VERSION = {
    **_SAYS,
    Direction.BACKWARD: "does not read what its registered writers write",
    Direction.FORWARD: "writes what its registered readers refuse",
}


def incompatible(findings: Iterable[Finding]) -> IncompatibleSchema:
    """The error for findings, at least one of which nobody waived."""
    open_ones = tuple(each for each in findings if each.waived_by is None)
    first = open_ones[0]
    problem = f"{' | '.join(_rows(open_ones))}. What can be done: {'; '.join(_ways_out(open_ones))}"
    return IncompatibleSchema(first.name, first.new_version, problem, open_ones)


def _ways_out(findings: tuple[Finding, ...]) -> list[str]:
    ways = []
    if any(each.direction is Direction.VERSION for each in findings):
        ways.append("give the change a version of its own")
    if any(each.direction is Direction.BACKWARD and not _is_of_one(each) for each in findings):
        ways.append("lead the old version to the new one by an @upcast")
    ways.append(
        "accept it, by another mode (@message(compatibility=...)), or by a waiver in the index of"
        " schemas and `omniq-typed schema push`"
    )
    replaced = [it for it in findings if _is_of_one(it) and it.direction is not Direction.BACKWARD]
    if replaced:
        version = f"{replaced[0].name} --version {replaced[0].new_version}"
        ways.append(f"while it is being developed, `omniq-typed schema prune {version}`")
    return [*ways, 'leave the registry alone, register="off"; `omniq-typed schema diff` compares']


def _is_of_one(finding: Finding) -> bool:
    return finding.new_version == finding.old_version


def _rows(findings: Iterable[Finding]) -> list[str]:
    """One per pair of versions, with all that is wrong between them."""

    def pair(each: Finding) -> tuple[str, int, int, Direction]:
        return each.name, each.new_version, each.old_version, each.direction

    rows = []
    for (name, new, old, direction), group in groupby(sorted(findings, key=pair), key=pair):
        said = (_SAYS_OF_ONE_VERSION if new == old else _SAYS)[direction].format(old=old)
        rows.append(f"{name} v{new} {said}: {'; '.join(map(_described, group))}")
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
