"""The asyncio worker: one loop per queue takes as many jobs as there is room for, runs each as a
task, and settles what is done with the next reserve. The twin of lane.py and pool.py."""

from __future__ import annotations

import asyncio
import logging
import random
import signal
import threading
import time
import uuid
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress

from omniq_typed.context import AsyncCtx, Lease, Settings
from omniq_typed.core.reserve import MAX_JOBS_PER_RESERVE, reserve
from omniq_typed.core.retry import failed, given_back, succeeded, undecodable
from omniq_typed.core.waiting import idle_wait_s, reconnect_wait_s
from omniq_typed.errors import ServerError, UndecodableJob
from omniq_typed.models import Reservation, Settlement
from omniq_typed.transport.aio import AsyncTransport
from omniq_typed.worker.heartbeat import Heartbeat
from omniq_typed.worker.lane import FATAL, GIVE_UP_AFTER_STOP_S, LaneOptions, release_last
from omniq_typed.worker.routing import Route
from omniq_typed.worker.stopping import StopRequest

log = logging.getLogger("omniq_typed.worker")


async def run_async_worker(
    transport: AsyncTransport,
    settings: Settings,
    routes: Iterable[Route],
    stop: StopRequest,
    options: LaneOptions,
    heartbeat_interval_s: float | None = None,
) -> None:
    """Works on all routes until the stop is requested. Raises AuthenticationFailed,
    PermissionDenied."""
    await transport.client()
    beating = transport.blocking_twin()
    heartbeat = Heartbeat(beating, heartbeat_interval_s)
    heartbeat.start()
    stopped = asyncio.Event()
    loops = [QueueLoop(transport, settings, r, heartbeat, stop, stopped, options) for r in routes]
    try:
        with _signals(stop, stopped):
            async with asyncio.TaskGroup() as group:
                for loop in loops:
                    group.create_task(loop.run())
    except* ServerError as errors:
        raise errors.exceptions[0] from None
    finally:
        await asyncio.to_thread(heartbeat.stop)
        beating.close()


@contextmanager
def _signals(stop: StopRequest, stopped: asyncio.Event) -> Generator[None]:
    """Hears signals, and StopRequest.request() from any thread, as an asyncio event."""
    loop = asyncio.get_running_loop()

    def on_signal(signum: int) -> None:
        stop.announce(signum)
        stopped.set()

    def hear_request() -> None:
        stop.event.wait()
        with suppress(RuntimeError):  # the loop is closed: nobody is left to tell
            loop.call_soon_threadsafe(stopped.set)

    threading.Thread(target=hear_request, name="omniq-stop", daemon=True).start()
    heard = []
    if threading.current_thread() is threading.main_thread():
        for each in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(each, on_signal, each)
            heard.append(each)
    try:
        yield
    finally:
        for each in heard:
            loop.remove_signal_handler(each)
        stop.request()


