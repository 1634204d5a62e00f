"""The asyncio worker: one loop per queue takes as many jobs as there is room for, runs each as a
task, and settles what is done with the next reserve. The twin of lane.py and pool.py."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Iterable, Sequence

from omniq_typed.context import AsyncCtx, Lease
from omniq_typed.core.command import Steps
from omniq_typed.core.reserve import MAX_JOBS_PER_RESERVE
from omniq_typed.core.retry import given_back, succeeded
from omniq_typed.core.waiting import reconnect_wait_s
from omniq_typed.errors import ServerError, UndecodableJob
from omniq_typed.models import Outcome, Reservation, Reserved, Settlement
from omniq_typed.publishing import AsyncPublisher
from omniq_typed.worker.ending import (
    Ended,
    failure,
    open_job,
    settle_and_reserve,
    still_held,
    tell,
    warn_not_taken,
)
from omniq_typed.worker.health import Vitals
from omniq_typed.worker.heartbeat import STOP_PATIENCE_S, Heartbeat
from omniq_typed.worker.invalid import invalid_job, settle_as_told, settle_by_policy
from omniq_typed.worker.lane import (
    GIVE_UP_AFTER_STOP_S,
    LISTEN_STEP_S,
    LaneOptions,
    idle_s,
)
from omniq_typed.worker.patience import FATAL, nothing, run_patiently_async
from omniq_typed.worker.routing import Route
from omniq_typed.worker.stopping import NOTICE_S, StopRequest

log = logging.getLogger("omniq_typed.worker")

CANCEL_PATIENCE_S = 1.0
"""How long a cancelled handler may take to end before its job is given back under its feet."""
LEAVE_WITHIN_S = 5.0
"""How long a cancelled worker may take to give its jobs back."""


async def run_async_worker(
    publisher: AsyncPublisher,
    routes: Iterable[Route],
    stop: StopRequest,
    options: LaneOptions,
    heartbeat_interval_s: float | None = None,
    prepare: Callable[[], Steps[object] | None] = nothing,
    vitals: Vitals | None = None,
) -> None:
    """Works on all routes until the stop is requested, once what `prepare` gives is done. Raises
    AuthenticationFailed, PermissionDenied, and what those steps raise. Cancelled from outside, it
    cancels its handlers, gives their jobs back and lets the cancellation pass."""
    beating = publisher.transport.blocking_twin()
    heartbeat = Heartbeat(beating, heartbeat_interval_s)
    loops = [QueueLoop(publisher, route, heartbeat, stop, options) for route in routes]
    heartbeat.start()
    try:
        with stop.signals():
            if await run_patiently_async(publisher.transport, prepare, stop):
                await _run_loops(loops, stop)
    finally:
        try:
            await _end_heartbeat(heartbeat)
        finally:
            beating.close()


async def _end_heartbeat(heartbeat: Heartbeat) -> None:
    """Not in a thread of the loop's pool: handlers that ignore their end may have them all."""
    heartbeat.ask_to_stop()
    ends_at = time.monotonic() + STOP_PATIENCE_S
    while heartbeat.running and time.monotonic() < ends_at:  # noqa: ASYNC110
        await asyncio.sleep(0.005)


async def _run_loops(loops: list[QueueLoop], stop: StopRequest) -> None:
    tasks = [asyncio.create_task(loop.run()) for loop in loops]
    watch = asyncio.create_task(_tell_stop(loops, stop))
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        stop.request()  # one queue failed: the others end as agreed
        await asyncio.wait(tasks)
    except asyncio.CancelledError:
        stop.drain = False
        stop.request()
        for loop in loops:
            loop.look()
        await asyncio.wait(tasks, timeout=LEAVE_WITHIN_S)
        raise
    finally:
        for task in (*tasks, watch):
            task.cancel()
        ends = await asyncio.gather(*tasks, watch, return_exceptions=True)
    for end in ends:
        if isinstance(end, Exception):
            raise end


async def _tell_stop(loops: list[QueueLoop], stop: StopRequest) -> None:
    """Looks rather than listens: neither a signal handler nor the user's event can call us."""
    while not stop.requested:  # noqa: ASYNC110
        await asyncio.sleep(NOTICE_S)
    for loop in loops:
        loop.look()


