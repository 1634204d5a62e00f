"""`Bus`: typed messages in, typed messages out."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from types import TracebackType
from typing import (
    Any,
    Concatenate,
    ParamSpec,
    Protocol,
    Self,
    TypeAlias,
    TypedDict,
    TypeVar,
    Unpack,
    overload,
)

from typing_extensions import TypeForm

from omniq_typed.consumers import Consumers, embedded_url, url_from_env
from omniq_typed.context import Ctx
from omniq_typed.core import children, limits
from omniq_typed.core.arguments import DEFAULT_MAX_PAYLOAD_BYTES, check_int
from omniq_typed.core.prefetch import MAX_PREFETCH
from omniq_typed.core.schema_records import SchemaRole
from omniq_typed.core.waiting import POLL_INTERVAL_S
from omniq_typed.messages.envelope import Envelope
from omniq_typed.messages.message_type import MessageType
from omniq_typed.messages.registry import Registry, default_registry
from omniq_typed.middleware import (
    Middleware,
    check_middleware,
    handling_chain,
    publishing_chain,
)
from omniq_typed.models import HandlerInfo, Ordering, PublishResult, VersionCount, WorkerHealth
from omniq_typed.monitor import QueueMonitor
from omniq_typed.protocols import RetryPolicy
from omniq_typed.publishing import Publisher, Settings
from omniq_typed.registration import Register, Registration, check_register
from omniq_typed.transport.connect import connect
from omniq_typed.transport.steps import run_steps
from omniq_typed.worker.health import Vitals
from omniq_typed.worker.invalid import InvalidJob, InvalidOutcome, InvalidPolicy
from omniq_typed.worker.lane import LaneOptions
from omniq_typed.worker.pool import run_worker
from omniq_typed.worker.stopping import StopRequest

__all__ = ["Bus"]

T = TypeVar("T")
R = TypeVar("R")
P = ParamSpec("P")


class ConsumerDecorator(Protocol[T]):
    """Takes a handler of `Ctx[T]`, or of the payload alone, and gives it back. Further parameters
    are the handler's dependencies, `Annotated[X, Provide(...)]`."""

    @overload
    def __call__(
        self, handler: Callable[Concatenate[Ctx[T], P], R], /
    ) -> Callable[Concatenate[Ctx[T], P], R]: ...

    @overload
    def __call__(
        self, handler: Callable[Concatenate[T, P], R], /
    ) -> Callable[Concatenate[T, P], R]: ...


InvalidHandler: TypeAlias = Callable[[InvalidJob], InvalidOutcome | None]
"""What `Bus.on_invalid` takes."""


class BusOptions(TypedDict, total=False):
    """What `Bus` takes besides its URL."""

    registry: Registry
    register: Register
    middleware: Sequence[Middleware]
    source: str
    max_payload_bytes: int
    keep_completed: int
    child_memory_ms: int


