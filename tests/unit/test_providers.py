"""Dependencies of handlers, through the door by which handlers come in. No server: the ctx is
real, what it would publish with is not."""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Literal,
    NewType,
    Protocol,
    runtime_checkable,
)

import pytest

from omniq_typed.context import AsyncCtx, Ctx, Lease
from omniq_typed.errors import InvalidArgument, InvalidMessageType, Reject, Retry
from omniq_typed.models import Reserved
from omniq_typed.providers import Provide
from omniq_typed.worker.handling import bind_handler
from omniq_typed.worker.stopping import StopNow

if TYPE_CHECKING:
    from decimal import Decimal as Gone
    from typing import Annotated as UnknownAnnotated

    from omniq_typed.providers import Provide as Provided

JOB = Reserved("j1", b"{}", 1_000, 2, 3, "", "token-1", 30_000, 0)
NO_PUBLISHER: Any = SimpleNamespace(transport=None, settings=None)

LOG: list[str] = []
"""What the providers of this module did, in order."""


@pytest.fixture(autouse=True)
def _forget() -> None:
    LOG.clear()


@dataclass
class Order:
    number: int = 1


class Session:
    def __init__(self) -> None:
        self.saved: list[int] = []


class BetterSession(Session):
    pass


class Mailer:
    pass


def sync_ctx(payload: object = None) -> Ctx[Any]:
    return Ctx(Lease("orders", JOB), payload or Order(), NO_PUBLISHER)


def async_ctx(payload: object = None) -> AsyncCtx[Any]:
    return AsyncCtx(Lease("orders", JOB), payload or Order(), NO_PUBLISHER)


def run(handler: Any, ctx: Any = None) -> Any:
    return bind_handler(handler, Order, is_async=False)(ctx or sync_ctx())


async def run_async(handler: Any, ctx: Any = None) -> Any:
    return await bind_handler(handler, Order, is_async=True)(ctx or async_ctx())


def refusal(handler: Any, *, is_async: bool = False) -> str:
    with pytest.raises(InvalidMessageType) as refused:
        bind_handler(handler, Order, is_async=is_async)
    assert refused.value.field == "consumer"
    return refused.value.problem


def get_session() -> Session:
    LOG.append("session")
    return Session()


def opened_session() -> Iterator[Session]:
    LOG.append("open")
    try:
        yield Session()
        LOG.append("commit")
    except BaseException as error:
        LOG.append(f"rollback {type(error).__name__}")
        raise
    finally:
        LOG.append("closed")


async def get_session_async() -> Session:
    await asyncio.sleep(0)
    LOG.append("session")
    return Session()


async def opened_session_async() -> AsyncIterator[Session]:
    LOG.append("open")
    await asyncio.sleep(0)
    try:
        yield Session()
        LOG.append("commit")
    except BaseException as error:
        LOG.append(f"rollback {type(error).__name__}")
        raise
    finally:
        await asyncio.sleep(0)
        LOG.append("closed")


# What may provide


class Factory:
    def __call__(self) -> Session:
        return Session()

    def make(self) -> Session:
        return Session()

    @staticmethod
    def make_static() -> Session:
        return Session()

    @classmethod
    def make_class(cls) -> Session:
        return Session()


class Unhashable(Factory):
    __hash__ = None  # type: ignore[assignment]


FACTORY = Factory()
SESSION: Any = Session()


def make_with(size: int, *, name: str) -> Session:
    assert (size, name) == (5, "main")
    return Session()


@pytest.mark.parametrize(
    "function",
    [
        get_session,
        opened_session,
        Session,
        BetterSession,
        FACTORY,
        Unhashable(),
        FACTORY.make,
        Factory.make_static,
        Factory.make_class,
        functools.partial(make_with, 5, name="main"),
        lambda: Session(),
    ],
)
def test_any_callable_provides(function: Any) -> None:
    def handler(ctx: Ctx[Order], session: Annotated[Session, Provide(function)]) -> object:
        return ctx.payload.number, session

    number, session = run(handler)
    assert number == 1 and isinstance(session, Session)


def test_a_handler_of_the_payload_alone_is_provided_too() -> None:
    def handler(
        order: Order, tries: int = 3, *, session: Annotated[Session, Provide(get_session)]
    ) -> object:
        return order, tries, session

    ctx = sync_ctx()
    order, tries, session = run(handler, ctx)
    assert order is ctx.payload and tries == 3 and isinstance(session, Session)


