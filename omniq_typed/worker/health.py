"""How a running worker is: what each of its lanes does, and when the server last answered it."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

from omniq_typed.models import LaneHealth, LaneState, WorkerHealth

OVERDUE_S = 30.0
"""A call that neither an answer nor an error ended within this time: no call of ours may take so
long, so the lane hangs."""
BLOCKED_AFTER_S = 1.0
"""An event loop that has not turned for so long takes no jobs, and it is said in the log."""
NOT_RUNNING = WorkerHealth(ready=False, live=True)


@dataclass(slots=True, eq=False)
class Pulse:
    """What a lane notes of itself in passing, plain values that any thread may read. Times are
    those of time.monotonic.

    `answered_at`: of the server's last answer, at first the lane's start; `came_back_at`: of the
    last answer or error, inf = the lane owes no call its end; `job_id` and `began_at`: of the job
    it runs, '' and 0 = none; `refused`: the last call failed; `hangs`: its handler cannot be ended;
    `ended`: it runs no more; `restarts`: how often it died of a fault of our own and was started
    again.
    """

    queue: str
    name: str
    answered_at: float = field(default_factory=time.monotonic)
    came_back_at: float = math.inf
    answers: int = 0
    job_id: str = ""
    began_at: float = 0.0
    refused: bool = False
    hangs: bool = False
    ended: bool = False
    restarts: int = 0

    def answered(self, now: float) -> None:
        """The server answered a reserve."""
        self.answered_at = self.came_back_at = now
        self.answers += 1
        self.refused = False

    def failed(self, now: float) -> None:
        """A call of the lane ended with an error."""
        self.came_back_at = now
        self.refused = True

    def health(self, now: float) -> LaneHealth:
        """As of now."""
        job_id, began_at = self.job_id, self.began_at
        working_s = max(0.0, now - began_at) if job_id and began_at else 0.0
        since = max(0.0, now - self.answered_at)
        return LaneHealth(
            self.queue, self.name, self._state(now), since, job_id, working_s, self.restarts
        )

    def _state(self, now: float) -> LaneState:
        if self.ended:
            return "ended"
        if self.hangs:
            return "stuck"
        if self.job_id:
            return "working"
        if now - self.came_back_at > OVERDUE_S:
            return "stuck"
        return "waiting_for_server" if self.refused or not self.answers else "idle"


@dataclass(frozen=True, slots=True)
class Report:
    """What a running worker says of itself. `died`: a part of it is lost, and nothing replaced it;
    `stopping`: it takes no more jobs; `loop_lag_s`: for how long its event loop has not turned."""

    lanes: tuple[LaneHealth, ...]
    stopping: bool = False
    died: bool = False
    loop_lag_s: float = 0.0


Reporter: TypeAlias = Callable[[], Report]


def judged(reports: Iterable[Report]) -> WorkerHealth:
    """The health of all workers of a bus together."""
    found = list(reports)
    if not found:
        return NOT_RUNNING
    lanes = tuple(lane for report in found for lane in report.lanes)
    live = not any(report.died for report in found) and all(it.state != "stuck" for it in lanes)
    lag_s = max(report.loop_lag_s for report in found)
    at_work = [it for it in lanes if it.state != "ended"]
    ready = (
        live
        and bool(at_work)
        and not any(report.stopping for report in found)
        and lag_s < BLOCKED_AFTER_S
        and all(it.state != "waiting_for_server" for it in at_work)
    )
    since = min((it.since_answered_s for it in lanes), default=0.0)
    return WorkerHealth(ready, live, since, lanes, lag_s)


class Vitals:
    """The running workers of one bus. Thread-safe."""

    def __init__(self) -> None:
        self._reporters: list[Reporter] = []
        self._lock = threading.Lock()

    @contextmanager
    def of(self, reporter: Reporter) -> Generator[None]:
        """Within, a worker runs that `reporter` tells of; it is called from any thread."""
        with self._lock:
            self._reporters.append(reporter)
        try:
            yield
        finally:
            with self._lock:
                self._reporters.remove(reporter)

    def health(self) -> WorkerHealth:
        """As of now."""
        with self._lock:
            reporters = list(self._reporters)
        return judged(reporter() for reporter in reporters)
