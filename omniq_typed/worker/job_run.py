"""One job in the hands of an async handler, from decoding to its settlement."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

from omniq_typed.context import AsyncCtx, Lease
from omniq_typed.core.retry import given_back, succeeded
from omniq_typed.errors import HandlerSignal, HandlerTimeout, UndecodableJob
from omniq_typed.models import Settlement
from omniq_typed.publishing import AsyncPublisher
from omniq_typed.worker.ending import failure, open_job, tell
from omniq_typed.worker.forks import FORKS, leave_child
from omniq_typed.worker.invalid import invalid_job, settle_as_told, settle_by_policy
from omniq_typed.worker.lane import LaneOptions
from omniq_typed.worker.routing import Consumer, Route
from omniq_typed.worker.stopping import StopRequest

log = logging.getLogger("omniq_typed.worker")


class JobRun:
    """A leased job that has a task of its own, and why the worker wants it to end, if it does."""

    __slots__ = ("began_at", "consumer", "interrupted", "lease", "task", "timed_out", "timer")

    def __init__(self, lease: Lease) -> None:
        self.lease = lease
        self.task: asyncio.Task[None] | None = None
        self.began_at = 0.0
        """By the monotonic clock; 0.0: its task has not had its first step yet."""
        self.consumer: Consumer | None = None
        self.interrupted = False
        self.timed_out = False
        self.timer: asyncio.TimerHandle | None = None

    @property
    def worked_s(self) -> float:
        """How long its handler has been at work."""
        return time.monotonic() - self.began_at if self.began_at else 0.0

    @property
    def to_end(self) -> bool:
        """Whether the worker, and not the handler, has ended it, and not by its timeout."""
        return self.interrupted or self.lease.lost

    def cancel(self) -> None:
        """Ends the handler. A task that was never stepped would end without a word: that one looks
        by itself whether it is to begin."""
        if self.task is not None and self.began_at:
            self.task.cancel()

    def interrupt(self) -> None:
        """Ends the handler, its job to be given back."""
        self.interrupted = True
        self.cancel()


class JobRunner:
    """Runs the jobs of one route. `cancelled`: what to call when a handler is over its timeout and
    was cancelled."""

    def __init__(
        self,
        publisher: AsyncPublisher,
        route: Route,
        stop: StopRequest,
        options: LaneOptions,
        cancelled: Callable[[JobRun], None],
    ) -> None:
        self._publisher = publisher
        self._route = route
        self._stop = stop
        self._say = options.say
        self._cancelled = cancelled
        self._forks = FORKS.count

    async def work(self, run: JobRun) -> Settlement:
        """One job from decoding to its settlement. Raises nothing."""
        job = run.lease.job
        if self._stop.requested or run.to_end:
            return given_back(job)
        run.began_at = time.monotonic()
        try:
            consumer, payload = open_job(self._route, job)
        except UndecodableJob as error:
            return await self._end_undecodable(run, error)
        return await self._handle(run, consumer, payload)

    async def _handle(self, run: JobRun, consumer: Consumer, payload: Any) -> Settlement:
        lease, job = run.lease, run.lease.job
        ctx = AsyncCtx(lease, payload, self._publisher)
        say = self._say
        if say is not None:
            tell(say, f"start {job.job_id} (attempt {job.attempt} of {job.max_attempts})")
        run.consumer = consumer
        if consumer.timeout_s is not None:
            self._set_timer(run, consumer.timeout_s)
        try:
            await consumer.handler(ctx)
        except BaseException as error:  # SystemExit too: it must not end the worker
            settlement = self._settlement_of(run, consumer, error)
            if say is not None:
                tell(say, f"failed {job.job_id}: {settlement.message}")
            return settlement
        finally:
            if FORKS.count != self._forks:
                leave_child()
            if run.timer is not None:
                run.timer.cancel()
        if say is not None:
            tell(say, f"done {job.job_id} in {run.worked_s:.3f} s")
        return succeeded(job)

    def _settlement_of(self, run: JobRun, consumer: Consumer, error: BaseException) -> Settlement:
        lease = run.lease
        if isinstance(error, asyncio.CancelledError) and run.to_end:
            log.warning("job %s in queue %s interrupted", lease.job.job_id, lease.queue)
            return given_back(lease.job)
        # A handler may also cancel itself: its fault, not the worker's end. And what it makes of
        # the cancellation by which a timeout ends it is the timeout all the same, unless it says
        # on purpose how its job is to end.
        if run.timed_out and not isinstance(error, HandlerSignal):
            return self.timeout_failure(run, error)
        return failure(consumer, lease, error)

    def timeout_failure(self, run: JobRun, cause: BaseException | None = None) -> Settlement:
        """The settlement of an attempt that was over its timeout."""
        assert run.consumer is not None
        assert run.consumer.timeout_s is not None
        error = HandlerTimeout(run.consumer.timeout_s)
        error.__cause__ = None if isinstance(cause, asyncio.CancelledError) else cause
        return failure(run.consumer, run.lease, error)

    def _set_timer(self, run: JobRun, timeout_s: float) -> None:
        run.task = run.task or asyncio.current_task()

        def expire() -> None:
            run.timed_out = True
            run.cancel()
            self._cancelled(run)

        run.timer = asyncio.get_running_loop().call_later(timeout_s, expire)

    async def _end_undecodable(self, run: JobRun, error: UndecodableJob) -> Settlement:
        queue, job = run.lease.queue, run.lease.job
        handler = self._route.invalid_handler
        if handler is None:
            return settle_by_policy(queue, job, error, self._route.invalid_policy(job))
        try:
            told = await handler(invalid_job(queue, job, error))
        except BaseException as raised:
            if isinstance(raised, asyncio.CancelledError) and run.to_end:
                return given_back(job)
            told = raised
        return settle_as_told(queue, job, error, told)
