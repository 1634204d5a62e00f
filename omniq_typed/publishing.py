"""From a message to the script call that publishes it, one by one and in batches."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from omniq_typed.core import children
from omniq_typed.core.arguments import DEFAULT_MAX_PAYLOAD_BYTES
from omniq_typed.core.command import Command
from omniq_typed.core.enqueue import duplicate_error, enqueue, publish_one
from omniq_typed.core.payloads import encode_untyped
from omniq_typed.core.schema_records import SchemaRole
from omniq_typed.errors import (
    BatchInterrupted,
    InvalidArgument,
    InvalidBatch,
    ServerError,
)
from omniq_typed.messages.codec import encode_unregistered
from omniq_typed.messages.envelope import Addressed, Envelope, address, new_job_id
from omniq_typed.messages.message_type import MessageType
from omniq_typed.messages.registry import Registry, default_registry
from omniq_typed.models import NewJob, Ordering, Published, PublishResult
from omniq_typed.registration import Registration
from omniq_typed.transport.aio import AsyncTransport
from omniq_typed.transport.steps import run_steps, run_steps_async
from omniq_typed.transport.sync import SyncTransport

JOBS_PER_CALL = 100
BYTES_PER_CALL = 1_048_576
"""A call of publish_many holds up the server for as long as it takes to copy this much."""

Publish: TypeAlias = Callable[[Envelope[Any]], str]
"""Publishes one message and answers its job id."""
AsyncPublish: TypeAlias = Callable[[Envelope[Any]], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Settings:
    """What a bus or client decides once for all it does."""

    registry: Registry = default_registry
    source: str = ""
    """Who publishes; travels as `msg_source`."""
    max_payload_bytes: int = DEFAULT_MAX_PAYLOAD_BYTES
    keep_completed: int = 100
    """Completed jobs that a queue keeps; publishing is idempotent by id for that long."""
    child_memory_ms: int = children.DEFAULT_REMEMBER_MS
    """How long a finished set of children remembers who finished it."""


def untyped_job(
    payload: object,
    *,
    typed: bool = False,
    job_id: str | None = None,
    max_attempts: int = 3,
    timeout_ms: int = 30_000,
    backoff_ms: int = 5_000,
    due_ms: int = 0,
    gid: str | None = None,
    group_limit: int = 0,
    ordering: Ordering = "relaxed",
) -> NewJob:
    """A job from a dict or list, or (`typed`) from any dataclass or Pydantic model."""
    structured = isinstance(payload, (dict, list)) or not typed
    return NewJob(
        job_id=new_job_id() if job_id is None else job_id,
        payload=encode_untyped(payload) if structured else encode_unregistered(payload),
        max_attempts=max_attempts,
        timeout_ms=timeout_ms,
        backoff_ms=backoff_ms,
        due_ms=due_ms,
        gid="" if gid is None else gid,
        group_limit=group_limit,
        ordering=ordering,
    )


def publish_untyped(
    settings: Settings, queue: str, job: NewJob, *, now_ms: int = 0
) -> Command[str]:
    """The command that publishes an untyped job."""
    return publish_one(queue, job, now_ms=now_ms, max_payload_bytes=settings.max_payload_bytes)


def publish_typed(
    settings: Settings, envelope: Envelope[Any]
) -> tuple[MessageType[Any], Command[str]]:
    """The type of a message, and the command that publishes it."""
    ready = address(envelope, settings.registry, settings.source)
    return ready.message_type, publish_one(
        ready.queue, ready.job, max_payload_bytes=settings.max_payload_bytes, same=ready.is_same
    )


def _unwrapped(publish: Any) -> Any:
    return publish


class Publisher:
    """Publishes typed messages of one bus through its middleware (`wrap`), and registers their
    types before the first message of each (`registration` None: never)."""

    def __init__(
        self,
        transport: SyncTransport,
        settings: Settings,
        wrap: Callable[[Publish], Publish] = _unwrapped,
        registration: Registration | None = None,
    ) -> None:
        self.transport = transport
        self.settings = settings
        self._wrap = wrap
        self._registration = registration
        self.publish: Publish = wrap(self._send)

    def _send(self, envelope: Envelope[Any]) -> str:
        message_type, command = publish_typed(self.settings, envelope)
        self._register([message_type])
        return self.transport.run(command)

    def _register(self, types: Iterable[MessageType[Any]]) -> None:
        known, role = self._registration, SchemaRole.WRITER
        if known is not None and (missing := known.missing(types, role)):
            run_steps(self.transport, known.settling(missing, role))

    def publish_many(self, envelopes: Iterable[Envelope[Any]]) -> list[PublishResult]:
        """One call per queue and 100 messages. Raises InvalidBatch before anything is published,
        BatchInterrupted where the server failed after a part of it."""
        batch = Batch(self.settings)
        publish = self._wrap(batch.accept)
        for envelope in envelopes:
            with batch.item():
                batch.answered(publish(envelope))
        calls = batch.calls()
        self._register(batch.types())
        for call in calls:
            try:
                batch.note(call, self.transport.run(call.command))
            except ServerError as error:
                raise batch.interrupted(error) from error
        return batch.results()


class AsyncPublisher:
    """The asyncio twin of `Publisher`."""

    def __init__(
        self,
        transport: AsyncTransport,
        settings: Settings,
        wrap: Callable[[AsyncPublish], AsyncPublish] = _unwrapped,
        registration: Registration | None = None,
    ) -> None:
        self.transport = transport
        self.settings = settings
        self._wrap = wrap
        self._registration = registration
        self.publish: AsyncPublish = wrap(self._send)

    async def _send(self, envelope: Envelope[Any]) -> str:
        message_type, command = publish_typed(self.settings, envelope)
        await self._register([message_type])
        return await self.transport.run(command)

    async def _register(self, types: Iterable[MessageType[Any]]) -> None:
        known, role = self._registration, SchemaRole.WRITER
        if known is not None and (missing := known.missing(types, role)):
            await run_steps_async(self.transport, known.settling(missing, role), in_thread=True)

    async def publish_many(self, envelopes: Iterable[Envelope[Any]]) -> list[PublishResult]:
        """As `Publisher.publish_many`."""
        batch = Batch(self.settings)

        async def accept(envelope: Envelope[Any]) -> str:
            return batch.accept(envelope)

        publish = self._wrap(accept)
        for envelope in envelopes:
            with batch.item():
                batch.answered(await publish(envelope))
        calls = batch.calls()
        await self._register(batch.types())
        for call in calls:
            try:
                batch.note(call, await self.transport.run(call.command))
            except ServerError as error:
                raise batch.interrupted(error) from error
        return batch.results()


@dataclass(frozen=True, slots=True)
class BatchCall:
    """One script call of a batch: messages for one queue, by their index in the batch."""

    command: Command[list[Published]]
    items: list[tuple[int, Addressed]]


@dataclass(slots=True)
class Batch:
    """The messages of one `publish_many`, and what became of them."""

    settings: Settings
    _accepted: list[tuple[int, Addressed]] = field(default_factory=list)
    _results: list[PublishResult | None] = field(default_factory=list)
    _errors: dict[int, InvalidArgument] = field(default_factory=dict)

    def item(self) -> _Item:
        """The context in which the next message is accepted."""
        self._results.append(None)
        return _Item(self)

    def accept(self, envelope: Envelope[Any]) -> str:
        """The end of the middleware: the message is in the batch, and this is its job id."""
        ready = address(envelope, self.settings.registry, self.settings.source)
        self._accepted.append((len(self._results) - 1, ready))
        return ready.job.job_id

    def answered(self, job_id: str) -> None:
        """What the middleware answered: it stands where it kept the message back."""
        self._results[-1] = PublishResult(job_id, queue="", state="")

    def refuse(self, error: InvalidArgument) -> None:
        """The message at hand could never be published."""
        self._errors[len(self._results) - 1] = error

    def calls(self) -> list[BatchCall]:
        """The script calls to make, in order of the first message of each. Raises InvalidBatch."""
        if not self._errors:
            try:
                calls = [self._call(items) for items in _split(self._accepted)]
            except InvalidArgument:
                self._blame()
            else:
                for index, _ in self._accepted:
                    self._results[index] = None
                return calls
        raise InvalidBatch(self._errors)

    def types(self) -> list[MessageType[Any]]:
        """The types of the messages that were accepted, each once."""
        return list(dict.fromkeys(ready.message_type for _, ready in self._accepted))

    def _call(self, items: list[tuple[int, Addressed]]) -> BatchCall:
        jobs = [ready.job for _, ready in items]
        limit = self.settings.max_payload_bytes
        return BatchCall(enqueue(items[0][1].queue, jobs, max_payload_bytes=limit), items)

    def _blame(self) -> None:
        """Which messages it was that made no call."""
        for item in self._accepted:
            try:
                self._call([item])
            except InvalidArgument as error:
                self._errors[item[0]] = error

    def note(self, call: BatchCall, published: list[Published]) -> None:
        """What the server did."""
        for (index, ready), each in zip(call.items, published, strict=True):
            self._results[index] = _result(ready, each)

    def interrupted(self, error: ServerError) -> ServerError:
        """What to raise: the error itself where nothing else was published."""
        if all(result is None for result in self._results):
            return error
        return BatchInterrupted(self._results, str(error))

    def results(self) -> list[PublishResult]:
        """One per message, in order."""
        return [result for result in self._results if result is not None]


class _Item:
    """Keeps what is wrong with one message, so that all that is wrong is told at once."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, InvalidArgument):
            self._batch.refuse(error)
            return True
        return False


def _split(accepted: Iterable[tuple[int, Addressed]]) -> list[list[tuple[int, Addressed]]]:
    """By queue, in order, and into calls that do not hold up the server."""
    parts: list[list[tuple[int, Addressed]]] = []
    open_parts: dict[str, list[tuple[int, Addressed]]] = {}
    sizes: dict[str, int] = defaultdict(int)
    for item in accepted:
        queue, size = item[1].queue, len(item[1].job.payload)
        part = open_parts.get(queue)
        if part is None or len(part) == JOBS_PER_CALL or sizes[queue] + size > BYTES_PER_CALL:
            part = open_parts[queue] = []
            parts.append(part)
            sizes[queue] = 0
        part.append(item)
        sizes[queue] += size
    return parts


def _result(ready: Addressed, published: Published) -> PublishResult:
    return PublishResult(
        ready.job.job_id,
        ready.queue,
        published.state,
        published.duplicate,
        duplicate_error(ready.job, published, ready.is_same),
    )


def as_envelopes(messages: Iterable[object]) -> Iterable[Envelope[Any]]:
    """Messages and envelopes, mixed, as envelopes."""
    for each in messages:
        yield each if isinstance(each, Envelope) else Envelope(each)
