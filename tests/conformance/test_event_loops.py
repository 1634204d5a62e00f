"""The asyncio worker on asyncio's own event loop and on uvloop's."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest

from omniq_typed import AsyncBus, AsyncCtx, Envelope
from omniq_typed.worker.event_loop import run_async
from tests.servers import Server
from tests.workers import LONG_S, REGISTRY, Order, Program, Watch, watching

uvloop = pytest.importorskip("uvloop")

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}


@pytest.fixture(params=LOOPS)
def runner(request: pytest.FixtureRequest) -> Iterator[asyncio.Runner]:
    with asyncio.Runner(loop_factory=LOOPS[request.param]) as found:
        yield found


@pytest.fixture
def server(redis_server: Server) -> Server:
    """What is promised here does not depend on the server's kind."""
    redis_server.ensure_running()
    redis_server.flushall()
    return redis_server


@pytest.fixture
def watch(server: Server) -> Iterator[Watch]:
    with watching(server.url) as found:
        yield found


async def work_until(
    url: str, handler: Any, over: asyncio.Event, within_s: float = LONG_S, **options: Any
) -> None:
    """Runs a worker until an event, and stops it as Ctrl-C does."""
    stop = threading.Event()
    async with AsyncBus(url, registry=REGISTRY) as bus:
        bus.consumer(Order, **options)(handler)
        run = asyncio.create_task(bus.run(stop=stop))
        await asyncio.wait_for(over.wait(), within_s)
        stop.set()
        await asyncio.wait_for(run, within_s)


def test_many_jobs_are_done_once(runner: asyncio.Runner, server: Server, watch: Watch) -> None:
    done: list[int] = []
    count = 500

    async def main() -> None:
        over = asyncio.Event()

        async def handler(ctx: AsyncCtx[Order]) -> None:
            if ctx.payload.number % 2:
                await asyncio.sleep(0.002)
            done.append(ctx.payload.number)
            if len(done) == count:
                over.set()

        await work_until(server.url, handler, over, concurrency=50)

    watch.bus.publish_many(Envelope(Order(n)) for n in range(count))
    runner.run(main())
    assert sorted(done) == list(range(count))
    stats = watch.stats("orders")
    assert (stats.active, stats.waiting, stats.completed_kept) == (0, 0, 100)


def test_an_idle_worker_is_woken_and_on_time(
    runner: asyncio.Runner, server: Server, watch: Watch
) -> None:
    late_ms: list[float] = []

    async def main() -> None:
        over = asyncio.Event()

        async def handler(ctx: AsyncCtx[Order]) -> None:
            late_ms.append(time.time() * 1000 - ctx.payload.number)
            if len(late_ms) == 10:
                over.set()

        async def publish() -> None:
            async with AsyncBus(server.url, registry=REGISTRY) as bus:
                await asyncio.sleep(0.2)
                for _ in range(5):
                    await bus.publish_json(Order(int(time.time() * 1000)))
                    due_ms = int(time.time() * 1000) + 130
                    await bus.publish_json(Order(due_ms), due_ms=due_ms)
                    await asyncio.sleep(0.17)

        publishing = asyncio.create_task(publish())
        await work_until(server.url, handler, over)
        await publishing

    runner.run(main())
    assert min(late_ms) >= 0
    assert sorted(late_ms)[5] < 90  # a busy machine may hold up a few


def test_a_timeout_cancels_the_handler(
    runner: asyncio.Runner, server: Server, watch: Watch
) -> None:
    ends: list[str] = []

    async def main() -> None:
        over = asyncio.Event()

        async def handler(ctx: AsyncCtx[Order]) -> None:
            try:
                await asyncio.Event().wait()
            except BaseException as error:
                ends.append(type(error).__name__)
                over.set()
                raise

        await work_until(server.url, handler, over, timeout_s=0.1)

    job_id = watch.bus.publish_json(Order(1), max_attempts=1)
    runner.run(main())
    assert ends == ["CancelledError"]
    job = watch.job("orders", job_id)
    assert (job.state, orjson.loads(job.failure)["reason"]) == ("failed", "timeout")


def test_a_lost_lease_cancels_the_handler(
    runner: asyncio.Runner, server: Server, watch: Watch
) -> None:
    lost: list[bool] = []

    async def main() -> None:
        started, over = asyncio.Event(), asyncio.Event()

        async def handler(ctx: AsyncCtx[Order]) -> None:
            started.set()
            try:
                await asyncio.Event().wait()
            finally:
                lost.append(ctx.lease_lost)
                over.set()

        async def steal() -> None:
            await started.wait()
            later = int(time.time() * 1000) + 3_600_000
            reap = watch.client.reap_expired
            await asyncio.to_thread(reap, queue="orders", now_ms_override=later)

        stealing = asyncio.create_task(steal())
        await work_until(server.url, handler, over)
        await stealing

    job_id = watch.bus.publish_json(Order(1), timeout_ms=600, max_attempts=1)
    runner.run(main())
    assert lost == [True]
    assert orjson.loads(watch.job("orders", job_id).failure)["reason"] == "lease_expired"


PROGRAM = """
import asyncio, sys
from omniq_typed import AsyncBus
from omniq_typed.worker.event_loop import run_async
from tests.workers import REGISTRY, Order

async def main():
    print("loop", type(asyncio.get_running_loop()).__module__, flush=True)
    async with AsyncBus(sys.argv[1], registry=REGISTRY) as bus:
        @bus.consumer(Order)
        async def handler(ctx):
            print("working", flush=True)
            await asyncio.sleep(0.3)
        await bus.run()
    return "returned"

print(run_async(main()), flush=True)
"""


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_a_worker_on_uvloop(
    server: Server, watch: Watch, signum: signal.Signals
) -> None:
    job_id = watch.bus.publish_json(Order(1))
    with Program(PROGRAM, server.url) as program:
        assert program.wait_for("loop") == "loop uvloop"
        program.wait_for("working")
        program.signal(signum)
        program.wait_for("returned")
        assert program.exit_code() == 0
    assert watch.job("orders", job_id).state == "completed"


def test_run_async_is_asyncio_run_where_uvloop_is_not_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def loop_of() -> str:
        return type(asyncio.get_running_loop()).__module__.partition(".")[0]

    assert run_async(loop_of()) == "uvloop"
    monkeypatch.setitem(sys.modules, "uvloop", None)
    assert run_async(loop_of()) == "asyncio"
