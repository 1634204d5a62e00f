"""`handler_test`: one handler, one job, no bus; and how it ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from typing_extensions import TypeForm

from omniq_typed.context import Lease
from omniq_typed.core.arguments import check_int
from omniq_typed.core.payloads import encode_untyped
from omniq_typed.errors import InvalidArgument, InvalidMessageType
from omniq_typed.messages.codec import encode
from omniq_typed.messages.message_type import MessageType
from omniq_typed.messages.registry import Registry, default_registry
from omniq_typed.middleware import AsyncMiddleware, Middleware
from omniq_typed.models import Outcome, Reserved, Settlement
from omniq_typed.protocols import RetryPolicy
from omniq_typed.testing.attempts import Ending
from omniq_typed.testing.lines import async_lines_of, lines_of
from omniq_typed.testing.memory_bus import AsyncMemoryBus, MemoryBus
from omniq_typed.testing.overriding import override_all
from omniq_typed.testing.records import JobRecord
from omniq_typed.testing.stepping import ends_the_test, in_a_task
from omniq_typed.worker.handling import is_async
from omniq_typed.worker.routing import Route, untyped_route

T = TypeVar("T")

QUEUE = "handler-test"
"""The queue of a handler whose message type names none."""


@dataclass(frozen=True)
class HandlerOutcome:
    """How a handler ended, and what it did to the bus.

    `ending`: completed, retried or failed; `error`: what it raised; `reason`: 'rejected' or
    'handler_error', '' where it did not fail; `retry_after_s`: when it would run again, None =
    never; `bus`: on which it published, for `bus.assert_published(...)` and the like.
    """

    ending: Ending
    error: BaseException | None
    reason: str
    retry_after_s: float | None
    bus: MemoryBus | AsyncMemoryBus = field(repr=False)

    @property
    def completed(self) -> bool:
        """Whether the job would be completed."""
        return self.ending is Ending.COMPLETED

    @property
    def rejected(self) -> bool:
        """Whether the handler raised Reject."""
        return self.reason == "rejected"

    def raise_error(self) -> HandlerOutcome:
        """Raises what the handler raised; returns the outcome where that is nothing."""
        if self.error is not None:
            raise self.error
        return self

    def published(self, message_type: TypeForm[T] | MessageType[T]) -> list[T]:
        """The messages of a type that the handler published, in order."""
        return self.bus.published(message_type)

    @property
    def jobs(self) -> list[JobRecord[Any]]:
        """All that the handler published, with queue, group, due time and causes."""
        return self.bus.jobs()


def handler_test(
    handler: Callable[..., Any],
    payload: object,
    *,
    message_type: Any = None,
    attempt: int = 1,
    max_attempts: int | None = None,
    job_id: str = "job-1",
    gid: str = "",
    correlation_id: str = "",
    source: str = "",
    retry: RetryPolicy | None = None,
    middleware: Sequence[Middleware] = (),
    provided: Mapping[Callable[..., Any], Any] | None = None,
    now: datetime | None = None,
    registry: Registry = default_registry,
) -> HandlerOutcome:
    """Runs a handler once, with the payload as it comes off the wire and a `Ctx` whose `exec` works
    on a memory server of its own.

    `payload`: a message, or a dict or list for an untyped handler; `message_type`: for a TypedDict.
    `attempt` of `max_attempts` (default: as the type says); `retry`: as of `bus.consumer`, default
    the type's. `provided`: other dependencies, by their providers; see `override`. Raises
    InvalidPayload, InvalidMessageType, InvalidArgument; what is no Exception passes.
    """
    if is_async(handler):
        raise InvalidArgument("handler", f"{handler!r} is async; await async_handler_test(...)")
    bus = MemoryBus(now=now, registry=registry)
    case = _Case(registry, payload, message_type, attempt, max_attempts)
    routes = case.routes(bus, handler, retry, middleware)
    (line,) = lines_of(bus._publisher, routes)
    lease = case.lease(bus.now_ms, job_id, gid, correlation_id, source)
    with override_all((provided or {}).items()):
        settlement = line.lane.work(lease)
    return case.outcome(settlement, line.route.error, bus)


async def async_handler_test(
    handler: Callable[..., Any],
    payload: object,
    *,
    message_type: Any = None,
    attempt: int = 1,
    max_attempts: int | None = None,
    job_id: str = "job-1",
    gid: str = "",
    correlation_id: str = "",
    source: str = "",
    retry: RetryPolicy | None = None,
    middleware: Sequence[AsyncMiddleware] = (),
    provided: Mapping[Callable[..., Any], Any] | None = None,
    now: datetime | None = None,
    registry: Registry = default_registry,
) -> HandlerOutcome:
    """The asyncio twin of `handler_test`, for `async def` handlers."""
    if not is_async(handler):
        raise InvalidArgument("handler", f"{handler!r} is not async; use handler_test(...)")
    bus = AsyncMemoryBus(now=now, registry=registry)
    case = _Case(registry, payload, message_type, attempt, max_attempts)
    routes = case.routes(bus, handler, retry, middleware)
    (line,) = async_lines_of(bus._publisher, bus._reading, routes)
    lease = case.lease(bus.now_ms, job_id, gid, correlation_id, source)
    with override_all((provided or {}).items()):
        settlement = await in_a_task(line.lane.work(lease))
    return case.outcome(settlement, line.route.error, bus)


class _Case:
    """One job, made by hand."""

    def __init__(
        self,
        registry: Registry,
        payload: object,
        declared: Any,
        attempt: int,
        max_attempts: int | None,
    ) -> None:
        self.of_type = _type_of(registry, payload, declared)
        of_type = self.of_type
        default = 3 if of_type is None else of_type.max_attempts
        self.max_attempts = default if max_attempts is None else max_attempts
        self.attempt = check_int("attempt", attempt, 1, self.max_attempts)
        self.payload = encode_untyped(payload) if of_type is None else encode(of_type, payload)
        self.timeout_ms = 30_000 if of_type is None else of_type.timeout_ms
        self.backoff_ms = 5_000 if of_type is None else of_type.backoff_ms

    @property
    def queue(self) -> str:
        return (self.of_type and self.of_type.queue) or QUEUE

    def routes(
        self,
        bus: MemoryBus | AsyncMemoryBus,
        handler: Callable[..., Any],
        retry: RetryPolicy | None,
        middleware: Sequence[Any],
    ) -> list[Route]:
        if self.of_type is None:
            return [untyped_route(QUEUE, handler)]
        register: Any = bus.consumer  # which of the two, and of which handlers, is checked by it
        register(self.of_type, queue=self.queue, retry=retry, middleware=middleware)(handler)
        return bus._consumers.routes(None)

    def lease(self, now_ms: int, job_id: str, gid: str, correlation_id: str, source: str) -> Lease:
        of_type = self.of_type
        job = Reserved(
            job_id=job_id,
            payload=self.payload,
            lock_until_ms=now_ms + self.timeout_ms,
            attempt=self.attempt,
            max_attempts=self.max_attempts,
            gid=gid,
            lease_token="handler-test",
            timeout_ms=self.timeout_ms,
            created_ms=now_ms,
            msg_type="" if of_type is None else of_type.name,
            msg_version="" if of_type is None else str(of_type.version),
            msg_correlation_id=correlation_id,
            msg_source=source,
        )
        return Lease(self.queue, job)

    def outcome(
        self,
        settlement: Settlement,
        error: BaseException | None,
        bus: MemoryBus | AsyncMemoryBus,
    ) -> HandlerOutcome:
        if ends_the_test(error, settlement):
            raise error or KeyboardInterrupt
        if settlement.outcome is Outcome.ACK:
            return HandlerOutcome(Ending.COMPLETED, None, "", None, bus)
        again = settlement.outcome is Outcome.RETRY and self.attempt < self.max_attempts
        delay_ms = self.backoff_ms if settlement.delay_ms is None else settlement.delay_ms
        return HandlerOutcome(
            ending=Ending.RETRIED if again else Ending.FAILED,
            error=error,
            reason=settlement.reason,
            retry_after_s=delay_ms / 1000 if again else None,
            bus=bus,
        )


def _type_of(registry: Registry, payload: object, declared: Any) -> MessageType[Any] | None:
    """None: a dict or list for an untyped handler."""
    if declared is None and isinstance(payload, (dict, list)):
        try:
            return registry.of_value(payload)
        except InvalidMessageType:
            return None
    return registry.of_value(payload, declared)
