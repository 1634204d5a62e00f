"""One lane of execution: a thread that takes jobs of one queue and runs them one after another.

The way of a job: reserve -> find the consumer -> decode -> handler -> settle with the next reserve.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from omniq_typed.context import Ctx, Lease
from omniq_typed.core.arguments import check_int, check_seconds
from omniq_typed.core.prefetch import MAX_PREFETCH
from omniq_typed.core.reserve import MAX_JOBS_PER_RESERVE
from omniq_typed.core.retry import given_back, succeeded
from omniq_typed.core.waiting import POLL_INTERVAL_S, idle_wait_s, reconnect_wait_s
from omniq_typed.errors import ServerError, UndecodableJob
from omniq_typed.models import Reservation, Reserved, Settlement
from omniq_typed.publishing import Publisher
from omniq_typed.worker.ending import (
    Ended,
    failure,
    open_job,
    settle_and_reserve,
    still_held,
    tell,
    warn_not_taken,
)
from omniq_typed.worker.heartbeat import Heartbeat
from omniq_typed.worker.invalid import invalid_job, settle_as_told, settle_by_policy
from omniq_typed.worker.patience import FATAL, run_patiently
from omniq_typed.worker.routing import Consumer, Route
from omniq_typed.worker.stopping import StopNow, StopRequest

log = logging.getLogger("omniq_typed.worker")

GIVE_UP_AFTER_STOP_S = 5.0
"""How long a stopping worker tries to deliver results to a server that is away."""
LISTEN_STEP_S = 0.5
"""One blocking call for a wake token. Short, because nothing can break it off: a thread that waits
for the server notices a stop only after it, and it has to end before the client's own timeout."""


@dataclass(frozen=True, slots=True)
class LaneOptions:
    """`max_prefetch`: jobs taken in one round trip at most, worked off in order. `say`: gets one
    line per event, for people; None: nobody listens."""

    max_prefetch: int = MAX_PREFETCH
    poll_interval_s: float = POLL_INTERVAL_S
    say: Callable[[str], None] | None = None

    def __post_init__(self) -> None:
        check_int("max_prefetch", self.max_prefetch, 1, MAX_JOBS_PER_RESERVE)
        check_seconds("poll_interval_s", self.poll_interval_s)


