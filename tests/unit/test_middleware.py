"""Middleware: chains, what is built in, and what a wrong list is told."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, NoReturn, cast

import pytest
from typing_extensions import TypedDict

from omniq_typed import AsyncCtx, Ctx, Registry, Reject, Retry, message
from omniq_typed.context import Lease
from omniq_typed.errors import InvalidArgument, InvalidMessageType
from omniq_typed.messages.envelope import Envelope
from omniq_typed.messages.message import message_type
from omniq_typed.middleware import (
    LOG_FIELDS,
    AsyncHandle,
    AsyncMiddleware,
    AsyncPublish,
    Correlation,
    Handle,
    JobFields,
    LogJobs,
    Middleware,
    Publish,
    Timed,
    Timing,
    async_handling_chain,
    async_publishing_chain,
    check_middleware,
    correlation,
    handling_chain,
    publishing_chain,
)
from omniq_typed.models import Reserved
from omniq_typed.publishing import AsyncPublisher, Publisher, Settings

REGISTRY = Registry()
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@message("middleware.order", version=2, queue="orders", registry=REGISTRY)
@dataclass
class Order:
    number: int


@message("middleware.loose", registry=REGISTRY)
@dataclass
class Loose:
    number: int


class Line(TypedDict):
    number: int


LINE = message_type(Line, name="middleware.line", queue="lines", registry=REGISTRY)


@dataclass
class Unregistered:
    number: int


JOB = Reserved(
    "j1",
    b'{"number":1}',
    1_000,
    2,
    3,
    "",
    "token-1",
    30_000,
    0,
    msg_type="middleware.order",
    msg_version="2",
    msg_correlation_id="talk-1",
    msg_causation_id="j0",
    msg_traceparent=TRACE,
    msg_tracestate="vendor=1",
)
SETTINGS = Settings(registry=REGISTRY)


class Wire:
    """A transport on which every publish succeeds."""

    def run(self, command: Any) -> str:
        return "published"


class AsyncWire:
    async def run(self, command: Any) -> str:
        return "published"


def ctx_of(job: Reserved = JOB, publisher: Publisher | None = None) -> Ctx[Any]:
    found = publisher or Publisher(cast(Any, Wire()), SETTINGS)
    return Ctx(Lease("orders", job), Order(1), found)


def async_ctx_of(job: Reserved = JOB, publisher: AsyncPublisher | None = None) -> AsyncCtx[Any]:
    found = publisher or AsyncPublisher(cast(Any, AsyncWire()), SETTINGS)
    return AsyncCtx(Lease("orders", job), Order(1), found)


def raising(error: BaseException) -> Callable[[object], NoReturn]:
    def call(given: object) -> NoReturn:
        raise error

    return call


def raising_async(error: BaseException) -> Callable[[object], Any]:
    async def call(given: object) -> NoReturn:
        raise error

    return call


Run = Callable[[Any, Callable[[Any], object]], None]
"""Runs a handler within one middleware, as a Bus or an AsyncBus does."""
Send = Callable[[Any, Envelope[Any], Callable[[Envelope[Any]], str]], str]
"""Publishes through one middleware."""


def run_sync(middleware: Any, handler: Callable[[Any], object]) -> None:
    def call(ctx: Ctx[Any]) -> None:
        handler(ctx)

    handling_chain([middleware], call)(ctx_of())


def run_async(middleware: Any, handler: Callable[[Any], object]) -> None:
    async def call(ctx: AsyncCtx[Any]) -> None:
        await asyncio.sleep(0)
        handler(ctx)

    async def main() -> None:
        await async_handling_chain([middleware], call)(async_ctx_of())

    asyncio.run(main())


def send_sync(middleware: Any, envelope: Envelope[Any], call: Publish) -> str:
    return publishing_chain([middleware], call, REGISTRY)(envelope)


def send_async(middleware: Any, envelope: Envelope[Any], call: Publish) -> str:
    async def call_async(envelope: Envelope[Any]) -> str:
        await asyncio.sleep(0)
        return call(envelope)

    async def main() -> str:
        return await async_publishing_chain([middleware], call_async, REGISTRY)(envelope)

    return asyncio.run(main())


runs = pytest.mark.parametrize("run", [run_sync, run_async])
sends = pytest.mark.parametrize("send", [send_sync, send_async])


# Chains


class Trace(Middleware, AsyncMiddleware):
    """Writes down when it is entered and left."""

    def __init__(self, name: str, seen: list[str]) -> None:
        self.name = name
        self.seen = seen

    def handle(self, ctx: Ctx[Any], call_next: Handle) -> None:
        self.seen.append(f"{self.name} in")
        call_next(ctx)
        self.seen.append(f"{self.name} out")

    def publish(self, envelope: Envelope[Any], call_next: Publish) -> str:
        self.seen.append(f"{self.name} in")
        job_id = call_next(envelope)
        self.seen.append(f"{self.name} out")
        return f"{job_id}.{self.name}"

    async def handle_async(self, ctx: AsyncCtx[Any], call_next: AsyncHandle) -> None:
        self.seen.append(f"{self.name} in")
        await call_next(ctx)
        self.seen.append(f"{self.name} out")

    async def publish_async(self, envelope: Envelope[Any], call_next: AsyncPublish) -> str:
        self.seen.append(f"{self.name} in")
        job_id = await call_next(envelope)
        self.seen.append(f"{self.name} out")
        return f"{job_id}.{self.name}"


class OnlyHandles(Middleware, AsyncMiddleware):
    def handle(self, ctx: Ctx[Any], call_next: Handle) -> None:
        call_next(ctx)

    async def handle_async(self, ctx: AsyncCtx[Any], call_next: AsyncHandle) -> None:
        await call_next(ctx)


class OnlyPublishes(Middleware, AsyncMiddleware):
    def publish(self, envelope: Envelope[Any], call_next: Publish) -> str:
        return call_next(envelope)

    async def publish_async(self, envelope: Envelope[Any], call_next: AsyncPublish) -> str:
        return await call_next(envelope)


ONION = ["a in", "b in", "c in", "called", "c out", "b out", "a out"]


def three(seen: list[str]) -> list[Trace]:
    return [Trace(name, seen) for name in "abc"]


def test_the_first_is_the_outermost() -> None:
    seen: list[str] = []
    handling_chain(three(seen), lambda ctx: seen.append("called"))(ctx_of())
    assert seen == ONION


def test_the_first_is_the_outermost_of_a_publish() -> None:
    seen: list[str] = []

    def call(envelope: Envelope[Any]) -> str:
        seen.append("called")
        return "id"

    assert publishing_chain(three(seen), call)(Envelope(Order(1))) == "id.c.b.a"
    assert seen == ONION


async def test_the_first_is_the_outermost_of_the_async_chains() -> None:
    seen: list[str] = []

    async def call(ctx: AsyncCtx[Any]) -> None:
        seen.append("called")

    async def call_publish(envelope: Envelope[Any]) -> str:
        seen.append("called")
        return "id"

    await async_handling_chain(three(seen), call)(async_ctx_of())
    job_id = await async_publishing_chain(three(seen), call_publish)(Envelope(Order(1)))
    assert job_id == "id.c.b.a"
    assert seen == ONION * 2


def handle(ctx: Ctx[Any]) -> None: ...


def publish(envelope: Envelope[Any]) -> str:
    return "id"


async def handle_async(ctx: AsyncCtx[Any]) -> None: ...


async def publish_async(envelope: Envelope[Any]) -> str:
    return "id"


def test_no_middleware_costs_nothing() -> None:
    assert handling_chain([], handle) is handle
    assert publishing_chain([], publish) is publish
    assert async_handling_chain([], handle_async) is handle_async
    assert async_publishing_chain([], publish_async) is publish_async


def test_middleware_without_a_method_is_left_out_of_its_chain() -> None:
    assert handling_chain([OnlyPublishes()], handle) is handle
    assert publishing_chain([OnlyHandles()], publish) is publish
    assert async_handling_chain([OnlyPublishes()], handle_async) is handle_async
    assert async_publishing_chain([OnlyHandles()], publish_async) is publish_async
    assert handling_chain([OnlyHandles()], handle) is not handle
    assert publishing_chain([OnlyPublishes()], publish) is not publish
    assert async_handling_chain([OnlyHandles()], handle_async) is not handle_async
    assert async_publishing_chain([OnlyPublishes()], publish_async) is not publish_async


async def test_what_is_not_overridden_passes_through() -> None:
    seen: list[object] = []

    async def call(ctx: AsyncCtx[Any]) -> None:
        seen.append(ctx)

    ctx, async_ctx, envelope = ctx_of(), async_ctx_of(), Envelope(Order(1))
    Middleware().handle(ctx, seen.append)
    await AsyncMiddleware().handle_async(async_ctx, call)
    assert seen == [ctx, async_ctx]
    assert Middleware().publish(envelope, publish) == "id"
    assert await AsyncMiddleware().publish_async(envelope, publish_async) == "id"


def test_a_chain_is_put_together_once() -> None:
    seen: list[str] = []
    middleware = [Trace("a", seen)]
    chain = handling_chain(middleware, lambda ctx: seen.append("called"))
    middleware.append(Trace("late", seen))
    chain(ctx_of())
    chain(ctx_of())
    assert seen == ["a in", "called", "a out"] * 2


class Forgiving(Middleware):
    """Sees a handler's end and changes it."""

    def handle(self, ctx: Ctx[Any], call_next: Handle) -> None:
        try:
            call_next(ctx)
        except LookupError as error:
            raise Reject("gone") from error
        except ArithmeticError:
            return  # completes the job


