"""What a stepped bus has done: one record per attempt at a job."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from omniq_typed.models import Outcome, Settled, Settlement


class Ending(StrEnum):
    """How an attempt ended."""

    COMPLETED = "completed"
    RETRIED = "retried"
    """It failed, and there is another one at `due_ms`."""
    FAILED = "failed"
    """It failed for good: the job lies in the failed lane."""
    LEFT = "left"
    """The job could not be decoded and is left for other workers until `due_ms`."""
    GIVEN_BACK = "given back"
    LEASE_LOST = "lease lost"
    """The lease was over before the attempt was: its result was dropped."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at one job. `handler`: the name of the consumer, '' where no handler saw the job;
    `message`: what it was given; `error`: what it raised, or why the job could not be decoded;
    `due_ms`: when the next attempt is due, 0 = none."""

    queue: str
    job_id: str
    msg_type: str
    attempt: int
    handler: str
    message: Any
    ending: Ending
    error: BaseException | None = None
    due_ms: int = 0

    def __str__(self) -> str:
        """For people, on one line."""
        by = f" by {self.handler}" if self.handler else ""
        why = "" if self.error is None else f": {type(self.error).__name__}: {self.error}"
        what = self.msg_type or "untyped job"
        return f"{what} {self.job_id} attempt {self.attempt}{by} {self.ending}{why}"


class Attempts(tuple[Attempt, ...]):
    """Attempts in their order; as many as `len` says."""

    __slots__ = ()

    def __str__(self) -> str:
        """One line per attempt."""
        return "\n".join(map(str, self)) or "no attempts"

    def ended(self, *endings: Ending) -> Attempts:
        """Those that ended in one of these ways."""
        return Attempts(each for each in self if each.ending in endings)

    @property
    def errors(self) -> list[BaseException]:
        """What was raised, in order."""
        return [each.error for each in self if each.error is not None]

    def raise_errors(self) -> Attempts:
        """Raises what a handler raised: the error itself, or several as an exception group.
        Returns the attempts where there was none."""
        errors = self.errors
        if len(errors) == 1:
            raise errors[0]
        if errors:
            raise BaseExceptionGroup(f"{len(errors)} of {len(self)} attempts failed", errors)
        return self


class StillBusy(AssertionError):
    """There is more to do than a stepped bus was to do at once: a handler that publishes its own
    message again, or retries without a pause. `attempts`: what was done until then."""

    def __init__(self, attempts: Attempts, limit: int) -> None:
        counts = Counter(f"{each.msg_type} by {each.handler}" for each in attempts)
        most = ", ".join(f"{count} × {name}" for name, count in counts.most_common(3))
        super().__init__(
            f"still busy after {limit} attempts: {most}. Do handlers publish what leads back to"
            " them? If there is really so much to do, pass limit="
        )
        self.attempts = attempts


def ending_of(settlement: Settlement, settled: Settled) -> tuple[Ending, int]:
    """How an attempt ended as the server says, and when the next one is due (ms, 0 = none)."""
    if settled.status == "ERR":
        return Ending.LEASE_LOST, 0
    if settled.status == "RETRY":
        left = settlement.outcome is Outcome.DEFER
        return (Ending.LEFT if left else Ending.RETRIED), int(settled.detail)
    return _ENDINGS[settled.status], 0


_ENDINGS = {
    "OK": Ending.COMPLETED,
    "FAILED": Ending.FAILED,
    "RELEASED": Ending.GIVEN_BACK,
}