class Lane:
    """Runs in the thread that calls `run`."""

    def __init__(
        self,
        publisher: Publisher,
        route: Route,
        heartbeat: Heartbeat,
        stop: StopRequest,
        options: LaneOptions,
    ) -> None:
        self._publisher = publisher
        self._transport = publisher.transport
        self._route = route
        self._heartbeat = heartbeat
        self._stop = stop
        self._options = options
        self._unsettled: list[Ended] = []
        self._running: list[Lease] = []

    @property
    def queue(self) -> str:
        """The queue that this lane works on."""
        return self._route.queue

    def run(self) -> None:
        """Works until the stop is requested and the last result is delivered.

        Raises AuthenticationFailed, PermissionDenied; waits through every other ServerError.
        """
        try:
            while True:
                wanted = 0 if self._stop.requested else self._options.max_prefetch
                reservation = self._settle_and_reserve(wanted)
                if reservation is None:
                    return
                if reservation.jobs:
                    self._work_off(reservation.jobs)
                elif self._stop.requested:
                    return
                else:
                    self._wait(reservation)
        finally:
            # Other lanes may work for hours yet: what this one could not settle is not to be
            # kept alive with theirs.
            for lease in self._running:
                self._heartbeat.unwatch(lease)

    def abandon(self) -> list[Settlement]:
        """Called from another thread after an undrained stop: how the jobs that this lane holds are
        to end now. What the lane itself still finds out about them is dropped."""
        mine = list(self._running)
        done = dict(self._unsettled)
        ends = [done.get(lease) or given_back(lease.job) for lease in mine if not lease.lost]
        for lease in mine:
            self._heartbeat.unwatch(lease)
            lease.mark_lost("the worker was stopped")
        return ends

    def _work_off(self, jobs: tuple[Reserved, ...]) -> None:
        """Runs jobs in order; leaves their settlements."""
        # Where that is broken off by a stop, the jobs are given back below.
        run_patiently(self._transport, lambda: self._route.learning(jobs), self._stop)
        self._running = [Lease(self.queue, job) for job in jobs]
        for lease in self._running:
            self._heartbeat.watch(lease)
        for lease in self._running:
            self._unsettled.append((lease, self.work(lease)))

    def work(self, lease: Lease) -> Settlement:
        """One job from decoding to its settlement. Never raises."""
        job = lease.job
        if self._stop.requested or lease.lost:  # lost while others of its batch ran
            return given_back(job)
        try:
            try:
                consumer, payload = open_job(self._route, job)
            except UndecodableJob as error:
                return self._end_undecodable(job, error)
            return self._handle(lease, consumer, payload)
        except (StopNow, KeyboardInterrupt):
            self._stop.request()
            # The handler may have been cut off between a command and its reply.
            self._transport.drop_idle_connections()
            log.warning("job %s in queue %s interrupted and given back", job.job_id, lease.queue)
            return given_back(job)

    def _handle(self, lease: Lease, consumer: Consumer, payload: Any) -> Settlement:
        job = lease.job
        ctx = Ctx(lease, payload, self._publisher)
        self._say(f"start {job.job_id} (attempt {job.attempt} of {job.max_attempts})")
        started = time.monotonic()
        try:
            self._call(consumer.handler, ctx)
        except (StopNow, KeyboardInterrupt):
            raise
        except BaseException as error:  # SystemExit too: it must not end the lane
            settlement = failure(consumer, lease, error)
            self._say(f"failed {job.job_id}: {settlement.message}")
            return settlement
        self._say(f"done {job.job_id} in {time.monotonic() - started:.3f} s")
        return succeeded(job)

    def _call(self, function: Callable[[Any], Any], argument: object) -> Any:
        """The user's code, which an undrained stop may cut off."""
        if self._stop.drain:
            return function(argument)
        with self._stop.breakable():
            return function(argument)

    def _end_undecodable(self, job: Reserved, error: UndecodableJob) -> Settlement:
        handler = self._route.invalid_handler
        if handler is None:
            return settle_by_policy(self.queue, job, error, self._route.invalid_policy(job))
        try:
            told = self._call(handler, invalid_job(self.queue, job, error))
        except (StopNow, KeyboardInterrupt):
            raise
        except BaseException as raised:
            told = raised
        return settle_as_told(self.queue, job, error, told)

    def _say(self, event: str) -> None:
        if self._options.say is not None:
            tell(self._options.say, event)

    def _settle_and_reserve(self, wanted: int) -> Reservation | None:
        """One round trip; waits for the server to come back. None: stopped, and either nothing was
        left to deliver or the server stayed away."""
        failures = 0
        give_up_at = 0.0
        while True:
            self._unsettled = still_held(self._unsettled)
            if wanted == 0 and not self._unsettled:
                return None
            command = settle_and_reserve(
                self.queue, self._publisher.settings, wanted, self._unsettled
            )
            try:
                reservation = self._transport.run(command)
            except FATAL:
                raise
            except ServerError as error:
                failures += 1
                if self._stop.requested:
                    wanted = 0
                    give_up_at = give_up_at or time.monotonic() + GIVE_UP_AFTER_STOP_S
                    if time.monotonic() > give_up_at:
                        log.error("server away, %d results lost: %s", len(self._unsettled), error)
                        return None
                wait = reconnect_wait_s(failures, random.random())
                log.warning("queue %s: %s; trying again in %.1f s", self.queue, error, wait)
                self._pause(wait)
                continue
            if failures:
                log.warning("queue %s: the server is back", self.queue)
            self._note_settled(reservation)
            return reservation

    def _pause(self, seconds: float) -> None:
        if self._stop.requested:
            time.sleep(min(seconds, 0.2))
        else:
            self._stop.wait(seconds)

    def _note_settled(self, reservation: Reservation) -> None:
        warn_not_taken(self.queue, self._unsettled, reservation)
        for lease, _ in self._unsettled:
            self._heartbeat.unwatch(lease)
        self._unsettled = []
        self._running = []

    def _wait(self, reservation: Reservation) -> None:
        """Until a publisher wakes a worker, something falls due, or the poll interval is over."""
        ends_at = time.monotonic() + idle_s(reservation, self._options.poll_interval_s)
        try:
            while not self._stop.requested and (left := ends_at - time.monotonic()) > 0:
                step_s = max(0.001, min(left, LISTEN_STEP_S))  # 0 would mean for ever
                if self._transport.wait_for_wake(self.queue, step_s):
                    return
        except FATAL:
            raise
        except ServerError as error:
            # If it is the server, the next reserve meets the same trouble and knows how to wait.
            log.info("queue %s: %s", self.queue, error)
            self._pause(reconnect_wait_s(1, random.random()))


def idle_s(reservation: Reservation, poll_interval_s: float) -> float:
    """How long to wait after a reservation that left room."""
    if reservation.paused:
        return poll_interval_s
    return idle_wait_s(reservation.now_ms, reservation.next_due_ms, poll_interval_s)