def test_how_a_handler_ends_passes_through_and_may_be_changed() -> None:
    again = Retry(after=5)
    with pytest.raises(Retry) as raised:
        handling_chain([Forgiving()], raising(again))(ctx_of())
    assert raised.value is again
    with pytest.raises(Reject, match="gone"):
        handling_chain([Forgiving()], raising(KeyError("x")))(ctx_of())
    handling_chain([Forgiving()], raising(ZeroDivisionError()))(ctx_of())


class Times(Middleware):
    """Calls what is inside `count` times."""

    def __init__(self, count: int) -> None:
        self.count = count

    def handle(self, ctx: Ctx[Any], call_next: Handle) -> None:
        for _ in range(self.count):
            call_next(ctx)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_handler_runs_as_often_as_it_is_called(count: int) -> None:
    seen: list[object] = []
    handling_chain([Times(count)], seen.append)(ctx_of())
    assert len(seen) == count


class Urgent(Middleware, AsyncMiddleware):
    def publish(self, envelope: Envelope[Any], call_next: Publish) -> str:
        return call_next(replace(envelope, queue="urgent", gid="g"))

    async def publish_async(self, envelope: Envelope[Any], call_next: AsyncPublish) -> str:
        return await call_next(replace(envelope, queue="urgent", gid="g"))


