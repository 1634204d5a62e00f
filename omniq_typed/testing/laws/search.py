"""Looks for the smallest value that breaks a law, and says so in a way that people can read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis.strategies import SearchStrategy

_PHASES = (Phase.generate, Phase.shrink)
_LONGEST = 2_000


class LawBroken(AssertionError):
    """A law that does not hold.

    `law`: its name; `subject`: the message type; `problem`: what is wrong; `evidence`: what shows
    it, by name, as small as it could be made.
    """

    def __init__(self, law: str, subject: str, problem: str, evidence: dict[str, str]) -> None:
        width = max(map(len, evidence), default=0)
        rows = [f"  {name:{width}}  {text:.{_LONGEST}}" for name, text in evidence.items()]
        super().__init__("\n".join([f"{law} does not hold for {subject}: {problem}", *rows]))
        self.law = law
        self.subject = subject
        self.problem = problem
        self.evidence = evidence


class Fault(Exception):
    """What is wrong with one example."""

    def __init__(self, problem: str, **evidence: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.evidence = evidence


def search(
    law: str,
    subject: str,
    values: SearchStrategy[Any],
    check: Callable[[Any], None],
    examples: int | None,
) -> None:
    """Runs a check that raises Fault on many values; `examples`: how many, as the profile of
    Hypothesis says by default. Raises LawBroken for the smallest value with a fault."""
    __tracebackhide__ = True

    def holds(value: Any) -> None:
        check(value)

    found: Fault | None = None
    try:
        _settings(examples)(given(values)(holds))()
    except Fault as fault:
        found = fault
    if found is not None:
        raise LawBroken(law, subject, found.problem, found.evidence)


def _settings(examples: int | None) -> settings:
    """Those of the user, but for what belongs to single tests. A slow machine breaks no law."""
    chosen = settings(
        phases=_PHASES,
        database=None,
        deadline=None,
        print_blob=False,
        report_multiple_bugs=False,
        verbosity=Verbosity.quiet,
        suppress_health_check=[HealthCheck.too_slow],
    )
    return chosen if examples is None else settings(chosen, max_examples=examples)
