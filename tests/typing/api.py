"""The public API used rightly. Never run: mypy --strict and pyright have to accept all of it, with
exactly the types that `assert_type` names (test_types.py, and `make types`)."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, assert_type

from pydantic import BaseModel

from omniq_typed import (
    AsyncBus,
    AsyncCtx,
    AsyncJobCtx,
    AsyncOmniqClient,
    AsyncQueueMonitor,
    Bus,
    ChildAck,
    Ctx,
    Exponential,
    Fixed,
    JobBackoff,
    JobCtx,
    Lane,
    NewJob,
    OmniqClient,
    OmniqError,
    QueueMonitor,
    Registry,
    Reject,
    Retry,
    message,
)
from omniq_typed.errors import (
    DuplicateJob,
    Fault,
    InvalidArgument,
    InvalidPayload,
    LeaseLost,
    ServerError,
)
from omniq_typed.models import (
    BatchResult,
    GroupReady,
    GroupStatus,
    JobInfo,
    LaneJob,
    Published,
    QueueOverview,
    QueueStats,
)
from omniq_typed.protocols import RetryPolicy
from omniq_typed.types import ReserveJob, ReservePaused

registry = Registry()


# Message types stay the classes that they were.


@message("typing.order", version=2, queue="orders", max_attempts=5, registry=registry)
@dataclass(frozen=True)
class Order:
    order_id: str
    lines: list[str]
    coupon: str | None = None


class Customer(BaseModel):
    name: str
    born: datetime | None = None


@message("typing.welcome", queue="mails", ordering="strict")
class Welcome(BaseModel):
    customer: Customer
    tone: Literal["formal", "friendly"] = "formal"


assert_type(Order("1", []), Order)
assert_type(Order("1", []).coupon, str | None)
assert_type(Welcome(customer=Customer(name="Ada")), Welcome)
assert_type(Welcome(customer=Customer(name="Ada")).customer.born, datetime | None)


# Handlers get what they are registered for, and stay the functions that they were.

bus = Bus("redis://localhost:6379/0", registry=registry, source="typing", keep_completed=10)
assert_type(Bus.embedded(), Bus)
assert_type(Bus.from_env(), Bus)


class Patient:
    """A retry policy needs no base class."""

    def delay_ms(self, attempt: int, error: BaseException, unit: float) -> int | None:
        return 60_000 if attempt > 1 else None


policies: list[RetryPolicy] = [Patient(), JobBackoff(), Fixed(5), Exponential(first_ms=5)]


@bus.consumer(Order, concurrency=8, retry=Patient())
def on_order(ctx: Ctx[Order]) -> None:
    assert_type(ctx.payload, Order)
    assert_type(ctx.payload.order_id, str)
    assert_type(ctx.payload.lines, list[str])
    assert_type(ctx.attempt, int)
    assert_type(ctx.is_last_attempt, bool)
    assert_type(ctx.correlation_id, str)
    welcome = Welcome(customer=Customer(name="Ada"))
    assert_type(ctx.exec.publish_json(welcome, gid="ada", group_limit=1), str)
    assert_type(ctx.exec.publish(queue="plain", payload={"a": 1}), str)
    assert_type(ctx.exec.child_ack("key"), int)
    if ctx.exec.child_ack("key") == ChildAck.ALREADY_FINISHED:
        raise Reject("too late")
    raise Retry(after=1.5)


@bus.consumer(Welcome, queue="other")
def on_welcome(ctx: Ctx[Welcome]) -> int:
    assert_type(ctx.payload.tone, Literal["formal", "friendly"])
    return 1


def on_anything(ctx: Ctx[object]) -> None: ...


def on_any(ctx: JobCtx) -> None:
    assert_type(ctx.payload, Any)


# Ctx only gives its payload out: a handler of less is a handler of more.
bus.consumer(Order)(on_anything)
bus.consumer(Order)(on_any)


class Service:
    def __init__(self) -> None:
        bus.consumer(Welcome)(self.on_welcome)

    def on_welcome(self, ctx: Ctx[Welcome]) -> None: ...


def check_handlers_stay_functions(order: Ctx[Order], welcome: Ctx[Welcome]) -> None:
    on_order(order)
    assert_type(on_welcome(welcome), int)


def use_bus() -> None:
    stop = threading.Event()
    with bus as same:
        assert_type(same, Bus)
        job_id = bus.publish_json(
            Order("1", ["book"]), job_id="1", due_ms=0, gid="ada", ordering="relaxed"
        )
        assert_type(job_id, str)
        bus.run(queues=["orders"], drain=False, grace_s=5, max_prefetch=10, stop=stop)


# The asyncio twin


async_bus = AsyncBus("embedded://", registry=registry)


@async_bus.consumer(Order, concurrency=100, retry=Exponential())
async def on_order_async(ctx: AsyncCtx[Order]) -> None:
    assert_type(ctx.payload, Order)
    assert_type(ctx.payload.coupon, str | None)
    assert_type(await ctx.exec.publish_json(Order("2", [])), str)
    assert_type(await ctx.exec.child_ack("key", "child"), int)


@async_bus.consumer(Welcome)
async def on_welcome_async(ctx: AsyncCtx[Welcome]) -> int:
    return len(ctx.payload.customer.name)


async def use_async_bus() -> None:
    async with async_bus as same:
        assert_type(same, AsyncBus)
        assert_type(await async_bus.publish_json(Order("1", [])), str)
        await async_bus.run(stop=threading.Event())


# Untyped clients


def handle(ctx: JobCtx) -> None:
    assert_type(ctx.payload, Any)
    assert_type(ctx.payload_raw, str)


async def handle_async(ctx: AsyncJobCtx) -> None:
    await ctx.exec.pause(queue="plain")


def use_client() -> None:
    with OmniqClient(host="localhost", port=6379) as client:
        assert_type(client, OmniqClient)
        assert_type(client.publish(queue="plain", payload={"a": [1, None]}), str)
        assert_type(client.publish(queue="plain", payload=[1, 2]), str)
        assert_type(client.publish_json(queue="plain", payload=Order("1", [])), str)
        published = client.publish_batch(queue="plain", jobs=[NewJob("1", b"{}")])
        assert_type(published, list[Published])
        job = client.reserve(queue="plain")
        assert_type(job, ReserveJob | ReservePaused | None)
        # `status` tells the two apart.
        if job is not None and job.status == "JOB":
            assert_type(job, ReserveJob)
            token = job.lease_token
            assert_type(client.heartbeat(queue="plain", job_id=job.job_id, lease_token=token), int)
            failed = client.ack_fail(queue="plain", job_id=job.job_id, lease_token=token)
            assert_type(failed, tuple[str, int | None])
        results = client.retry_failed_batch(queue="plain", job_ids=["1"])
        assert_type(results, list[BatchResult])
        for job_id, status, reason in results:
            assert_type((job_id, status, reason), tuple[str, str, str | None])
        client.remove_job(queue="plain", job_id="1", lane=Lane.FAILED)
        client.remove_job(queue="plain", job_id="1", lane="failed")
        assert_type(client.is_paused(queue="plain"), bool)
        client.consume(queue="plain", handler=handle, stop=threading.Event())


async def use_async_client() -> None:
    async with AsyncOmniqClient(url="redis://localhost:6379/0") as client:
        assert_type(client, AsyncOmniqClient)
        assert_type(await client.publish(queue="plain", payload={"a": 1}), str)
        assert_type(await client.resume(queue="plain"), int)
        await client.consume(queue="plain", handler=handle_async)


# Monitors read over any client or bus.


def use_monitor(client: OmniqClient) -> None:
    monitor = QueueMonitor(client)
    assert_type(QueueMonitor(bus).scan_queues(), list[str])
    assert_type(monitor.stats("q"), QueueStats)
    assert_type(monitor.stats_many(), list[QueueStats])
    assert_type(monitor.lane_page("q", Lane.GWAIT, reverse=True), list[LaneJob])
    assert_type(monitor.find_jobs("q", "wait", {"1", "2"}), list[LaneJob])
    assert_type(monitor.groups_ready_with_scores("q"), list[GroupReady])
    assert_type(monitor.group_status("q", ["g"]), list[GroupStatus])
    assert_type(monitor.overview("q").failed, tuple[LaneJob, ...])
    job = monitor.get_job("q", "1")
    assert_type(job, JobInfo | None)
    if job is not None:
        assert_type(job.side, Mapping[str, str])


async def use_async_monitor(client: AsyncOmniqClient) -> None:
    monitor = AsyncQueueMonitor(client)
    assert_type(await AsyncQueueMonitor(async_bus).stats_many(["q"]), list[QueueStats])
    assert_type(await monitor.overview("q"), QueueOverview)
    assert_type(await monitor.get_job("q", "1"), JobInfo | None)


# Errors carry fields.


def use_errors(jobs: Sequence[NewJob]) -> None:
    try:
        OmniqClient(host="localhost").publish_batch(queue="q", jobs=jobs)
    except InvalidPayload as error:
        assert_type(error.faults, tuple[Fault, ...])
    except InvalidArgument as error:
        assert_type(error.field, str)
    except (DuplicateJob, LeaseLost) as error:
        assert_type(error.code, str)
    except ServerError as error:
        assert_type(error.server_message, str)
    except OmniqError:
        raise
