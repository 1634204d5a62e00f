"""How long handlers and publishes take, told to an observer: `Timing`, for metrics."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from omniq_typed.context import AsyncCtx, Ctx
from omniq_typed.errors import InvalidArgument
from omniq_typed.messages.envelope import Envelope
from omniq_typed.middleware.chain import (
    AsyncHandle,
    AsyncPublish,
    ForBothBuses,
    Handle,
    Publish,
)
from omniq_typed.middleware.observing import OutcomeName, addressed_to, harmless, outcome_of


@dataclass(frozen=True, slots=True)
class Timed:
    """One attempt at a job, or one publish. `msg_type` '': untyped, or the bus does not know it."""

    kind: Literal["handle", "publish"]
    queue: str
    msg_type: str
    msg_version: int
    seconds: float
    outcome: OutcomeName


class Timing(ForBothBuses):
    """Calls `observe` after each attempt at a job and each publish, in the thread or event loop
    that it ran in. An observer that raises is logged and changes nothing."""

    def __init__(self, observe: Callable[[Timed], object]) -> None:
        """Raises InvalidArgument."""
        given: object = observe
        if not callable(given) or inspect.iscoroutinefunction(given):
            raise InvalidArgument(
                "observe", f"{observe!r} is none; pass a plain function that takes a Timed"
            )
        self._observe = observe

    def handle(self, ctx: Ctx[Any], call_next: Handle) -> None:
        """Times one attempt."""
        with self._timed("handle", (ctx.queue, ctx.msg_type, ctx.msg_version)):
            call_next(ctx)

    async def handle_async(self, ctx: AsyncCtx[Any], call_next: AsyncHandle) -> None:
        """As `handle`."""
        with self._timed("handle", (ctx.queue, ctx.msg_type, ctx.msg_version)):
            await call_next(ctx)

    def publish(self, envelope: Envelope[Any], call_next: Publish) -> str:
        """Times check, encoding and round trip; without the last for one of `publish_many`."""
        with self._timed("publish", addressed_to(envelope)):
            return call_next(envelope)

    async def publish_async(self, envelope: Envelope[Any], call_next: AsyncPublish) -> str:
        """As `publish`."""
        with self._timed("publish", addressed_to(envelope)):
            return await call_next(envelope)

    @contextmanager
    def _timed(
        self, kind: Literal["handle", "publish"], address: tuple[str, str, int]
    ) -> Generator[None]:
        started = time.perf_counter()
        try:
            yield
        except BaseException as error:
            self._tell(Timed(kind, *address, time.perf_counter() - started, outcome_of(error)))
            raise
        self._tell(Timed(kind, *address, time.perf_counter() - started, outcome_of(None)))

    def _tell(self, timed: Timed) -> None:
        with harmless("the observer of Timing"):
            self._observe(timed)