def keeping(sent: list[Envelope[Any]]) -> Publish:
    def call(envelope: Envelope[Any]) -> str:
        sent.append(envelope)
        return "id"

    return call


@sends
def test_an_envelope_may_be_replaced(send: Send) -> None:
    sent: list[Envelope[Any]] = []
    order = Order(1)
    assert send(Urgent(), Envelope(order, max_attempts=9), keeping(sent)) == "id"
    (envelope,) = sent
    assert envelope.message is order
    assert (envelope.queue, envelope.gid, envelope.max_attempts) == ("urgent", "g", 9)


@pytest.mark.parametrize(
    ("envelope", "label", "queue"),
    [
        (Envelope(Order(1)), "middleware.order v2", "orders"),
        (Envelope(Order(1), queue="other"), "middleware.order v2", "other"),
        (Envelope(Order(1), message_type=Order), "middleware.order v2", "orders"),
        (Envelope({"number": 1}, message_type=Line), "middleware.line v1", "lines"),
        (Envelope({"number": 1}, message_type=LINE), "middleware.line v1", "lines"),
        (Envelope(Loose(1)), "middleware.loose v1", None),
    ],
)
def test_middleware_knows_type_and_queue(
    envelope: Envelope[Any], label: str, queue: str | None
) -> None:
    sent: list[Envelope[Any]] = []
    send_sync(OnlyPublishes(), envelope, keeping(sent))
    assert sent[0].message_type.label == label
    assert sent[0].queue == queue


@sends
def test_an_unknown_type_is_left_for_the_last_call_to_refuse(send: Send) -> None:
    sent: list[Envelope[Any]] = []
    envelope = Envelope(Unregistered(1))
    send(OnlyPublishes(), envelope, keeping(sent))
    assert sent == [envelope]
    publisher = Publisher(
        cast(Any, Wire()), SETTINGS, lambda call: publishing_chain([OnlyPublishes()], call)
    )
    with pytest.raises(InvalidMessageType):
        publisher.publish(envelope)


# A wrong list


class OfAsync(AsyncMiddleware):
    async def handle_async(self, ctx: AsyncCtx[Any], call_next: AsyncHandle) -> None: ...


class OfSync(Middleware):
    def publish(self, envelope: Envelope[Any], call_next: Publish) -> str:
        return ""


