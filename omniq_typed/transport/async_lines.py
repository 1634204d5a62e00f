"""The connections of one event loop to one server: one that all calls share, and idle ones for
calls that the server lets wait. The twin of lines.py."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from omniq_typed.errors import ConnectionLost
from omniq_typed.transport.async_line import AsyncLine, open_async_line
from omniq_typed.transport.lines import is_to_be_left
from omniq_typed.transport.opening import Opening


class AsyncLines:
    """`opened` is called after each new connection."""

    def __init__(self, opening: Opening, opened: Callable[[], None]) -> None:
        self._opening = opening
        self._opened = opened
        self._shared: AsyncLine | None = None
        self._sharing = asyncio.Lock()
        self._idle: list[AsyncLine] = []
        self._lent: set[AsyncLine] = set()

    @property
    def patience_s(self) -> float:
        """How long the server may be silent when it owes a reply."""
        return self._opening.reply_timeout_s

    async def share(self) -> AsyncLine:
        """The line that all share, for `ask`. Raises ServerError, and then nothing was
        sent."""
        return self.share_now() or await self._share_one()

    def share_now(self) -> AsyncLine | None:
        """`share`; None where that would have to wait."""
        line = self._shared
        return None if line is None or line.is_full or not line.is_usable else line

    async def take(self) -> AsyncLine:
        """A line for `ask_alone`. Raises as `share`."""
        while self._idle:
            line = self._idle.pop()
            if line.is_usable:
                return line
            line.retire()
        return await self._open()

    async def ask(self, line: AsyncLine, packed: bytes, count: int = 1) -> list[Any]:
        """Sends commands, which no other comes between, and waits for their replies; each is a
        ServerSaid where it is an error. Raises ConnectionLost. Cancelling it disturbs nobody
        else."""
        return await self.receive(line, self.send(line, packed, count))

    def send(self, line: AsyncLine, packed: bytes, count: int = 1) -> asyncio.Future[list[Any]]:
        """The first half of `ask`."""
        return line.send(packed, count, self.patience_s)

    async def receive(self, line: AsyncLine, answer: asyncio.Future[list[Any]]) -> list[Any]:
        """The second half of `ask`."""
        replies = await answer
        if any(map(is_to_be_left, replies)) and self._shared is line:
            self._shared = None
            line.retire()
        return replies

    async def ask_alone(
        self, line: AsyncLine, packed: bytes, count: int, wait_s: float
    ) -> list[Any]:
        """`ask` for commands with which the server may wait for `wait_s`. Cancelling it costs the
        connection: the server ends its wait."""
        self._lent.add(line)
        try:
            replies = await line.send(packed, count, wait_s + self.patience_s)
        except BaseException as error:
            line.abort(ConnectionLost("the call was given up"))
            if isinstance(error, ConnectionLost):
                self._drop_idle()
            raise
        finally:
            self._lent.discard(line)
        if any(map(is_to_be_left, replies)):
            line.retire()
        else:
            self._idle.append(line)
        return replies

    def _drop_idle(self) -> None:
        """What ended one connection mostly ended its neighbours, too: they would cost the next
        callers a reply, or the wait for it."""
        lines, self._idle = self._idle, []
        if self._shared is not None and self._shared.is_idle:
            lines.append(self._shared)
            self._shared = None
        for line in lines:
            line.retire()

    async def close(self) -> None:
        """Closes all. Whoever waits for a reply gets ConnectionLost."""
        shared, self._shared = self._shared, None
        lines, self._idle = [*self._idle, *self._lent], []
        for line in lines if shared is None else [shared, *lines]:
            await line.close()

    async def _share_one(self) -> AsyncLine:
        async with self._sharing:  # by the first who needs it
            while True:
                line = self._shared
                if line is None or not line.is_usable:
                    if line is not None:
                        line.retire()
                    line = self._shared = await self._open()
                await line.room()
                if line.is_usable:
                    return line

    async def _open(self) -> AsyncLine:
        line = await open_async_line(self._opening)
        self._opened()
        return line
