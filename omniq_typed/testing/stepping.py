"""Works off jobs one after another, as a worker's lanes do, in the thread that asks for it.

The way of it is written once, as a generator that asks for script calls and for attempts at jobs;
the blocking and the asyncio bus only answer it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeAlias

from omniq_typed.context import Lease
from omniq_typed.core.command import Command, Steps
from omniq_typed.core.observe import read_stats
from omniq_typed.core.retry import given_back
from omniq_typed.core.settle import settle
from omniq_typed.models import Outcome, QueueStats, Reservation, Settlement
from omniq_typed.publishing import AsyncPublisher, Publisher, Settings
from omniq_typed.testing.attempts import Attempt, Attempts, StillBusy
from omniq_typed.testing.lines import L, Line
from omniq_typed.worker.ending import Ended, settle_and_reserve
from omniq_typed.worker.lane import Lane
from omniq_typed.worker.queue_loop import QueueLoop


@dataclass(frozen=True, slots=True)
class Work(Generic[L]):
    """Asks for an attempt at a job; the answer is its settlement."""

    line: Line[L]
    lease: Lease


Request: TypeAlias = Command[Any] | Work[L]
Working: TypeAlias = Generator[Request[L], Any, Attempts]


class Clock(Protocol):
    """The time of a stepped bus, in ms."""

    @property
    def now_ms(self) -> int: ...
    def let_pass(self, ms: int) -> None: ...


def working(
    lines: list[Line[L]], settings: Settings, limit: int, preparation: Steps[None]
) -> Working[L]:
    """Works off what is due, queue by queue, until nothing is; `preparation` comes first. Raises
    StillBusy."""
    attempts: list[Attempt] = []
    yield from preparation
    yield from _work_off_all(lines, settings, limit, attempts)
    return Attempts(attempts)


def working_for(
    lines: list[Line[L]],
    settings: Settings,
    limit: int,
    preparation: Steps[None],
    clock: Clock,
    ms: int,
) -> Working[L]:
    """Lets time pass, from one thing that falls due to the next, and works off each."""
    attempts: list[Attempt] = []
    until_ms = clock.now_ms + ms
    yield from preparation
    yield from _work_off_all(lines, settings, limit, attempts)
    while 0 < (due_ms := _next_due_ms(lines)) <= until_ms:
        clock.let_pass(max(0, due_ms - clock.now_ms))
        yield from _work_off_all(lines, settings, limit, attempts)
    clock.let_pass(max(0, until_ms - clock.now_ms))
    return Attempts(attempts)


def _next_due_ms(lines: list[Line[L]]) -> int:
    """When something next falls due, 0 = nothing."""
    return min((line.next_due_ms for line in lines if line.next_due_ms), default=0)


def _work_off_all(
    lines: list[Line[L]], settings: Settings, limit: int, attempts: list[Attempt]
) -> Generator[Request[L], Any, None]:
    idle = 0
    while idle < len(lines):
        for line in lines:
            before = len(attempts)
            yield from _work_off(line, settings, limit, attempts)
            # A queue that had work has none by now; the others may have got some by it.
            idle = idle + 1 if len(attempts) == before else 1
            if idle >= len(lines):
                break


def _work_off(
    line: Line[L], settings: Settings, limit: int, attempts: list[Attempt]
) -> Generator[Request[L], Any, None]:
    """Until nothing of the queue is due."""
    ended: list[Ended] = []
    while True:
        wanted = 1 if len(attempts) + len(ended) < limit else 0
        reservation: Reservation
        reservation = yield settle_and_reserve(line.queue, settings, wanted, ended)
        line.next_due_ms = reservation.next_due_ms
        for (lease, settlement), settled in zip(ended, reservation.settled, strict=True):
            attempts.append(line.attempt(lease, settlement, settled))
        if wanted == 0 and not reservation.paused:
            stats: QueueStats = yield read_stats(line.queue)
            if stats.waiting_total:
                raise StillBusy(Attempts(attempts), limit)
        if not reservation.jobs:
            return
        lease = Lease(line.queue, reservation.jobs[0])
        yield from line.route.learning(reservation.jobs) or ()
        settlement = yield Work(line, lease)
        ended = [(lease, settlement)]
        if ends_the_test(line.route.error, settlement):
            yield settle(line.queue, [settlement], keep_completed=settings.keep_completed)
            raise line.route.error or KeyboardInterrupt


def ends_the_test(error: BaseException | None, settlement: Settlement) -> bool:
    """Whether the test is meant, and not the job: Ctrl-C, or what pytest raises to fail or skip."""
    if settlement.outcome is Outcome.RELEASE:
        return True
    counts_as_failure = (Exception, SystemExit, asyncio.CancelledError)
    return error is not None and not isinstance(error, counts_as_failure)


def drive(publisher: Publisher, process: Working[Lane]) -> Attempts:
    """Answers what a process asks for, also with the error of a command, which it may catch."""
    take: Callable[[Any], Request[Lane]] = process.send
    given: Any = None
    while True:
        try:
            request = take(given)
        except StopIteration as end:
            attempts: Attempts = end.value
            return attempts
        take = process.send
        if isinstance(request, Work):
            given = request.line.lane.work(request.lease)
            continue
        try:
            given = publisher.transport.run(request)
        except Exception as error:
            take, given = process.throw, error


async def drive_async(publisher: AsyncPublisher, process: Working[QueueLoop]) -> Attempts:
    """The asyncio twin of `drive`."""
    take: Callable[[Any], Request[QueueLoop]] = process.send
    given: Any = None
    while True:
        try:
            request = take(given)
        except StopIteration as end:
            attempts: Attempts = end.value
            return attempts
        take = process.send
        if isinstance(request, Work):
            given = await _attempt(publisher, request)
            continue
        try:
            given = await publisher.transport.run(request)
        except Exception as error:
            take, given = process.throw, error


async def _attempt(publisher: AsyncPublisher, work: Work[QueueLoop]) -> Settlement:
    try:
        return await in_a_task(work.line.lane.work(work.lease))
    except asyncio.CancelledError:
        await publisher.transport.run(settle(work.line.queue, [given_back(work.lease.job)]))
        raise


async def in_a_task(work: Coroutine[Any, Any, Settlement]) -> Settlement:
    """Its result. As in a worker, cancelling the test does not look as if the handler had cancelled
    itself: it ends the handler and passes."""
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.cancel()
        await asyncio.wait([task])
        raise