class Misnamed(Middleware):
    async def handle_async(self, ctx: AsyncCtx[Any], call_next: AsyncHandle) -> None: ...


class AsyncHandleOnBus(Middleware):
    async def handle(self, ctx: Ctx[Any], call_next: Handle) -> None: ...  # type: ignore[override]


class AsyncPublishOnBus(Middleware):
    async def publish(  # type: ignore[override]
        self, envelope: Envelope[Any], call_next: Publish
    ) -> str:
        return ""


WRONG: list[tuple[object, type, str]] = [
    ([LogJobs], Middleware, r"\[0\] is the class LogJobs; write LogJobs\(\)"),
    ([LogJobs(), Timing], AsyncMiddleware, r"\[1\] is the class Timing; write Timing\(\)"),
    ([OfAsync()], Middleware, r"OfAsync is AsyncMiddleware, .* an AsyncBus .* for a Bus derive"),
    ([OfSync()], AsyncMiddleware, r"OfSync is Middleware, .* a Bus .* for an AsyncBus derive"),
    ([print], Middleware, r"\[0\] <built-in function print> is no middleware; derive from Middlew"),
    ([None], AsyncMiddleware, r"None is no middleware; .*override handle_async or publish_async"),
    ([Middleware()], Middleware, r"Middleware does nothing on a Bus; override handle or publish"),
    ([Misnamed()], Middleware, r"Misnamed does nothing on a Bus"),
    ([AsyncMiddleware()], AsyncMiddleware, r"does nothing on an AsyncBus; override handle_async"),
    ([AsyncHandleOnBus()], Middleware, r"AsyncHandleOnBus.handle is async.*handle_async"),
    ([AsyncPublishOnBus()], Middleware, r"AsyncPublishOnBus.publish is async.*publish_async"),
    (LogJobs(), Middleware, r"is one object; write \[LogJobs\(\.\.\.\)\]"),
    (OfAsync(), Middleware, r"is one object; write \[OfAsync\(\.\.\.\)\]"),
    ("logs", Middleware, r"'logs' is no list of Middleware"),
    (None, Middleware, r"None is no list of Middleware"),
    (7, AsyncMiddleware, r"7 is no list of AsyncMiddleware"),
]


@pytest.mark.parametrize(("middleware", "kind", "told"), WRONG)
def test_a_wrong_list_is_told_what_to_do(middleware: Any, kind: Any, told: str) -> None:
    with pytest.raises(InvalidArgument, match=told) as raised:
        check_middleware(middleware, kind)
    assert raised.value.field == "middleware"


def test_a_right_list_is_taken_in_its_order() -> None:
    both = [LogJobs(), Timing(print), Correlation()]
    assert check_middleware(both, Middleware) == tuple(both)
    assert check_middleware(iter(both), AsyncMiddleware) == tuple(both)
    assert len(check_middleware([OnlyHandles(), OnlyPublishes(), OfSync()], Middleware)) == 3
    assert len(check_middleware([OnlyHandles(), OfAsync()], AsyncMiddleware)) == 2
    assert check_middleware([], Middleware) == ()


# LogJobs and JobFields


class Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def kept() -> Iterator[Kept]:
    """What reaches the root logger, with the fields of the job at hand."""
    handler = Kept()
    handler.addFilter(JobFields())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler
    root.removeHandler(handler)
    root.setLevel(level)


BARE = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"}


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """What a record has beyond any other."""
    return {name: value for name, value in vars(record).items() if name not in BARE}


JOB_FIELDS = {
    "kind": "handle",
    "job_id": "j1",
    "queue": "orders",
    "msg_type": "middleware.order",
    "msg_version": 2,
    "attempt": 2,
    "max_attempts": 3,
    "correlation_id": "talk-1",
    "causation_id": "j0",
}


def nothing(ctx: object) -> None: ...


@runs
def test_a_job_is_logged_with_its_fields(run: Run, kept: Kept) -> None:
    run(LogJobs(), nothing)
    start, end = [each for each in kept.records if each.name == "omniq_typed.jobs"]
    assert fields_of(start) == JOB_FIELDS
    assert start.levelno == logging.DEBUG
    assert start.getMessage() == "handle j1 of middleware.order v2, queue orders: started"
    found = fields_of(end)
    duration_ms = found.pop("duration_ms")
    assert isinstance(duration_ms, float) and 0 <= duration_ms < 60_000
    assert found == {**JOB_FIELDS, "outcome": "done", "error_type": ""}
    assert end.levelno == logging.INFO
    assert end.getMessage() == (
        f"handle j1 of middleware.order v2, queue orders: done after {duration_ms:.1f} ms"
    )


