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
import math
import random
import time
from collections.abc import Coroutine, Sequence
from typing import Any

from omniq_typed.context import Lease
from omniq_typed.core.prefetch import Prefetch
from omniq_typed.core.waiting import reconnect_wait_s
from omniq_typed.models import LaneHealth, Outcome, Reservation, Reserved, Settlement
from omniq_typed.publishing import AsyncPublisher
from omniq_typed.worker.deliveries import Answer
from omniq_typed.worker.exchange import Exchange
from omniq_typed.worker.health import Pulse
from omniq_typed.worker.heartbeat import Heartbeat
from omniq_typed.worker.job_run import JobRun
from omniq_typed.worker.job_tasks import WAIT_FOR_SLOT_S, JobTasks
from omniq_typed.worker.lane import LaneOptions
from omniq_typed.worker.patience import FATAL, run_patiently_async
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
HEAR_PATIENCE_S = 1.0
"""How long a stopping worker waits for the call that listens; half of it as a rule."""


class QueueLoop:
    """`run` is its task; all else but `health` is called within the same event loop. `tasks`: the
    jobs that it runs."""

    def __init__(
        self,
        publisher: AsyncPublisher,
        route: Route,
        heartbeat: Heartbeat,
        stop: StopRequest,
        options: LaneOptions,
    ) -> None:
        self.tasks = JobTasks(publisher, route, heartbeat, stop, options, self._keep, self.look)
        self._transport = publisher.transport
        self._route = route
        self._stop = stop
        self._pulse = Pulse(route.queue, route.queue)
        self._exchange = Exchange(
            publisher,
            route.queue,
            heartbeat,
            stop,
            self._pulse,
            alone=self.tasks.slots == 1,
            poll_interval_s=options.poll_interval_s,
        )
        self._prefetch = Prefetch(options.max_prefetch)
        self._changed = asyncio.Event()
        self._listening: asyncio.Task[Answer | None] | None = None
        self._held = 0
        self._more = True
        self._due = False
        self._due_timer: asyncio.TimerHandle | None = None
        self._hears_until = 0.0
        self._returned: list[tuple[Lease, Settlement, str]] = []
        self._called_at = 0.0
        self._measured_at = 0.0

    def look(self) -> None:
        """There is something to look at: a job ended, or the worker is to stop."""
        self._changed.set()

    def work(self, lease: Lease) -> Coroutine[Any, Any, Settlement]:
        """One job from decoding to its settlement, without a server. Raises nothing."""
        return self.tasks.runner.work(JobRun(lease))

    def health(self, now: float) -> list[LaneHealth]:
        """As of now (of time.monotonic), for any thread."""
        return self.tasks.health(self._pulse, now)

    async def run(self) -> None:
        """Works until the stop is requested and the last result is delivered."""
        try:
            while not self._is_over():
                self._changed.clear()
                try:
                    busy = await self._turn()
                except FATAL:
                    raise
                except Exception:
                    if self._stop.requested:
                        raise
                    await self._recover()
                    continue
                if not busy:
                    await self._changed.wait()
        finally:
            self._pulse.ended = True
            try:
                await self.tasks.interrupt()
            finally:
                self.tasks.stop_timer()
                self._stop_due_timer()
                self._exchange.forget()
                await self._end_listening()

    async def _recover(self) -> None:
        """A fault of our own is no reason to take no more jobs."""
        pulse = self._pulse
        log.exception("queue %s: the worker itself failed, and goes on", pulse.queue)
        pulse.restarts += 1
        self._more = True
        self._exchange.return_all_but(self.tasks.leases())
        await asyncio.sleep(reconnect_wait_s(pulse.restarts, random.random()))

    def _is_over(self) -> bool:
        """Whether nothing is left to do for a stopping worker."""
        busy = self.tasks.held or self._exchange.is_loaded or self._returned
        return self._stop.requested and not busy and not self._is_to_hear()

    async def _turn(self) -> bool:
        """One step. False: there is nothing to do until something changes."""
        if self._listening is not None and self._listening.done():
            await self._hear(self._listening)
        if self._stop.requested:
            if self._stop.hurried:
                await self.tasks.interrupt()
            self.tasks.give_back_waiting()
            self._give_back_returned()
        elif self.tasks.have_waited:
            # Here, between two calls, lest one that is under way brings more, which would go back
            # before these.
            self._prefetch.note(1, WAIT_FOR_SLOT_S)
            self.tasks.give_back_waiting()
        if self._exchange.is_loaded or self._due or (self._more and self._is_worth_asking()):
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
        room = self._free_slots() + self._prefetch.wanted() - 1
        return max(0, min(room, MAX_JOBS_PER_CALL))

    def _free_slots(self) -> int:
        return self.tasks.slots - self.tasks.held - self._held

    def _is_worth_asking(self) -> bool:
        """Whether to make a call for jobs alone: not for a few ahead."""
        room = self._room()
        return room > 0 and (self._free_slots() > 0 or room > self._prefetch.wanted() // 2)

    def _measure(self) -> None:
        """Notes how quick the jobs were that have ended since the last time."""
        jobs, worked_s = self._exchange.results, self.tasks.worked_s
        if not jobs:
            return
        now = time.monotonic()
        if worked_s > QUICK_S * jobs:
            self._prefetch.note(1, QUICK_S)
        else:
            self._prefetch.note(jobs, now - max(self._measured_at, self.tasks.busy_since))
        self._measured_at, self.tasks.worked_s = now, 0.0

    # --- Talking to the server -------------------------------------------------------------------

    async def _gather(self) -> None:
        """Waits for what is about to end, where there are few results and calls follow at once."""
        few = 0 < self._exchange.results < FEW
        if few and self.tasks.running and time.monotonic() - self._called_at < CALL_GAP_S:
            await asyncio.sleep(CALL_GAP_S)

    async def _call(self) -> None:
        self._measure()
        # Without room, a call that listens holds it: what falls due now is brought to the worker
        # that has listened for longest, which need not be this one.
        room = self._room()
        self._due = False
        answer = await self._exchange.settle_and_reserve(room)
        self._called_at = time.monotonic()
        await self._accept(answer, room)

    async def _accept(self, answer: Answer | None, room: int) -> None:
        """Takes over what a call brought that asked for `room` jobs."""
        if answer is None:
            return
        reservation = answer.reservation
        if room:
            self._more = len(reservation.jobs) >= room
        self._await_due(reservation, room)
        if reservation.jobs:
            self.tasks.add(self._exchange.take(reservation, answer.asked_at))
            await self._learn(reservation.jobs)
            self.tasks.start()
            if self._prefetch.wanted() == 1:
                self.tasks.give_back_waiting()  # more than there were slots; others may have some

    async def _learn(self, jobs: Sequence[Reserved]) -> None:
        """Where that is broken off by a stop, the jobs are given back."""
        if self._route.raw_types:
            await run_patiently_async(
                self._transport, lambda: self._route.learning(jobs), self._stop
            )

    def _await_due(self, reservation: Reservation, room: int) -> None:
        """Looks again when something falls due. Not by the listening call: a server looks only ten
        times a second whether a client has waited long enough."""
        falls_due = reservation.next_due_ms > 0 and not reservation.paused
        wait_s = max(0.001, (reservation.next_due_ms - reservation.now_ms) / 1000)
        loop = asyncio.get_running_loop()
        at = loop.time() + min(wait_s, 3600.0) if falls_due else math.inf
        timer = self._due_timer
        if timer is not None:
            # A call that asked for no jobs was not told when a rate limit lets the next one start.
            if not room and timer.when() <= at:
                return
            timer.cancel()
        self._due_timer = loop.call_at(at, self._fall_due) if falls_due else None

    def _fall_due(self) -> None:
        self._due_timer = None
        self._due = not self._stop.requested  # the others see to it
        self.look()

    def _stop_due_timer(self) -> None:
        if self._due_timer is not None:
            self._due_timer.cancel()
            self._due_timer = None

    # --- Listening -------------------------------------------------------------------------------

    def _listen(self, room: int) -> None:
        self._held = room
        call = self._exchange.reserve_when_woken(room)
        self._listening = asyncio.get_running_loop().create_task(call, name="omniq-listen")
        self._listening.add_done_callback(lambda _: self.look())

    async def _hear(self, listening: asyncio.Task[Answer | None]) -> None:
        room, self._held, self._listening = self._held, 0, None
        answer = listening.result()
        if answer is None:
            self._more = True  # the next call meets the same trouble, and knows how to wait
        await self._accept(answer, room)

    def _is_to_hear(self) -> bool:
        """Whether a stopping worker has to wait for the call that listens: to break it off would
        lose the jobs that it may be bringing."""
        if self._listening is None:
            return False
        self._hears_until = self._hears_until or time.monotonic() + HEAR_PATIENCE_S
        return time.monotonic() < self._hears_until

    async def _end_listening(self) -> None:
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)

    # --- Results ---------------------------------------------------------------------------------

    def _keep(self, lease: Lease, settlement: Settlement, taken_away: str) -> None:
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
