"""One lane of execution: a thread that takes jobs of one queue and runs them one after another.

The way of a job: reserve -> find the consumer -> decode -> handler -> settle with the next reserve.
"""

from __future__ import annotations

import logging
import random
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from omniq_typed.context import Ctx, Lease, Settings
from omniq_typed.core.reserve import reserve
from omniq_typed.core.retry import failed, given_back, succeeded, undecodable
from omniq_typed.core.settle import settle
from omniq_typed.core.waiting import POLL_INTERVAL_S, idle_wait_s, reconnect_wait_s
from omniq_typed.errors import (
    AuthenticationFailed,
    PermissionDenied,
    ServerError,
    UndecodableJob,
    UnexpectedReply,
)
from omniq_typed.models import Outcome, Reservation, Settlement
from omniq_typed.transport.sync import SyncTransport
from omniq_typed.worker.heartbeat import Heartbeat
from omniq_typed.worker.routing import Route
from omniq_typed.worker.stopping import StopNow, StopRequest

log = logging.getLogger("omniq_typed.worker")

# Waiting does not mend these: the operator has to.
FATAL = (AuthenticationFailed, PermissionDenied, UnexpectedReply)
GIVE_UP_AFTER_STOP_S = 5.0
"""How long a stopping worker tries to deliver results to a server that is away."""


@dataclass(frozen=True, slots=True)
class LaneOptions:
    """`prefetch`: jobs taken in one round trip, worked off in order. `say`: gets one line per
    event, for people."""

    prefetch: int = 1
    poll_interval_s: float = POLL_INTERVAL_S
    say: Callable[[str], None] = log.debug


