"""Publishes that wait at the same time share a script call: the first one goes out at once, those
that come while its call is under way go together in the next. For asyncio."""

from __future__ import annotations

import asyncio
import copy
from collections import deque
from dataclasses import dataclass, field
from typing import TypeAlias

from omniq_typed.core.enqueue import publish_record
from omniq_typed.messages.envelope import Addressed
from omniq_typed.publish_batch import BatchCall
from omniq_typed.transport.steps import AsyncRunner

Waiting: TypeAlias = tuple[Addressed, "asyncio.Future[str]"]


@dataclass(slots=True)
class _Line:
    """Those who wait for the call to a queue that is under way. `sender`: the task that takes them
    along, kept here, since an event loop does not keep its tasks."""

    waiting: deque[Waiting] = field(default_factory=deque)
    sender: asyncio.Task[None] | None = None

    @property
    def is_waited_for(self) -> bool:
        """Whether one of them was not cancelled."""
        return any(not future.done() for _, future in self.waiting)

    def take(self) -> tuple[BatchCall, list[asyncio.Future[str]]]:
        """The next call, without those who do not wait any more."""
        call, futures = BatchCall(""), list[asyncio.Future[str]]()
        while self.waiting:
            ready, future = self.waiting[0]
            if not future.done():
                if not call.has_room(len(ready.payload)):
                    break
                call.queue = ready.queue
                call.add(ready)
                futures.append(future)
            self.waiting.popleft()
        return call, futures


class Gathering:
    """The publishes of one bus. One call per queue is under way at a time, so that jobs are
    published in the order in which they were given.

    Each caller gets its own answer or error. One that is cancelled harms no other; its job is
    published all the same where its call was under way. May be used by one event loop after
    another.
    """

    def __init__(self) -> None:
        self._of_loop: tuple[asyncio.AbstractEventLoop | None, dict[str, _Line]] = (None, {})
        """The lines of the last loop: by queue, as long as a call to it is under way."""

    async def publish(self, transport: AsyncRunner, ready: Addressed) -> str:
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
            return await future
        line = lines[queue] = _Line()
        try:
            return await transport.run(publish_record(queue, ready, same=ready.is_same))
        finally:
            if line.is_waited_for and not loop.is_closed():
                line.sender = loop.create_task(_send_waiting(transport, lines, queue, line))
            else:
                del lines[queue]


async def _send_waiting(
    transport: AsyncRunner, lines: dict[str, _Line], queue: str, line: _Line
) -> None:
    try:
        while line.waiting:
            call, futures = line.take()
            if futures:
                await _send(transport, call, futures)
                # Those who have got their answer may go on and publish the next.
                await asyncio.sleep(0)
    finally:
        del lines[queue]
        for _, future in line.waiting:  # this task was cancelled
            future.cancel()


async def _send(
    transport: AsyncRunner, call: BatchCall, futures: list[asyncio.Future[str]]
) -> None:
    try:
        results = await transport.run(call.command())
    except Exception as error:
        for future in futures:
            if not future.done():
                future.set_exception(_copy_of(error))
        return
    except BaseException:
        for future in futures:
            future.cancel()
        raise
    for future, result in zip(futures, results, strict=True):
        if future.done():
            continue  # cancelled meanwhile
        if result.error is None:
            future.set_result(result.job_id)
        else:
            future.set_exception(result.error)


def _copy_of(error: Exception) -> Exception:
    """An exception can be raised in one place only: its traceback would tell of all of them."""
    try:
        mine = copy.copy(error)
    except Exception:
        return error
    mine.__cause__ = error
    return mine
