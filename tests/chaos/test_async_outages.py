"""The asyncio worker while connections and servers go away, with many jobs under way."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest

from omniq_typed import AsyncBus, AsyncCtx, Envelope
from omniq_typed.errors import ServerError
from tests.chaos.proxy import proxy_to
from tests.servers import Server, start_redis, start_valkey, wait_until
from tests.workers import LONG_S, REGISTRY, Order, Watch, watching

A_LONG_LEASE_MS = 600_000


@pytest.fixture(params=["redis", "valkey"], scope="module")
def durable_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """One that has every write on disk before it answers."""
    start = start_redis if request.param == "redis" else start_valkey
    with start(appendonly="yes", appendfsync="always") as server:
        yield server


@pytest.fixture
def durable(durable_server: Server) -> Server:
    durable_server.ensure_running()
    durable_server.flushall()
    return durable_server


@pytest.fixture
def watch(durable: Server) -> Iterator[Watch]:
    with watching(durable.url) as found:
        yield found


@asynccontextmanager
async def at_work(url: str, handler: Any, **options: Any) -> AsyncIterator[AsyncBus]:
    """A worker as a task, which ends with the context as by Ctrl-C."""
    stop = threading.Event()
    async with AsyncBus(url, registry=REGISTRY) as bus:
        bus.consumer(Order, **options)(handler)
        task = asyncio.create_task(bus.run(stop=stop))
        try:
            yield bus
        finally:
            stop.set()
            await asyncio.wait_for(task, LONG_S)


def publish(watch: Watch, count: int, **options: Any) -> list[str]:
    envelopes = (Envelope(Order(n), **options) for n in range(count))
    return [each.job_id for each in watch.bus.publish_many(envelopes)]


async def test_results_of_many_jobs_outlive_a_restart(durable: Server, watch: Watch) -> None:
    """More than one call takes; none is lost, and none is done twice."""
    count = 700
    runs: Counter[str] = Counter()
    all_in, go_on = asyncio.Event(), asyncio.Event()

    async def handler(ctx: AsyncCtx[Order]) -> None:
        runs[ctx.job_id] += 1
        if len(runs) == count:
            all_in.set()
        await go_on.wait()

    ids = publish(watch, count, timeout_ms=A_LONG_LEASE_MS)
    async with at_work(durable.url, handler, concurrency=count) as bus:
        await asyncio.wait_for(all_in.wait(), LONG_S)
        durable.kill()
        go_on.set()

        def noticed() -> bool:
            return {lane.state for lane in bus.health().lanes} == {"waiting_for_server"}

        await asyncio.to_thread(wait_until, noticed, "it is noticed", LONG_S)
        assert (bus.health().ready, bus.health().live) == (False, True)
        await asyncio.to_thread(durable.restart)
        await asyncio.to_thread(
            wait_until, lambda: watch.stats("orders").active == 0, "all are settled", LONG_S
        )
        await asyncio.to_thread(wait_until, lambda: bus.health().ready, "it is ready", LONG_S)
    stats = watch.stats("orders")
    assert (stats.waiting, stats.delayed, stats.failed) == (0, 0, 0)
    assert set(runs) == set(ids)
    assert set(runs.values()) == {1}


@pytest.mark.parametrize("idle", [True, False], ids=["woken", "busy"])
async def test_jobs_leased_by_a_reply_that_got_lost_come_back_at_once(
    durable: Server, watch: Watch, idle: bool
) -> None:
    """Not when their leases end; and in order, no attempt burned."""
    order: list[tuple[int, int]] = []
    seen = asyncio.Event()

    async def handler(ctx: AsyncCtx[Order]) -> None:
        order.append((ctx.payload.number, ctx.attempt))
        if len(order) == 30:
            seen.set()

    with proxy_to(durable.port) as proxy:
        if not idle:
            proxy.cut_reply('"number":17}')
            publish(watch, 30, timeout_ms=A_LONG_LEASE_MS)
        async with at_work(proxy.url, handler) as bus:
            if idle:
                await asyncio.to_thread(
                    wait_until, lambda: bus.health().ready, "it listens", LONG_S
                )
                proxy.cut_reply('"number":0}')
                publish(watch, 30, timeout_ms=A_LONG_LEASE_MS)
            await asyncio.wait_for(seen.wait(), LONG_S)
            await asyncio.to_thread(proxy.cut.wait, LONG_S)
    assert proxy.cut.is_set()
    assert order == [(n, 1) for n in range(30)]


def published(watch: Watch, number: int) -> bool:
    """Whether the server, which may still be loading its data, took a job."""
    try:
        watch.bus.publish_json(Order(number), job_id=f"job-{number}")
    except ServerError:
        return False
    return True


async def test_a_worker_takes_jobs_soon_after_a_short_outage(durable: Server, watch: Watch) -> None:
    seen: asyncio.Queue[int] = asyncio.Queue()

    async def handler(ctx: AsyncCtx[Order]) -> None:
        seen.put_nowait(ctx.payload.number)

    async with at_work(durable.url, handler) as bus:
        for n in range(2):
            await asyncio.to_thread(wait_until, lambda: bus.health().ready, "it is ready", LONG_S)
            durable.kill()
            await asyncio.to_thread(durable.restart)
            await asyncio.to_thread(wait_until, partial(published, watch, n), "it takes it", LONG_S)
            back_at = time.monotonic()
            assert await asyncio.wait_for(seen.get(), LONG_S) == n
            assert time.monotonic() - back_at < 15
