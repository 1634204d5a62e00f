"""The jobs of one queue that run as tasks, and those that wait for a slot."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from contextvars import copy_context
from dataclasses import replace

from omniq_typed.context import Lease
from omniq_typed.core.retry import given_back
from omniq_typed.models import LaneHealth, Settlement
from omniq_typed.publishing import AsyncPublisher
from omniq_typed.worker.health import Pulse
from omniq_typed.worker.heartbeat import Heartbeat
from omniq_typed.worker.job_run import JobRun, JobRunner
from omniq_typed.worker.lane import LaneOptions
from omniq_typed.worker.routing import Route
from omniq_typed.worker.stopping import StopRequest

log = logging.getLogger("omniq_typed.worker")

WAIT_FOR_SLOT_S = 0.1
"""Jobs that were taken ahead and have had no slot for so long are to go back: other workers may be
free."""
CANCEL_PATIENCE_S = 1.0
"""How long a cancelled handler may take to end before its job is settled under its feet."""


class JobTasks:
    """All but `health` is called within the event loop.

    `ended` is told each job's settlement, and why its handler, if it still runs, has no say in it
    any more ('' = it does not run); `look` is called when `have_waited` becomes true.
    `worked_s`: time that the handlers of ended jobs have taken; `busy_since`: when the first of
    those that run was started while none ran, by time.monotonic.
    """

    def __init__(
        self,
        publisher: AsyncPublisher,
        route: Route,
        heartbeat: Heartbeat,
        stop: StopRequest,
        options: LaneOptions,
        ended: Callable[[Lease, Settlement, str], None],
        look: Callable[[], None],
    ) -> None:
        self.runner = JobRunner(publisher, route, stop, options, self._expect_end)
        self.slots = route.concurrency
        self.worked_s = 0.0
        self.busy_since = 0.0
        self.have_waited = False
        self._heartbeat = heartbeat
        self._stop = stop
        self._ended = ended
        self._look = look
        self._running: dict[JobRun, None] = {}  # the longest first
        self._stuck: dict[JobRun, None] = {}
        self._waiting: deque[Lease] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._context = copy_context()

    @property
    def running(self) -> int:
        """How many have a slot."""
        return len(self._running)

    @property
    def held(self) -> int:
        """How many run or wait."""
        return len(self._running) + len(self._waiting)

    def health(self, pulse: Pulse, now: float) -> list[LaneHealth]:
        """As of now (of time.monotonic), for any thread: the queue, and each job whose handler
        ignores its end."""
        oldest = _first(self._running)
        pulse.job_id = "" if oldest is None else oldest.lease.job.job_id
        pulse.began_at = 0.0 if oldest is None else oldest.began_at
        found = [pulse.health(now)]
        for run in list(self._stuck):
            job_id = run.lease.job.job_id
            name, working_s = f"{pulse.name}/{job_id}", run.worked_s
            found.append(
                replace(found[0], name=name, state="stuck", job_id=job_id, working_s=working_s)
            )
        return found

    def leases(self) -> set[Lease]:
        """Of the jobs that run or wait."""
        return {run.lease for run in self._running} | set(self._waiting)

    def add(self, leases: Iterable[Lease]) -> None:
        """Jobs to run; `start` starts them."""
        self._waiting.extend(leases)

    def start(self) -> None:
        """Starts what waits, where there are slots. A stopping worker starts nothing."""
        if self._stop.requested:
            return
        while self._waiting and len(self._running) < self.slots:
            self._start(self._waiting.popleft())
        if self._waiting and self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(WAIT_FOR_SLOT_S, self._wait_no_longer)
        elif not self._waiting:
            self.stop_timer()

    def stop_timer(self) -> None:
        """Nothing waits any more, or nobody cares."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def give_back_waiting(self) -> None:
        """Ends what waits as given back."""
        self.have_waited = False
        while self._waiting:
            lease = self._waiting.popleft()
            self._ended(lease, given_back(lease.job), "")

    async def interrupt(self) -> None:
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

    def sweep(self) -> None:
        """A task that somebody else cancelled before its first step, or that met a fault of ours,
        has ended without a word."""
        for run in list(self._running):
            task = run.task
            if task is not None and task.done():
                if not task.cancelled() and (error := task.exception()) is not None:
                    log.error("job %s: the worker failed", run.lease.job.job_id, exc_info=error)
                self._finish(run, given_back(run.lease.job))

    def _wait_no_longer(self) -> None:
        self._timer = None
        self.have_waited = True
        self._look()

    def _start(self, lease: Lease) -> None:
        if not self._running:
            self.busy_since = time.monotonic()
        loop = asyncio.get_running_loop()
        run = JobRun(lease)
        self._running[run] = None
        lease.on_lost(lambda: loop.call_soon_threadsafe(self._end_lost, run))
        run.task = loop.create_task(self._carry_out(run), name=f"omniq-job-{lease.job.job_id}")

    async def _carry_out(self, run: JobRun) -> None:
        if self._heartbeat.is_over(run.lease):
            run.lease.mark_lost("it was over before the job was started")
        self._finish(run, await self.runner.work(run))

    def _finish(self, run: JobRun, settlement: Settlement) -> None:
        lease = run.lease
        lease.on_lost(None)  # a circle of references, which would be there to be collected
        if run in self._stuck:
            del self._stuck[run]
            told = "job %s in queue %s has ended after all; its result is dropped"
            log.warning(told, lease.job.job_id, lease.queue)
            return
        del self._running[run]
        self.worked_s += run.worked_s
        self._ended(lease, settlement, "")
        if self._waiting:
            # Not in the context of the task that is ending: the next one would inherit it.
            self._context.run(self.start)

    def _end_lost(self, run: JobRun) -> None:
        if run in self._running:
            run.cancel()
            self._expect_end(run)

    def _expect_end(self, run: JobRun) -> None:
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
            self._ended(lease, self.runner.timeout_failure(run), "it was over its timeout")
        else:
            self._ended(lease, given_back(lease.job), "the job was given back")
        self._context.run(self.start)


def _first(runs: dict[JobRun, None]) -> JobRun | None:
    """The oldest of them, while the event loop may be changing them."""
    with suppress(RuntimeError):
        return next(iter(runs), None)
    return None