class Lane:
    """Runs in the thread that calls `run`."""

    def __init__(
        self,
        transport: SyncTransport,
        settings: Settings,
        route: Route,
        heartbeat: Heartbeat,
        stop: StopRequest,
        options: LaneOptions,
    ) -> None:
        self._transport = transport
        self._settings = settings
        self._route = route
        self._heartbeat = heartbeat
        self._stop = stop
        self._options = options
        self._unsettled: list[tuple[Lease, Settlement]] = []
        self._running: list[Lease] = []

    def run(self) -> None:
        """Works until the stop is requested and the last result is delivered.

        Raises AuthenticationFailed, PermissionDenied; waits through every other ServerError.
        """
        while True:
            wanted = 0 if self._stop.requested else self._options.prefetch
            reservation = self._settle_and_reserve(wanted)
            if reservation is None:
                return
            leases = [Lease(self._route.queue, job) for job in reservation.jobs]
            self._running = leases
            for lease in leases:
                self._heartbeat.watch(lease)
            for lease in leases:
                self._unsettled.append((lease, self._work(lease)))
            if leases:
                continue
            if self._stop.requested:
                return
            self._wait(reservation)

    def abandon(self) -> None:
        """Called from another thread after an undrained stop: gives the jobs that this lane is
        still running back, and lets their results be dropped."""
        mine = list(self._running)
        done = dict(self._unsettled)
        given = [done.get(lease) or given_back(lease.job) for lease in mine if not lease.lost]
        for lease in mine:
            self._heartbeat.unwatch(lease)
            lease.mark_lost("the worker was stopped")
        if not given:
            return
        try:
            self._transport.run(settle(self._route.queue, release_last(given)))
        except ServerError as error:
            log.warning("%d jobs not given back, their leases run out: %s", len(given), error)

    def _work(self, lease: Lease) -> Settlement:
        """One job from decoding to its settlement. Never raises."""
        job = lease.job
        if self._stop.requested:
            return given_back(job)
        try:
            consumer = self._route.find(job)
            payload = consumer.decode(job.payload)
        except UndecodableJob as error:
            log.error("job %s in queue %s is undecodable: %s", job.job_id, lease.queue, error)
            return undecodable(job, error)
        except Exception as error:
            log.exception("job %s in queue %s could not be decoded", job.job_id, lease.queue)
            return undecodable(job, UndecodableJob("invalid_payload", repr(error)))
        ctx = Ctx(lease, payload, self._transport, self._settings)
        self._options.say(f"start {job.job_id} (attempt {job.attempt} of {job.max_attempts})")
        started = time.monotonic()
        try:
            if self._stop.drain:
                consumer.handler(ctx)
            else:
                with self._stop.breakable():
                    consumer.handler(ctx)
        except (StopNow, KeyboardInterrupt):
            self._stop.request()
            log.warning("job %s in queue %s interrupted and given back", job.job_id, lease.queue)
            return given_back(job)
        except BaseException as error:  # SystemExit too: it must not end the lane
            log.exception("job %s in queue %s failed", job.job_id, lease.queue)
            self._options.say(f"failed {job.job_id}: {type(error).__name__}: {error}")
            return failed(job, error, consumer.retry, random.random())
        self._options.say(f"done {job.job_id} in {time.monotonic() - started:.3f} s")
        return succeeded(job)

    def _settle_and_reserve(self, wanted: int) -> Reservation | None:
        """One round trip; waits for the server to come back. None: stopped, and either nothing was
        left to deliver or the server stayed away."""
        failures = 0
        give_up_at = 0.0
        while True:
            self._drop_lost()
            if wanted == 0 and not self._unsettled:
                return None
            command = reserve(
                self._route.queue,
                limit=wanted,
                token_prefix=uuid.uuid4().hex,
                settlements=release_last([settlement for _, settlement in self._unsettled]),
                keep_completed=self._settings.keep_completed,
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
                log.warning("queue %s: %s; trying again in %.1f s", self._route.queue, error, wait)
                self._pause(wait)
                continue
            if failures:
                log.warning("queue %s: the server is back", self._route.queue)
            self._note_settled(reservation)
            return reservation

    def _pause(self, seconds: float) -> None:
        if self._stop.requested:
            time.sleep(min(seconds, 0.2))
        else:
            self._stop.event.wait(seconds)

    def _drop_lost(self) -> None:
        """A result whose lease was lost is another worker's to give."""
        kept = []
        for lease, settlement in self._unsettled:
            if lease.lost:
                log.warning(
                    "result of job %s in queue %s dropped: lease lost (%s)",
                    lease.job.job_id,
                    lease.queue,
                    lease.lost_because,
                )
            else:
                kept.append((lease, settlement))
        self._unsettled = kept

    def _note_settled(self, reservation: Reservation) -> None:
        for lease, _ in self._unsettled:
            self._heartbeat.unwatch(lease)
        self._unsettled = []
        self._running = []
        for settled in reservation.settled:
            if settled.status == "ERR":
                log.warning(
                    "result of job %s in queue %s not taken: %s",
                    settled.job_id,
                    self._route.queue,
                    settled.detail,
                )

    def _wait(self, reservation: Reservation) -> None:
        """Until a publisher wakes a worker, something falls due, or the poll interval is over."""
        poll = self._options.poll_interval_s
        seconds = (
            poll
            if reservation.paused
            else idle_wait_s(reservation.now_ms, reservation.next_due_ms, poll)
        )
        try:
            with self._stop.breakable():
                self._transport.wait_for_wake(self._route.queue, seconds)
        except StopNow:
            return
        except FATAL:
            raise
        except ServerError as error:
            # The next reserve meets the same trouble and knows how to wait.
            log.info("queue %s: %s", self._route.queue, error)


def release_last(settlements: list[Settlement]) -> list[Settlement]:
    """Jobs that are given back go last and in reverse, so that they keep their order at the head
    of the lane."""
    released = [each for each in settlements if each.outcome is Outcome.RELEASE]
    others = [each for each in settlements if each.outcome is not Outcome.RELEASE]
    return others + released[::-1]
