"""From the ledgers to runs: one handler at work on one attempt of a job; and what may have cost it
its lease."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.chaos.storm.cutting_proxy import SERVER
from tests.chaos.storm.field import Done
from tests.chaos.storm.ledger import Entry

BEFORE_S = 1.0
"""How long after a trouble is over a worker may still not know that it lost a lease."""
FOREVER = float("inf")


@dataclass
class Run:
    """One attempt, as its handler saw it. `how`: as in the ledger; `` where it never ended."""

    job_id: str
    attempt: int
    token: str
    who: str
    lane: str
    start: float
    end: float = FOREVER
    how: str = ""

    def __str__(self) -> str:
        lasted = (
            "never ended"
            if self.end == FOREVER
            else f"{self.how} after {self.end - self.start:.3f} s"
        )
        return f"attempt {self.attempt} in {self.who} {self.lane} at {self.start:.3f}, {lasted}"


def runs_of(entries: Iterable[Entry]) -> dict[str, list[Run]]:
    """By job, in the order in which they began."""
    open_runs: dict[tuple[str, str], Run] = {}
    found: dict[str, list[Run]] = defaultdict(list)
    for each in sorted(entries, key=lambda entry: entry.at):
        key = (each.who, each.token)
        if each.kind == "start":
            run = Run(each.job_id, each.attempt, each.token, each.who, each.lane, each.at)
            open_runs[key] = run
            found[each.job_id].append(run)
        elif each.kind == "end" and key in open_runs:
            run = open_runs.pop(key)
            run.end, run.how = each.at, each.text
    return found


def health_of(entries: Iterable[Entry], until: float) -> dict[str, list[str]]:
    """What each worker said of itself up to a moment."""
    found: dict[str, list[str]] = defaultdict(list)
    for each in sorted(entries, key=lambda entry: entry.at):
        if each.kind == "health" and each.at <= until:
            found[each.who].append(each.text)
    return found


@dataclass(frozen=True)
class Excuses:
    """When a lease may have been lost without fault of the library's."""

    troubles: Sequence[Done]
    lease_s: float
    stalls: Sequence[Done] = ()
    """Those of the troubles that nobody made: the machine was busy."""

    @classmethod
    def of(cls, history: Sequence[Done], entries: Iterable[Entry], lease_s: float) -> Excuses:
        """From what was done, and what processes noted of their own stalls."""
        stalls = [
            Done("stall", each.who, each.at - float(each.text), each.at)
            for each in entries
            if each.kind == "stall"
        ]
        return cls([*history, *stalls], lease_s, stalls)

    def between(self, run: Run, until: float) -> Done | None:
        """The first trouble of the run's process or of the server that lies between the run's
        lease and a later moment."""
        since = run.start - self.lease_s - BEFORE_S
        at_fault = [
            each
            for each in self.troubles
            if each.who in (run.who, SERVER) and each.ended >= since and each.begun <= until
        ]
        return min(at_fault, key=lambda each: each.begun, default=None)

    def killed_at(self, who: str) -> float:
        """When a process was killed; for ever if it was not."""
        times = [each.begun for each in self.troubles if each.kind == "kill" and each.who == who]
        return min(times, default=FOREVER)
