"""What only the asyncio worker does: tasks, cancellation, `await ctx.exec`."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import redis.asyncio

from omniq_typed import (
    AsyncBus,
    AsyncCtx,
    AsyncJobCtx,
    AsyncOmniqClient,
    ChildAck,
    Registry,
    message,
)
from omniq_typed.errors import CounterExists, PermissionDenied
from tests.servers import Server, wait_until
from tests.workers import LONG_POLL_S, LONG_S, REGISTRY, Invoice, Order, Watch


@pytest.fixture
async def bus(server: Server) -> AsyncIterator[AsyncBus]:
    async with AsyncBus(server.url, registry=REGISTRY) as found:
        yield found


async def reaches(watch: Watch, job_id: str, state: str, queue: str = "orders") -> Any:
    return await asyncio.to_thread(watch.reaches, queue, job_id, state)


class Worker:
    """`bus.run` as a task."""

    def __init__(self, bus: AsyncBus, **options: Any) -> None:
        self.stop = threading.Event()
        self.task = asyncio.create_task(bus.run(stop=self.stop, **options))

    async def finish(self) -> None:
        self.stop.set()
        await asyncio.wait_for(self.task, LONG_S)


async def test_exec_runs_every_operation_on_the_same_server(bus: AsyncBus, watch: Watch) -> None:
    seen: list[Any] = []

    @bus.consumer(Order)
    async def handler(ctx: AsyncCtx[Order]) -> None:
        run = ctx.exec
        await run.publish(queue="plain", payload={"n": 1}, job_id="P1", gid="g", group_limit=2)
        seen.append(await run.publish_json(Invoice("a"), queue="bills", job_id="I1"))
        seen.append((await run.pause(queue="bills"), await run.is_paused(queue="bills")))
        seen.append((await run.resume(queue="bills"), await run.is_paused(queue="bills")))
        await run.childs_init("set", 2)
        with pytest.raises(CounterExists):
            await run.childs_init("set", 2)
        seen.append(await run.child_ack("set", "other"))
        seen.append((await run.child_ack("set"), await run.child_ack("set")))
        seen.append(await run.child_ack("unknown"))

    job_id = await bus.publish_json(Order(1))
    worker = Worker(bus)
    await reaches(watch, job_id, "completed")
    await worker.finish()
    assert seen == ["I1", ("OK", True), (1, False), 1, (0, 0), ChildAck.NO_COUNTER]
    plain = watch.job("plain", "P1")
    assert (plain.state, plain.gid, plain.payload) == ("wait", "g", '{"n":1}')


async def test_what_a_handler_publishes_carries_its_conversation_along(
    bus: AsyncBus, watch: Watch
) -> None:
    seen: asyncio.Queue[Any] = asyncio.Queue()

    @bus.consumer(Order)
    async def on_order(ctx: AsyncCtx[Order]) -> None:
        await ctx.exec.publish_json(Invoice("a"), job_id="second")

    @bus.consumer(Invoice)
    async def on_invoice(ctx: AsyncCtx[Invoice]) -> None:
        seen.put_nowait((ctx.job_id, ctx.correlation_id, ctx.causation_id))

    await bus.publish_json(Order(1), job_id="first")
    worker = Worker(bus)
    assert await asyncio.wait_for(seen.get(), LONG_S) == ("second", "first", "first")
    await worker.finish()


async def test_the_same_bus_runs_again(bus: AsyncBus) -> None:
    seen: asyncio.Queue[int] = asyncio.Queue()

    @bus.consumer(Order)
    async def handler(ctx: AsyncCtx[Order]) -> None:
        seen.put_nowait(ctx.payload.number)

    for n in range(2):
        worker = Worker(bus, poll_interval_s=LONG_POLL_S)
        await bus.publish_json(Order(n))
        assert await asyncio.wait_for(seen.get(), LONG_S) == n
        await worker.finish()


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_same_bus_works_on_the_next_event_loop(server: Server) -> None:
    """As in a script that calls asyncio.run twice with a bus of its module. What the first loop
    left open is the script's fault, and a warning."""
    bus = AsyncBus(server.url, registry=REGISTRY)
    seen: list[int] = []
    stop = threading.Event()

    @bus.consumer(Order)
    async def handler(ctx: AsyncCtx[Order]) -> None:
        seen.append(ctx.payload.number)
        stop.set()

    async def run_and_close() -> None:
        await bus.run(stop=stop)
        await bus.close()

    asyncio.run(bus.publish_json(Order(1)))
    asyncio.run(run_and_close())
    assert seen == [1]
    gc.collect()  # warn now, not in the next test


