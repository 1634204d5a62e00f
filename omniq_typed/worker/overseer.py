"""Looks after the lanes of a process from a thread of its own, so that no handler can stop it.

What waits behind a slow handler is given back, and results are delivered; a handler that is over
its timeout is ended, or left alone and its lane replaced; and what falls due while all lanes are
idle is brought to them in time, for an idle server looks whether a blocking call is over ten times
a second only.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from typing import Any

from omniq_typed.core.reserve import DEFAULT_UPKEEP, reserve
from omniq_typed.errors import ServerError
from omniq_typed.transport.sync import SyncTransport
from omniq_typed.worker.attempt import Attempt
from omniq_typed.worker.deliveries import ERRAND_S
from omniq_typed.worker.door import Door
from omniq_typed.worker.ending import failure
from omniq_typed.worker.lane import Lane

log = logging.getLogger("omniq_typed.worker")

TICK_S = 0.02
"""How often it looks at lanes that work."""
LINGER_S = 1.0
"""How long it goes on so after lanes had work: to wake it for each of a few jobs would hold them up
by more than they take."""
SHARE_S = 0.05
"""How long a handler may run while jobs or results of its lane wait."""
BATCH_SHARE_S = 0.2
"""How long a whole batch may take while other jobs wait in it: many times what it was taken for, so
that handlers have become slow, or all of this machine has."""
AGAIN_S = 1.0
"""When it tries again what the server did not answer."""
OVERDUE_PAUSE_S = 0.005
"""How soon it looks again where something due could not be brought."""


class Overseer:
    """Start it with the lanes. `replace`: puts another lane in the place of one whose handler
    cannot be ended."""

    def __init__(self, transport: SyncTransport, replace: Callable[[Lane], None]) -> None:
        self._transport = transport
        self._replace = replace
        self._lanes: list[Lane] = []
        self._doors: list[Door] = []
        self._not_before: dict[object, float] = {}
        self._worked_at = -math.inf
        self._wakes_at = -math.inf
        self._woken = False
        self._stopped = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="omniq-overseer", daemon=True)

    def add(self, lane: Lane) -> None:
        """Looks after this one too."""
        with self._changed:
            self._lanes = [*self._lanes, lane]
            if lane.door not in self._doors:
                self._doors = [*self._doors, lane.door]

    def remove(self, lane: Lane) -> None:
        """The lane has ended."""
        with self._changed:
            self._lanes = [each for each in self._lanes if each is not lane]

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread, at the latest when an errand of it is over."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        self._thread.join(timeout=2 * ERRAND_S)

    @property
    def running(self) -> bool:
        """Whether the thread lives."""
        return self._thread.is_alive()

    def look(self, by: float | None = None) -> None:
        """From a lane: something falls due at `by` (time.monotonic), or, None, it has work. Costs
        next to nothing where the overseer looks until then anyway."""
        if by is None:
            self._worked_at = now = time.monotonic()
            by = now + TICK_S
        if by < self._wakes_at:
            with self._changed:
                self._woken = True
                self._changed.notify()

    def _run(self) -> None:
        while not self._stopped:
            try:
                self._look_after_all()
            except Exception:
                log.exception("the overseer of the lanes failed, and goes on")
            self._sleep()

    def _sleep(self) -> None:
        """Until the next tick where a lane works, or has just done so; else until something falls
        due, or a lane has work."""
        with self._changed:
            self._woken = False
            self._wakes_at = math.inf  # first, for a lane that gets work from here on calls
            now = time.monotonic()
            works = now - self._worked_at < LINGER_S or any(lane.running for lane in self._lanes)
            wait_s = TICK_S if works else math.inf
            for door in self._doors:
                if door.has_listener:
                    due_at = max(door.due_at, self._not_before.get(door, 0.0))
                    wait_s = min(wait_s, due_at - now)
            if not self._woken and not self._stopped and wait_s > 0:
                self._wakes_at = now + wait_s
                self._changed.wait(None if wait_s == math.inf else wait_s)
            self._wakes_at = -math.inf

    def _look_after_all(self) -> None:
        for lane in self._lanes:
            self._look_after(lane, time.monotonic())
        for door in self._doors:
            if door.has_listener and self._may(door) and door.due_at <= time.monotonic():
                self._promote(door)

    def _look_after(self, lane: Lane, now: float) -> None:
        attempt = lane.runner.attempt
        if attempt is not None and now >= attempt.over_at:
            self._end(lane, attempt, now)
        if not lane.running:
            return
        is_slow = now - lane.pulse.began_at >= SHARE_S or now - lane.batch_began_at >= BATCH_SHARE_S
        if not is_slow:
            return
        if lane.deliveries.is_loaded and self._may(lane):
            try:
                lane.deliveries.unload()
            except ServerError as error:
                log.info("queue %s: %s", lane.queue, error)
                self._not_before[lane] = now + AGAIN_S

    def _may(self, subject: object) -> bool:
        """Whether the server was not just asked in vain on behalf of it."""
        until = self._not_before.get(subject)
        if until is not None and time.monotonic() < until:
            return False
        if until is not None:
            del self._not_before[subject]
        return True

    def _end(self, lane: Lane, attempt: Attempt, now: float) -> None:
        """A handler that is over its timeout."""
        if not attempt.interrupted_at:
            if attempt.interrupt(now):
                log.warning(
                    "job %s in queue %s is over its timeout of %g s",
                    attempt.lease.job.job_id,
                    lane.queue,
                    attempt.limit_s,
                )
        elif attempt.ignores_its_end(now):
            attempt.left_alone = True
            self._leave_alone(lane, attempt)

    def _leave_alone(self, lane: Lane, attempt: Attempt) -> None:
        """The job fails under the feet of its handler, and another lane takes over."""
        lease = attempt.lease
        log.error(
            "job %s in queue %s ignores the end of its time; another lane takes over, and its"
            " thread is left alone",
            lease.job.job_id,
            lane.queue,
        )
        lane.pulse.hangs = True
        lane.retired = True
        self._replace(lane)
        settlement = failure(attempt.consumer, lease, attempt.timeout())
        lease.mark_lost("its handler ignored the end of its time")
        ends: list[Any] = [(lease, settlement)]
        try:
            lane.deliveries.unload(ends)
        except ServerError as error:
            log.warning("job %s: its lease runs out: %s", lease.job.job_id, error)

    def _promote(self, door: Door) -> None:
        """What is due moves to where lanes take it, which wakes the one that listens."""
        command = reserve(door.queue, limit=0, token_prefix="none", upkeep=DEFAULT_UPKEEP)
        now = time.monotonic()
        door.due_at = math.inf
        try:
            reservation = self._transport.run(command, within_s=ERRAND_S)
        except ServerError as error:
            log.info("queue %s: %s", door.queue, error)
            self._not_before[door] = now + AGAIN_S
            return
        door.note(reservation, time.monotonic())
        # A job whose time has come but cannot be promoted yet is not asked for without end.
        self._not_before[door] = now + OVERDUE_PAUSE_S
