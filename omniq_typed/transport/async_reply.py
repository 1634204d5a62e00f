"""The reply of a command that is under way, under asyncio. The twin of reply.py."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

from omniq_typed.transport.line import ServerSaid

R = TypeVar("R")


class AsyncReply(Generic[R]):
    """What a command that was started will answer. One that nobody asks is read, and dropped."""

    def __init__(
        self, wait: Callable[[], Awaitable[R]], answer: asyncio.Future[list[Any]] | None = None
    ) -> None:
        """`answer`: what comes from the server; None: nothing was sent yet."""
        self._wait: Callable[[], Awaitable[R]] | None = wait
        self._answer = answer

    @property
    def is_ahead(self) -> bool:
        """Whether the server does it before anything that is sent now: it was sent, and neither an
        error has come nor the news that the connection is lost."""
        answer = self._answer
        if answer is None or answer.cancelled():
            return False
        if not answer.done():
            return True
        return answer.exception() is None and not any(
            type(it) is ServerSaid for it in answer.result()
        )

    async def result(self) -> R:
        """Waits for it; once. Raises what `AsyncTransport.run` raises."""
        wait, self._wait = self._wait, None
        if wait is None:
            raise RuntimeError("the result of this call was taken before")
        return await wait()

    def drop(self) -> None:
        """Nobody will ask."""
        if self._answer is not None:
            self._answer.cancel()