class Cut(BaseException):
    """As a worker's stop interrupts a handler."""


OUTCOMES: list[tuple[BaseException, str]] = [
    (Retry(after=1), "retry"),
    (Reject("no"), "rejected"),
    (RuntimeError("boom"), "error"),
    (StopIteration(), "error"),
    (SystemExit(3), "error"),
    (Cut(), "interrupted"),
    (KeyboardInterrupt(), "interrupted"),
    (asyncio.CancelledError(), "interrupted"),
]


@pytest.mark.parametrize(("error", "outcome"), OUTCOMES)
def test_a_failure_is_a_warning_with_its_outcome(
    error: BaseException, outcome: str, kept: Kept
) -> None:
    with pytest.raises(type(error)) as raised:
        handling_chain([LogJobs()], raising(error))(ctx_of())
    assert raised.value is error
    end = kept.records[-1]
    assert end.levelno == logging.WARNING
    found = fields_of(end)
    assert (found["outcome"], found["error_type"]) == (outcome, type(error).__name__)
    assert f": {outcome}" in end.getMessage()
    assert end.exc_info is None  # the worker's own record has the traceback


@pytest.mark.parametrize(("error", "outcome"), OUTCOMES[:3] + OUTCOMES[-1:])
async def test_a_failure_of_an_async_handler_is_logged_alike(
    error: BaseException, outcome: str, kept: Kept
) -> None:
    with pytest.raises(type(error)):
        await async_handling_chain([LogJobs()], raising_async(error))(async_ctx_of())
    found = fields_of(kept.records[-1])
    assert (found["outcome"], found["error_type"]) == (outcome, type(error).__name__)


@sends
def test_a_publish_is_logged_with_the_id_of_its_job(send: Send, kept: Kept) -> None:
    send(LogJobs(), Envelope(Order(1), correlation_id="talk-2"), lambda envelope: "j9")
    (record,) = [each for each in kept.records if each.name == "omniq_typed.jobs"]
    found = fields_of(record)
    assert found.pop("duration_ms") >= 0
    assert found == {
        "kind": "publish",
        "job_id": "j9",
        "queue": "orders",
        "msg_type": "middleware.order",
        "msg_version": 2,
        "correlation_id": "talk-2",
        "causation_id": "",
        "outcome": "done",
        "error_type": "",
    }
    assert record.levelno == logging.INFO


@sends
def test_a_publish_that_fails_is_logged(send: Send, kept: Kept) -> None:
    with pytest.raises(InvalidArgument):
        send(LogJobs(), Envelope(Unregistered(1)), raising(InvalidArgument("x", "wrong")))
    (record,) = [each for each in kept.records if each.name == "omniq_typed.jobs"]
    found = fields_of(record)
    assert record.levelno == logging.WARNING
    assert (found["outcome"], found["error_type"]) == ("error", "InvalidArgument")
    assert (found["job_id"], found["queue"], found["msg_type"], found["msg_version"]) == (
        "",
        "",
        "",
        0,
    )
    assert record.getMessage().startswith("publish (no id) of (no type) v0, queue (none): error")


def test_all_fields_are_known_by_name(kept: Kept) -> None:
    """And none is one that every record has: the logging module would refuse it."""
    handling_chain([LogJobs()], nothing)(ctx_of())
    send_sync(LogJobs(), Envelope(Order(1)), publish)
    assert {name for each in kept.records for name in fields_of(each)} == set(LOG_FIELDS)
    assert len(LOG_FIELDS) == len(set(LOG_FIELDS)) and not BARE & set(LOG_FIELDS)


def test_logger_and_level_are_chosen(kept: Kept) -> None:
    logger = logging.getLogger("tests.middleware.chosen")
    handling_chain([LogJobs(logger, logging.DEBUG)], nothing)(ctx_of())
    found = [(each.name, each.levelno) for each in kept.records]
    assert found == [("tests.middleware.chosen", logging.DEBUG)] * 2


@pytest.mark.parametrize(
    ("options", "field"),
    [({"logger": "jobs"}, "logger"), ({"level": "INFO"}, "level"), ({"level": True}, "level")],
)
def test_logger_and_level_are_checked(options: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidArgument) as raised:
        LogJobs(**options)
    assert raised.value.field == field


class Broken(logging.Logger):
    """Fails at every record, as a logger with a broken filter does."""

    def handle(self, record: logging.LogRecord) -> None:
        raise OSError("no space left")