class Bus:
    """Publishes typed messages and runs their handlers. Connects at the first call. Thread-safe.

    Every call may raise ServerError (see errors.py) when Redis cannot be used, and InvalidArgument
    (a ValueError) before Redis is touched.
    """

    def __init__(
        self,
        url: str,
        *,
        registry: Registry = default_registry,
        register: Register = "strict",
        middleware: Sequence[Middleware] = (),
        source: str = "",
        max_payload_bytes: int = DEFAULT_MAX_PAYLOAD_BYTES,
        keep_completed: int = 100,
        child_memory_ms: int = children.DEFAULT_REMEMBER_MS,
    ) -> None:
        """`url`: redis://, rediss://, unix://, embedded:// (in memory), embedded:///path (on
        disk), memory:// (in this process, for tests). `middleware`: around every publish and every
        handler, the first outermost.
        `source`: who publishes, e.g. 'shop'. `register`: whether message types are registered in
        Redis before they are first published or consumed, and refused where they do not keep to
        what is registered ('strict'), only checked ('check'), or neither ('off'): docs/schemas.md.
        Raises InvalidArgument."""
        around = check_middleware(middleware, Middleware)
        self.transport = connect(url)
        settings = Settings(
            registry=registry,
            source=source,
            max_payload_bytes=check_int("max_payload_bytes", max_payload_bytes, 2),
            keep_completed=check_int("keep_completed", keep_completed, 0),
            child_memory_ms=check_int("child_memory_ms", child_memory_ms, 1),
        )
        self._registry = registry
        self._registration = Registration(registry, check_register(register), source)
        self._publisher = Publisher(
            self.transport,
            settings,
            partial(publishing_chain, around, registry=registry),
            self._registration,
        )
        self._vitals = Vitals()
        self._consumers = Consumers(
            registry,
            asynchronous=False,
            chain=lambda inner, call: handling_chain(
                [*around, *check_middleware(inner, Middleware)], call
            ),
        )

    @classmethod
    def embedded(
        cls,
        path: str | os.PathLike[str] | None = None,
        **options: Unpack[BusOptions],
    ) -> Self:
        """A bus on the embedded server: in memory, or kept in the directory `path`, where a second
        process finds the same server. Needs the extra `omniq-typed[embedded]`."""
        return cls(embedded_url(path), **options)

    @classmethod
    def from_env(cls, **options: Unpack[BusOptions]) -> Self:
        """A bus on the server that the environment variable OMNIQ_URL names."""
        return cls(url_from_env(), **options)

    @property
    def registry(self) -> Registry:
        """The message types that it knows."""
        return self._registry

    def consumed(self) -> list[tuple[str, MessageType[Any]]]:
        """Queue and message type of each of its consumers, in order."""
        return self._consumers.consumed()

    def handlers(self) -> list[HandlerInfo]:
        """Its handlers, by queue and message; also those of raw consumers."""
        return self._consumers.handlers()

    def publish_json(
        self,
        message: object,
        *,
        message_type: Any = None,
        queue: str | None = None,
        job_id: str | None = None,
        max_attempts: int | None = None,
        timeout_ms: int | None = None,
        backoff_ms: int | None = None,
        due_ms: int = 0,
        gid: str | None = None,
        group_limit: int = 0,
        ordering: Ordering | None = None,
        correlation_id: str | None = None,
        traceparent: str | None = None,
        tracestate: str | None = None,
    ) -> str:
        """Checks an instance of a message type, publishes it and answers the job's id.

        What is None is as the type's @message says. Idempotent by `job_id` (default: a new one):
        the same message again is the same id, other content under it is DuplicateJob. `due_ms`:
        absolute time in ms, 0 = now. `message_type`: for a TypedDict, whose values are plain
        dicts. `correlation_id` and the W3C trace context: of the conversation, if there is one.
        Raises InvalidPayload with path, code and message of each fault.
        lua/commands/enqueue_one.lua; with a group or a time lua/commands/enqueue.lua
        """
        if (
            (queue is job_id is message_type is max_attempts is timeout_ms is backoff_ms is None)
            and (gid is ordering is correlation_id is traceparent is tracestate is None)
            and (type(due_ms) is type(group_limit) is int and due_ms == group_limit == 0)
        ):  # as nearly always: an envelope would take longer to make than to read
            return self._publisher.publish_plain(message)
        envelope = Envelope(
            message,
            message_type=message_type,
            queue=queue,
            job_id=job_id,
            max_attempts=max_attempts,
            timeout_ms=timeout_ms,
            backoff_ms=backoff_ms,
            due_ms=due_ms,
            gid=gid,
            group_limit=group_limit,
            ordering=ordering,
            correlation_id=correlation_id,
            traceparent=traceparent,
            tracestate=tracestate,
        )
        return self._publisher.publish(envelope)

    def publish_many(self, messages: Iterable[object]) -> list[PublishResult]:
        """Checks and publishes messages, of any types and mixed with `Envelope`s that say more,
        in one call per queue and 100 messages; one result per message, in order.

        A message whose job id belongs to other content has a DuplicateJob as its result's
        `error`. Raises InvalidBatch with what is wrong with each, and nothing is published;
        BatchInterrupted where the server failed after a part. lua/commands/enqueue.lua
        """
        return self._publisher.publish_many(messages)

    def publish_each(self, messages: Iterable[object]) -> Iterator[PublishResult]:
        """Publishes messages as `publish_many`, any number of them, while they are being made:
        takes a hundred, and the next hundred while the server has those. Yields one result per
        message, in order; nothing is published before the first is asked for (a RuntimeWarning
        tells who never does).

        A message that could never be published is told in its result's `error`, and the others go
        on. Where the iterable itself raises, what it gave before is published, and then that is
        raised; BatchInterrupted where the server fails, with `results` for the messages taken
        after those of which a result was yielded. lua/commands/enqueue.lua
        """
        return self._publisher.publish_each(messages)

    def consumer(
        self,
        message_type: TypeForm[T] | MessageType[T],
        *,
        queue: str | None = None,
        concurrency: int = 1,
        retry: RetryPolicy | None = None,
        timeout_s: float | None = None,
        middleware: Sequence[Middleware] = (),
        lax: bool = False,
        on_invalid: InvalidPolicy | None = None,
    ) -> ConsumerDecorator[T]:
        """Makes a function, a bound method or a callable object the handler of a message type.

        It takes `Ctx[T]`, or the payload alone where its parameter says so, and dependencies:
        `session: Annotated[Session, Provide(get_session)]`. Returning completes the job; raising
        fails the attempt, and `retry` (default: the type's, else the job's backoff_ms) says when
        the next one is; `raise Retry(after=…)` and `raise Reject(…)` choose themselves.
        `concurrency`: threads for the queue; the highest of its consumers counts. `timeout_s`: how
        long one attempt may take, whatever its lease; over it HandlerTimeout is raised in the
        handler and the attempt has failed. `middleware`: inside that of the bus. `lax`: reads
        payloads by Pydantic's lax rules ("1" for 1).
        `on_invalid`: what becomes of jobs that cannot be decoded, DeadLetter() or
        LeaveForOthers(). Raises InvalidMessageType, InvalidArgument.
        """

        def register(handler: Any, /) -> Any:
            self._consumers.add(
                message_type,
                handler,
                queue=queue,
                concurrency=concurrency,
                retry=retry,
                timeout_s=timeout_s,
                middleware=middleware,
                lax=lax,
                on_invalid=on_invalid,
            )
            return handler

        return register

    def raw_consumer(
        self,
        name: str,
        *,
        queue: str,
        concurrency: int = 1,
        retry: RetryPolicy | None = None,
        timeout_s: float | None = None,
        middleware: Sequence[Middleware] = (),
        on_invalid: InvalidPolicy | None = None,
    ) -> ConsumerDecorator[dict[str, Any]]:
        """Makes a function, a bound method or a callable object the handler of all versions of a
        message type that has no Python class here.

        It takes `Ctx[dict[str, Any]]`, or the dict alone, as JSON has it (a list where the type
        is one), checked by the reader's schema that is registered for the job's version. Schemas
        are read when the bus starts, and again when a version turns up that is not known; a job of
        one that is not registered cannot be decoded ('unknown_type'). The options are those of
        `consumer`. Raises InvalidMessageType, InvalidArgument. lua/commands/read_schemas.lua
        """

        def register(handler: Any, /) -> Any:
            self._consumers.add_raw(
                name,
                handler,
                queue=queue,
                concurrency=concurrency,
                retry=retry,
                timeout_s=timeout_s,
                middleware=middleware,
                on_invalid=on_invalid,
            )
            return handler

        return register

    def on_invalid(self, queue: str) -> Callable[[InvalidHandler], InvalidHandler]:
        """Makes a function what decides about jobs of a queue that cannot be decoded.

        It returns None or InvalidOutcome.DEAD_LETTER: to the failed lane with bytes and reason, as
        without it; InvalidOutcome.HANDLED: the job is completed. `raise Retry(after=…)` leaves it
        for other workers, and burns no attempt; `job.deferrals` says how often that was done. It
        is asked instead of the consumers' `on_invalid`. Raises InvalidMessageType.
        """

        def register(handler: InvalidHandler) -> InvalidHandler:
            self._consumers.add_invalid_handler(queue, handler)
            return handler

        return register

    def register_schemas(self) -> tuple[str, ...]:
        """Registers all message types of the bus's registry now, and not each when it is first
        published or consumed; with register='check' it only checks them. Answers those that were
        new or other than before, e.g. 'orders.created v2'; nothing is written where one is refused.
        They are registered as those of a publisher, also such as the bus only consumes.

        Raises IncompatibleSchema with rule, JSON pointer and example of each break; with the
        registry as it should be, it costs one round trip. lua/commands/check_schemas.lua,
        lua/commands/read_schemas.lua, lua/commands/register_schemas.lua
        """
        return run_steps(
            self.transport, self._registration.settling(self._registry.types(), SchemaRole.WRITER)
        )

    def versions_in_flight(self, queue: str) -> list[VersionCount]:
        """How many jobs of a queue wait, are delayed, active or failed, by message type and
        version; in calls of bounded length. Jobs that change lanes meanwhile may be counted twice.
        lua/commands/count_versions.lua"""
        return QueueMonitor(self).versions_in_flight(queue)

    def set_rate_limit(
        self,
        queue: str,
        per_s: float | None,
        *,
        burst: int | None = None,
        gid: str | None = None,
    ) -> None:
        """Changes how many jobs of a queue, or of one of its groups, may start per second, and
        `burst` at once (None: those of a second). `per_s` None: no limit. Raises InvalidArgument.
        lua/commands/set_rate_limit.lua"""
        self.transport.run(limits.set_rate_limit(queue, per_s, burst=burst, gid=gid))

    def set_concurrency_limit(self, queue: str, limit: int | None) -> None:
        """Changes how many jobs of a queue run at once; None: no limit. Raises InvalidArgument.
        lua/commands/set_concurrency_limit.lua"""
        self.transport.run(limits.set_concurrency_limit(queue, limit))

    def run(
        self,
        *,
        queues: Iterable[str] | None = None,
        drain: bool = True,
        grace_s: float | None = None,
        max_prefetch: int = MAX_PREFETCH,
        poll_interval_s: float = POLL_INTERVAL_S,
        stop: threading.Event | None = None,
        handle_signals: bool = True,
    ) -> None:
        """Runs the consumers of all queues (or of `queues`) until SIGTERM or Ctrl-C.

        The first signal stops the worker: with `drain` after the running jobs, those that are not
        done within `grace_s` being given back, without it at once, and they are given back; a
        second one exits the process. Outside the main thread, or without `handle_signals` (in a
        web server, which has its own), set `stop`. `max_prefetch`: jobs that a lane takes in one
        round trip at most; as many as its handlers do in a few milliseconds, one where they are
        slow. Raises AuthenticationFailed, PermissionDenied; any other trouble with the server is
        waited for; and, before the first job, IncompatibleSchema. docs/worker.md.
        lua/commands/reserve.lua
        """
        request = StopRequest(
            drain=drain, event=stop, grace_s=grace_s, handle_signals=handle_signals
        )
        options = LaneOptions(max_prefetch=max_prefetch, poll_interval_s=poll_interval_s)
        self._run(request, queues, options)

    def _run(
        self, request: StopRequest, queues: Iterable[str] | None, options: LaneOptions
    ) -> None:
        """`run` with a request of the caller's own."""
        routes = self._consumers.routes(queues)
        run_worker(
            self._publisher,
            routes,
            request,
            options,
            prepare=lambda: self._consumers.preparing(routes, self._registration),
            vitals=self._vitals,
        )

    def health(self) -> WorkerHealth:
        """How the worker that runs on this bus is, as of now: not ready where none runs. Asks
        nothing of the server; for any thread."""
        return self._vitals.health()

    def close(self) -> None:
        """Closes the connections; the embedded server goes with its last user."""
        self.transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