def test_methods_objects_and_partials_are_provided_too() -> None:
    class Service:
        def handle(self, order: Order, it: Annotated[Session, Provide(get_session)]) -> object:
            return it

        def __call__(self, order: Order, it: Annotated[Session, Provide(get_session)]) -> object:
            return it

    def handler(
        prefix: str, order: Order, it: Annotated[Session, Provide(get_session)], *, more: int
    ) -> object:
        assert (prefix, more) == ("?", 5)
        return it

    service = Service()
    for each in (service.handle, service, functools.partial(handler, "?", more=5)):
        assert isinstance(run(each), Session)


def test_what_a_partial_binds_is_not_provided() -> None:
    def handler(order: Order, session: Annotated[Session, Provide(get_session)]) -> object:
        return session

    mine = Session()
    assert run(functools.partial(handler, session=mine)) is mine
    assert LOG == []


def test_a_provider_gets_the_ctx_and_other_providers() -> None:
    def get_tenant(ctx: Ctx[Any], size: int = 4) -> str:
        return f"{ctx.payload.number} {size}"

    def get_mail(
        tenant: Annotated[str, Provide(get_tenant)],
        session: Annotated[Session, Provide(opened_session)],
    ) -> tuple[str, Session]:
        LOG.append("mail")
        return tenant, session

    def handler(
        order: Order, mail: Annotated[tuple[str, Session], Provide(get_mail)]
    ) -> tuple[str, Session]:
        LOG.append("handler")
        return mail

    tenant, session = run(handler, sync_ctx(Order(7)))
    assert tenant == "7 4" and isinstance(session, Session)
    assert LOG == ["open", "mail", "handler", "commit", "closed"]


