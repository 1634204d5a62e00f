"""What a registered handler may be, what it is given and what is around it, on real workers."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import pytest

from omniq_typed import (
    AsyncBus,
    AsyncCtx,
    AsyncMiddleware,
    Bus,
    ByException,
    Ctx,
    Delays,
    Envelope,
    Fixed,
    Middleware,
    Never,
    Provide,
    Registry,
    Reject,
    Retry,
    message,
)
from omniq_typed.errors import InvalidMessageType
from omniq_typed.middleware import Correlation, LogJobs, Timed, Timing, correlation
from tests.conformance.doors import Face, handler_for, open_bus
from tests.servers import Server
from tests.workers import Seen, Watch, on_loop, running

REGISTRY = Registry(strict_types=False)


@message("order", queue="orders", backoff_ms=1, registry=REGISTRY)
@dataclass
class Order:
    number: int


@message("invoice", queue="invoices", backoff_ms=1, registry=REGISTRY)
@dataclass
class Invoice:
    number: int


def working(face: Face, url: str, set_up: Callable[[Any], None], **options: Any) -> Any:
    """A bus of either face that works on what `set_up` registers, in a thread."""

    def run(stop: Any) -> None:
        with Bus(url, registry=REGISTRY, **options) as bus:
            set_up(bus)
            bus.run(stop=stop)

    async def run_async(stop: Any) -> None:
        async with AsyncBus(url, registry=REGISTRY, **options) as bus:
            set_up(bus)
            await bus.run(stop=stop)

    return running(run if face == "sync" else on_loop(run_async))


# What a handler may be. `seen` gets what it was given.


class Service:
    """With a bound method of each face, and itself callable."""

    def __init__(self, seen: Seen) -> None:
        self.seen = seen

    def method(self, order: Order) -> None:
        self.seen.add(order)

    async def async_method(self, order: Order) -> None:
        self.seen.add(order)


class Callable_(Service):
    def __call__(self, ctx: Ctx[Order]) -> None:
        self.seen.add(ctx.payload)


class AsyncCallable(Service):
    async def __call__(self, ctx: AsyncCtx[Order]) -> None:
        self.seen.add(ctx.payload)


def handlers(face: Face, seen: Seen) -> dict[str, Callable[..., Any]]:
    def function(ctx: Ctx[Order]) -> None:
        seen.add(ctx.payload)

    def alone(order: Order) -> None:
        seen.add(order)

    def more(order: Order, label: str) -> None:
        seen.add(order)

    async def async_function(ctx: AsyncCtx[Order]) -> None:
        seen.add(ctx.payload)

    async def async_alone(order: Order) -> None:
        seen.add(order)

    async def async_more(order: Order, label: str) -> None:
        seen.add(order)

    if face == "sync":
        return {
            "function": function,
            "payload alone": alone,
            "bound method": Service(seen).method,
            "callable": Callable_(seen),
            "partial": functools.partial(more, label="x"),
            "lambda": lambda ctx: seen.add(ctx.payload),
        }
    return {
        "function": async_function,
        "payload alone": async_alone,
        "bound method": Service(seen).async_method,
        "callable": AsyncCallable(seen),
        "partial": functools.partial(async_more, label="x"),
        "lambda": handler_for("async", lambda ctx: seen.add(ctx.payload)),
    }


@pytest.mark.parametrize("kind", [*handlers("sync", Seen())])
def test_a_handler_may_be_any_callable(server: Server, face: Face, watch: Watch, kind: str) -> None:
    seen = Seen()
    handler = handlers(face, seen)[kind]
    with open_bus(face, server.url, registry=REGISTRY) as bus:
        job_id = bus.publish_json(Order(7))
    with working(face, server.url, lambda bus: bus.consumer(Order)(handler)):
        assert seen.next() == Order(7)
        watch.reaches("orders", job_id, "completed")


def test_a_handler_of_the_other_face_is_refused(face: Face) -> None:
    other: Face = "async" if face == "sync" else "sync"
    with open_bus(face, "embedded://", registry=REGISTRY) as bus:
        for handler in handlers(other, Seen()).values():
            if "lambda" in repr(handler) and other == "sync":
                continue  # its kind cannot be told before it is called
            with pytest.raises(InvalidMessageType):
                bus.consumer(Order)(handler)


def test_a_handler_for_another_type_is_refused(face: Face) -> None:
    def wrong(ctx: Ctx[Invoice]) -> None: ...

    def wrong_alone(invoice: Invoice) -> None: ...

    async def async_wrong(ctx: AsyncCtx[Invoice]) -> None: ...

    async def async_wrong_alone(invoice: Invoice) -> None: ...

    tried: list[Any] = [wrong, wrong_alone] if face == "sync" else [async_wrong, async_wrong_alone]
    with open_bus(face, "embedded://", registry=REGISTRY) as bus:
        for handler in tried:
            with pytest.raises(InvalidMessageType, match="Invoice"):
                bus.consumer(Order)(handler)


# Dependencies.


class Session:
    """Says what happens to it."""

    def __init__(self, events: list[str], job_id: str) -> None:
        self.events = events
        self.job_id = job_id
        events.append(f"open {job_id}")


EVENTS: list[str] = []


def get_session(ctx: Ctx[Any]) -> Iterator[Session]:
    session = Session(EVENTS, ctx.job_id)
    try:
        yield session
        EVENTS.append(f"commit {ctx.job_id}")
    except Exception as error:
        EVENTS.append(f"rollback {ctx.job_id} {error}")
    finally:
        EVENTS.append(f"close {ctx.job_id}")


async def get_async_session(ctx: AsyncCtx[Any]) -> AsyncIterator[Session]:
    await asyncio.sleep(0)
    session = Session(EVENTS, ctx.job_id)
    try:
        yield session
        EVENTS.append(f"commit {ctx.job_id}")
    except Exception as error:
        EVENTS.append(f"rollback {ctx.job_id} {error}")
    finally:
        EVENTS.append(f"close {ctx.job_id}")


def fails_first(order: Order, session: Session, attempt: int) -> None:
    assert session.events[-1].startswith("open")
    if attempt == 1:
        raise ValueError("first")


def on_order(ctx: Ctx[Order], session: Annotated[Session, Provide(get_session)]) -> None:
    fails_first(ctx.payload, session, ctx.attempt)


async def on_order_async(
    ctx: AsyncCtx[Order], session: Annotated[Session, Provide(get_async_session)]
) -> None:
    fails_first(ctx.payload, session, ctx.attempt)


def test_a_dependency_lives_as_long_as_the_attempt_and_sees_it_fail(
    server: Server, face: Face, watch: Watch
) -> None:
    EVENTS.clear()
    with open_bus(face, server.url, registry=REGISTRY) as bus:
        bus.publish_json(Order(7), job_id="1")
    handler: Any = on_order if face == "sync" else on_order_async
    with working(face, server.url, lambda bus: bus.consumer(Order)(handler)):
        done = watch.reaches("orders", "1", "completed")
    assert [
        *["open 1", "rollback 1 first", "close 1"],  # which did not make it a success
        *["open 1", "commit 1", "close 1"],
    ] == EVENTS
    assert done.attempt == 2
    assert done.last_error == "ValueError: first"


# How a job ends.

BY_EXCEPTION = ByException({LookupError: Fixed(1), ValueError: Never()}, otherwise=Never())


@pytest.mark.parametrize(
    ("error", "options", "state", "attempt"),
    [
        (Reject("no"), {}, "failed", 1),
        (ValueError(), {"retry": Never()}, "failed", 1),
        (ValueError(), {"retry": BY_EXCEPTION}, "failed", 1),
        (KeyError(), {"retry": BY_EXCEPTION}, "failed", 3),
        (OSError(), {"retry": BY_EXCEPTION}, "failed", 1),
        (Retry(after=0.001), {"retry": Never()}, "failed", 3),
        (ValueError(), {"retry": Delays([1, 2])}, "failed", 3),
    ],
)  # fmt: skip
def test_how_a_job_ends_is_the_handlers_or_the_policys_choice(
    server: Server,
    face: Face,
    watch: Watch,
    error: Exception,
    options: dict[str, Any],
    state: str,
    attempt: int,
) -> None:
    def handler(ctx: Any) -> None:
        raise error

    with open_bus(face, server.url, registry=REGISTRY) as bus:
        job_id = bus.publish_json(Order(7))

    def set_up(bus: Any) -> None:
        bus.consumer(Order, **options)(handler_for(face, handler))

    with working(face, server.url, set_up):
        job = watch.reaches("orders", job_id, state)
    assert job.attempt == attempt


def test_the_types_policy_counts_where_the_consumer_names_none(
    server: Server, face: Face, watch: Watch
) -> None:
    own = Registry(strict_types=False)
    message("order", queue="orders", retry=Never(), registry=own)(Order)

    def handler(ctx: Any) -> None:
        raise ValueError

    with open_bus(face, server.url, registry=own) as bus:
        job_id = bus.publish_json(Order(7))

    def run(stop: Any) -> None:
        with Bus(server.url, registry=own) as bus:
            bus.consumer(Order)(handler)
            bus.run(stop=stop)

    with running(run):
        assert watch.reaches("orders", job_id, "failed").attempt == 1


# Middleware.


class Note(Middleware, AsyncMiddleware):
    """Notes what passes."""

    def __init__(self, name: str, notes: list[str]) -> None:
        self.name = name
        self.notes = notes

    def handle(self, ctx: Ctx[Any], call_next: Any) -> None:
        self.notes.append(f"{self.name} in")
        call_next(ctx)
        self.notes.append(f"{self.name} out")

    async def handle_async(self, ctx: AsyncCtx[Any], call_next: Any) -> None:
        self.notes.append(f"{self.name} in")
        await call_next(ctx)
        self.notes.append(f"{self.name} out")

    def publish(self, envelope: Envelope[Any], call_next: Any) -> str:
        self.notes.append(f"{self.name} publishes {type(envelope.message).__name__}")
        job_id: str = call_next(envelope)
        return job_id

    async def publish_async(self, envelope: Envelope[Any], call_next: Any) -> str:
        self.notes.append(f"{self.name} publishes {type(envelope.message).__name__}")
        job_id: str = await call_next(envelope)
        return job_id


def test_the_buss_middleware_is_outside_the_consumers(
    server: Server, face: Face, watch: Watch
) -> None:
    notes: list[str] = []

    def on_order(ctx: Ctx[Order]) -> None:
        notes.append("handler")
        ctx.exec.publish_json(Invoice(ctx.payload.number))

    async def on_order_async(ctx: AsyncCtx[Order]) -> None:
        notes.append("handler")
        await ctx.exec.publish_many([Invoice(ctx.payload.number)])

    def set_up(bus: Any) -> None:
        inner = [Note("c", notes)]
        bus.consumer(Order, middleware=inner)(on_order if face == "sync" else on_order_async)

    job_id = watch.client.publish(queue="orders", payload={"number": 7})
    outer = [Note("a", notes), Note("b", notes)]
    with working(face, server.url, set_up, middleware=outer):
        watch.reaches("orders", job_id, "completed")
    assert notes == [
        *["a in", "b in", "c in", "handler"],
        *["a publishes Invoice", "b publishes Invoice"],
        *["c out", "b out", "a out"],
    ]


class Refuse(Middleware, AsyncMiddleware):
    """Lets nothing through."""

    def handle(self, ctx: Ctx[Any], call_next: Any) -> None:
        raise Reject("not on my watch")

    async def handle_async(self, ctx: AsyncCtx[Any], call_next: Any) -> None:
        raise Reject("not on my watch")


def test_middleware_may_decide_how_a_job_ends(server: Server, face: Face, watch: Watch) -> None:
    seen = Seen()
    job_id = watch.client.publish(queue="orders", payload={"number": 7})

    def set_up(bus: Any) -> None:
        bus.consumer(Order, middleware=[Refuse()])(handler_for(face, seen.add))

    with working(face, server.url, set_up):
        failed = watch.reaches("orders", job_id, "failed")
    assert failed.last_error == "not on my watch"
    assert seen.nothing_more()


def test_a_conversation_goes_on_through_any_bus(server: Server, face: Face, watch: Watch) -> None:
    """A handler may publish on a bus of the module, and not by its ctx."""
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with open_bus(face, server.url, registry=REGISTRY, middleware=[Correlation()]) as other:
        with correlation("request-7", traceparent=trace):
            first = other.publish_json(Order(7))

        def set_up(bus: Any) -> None:
            def on_order(ctx: Ctx[Order]) -> None:
                bus.publish_json(Invoice(1), job_id="by-bus")
                ctx.exec.publish_json(Invoice(2), job_id="by-ctx")

            async def on_order_async(ctx: AsyncCtx[Order]) -> None:
                await bus.publish_json(Invoice(1), job_id="by-bus")
                await ctx.exec.publish_json(Invoice(2), job_id="by-ctx")

            bus.consumer(Order)(on_order if face == "sync" else on_order_async)

        with working(face, server.url, set_up, middleware=[Correlation()]):
            watch.reaches("orders", first, "completed")
    for job_id in ("by-bus", "by-ctx"):
        side = watch.job("invoices", job_id).side
        assert side["msg_correlation_id"] == "request-7"
        assert side["msg_causation_id"] == first
        assert side["msg_traceparent"] == trace


def test_jobs_are_logged_and_timed(
    server: Server, face: Face, watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    timed: list[Timed] = []
    job_id = watch.client.publish(queue="orders", payload={"number": 7})

    def set_up(bus: Any) -> None:
        bus.consumer(Order)(handler_for(face, lambda ctx: None))

    with (
        caplog.at_level(logging.INFO, "omniq_typed.jobs"),
        working(face, server.url, set_up, middleware=[LogJobs(), Timing(timed.append)]),
    ):
        watch.reaches("orders", job_id, "completed")
    (record,) = [each for each in caplog.records if each.name == "omniq_typed.jobs"]
    fields = vars(record)
    assert (fields["job_id"], fields["queue"], fields["outcome"]) == (job_id, "orders", "done")
    (one,) = timed
    assert (one.kind, one.queue, one.outcome) == ("handle", "orders", "done")
