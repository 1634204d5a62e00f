"""What `Bus` and `AsyncBus` share: where they connect, and their handlers by queue."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from omniq_typed.core.arguments import check_int, check_seconds
from omniq_typed.core.backoff import JobBackoff
from omniq_typed.core.command import Steps
from omniq_typed.core.keys import check_queue, check_type_name
from omniq_typed.core.schema_records import SchemaRole
from omniq_typed.errors import InvalidArgument, InvalidMessageType
from omniq_typed.messages.message_type import MessageType
from omniq_typed.messages.registry import Registry
from omniq_typed.models import HandlerInfo
from omniq_typed.protocols import RetryPolicy
from omniq_typed.registration import Registration
from omniq_typed.worker.handling import bind_handler, is_async
from omniq_typed.worker.invalid import InvalidPolicy
from omniq_typed.worker.registered import RegisteredSchemas
from omniq_typed.worker.routing import Consumer, Route

URL_VARIABLE = "OMNIQ_URL"
MAX_CONCURRENCY = 10_000


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
    """The handlers of a bus, by queue. `chain` puts middleware around a handler."""

    def __init__(
        self,
        registry: Registry,
        *,
        asynchronous: bool,
        chain: Callable[[Sequence[Any], Callable[[Any], Any]], Callable[[Any], Any]],
    ) -> None:
        self._registry = registry
        self._asynchronous = asynchronous
        self._chain = chain
        self._schemas = RegisteredSchemas()
        self._routes: dict[str, Route] = {}
        self._invalid_handlers: dict[str, Callable[[Any], Any]] = {}

    def add(
        self,
        declared: Any,
        handler: Callable[..., Any],
        *,
        queue: str | None,
        concurrency: int,
        retry: RetryPolicy | None,
        timeout_s: float | None,
        middleware: Sequence[Any],
        lax: bool,
        on_invalid: InvalidPolicy | None,
    ) -> None:
        """Raises InvalidMessageType, InvalidArgument."""
        message_type = self._registry.of_type(declared)
        name = queue or message_type.queue
        if name is None:
            raise InvalidMessageType(
                "queue", f"{message_type.label} names none; pass queue= or set it in @message"
            )
        self._add(
            name,
            handler,
            message_type.cls,
            retry=retry or message_type.retry,
            timeout_s=timeout_s,
            middleware=middleware,
            concurrency=concurrency,
            on_invalid=on_invalid,
            message_type=message_type,
            strict=not lax,
        )

    def add_raw(
        self,
        name: str,
        handler: Callable[..., Any],
        *,
        queue: str,
        concurrency: int,
        retry: RetryPolicy | None,
        timeout_s: float | None,
        middleware: Sequence[Any],
        on_invalid: InvalidPolicy | None,
    ) -> None:
        """A handler of dicts for the registered type `name`. Raises InvalidMessageType,
        InvalidArgument."""
        self._add(
            queue,
            handler,
            dict[str, Any],
            retry=retry,
            timeout_s=timeout_s,
            middleware=middleware,
            concurrency=concurrency,
            on_invalid=on_invalid,
            raw_type=check_type_name(name),
        )

    def _add(
        self,
        queue: str,
        handler: Callable[..., Any],
        payload_type: Any,
        *,
        retry: RetryPolicy | None,
        timeout_s: float | None,
        middleware: Sequence[Any],
        concurrency: int,
        on_invalid: InvalidPolicy | None,
        **facts: Any,
    ) -> None:
        """`facts`: what else a Consumer of this kind has."""
        check_queue(queue)
        check_int("concurrency", concurrency, 1, MAX_CONCURRENCY)
        if timeout_s is not None:
            check_seconds("timeout_s", timeout_s)
        _check_policies(retry, on_invalid)
        call = bind_handler(handler, payload_type, is_async=self._asynchronous)
        consumer = Consumer(
            queue=queue,
            handler=self._chain(middleware, call),
            retry=retry or JobBackoff(),
            timeout_s=timeout_s,
            concurrency=concurrency,
            name=getattr(handler, "__qualname__", repr(handler)),
            on_invalid=on_invalid,
            function=handler,
            **facts,
        )
        route = self._routes.get(queue) or Route(queue, self._registry, self._schemas)
        route.add(consumer)
        self._routes[queue] = route

    def consumed(self) -> list[tuple[str, MessageType[Any]]]:
        """Queue and message type of each handler, in order."""
        found = [(queue, each) for queue, it in self._routes.items() for each in it.types()]
        return sorted(found, key=lambda pair: (pair[0], pair[1].name, pair[1].version))

    def handlers(self) -> list[HandlerInfo]:
        """All of them, by queue and message."""
        found = [
            HandlerInfo(queue, each.takes, each.python_name, each.concurrency)
            for queue, route in self._routes.items()
            for each in route.consumers()
        ]
        return sorted(found, key=lambda it: (it.queue, it.message))

    def add_invalid_handler(self, queue: str, handler: Callable[[Any], Any]) -> None:
        """Raises InvalidMessageType, InvalidArgument."""
        check_queue(queue)
        given: object = handler
        if not callable(given) or is_async(given) is not self._asynchronous:
            kind = "an async function" if self._asynchronous else "a plain function"
            raise InvalidMessageType("on_invalid", f"{given!r} is not {kind} of an InvalidJob")
        if queue in self._invalid_handlers:
            raise InvalidMessageType(
                "on_invalid",
                f"queue {queue!r} has one already: {self._invalid_handlers[queue]!r}",
            )
        self._invalid_handlers[queue] = handler

    def routes(self, queues: Iterable[str] | None) -> list[Route]:
        """The routes to work on, checked. Raises InvalidArgument for a queue without consumer, or
        when there is none at all; InvalidMessageType for types and upcasts that cannot work."""
        if not self._routes:
            raise InvalidArgument("consumer", "the bus has none; add one with @bus.consumer(...)")
        known = ", ".join(sorted(self._routes))
        chosen = list(self._routes) if queues is None else list(queues)
        for queue in chosen:
            if queue not in self._routes:
                raise InvalidArgument("queues", f"{queue!r} has no consumer; there are {known}")
        for queue, handler in self._invalid_handlers.items():
            if queue not in self._routes:
                raise InvalidArgument(
                    "on_invalid", f"queue {queue!r} has no consumer; there are {known}"
                )
            self._routes[queue].invalid_handler = handler
        routes = [self._routes[queue] for queue in chosen]
        for route in routes:
            route.check()
        return routes

    def preparing(self, routes: Iterable[Route], registration: Registration) -> Steps[None] | None:
        """What a worker on these routes needs of the registry of schemas before its first job;
        None: nothing."""
        types = registration.missing(
            (each for route in routes for each in route.types()), SchemaRole.READER
        )
        raw_types = [name for route in routes for name in route.raw_types]
        return self._preparing(registration, types, raw_types) if types or raw_types else None

    def _preparing(
        self, registration: Registration, types: list[MessageType[Any]], raw_types: list[str]
    ) -> Steps[None]:
        if types:
            yield from registration.settling(types, SchemaRole.READER)
        if raw_types:
            yield from self._schemas.reading(raw_types)


def _check_policies(retry: object, on_invalid: object) -> None:
    if retry is not None and not callable(getattr(retry, "delay_ms", None)):
        raise InvalidArgument("retry", f"{retry!r} is no retry policy: it has no delay_ms")
    if on_invalid is not None and not callable(getattr(on_invalid, "wait_ms", None)):
        raise InvalidArgument(
            "on_invalid", f"{on_invalid!r} is no policy; use DeadLetter() or LeaveForOthers()"
        )
