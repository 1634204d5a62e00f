"""The asyncio worker of a process: a loop per queue, the heartbeat for all, and how they end
together. The twin of pool.py."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace

from omniq_typed.core.command import Steps
from omniq_typed.publishing import AsyncPublisher
from omniq_typed.worker.health import OVERDUE_S, Report, Vitals
from omniq_typed.worker.heartbeat import STOP_PATIENCE_S, Heartbeat
from omniq_typed.worker.lane import LaneOptions
from omniq_typed.worker.loop_watch import TICK_S, LoopWatch
from omniq_typed.worker.patience import nothing, run_patiently_async
from omniq_typed.worker.queue_loop import QueueLoop
from omniq_typed.worker.routing import Route
from omniq_typed.worker.stopping import StopRequest

log = logging.getLogger("omniq_typed.worker")

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
    worker = AsyncWorker(loops, stop)
    heartbeat.start()
    try:
        with (vitals or Vitals()).of(worker.report), stop.signals():
            await worker.run(
                lambda: run_patiently_async(publisher.transport, prepare, stop, in_thread=True)
            )
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


class AsyncWorker:
    """The loops of all queues, in one event loop."""

    def __init__(self, loops: list[QueueLoop], stop: StopRequest) -> None:
        self._loops = loops
        self._stop = stop
        self._watch = LoopWatch()

    def report(self) -> Report:
        """How it is, as of now; for any thread."""
        now = time.monotonic()
        lanes = [lane for loop in self._loops for lane in loop.health(now)]
        lag_s = self._watch.lag_s
        if lag_s > OVERDUE_S:
            lanes = [replace(each, state="stuck") for each in lanes]
        return Report(tuple(lanes), stopping=self._stop.requested, loop_lag_s=lag_s)

    async def run(self, prepare: Callable[[], Awaitable[bool]]) -> None:
        """Until all loops have ended; one that fails ends the others."""
        self._watch.start()
        ticking = asyncio.create_task(self._tick(), name="omniq-tick")
        try:
            if await prepare():
                await self._run_loops()
        finally:
            ticking.cancel()
            self._watch.stop()
            await asyncio.gather(ticking, return_exceptions=True)

    async def _run_loops(self) -> None:
        tasks = [asyncio.create_task(loop.run(), name="omniq-queue") for loop in self._loops]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            self._stop.request()  # one queue failed: the others end as agreed
            await asyncio.wait(tasks)
        except asyncio.CancelledError:
            self._stop.hurry()
            self._look()
            await asyncio.wait(tasks, timeout=LEAVE_WITHIN_S)
            raise
        finally:
            for task in tasks:
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
        for end in ends:
            if isinstance(end, Exception):
                raise end

    async def _tick(self) -> None:
        """Looks rather than listens for the stop: neither a signal handler nor the user's event can
        call us."""
        grace_s, grace_ends_at = self._stop.grace_s, None
        while True:
            self._watch.turned()
            for loop in self._loops:
                loop.tasks.sweep()
            if self._stop.requested:
                now = time.monotonic()
                if grace_ends_at is None and grace_s is not None:
                    grace_ends_at = now + grace_s
                if grace_ends_at is not None and now >= grace_ends_at and not self._stop.hurried:
                    log.warning("%.1f s of grace are over, giving running jobs back", grace_s)
                    self._stop.hurry()
                self._look()
            await asyncio.sleep(TICK_S)

    def _look(self) -> None:
        for loop in self._loops:
            loop.look()
