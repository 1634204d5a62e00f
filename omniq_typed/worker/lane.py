"""One lane of execution: a thread that takes jobs of one queue and runs them one after another.

Quick jobs come in batches. While one is worked off the next is under way, and the one after that is
asked for before the next is even looked at, so that the server is never without a call to work on;
slow jobs come one by one, and nothing waits behind them. The way of a job: reserve -> find the
consumer -> decode -> handler -> settle with a later reserve.
"""

from __future__ import annotations

import logging
import math
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Protocol

from omniq_typed.context import Lease
from omniq_typed.core.arguments import check_int, check_seconds
from omniq_typed.core.lease import lease_s
from omniq_typed.core.prefetch import MAX_PREFETCH, Prefetch
from omniq_typed.core.reserve import MAX_JOBS_PER_RESERVE
from omniq_typed.core.retry import given_back
from omniq_typed.core.waiting import POLL_INTERVAL_S, reconnect_wait_s
from omniq_typed.errors import ServerError
from omniq_typed.models import LaneHealth, Outcome, Reservation, Reserved, Settlement
from omniq_typed.publishing import Publisher
from omniq_typed.worker.deliveries import Answer, Deliveries
from omniq_typed.worker.door import Door
from omniq_typed.worker.ending import described
from omniq_typed.worker.forks import FORKS, leave_child
from omniq_typed.worker.health import Pulse
from omniq_typed.worker.heartbeat import Heartbeat
from omniq_typed.worker.patience import FATAL, run_patiently
from omniq_typed.worker.routing import Route
from omniq_typed.worker.running import JobRunner
from omniq_typed.worker.stopping import StopRequest

log = logging.getLogger("omniq_typed.worker")

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


class Look(Protocol):
    """Tells who looks after a lane that it has work or, `by`, when something falls due."""

    def __call__(self, by: float | None = None) -> None: ...


def ignore(by: float | None = None) -> None:
    """Nobody wants to know."""


