"""`Bus`: typed messages in, typed messages out."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar
from urllib.parse import quote

from omniq_typed.context import Ctx, Settings, publish_typed
from omniq_typed.core import children
from omniq_typed.core.arguments import DEFAULT_MAX_PAYLOAD_BYTES, check_int
from omniq_typed.core.keys import check_queue
from omniq_typed.core.waiting import POLL_INTERVAL_S
from omniq_typed.errors import InvalidArgument, InvalidMessageType
from omniq_typed.messages.envelope import PublishOptions
from omniq_typed.messages.message import Registry, default_registry
from omniq_typed.models import Ordering
from omniq_typed.protocols import RetryPolicy
from omniq_typed.transport.connect import connect
from omniq_typed.worker.lane import LaneOptions
from omniq_typed.worker.pool import run_worker
from omniq_typed.worker.routing import Route, is_async, typed_consumer
from omniq_typed.worker.stopping import StopRequest

__all__ = ["Bus"]

T = TypeVar("T")
R = TypeVar("R")

URL_VARIABLE = "OMNIQ_URL"
MAX_CONCURRENCY = 10_000
MAX_PREFETCH = 1000


class ConsumerDecorator(Protocol[T]):
    """Takes a handler of `Ctx[T]` and gives it back."""

    def __call__(self, handler: Callable[[Ctx[T]], R], /) -> Callable[[Ctx[T]], R]: ...


def url_from_env() -> str:
    """The server's URL from OMNIQ_URL. Raises InvalidArgument where it is not set."""
    url = os.environ.get(URL_VARIABLE, "")
    if not url:
        raise InvalidArgument(
            URL_VARIABLE, "is not set; set it to the server's URL, e.g. redis://localhost:6379/0"
        )
    return url


def embedded_url(path: str | os.PathLike[str] | None) -> str:
    """The URL of the embedded server: in memory, or kept in a directory."""
    return "embedded://" if path is None else f"embedded://{quote(str(Path(path).resolve()))}"


class Consumers:
    """The handlers of a bus, by queue."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._routes: dict[str, Route] = {}

    def add(
        self,
        cls: type[Any],
        handler: Callable[[Any], Any],
        *,
        queue: str | None,
        concurrency: int,
        retry: RetryPolicy | None,
    ) -> None:
        """Raises InvalidMessageType, InvalidArgument."""
        message_type = self._registry.of_class(cls)
        name = queue or message_type.queue
        if name is None:
            raise InvalidMessageType(
                "queue", f"{message_type.label} names none; pass queue= or set it in @message"
            )
        check_queue(name)
        check_int("concurrency", concurrency, 1, MAX_CONCURRENCY)
        consumer = typed_consumer(name, message_type, handler, retry, concurrency)
        route = self._routes.get(name) or Route(name)
        route.add(consumer)
        self._routes[name] = route

    def routes(self, queues: Iterable[str] | None) -> list[Route]:
        """The routes to work on. Raises InvalidArgument for a queue without consumer, or when
        there is none at all."""
        if not self._routes:
            raise InvalidArgument("consumer", "the bus has none; add one with @bus.consumer(...)")
        chosen = list(self._routes) if queues is None else list(queues)
        for queue in chosen:
            if queue not in self._routes:
                known = ", ".join(sorted(self._routes))
                raise InvalidArgument("queues", f"{queue!r} has no consumer; there are {known}")
        return [self._routes[queue] for queue in chosen]


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
        source: str = "",
        max_payload_bytes: int = DEFAULT_MAX_PAYLOAD_BYTES,
        keep_completed: int = 100,
        child_memory_ms: int = children.DEFAULT_REMEMBER_MS,
    ) -> None:
        """`url`: redis://, rediss://, unix://, embedded:// (in memory), embedded:///path (on
        disk). `source`: who publishes, e.g. 'shop'. Raises InvalidArgument."""
        self.transport = connect(url)
        self._settings = Settings(
            registry=registry,
            source=source,
            max_payload_bytes=check_int("max_payload_bytes", max_payload_bytes, 2),
            keep_completed=check_int("keep_completed", keep_completed, 0),
            child_memory_ms=check_int("child_memory_ms", child_memory_ms, 1),
        )
        self._consumers = Consumers(registry)

    @classmethod
    def embedded(cls, path: str | os.PathLike[str] | None = None) -> Self:
        """A bus on the embedded server: in memory, or kept in the directory `path`, where a second
        process finds the same server. Needs the extra `omniq-typed[embedded]`."""
        return cls(embedded_url(path))

    @classmethod
    def from_env(cls) -> Self:
        """A bus on the server that the environment variable OMNIQ_URL names."""
        return cls(url_from_env())

    def publish_json(
        self,
        message: object,
        *,
        queue: str | None = None,
        job_id: str | None = None,
        max_attempts: int | None = None,
        timeout_ms: int | None = None,
        backoff_ms: int | None = None,
        due_ms: int = 0,
        gid: str | None = None,
        group_limit: int = 0,
        ordering: Ordering | None = None,
    ) -> str:
        """Checks an instance of a message type, publishes it and answers the job's id.

        What is None is as the type's @message says. Idempotent by `job_id` (default: a new one):
        the same message again is the same id, other content under it is DuplicateJob. `due_ms`:
        absolute time in ms, 0 = now. Raises InvalidPayload with path, code and message of each
        fault. lua/commands/enqueue.lua
        """
        options = PublishOptions(
            queue,
            job_id,
            max_attempts,
            timeout_ms,
            backoff_ms,
            due_ms,
            gid,
            group_limit,
            ordering,
        )
        return self.transport.run(publish_typed(self._settings, message, options))

    def consumer(
        self,
        message_type: type[T],
        *,
        queue: str | None = None,
        concurrency: int = 1,
        retry: RetryPolicy | None = None,
    ) -> ConsumerDecorator[T]:
        """Makes a function the handler of a message type.

        Returning completes the job; raising fails the attempt, and `retry` (default: the job's
        backoff_ms) says when the next one is; `raise Retry(after_s=…)` and `raise Reject(…)` choose
        themselves. `concurrency`: threads for the queue; the highest of its consumers counts.
        """

        def register(handler: Callable[[Ctx[T]], R], /) -> Callable[[Ctx[T]], R]:
            if is_async(handler):
                raise InvalidMessageType(
                    "consumer", f"{handler!r} is async; an AsyncBus runs it, a Bus cannot"
                )
            self._consumers.add(
                message_type, handler, queue=queue, concurrency=concurrency, retry=retry
            )
            return handler

        return register

    def run(
        self,
        *,
        queues: Iterable[str] | None = None,
        drain: bool = True,
        prefetch: int = 1,
        poll_interval_s: float = POLL_INTERVAL_S,
        stop: threading.Event | None = None,
    ) -> None:
        """Runs the consumers of all queues (or of `queues`) until SIGTERM or Ctrl-C.

        The first signal stops the worker: with `drain` after the running jobs, without it at once,
        and they are given back; a second one exits the process. Outside the main thread set
        `stop`. `prefetch`: jobs taken in one round trip and worked off in order; 1 suits slow
        handlers, 100 quick ones. Raises AuthenticationFailed, PermissionDenied; any other trouble
        with the server is waited for. lua/commands/reserve.lua
        """
        routes = self._consumers.routes(queues)
        check_int("prefetch", prefetch, 1, MAX_PREFETCH)
        options = LaneOptions(prefetch=prefetch, poll_interval_s=poll_interval_s)
        request = StopRequest(drain=drain, event=stop)
        run_worker(self.transport, self._settings, routes, request, options)

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
