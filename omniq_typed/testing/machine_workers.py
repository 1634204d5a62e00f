"""The workers of a `QueueMachine`: they take jobs, handle them, deliver results, and tell what
happens, each step by itself, so that something may come between."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from hypothesis import note

from omniq_typed.async_bus import AsyncBus
from omniq_typed.bus import Bus
from omniq_typed.context import Lease
from omniq_typed.core.command import Command
from omniq_typed.core.observe import read_job, read_stats
from omniq_typed.core.reserve import new_token_prefix, reserve
from omniq_typed.core.settle import settle
from omniq_typed.models import Settlement
from omniq_typed.testing.attempts import Attempt, Attempts
from omniq_typed.testing.borrowing import Redirectable
from omniq_typed.testing.interruption import WorkerDied
from omniq_typed.testing.lines import Line, async_lines_of, lines_of
from omniq_typed.testing.memory_bus import AsyncMemoryBus, MemoryBus, memory
from omniq_typed.testing.stepping import ends_the_test
from omniq_typed.transport.steps import run_steps
from omniq_typed.worker.routing import Consumer

R = TypeVar("R")

START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Look:
    """The queues that have a job to take, how many jobs that are, and whether others wait for a
    time."""

    busy: list[str]
    waiting: int
    is_later: bool


class MachineWorkers:
    """For one example. `bus`: where the handlers run."""

    def __init__(self, app_bus: Bus | AsyncBus, also: Sequence[Redirectable]) -> None:
        self._runner = asyncio.Runner()
        self._redirected = ExitStack()
        self._redirected.enter_context(_silent_worker())
        taken_over: Any = memory(app_bus, *also, now=START)
        self.bus: MemoryBus | AsyncMemoryBus = self._redirected.enter_context(taken_over)
        self._lines = _lines_by_queue(self.bus)
        self._numbers: dict[str, int] = {}
        self._looked: Look | None = None

    def look(self) -> Look:
        """What there is to do now; asked for often, and again only after something happened."""
        if self._looked is None:
            stats = self.bus._reading.run_all([read_stats(queue) for queue in self._lines])
            busy = [each.queue for each in stats if each.waiting_total and not each.paused]
            waiting = sum(each.waiting_total for each in stats)
            self._looked = Look(busy, waiting, any(it.delayed or it.active for it in stats))
        return self._looked

    @property
    def consumers(self) -> list[Consumer]:
        """All of them."""
        return [each for line in self._lines.values() for each in line.route.consumers()]

    def run(self, work: Coroutine[Any, Any, R]) -> R:
        """What a coroutine answers."""
        return self._runner.run(work)

    def call(self, command: Command[R]) -> R:
        """What the server answers."""
        return self.bus._reading.run(command)

    def publish(self, message: object) -> None:
        """A message or an Envelope. Raises as `publish_many`."""
        self._looked = None
        published = self.bus.publish_many([message])
        (result,) = self.run(published) if isinstance(published, Coroutine) else published
        if result.error is not None:
            raise result.error
        note(f"# {self.name(result.job_id)} is published{' already' if result.duplicate else ''}")

    def take(self, queue: str) -> Lease:
        """Leases the next job of a queue that has one, and tells so."""
        self._looked = None
        (job,) = self.call(reserve(queue, limit=1, token_prefix=new_token_prefix())).jobs
        lease = Lease(queue, job)
        note(f"# {self.name(job.job_id)} is taken, attempt {job.attempt} of {job.max_attempts}")
        return lease

    def function_of(self, lease: Lease) -> Callable[..., Any] | None:
        """The handler that the job is for, as it was registered; None where none gets it."""
        consumer = self._lines[lease.queue].route.consumer_of(lease.job)
        return None if consumer is None else consumer.function

    def handle(self, lease: Lease) -> Settlement:
        """Runs the handler. Raises what ends the test."""
        line = self._lines[lease.queue]
        if (learning := line.route.learning([lease.job])) is not None:
            run_steps(self.bus._reading, learning)
        working = line.lane.work(lease)
        settlement: Settlement
        settlement = self.run(working) if isinstance(working, Coroutine) else working
        error = line.route.error
        if isinstance(error, AssertionError):
            raise error
        if not isinstance(error, WorkerDied) and ends_the_test(error, settlement):
            raise error or KeyboardInterrupt
        return settlement

    def deliver(self, lease: Lease, settlement: Settlement) -> Attempt:
        """Tells the server the result, and the reader what came of it."""
        self._looked = None
        (settled,) = self.call(settle(lease.queue, [settlement]))
        attempt = self._lines[lease.queue].attempt(lease, settlement, settled)
        self.tell([attempt])
        return attempt

    def backoff_ms(self, lease: Lease) -> int:
        """The job's own."""
        job = self.call(read_job(lease.queue, lease.job.job_id))
        return 0 if job is None else job.backoff_ms

    def run_for(self, ms: int, limit: int) -> Attempts:
        """Lets time pass, and others work without faults. Raises StillBusy, AssertionError."""
        self._looked = None
        running = self.bus.run_for(seconds=ms / 1000, limit=limit)
        attempts = self.run(running) if isinstance(running, Coroutine) else running
        self.tell(attempts)
        for error in attempts.errors:
            if isinstance(error, AssertionError):
                raise error
        return attempts

    def wait(self) -> None:
        """Lets time pass until a delayed job falls due or a lease ends, and nothing else."""
        self._looked = None
        due_ms = [due for queue in self._lines if (due := self._keep_house(queue))]
        passed_ms = max(0, min(due_ms, default=0) - self.bus.now_ms)
        note(f"# {passed_ms / 1000:g} s pass")
        self.bus.let_pass(passed_ms)
        for queue in self._lines:
            self._keep_house(queue)

    def _keep_house(self, queue: str) -> int:
        """Moves what is due to where it can be taken. When something next falls due, 0 = never."""
        return self.call(reserve(queue, limit=0, token_prefix="none")).next_due_ms

    def tell(self, attempts: Sequence[Attempt]) -> None:
        """How attempts ended."""
        for each in attempts:
            why = "" if each.error is None else f": {type(each.error).__name__}: {each.error}"
            note(f"# {self.name(each.job_id)} attempt {each.attempt} {each.ending}{why}")

    def tell_of_worker(self, lease: Lease, what: str) -> None:
        """What happens to the worker that has a job."""
        note(f"# the worker of {self.name(lease.job.job_id)} {what}")

    def name(self, job_id: str) -> str:
        """A short one: ids are random."""
        return f"job {self._numbers.setdefault(job_id, len(self._numbers) + 1)}"

    def close(self) -> None:
        """Gives the application its buses back."""
        self._redirected.close()
        self._runner.close()


def _lines_by_queue(bus: MemoryBus | AsyncMemoryBus) -> dict[str, Line[Any]]:
    """What works on its queues, ready to do so."""
    routes = bus._consumers.routes(None)
    run_steps(bus._reading, bus._preparing(routes))
    lines: list[Any]
    if isinstance(bus, MemoryBus):
        lines = lines_of(bus._publisher, routes)
    else:
        lines = async_lines_of(bus._publisher, bus._reading, routes)
    return {line.queue: line for line in lines}


@contextmanager
def _silent_worker() -> Generator[None]:
    """Its faults are meant; the machine tells what matters of them."""
    log = logging.getLogger("omniq_typed.worker")

    def drop(record: logging.LogRecord) -> bool:
        return False

    log.addFilter(drop)
    try:
        yield
    finally:
        log.removeFilter(drop)
