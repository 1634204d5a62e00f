"""Which handler a job belongs to, and the value it is given."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from omniq_typed.core.arguments import check_seconds
from omniq_typed.core.backoff import JobBackoff
from omniq_typed.core.command import Steps
from omniq_typed.core.keys import check_queue
from omniq_typed.core.payloads import decode_untyped
from omniq_typed.errors import InvalidMessageType, UndecodableJob
from omniq_typed.messages.codec import decode
from omniq_typed.messages.message_type import MessageType
from omniq_typed.messages.registry import Registry, Upcast
from omniq_typed.messages.upcast import apply_upcasts
from omniq_typed.models import Reserved
from omniq_typed.protocols import RetryPolicy
from omniq_typed.worker.invalid import DeadLetter, InvalidPolicy
from omniq_typed.worker.registered import JobSchema, RegisteredSchemas

Decode: TypeAlias = Callable[[bytes], Any]
"""From a payload to the value for a handler. Raises UndecodableJob."""
Found: TypeAlias = "tuple[Consumer, Decode]"


@dataclass(frozen=True, slots=True)
class Consumer:
    """A registered handler with its type parameter erased; `handler` takes a ctx, `name` is for
    messages. Without `message_type` it takes dicts and lists: of the jobs of `raw_type`, checked
    against the registered schemas, or of any job, where that is ''."""

    queue: str
    handler: Callable[[Any], Any]
    retry: RetryPolicy
    concurrency: int
    name: str
    message_type: MessageType[Any] | None = None
    raw_type: str = ""
    strict: bool = True
    on_invalid: InvalidPolicy | None = None
    timeout_s: float | None = None
    """How long one attempt may take; None: as long as it likes."""
    function: Callable[..., Any] | None = None
    """What the user registered; `handler` leads to it."""

    @property
    def takes(self) -> str:
        """For people: the message type with its version, or the name of a raw one."""
        return self.raw_type if self.message_type is None else self.message_type.label

    @property
    def python_name(self) -> str:
        """For people: module and name of what the user registered."""
        module = getattr(self.function, "__module__", None)
        return f"{module}.{self.name}" if module else self.name

    def decoder(self, steps: list[Upcast]) -> Decode:
        """For payloads that are so many steps older than what the handler takes."""
        if self.message_type is None:
            return decode_untyped
        decode_current: Decode = partial(decode, self.message_type, strict=self.strict)
        if not steps:
            return decode_current
        return lambda payload: decode_current(apply_upcasts(payload, steps))


class Route:
    """The consumers of one queue, and what it does with jobs that none of them can take."""

    def __init__(
        self,
        queue: str,
        registry: Registry | None = None,
        schemas: RegisteredSchemas | None = None,
    ) -> None:
        """`schemas`: those that raw consumers of the queue need."""
        self.queue = queue
        self.invalid_handler: Callable[[Any], Any] | None = None
        """The user's own, for undecodable jobs."""
        self._registry = registry or Registry()
        self._schemas = schemas or RegisteredSchemas()
        self._untyped: Consumer | None = None
        self._raw: dict[str, Consumer] = {}
        self._typed: dict[tuple[str, int], Consumer] = {}
        self._table: dict[tuple[str, int], Found] | None = None
        self._as_written: dict[tuple[str, str], Found] | None = None
        """What most jobs are found in, by type and version as they stand in the job."""

    @property
    def concurrency(self) -> int:
        """Jobs of the queue that run at once: the most that one of its consumers asks for."""
        return max(consumer.concurrency for consumer in self.consumers())

    def consumers(self) -> list[Consumer]:
        """All of them."""
        untyped = [] if self._untyped is None else [self._untyped]
        return [*self._typed.values(), *self._raw.values(), *untyped]

    @property
    def raw_types(self) -> list[str]:
        """The names of the types that raw consumers take."""
        return list(self._raw)

    def types(self) -> list[MessageType[Any]]:
        """The message types that the consumers take."""
        return [it.message_type for it in self._typed.values() if it.message_type is not None]

    def add(self, consumer: Consumer) -> None:
        """Raises InvalidMessageType where the queue has a handler for this type already."""
        message_type = consumer.message_type
        self._as_written = None
        if consumer.raw_type:
            self._check_free(consumer.raw_type, None)
            self._raw[consumer.raw_type] = consumer
        elif message_type is None:
            self._untyped = consumer
        else:
            self._check_free(message_type.name, message_type.version)
            self._typed[message_type.name, message_type.version] = consumer
            self._table = None

    def _check_free(self, name: str, version: int | None) -> None:
        """`version` None: all of them, as a raw consumer takes them."""
        taken = [self._raw[name]] if name in self._raw else []
        taken += [
            each
            for (typed_name, number), each in self._typed.items()
            if typed_name == name and version in (None, number)
        ]
        if taken:
            label = name if version is None else f"{name} v{version}"
            raise InvalidMessageType(
                "consumer",
                f"{label} has a handler on queue {self.queue!r} already: {taken[0].name}",
            )

    def check(self) -> None:
        """What can be known before the first job. Raises InvalidMessageType for a type that cannot
        be built, and for upcasts with a gap."""
        for (name, version), consumer in self._typed.items():
            if consumer.message_type is not None:
                _ = consumer.message_type.adapter
            self._registry.check(name)
            for upcast in self._registry.upcasts(name):
                old = upcast.from_version
                if old < version and (name, old) not in self._decoders():
                    raise InvalidMessageType(
                        "upcast",
                        f"the one at {upcast.defined_at} begins at {name} v{old}, but no chain"
                        f" leads from there to v{version}, which queue {self.queue!r} takes; write"
                        " the missing ones",
                    )

    def _decoders(self) -> dict[tuple[str, int], Found]:
        """By name and version: a handler's own version, or else one that the nearest newer
        version's handler can take through upcasts."""
        if self._table is None:
            table = {key: (consumer, consumer.decoder([])) for key, consumer in self._typed.items()}
            for (name, newest), consumer in sorted(self._typed.items(), key=lambda item: item[0]):
                for version in range(newest - 1, 0, -1):
                    steps = self._registry.steps(name, version, newest)
                    if steps is None:
                        break
                    table.setdefault((name, version), (consumer, consumer.decoder(steps)))
            self._table = table
        return self._table

    def open(self, job: Reserved) -> tuple[Consumer, Any]:
        """The consumer of a job, and the value for its handler. Raises UndecodableJob.

        A job without a type, as foreign clients publish it, is version 1 of what the queue's only
        consumer expects.
        """
        quick = self._as_written
        if quick is None:
            quick = self._as_written = self._quick()
        found = quick.get((job.msg_type, job.msg_version))
        if found is None:
            return self._open_otherwise(job)
        consumer, decode_payload = found
        return consumer, decode_payload(job.payload)

    def _quick(self) -> dict[tuple[str, str], Found]:
        if self._untyped is not None:
            return {}
        return {(name, str(version)): it for (name, version), it in self._decoders().items()}

    def _open_otherwise(self, job: Reserved) -> tuple[Consumer, Any]:
        if self._untyped is not None:
            return self._untyped, decode_untyped(job.payload)
        name, version = self._type_of(job)
        if name in self._raw:
            return self._raw[name], self._schemas.decode(name, version, job.payload)
        found = self._decoders().get((name, version))
        if found is None:
            known = ", ".join(
                [*(f"{name} v{version}" for name, version in sorted(self._decoders())), *self._raw]
            )
            unnamed = "" if job.msg_type else " (the job names no type, and so is version 1)"
            raise UndecodableJob(
                "unknown_type",
                f"no handler on queue {self.queue!r} for {name} v{version}{unnamed}; it takes"
                f" {known}",
            )
        consumer, decode_payload = found
        return consumer, decode_payload(job.payload)

    def learning(self, jobs: Iterable[Reserved]) -> Steps[None] | None:
        """What has to be read from the registry of schemas before these jobs can be opened; None:
        nothing."""
        if not self._raw:
            return None
        return self._schemas.learning(self._raw_schemas(jobs))

    def _raw_schemas(self, jobs: Iterable[Reserved]) -> Iterator[JobSchema]:
        for job in jobs:
            with suppress(UndecodableJob):
                name, version = self._type_of(job)
                if name in self._raw:
                    yield JobSchema(name, version, job.msg_schema)

    def _type_of(self, job: Reserved) -> tuple[str, int]:
        """Name and version. Raises UndecodableJob."""
        return (job.msg_type, _version(job)) if job.msg_type else (self._only_name(), 1)

    def _only_name(self) -> str:
        names = sorted({*(name for name, _ in self._typed), *self._raw})
        if len(names) > 1:
            raise UndecodableJob(
                "unknown_type",
                f"the job names no message type, and queue {self.queue!r} has handlers for"
                f" several: {', '.join(names)}",
            )
        return names[0]

    def invalid_policy(self, job: Reserved) -> InvalidPolicy:
        """What to do with a job that cannot be decoded: as the consumer of its type says, or,
        where there is none, the first of the queue that says something."""
        named = [(name, each) for (name, _), each in self._typed.items()] + [*self._raw.items()]
        policies = [
            (name != job.msg_type, consumer.on_invalid)
            for name, consumer in named
            if consumer.on_invalid is not None
        ]
        return min(policies, key=lambda item: item[0])[1] if policies else DeadLetter()


def untyped_route(
    queue: str, handler: Callable[[Any], Any], timeout_s: float | None = None
) -> Route:
    """A queue whose jobs are plain dicts and lists, all for one handler. Raises InvalidArgument."""
    if timeout_s is not None:
        check_seconds("timeout_s", timeout_s)
    route = Route(check_queue(queue))
    name = getattr(handler, "__qualname__", repr(handler))
    route.add(Consumer(queue, handler, JobBackoff(), concurrency=1, name=name, timeout_s=timeout_s))
    return route


def _version(job: Reserved) -> int:
    try:
        return int(job.msg_version or 1)
    except ValueError:
        raise UndecodableJob(
            "unknown_type", f"msg_version {job.msg_version!r} is no number"
        ) from None