class Lane:
    """Runs in the thread that calls `run`. `running`: the lease of the job that its handler has at
    the moment; `batch_began_at`: when it began with the batch of that job, by time.monotonic;
    `retired`: another lane has taken its place, and it ends as soon as it can."""

    def __init__(
        self,
        publisher: Publisher,
        route: Route,
        heartbeat: Heartbeat,
        stop: StopRequest,
        options: LaneOptions,
        *,
        name: str = "omniq-lane",
        door: Door | None = None,
        look: Look = ignore,
    ) -> None:
        """`door`: where it waits with the other lanes of its queue. `look`: called when it has got
        jobs, and when it knows what falls due."""
        self.route = route
        self.pulse = Pulse(route.queue, name)
        self.running: Lease | None = None
        self.batch_began_at = 0.0
        self.retired = False
        self.deliveries = Deliveries(publisher, route.queue, heartbeat, stop, self.pulse)
        self.runner = JobRunner(publisher, route, stop, options.say)
        self.door = door or Door(route.queue)
        self._transport = publisher.transport
        self._heartbeat = heartbeat
        self._stop = stop
        self._options = options
        self._look = look
        self._prefetch = Prefetch(options.max_prefetch)
        self._asked = 0
        self._idle = False
        self._flooded = False

    @property
    def queue(self) -> str:
        """The queue that this lane works on."""
        return self.route.queue

    def work(self, lease: Lease) -> Settlement:
        """One job from decoding to its settlement. Never raises."""
        return self.runner.work(lease)

    def run(self) -> None:
        """Works until the stop is requested and the last result is delivered.

        Raises AuthenticationFailed, PermissionDenied; waits through every other ServerError.
        """
        self.pulse.came_back_at = time.monotonic()
        try:
            while (answer := self._next()) is not None:
                reservation = answer.reservation
                if reservation.jobs:
                    self._idle = False
                    if self.door.listener is self.pulse:
                        self.door.leave(self.pulse)  # wherever it got them: another is to listen
                    self._work_off(answer)
                elif self._ends and not self.deliveries.is_loaded:
                    return
                else:
                    self._idle = self._asked > 0
        finally:
            self.door.leave(self.pulse)

    def end(self) -> None:
        """Called when `run` is over for good."""
        self.pulse.ended = True
        self.deliveries.forget()

    def abandon(self) -> None:
        """Called from another thread after an undrained stop: what this lane holds is given back
        under its feet. What it still finds out about the running job is dropped. Raises
        ServerError."""
        running = self.running
        if running is None:
            self.deliveries.unload()
            return
        # From here on a result that the lane finds is dropped; one that it has found counts.
        running.mark_lost("the worker was stopped")
        found = dict(list(self.deliveries.done))
        self.deliveries.unload([(running, found.get(running) or given_back(running.job))])

    def recover(self, error: BaseException) -> None:
        """After `run` died of a fault of our own: nothing that it held is lost, and the job it had
        in hand has failed an attempt."""
        self.pulse.restarts += 1
        self.pulse.job_id = ""
        running, self.running = self.running, None
        if running is not None:
            job = running.job
            said = f"the worker failed: {described(error)}"
            settlement = Settlement(job.job_id, job.lease_token, Outcome.RETRY, message=said)
            self.deliveries.done.append((running, settlement))
        self.deliveries.release_waiting()
        self._idle = False

    def health(self, now: float) -> LaneHealth:
        """As of now, by time.monotonic. While it sleeps, the lane that listens in its place tells
        how the server answers."""
        asleep, listener = self.door.is_asleep(self.pulse), self.door.listener
        mine = self.pulse.health(now)
        if not asleep or self.pulse.ended:
            return mine
        told = (listener or self.pulse).health(now)
        state = told.state if listener is not None and told.state != "working" else "idle"
        return replace(mine, state=state, since_answered_s=told.since_answered_s)

    @property
    def _ends(self) -> bool:
        return self.retired or self._stop.requested

    def _next(self) -> Answer | None:
        """The answer to the next question for jobs, once what is done is on its way. None: this is
        the end."""
        if self.deliveries.under_way == 1:
            self._start()
        while (landed := self.deliveries.landed()) is not None:
            self._note_due(landed)
            if landed.reservation.jobs:
                return landed
        self._asked = 0 if self._ends else self._prefetch.wanted()
        if self._asked and self._idle and not self.deliveries.done:
            return self._listen()
        answer = self.deliveries.exchange(self._asked)
        if answer is not None:
            self._note_due(answer)
        return answer

    def _start(self) -> None:
        """Asks for another batch ahead, where there seem to be more jobs, and quick ones."""
        if self._flooded and self._prefetch.is_quick and not self._ends:
            self.deliveries.start(self._prefetch.wanted())

    def _note_due(self, answer: Answer) -> None:
        self.door.note(answer.reservation, time.monotonic())
        if self.door.has_listener:
            self._look(self.door.due_at)

    def _work_off(self, answer: Answer) -> None:
        """Runs jobs in order; leaves their settlements."""
        jobs, deliveries = answer.reservation.jobs, self.deliveries
        queue = self.queue
        leases = [Lease(queue, job) for job in jobs]
        self._heartbeat.watch_all(leases, answer.asked_at)
        deliveries.waiting.extend(leases)
        # Where that is broken off by a stop, the jobs are given back below.
        self.pulse.came_back_at = math.inf
        run_patiently(self._transport, lambda: self.route.learning(jobs), self._stop)
        self.pulse.came_back_at = time.monotonic()
        self._look()
        self._flooded = answer.is_full
        if not deliveries.under_way:
            self._start()
        self.batch_began_at = began_at = time.monotonic()
        worked = self._run_waiting(began_at, answer.asked_at + _shortest_s(jobs))
        self._prefetch.note(worked, time.monotonic() - began_at)

    def _run_waiting(self, now: float, fresh_until: float) -> int:
        """Runs what the overseer does not take away. `fresh_until`: no lease ends before. How many
        jobs."""
        work, pulse, deliveries = self.runner.work, self.pulse, self.deliveries
        take, put, clock = deliveries.waiting.popleft, deliveries.done.append, time.monotonic
        forks = FORKS.count
        worked = 0
        try:
            while True:
                self.running = lease = take()
                pulse.began_at = now
                pulse.job_id = lease.job.job_id
                if now >= fresh_until and self._heartbeat.is_over(lease):
                    lease.mark_lost("it was over before the job was started")
                settlement = work(lease)
                if FORKS.count != forks:
                    leave_child()
                put((lease, settlement))
                self.running = None
                now = clock()
                worked += 1
        except IndexError:
            if self.running is not None:
                raise  # not the end of the jobs, but a fault of ours
        pulse.job_id = ""
        return worked

    def _listen(self) -> Answer:
        """Waits for work, or until it is time to look for it."""
        if not self.door.wait_for_turn(self.pulse):
            return _nothing()
        self._look(self.door.due_at)
        try:
            answer = self._hear()
        except FATAL:
            raise
        except ServerError as error:
            # If it is the server, the next reserve meets the same trouble and knows how to wait.
            log.info("queue %s: %s", self.queue, error)
            self.deliveries.pause(reconnect_wait_s(1, random.random()))
            answer = None
        if answer is None:
            self._asked = 0  # so that it does not listen again, but asks: see `run`
            return _nothing()
        self._note_due(answer)
        return answer

    def _hear(self) -> Answer | None:
        """At most for the poll interval, in steps within which a stop is noticed. None: stopped."""
        ends_at = time.monotonic() + self._options.poll_interval_s
        while (left := ends_at - time.monotonic()) > LISTEN_STEP_S:
            if self._transport.wait_for_wake(self.queue, LISTEN_STEP_S):
                return self.deliveries.exchange(self._asked)
            if self._ends:
                return None
            self.pulse.came_back_at = time.monotonic()
        return self.deliveries.listen(max(0.001, left), self._asked)


def _shortest_s(jobs: Iterable[Reserved]) -> float:
    return min([lease_s(job.timeout_ms) for job in jobs])


def _nothing() -> Answer:
    return Answer(Reservation(False, 0, 0, 0, 0, (), ()), 0.0, 0)
