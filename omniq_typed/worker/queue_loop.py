"""One queue of an asyncio worker: takes as many jobs as there is room for, runs each as a task, and
settles what is done with the next reserve.

One call to the server is under way at most. What ends meanwhile goes with the next one, so that
batches grow with the load by themselves. Where the queue has nothing more, a second call listens,
on a connection of its own, until a publisher wakes a worker: the slots that it asks for are held
free for it, the others go on.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from contextvars import copy_context
from dataclasses import replace
from functools import partial
from typing import Any

from omniq_typed.context import Lease
from omniq_typed.core.prefetch import Prefetch
from omniq_typed.core.retry import given_back
from omniq_typed.models import LaneHealth, Outcome, Reservation, Reserved, Settlement
from omniq_typed.publishing import AsyncPublisher
from omniq_typed.worker.deliveries import Answer
from omniq_typed.worker.exchange import LISTEN_S, Exchange
from omniq_typed.worker.health import Pulse
from omniq_typed.worker.heartbeat import Heartbeat
from omniq_typed.worker.job_run import JobRun, JobRunner
from omniq_typed.worker.lane import LaneOptions
from omniq_typed.worker.patience import run_patiently_async
from omniq_typed.worker.routing import Route
from omniq_typed.worker.stopping import StopRequest

log = logging.getLogger("omniq_typed.worker")

MAX_JOBS_PER_CALL = 200
"""More in one call would hold up the server and, with quick handlers, leave it idle while they are
worked off."""
CALL_GAP_S = 0.001
FEW = 16
"""So few results wait CALL_GAP_S for others that are about to end, where calls follow at once."""
QUICK_S = 0.02
"""Only for handlers that take less than this are jobs taken ahead: the next one waits as long."""
WAIT_FOR_SLOT_S = 0.1
"""Jobs that were taken ahead and have had no slot for so long go back: others may be free."""
CANCEL_PATIENCE_S = 1.0
"""How long a cancelled handler may take to end before its job is settled under its feet."""
HEAR_PATIENCE_S = 1.0
"""How long a stopping worker waits for the call that listens; LISTEN_S as a rule."""


class QueueLoop:
    """`run` is its task; all else but `health` is called within the same event loop."""

    def __init__(
        self,
        publisher: AsyncPublisher,
        route: Route,
        heartbeat: Heartbeat,
        stop: StopRequest,
        options: LaneOptions,
    ) -> None:
        self._transport = publisher.transport
        self._route = route
        self._slots = route.concurrency
        self._heartbeat = heartbeat
        self._stop = stop
        self._listen_s = min(LISTEN_S, options.poll_interval_s)
        self.pulse = Pulse(route.queue, route.queue)
        self._exchange = Exchange(publisher, route.queue, heartbeat, stop, self.pulse)
        self._runner = JobRunner(publisher, route, stop, options, self._cancelled)
        self._prefetch = Prefetch(options.max_prefetch)
        self._changed = asyncio.Event()
        self._running: dict[JobRun, None] = {}  # the longest first
        self._stuck: dict[JobRun, None] = {}
        self._ready: deque[Lease] = deque()
        self._waited = False
        self._returned: list[tuple[Lease, Settlement, str]] = []
        self._slot_timer: asyncio.TimerHandle | None = None
        self._context = copy_context()
        self._listening: asyncio.Task[Answer | None] | None = None
        self._held = 0
        self._more = True
        self._due = False
        self._due_timer: asyncio.TimerHandle | None = None
        self._hears_until = 0.0
        self._called_at = 0.0
        self._measured_at = 0.0
        self._worked_s = 0.0

    def look(self) -> None:
        """There is something to look at: a job ended, or the worker is to stop."""
        self._changed.set()

    def work(self, lease: Lease) -> Coroutine[Any, Any, Settlement]:
        """One job from decoding to its settlement, without a server. Raises nothing."""
        return self._runner.work(JobRun(lease))

    def health(self, now: float) -> list[LaneHealth]:
        """As of now (of time.monotonic), for any thread: the queue, and each job whose handler
        ignores its end."""
        pulse = self.pulse
        oldest = _first(self._running)
        pulse.job_id = "" if oldest is None else oldest.lease.job.job_id
        pulse.began_at = 0.0 if oldest is None else oldest.began_at
        found = [pulse.health(now)]
        for run in list(self._stuck):
            job_id = run.lease.job.job_id
            name = f"{pulse.name}/{job_id}"
            found.append(
                replace(found[0], name=name, state="stuck", job_id=job_id, working_s=run.worked_s)
            )
        return found

    async def run(self) -> None:
        """Works until the stop is requested and the last result is delivered."""
        try:
            while not self._is_over():
                self._changed.clear()
                if not await self._turn():
                    await self._changed.wait()
        finally:
            self.pulse.ended = True
            try:
                await self._interrupt()
            finally:
                self._exchange.forget()
                self._stop_timers()
                await self._end_listening()

    def _is_over(self) -> bool:
        """Whether nothing is left to do for a stopping worker."""
        busy = self._running or self._ready or self._exchange.results or self._returned
        return self._stop.requested and not busy and not self._is_to_hear()

    def _is_to_hear(self) -> bool:
        """Whether a stopping worker has to wait for the call that listens."""
        if self._listening is None:
            return False
        self._hears_until = self._hears_until or time.monotonic() + HEAR_PATIENCE_S
        return time.monotonic() < self._hears_until

    async def _turn(self) -> bool:
        """One step. False: there is nothing to do until something changes."""
        if self._listening is not None and self._listening.done():
            await self._hear(self._listening)
        if self._stop.requested:
            if self._stop.hurried:
                await self._interrupt()
            self._give_back_returned()
        if self._waited or self._stop.requested:
            self._waited = False
            self._give_back_ready()
        if self._exchange.results or self._due or (self._more and self._is_worth_asking()):
            await self._gather()
            await self._call()
            return True
        if self._listening is None and (room := self._room()) > 0:
            self._listen(room)
        return False

    # --- How many jobs to take -------------------------------------------------------------------

    def _room(self) -> int:
        """Jobs to ask for: for the free slots, and ahead where handlers are quick."""
        if self._stop.requested:
            return 0
        return max(0, min(self._free_slots() + self._prefetch.wanted() - 1, MAX_JOBS_PER_CALL))

    def _free_slots(self) -> int:
        taken = len(self._running) + len(self._ready) + self._held
        return self._slots - taken

    def _is_worth_asking(self) -> bool:
        """Whether to make a call for jobs alone: not for a few ahead."""
        room = self._room()
        return room > 0 and (self._free_slots() > 0 or room > self._prefetch.wanted() // 2)

    def _measure(self) -> None:
        """Notes how quick the jobs were that have ended since the last time."""
        jobs, worked_s = self._exchange.results, self._worked_s
        if not jobs:
            return
        now = time.monotonic()
        if worked_s > QUICK_S * jobs:
            self._prefetch.note(1, QUICK_S)
        else:
            self._prefetch.note(jobs, now - self._measured_at)
        self._measured_at, self._worked_s = now, 0.0

    # --- Talking to the server -------------------------------------------------------------------

    async def _gather(self) -> None:
        """Waits for what is about to end, where there are few results and calls follow at once."""
        few = 0 < self._exchange.results < FEW
        if few and self._running and time.monotonic() - self._called_at < CALL_GAP_S:
            await asyncio.sleep(CALL_GAP_S)

    async def _call(self) -> None:
        self._measure()
        self._due = False
        room = self._room()
        answer = await self._exchange.settle_and_reserve(room)
        self._called_at = time.monotonic()
        await self._accept(answer, room)

    def _listen(self, room: int) -> None:
        self._held = room
        call = self._exchange.reserve_when_woken(room, self._listen_s)
        self._listening = asyncio.get_running_loop().create_task(call, name="omniq-listen")
        self._listening.add_done_callback(lambda _: self.look())

    async def _hear(self, listening: asyncio.Task[Answer | None]) -> None:
        room, self._held, self._listening = self._held, 0, None
        answer = listening.result()
        if answer is None:
            self._more = True  # the next call meets the same trouble, and knows how to wait
        await self._accept(answer, room)

    async def _end_listening(self) -> None:
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)

    async def _accept(self, answer: Answer | None, room: int) -> None:
        """Takes over what a call brought."""
        if answer is None:
            return
        reservation = answer.reservation
        if room:
            self._more = len(reservation.jobs) >= room
        self._await_due(reservation)
        if reservation.jobs:
            self._ready.extend(self._exchange.take(*answer))
            await self._learn(reservation.jobs)
            self._start_ready()

    async def _learn(self, jobs: Sequence[Reserved]) -> None:
        """Where that is broken off by a stop, the jobs are given back."""
        if self._route.raw_types:
            await run_patiently_async(
                self._transport, lambda: self._route.learning(jobs), self._stop
            )

    def _await_due(self, reservation: Reservation) -> None:
        """Looks again when something falls due. Not by the listening call: a server looks only ten
        times a second whether a client has waited long enough."""
        if self._due_timer is not None:
            self._due_timer.cancel()
            self._due_timer = None
        if reservation.next_due_ms > 0 and not reservation.paused:
            wait_s = (reservation.next_due_ms - reservation.now_ms) / 1000
            loop = asyncio.get_running_loop()
            self._due_timer = loop.call_later(min(max(0.001, wait_s), 3600.0), self._fall_due)

    def _fall_due(self) -> None:
        self._due_timer = None
        self._due = not self._stop.requested  # the others see to it
        self.look()

    def _stop_timers(self) -> None:
        for timer in (self._due_timer, self._slot_timer):
            if timer is not None:
                timer.cancel()

    # --- Running jobs ----------------------------------------------------------------------------

    def _start_ready(self) -> None:
        """Where there are slots. What a stopping worker has not started goes back."""
        if self._stop.requested:
            return
        while self._ready and len(self._running) < self._slots:
            self._start(self._ready.popleft())
        if self._ready and self._slot_timer is None:
            loop = asyncio.get_running_loop()
            self._slot_timer = loop.call_later(WAIT_FOR_SLOT_S, self._end_waiting)
        elif not self._ready and self._slot_timer is not None:
            self._slot_timer.cancel()
            self._slot_timer = None

    def _end_waiting(self) -> None:
        """Jobs were taken ahead, and handlers are not quick any more. Given back between two calls,
        lest one that is under way brings more, which would go back before them."""
        self._slot_timer = None
        self._prefetch.note(1, WAIT_FOR_SLOT_S)
        self._waited = True
        self.look()

    def _give_back_ready(self) -> None:
        while self._ready:
            lease = self._ready.popleft()
            self._keep(lease, given_back(lease.job))

    def _keep(self, lease: Lease, settlement: Settlement, taken_away: str = "") -> None:
        """A result, for the next call. Jobs of a stopping worker go back only when it listens no
        more: it would be the first to hear of them."""
        if settlement.outcome is Outcome.RELEASE and self._stop.requested and self._is_to_hear():
            self._returned.append((lease, settlement, taken_away))
        else:
            self._exchange.keep(lease, settlement, taken_away)
        self.look()

    def _give_back_returned(self) -> None:
        if not self._is_to_hear():
            for each in self._returned:
                self._exchange.keep(*each)
            self._returned.clear()

    def _start(self, lease: Lease) -> None:
        if not self._running:
            self._measured_at = time.monotonic()
        loop = asyncio.get_running_loop()
        run = JobRun(lease)
        self._running[run] = None
        lease.on_lost(partial(loop.call_soon_threadsafe, self._end_lost, run))
        run.task = loop.create_task(self._carry_out(run), name=f"omniq-job-{lease.job.job_id}")

    async def _carry_out(self, run: JobRun) -> None:
        self._finish(run, await self._runner.work(run))

    def _finish(self, run: JobRun, settlement: Settlement) -> None:
        if run in self._stuck:
            del self._stuck[run]
            told = "job %s in queue %s has ended after all; its result is dropped"
            log.warning(told, run.lease.job.job_id, run.lease.queue)
            return
        del self._running[run]
        self._worked_s += run.worked_s
        run.lease.on_lost(None)  # a circle of references, which would be there to be collected
        self._keep(run.lease, settlement)
        if self._ready:
            # Not in the context of the task that is ending: the next one would inherit it.
            self._context.run(self._start_ready)

    def sweep(self) -> None:
        """A task that somebody else cancelled before its first step has ended without a word."""
        for run in list(self._running):
            if run.task is not None and run.task.done():
                self._finish(run, given_back(run.lease.job))

    # --- Ending handlers -------------------------------------------------------------------------

    def _end_lost(self, run: JobRun) -> None:
        if run in self._running:
            run.cancel()
            self._cancelled(run)

    def _cancelled(self, run: JobRun) -> None:
        """A handler was told to end: it has CANCEL_PATIENCE_S for it."""
        asyncio.get_running_loop().call_later(CANCEL_PATIENCE_S, self._leave_alone, run)

    def _leave_alone(self, run: JobRun) -> None:
        """The handler ignores its end: its job is settled under its feet, others get its slot."""
        if run not in self._running:
            return
        del self._running[run]
        self._stuck[run] = None
        lease = run.lease
        log.warning("job %s in queue %s ignores its end", lease.job.job_id, lease.queue)
        if run.timed_out and not run.to_end:
            settlement, why = self._runner.timeout_failure(run), "it was over its timeout"
        else:
            settlement, why = given_back(lease.job), "the job was given back"
        self._keep(lease, settlement, why)
        self._context.run(self._start_ready)

    async def _interrupt(self) -> None:
        """Ends all handlers; their jobs are given back."""
        tasks = [run.task for run in self._running if run.task is not None]
        if not tasks:
            return
        for run in list(self._running):
            run.interrupt()
        await asyncio.wait(tasks, timeout=CANCEL_PATIENCE_S)
        self.sweep()
        for run in list(self._running):
            self._leave_alone(run)


def _first(runs: dict[JobRun, None]) -> JobRun | None:
    """The oldest of them, while the event loop may be changing them."""
    with suppress(RuntimeError):
        return next(iter(runs), None)
    return None
