"""The two kinds of middleware, and how a list of it becomes one call.

The first of a list is the outermost. Chains are put together once, not per job; middleware that
does not override a method is not part of its chain, and without any the chain is the call itself.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeAlias, TypeVar

from omniq_typed.context import AsyncCtx, Ctx
from omniq_typed.errors import InvalidArgument, InvalidMessageType
from omniq_typed.messages.envelope import Envelope
from omniq_typed.messages.registry import Registry, default_registry

Handle: TypeAlias = Callable[[Ctx[Any]], None]
"""Handles a job: what `Middleware.handle` gets as `call_next`."""
Publish: TypeAlias = Callable[[Envelope[Any]], str]
"""Publishes a message and answers its job id: the `call_next` of `Middleware.publish`."""
AsyncHandle: TypeAlias = Callable[[AsyncCtx[Any]], Awaitable[None]]
AsyncPublish: TypeAlias = Callable[[Envelope[Any]], Awaitable[str]]


class Middleware:
    """Stands around what a `Bus` handles and publishes. Override one method or both."""

    def handle(self, ctx: Ctx[Any], call_next: Handle) -> None:
        """Around one attempt at a job. `call_next` runs the handler and raises what it raises;
        what this method raises counts as the handler's. Returning without it completes the job."""
        call_next(ctx)

    def publish(self, envelope: Envelope[Any], call_next: Publish) -> str:
        """Around one message. Answers the job id, as `call_next` does, which may be given another
        envelope (`dataclasses.replace`). What this method raises, the publisher gets.

        Message type and queue are filled in where the bus knows them. For a message of
        `publish_many`, `call_next` takes it into the batch, which is sent later.
        """
        return call_next(envelope)


class AsyncMiddleware:
    """Stands around what an `AsyncBus` handles and publishes: the asyncio twin of `Middleware`,
    with other method names, so that one class can be both."""

    async def handle_async(self, ctx: AsyncCtx[Any], call_next: AsyncHandle) -> None:
        """As `Middleware.handle`."""
        await call_next(ctx)

    async def publish_async(self, envelope: Envelope[Any], call_next: AsyncPublish) -> str:
        """As `Middleware.publish`."""
        return await call_next(envelope)


class ForBothBuses(Middleware, AsyncMiddleware):
    """What is built in. One base, so that type checkers see more than objects in a list of it."""


X = TypeVar("X")
R = TypeVar("R")
M = TypeVar("M", Middleware, AsyncMiddleware)

_METHODS: dict[type, tuple[str, str]] = {
    Middleware: ("handle", "publish"),
    AsyncMiddleware: ("handle_async", "publish_async"),
}
_BUSES: dict[type, str] = {Middleware: "a Bus", AsyncMiddleware: "an AsyncBus"}


def handling_chain(middleware: Sequence[Middleware], call: Handle) -> Handle:
    """The middleware around the handler `call`."""
    return _chain([each.handle for each in middleware if _overrides(each, "handle")], call)


def async_handling_chain(middleware: Sequence[AsyncMiddleware], call: AsyncHandle) -> AsyncHandle:
    """The asyncio twin of `handling_chain`."""
    steps = [each.handle_async for each in middleware if _overrides(each, "handle_async")]
    return _chain(steps, call)


def publishing_chain(
    middleware: Sequence[Middleware], call: Publish, registry: Registry = default_registry
) -> Publish:
    """The middleware around `call`, which publishes. It sees envelopes with message type and queue,
    where `registry` knows them; where it does not, `call` is to say so."""
    steps = [each.publish for each in middleware if _overrides(each, "publish")]
    if not steps:
        return call
    publish = _chain(steps, call)
    return lambda envelope: publish(_named(envelope, registry))


def async_publishing_chain(
    middleware: Sequence[AsyncMiddleware],
    call: AsyncPublish,
    registry: Registry = default_registry,
) -> AsyncPublish:
    """The asyncio twin of `publishing_chain`."""
    steps = [each.publish_async for each in middleware if _overrides(each, "publish_async")]
    if not steps:
        return call
    publish = _chain(steps, call)
    return lambda envelope: publish(_named(envelope, registry))


def check_middleware(middleware: Iterable[M], kind: type[M]) -> tuple[M, ...]:
    """The middleware of a bus or consumer. Raises InvalidArgument for what can be none of `kind`
    (`Middleware` or `AsyncMiddleware`), and for what would be without effect."""
    given: object = middleware
    if isinstance(given, (Middleware, AsyncMiddleware)):
        raise InvalidArgument("middleware", f"is one object; write [{_name(given)}(...)]")
    if isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
        raise InvalidArgument("middleware", f"{given!r} is no list of {kind.__name__}")
    found = tuple(middleware)
    for index, each in enumerate(found):
        if problem := _problem(each, kind):
            raise InvalidArgument("middleware", f"[{index}] {problem}")
    return found


def _problem(each: object, kind: type) -> str:
    """What is wrong with one member of the list and what to do, '' = nothing."""
    first, second = _METHODS[kind]
    derive = f"derive from {kind.__name__} and override {first} or {second}"
    if isinstance(each, type):
        return f"is the class {each.__name__}; write {each.__name__}()"
    if not isinstance(each, kind):
        other = _other(kind)
        if isinstance(each, other):
            return (
                f"{_name(each)} is {other.__name__}, which only {_BUSES[other]} can run; for"
                f" {_BUSES[kind]} {derive} (one class may derive from both)"
            )
        return f"{each!r} is no middleware; {derive}"
    if not _overrides(each, first) and not _overrides(each, second):
        return f"{_name(each)} does nothing on {_BUSES[kind]}; override {first} or {second}"
    if kind is Middleware:
        for method in (first, second):
            if inspect.iscoroutinefunction(getattr(each, method)):
                return (
                    f"{_name(each)}.{method} is async, which a Bus cannot run; derive from"
                    f" AsyncMiddleware and call it {method}_async, for an AsyncBus"
                )
    return ""


def _other(kind: type) -> type:
    return AsyncMiddleware if kind is Middleware else Middleware


def _name(middleware: object) -> str:
    return type(middleware).__name__


def _overrides(middleware: object, method: str) -> bool:
    kind = Middleware if method in _METHODS[Middleware] else AsyncMiddleware
    function = getattr(getattr(middleware, method), "__func__", None)
    return function is not getattr(kind, method)


def _chain(
    steps: Sequence[Callable[[X, Callable[[X], R]], R]], call: Callable[[X], R]
) -> Callable[[X], R]:
    for step in reversed(steps):
        call = _around(step, call)
    return call


def _around(
    step: Callable[[X, Callable[[X], R]], R], call_next: Callable[[X], R]
) -> Callable[[X], R]:
    return lambda given: step(given, call_next)


def _named(envelope: Envelope[Any], registry: Registry) -> Envelope[Any]:
    """With its message type, and the queue that this names, filled in."""
    try:
        message_type = registry.of_value(envelope.message, envelope.message_type)
    except InvalidMessageType:
        return envelope  # a middleware may yet mend it; otherwise the last call raises
    queue = message_type.queue if envelope.queue is None else envelope.queue
    return replace(envelope, message_type=message_type, queue=queue)
