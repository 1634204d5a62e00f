"""Which handler a job belongs to, and the value it is given."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from omniq_typed.core.payloads import decode_untyped
from omniq_typed.core.retry import JobBackoff
from omniq_typed.errors import InvalidMessageType, UndecodableJob
from omniq_typed.messages.codec import decode
from omniq_typed.messages.message import MessageType
from omniq_typed.models import Reserved
from omniq_typed.protocols import RetryPolicy


@dataclass(frozen=True, slots=True)
class Consumer:
    """A registered handler with its type parameter erased. `decode` raises UndecodableJob."""

    queue: str
    handler: Callable[[Any], Any]
    decode: Callable[[bytes], Any]
    retry: RetryPolicy
    concurrency: int
    message_type: MessageType[Any] | None = None


class Route:
    """The consumers of one queue."""

    def __init__(self, queue: str) -> None:
        self.queue = queue
        self._untyped: Consumer | None = None
        self._typed: dict[tuple[str, int], Consumer] = {}

    @property
    def concurrency(self) -> int:
        """Jobs of the queue that run at once: the most that one of its consumers asks for."""
        consumers = [*self._typed.values()]
        if self._untyped is not None:
            consumers.append(self._untyped)
        return max(consumer.concurrency for consumer in consumers)

    def add(self, consumer: Consumer) -> None:
        """Raises InvalidMessageType where the queue has a handler for this type already."""
        message_type = consumer.message_type
        if message_type is None:
            self._untyped = consumer
            return
        key = (message_type.name, message_type.version)
        if key in self._typed:
            raise InvalidMessageType(
                "consumer",
                f"{message_type.label} has a handler on queue {self.queue!r} already:"
                f" {self._typed[key].handler!r}",
            )
        self._typed[key] = consumer

    def find(self, job: Reserved) -> Consumer:
        """The consumer of a job. Raises UndecodableJob where there is none.

        A job without a type, as foreign clients publish it, is version 1 of what the queue's only
        consumer expects.
        """
        if self._untyped is not None:
            return self._untyped
        if not job.msg_type:
            return self._expected(job)
        consumer = self._typed.get((job.msg_type, _version(job)))
        if consumer is None:
            known = ", ".join(f"{name} v{version}" for name, version in sorted(self._typed))
            raise UndecodableJob(
                "unknown_type",
                f"no handler on queue {self.queue!r} for {job.msg_type} v{job.msg_version};"
                f" it has {known}",
            )
        return consumer

    def _expected(self, job: Reserved) -> Consumer:
        names = {name for name, _ in self._typed}
        if len(names) > 1:
            raise UndecodableJob(
                "unknown_type",
                f"the job names no message type, and queue {self.queue!r} has handlers for"
                f" several: {', '.join(sorted(names))}",
            )
        (name,) = names
        consumer = self._typed.get((name, 1))
        if consumer is None:
            raise UndecodableJob(
                "unknown_type",
                f"the job names no message type and so is {name} v1, for which queue"
                f" {self.queue!r} has no handler",
            )
        return consumer


def is_async(handler: Callable[..., Any]) -> bool:
    """Whether calling the handler gives a coroutine."""
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(
        getattr(handler, "__call__", None)  # noqa: B004 - the method itself is looked at
    )


def untyped_route(queue: str, handler: Callable[[Any], Any]) -> Route:
    """A queue whose jobs are plain dicts and lists, all for one handler."""
    route = Route(queue)
    route.add(Consumer(queue, handler, decode_untyped, JobBackoff(), concurrency=1))
    return route


def typed_consumer(
    queue: str,
    message_type: MessageType[Any],
    handler: Callable[[Any], Any],
    retry: RetryPolicy | None,
    concurrency: int,
) -> Consumer:
    """A handler for one message type."""

    def decode_message(payload: bytes) -> Any:
        return decode(message_type, payload)

    return Consumer(
        queue, handler, decode_message, retry or JobBackoff(), concurrency, message_type
    )


def _version(job: Reserved) -> int:
    try:
        return int(job.msg_version or 1)
    except ValueError:
        raise UndecodableJob(
            "unknown_type", f"msg_version {job.msg_version!r} is no number"
        ) from None