async def test_cancelled_from_outside_it_gives_its_jobs_back(bus: AsyncBus, watch: Watch) -> None:
    started: asyncio.Queue[AsyncCtx[Order]] = asyncio.Queue()
    ends: list[str] = []

    @bus.consumer(Order, concurrency=3)
    async def handler(ctx: AsyncCtx[Order]) -> None:
        started.put_nowait(ctx)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ends.append(ctx.job_id)
            raise

    ids = [await bus.publish_json(Order(n)) for n in range(3)]
    worker = Worker(bus)
    for _ in ids:
        await asyncio.wait_for(started.get(), LONG_S)
    worker.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(worker.task, LONG_S)
    assert sorted(ends) == sorted(ids)
    for job_id in ids:
        job = watch.job("orders", job_id)
        assert (job.state, job.attempt, job.lease_token) == ("wait", 0, "")
    assert not worker.stop.is_set()


async def test_a_timeout_around_run_is_a_timeout(bus: AsyncBus) -> None:
    @bus.consumer(Order)
    async def handler(ctx: AsyncCtx[Order]) -> None: ...

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await bus.run()


async def test_a_cancelled_worker_does_not_wait_for_a_handler_that_will_not_end(
    bus: AsyncBus, watch: Watch
) -> None:
    started, let_go = asyncio.Event(), asyncio.Event()
    ended = asyncio.Event()

    @bus.consumer(Order)
    async def handler(ctx: AsyncCtx[Order]) -> None:
        started.set()
        while not let_go.is_set():
            try:
                await let_go.wait()
            except asyncio.CancelledError:
                continue
        ended.set()

    job_id = await bus.publish_json(Order(1))
    worker = Worker(bus)
    await asyncio.wait_for(started.wait(), LONG_S)
    worker.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(worker.task, LONG_S)
    assert watch.job("orders", job_id).state == "wait"
    assert watch.job("orders", job_id).attempt == 0
    let_go.set()
    await asyncio.wait_for(ended.wait(), LONG_S)


@pytest.mark.slow
async def test_cancelled_with_the_server_away_it_leaves_all_the_same(
    bus: AsyncBus, server: Server
) -> None:
    started = asyncio.Event()

    @bus.consumer(Order)
    async def handler(ctx: AsyncCtx[Order]) -> None:
        started.set()
        await asyncio.Event().wait()

    await bus.publish_json(Order(1))
    worker = Worker(bus)
    await asyncio.wait_for(started.wait(), LONG_S)
    server.pause()  # the worst case: it hangs
    try:
        begun = time.monotonic()
        worker.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(worker.task, LONG_S)
        assert time.monotonic() - begun < 30
    finally:
        server.resume()


async def test_a_handler_that_cancels_itself_has_failed(bus: AsyncBus, watch: Watch) -> None:
    @bus.consumer(Order)
    async def handler(ctx: AsyncCtx[Order]) -> None:
        raise asyncio.CancelledError("my own")

    job_id = await bus.publish_json(Order(1), max_attempts=1)
    worker = Worker(bus)
    job = await reaches(watch, job_id, "failed")
    assert job.last_error == "CancelledError: my own"
    await worker.finish()