class QueueLoop:
    """One queue of an asyncio worker."""

    def __init__(
        self,
        transport: AsyncTransport,
        settings: Settings,
        route: Route,
        heartbeat: Heartbeat,
        stop: StopRequest,
        stopped: asyncio.Event,
        options: LaneOptions,
    ) -> None:
        self._transport = transport
        self._settings = settings
        self._route = route
        self._heartbeat = heartbeat
        self._stop = stop
        self._stopped = stopped
        self._options = options
        self._running: dict[Lease, asyncio.Task[None]] = {}
        self._unsettled: list[tuple[Lease, Settlement]] = []
        self._finished = asyncio.Event()
        self._waking: asyncio.Task[bool] | None = None

    async def run(self) -> None:
        """Works until the stop is requested and the last result is delivered."""
        try:
            while True:
                stopping = self._stopped.is_set()
                if stopping and not self._stop.drain:
                    self._interrupt()
                room = 0 if stopping else self._free_lanes()
                self._finished.clear()
                reservation = None
                if room or self._unsettled:
                    reservation = await self._settle_and_reserve(room)
                if stopping and not self._running and not self._unsettled:
                    return
                jobs = () if reservation is None else reservation.jobs
                for job in jobs:
                    self._start(Lease(self._route.queue, job))
                if len(jobs) < room or room == 0:
                    await self._wait(reservation, idle=room > 0)
        finally:
            for task in self._running.values():
                task.cancel()
            if self._waking is not None:
                self._waking.cancel()
                await asyncio.gather(self._waking, return_exceptions=True)

    def _free_lanes(self) -> int:
        return min(self._route.concurrency - len(self._running), MAX_JOBS_PER_RESERVE)

    def _start(self, lease: Lease) -> None:
        loop = asyncio.get_running_loop()
        self._heartbeat.watch(lease)
        task = loop.create_task(self._work(lease), name=f"omniq-job-{lease.job.job_id}")
        self._running[lease] = task

        def cancel_from_heartbeat() -> None:
            loop.call_soon_threadsafe(task.cancel)

        lease.on_lost(cancel_from_heartbeat)

    async def _work(self, lease: Lease) -> None:
        """One job; leaves its settlement. Raises nothing but the loop's own cancellation."""
        settlement = given_back(lease.job)
        try:
            settlement = await self._handle(lease)
        finally:
            self._running.pop(lease, None)
            self._unsettled.append((lease, settlement))
            self._finished.set()

    async def _handle(self, lease: Lease) -> Settlement:
        job = lease.job
        try:
            consumer = self._route.find(job)
            payload = consumer.decode(job.payload)
        except UndecodableJob as error:
            log.error("job %s in queue %s is undecodable: %s", job.job_id, lease.queue, error)
            return undecodable(job, error)
        except Exception as error:
            log.exception("job %s in queue %s could not be decoded", job.job_id, lease.queue)
            return undecodable(job, UndecodableJob("invalid_payload", repr(error)))
        ctx = AsyncCtx(lease, payload, self._transport, self._settings)
        self._options.say(f"start {job.job_id} (attempt {job.attempt} of {job.max_attempts})")
        started = time.monotonic()
        try:
            await consumer.handler(ctx)
        except asyncio.CancelledError as error:
            if lease.lost or self._stopped.is_set():
                log.warning("job %s in queue %s interrupted", job.job_id, lease.queue)
                return given_back(job)
            # The handler cancelled itself: its fault, not the worker's end.
            return failed(job, error, consumer.retry, random.random())
        except BaseException as error:  # SystemExit too: it must not end the worker
            log.exception("job %s in queue %s failed", job.job_id, lease.queue)
            self._options.say(f"failed {job.job_id}: {type(error).__name__}: {error}")
            return failed(job, error, consumer.retry, random.random())
        self._options.say(f"done {job.job_id} in {time.monotonic() - started:.3f} s")
        return succeeded(job)

    def _interrupt(self) -> None:
        for task in self._running.values():
            task.cancel()

    async def _settle_and_reserve(self, wanted: int) -> Reservation | None:
        """One round trip; waits for the server to come back. None: nothing left to deliver, or the
        server stayed away from a stopping worker."""
        failures = 0
        give_up_at = 0.0
        while True:
            self._drop_lost()
            batch = list(self._unsettled)
            if wanted == 0 and not batch:
                return None
            command = reserve(
                self._route.queue,
                limit=wanted,
                token_prefix=uuid.uuid4().hex,
                settlements=release_last([settlement for _, settlement in batch]),
                keep_completed=self._settings.keep_completed,
            )
            try:
                reservation = await self._transport.run(command)
            except FATAL:
                raise
            except ServerError as error:
                failures += 1
                if self._stopped.is_set():
                    wanted = 0
                    give_up_at = give_up_at or time.monotonic() + GIVE_UP_AFTER_STOP_S
                    if time.monotonic() > give_up_at:
                        log.error("server away, %d results lost: %s", len(batch), error)
                        self._unsettled.clear()
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
        if self._stopped.is_set():
            await asyncio.sleep(min(seconds, 0.2))
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopped.wait(), seconds)

    def _drop_lost(self) -> None:
        for lease, _ in self._unsettled:
            if lease.lost:
                log.warning(
                    "result of job %s in queue %s dropped: lease lost (%s)",
                    lease.job.job_id,
                    lease.queue,
                    lease.lost_because,
                )
        self._unsettled = [each for each in self._unsettled if not each[0].lost]

    def _note_settled(
        self, batch: list[tuple[Lease, Settlement]], reservation: Reservation
    ) -> None:
        for lease, _ in batch:
            self._heartbeat.unwatch(lease)
        # More may have finished while the call was under way.
        del self._unsettled[: len(batch)]
        for settled in reservation.settled:
            if settled.status == "ERR":
                log.warning(
                    "result of job %s in queue %s not taken: %s",
                    settled.job_id,
                    self._route.queue,
                    settled.detail,
                )

    async def _wait(self, reservation: Reservation | None, *, idle: bool) -> None:
        """Until a job finishes, the stop is requested, or, where there is room, a publisher wakes
        a worker, something falls due or the poll interval is over."""
        poll = self._options.poll_interval_s
        seconds: float | None = None
        events = [
            asyncio.ensure_future(self._finished.wait()),
            asyncio.ensure_future(self._wait_for_stop()),
        ]
        waiting: set[asyncio.Future[bool]] = set(events)
        if idle and reservation is not None:
            seconds = poll
            if not reservation.paused:
                seconds = idle_wait_s(reservation.now_ms, reservation.next_due_ms, poll)
            waiting.add(self._wake_task(poll))
        try:
            await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for event in events:
                event.cancel()
        self._forget_wake_task()

    async def _wait_for_stop(self) -> bool:
        """Where the stop is known already, only a finished job matters."""
        if self._stopped.is_set():
            await asyncio.get_running_loop().create_future()
        return await self._stopped.wait()

    def _wake_task(self, poll: float) -> asyncio.Task[bool]:
        """The blocking wait goes on across rounds: cancelling it would cost its connection."""
        if self._waking is None:
            self._waking = asyncio.create_task(
                self._transport.wait_for_wake(self._route.queue, poll)
            )
        return self._waking

    def _forget_wake_task(self) -> None:
        if self._waking is None or not self._waking.done():
            return
        error = self._waking.exception()
        self._waking = None
        if isinstance(error, ServerError) and not isinstance(error, FATAL):
            # The next reserve meets the same trouble and knows how to wait.
            log.info("queue %s: %s", self._route.queue, error)
        elif error is not None:
            raise error