class QueueLoop:
    """One queue of an asyncio worker."""

    def __init__(
        self,
        publisher: AsyncPublisher,
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
        self._running: dict[Lease, asyncio.Task[Settlement]] = {}
        self._unsettled: list[Ended] = []
        self._interrupted = False
        self._changed = asyncio.Event()
        self._listening: asyncio.Task[bool] | None = None

    def look(self) -> None:
        """There is something to look at: a job ended, or the worker is to stop."""
        self._changed.set()

    async def run(self) -> None:
        """Works until the stop is requested and the last result is delivered."""
        try:
            while True:
                stopping = self._stop.requested
                if stopping and not self._stop.drain:
                    await self._interrupt()
                room = 0 if stopping else self._free_lanes()
                self._changed.clear()
                reservation = None
                if room or self._unsettled:
                    reservation = await self._settle_and_reserve(room)
                if stopping and not self._running and not self._unsettled:
                    return
                jobs = () if reservation is None else reservation.jobs
                await self._learn(jobs)
                for job in jobs:
                    self._start(Lease(self._route.queue, job))
                if len(jobs) < room or room == 0:
                    await self._wait(reservation if room else None)
        finally:
            try:
                await self._interrupt()
            finally:
                for lease, _ in self._unsettled:
                    self._heartbeat.unwatch(lease)
                await self._end_listening()

    async def _learn(self, jobs: Sequence[Reserved]) -> None:
        """Where that is broken off by a stop, the jobs are given back by their tasks."""
        await run_patiently_async(self._transport, lambda: self._route.learning(jobs), self._stop)

    def _free_lanes(self) -> int:
        return min(self._route.concurrency - len(self._running), MAX_JOBS_PER_RESERVE)

    def _start(self, lease: Lease) -> None:
        loop = asyncio.get_running_loop()
        task = loop.create_task(self.work(lease), name=f"omniq-job-{lease.job.job_id}")
        self._running[lease] = task
        # Not the coroutine's own `finally`: a task cancelled before its first step has none.
        task.add_done_callback(lambda done: self._finish(lease, done))

        def cancel_from_heartbeat() -> None:
            loop.call_soon_threadsafe(task.cancel)

        lease.on_lost(cancel_from_heartbeat)
        self._heartbeat.watch(lease)

    def _finish(self, lease: Lease, task: asyncio.Task[Settlement]) -> None:
        if self._running.pop(lease, None) is None:
            return  # given back under its feet
        settlement = given_back(lease.job) if task.cancelled() else task.result()
        self._unsettled.append((lease, settlement))
        self.look()

    async def work(self, lease: Lease) -> Settlement:
        """One job from decoding to its settlement. Raises nothing."""
        job = lease.job
        if self._stop.requested:
            return given_back(job)
        try:
            consumer, payload = open_job(self._route, job)
        except UndecodableJob as error:
            return await self._end_undecodable(lease, error)
        ctx = AsyncCtx(lease, payload, self._publisher)
        self._say(f"start {job.job_id} (attempt {job.attempt} of {job.max_attempts})")
        started = time.monotonic()
        try:
            await consumer.handler(ctx)
        except BaseException as error:  # SystemExit too: it must not end the worker
            # A handler may also cancel itself: its fault, not the worker's end.
            cancelled = isinstance(error, asyncio.CancelledError)
            if cancelled and (lease.lost or self._interrupted):
                log.warning("job %s in queue %s interrupted", job.job_id, lease.queue)
                return given_back(job)
            settlement = failure(consumer, lease, error)
            self._say(f"failed {job.job_id}: {settlement.message}")
            return settlement
        self._say(f"done {job.job_id} in {time.monotonic() - started:.3f} s")
        return succeeded(job)

    async def _end_undecodable(self, lease: Lease, error: UndecodableJob) -> Settlement:
        queue, job = lease.queue, lease.job
        handler = self._route.invalid_handler
        if handler is None:
            return settle_by_policy(queue, job, error, self._route.invalid_policy(job))
        try:
            told = await handler(invalid_job(queue, job, error))
        except BaseException as raised:
            cancelled = isinstance(raised, asyncio.CancelledError)
            if cancelled and (lease.lost or self._interrupted):
                return given_back(job)
            told = raised
        return settle_as_told(queue, job, error, told)

    def _say(self, event: str) -> None:
        if self._options.say is not None:
            tell(self._options.say, event)

    async def _interrupt(self) -> None:
        """Cancels the handlers. One that does not end is left alone, its job given back."""
        if not self._running:
            return
        self._interrupted = True
        for task in self._running.values():
            task.cancel()
        await asyncio.wait(self._running.values(), timeout=CANCEL_PATIENCE_S)
        for lease in self._running:
            log.warning("job %s in queue %s ignores its end", lease.job.job_id, lease.queue)
            self._unsettled.append((lease, given_back(lease.job)))
        self._running.clear()

    async def _settle_and_reserve(self, wanted: int) -> Reservation | None:
        """One round trip; waits for the server to come back. None: nothing left to deliver, or the
        server stayed away from a stopping worker."""
        failures = 0
        give_up_at = 0.0
        while True:
            self._unsettled = still_held(self._unsettled)
            batch = list(self._unsettled)
            if wanted == 0 and not batch:
                return None
            command = settle_and_reserve(self._route.queue, self._publisher.settings, wanted, batch)
            try:
                reservation = await self._transport.run(command)
            except FATAL:
                raise
            except ServerError as error:
                failures += 1
                if self._stop.requested:
                    wanted = 0
                    give_up_at = give_up_at or time.monotonic() + GIVE_UP_AFTER_STOP_S
                    if time.monotonic() > give_up_at:
                        log.error("server away, %d results lost: %s", len(batch), error)
                        for lease, _ in batch:
                            self._heartbeat.unwatch(lease)
                        del self._unsettled[: len(batch)]
                        return None
                wait = reconnect_wait_s(failures, random.random())
                log.warning("queue %s: %s; trying again in %.1f s", self._route.queue, error, wait)
                await self._pause(wait)
                continue
            if failures:
                log.warning("queue %s: the server is back", self._route.queue)
            self._note_settled(batch, reservation)
            return reservation

    async def _pause(self, seconds: float) -> None:
        ends_at = time.monotonic() + seconds
        while (left := ends_at - time.monotonic()) > 0:
            await asyncio.sleep(min(left, NOTICE_S))
            if self._stop.requested:
                return

    def _note_settled(self, batch: list[Ended], reservation: Reservation) -> None:
        warn_not_taken(self._route.queue, batch, reservation)
        for lease, settlement in batch:
            self._heartbeat.unwatch(lease)
            if settlement.outcome is Outcome.RELEASE:
                lease.mark_lost("the job was given back")  # a handler may have ignored its end
        # More may have finished while the call was under way.
        del self._unsettled[: len(batch)]

    async def _wait(self, reservation: Reservation | None) -> None:
        """Until a job ends, the worker is to stop, or, where there was room (`reservation`), a
        publisher wakes a worker, something falls due or the poll interval is over."""
        changed = asyncio.ensure_future(self._changed.wait())
        try:
            if reservation is None:
                await changed
                return
            ends_at = time.monotonic() + idle_s(reservation, self._options.poll_interval_s)
            while not changed.done() and (left := ends_at - time.monotonic()) > 0:
                waiting = {changed, self._listen()}
                await asyncio.wait(waiting, timeout=left, return_when=asyncio.FIRST_COMPLETED)
                if await self._heard():
                    return
        finally:
            changed.cancel()

    def _listen(self) -> asyncio.Task[bool]:
        """One blocking call, which goes on where `_wait` ends before it: cancelling it would cost
        its connection. Short, lest it take a token when there is no room any more."""
        if self._listening is None:
            call = self._transport.wait_for_wake(self._route.queue, LISTEN_STEP_S)
            self._listening = asyncio.create_task(call)
        return self._listening

    async def _heard(self) -> bool:
        """Whether a call for a wake token is over, and with a token or a fault."""
        if self._listening is None or not self._listening.done():
            return False
        call, self._listening = self._listening, None
        try:
            return call.result()
        except FATAL:
            raise
        except ServerError as error:
            # If it is the server, the next reserve meets the same trouble and knows how to wait.
            log.info("queue %s: %s", self._route.queue, error)
            await self._pause(reconnect_wait_s(1, random.random()))
            return True

    async def _end_listening(self) -> None:
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
