"""The reply of a command that is under way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

R = TypeVar("R")


class Reply(Generic[R]):
    """What a command that was started will answer. One that nobody asks costs its connection."""

    def __init__(self, wait: Callable[[], R]) -> None:
        self._wait: Callable[[], R] | None = wait

    def result(self) -> R:
        """Waits for it; once. Raises what `SyncTransport.run` raises for the command."""
        wait, self._wait = self._wait, None
        if wait is None:
            raise RuntimeError("the result of this call was taken before")
        return wait()