async def test_async_providers_of_every_kind_and_sync_ones_with_them() -> None:
    def declared(
        ctx: AsyncCtx[Order], session: Annotated[Session, Provide(get_session)]
    ) -> Awaitable[tuple[int, Session]]:
        async def both() -> tuple[int, Session]:
            return ctx.payload.number, session

        return both()

    def hide_async(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def wrapper() -> Any:
            return function()

        return wrapper

    async def handler(
        order: Order,
        plain: Annotated[Session, Provide(get_session_async)],
        opened: Annotated[Session, Provide(opened_session_async)],
        both: Annotated[tuple[int, Session], Provide(declared)],
        sync: Annotated[Session, Provide(opened_session)],
        cls: Annotated[Session, Provide(Session)],
        hidden: Annotated[Session, Provide(hide_async(get_session_async))],
    ) -> None:
        for each in (plain, opened, both[1], sync, cls, hidden):
            assert isinstance(each, Session)
        assert both[0] == 1
        LOG.append("handler")

    await run_async(handler)
    assert LOG[-5:] == ["handler", "commit", "closed", "commit", "closed"]
    assert LOG[:-5] == ["session", "open", "session", "open", "session"]


def test_each_provider_runs_once_per_job_and_anew_for_the_next() -> None:
    def outer(session: Annotated[Session, Provide(opened_session)]) -> Session:
        return session

    def handler(
        order: Order,
        one: Annotated[Session, Provide(opened_session)],
        two: Annotated[Session, Provide(outer)],
        three: Annotated[Session, Provide(opened_session)],
    ) -> Session:
        assert one is two is three
        return one

    call = bind_handler(handler, Order, is_async=False)
    assert call(sync_ctx()) is not call(sync_ctx())
    assert LOG == ["open", "commit", "closed"] * 2


def test_a_method_is_the_same_provider_each_time_it_is_named() -> None:
    first, second = Factory(), Factory()

    def handler(
        order: Order,
        one: Annotated[Session, Provide(first.make)],
        same: Annotated[Session, Provide(first.make)],
        other: Annotated[Session, Provide(second.make)],
    ) -> None:
        assert one is same is not other

    run(handler)


def test_a_plan_is_shared_by_threads_and_its_values_are_not() -> None:
    meet = threading.Barrier(2, timeout=60)
    seen: list[Session] = []

    def handler(order: Order, session: Annotated[Session, Provide(opened_session)]) -> None:
        meet.wait()
        seen.append(session)

    call = bind_handler(handler, Order, is_async=False)
    threads = [threading.Thread(target=call, args=(sync_ctx(),)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 2 and seen[0] is not seen[1]
    assert LOG.count("commit") == LOG.count("closed") == 2


def test_nothing_is_inspected_per_job(monkeypatch: pytest.MonkeyPatch) -> None:
    def handler(order: Order, session: Annotated[Session, Provide(get_session)]) -> Session:
        return session

    call = bind_handler(handler, Order, is_async=False)

    def refuse(*args: object, **named: object) -> object:
        raise AssertionError("looked at again")

    monkeypatch.setattr(inspect, "signature", refuse)
    assert isinstance(call(sync_ctx()), Session)


# How a job's generators are closed


@dataclass
class Layers:
    """Generators around each other: `names[0]` is the outermost. `at_error` and `at_end` say what
    they raise when the handler failed, and when it did not; 'swallow' and 'again' are done."""

    names: tuple[str, ...]
    at_error: dict[str, BaseException | str] = field(default_factory=dict)
    at_end: dict[str, BaseException | str] = field(default_factory=dict)
    at_start: dict[str, BaseException] = field(default_factory=dict)

    def sync(self, index: int) -> Callable[..., Any]:
        name = self.names[index]
        inner = None if index == 0 else self.sync(index - 1)

        def layer(around: Any = None) -> Generator[str]:
            if name in self.at_start:
                raise self.at_start[name]
            LOG.append(f"{name} open")
            try:
                yield name
            except BaseException as error:
                LOG.append(f"{name} {type(error).__name__}")
                told = self.at_error.get(name)
                if isinstance(told, BaseException):
                    raise told from None
                if told == "again":
                    yield "again"
                if told != "swallow":
                    raise
            else:
                LOG.append(f"{name} end")
                told = self.at_end.get(name)
                if isinstance(told, BaseException):
                    raise told
                if told == "again":
                    yield "again"

        if inner is not None:
            layer.__annotations__["around"] = Annotated[Any, Provide(inner)]
        return layer

    def asynchronous(self, index: int) -> Callable[..., Any]:
        name = self.names[index]
        inner = None if index == 0 else self.asynchronous(index - 1)

        async def layer(around: Any = None) -> AsyncIterator[str]:
            if name in self.at_start:
                raise self.at_start[name]
            LOG.append(f"{name} open")
            try:
                yield name
            except BaseException as error:
                await asyncio.sleep(0)
                LOG.append(f"{name} {type(error).__name__}")
                told = self.at_error.get(name)
                if isinstance(told, BaseException):
                    raise told from None
                if told == "again":
                    yield "again"
                if told != "swallow":
                    raise
            else:
                await asyncio.sleep(0)
                LOG.append(f"{name} end")
                told = self.at_end.get(name)
                if isinstance(told, BaseException):
                    raise told
                if told == "again":
                    yield "again"

        if inner is not None:
            layer.__annotations__["around"] = Annotated[Any, Provide(inner)]
        return layer


class Runs:
    """Runs a handler that raises, or does not, within generators: on either kind of bus."""

    def __init__(self, is_async: bool) -> None:
        self.is_async = is_async

    def __call__(self, layers: Layers, raised: BaseException | None = None) -> object:
        last = len(layers.names) - 1
        if self.is_async:
            return asyncio.run(self._run_async(layers.asynchronous(last), raised))

        def handler(ctx: Any, it: Annotated[Any, Provide(layers.sync(last))]) -> str:
            LOG.append("handler")
            if raised is not None:
                raise raised
            return "answer"

        return run(handler)

    async def _run_async(self, layer: Any, raised: BaseException | None) -> object:
        async def handler(ctx: Any, it: Annotated[Any, Provide(layer)]) -> str:
            LOG.append("handler")
            if raised is not None:
                raise raised
            return "answer"

        return await run_async(handler)

    def fails(self, layers: Layers, raised: BaseException | None = None) -> BaseException:
        with pytest.raises(BaseException) as failed:
            self(layers, raised)
        return failed.value


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def runs(request: pytest.FixtureRequest) -> Runs:
    return Runs(request.param)


def test_generators_end_after_the_handler_the_last_one_first(runs: Runs) -> None:
    assert runs(Layers(("a", "b", "c"))) == "answer"
    assert LOG == ["a open", "b open", "c open", "handler", "c end", "b end", "a end"]


@pytest.mark.parametrize(
    "error",
    [
        KeyError("x"),
        Reject("no"),
        Retry(after=5),
        StopIteration(3),
        StopNow(),
        SystemExit(3),
        RuntimeError("generator raised StopIteration"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_the_handler_s_error_is_raised_in_each_and_comes_out(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    assert Runs(is_async=False).fails(Layers(("a", "b")), error) is error
    name = type(error).__name__
    assert ["a open", "b open", "handler", f"b {name}", f"a {name}"] == LOG
    assert caplog.records == []


@pytest.mark.parametrize(
    "error",
    [KeyError("x"), Reject("no"), StopAsyncIteration(3), asyncio.CancelledError()],
    ids=lambda error: type(error).__name__,
)
def test_the_async_handler_s_error_is_raised_in_each_and_comes_out(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail() -> BaseException:
        try:
            await Runs(is_async=True)._run_async(Layers(("a", "b")).asynchronous(1), error)
        except BaseException as raised:
            return raised
        raise AssertionError("it did not fail")

    assert asyncio.run(fail()) is error
    name = type(error).__name__
    assert ["a open", "b open", "handler", f"b {name}", f"a {name}"] == LOG
    assert caplog.records == []


def test_the_traceback_shows_the_handler_and_not_its_providers() -> None:
    def handler(ctx: Any, session: Annotated[Session, Provide(opened_session)]) -> None:
        raise KeyError

    with pytest.raises(KeyError) as failed:
        run(handler)
    names = [entry.name for entry in failed.traceback]
    assert names[-1] == "handler" and "opened_session" not in names
    assert "rollback KeyError" in LOG


def test_a_provider_cannot_make_a_failure_a_success(
    runs: Runs, caplog: pytest.LogCaptureFixture
) -> None:
    error = KeyError("x")
    layers = Layers(("a", "b"), at_error={"b": "swallow", "a": "swallow"})
    assert runs.fails(layers, error) is error
    assert LOG[-2:] == ["b KeyError", "a KeyError"]
    assert caplog.records == []


def test_a_provider_that_fails_while_it_rolls_back_hides_nothing(
    runs: Runs, caplog: pytest.LogCaptureFixture
) -> None:
    error = Reject("no such customer")
    layers = Layers(("a", "b"), at_error={"b": ConnectionError("gone")})
    assert runs.fails(layers, error) is error
    assert LOG[-2:] == ["b Reject", "a Reject"]
    (record,) = caplog.records
    assert record.name == "omniq_typed.worker" and record.levelno == logging.ERROR
    assert "layer failed while it was closed after Reject" in record.getMessage()
    assert record.exc_info is not None and isinstance(record.exc_info[1], ConnectionError)


def test_a_provider_that_yields_again_hides_nothing(
    runs: Runs, caplog: pytest.LogCaptureFixture
) -> None:
    error = KeyError("x")
    assert runs.fails(Layers(("a", "b"), at_error={"b": "again"}), error) is error
    assert LOG[-2:] == ["b KeyError", "a KeyError"]
    (record,) = caplog.records
    assert record.exc_info is not None and "yields more than once" in str(record.exc_info[1])


def test_a_stop_while_a_provider_rolls_back_comes_first() -> None:
    stop = StopNow()
    layers = Layers(("a", "b"), at_error={"b": stop})
    raised = Runs(is_async=False).fails(layers, KeyError("x"))
    assert raised is stop and isinstance(raised.__cause__, KeyError)
    assert LOG[-2:] == ["b KeyError", "a StopNow"]


def test_after_a_stop_no_other_error_takes_its_place(caplog: pytest.LogCaptureFixture) -> None:
    stop = StopNow()
    layers = Layers(("a", "b"), at_error={"b": ValueError("x"), "a": SystemExit(2)})
    assert Runs(is_async=False).fails(layers, stop) is stop
    assert LOG[-2:] == ["b StopNow", "a StopNow"]
    assert len(caplog.records) == 2


def test_a_provider_that_fails_after_the_handler_fails_the_job(runs: Runs) -> None:
    error = ConnectionError("no commit")
    assert runs.fails(Layers(("a", "b", "c"), at_end={"b": error})) is error
    assert LOG[-3:] == ["c end", "b end", "a ConnectionError"]


def test_a_provider_that_yields_again_after_the_handler_fails_the_job(runs: Runs) -> None:
    error = runs.fails(Layers(("a", "b"), at_end={"b": "again"}))
    assert isinstance(error, RuntimeError) and "yields more than once" in str(error)
    assert LOG[-2:] == ["b end", "a RuntimeError"]


def test_a_provider_that_fails_at_once_closes_those_before_it(runs: Runs) -> None:
    error = ConnectionError("no session")
    assert runs.fails(Layers(("a", "b", "c"), at_start={"c": error})) is error
    assert LOG == ["a open", "b open", "b ConnectionError", "a ConnectionError"]


def test_a_provider_that_never_yields_fails_the_job() -> None:
    def empty() -> Iterator[Session]:
        yield from ()

    async def empty_async() -> AsyncIterator[Session]:
        empty: list[Session] = []
        for each in empty:
            yield each

    def handler(
        ctx: Any,
        opened: Annotated[Session, Provide(opened_session)],
        it: Annotated[Session, Provide(empty)],
    ) -> None: ...

    async def async_handler(ctx: Any, it: Annotated[Session, Provide(empty_async)]) -> None: ...

    with pytest.raises(RuntimeError, match="empty ended without a yield"):
        run(handler)
    assert LOG == ["open", "rollback RuntimeError", "closed"]
    with pytest.raises(RuntimeError, match="empty_async ended without a yield"):
        asyncio.run(run_async(async_handler))


async def test_a_cancelled_handler_s_generators_are_closed() -> None:
    started = asyncio.Event()

    async def handler(
        order: Order,
        session: Annotated[Session, Provide(opened_session_async)],
        sync: Annotated[Session, Provide(opened_session)],
    ) -> None:
        started.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(run_async(handler))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    rolled_back = ["rollback CancelledError", "closed"]
    assert ["open", "open", *rolled_back, *rolled_back] == LOG


async def test_a_handler_cancelled_while_it_is_closed_is_cancelled() -> None:
    closing = asyncio.Event()

    async def slow() -> AsyncIterator[Session]:
        try:
            yield Session()
        finally:
            closing.set()
            await asyncio.Event().wait()

    async def handler(
        order: Order,
        outer: Annotated[Session, Provide(opened_session_async)],
        it: Annotated[Session, Provide(slow)],
    ) -> None:
        raise KeyError

    call = bind_handler(handler, Order, is_async=True)
    task = asyncio.create_task(call(async_ctx()))
    await closing.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert LOG == ["open", "rollback CancelledError", "closed"]


# What is refused when a handler is registered


def test_providers_in_a_circle_are_refused() -> None:
    def one(it: Annotated[Any, Provide(lambda: None)] = None) -> str:
        return "one"

    def two(it: Annotated[str, Provide(one)]) -> str:
        return "two"

    def three(it: Annotated[str, Provide(two)]) -> str:
        return "three"

    one.__annotations__["it"] = Annotated[str, Provide(three)]

    def start(it: Annotated[str, Provide(two)]) -> str:
        return "start"

    def handler(order: Order, it: Annotated[str, Provide(start)]) -> None: ...

    prefix = r".*".join(["circle", "two", "->", "one", "->", "three", "->", "two; break it$"])
    with pytest.raises(InvalidMessageType, match=prefix) as refused:
        bind_handler(handler, Order, is_async=False)
    assert "start ->" not in str(refused.value)


def test_a_provider_that_needs_itself_is_refused() -> None:
    def own(it: Any) -> str:
        return "own"

    own.__annotations__["it"] = Annotated[str, Provide(own)]

    def handler(order: Order, it: Annotated[str, Provide(own)]) -> None: ...

    assert "own -> " in refusal(handler)


@pytest.mark.parametrize("function", [get_session_async, opened_session_async])
def test_an_async_provider_on_a_bus_is_refused(function: Any) -> None:
    def inner(it: Annotated[Session, Provide(function)]) -> str:
        return "inner"

    def handler(order: Order, it: Annotated[Session, Provide(function)]) -> None: ...

    def deep(order: Order, it: Annotated[str, Provide(inner)]) -> None: ...

    expected = f"provider {function.__name__} is async, which a Bus cannot run"
    assert f"parameter 'it': {expected}" in refusal(handler)
    text = refusal(deep)
    assert expected in text and "parameter 'it' of provider" in text and ".inner" in text


def declared_awaitable() -> Awaitable[Session]:
    return get_session_async()


def declared_future() -> asyncio.Future[Session]:
    raise NotImplementedError


class AsyncFactory:
    async def __call__(self) -> Session:
        return Session()


@pytest.mark.parametrize(
    "function",
    [
        declared_awaitable,
        declared_future,
        AsyncFactory(),
        functools.partial(get_session_async),
        AsyncFactory().__call__,
    ],
)
def test_what_is_awaited_on_a_bus_is_refused(function: Any) -> None:
    def handler(order: Order, it: Annotated[Session, Provide(function)]) -> None: ...

    async def async_handler(order: Order, it: Annotated[Session, Provide(function)]) -> None: ...

    assert "is async, which a Bus cannot run" in refusal(handler)
    bind_handler(async_handler, Order, is_async=True)


def needs_settings(url: str) -> Session:
    return Session()


def needs_wrong_ctx(ctx: AsyncCtx[Any]) -> Session:
    return Session()


def needs_other_ctx(ctx: Ctx[Session]) -> Session:
    return Session()


def needs_positional(ctx: Ctx[Any], /) -> Session:
    return Session()


def needs_many(*sessions: Annotated[Session, Provide(get_session)]) -> Session:
    return Session()


@contextmanager
def managed_session() -> Iterator[Session]:
    yield Session()


def lists_sessions() -> Iterator[Session]:
    return iter([Session()])


def get_mailer() -> Mailer:
    return Mailer()


def opened_mailer() -> Generator[Mailer, None, None]:
    yield Mailer()


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (needs_settings, "parameter 'url' of provider needs_settings has neither a default nor"),
        (
            needs_wrong_ctx,
            "parameter 'ctx' of provider needs_wrong_ctx is AsyncCtx[Any], but a Bus gives"
            " Ctx[Order]",
        ),
        (needs_other_ctx, "is Ctx[Session], but the consumer is for Order"),
        (needs_positional, "is to be passed by name; move it behind the '/'"),
        (needs_many, "is to be one value; take the '*' away"),
        (managed_session, "pass it without @contextmanager"),
        (lists_sessions, "is declared to give Iterator[Session], but is no generator function"),
        (get_mailer, "parameter 'it' is Session, but its provider get_mailer gives Mailer"),
        (opened_mailer, "parameter 'it' is Session, but its provider opened_mailer gives Mailer"),
        (Mailer, "parameter 'it' is Session, but its provider Mailer gives Mailer"),
    ],
)
def test_a_provider_that_could_never_work_is_refused(function: Any, text: str) -> None:
    def handler(order: Order, it: Annotated[Session, Provide(function)]) -> None: ...

    assert text in refusal(handler)


async def get_mailer_async() -> Mailer:
    return Mailer()


async def opened_mailer_async() -> AsyncIterator[Mailer]:
    yield Mailer()


def awaited_mailer() -> Awaitable[Mailer]:
    return get_mailer_async()


@pytest.mark.parametrize("function", [get_mailer_async, opened_mailer_async, awaited_mailer])
def test_an_async_provider_of_another_class_is_refused(function: Any) -> None:
    async def handler(order: Order, it: Annotated[Session, Provide(function)]) -> None: ...

    name = function.__name__
    expected = f"parameter 'it' is Session, but its provider {name} gives Mailer"
    assert expected in refusal(handler, is_async=True)


@runtime_checkable
class CanSave(Protocol):
    def save(self) -> None: ...


class Saving(Protocol):
    saved: list[int]


Amount = NewType("Amount", int)


def gives(declared: Any) -> Callable[[], Any]:
    def function() -> Any:
        return None

    function.__annotations__["return"] = declared
    return function


@pytest.mark.parametrize(
    ("wanted", "declared"),
    [
        (Session, BetterSession),
        (Session, Any),
        (object, Session),
        (Any, Session),
        (Session | None, Session),
        (Session | None, None),
        (Session | None, BetterSession | None),
        (Session | Mailer, Mailer),
        (Saving, Session),
        (float, int),
        (int, Amount),
        (Amount, int),
        (str, Literal["a", "b"]),
        (Literal["a", "b"], Literal["a"]),
        (list[Any], list[Session]),
        (list[Session], list[BetterSession]),
        (Callable[[], Session], Callable[[], Session]),
        (type[Session], type[BetterSession]),
        (dict[str, int], dict),
        (Annotated[Session, "documented"], Session),
    ],
)
def test_types_that_fit(wanted: Any, declared: Any) -> None:
    def handler(order: Order, it: Any) -> None: ...

    handler.__annotations__["it"] = Annotated[wanted, Provide(gives(declared))]
    bind_handler(handler, Order, is_async=False)


@pytest.mark.parametrize(
    ("wanted", "declared", "text"),
    [
        (BetterSession, Session, "is BetterSession, but its provider"),
        (Session, object, "gives object"),
        (Session, None, "gives None"),
        (Session, Session | None, "gives Session | None"),
        (Session | None, Mailer, "is Session | None, but"),
        (CanSave, Session, "is CanSave, but"),
        (int, float, "gives float"),
        (str, Amount, "is str"),
        (str, Literal[1], "gives Literal"),
        (Literal["a"], Literal["a", "b"], "is Literal"),
        (Literal["a"], str, "gives str"),
        (list[Session], list[Mailer], "is list[Session], but its provider"),
        (type[Session], type[Mailer], "gives type[Mailer]"),
        (Annotated[Session, "documented"], Mailer, "is Session, but its provider"),
    ],
)
def test_types_that_do_not_fit(wanted: Any, declared: Any, text: str) -> None:
    def handler(order: Order, it: Any) -> None: ...

    handler.__annotations__["it"] = Annotated[wanted, Provide(gives(declared))]
    assert text in refusal(handler)


def test_a_provider_that_says_nothing_is_believed() -> None:
    def silent():  # type: ignore[no-untyped-def]
        return Session()

    def silent_generator():  # type: ignore[no-untyped-def]
        yield Session()

    def handler(
        order: Order,
        one: Annotated[Session, Provide(silent)],
        two: Annotated[Session, Provide(silent_generator)],
        three: Annotated[dict[str, int], Provide(dict)],
    ) -> None:
        assert (type(one), type(two), three) == (Session, Session, {})

    run(handler)


def test_annotations_that_are_written_wrongly_are_refused() -> None:
    def uncalled(order: Order, it: Annotated[Session, Provide]) -> None: ...

    def twice(
        order: Order, it: Annotated[Session, Provide(get_session), Provide(get_session)]
    ) -> None: ...

    def default(order: Order, it: Any = Provide(get_session)) -> None: ...  # noqa: B008

    def within(
        order: Order, it: Annotated[Session, Provide(get_session)] | None = None
    ) -> None: ...

    def first(it: Annotated[Session, Provide(get_session)], order: Order) -> None: ...

    def unprovided(order: Order, it: Session) -> None: ...

    for handler, text in [
        (uncalled, "parameter 'it' names no provider; write Provide(function)"),
        (twice, "parameter 'it' has 2 providers; leave one"),
        (default, "parameter 'it' has a Provide as default; put it into an Annotated"),
        (within, "parameter 'it' has its Provide within a union; put it around the whole"),
        (first, "parameter 'it' comes first, where the Ctx[Order] or the payload is given"),
        (unprovided, "parameter 'it' has neither a default nor a provider; declare it as"),
    ]:
        assert text in refusal(handler)


def test_what_is_no_callable_provides_nothing() -> None:
    with pytest.raises(InvalidArgument, match="is not callable; pass the function itself"):
        Provide(Session())  # type: ignore[call-overload]

    def handler(order: Order, it: Annotated[Any, Provide(SESSION)]) -> None: ...

    with pytest.raises(InvalidArgument, match="is not callable; pass the function itself"):
        bind_handler(handler, Order, is_async=False)


def test_names_that_only_type_checkers_know() -> None:
    def known_provider(order: Order, it: Annotated[Gone, Provide(get_session)]) -> object:
        return it

    assert isinstance(run(known_provider), Session)

    def unknown_function(order: Order, it: Annotated[Any, Provide(Gone)] = None) -> None: ...

    def unknown_provide(order: Order, it: Annotated[Session, Provided(get_session)]) -> None: ...

    def unknown_annotated(
        order: Order, it: UnknownAnnotated[Any, Provide(get_session)] = None
    ) -> None: ...

    def nonsense(order: Order, it: "Annotated[Any, Provide(get_session)] +" = None) -> None: ...  # type: ignore[valid-type] # noqa: F722

    def unknown(order: Order, it: Gone) -> None: ...

    assert "it' is provided by Gone, which cannot be found" in refusal(unknown_function)
    assert "Provided(...), which cannot be found" in refusal(unknown_provide)
    text = refusal(unknown_annotated)
    assert "it' is UnknownAnnotated[Any, Provide(get_session)], of which a part" in text
    assert "of which a part cannot be found" in refusal(nonsense)
    assert "a default nor a provider (Gone cannot be found)" in refusal(unknown)


def test_a_provide_shows_its_function() -> None:
    assert repr(Provide(get_session)) == "Provide(get_session)"