@runs
def test_a_logger_that_fails_fails_no_job(run: Run, kept: Kept) -> None:
    ran: list[object] = []
    run(LogJobs(Broken("broken")), ran.append)
    assert len(ran) == 1
    faults = [each for each in kept.records if each.name == "omniq_typed.middleware"]
    assert len(faults) == 2  # the start and the end
    assert faults[0].exc_info is not None and "no space left" in str(faults[0].exc_info[1])


def test_a_logger_that_fails_everywhere_fails_no_job(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[object] = []
    monkeypatch.setattr("omniq_typed.middleware.observing.log", Broken("broken too"))
    handling_chain([LogJobs(Broken("broken"))], ran.append)(ctx_of())
    with pytest.raises(Retry):
        handling_chain([LogJobs(Broken("broken"))], raising(Retry()))(ctx_of())
    assert len(ran) == 1


mine = logging.getLogger("tests.middleware.handler")


def say(text: str) -> Callable[[object], None]:
    def handler(ctx: object) -> None:
        mine.info(text)

    return handler


@runs
def test_what_a_handler_logs_has_the_fields_of_its_job(run: Run, kept: Kept) -> None:
    mine.info("before")
    run(LogJobs(), say("within"))
    mine.info("after")
    found = {each.getMessage(): fields_of(each) for each in kept.records if each.name == mine.name}
    assert found == {"before": {}, "within": JOB_FIELDS, "after": {}}


def test_the_fields_go_when_the_handler_raises(kept: Kept) -> None:
    with pytest.raises(Retry):
        handling_chain([LogJobs()], raising(Retry()))(ctx_of())
    mine.info("after")
    assert fields_of(kept.records[-1]) == {}


def test_a_record_of_another_job_keeps_its_own_fields(kept: Kept) -> None:
    """A publish within a handler is about the new job, not about the one at hand."""

    def handler(ctx: object) -> None:
        send_sync(LogJobs(), Envelope(Order(2)), lambda envelope: "j9")
        mine.info("mine", extra={"job_id": "j7"})
        mine.info("partly", extra={"queue": "other"})

    handling_chain([LogJobs()], handler)(ctx_of())
    published, own, partly = [fields_of(each) for each in kept.records[1:4]]
    assert published["job_id"] == "j9" and "attempt" not in published
    assert own == {"job_id": "j7"}
    assert partly == {**JOB_FIELDS, "queue": "other"}


def test_the_filter_also_filters_by_name() -> None:
    job_fields = JobFields("shop")
    assert job_fields.filter(logging.makeLogRecord({"name": "shop.orders"})) is True
    assert job_fields.filter(logging.makeLogRecord({"name": "shopping"})) is False


async def test_jobs_of_one_loop_do_not_mix(kept: Kept) -> None:
    """Each handler logs when all have begun."""
    begun = asyncio.Barrier(3)

    async def handler(ctx: AsyncCtx[Any]) -> None:
        await begun.wait()
        mine.info("of %s", ctx.job_id)

    chain = async_handling_chain([LogJobs()], handler)

    async def work(name: str) -> None:
        await chain(async_ctx_of(JOB._replace(job_id=name)))

    await asyncio.gather(*(work(name) for name in ("x", "y", "z")))
    found = [each for each in kept.records if each.name == mine.name]
    assert sorted(each.getMessage() for each in found) == ["of x", "of y", "of z"]
    assert all(each.getMessage() == f"of {fields_of(each)['job_id']}" for each in found)


def test_jobs_of_several_threads_do_not_mix(kept: Kept) -> None:
    begun = threading.Barrier(3)

    def handler(ctx: Ctx[Any]) -> None:
        begun.wait(60)
        mine.info("of %s", ctx.job_id)

    chain = handling_chain([LogJobs()], handler)
    threads = [
        threading.Thread(target=chain, args=(ctx_of(JOB._replace(job_id=name)),)) for name in "xyz"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    found = [each for each in kept.records if each.name == mine.name]
    assert sorted(each.getMessage() for each in found) == ["of x", "of y", "of z"]
    assert all(each.getMessage() == f"of {fields_of(each)['job_id']}" for each in found)


# Timing


@runs
def test_an_attempt_is_timed(run: Run) -> None:
    seen: list[Timed] = []
    inner: list[float] = []

    def handler(ctx: object) -> None:
        started = time.perf_counter()
        sum(range(10_000))
        inner.append(time.perf_counter() - started)

    started = time.perf_counter()
    run(Timing(seen.append), handler)
    outer = time.perf_counter() - started
    (timed,) = seen
    assert timed == Timed("handle", "orders", "middleware.order", 2, timed.seconds, "done")
    assert inner[0] <= timed.seconds <= outer


@pytest.mark.parametrize(("error", "outcome"), OUTCOMES)
async def test_timing_tells_how_an_attempt_ended(error: BaseException, outcome: str) -> None:
    seen: list[Timed] = []
    timing = Timing(seen.append)
    with pytest.raises(type(error)) as raised:
        handling_chain([timing], raising(error))(ctx_of())
    assert raised.value is error
    if not isinstance(error, (StopIteration, SystemExit, KeyboardInterrupt)):
        with pytest.raises(type(error)):
            await async_handling_chain([timing], raising_async(error))(async_ctx_of())
        assert len(seen) == 2
    assert {timed.outcome for timed in seen} == {outcome}


@sends
def test_a_publish_is_timed(send: Send) -> None:
    seen: list[Timed] = []
    assert send(Timing(seen.append), Envelope(Order(1), queue="other"), publish) == "id"
    with pytest.raises(InvalidArgument):
        send(Timing(seen.append), Envelope(Unregistered(1)), raising(InvalidArgument("x", "y")))
    assert [replace(timed, seconds=0) for timed in seen] == [
        Timed("publish", "other", "middleware.order", 2, 0, "done"),
        Timed("publish", "", "", 0, 0, "error"),
    ]


@runs
def test_an_observer_that_fails_fails_no_job(run: Run, kept: Kept) -> None:
    ran: list[object] = []
    timing = Timing(raising(OSError("metrics are away")))
    run(timing, ran.append)
    assert len(ran) == 1
    with pytest.raises(Reject, match="on purpose"):
        run(timing, raising(Reject("on purpose")))
    faults = [each for each in kept.records if each.name == "omniq_typed.middleware"]
    assert [str(each.exc_info and each.exc_info[1]) for each in faults] == ["metrics are away"] * 2


@pytest.mark.parametrize("observe", [None, "observe", publish_async])
def test_an_observer_is_a_plain_function(observe: Any) -> None:
    with pytest.raises(InvalidArgument, match="plain function") as raised:
        Timing(observe)
    assert raised.value.field == "observe"


# Correlation


def sent_through(send: Send, envelope: Envelope[Any] | None = None) -> tuple[Any, ...]:
    """The conversation of an envelope as it leaves the middleware."""
    sent: list[Envelope[Any]] = []
    send(Correlation(), envelope or Envelope(Order(2)), keeping(sent))
    return conversation_of(sent[0])


def conversation_of(envelope: Envelope[Any]) -> tuple[Any, ...]:
    return (
        envelope.correlation_id,
        envelope.causation_id,
        envelope.traceparent,
        envelope.tracestate,
    )


NONE = (None, None, None, None)
OF_JOB = ("talk-1", "j1", TRACE, "vendor=1")


def published_in(context: contextvars.Context, envelope: Envelope[Any] | None = None) -> Any:
    return context.run(sent_through, send_sync, envelope)


@runs
def test_what_a_handler_publishes_belongs_to_its_conversation(run: Run) -> None:
    seen: list[object] = []

    def handler(ctx: object) -> None:
        seen.append(published_in(contextvars.copy_context()))
        own = Envelope(Order(2), correlation_id="mine", traceparent="00-mine")
        seen.append(published_in(contextvars.copy_context(), own))

    run(Correlation(), handler)
    assert seen == [OF_JOB, ("mine", "j1", "00-mine", None)]
    assert sent_through(send_sync) == NONE


async def test_an_async_handler_publishes_in_its_conversation() -> None:
    sent: list[Envelope[Any]] = []

    async def keep(envelope: Envelope[Any]) -> str:
        sent.append(envelope)
        return "id"

    async def handler(ctx: AsyncCtx[Any]) -> None:
        await async_publishing_chain([Correlation()], keep)(Envelope(Order(2)))

    chain = async_handling_chain([Correlation()], handler)
    await chain(async_ctx_of())
    assert conversation_of(sent[0]) == OF_JOB


def test_a_job_without_conversation_starts_one() -> None:
    job = JOB._replace(msg_correlation_id="", msg_traceparent="", msg_tracestate="")
    seen: list[object] = []

    def handler(ctx: Ctx[Any]) -> None:
        seen.append(sent_through(send_sync))

    handling_chain([Correlation()], handler)(ctx_of(job))
    assert seen == [("j1", "j1", "", "")]


def test_the_conversation_ends_with_the_job_also_when_it_fails() -> None:
    with pytest.raises(Retry):
        handling_chain([Correlation()], raising(Retry()))(ctx_of())
    assert sent_through(send_sync) == NONE


@sends
def test_a_block_gives_its_conversation_to_what_is_published_within(send: Send) -> None:
    with correlation("req-1", traceparent=TRACE, tracestate="a=b") as correlation_id:
        assert correlation_id == "req-1"
        assert sent_through(send) == ("req-1", "", TRACE, "a=b")
        own = Envelope(Order(2), correlation_id="mine", causation_id="by-me")
        assert sent_through(send, own) == ("mine", "by-me", TRACE, "a=b")
    assert sent_through(send) == NONE


@pytest.mark.parametrize("given", [None, ""])
def test_a_block_without_id_makes_one(given: str | None) -> None:
    with correlation(given) as first:
        assert sent_through(send_sync)[0] == first
    with correlation(given) as second:
        assert len(second) == 22 and second != first


def test_blocks_nest() -> None:
    with correlation("outer", traceparent=TRACE, tracestate="a=b"):
        with correlation() as same:
            assert same == "outer"
            assert sent_through(send_sync) == ("outer", "", TRACE, "a=b")
        with correlation("inner", traceparent="00-inner"):
            assert sent_through(send_sync) == ("inner", "", "00-inner", "")
        with correlation("inner", tracestate="alone=dropped"):
            assert sent_through(send_sync) == ("inner", "", TRACE, "a=b")
        assert sent_through(send_sync) == ("outer", "", TRACE, "a=b")


def test_a_block_in_a_handler_keeps_the_cause() -> None:
    seen: list[object] = []

    def handler(ctx: Ctx[Any]) -> None:
        with correlation("other"):
            seen.append(sent_through(send_sync))
        seen.append(sent_through(send_sync))

    handling_chain([Correlation()], handler)(ctx_of())
    assert seen == [("other", "j1", TRACE, "vendor=1"), OF_JOB]


def test_exec_publishes_in_the_conversation_of_its_job() -> None:
    """Whatever block it is called in; it names the conversation itself."""
    sent: list[Envelope[Any]] = []
    publisher = Publisher(
        cast(Any, Wire()),
        SETTINGS,
        lambda call: publishing_chain([Correlation()], keeping(sent), REGISTRY),
    )
    with correlation("req-1", traceparent="00-other"):
        ctx_of(publisher=publisher).exec.publish_json(Order(2))
        ctx_of(publisher=publisher).exec.publish_json(Order(2), correlation_id="mine")
    assert conversation_of(sent[0]) == OF_JOB
    assert conversation_of(sent[1]) == ("mine", "j1", TRACE, "vendor=1")


async def test_tasks_and_to_thread_inherit_the_conversation() -> None:
    seen: dict[str, object] = {}

    def look(where: str) -> None:
        seen[where] = sent_through(send_sync)

    async def look_async(where: str) -> None:
        look(where)

    with correlation("req-1"):
        task = asyncio.create_task(look_async("task"))
        await asyncio.to_thread(look, "to_thread")
    await task
    assert seen == {"task": ("req-1", "", "", ""), "to_thread": ("req-1", "", "", "")}


@pytest.mark.parametrize("middleware", [LogJobs(), Correlation()])
def test_a_handler_that_is_never_resumed_may_be_closed_from_elsewhere(middleware: Any) -> None:
    """As an event loop does with what is left when it ends."""

    async def handler(ctx: AsyncCtx[Any]) -> None:
        await asyncio.get_running_loop().create_future()

    async def one_step() -> Any:
        running = async_handling_chain([middleware], handler)(async_ctx_of())
        contextvars.copy_context().run(running.send, None)  # type: ignore[attr-defined]
        return running

    running = asyncio.run(one_step())
    with correlation("outside"):
        running.close()
        assert sent_through(send_sync)[0] == "outside"


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"correlation_id": 7}, "correlation_id"),
        ({"correlation_id": "\ud800"}, "correlation_id"),
        ({"traceparent": b"00"}, "traceparent"),
        ({"tracestate": ["a=b"]}, "tracestate"),
    ],
)
def test_a_conversation_is_text(options: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidArgument) as raised, correlation(**options):
        pass
    assert raised.value.field == field
