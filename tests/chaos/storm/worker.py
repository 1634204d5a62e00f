"""A worker of the storm, as a process, with the arguments FOLDER WHO URL KIND LEASE_MS. Its
handlers write into the ledger when they begin and when they end."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
from pathlib import Path
from typing import Any

from omniq_typed import AsyncBus, AsyncCtx, Bus, Ctx, Reject
from tests.chaos.storm.jobs import KEEP_COMPLETED, QUEUES, REGISTRY, Work
from tests.chaos.storm.ledger import Ledger, StallWatch

SYNC_LANES = (2, 1)
ASYNC_CONCURRENCY = (5, 2)
"""On each of the QUEUES."""


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


def work_sync(ledger: Ledger, url: str) -> None:
    """Several lanes on each queue."""
    with Bus(url, registry=REGISTRY, keep_completed=KEEP_COMPLETED) as bus:

        def handle(ctx: Ctx[Work]) -> None:
            note(ledger, "start", ctx, threading.current_thread().name)
            time.sleep(ctx.payload.work_ms / 1000)
            end(ledger, ctx)

        for queue, lanes in zip(QUEUES, SYNC_LANES, strict=True):
            bus.consumer(Work, queue=queue, concurrency=lanes)(handle)
        ledger.write("up")
        bus.run()


async def work_async(ledger: Ledger, url: str) -> None:
    """One loop."""
    async with AsyncBus(url, registry=REGISTRY, keep_completed=KEEP_COMPLETED) as bus:

        async def handle(ctx: AsyncCtx[Work]) -> None:
            note(ledger, "start", ctx, ctx.queue)
            try:
                await asyncio.sleep(ctx.payload.work_ms / 1000)
            except asyncio.CancelledError:
                note(ledger, "end", ctx, text="lost" if ctx.lease_lost else "cancelled")
                raise
            end(ledger, ctx)

        for queue, concurrency in zip(QUEUES, ASYNC_CONCURRENCY, strict=True):
            bus.consumer(Work, queue=queue, concurrency=concurrency)(handle)
        ledger.write("up")
        await bus.run()


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
