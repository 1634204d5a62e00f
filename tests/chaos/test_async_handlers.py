"""Async handlers that take too long, ignore their end or block the event loop."""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest

from omniq_typed import AsyncBus, AsyncCtx, HandlerTimeout, LaneHealth, Reject
from omniq_typed.models import JobInfo
from omniq_typed.worker.job_tasks import JobTasks
from tests.servers import Server, wait_until
from tests.workers import LONG_S, REGISTRY, Order, Watch, watching

AN_HOUR_MS = 3_600_000


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


@pytest.fixture
async def bus(one_server: Server) -> AsyncIterator[AsyncBus]:
    async with AsyncBus(one_server.url, registry=REGISTRY) as found:
        yield found


@asynccontextmanager
async def at_work(bus: AsyncBus, **options: Any) -> AsyncIterator[asyncio.Task[None]]:
    """`bus.run` as a task, which ends with the context as by Ctrl-C."""
    stop = threading.Event()
    task = asyncio.create_task(bus.run(stop=stop, **options))
    try:
        yield task
    finally:
        stop.set()
        await asyncio.wait_for(task, LONG_S)


async def reaches(watch: Watch, job_id: str, state: str) -> JobInfo:
    return await asyncio.to_thread(watch.reaches, "orders", job_id, state)


def reason(job: JobInfo) -> Any:
    return orjson.loads(job.failure)["reason"]


# --- Timeouts ------------------------------------------------------------------------------------


async def test_a_handler_over_its_timeout_is_cancelled_and_has_failed(
    bus: AsyncBus, watch: Watch
) -> None:
    ends: list[tuple[int, str]] = []

    @bus.consumer(Order, timeout_s=0.15)
    async def handler(ctx: AsyncCtx[Order]) -> None:
        try:
            if ctx.attempt == 1:
                await asyncio.Event().wait()
        except BaseException as error:
            ends.append((ctx.attempt, type(error).__name__))
            raise

    job_id = await bus.publish_json(Order(1), max_attempts=2, backoff_ms=300)
    async with at_work(bus):
        delayed = await reaches(watch, job_id, "delayed")
        assert reason(delayed) == "timeout"
        assert (
            delayed.last_error
            == "HandlerTimeout: the handler took longer than its timeout of 0.15 s"
        )
        assert (await reaches(watch, job_id, "completed")).attempt == 2
    assert ends == [(1, "CancelledError")]


async def own_timeout(ctx: AsyncCtx[Order]) -> None:
    async with asyncio.timeout(0.01):
        await asyncio.Event().wait()


async def of_a_driver(ctx: AsyncCtx[Order]) -> None:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        raise ConnectionError("cancelled") from None


async def done_in_spite(ctx: AsyncCtx[Order]) -> None:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        return


async def rejects(ctx: AsyncCtx[Order]) -> None:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        raise Reject("hopeless") from None


@pytest.mark.parametrize(
    ("handler", "state", "because"),
    [
        pytest.param(own_timeout, "failed", "handler_error", id="its-own-TimeoutError"),
        pytest.param(of_a_driver, "failed", "timeout", id="turned-into-another-error"),
        pytest.param(done_in_spite, "completed", None, id="returns-in-spite"),
        pytest.param(rejects, "failed", "rejected", id="rejects"),
    ],
)
async def test_what_a_handler_makes_of_its_timeout(
    bus: AsyncBus, watch: Watch, handler: Any, state: str, because: str | None
) -> None:
    bus.consumer(Order, timeout_s=0.15)(handler)
    job_id = await bus.publish_json(Order(1), max_attempts=1)
    async with at_work(bus):
        job = await reaches(watch, job_id, state)
    assert (reason(job) if job.failure else None) == because


async def test_a_retry_policy_is_given_the_timeout(bus: AsyncBus, watch: Watch) -> None:
    given: list[BaseException] = []

    class Policy:
        def delay_ms(self, attempt: int, error: BaseException, unit: float) -> int | None:
            given.append(error)
            return 40_000

    @bus.consumer(Order, timeout_s=0.1, retry=Policy())
    async def handler(ctx: AsyncCtx[Order]) -> None:
        await asyncio.Event().wait()

    job_id = await bus.publish_json(Order(1))
    async with at_work(bus):
        await reaches(watch, job_id, "delayed")
    (error,) = given
    assert isinstance(error, HandlerTimeout)
    assert error.limit_s == 0.1


