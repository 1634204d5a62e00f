"""A worker of the storm, as a process, with the arguments FOLDER WHO URL KIND LEASE_MS. Its
handlers write into the ledger when they begin and when they end."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from omniq_typed import AsyncBus, AsyncCtx, Bus, Ctx, Reject
from omniq_typed.errors import HandlerTimeout
from omniq_typed.models import WorkerHealth
from tests.chaos.storm.jobs import KEEP_COMPLETED, QUEUES, REGISTRY, TIMEOUT_S, Work
from tests.chaos.storm.ledger import Ledger, StallWatch

SYNC_LANES = (2, 1, 2)
ASYNC_CONCURRENCY = (5, 2, 40)
"""On each of the QUEUES."""


HEALTH_EVERY_S = 0.2


class Failed(Exception):
    """What a handler raises on purpose."""


class LedgerLog(logging.Handler):
    """The library's warnings into the ledger; not those of handlers that failed on purpose."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(logging.WARNING)
        self._ledger = ledger

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and isinstance(record.exc_info[1], Failed):
            return
        said = record.getMessage()
        if record.exc_info:
            said += f" [{record.exc_info[1]!r}]"
        self._ledger.write("log", text=said[:600], lane=threading.current_thread().name)


def main() -> None:
    """Works until SIGTERM."""
    folder, who, url, kind, lease_ms = sys.argv[1:6]
    ledger = Ledger(Path(folder), who)
    logging.getLogger("omniq_typed").addHandler(LedgerLog(ledger))
    logging.getLogger("omniq_typed").propagate = False
    StallWatch(ledger, longest_s=int(lease_ms) / 1000 / 3).start()
    if kind == "sync":
        work_sync(ledger, url)
    else:
        asyncio.run(work_async(ledger, url))
    ledger.write("bye")


def tell_health(ledger: Ledger, health: Callable[[], WorkerHealth]) -> None:
    """Notes from now on what the worker says of itself, whenever that changes."""

    def tell() -> None:
        before = ""
        while True:
            now = health()
            states = " ".join(sorted({each.state for each in now.lanes} - {"idle", "working"}))
            said = f"ready={now.ready} live={now.live} {states}"
            if said != before:
                ledger.write("health", text=said)
            before = said
            time.sleep(HEALTH_EVERY_S)

    threading.Thread(target=tell, name="health", daemon=True).start()


def work_sync(ledger: Ledger, url: str) -> None:
    """Several lanes on each queue."""
    with Bus(url, registry=REGISTRY, keep_completed=KEEP_COMPLETED) as bus:

        def handle(ctx: Ctx[Work]) -> None:
            note(ledger, "start", ctx, threading.current_thread().name)
            if hangs(ctx):
                hang(ledger, ctx)
            if ctx.payload.work_ms:
                time.sleep(ctx.payload.work_ms / 1000)
            end(ledger, ctx)

        for queue, lanes in zip(QUEUES, SYNC_LANES, strict=True):
            bus.consumer(Work, queue=queue, concurrency=lanes, timeout_s=TIMEOUT_S)(handle)
        tell_health(ledger, bus.health)
        ledger.write("up")
        bus.run()


async def work_async(ledger: Ledger, url: str) -> None:
    """One loop."""
    async with AsyncBus(url, registry=REGISTRY, keep_completed=KEEP_COMPLETED) as bus:

        async def handle(ctx: AsyncCtx[Work]) -> None:
            note(ledger, "start", ctx, ctx.queue)
            try:
                if hangs(ctx):
                    await asyncio.sleep(20 * TIMEOUT_S)
                if ctx.payload.work_ms:
                    await asyncio.sleep(ctx.payload.work_ms / 1000)
            except asyncio.CancelledError:
                how = "hung" if hangs(ctx) else "cancelled"
                note(ledger, "end", ctx, text="lost" if ctx.lease_lost else how)
                raise
            end(ledger, ctx)

        for queue, concurrency in zip(QUEUES, ASYNC_CONCURRENCY, strict=True):
            bus.consumer(Work, queue=queue, concurrency=concurrency, timeout_s=TIMEOUT_S)(handle)
        tell_health(ledger, bus.health)
        ledger.write("up")
        await bus.run()


def hangs(ctx: Ctx[Work] | AsyncCtx[Work]) -> bool:
    return ctx.attempt <= ctx.payload.hang_times


def hang(ledger: Ledger, ctx: Ctx[Work]) -> None:
    """Until the worker ends it."""
    try:
        ends_at = time.monotonic() + 20 * TIMEOUT_S
        while time.monotonic() < ends_at:
            time.sleep(0.02)
    except HandlerTimeout:
        note(ledger, "end", ctx, text="lost" if ctx.lease_lost else "hung")
        raise


def end(ledger: Ledger, ctx: Ctx[Work] | AsyncCtx[Work]) -> None:
    """How the job is to end. Written before the server can know of it, so that what the ledgers
    show as two at once were two at once."""
    if ctx.payload.rejected:
        note(ledger, "end", ctx, text="rejected")
        raise Reject("as published")
    if ctx.attempt <= ctx.payload.fail_times:
        note(ledger, "end", ctx, text="raised")
        raise Failed(f"attempt {ctx.attempt} of {ctx.payload.fail_times} that fail")
    note(ledger, "end", ctx, text="lost" if ctx.lease_lost else "ok")


def note(ledger: Ledger, kind: str, ctx: Any, lane: str = "", text: str = "") -> None:
    ledger.write(
        kind,
        job_id=ctx.job_id,
        attempt=ctx.attempt,
        token=ctx.lease_token,
        lane=f"{ctx.queue}/{lane}" if lane else "",
        text=text,
    )
