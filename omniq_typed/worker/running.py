"""One job of a blocking worker, from decoding to its settlement, in the thread that calls."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from omniq_typed.context import Ctx, Lease
from omniq_typed.core.retry import given_back, succeeded
from omniq_typed.errors import UndecodableJob
from omniq_typed.models import Reserved, Settlement
from omniq_typed.publishing import Publisher
from omniq_typed.worker.attempt import Attempt
from omniq_typed.worker.ending import failure, open_job, tell
from omniq_typed.worker.invalid import invalid_job, settle_as_told, settle_by_policy
from omniq_typed.worker.routing import Consumer, Route
from omniq_typed.worker.stopping import StopNow, StopRequest

log = logging.getLogger("omniq_typed.worker")


class JobRunner:
    """Runs one job after another. `attempt`: the running one, where its consumer has a timeout."""

    def __init__(
        self,
        publisher: Publisher,
        route: Route,
        stop: StopRequest,
        say: Callable[[str], None] | None = None,
    ) -> None:
        self.attempt: Attempt | None = None
        self._publisher = publisher
        self._route = route
        self._stop = stop
        self._say = say

    def work(self, lease: Lease) -> Settlement:
        """How the job ends. Never raises."""
        job = lease.job
        if lease.lost_because or self._stop.requested:  # lost while others of its batch ran
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
            self._publisher.transport.drop_idle_connections()
            log.warning("job %s in queue %s interrupted and given back", job.job_id, lease.queue)
            return given_back(job)

    def _handle(self, lease: Lease, consumer: Consumer, payload: Any) -> Settlement:
        ctx = Ctx(lease, payload, self._publisher)
        if self._say is not None:
            return self._handle_aloud(lease, consumer, ctx, self._say)
        try:
            if consumer.timeout_s is None and self._stop.drain:
                consumer.handler(ctx)
            else:
                self._call(lease, consumer, ctx)
        except (StopNow, KeyboardInterrupt):
            raise
        except BaseException as error:  # SystemExit too: it must not end the lane
            return failure(consumer, lease, error)
        return succeeded(lease.job)

    def _handle_aloud(
        self, lease: Lease, consumer: Consumer, ctx: Ctx[Any], say: Callable[[str], None]
    ) -> Settlement:
        job = lease.job
        tell(say, f"start {job.job_id} (attempt {job.attempt} of {job.max_attempts})")
        started = time.monotonic()
        try:
            self._call(lease, consumer, ctx)
        except (StopNow, KeyboardInterrupt):
            raise
        except BaseException as error:
            settlement = failure(consumer, lease, error)
            tell(say, f"failed {job.job_id}: {settlement.message}")
            return settlement
        tell(say, f"done {job.job_id} in {time.monotonic() - started:.3f} s")
        return succeeded(job)

    def _call(self, lease: Lease, consumer: Consumer, ctx: Ctx[Any]) -> Any:
        if consumer.timeout_s is None:
            return self._breakable_call(consumer.handler, ctx)
        self.attempt = attempt = Attempt(lease, consumer, consumer.timeout_s)
        try:
            return attempt.call(lambda given: self._breakable_call(consumer.handler, given), ctx)
        finally:
            self.attempt = None
            if attempt.interrupted_at:
                # As after a stop: it may have been cut off between a command and its reply.
                self._publisher.transport.drop_idle_connections()

    def _breakable_call(self, function: Callable[[Any], Any], argument: object) -> Any:
        """The user's code, which an undrained stop may cut off."""
        if self._stop.drain:
            return function(argument)
        with self._stop.breakable():
            return function(argument)

    def _end_undecodable(self, job: Reserved, error: UndecodableJob) -> Settlement:
        queue, handler = self._route.queue, self._route.invalid_handler
        if handler is None:
            return settle_by_policy(queue, job, error, self._route.invalid_policy(job))
        try:
            told = self._breakable_call(handler, invalid_job(queue, job, error))
        except (StopNow, KeyboardInterrupt):
            raise
        except BaseException as raised:
            told = raised
        return settle_as_told(queue, job, error, told)
