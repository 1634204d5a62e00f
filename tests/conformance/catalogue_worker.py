"""A worker for every message type of the catalogue at once, for the tests of this directory."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from omniq_typed import AsyncBus, AsyncCtx, Bus, Ctx
from tests.catalogue import FORMS, REGISTRY, Form
from tests.workers import LONG_S, Face, Running, on_loop, running

QUEUES = sorted({form.message_type.queue or "" for form in FORMS})
PREFETCH = 100
KEEP_COMPLETED = 1_000_000
"""Jobs that are done stay to be looked at."""


@dataclass
class Handled:
    """What the handlers were given, by job id: the form whose handler it was, and the payload."""

    wanted: int
    by_id: dict[str, list[tuple[Form, Any]]] = field(default_factory=dict)
    _count: int = 0
    _all: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, form: Form, job_id: str, payload: Any) -> None:
        with self._lock:
            self.by_id.setdefault(job_id, []).append((form, payload))
            self._count += 1
            if self._count == self.wanted:
                self._all.set()

    def wait(self) -> None:
        """Until as many jobs were handled as are wanted."""
        assert self._all.wait(LONG_S), f"{self._count} of {self.wanted} handled"


def catalogue_worker(
    face: Face, url: str, handled: Handled
) -> contextlib.AbstractContextManager[Running]:
    """Handlers for all forms, in a thread. When the context ends, what was taken is settled."""

    def run(stop: threading.Event) -> None:
        with Bus(url, registry=REGISTRY, keep_completed=KEEP_COMPLETED) as bus:
            for form in FORMS:
                bus.consumer(form.message_type)(_handler(form, handled))
            bus.run(stop=stop, max_prefetch=PREFETCH)

    async def run_async(stop: threading.Event) -> None:
        async with AsyncBus(url, registry=REGISTRY, keep_completed=KEEP_COMPLETED) as bus:
            for form in FORMS:
                bus.consumer(form.message_type, concurrency=PREFETCH)(_async_handler(form, handled))
            await bus.run(stop=stop)

    return running(run if face == "sync" else on_loop(run_async))


def _handler(form: Form, handled: Handled) -> Callable[[Ctx[Any]], None]:
    def handle(ctx: Ctx[Any]) -> None:
        handled.add(form, ctx.job_id, ctx.payload)

    return handle


def _async_handler(form: Form, handled: Handled) -> Callable[[AsyncCtx[Any]], Any]:
    async def handle(ctx: AsyncCtx[Any]) -> None:
        handled.add(form, ctx.job_id, ctx.payload)

    return handle
