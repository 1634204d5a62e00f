"""How jobs and leases end when a worker stops, fails or gives up."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from omniq_typed import AsyncBus, Reject, Retry
from tests.servers import Server, start_valkey, wait_until
from tests.workers import (
    LONG_POLL_S,
    LONG_S,
    REGISTRY,
    Face,
    Order,
    Seen,
    Watch,
    bus_worker,
    watching,
)

QUICK_S = 20.0
"""Far below LONG_POLL_S and a lease of 30 s, far above what anything takes on a busy machine."""


@pytest.fixture
def one_server(valkey_server: Server) -> Server:
    """For what does not depend on the server's kind."""
    valkey_server.ensure_running()
    valkey_server.flushall()
    return valkey_server


@pytest.fixture
def watch(one_server: Server) -> Iterator[Watch]:
    with watching(one_server.url) as found:
        yield found


@pytest.mark.slow
def test_a_result_that_was_given_up_is_not_kept_alive_with_jobs_that_still_run(
    face: Face, caplog: pytest.LogCaptureFixture
) -> None:
    """A stopping worker gives a result up when the server stays away; another handler runs on, and
    with it the heartbeat."""
    seen = Seen()
    go = [threading.Event(), threading.Event()]

    def handler(ctx: Any) -> None:
        seen.add(ctx.payload.number)
        assert go[ctx.payload.number].wait(LONG_S)

    with (
        start_valkey(appendonly="yes", appendfsync="always") as server,
        watching(server.url) as watch,
        bus_worker(face, server.url, [(Order, handler, {"concurrency": 2})]) as worker,
    ):
        ids = [watch.bus.publish_json(Order(n), timeout_ms=9_000) for n in (0, 1)]
        assert {seen.next(), seen.next()} == {0, 1}
        before = [watch.job("orders", each).lock_until_ms for each in ids]

        def renewed_after(lock_until_ms: int) -> None:
            wait_until(
                lambda: watch.job("orders", ids[1]).lock_until_ms > lock_until_ms,
                "the running job is renewed",
                LONG_S,
            )

        server.kill()
        go[0].set()
        wait_until(lambda: "trying again" in caplog.text, "the worker noticed", LONG_S)
        worker.stop.set()
        wait_until(lambda: "1 results lost" in caplog.text, "it gave up", LONG_S)
        server.restart()
        renewed_after(before[1])
        renewed_after(watch.job("orders", ids[1]).lock_until_ms)
        assert watch.job("orders", ids[0]).lock_until_ms == before[0]
        go[1].set()
        watch.reaches("orders", ids[1], "completed")


@pytest.mark.parametrize(
    ("error", "level", "traceback"),
    [
        pytest.param(Retry("not yet", after=90), logging.INFO, False, id="retry"),
        pytest.param(Reject("never"), logging.WARNING, False, id="reject"),
        pytest.param(ValueError("broken"), logging.ERROR, True, id="fault"),
    ],
)
def test_only_a_fault_of_a_handler_is_logged_with_a_traceback(
    one_server: Server,
    watch: Watch,
    face: Face,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    level: int,
    traceback: bool,
) -> None:
    def handler(ctx: Any) -> None:
        raise error

    caplog.set_level(logging.INFO, logger="omniq_typed.worker")
    job_id = watch.bus.publish_json(Order(1), max_attempts=1, backoff_ms=40_000)
    with bus_worker(face, one_server.url, [(Order, handler, {})]):
        wait_until(lambda: watch.job("orders", job_id).last_error != "", "it failed", LONG_S)
    (record,) = [each for each in caplog.records if job_id in each.getMessage()]
    assert record.levelno == level
    assert bool(record.exc_info) is traceback
    if not traceback:
        assert str(error) in record.getMessage()


def test_an_event_ends_an_undrained_consume_in_the_main_thread_too(watch: Watch) -> None:
    """No signal interrupts the handler here: its job is given back under its feet."""
    assert threading.current_thread() is threading.main_thread()
    stop, end = threading.Event(), threading.Event()
    seen = Seen()

    def handler(ctx: Any) -> None:
        seen.add("started")
        end.wait(LONG_S)
        seen.add(ctx.lease_lost)

    def stopper() -> None:
        seen.next()
        stop.set()

    job_id = watch.client.publish(queue="plain", payload={})
    thread = threading.Thread(target=stopper)
    thread.start()
    begun = time.monotonic()
    try:
        watch.client.consume(queue="plain", handler=handler, drain=False, stop=stop)
        assert time.monotonic() - begun < QUICK_S
        job = watch.job("plain", job_id)
        assert (job.state, job.attempt) == ("wait", 0)
    finally:
        end.set()
        thread.join()
    assert seen.next() is True


@contextlib.asynccontextmanager
async def async_run(
    url: str, handler: Callable[[Any], Any], **options: Any
) -> AsyncIterator[asyncio.Task[None]]:
    """`AsyncBus.run` as a task of the test's own loop."""
    async with AsyncBus(url, registry=REGISTRY) as bus:
        bus.consumer(Order, concurrency=3)(handler)
        yield asyncio.create_task(bus.run(poll_interval_s=LONG_POLL_S, **options))


async def test_handlers_that_hang_in_the_loops_pool_do_not_keep_an_undrained_worker(
    one_server: Server, watch: Watch
) -> None:
    stop, release = threading.Event(), threading.Event()
    seen = Seen()

    def hang() -> None:
        seen.add("hangs")
        release.wait(LONG_S)

    async def handler(ctx: Any) -> None:
        await asyncio.to_thread(hang)

    pool = ThreadPoolExecutor(1)
    asyncio.get_running_loop().set_default_executor(pool)
    job_id = watch.bus.publish_json(Order(1))
    async with async_run(one_server.url, handler, drain=False, stop=stop) as run:
        with ThreadPoolExecutor(1) as waiting:
            hangs = waiting.submit(seen.next)
            assert await asyncio.wrap_future(hangs) == "hangs"
        try:
            stop.set()
            await asyncio.wait_for(run, QUICK_S)
        finally:
            release.set()
    job = watch.job("orders", job_id)
    assert (job.state, job.attempt) == ("wait", 0)
