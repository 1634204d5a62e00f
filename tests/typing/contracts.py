"""Message types, handlers, upcasts, policies, providers and middleware used rightly. Never run:
both type checkers have to accept all of it (test_types.py)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Annotated, Any, Generic, Literal, TypeVar, assert_type

from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from omniq_typed import (
    AsyncBus,
    AsyncCtx,
    AsyncMiddleware,
    Bus,
    ByException,
    Ctx,
    DeadLetter,
    Delays,
    Envelope,
    Exponential,
    Fixed,
    InvalidJob,
    InvalidOutcome,
    JobBackoff,
    LeaveForOthers,
    Linear,
    MessageType,
    Middleware,
    Never,
    Provide,
    PublishResult,
    Registry,
    Retry,
    SafeInt,
    VersionCount,
    message,
    message_type,
    upcast,
)
from omniq_typed.errors import DuplicateJob, InvalidArgument
from omniq_typed.middleware import Correlation, JobFields, LogJobs, Timed, Timing, correlation
from omniq_typed.protocols import RetryPolicy
from omniq_typed.worker.invalid import InvalidPolicy

T = TypeVar("T")
registry = Registry(strict_types=True)


@message("order", version=2, registry=registry, gid=lambda order: order.id, retry=Never())
@dataclass
class Order:
    id: str
    amount: SafeInt


@message("place", registry=registry, shared=True, compatibility="FULL")
class Place(TypedDict):
    city: str


class Paid(BaseModel):
    kind: Literal["paid"] = "paid"


class Refused(BaseModel):
    kind: Literal["refused"] = "refused"
    why: str


class Page(BaseModel, Generic[T]):
    items: list[T]


Payment = message_type(Paid | Refused, name="payment", registry=registry)
Tagged = message_type(
    Annotated[Paid | Refused, Field(discriminator="kind")], name="tagged", registry=registry
)
Pages = message_type(Page[Order], name="pages", registry=registry)
Names = message_type(list[str], name="names", registry=registry)

assert_type(Payment, MessageType[Paid | Refused])
assert_type(Tagged, MessageType[Paid | Refused])
assert_type(Pages, MessageType[Page[Order]])
assert_type(Names, MessageType[list[str]])
assert_type(registry.of_type(Order), MessageType[Order])


# Steps between versions


@upcast(Order, from_version=1, registry=registry)
def total_is_amount(order: dict[str, Any]) -> dict[str, Any]:
    return {**order, "amount": order["total"]}


assert_type(total_is_amount({}), dict[str, Any])


# Handlers


class Session:
    def save(self, order: Order) -> None: ...


class Clock:
    """A provider may be a class."""


def get_session(ctx: Ctx[Any], clock: Annotated[Clock, Provide(Clock)]) -> Iterator[Session]:
    yield Session()


async def get_async_session() -> AsyncIterator[Session]:
    yield Session()


async def get_clock() -> Clock:
    return Clock()


assert_type(Provide(get_session), Provide[Session])
assert_type(Provide(get_async_session), Provide[Session])
assert_type(Provide(get_clock), Provide[Clock])
assert_type(Provide(Clock), Provide[Clock])

SessionHere = Annotated[Session, Provide(get_session)]

bus = Bus("embedded://", registry=registry)
async_bus = AsyncBus("embedded://", registry=registry)


@bus.consumer(Order)
def on_order(ctx: Ctx[Order], session: SessionHere) -> None:
    session.save(ctx.payload)


@bus.consumer(Order)
def on_order_alone(order: Order, session: SessionHere, times: int = 1) -> int:
    session.save(order)
    return times


@bus.consumer(Place)
def on_place(place: Place) -> None:
    assert_type(place["city"], str)


@bus.consumer(Payment, lax=True, on_invalid=LeaveForOthers(times=3, pause_ms=10))
def on_payment(ctx: Ctx[Paid | Refused]) -> None:
    assert_type(ctx.payload, Paid | Refused)


@bus.consumer(Pages)
def on_page(page: Page[Order]) -> None:
    assert_type(page.items, list[Order])


@async_bus.consumer(Order)
async def on_order_async(
    ctx: AsyncCtx[Order], session: Annotated[Session, Provide(get_async_session)]
) -> None:
    session.save(ctx.payload)
    results = await ctx.exec.publish_many([Order("1", 1), Envelope(Order("2", 2), gid="a")])
    assert_type(results, list[PublishResult])


@async_bus.consumer(Payment)
async def on_payment_async(payment: Paid | Refused) -> None:
    assert_type(payment, Paid | Refused)


class Service:
    def __init__(self) -> None:
        bus.consumer(Order)(self.on_order)
        bus.consumer(Order)(self)

    def on_order(self, order: Order) -> None: ...

    def __call__(self, ctx: Ctx[Order]) -> None: ...


def check_handlers_stay_what_they_were(ctx: Ctx[Order], session: Session) -> None:
    on_order(ctx, session)
    on_order(ctx, session=session)
    assert_type(on_order_alone(Order("1", 1), session, 2), int)


@bus.on_invalid("orders")
def on_invalid(job: InvalidJob) -> InvalidOutcome | None:
    assert_type(job.payload, bytes)
    assert_type(job.deferrals, int)
    if job.deferrals < 3:
        raise Retry(after=timedelta(minutes=1))
    return InvalidOutcome.HANDLED


@async_bus.on_invalid("orders")
async def on_invalid_async(job: InvalidJob) -> InvalidOutcome | None:
    raise Retry(after=1.5)


class OnlyUnknown:
    """An invalid policy needs no base class."""

    def wait_ms(self, reason: str, deferrals: int) -> int | None:
        return 1_000 if reason == "unknown_type" else None


invalid_policies: list[InvalidPolicy] = [DeadLetter(), LeaveForOthers(), OnlyUnknown()]
retry_policies: list[RetryPolicy] = [
    JobBackoff(),
    Fixed(5),
    Linear(first_ms=1, step_ms=2, max_ms=3),
    Exponential(),
    Delays([1, 2, 3]),
    ByException({ConnectionError: Exponential(), ValueError: Never()}, otherwise=Fixed(5)),
    Never(),
]


# Publishing


def publish() -> None:
    assert_type(bus.publish_json(Place(city="Rome"), message_type=Place), str)
    assert_type(bus.publish_json(Paid(), message_type=Payment, correlation_id="r-1"), str)
    envelope = Envelope(Order("1", 1), queue="orders", gid="a", due_ms=5)
    assert_type(envelope, Envelope[Order])
    assert_type(envelope.message.amount, int)
    results = bus.publish_many([Order("1", 1), envelope, Refused(why="no")])
    assert_type(results, list[PublishResult])
    assert_type(results[0].error, DuplicateJob | InvalidArgument | None)
    assert_type(results[0].ok, bool)
    assert_type(bus.publish_each(Order(str(n), n) for n in range(5)), Iterator[PublishResult])
    versions = bus.versions_in_flight("orders")
    assert_type(versions, list[VersionCount])
    assert_type(versions[0].total, int)


# Middleware


class Tag(Middleware):
    def handle(self, ctx: Ctx[Any], call_next: Callable[[Ctx[Any]], None]) -> None:
        call_next(ctx)

    def publish(self, envelope: Envelope[Any], call_next: Callable[[Envelope[Any]], str]) -> str:
        return call_next(replace(envelope, correlation_id="r-1"))


class AsyncTag(AsyncMiddleware):
    async def handle_async(
        self, ctx: AsyncCtx[Any], call_next: Callable[[AsyncCtx[Any]], Awaitable[None]]
    ) -> None:
        await call_next(ctx)

    async def publish_async(
        self, envelope: Envelope[Any], call_next: Callable[[Envelope[Any]], Awaitable[str]]
    ) -> str:
        return await call_next(envelope)


def observe(timed: Timed) -> None:
    assert_type(timed.seconds, float)
    assert_type(timed.queue, str)


with_middleware = Bus("embedded://", middleware=[Tag(), LogJobs(), Timing(observe), Correlation()])
with_async = AsyncBus(
    "embedded://", middleware=[AsyncTag(), LogJobs(), Timing(observe), Correlation()]
)


@with_middleware.consumer(Order, middleware=[Tag(), LogJobs()])
def logged(ctx: Ctx[Order]) -> None:
    JobFields()
    with correlation("request-7"):
        with_middleware.publish_json(ctx.payload)