async def test_drain_waits_for_running_jobs_and_takes_no_more(bus: AsyncBus, watch: Watch) -> None:
    started, let_go = asyncio.Event(), asyncio.Event()

    @bus.consumer(Order)
    async def handler(ctx: AsyncCtx[Order]) -> None:
        started.set()
        await let_go.wait()

    first, second = [await bus.publish_json(Order(n)) for n in range(2)]
    worker = Worker(bus)
    await asyncio.wait_for(started.wait(), LONG_S)
    worker.stop.set()
    done, _ = await asyncio.wait([worker.task], timeout=0.5)
    assert not done
    let_go.set()
    await worker.finish()
    assert watch.job("orders", first).state == "completed"
    assert watch.job("orders", second).state == "wait"


async def test_one_fault_is_raised_as_itself_and_ends_all_queues(
    server: Server, watch: Watch
) -> None:
    server.command("ACL", "SETUSER", "half", "on", ">pw", "~{orders}*", "+@all")
    url = server.url.replace("redis://", "redis://half:pw@")
    try:
        async with AsyncBus(url, registry=REGISTRY) as bus:
            bus.consumer(Order)(_nothing)
            bus.consumer(Invoice, queue="bills")(_nothing)
            with pytest.raises(PermissionDenied) as caught:
                await asyncio.wait_for(bus.run(), LONG_S)
        assert caught.type is PermissionDenied
    finally:
        server.command("ACL", "DELUSER", "half")


async def _nothing(ctx: Any) -> None:
    return


async def test_a_clients_own_redis_client_gets_a_heartbeat_and_stays_open(
    server: Server, watch: Watch
) -> None:
    """The heartbeat's blocking connection is made from the asyncio client's, and is closed."""
    job_id = watch.client.publish(queue="plain", payload={}, timeout_ms=600)
    before = connections(server)
    own = redis.asyncio.Redis.from_url(server.url)
    client = AsyncOmniqClient(redis=own)
    stop = threading.Event()

    async def handler(ctx: AsyncJobCtx) -> None:
        first = ctx.lock_until_ms
        while ctx.lock_until_ms == first:  # noqa: ASYNC110 - nothing signals a renewal
            await asyncio.sleep(0.01)

    task = asyncio.create_task(client.consume(queue="plain", handler=handler, stop=stop))
    assert (await reaches(watch, job_id, "completed", "plain")).attempt == 1
    stop.set()
    await asyncio.wait_for(task, LONG_S)
    assert await own.ping()
    await own.aclose()
    wait_until(lambda: connections(server) <= before, "its connections are closed", LONG_S)


def connections(server: Server) -> set[str]:
    """Ids of the server's clients, without the one that asks."""
    with contextlib.closing(server.client()) as asking:
        ids = {str(each["id"]) for each in asking.client_list()}
        return ids - {str(asking.client_id())}


class Slow(int):
    """A field whose schema takes its time, as that of a large union does: until the event loop,
    which counts its turns here, has gone on."""

    turns = 0

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        return handler(int)

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: Any) -> Any:
        before = Slow.turns
        wait_until(lambda: Slow.turns > before + 1, "the event loop turns meanwhile", LONG_S)
        return handler(core_schema)


async def test_the_loop_turns_while_types_are_registered(server: Server) -> None:
    registry = Registry(strict_types=False)

    @message("test.slow", queue="slow", registry=registry)
    @dataclass
    class Slowly:
        field: Slow

    async def tick() -> None:
        while True:
            await asyncio.sleep(0.001)
            Slow.turns += 1

    async with AsyncBus(server.url, registry=registry) as bus:
        bus.consumer(Slowly)(_nothing)
        ticking = asyncio.create_task(tick())
        worker = Worker(bus)
        await asyncio.to_thread(wait_until, lambda: bus.health().ready, "it takes jobs", LONG_S)
        ticking.cancel()
        await worker.finish()
    assert Slow.turns