class Stubborn:
    """A handler that ignores its end until it is let go."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.let_go = asyncio.Event()
        self.ended: asyncio.Queue[bool] = asyncio.Queue()
        self.others: asyncio.Queue[str] = asyncio.Queue()

    async def __call__(self, ctx: AsyncCtx[Order]) -> None:
        if ctx.payload.number or ctx.attempt > 1:
            self.others.put_nowait(ctx.job_id)
            return
        self.started.set()
        while not self.let_go.is_set():
            try:
                await self.let_go.wait()
            except asyncio.CancelledError:
                continue
        self.ended.put_nowait(ctx.lease_lost)


def stuck(bus: AsyncBus) -> list[LaneHealth]:
    return [lane for lane in bus.health().lanes if lane.state == "stuck"]


async def test_a_handler_that_ignores_its_timeout_loses_its_job_and_its_slot(
    bus: AsyncBus, watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    handler = Stubborn()
    bus.consumer(Order, timeout_s=0.1)(handler)
    first = await bus.publish_json(Order(0), max_attempts=1)
    async with at_work(bus):
        await asyncio.wait_for(handler.started.wait(), LONG_S)
        assert reason(await reaches(watch, first, "failed")) == "timeout"
        second = await bus.publish_json(Order(1))
        assert await asyncio.wait_for(handler.others.get(), LONG_S) == second
        assert [(lane.queue, lane.job_id) for lane in stuck(bus)] == [("orders", first)]
        assert not bus.health().live
        handler.let_go.set()
        assert await asyncio.wait_for(handler.ended.get(), LONG_S) is True
        await reaches(watch, second, "completed")
        assert not stuck(bus)
        assert bus.health().ready
    assert watch.job("orders", first).state == "failed"
    assert f"job {first} in queue orders ignores its end" in caplog.text
    assert f"job {first} in queue orders has ended after all; its result is dropped" in caplog.text


async def test_a_handler_that_ignores_the_loss_of_its_lease_loses_its_slot(
    bus: AsyncBus, watch: Watch
) -> None:
    handler = Stubborn()
    bus.consumer(Order)(handler)
    first = await bus.publish_json(Order(0), timeout_ms=600)
    async with at_work(bus):
        await asyncio.wait_for(handler.started.wait(), LONG_S)
        later = int(time.time() * 1000) + AN_HOUR_MS
        assert watch.client.reap_expired(queue="orders", now_ms_override=later) == 1
        second = await bus.publish_json(Order(1))
        got = await asyncio.wait_for(handler.others.get(), LONG_S)
        assert got in (first, second)
        assert [lane.job_id for lane in stuck(bus)] == [first]
        handler.let_go.set()
        assert await asyncio.wait_for(handler.ended.get(), LONG_S) is True


# --- The event loop is blocked -------------------------------------------------------------------


def hog_the_loop(until: threading.Event) -> None:
    until.wait(LONG_S)


async def test_a_handler_that_blocks_the_loop_is_seen_from_outside_and_told(
    bus: AsyncBus, watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    let_go = threading.Event()
    health: list[Any] = []

    @bus.consumer(Order)
    async def handler(ctx: AsyncCtx[Order]) -> None:
        hog_the_loop(let_go)

    def look() -> None:
        """What a health check in a thread of its own sees."""
        try:
            wait_until(lambda: bus.health().loop_lag_s > 1.0, "the lag is seen", LONG_S)
            health.append(bus.health())
            wait_until(lambda: "has been blocked for" in caplog.text, "it is told", LONG_S)
        finally:
            let_go.set()

    async with at_work(bus):
        await asyncio.to_thread(wait_until, lambda: bus.health().ready, "it is ready", LONG_S)
        looking = threading.Thread(target=look)
        looking.start()
        job_id = await bus.publish_json(Order(1), timeout_ms=600)
        job = await reaches(watch, job_id, "completed")
        await asyncio.to_thread(looking.join)
        await asyncio.to_thread(
            wait_until, lambda: bus.health().loop_lag_s == 0.0, "the loop turns", LONG_S
        )
    (seen,) = health
    assert (seen.ready, seen.live) == (False, True)
    assert [(lane.state, lane.job_id) for lane in seen.lanes] == [("working", job_id)]
    assert "hog_the_loop" in caplog.text
    assert "the event loop turns again" in caplog.text
    assert (job.attempt, job.last_error) == (1, "")


async def test_a_fault_of_ours_ends_no_worker(
    bus: AsyncBus, watch: Watch, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    seen: asyncio.Queue[tuple[int, int]] = asyncio.Queue()
    start, broken = JobTasks.start, threading.Event()

    @bus.consumer(Order, concurrency=5)
    async def handler(ctx: AsyncCtx[Order]) -> None:
        seen.put_nowait((ctx.payload.number, ctx.attempt))

    def start_once_broken(tasks: JobTasks) -> None:
        if not broken.is_set():
            broken.set()
            tasks._waiting.clear()
            raise ZeroDivisionError("a fault of ours")
        start(tasks)

    monkeypatch.setattr(JobTasks, "start", start_once_broken)
    ids = [await bus.publish_json(Order(n)) for n in range(3)]
    async with at_work(bus):
        found = [await asyncio.wait_for(seen.get(), LONG_S) for _ in ids]
        await reaches(watch, ids[2], "completed")
        assert [lane.restarts for lane in bus.health().lanes] == [1]
        assert bus.health().ready
    assert found == [(0, 1), (1, 1), (2, 1)]  # they were given back, no attempt counted
    assert "the worker itself failed, and goes on" in caplog.text


# --- Stopping ------------------------------------------------------------------------------------


async def test_jobs_that_are_not_done_within_the_grace_go_back(
    bus: AsyncBus, watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    started: asyncio.Queue[str] = asyncio.Queue()

    @bus.consumer(Order, concurrency=2)
    async def handler(ctx: AsyncCtx[Order]) -> None:
        started.put_nowait(ctx.job_id)
        await asyncio.sleep(0.2 if ctx.payload.number else 300)

    slow, quick = [await bus.publish_json(Order(n)) for n in (0, 1)]
    stop = threading.Event()
    run = asyncio.create_task(bus.run(stop=stop, grace_s=0.6))
    for _ in range(2):
        await asyncio.wait_for(started.get(), LONG_S)
    begun = time.monotonic()
    stop.set()
    await asyncio.wait_for(run, LONG_S)
    assert 0.6 <= time.monotonic() - begun < LONG_S / 4
    job = watch.job("orders", slow)
    assert (job.state, job.attempt, job.last_error) == ("wait", 0, "")
    assert watch.job("orders", quick).state == "completed"
    assert "grace" in caplog.text


async def test_signals_are_left_alone_where_a_web_server_has_them(bus: AsyncBus) -> None:
    assert threading.current_thread() is threading.main_thread()
    mine = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}

    @bus.consumer(Order)
    async def handler(ctx: AsyncCtx[Order]) -> None: ...

    async with at_work(bus, handle_signals=False):
        await asyncio.to_thread(wait_until, lambda: bus.health().ready, "it is ready", LONG_S)
        assert {each: signal.getsignal(each) for each in mine} == mine
    async with at_work(bus):
        await asyncio.to_thread(wait_until, lambda: bus.health().ready, "it is ready", LONG_S)
        assert {each: signal.getsignal(each) for each in mine} != mine
    assert {each: signal.getsignal(each) for each in mine} == mine


async def test_a_task_that_somebody_cancels_before_it_begins_holds_nothing_up(
    bus: AsyncBus, watch: Watch
) -> None:
    """As a program does that cancels all tasks it finds."""
    cancelled: list[str] = []
    ran: asyncio.Queue[str] = asyncio.Queue()

    @bus.consumer(Order, concurrency=5)
    async def handler(ctx: AsyncCtx[Order]) -> None:
        ran.put_nowait(ctx.job_id)

    def cancel_new(task: asyncio.Task[Any]) -> None:
        if task.get_name().startswith("omniq-job-") and len(cancelled) < 3:
            cancelled.append(task.get_name().removeprefix("omniq-job-"))
            task.cancel()

    def factory(loop: Any, coro: Any, **options: Any) -> asyncio.Task[Any]:
        task = asyncio.Task(coro, loop=loop, **options)
        asyncio.get_running_loop().call_soon(cancel_new, task)
        return task

    ids = [await bus.publish_json(Order(n)) for n in range(5)]
    loop = asyncio.get_running_loop()
    loop.set_task_factory(factory)
    try:
        async with at_work(bus):
            for job_id in ids:
                await reaches(watch, job_id, "completed")
    finally:
        loop.set_task_factory(None)


async def test_log_is_quiet_while_nothing_is_wrong(
    bus: AsyncBus, watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="omniq_typed.worker")

    @bus.consumer(Order, concurrency=10, timeout_s=5)
    async def handler(ctx: AsyncCtx[Order]) -> None:
        await asyncio.sleep(0)

    ids = [await bus.publish_json(Order(n)) for n in range(50)]
    async with at_work(bus):
        for job_id in ids:
            await reaches(watch, job_id, "completed")
    assert caplog.text == ""
