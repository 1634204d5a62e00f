"""The reply of a command that is under way."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from omniq_typed.transport.pipeline import Pipeline

R = TypeVar("R")


class Reply(Generic[R]):
    """What a command that was started will answer. One that nobody asks costs its connection.
    `pipeline`: where it comes from, and others may be sent behind it."""

    def __init__(self, wait: Callable[[float | None], R], pipeline: Pipeline | None = None) -> None:
        self.pipeline = pipeline
        self._wait: Callable[[float | None], R] | None = wait

    @property
    def is_ahead(self) -> bool:
        """Whether the server does it before what is sent `behind` it: it was sent, and neither an
        error has come nor is the connection lost."""
        return self.pipeline is not None and self.pipeline.is_whole

    def result(self, within_s: float | None = None) -> R:
        """Waits for it; once. `within_s` and what it raises are those of `SyncTransport.run`."""
        wait, self._wait = self._wait, None
        if wait is None:
            raise RuntimeError("the result of this call was taken before")
        return wait(within_s)
