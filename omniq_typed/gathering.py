"""Publishes that wait at the same time share script calls: the first one goes out at once, those
that come while its call is under way go together in the next. For asyncio."""

from __future__ import annotations

import asyncio
import copy
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from omniq_typed.core.enqueue import publish_record
from omniq_typed.messages.envelope import Addressed
from omniq_typed.models import PublishResult
from omniq_typed.publish_batch import BatchCall
from omniq_typed.transport.aio import AsyncTransport
from omniq_typed.transport.async_reply import AsyncReply

Waiting: TypeAlias = tuple[Addressed, "asyncio.Future[str]"]

ENOUGH = 16
"""Fewer publishes that wait are not worth a second call while one is under way."""


@dataclass(slots=True)
class _Sent:
    """A call, whose results are for these."""

    reply: AsyncReply[list[PublishResult]]
    futures: list[asyncio.Future[str]]


@dataclass(slots=True)
class _Line:
    """The calls to a queue that are under way, at most two, and those who wait for the next.
    `first`: that of the one who came first. `jobs_sent`: in the other calls. `of_groups`: whether
    the last call has jobs of groups. `sender`: the task that takes the others along, kept here,
    since an event loop does not keep its tasks. `crowd`: how many publishes have lately been there
    at the same time, since those who were just answered will mostly come again.
    """

    first: AsyncReply[str] | None = None
    waiting: deque[Waiting] = field(default_factory=deque)
    sent: deque[_Sent] = field(default_factory=deque)
    jobs_sent: int = 0
    of_groups: bool = False
    sender: asyncio.Task[None] | None = None
    crowd: int = 0

    @property
    def is_needed(self) -> bool:
        """Whether a call is under way, or one of those who wait was not cancelled."""
        return bool(self.sent) or any(not future.done() for _, future in self.waiting)

    def send_if_enough(self, transport: AsyncTransport) -> None:
        """Sends what waits, if it is half of all that are there: the server then has one half to do
        while the other is answered and made anew. Not while a call may have to be sent again, or
        holds jobs of groups, whose order no failure may change: it would come behind this one."""
        waiting = len(self.waiting)
        if waiting < ENOUGH:
            return
        there = waiting + self.jobs_sent
        if there > self.crowd:
            self.crowd = there
        if 2 * waiting < self.crowd:
            return
        if len(self.sent) + (self.first is not None) >= 2:
            return
        last = self.sent[-1].reply if self.sent else self.first
        if last is None or (last.is_ahead and not self.of_groups):
            self.send(transport)

    def send(self, transport: AsyncTransport) -> None:
        """Sends the next call, without those who do not wait any more."""
        if not self.sent:
            self.crowd = max(len(self.waiting), self.crowd * 7 // 8)
        call, futures, of_groups = BatchCall(""), list[asyncio.Future[str]](), False
        most = max(ENOUGH, (self.crowd + 1) // 2)
        while self.waiting and len(futures) < most:
            ready, future = self.waiting[0]
            if not future.done():
                if not call.has_room(len(ready.payload)):
                    break
                call.queue = ready.queue
                call.add(ready)
                of_groups = of_groups or ready.kind.gid != ""
                futures.append(future)
            self.waiting.popleft()
        if futures:
            self.sent.append(_Sent(transport.start(call.command()), futures))
            self.jobs_sent += len(futures)
            self.of_groups = of_groups

    def answered(self) -> None:
        """The first of those that were sent is done with."""
        self.jobs_sent -= len(self.sent.popleft().futures)


class Gathering:
    """The publishes of one bus. The calls to a queue go to the server one behind the other, so that
    jobs are published in the order in which they were given.

    Each caller gets its own answer or error. One that is cancelled harms no other; its job is
    published all the same where its call was under way. May be used by one event loop after
    another.
    """

    def __init__(self) -> None:
        self._of_loop: tuple[asyncio.AbstractEventLoop | None, dict[str, _Line]] = (None, {})
        """The lines of the last loop: by queue, as long as a call to it is under way."""

    async def publish(self, transport: AsyncTransport, ready: Addressed) -> str:
        """Publishes a job and answers its id. Raises DuplicateJob, ServerError."""
        loop = asyncio.get_running_loop()
        owner, lines = self._of_loop
        if owner is not loop:
            # Who waits in another loop is in that one's lines, and their sender has these.
            lines = {}
            self._of_loop = loop, lines
        queue = ready.queue
        line = lines.get(queue)
        if line is not None:
            future: asyncio.Future[str] = loop.create_future()
            line.waiting.append((ready, future))
            line.send_if_enough(transport)
            return await future
        line = lines[queue] = _Line(of_groups=ready.kind.gid != "")
        try:
            line.first = transport.start(
                publish_record(queue, ready, same=ready.is_same, is_alone=False)
            )
            return await line.first.result()
        finally:
            line.first = None
            if line.is_needed and not loop.is_closed():
                line.sender = loop.create_task(_send_waiting(transport, lines, queue, line))
            else:
                del lines[queue]


async def _send_waiting(
    transport: AsyncTransport, lines: dict[str, _Line], queue: str, line: _Line
) -> None:
    try:
        while line.sent or line.waiting:
            if not line.sent:
                line.send(transport)
            line.send_if_enough(transport)
            if line.sent:
                await _answer(line.sent[0])
                line.answered()
            if not line.sent:
                # Those who have got their answer may go on and publish the next.
                await asyncio.sleep(0)
    finally:
        del lines[queue]
        for call in line.sent:  # this task was cancelled
            call.reply.drop()
            _cancel(call.futures)
        _cancel(future for _, future in line.waiting)


async def _answer(call: _Sent) -> None:
    try:
        results = await call.reply.result()
    except Exception as error:
        for future in call.futures:
            if not future.done():
                future.set_exception(_copy_of(error))
        return
    for future, result in zip(call.futures, results, strict=True):
        if future.done():
            continue  # cancelled meanwhile
        if result.error is None:
            future.set_result(result.job_id)
        else:
            future.set_exception(result.error)


def _cancel(futures: Iterable[asyncio.Future[str]]) -> None:
    for future in futures:
        future.cancel()


def _copy_of(error: Exception) -> Exception:
    """An exception can be raised in one place only: its traceback would tell of all of them."""
    try:
        mine = copy.copy(error)
    except Exception:
        return error
    mine.__cause__ = error
    return mine
