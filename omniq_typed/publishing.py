"""From a message to the script call that publishes it, one by one and in batches."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

from omniq_typed.core import children
from omniq_typed.core.arguments import DEFAULT_MAX_PAYLOAD_BYTES
from omniq_typed.core.command import Command, Steps
from omniq_typed.core.enqueue import publish_one, publish_record
from omniq_typed.core.payloads import encode_untyped
from omniq_typed.errors import ConnectionLost, InvalidArgument, ServerError
from omniq_typed.gathering import Gathering
from omniq_typed.messages.codec import encode_unregistered
from omniq_typed.messages.envelope import (
    Addressed,
    Addressing,
    Envelope,
    envelope_of,
    new_job_id,
)
from omniq_typed.messages.message_type import MessageType
from omniq_typed.messages.registry import Registry, default_registry
from omniq_typed.models import NewJob, Ordering, PublishResult
from omniq_typed.publish_batch import Batch, BatchCall
from omniq_typed.registration import Registration
from omniq_typed.transport.aio import AsyncTransport
from omniq_typed.transport.async_reply import AsyncReply
from omniq_typed.transport.reply import Reply
from omniq_typed.transport.steps import run_steps, run_steps_async
from omniq_typed.transport.sync import SyncTransport

Publish: TypeAlias = Callable[[Envelope[Any]], str]
"""Publishes one message and answers its job id."""
AsyncPublish: TypeAlias = Callable[[Envelope[Any]], Awaitable[str]]

Sent: TypeAlias = tuple[BatchCall, Reply[list[PublishResult]]]
AsyncSent: TypeAlias = tuple[BatchCall, AsyncReply[list[PublishResult]]]

P = TypeVar("P")


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


def _unwrapped(publish: Any) -> Any:
    return publish


class _Publisher(Generic[P]):
    """What both publishers share. `registration` None: types are never registered."""

    def __init__(
        self,
        settings: Settings,
        wrap: Callable[[P], P],
        registration: Registration | None,
    ) -> None:
        self.settings = settings
        self._wrap = wrap
        self._registration = registration
        self._addressing = Addressing(
            settings.registry, settings.source, settings.max_payload_bytes
        )

    def _clearing(self, types: Iterable[MessageType[Any]]) -> Steps[None]:
        if self._registration is not None:
            yield from self._registration.clearing(types)

    def _is_cleared(self, message_type: MessageType[Any]) -> bool:
        known = self._registration
        return known is None or message_type in known.cleared


class Publisher(_Publisher[Publish]):
    """Publishes typed messages of one bus through its middleware (`wrap`), and registers their
    types before the first message of each (`registration` None: never)."""

    def __init__(
        self,
        transport: SyncTransport,
        settings: Settings,
        wrap: Callable[[Publish], Publish] = _unwrapped,
        registration: Registration | None = None,
    ) -> None:
        super().__init__(settings, wrap, registration)
        self.transport = transport
        self.publish: Publish = wrap(self._send)
        self._is_bare = self.publish == self._send

    def publish_plain(self, message: object) -> str:
        """A message of which nothing is said but itself."""
        plain = self._addressing.plain(type(message)) if self._is_bare else None
        if plain is None:
            return self.publish(Envelope(message))
        return self._send_ready(self._addressing.address_plain(plain, message, new_job_id()))

    def _send(self, envelope: Envelope[Any]) -> str:
        return self._send_ready(self._addressing.address(envelope))

    def _send_ready(self, ready: Addressed) -> str:
        if not self._is_cleared(ready.message_type):
            run_steps(self.transport, self._clearing([ready.message_type]))
        return self.transport.run(publish_record(ready.queue, ready, same=ready.is_same))

    def publish_many(self, messages: Iterable[object]) -> list[PublishResult]:
        """Messages and envelopes, mixed. One call per queue and 100 messages. Raises InvalidBatch
        before anything is published, BatchInterrupted where the server failed after a part of
        it."""
        batch = Batch(self._addressing)
        publish = self._wrap(batch.accept)
        may_be_plain = publish == batch.accept
        for message in messages:
            try:
                if not (may_be_plain and batch.accept_plain(message)):
                    batch.next_one()
                    batch.answered(publish(envelope_of(message)))
            except InvalidArgument as error:
                batch.refuse(error)
        calls = batch.calls()
        run_steps(self.transport, self._clearing(batch.types()))
        self._send_all(batch, calls)
        return batch.results()

    def _send_all(self, batch: Batch, calls: Iterable[BatchCall]) -> None:
        """The server has the next call at hand when it has done one."""
        sent: deque[Sent] = deque()
        try:
            for call in calls:
                while sent and not _may_follow(sent, call):
                    batch.note(*_taken(sent))
                behind = sent[-1][1] if sent else None
                sent.append((call, self.transport.start(call.command(), behind=behind)))
            while sent:
                batch.note(*_taken(sent))
        except ServerError as error:
            # What was under way may have been published all the same; a server that is gone after
            # several calls is not waited for once more.
            while sent and not isinstance(error, ConnectionLost):
                with suppress(ServerError):
                    batch.note(*_taken(sent))
            raise batch.interrupted(error) from error


def _may_follow(sent: deque[Sent] | deque[AsyncSent], call: BatchCall) -> bool:
    """Whether a call may be sent behind those that are under way."""
    last, reply = sent[-1]
    return len(sent) < 2 and reply.is_ahead and last.may_be_followed_by(call)


def _taken(sent: deque[Sent]) -> tuple[BatchCall, list[PublishResult]]:
    call, reply = sent.popleft()
    return call, reply.result()


class AsyncPublisher(_Publisher[AsyncPublish]):
    """The asyncio twin of `Publisher`."""

    def __init__(
        self,
        transport: AsyncTransport,
        settings: Settings,
        wrap: Callable[[AsyncPublish], AsyncPublish] = _unwrapped,
        registration: Registration | None = None,
    ) -> None:
        super().__init__(settings, wrap, registration)
        self.transport = transport
        self._gathering = Gathering()
        self.publish: AsyncPublish = wrap(self._send)
        self._is_bare = self.publish == self._send

    def publish_plain(self, message: object) -> Awaitable[str]:
        """As `Publisher.publish_plain`; checked at once."""
        plain = self._addressing.plain(type(message)) if self._is_bare else None
        if plain is None:
            return self.publish(Envelope(message))
        return self._send_ready(self._addressing.address_plain(plain, message, new_job_id()))

    async def _send(self, envelope: Envelope[Any]) -> str:
        return await self._send_ready(self._addressing.address(envelope))

    def _send_ready(self, ready: Addressed) -> Awaitable[str]:
        if self._is_cleared(ready.message_type):
            return self._gathering.publish(self.transport, ready)
        return self._clear_and_send(ready)

    async def _clear_and_send(self, ready: Addressed) -> str:
        await self._clear([ready.message_type])
        return await self._gathering.publish(self.transport, ready)

    async def _clear(self, types: Iterable[MessageType[Any]]) -> None:
        """In a thread: a large union takes seconds to be compared."""
        if unknown := [each for each in types if not self._is_cleared(each)]:
            await run_steps_async(self.transport, self._clearing(unknown), in_thread=True)

    async def publish_many(self, messages: Iterable[object]) -> list[PublishResult]:
        """As `Publisher.publish_many`."""
        batch = Batch(self._addressing)

        async def accept(envelope: Envelope[Any]) -> str:
            return batch.accept(envelope)

        publish = self._wrap(accept)
        may_be_plain = publish is accept
        for message in messages:
            try:
                if not (may_be_plain and batch.accept_plain(message)):
                    batch.next_one()
                    batch.answered(await publish(envelope_of(message)))
            except InvalidArgument as error:
                batch.refuse(error)
        calls = batch.calls()
        await self._clear(batch.types())
        await self._send_all(batch, calls)
        return batch.results()

    async def _send_all(self, batch: Batch, calls: Iterable[BatchCall]) -> None:
        sent: deque[AsyncSent] = deque()
        try:
            for call in calls:
                while sent and not _may_follow(sent, call):
                    batch.note(*await _taken_async(sent))
                sent.append((call, self.transport.start(call.command())))
            while sent:
                batch.note(*await _taken_async(sent))
        except ServerError as error:
            while sent and not isinstance(error, ConnectionLost):
                with suppress(ServerError):
                    batch.note(*await _taken_async(sent))
            raise batch.interrupted(error) from error
        finally:
            for _, reply in sent:
                reply.drop()


async def _taken_async(sent: deque[AsyncSent]) -> tuple[BatchCall, list[PublishResult]]:
    call, reply = sent.popleft()
    return call, await reply.result()


def as_envelopes(messages: Iterable[object]) -> Iterable[Envelope[Any]]:
    """Messages and envelopes, mixed, as envelopes."""
    return map(envelope_of, messages)
