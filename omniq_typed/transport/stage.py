"""What a test may know and change of a server: its time, moved by hand, and all that was published.

A stage belongs to the transports that are made with it. Each of them asks it for the time of every
script call, and tells it what the script published.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, TypeVar

from omniq_typed.core.command import Command
from omniq_typed.core.enqueue import jobs_added
from omniq_typed.core.keys import queue_of_keys
from omniq_typed.core.scripts import Script
from omniq_typed.models import NewJob
from omniq_typed.transport.address import Address
from omniq_typed.transport.aio import AsyncTransport
from omniq_typed.transport.async_reply import AsyncReply
from omniq_typed.transport.reply import Reply
from omniq_typed.transport.sync import SyncTransport

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class StagedJob:
    """A job as it was published, to this queue and at this time (ms)."""

    queue: str
    job: NewJob
    at_ms: int


class Stage:
    """The time of a server, and its publications. Thread-safe.

    `published`: all jobs that were published, in order, without those whose id was taken.
    """

    def __init__(self) -> None:
        """The time is the server's own, until it is moved."""
        self.published: list[StagedJob] = []
        self._stands_at_ms: int | None = None
        self._ahead_ms = 0

    @property
    def stands_still(self) -> bool:
        """Whether time passes by `advance` only."""
        return self._stands_at_ms is not None

    @property
    def now_ms(self) -> int:
        """The time in ms; where it does not stand still, by the clock of this machine."""
        now = self._stands_at_ms
        return (int(time.time() * 1000) if now is None else now) + self._ahead_ms

    def stand_still(self, at_ms: int) -> None:
        """From now on it is `at_ms`, and later only by `advance`."""
        self._stands_at_ms, self._ahead_ms = at_ms, 0

    def advance(self, ms: int) -> None:
        """Lets time pass."""
        self._ahead_ms += ms

    def timed(self, command: Command[R]) -> Command[R]:
        """The command at this stage's time, where it takes a time and none was chosen."""
        own_time = not self.stands_still and self._ahead_ms == 0
        if own_time or not _takes_time(command.script) or command.args[0] != 0:
            return command
        return replace(command, args=[self.now_ms, *command.args[1:]])

    def note(self, command: Command[Any], reply: Any) -> None:
        """What the command published."""
        for job in jobs_added(command, reply):
            self.published.append(StagedJob(queue_of_keys(command.keys), job, self.now_ms))


class StagedTransport(SyncTransport):
    """A transport on a stage, which others may share."""

    def __init__(self, address: Address, stage: Stage) -> None:
        super().__init__(address)
        self.stage = stage

    def start(self, command: Command[R], *, behind: Reply[Any] | None = None) -> Reply[R]:
        """Runs it when its result is wanted, at the time of then."""
        return Reply(lambda within_s: self.run(command, within_s=within_s))

    def _call(self, command: Command[Any], within_s: float | None = None) -> Any:
        command = self.stage.timed(command)
        reply = super()._call(command, within_s)
        self.stage.note(command, reply)
        return reply

    def _call_when_woken(self, queue: str, wait_s: float, command: Command[Any]) -> Any:
        """One after the other: the time of the call is that of its end."""
        self.wait_for_wake(queue, wait_s)
        return self._call(command)

    def _call_all(self, commands: Sequence[Command[Any]]) -> list[Any]:
        return super()._call_all([self.stage.timed(command) for command in commands])


class AsyncStagedTransport(AsyncTransport):
    """The asyncio twin of `StagedTransport`."""

    def __init__(self, address: Address, stage: Stage) -> None:
        super().__init__(address)
        self.stage = stage

    def blocking_twin(self) -> StagedTransport:
        """A blocking transport to the same server, on the same stage."""
        assert self.address is not None
        return StagedTransport(self.address, self.stage)

    def start(self, command: Command[R]) -> AsyncReply[R]:
        """Runs it when its result is wanted, at the time of then."""
        return AsyncReply(lambda: self.run(command))

    async def _call(self, command: Command[Any]) -> Any:
        command = self.stage.timed(command)
        reply = await super()._call(command)
        self.stage.note(command, reply)
        return reply

    async def _call_when_woken(self, queue: str, wait_s: float, command: Command[Any]) -> Any:
        """One after the other: the time of the call is that of its end."""
        await self.wait_for_wake(queue, wait_s)
        return await self._call(command)

    async def _call_all(self, commands: Sequence[Command[Any]]) -> list[Any]:
        return await super()._call_all([self.stage.timed(command) for command in commands])


@cache
def _takes_time(of: Script) -> bool:
    """Whether the first argument of a script is the time; see lua/README.md."""
    return "now_ms(ARGV[1])" in of.text
