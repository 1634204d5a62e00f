"""From a message to the script call that publishes it, one by one and in batches."""

from __future__ import annotations

from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Generator,
    Iterable,
    Iterator,
)
from contextlib import aclosing, suppress
from dataclasses import dataclass
from itertools import islice
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
from omniq_typed.publish_batch import JOBS_PER_CALL, Batch
from omniq_typed.publish_results import AsyncResults, Results
from omniq_typed.registration import Registration
from omniq_typed.transport.aio import AsyncTransport
from omniq_typed.transport.async_reply import AsyncReply
from omniq_typed.transport.reply import Reply
from omniq_typed.transport.steps import run_steps, run_steps_async
from omniq_typed.transport.sync import SyncTransport
from omniq_typed.under_way import UnderWay

Publish: TypeAlias = Callable[[Envelope[Any]], str]
"""Publishes one message and answers its job id."""
AsyncPublish: TypeAlias = Callable[[Envelope[Any]], Awaitable[str]]

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
        self._fill(batch, messages)
        batch.close(all_or_none=True)
        run_steps(self.transport, self._clearing(batch.types()))
        for _ in self._send_all([batch]):
            pass
        return batch.results()

    def publish_each(self, messages: Iterable[object]) -> Results:
        """Takes a hundred at a time, while those before are published. Raises BatchInterrupted
        with what is known of those for which it has not answered yet."""
        return Results(self._publishing_each(messages))

    def _publishing_each(self, messages: Iterable[object]) -> Generator[PublishResult, None, None]:
        failures: list[Exception] = []
        for batch in self._send_all(self._hundreds(messages, failures)):
            yield from batch.results()
        if failures:
            raise failures[0]

    def _hundreds(self, messages: Iterable[object], failures: list[Exception]) -> Iterator[Batch]:
        """Ends with the messages, or where they, a middleware or the registration fail: what was
        taken before is to be published all the same."""
        left = iter(messages)
        while not failures:
            batch = Batch(self._addressing)
            try:
                self._fill(batch, islice(left, JOBS_PER_CALL))
            except Exception as failure:
                failures.append(failure)
            if batch.is_empty:
                return
            batch.close(all_or_none=False)
            try:
                run_steps(self.transport, self._clearing(batch.types()))
            except Exception as failure:
                failures.insert(0, failure)
                return
            yield batch

    def _fill(self, batch: Batch, messages: Iterable[object]) -> None:
        publish = self._wrap(batch.accept)
        may_be_plain = publish == batch.accept
        for message in messages:
            try:
                if not (may_be_plain and batch.accept_plain(message)):
                    batch.next_one()
                    batch.answered(publish(envelope_of(message)))
            except InvalidArgument as error:
                batch.refuse(error)

    def _send_all(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Yields each batch when it is answered."""
        under_way: UnderWay[Reply[list[PublishResult]]] = UnderWay()
        try:
            for batch in batches:
                under_way.open(batch)
                for call in batch.calls:
                    while not under_way.has_place_for(call):
                        _take(under_way)
                    behind = under_way.calls[-1][2] if under_way.calls else None
                    under_way.sent(call, self.transport.start(call.command(), behind=behind))
                yield from under_way.done()
            while under_way.calls:
                _take(under_way)
                yield from under_way.done()
        except ServerError as error:
            # What was under way may have been published all the same; a server that is gone after
            # several calls is not waited for once more.
            while under_way.calls and not isinstance(error, ConnectionLost):
                with suppress(ServerError):
                    _take(under_way)
            raise under_way.interrupted(error) from error


def _take(under_way: UnderWay[Reply[list[PublishResult]]]) -> None:
    batch, call, reply = under_way.calls.popleft()
    batch.note(call, reply.result())


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
        await self._fill(batch, messages)
        batch.close(all_or_none=True)
        await self._clear(batch.types())
        async for _ in self._send_all(_one(batch)):
            pass
        return batch.results()

    def publish_each(self, messages: Iterable[object] | AsyncIterable[object]) -> AsyncResults:
        """As `Publisher.publish_each`."""
        return AsyncResults(self._publishing_each(messages))

    async def _publishing_each(
        self, messages: Iterable[object] | AsyncIterable[object]
    ) -> AsyncGenerator[PublishResult, None]:
        failures: list[Exception] = []
        batches = self._hundreds(messages, failures)
        async with aclosing(batches), aclosing(self._send_all(batches)) as answered:
            async for batch in answered:
                for result in batch.results():
                    yield result
        if failures:
            raise failures[0]

    async def _hundreds(
        self, messages: Iterable[object] | AsyncIterable[object], failures: list[Exception]
    ) -> AsyncGenerator[Batch, None]:
        """As `Publisher._hundreds`."""
        left = aiter(messages) if isinstance(messages, AsyncIterable) else iter(messages)
        while not failures:
            batch, taken = Batch(self._addressing), list[object]()
            try:
                if isinstance(left, AsyncIterator):
                    await _take_from(left, taken)
                else:
                    taken.extend(islice(left, JOBS_PER_CALL))
            except Exception as failure:
                failures.append(failure)
            try:
                await self._fill(batch, taken)
            except Exception as failure:
                failures.insert(0, failure)
            if batch.is_empty:
                return
            batch.close(all_or_none=False)
            try:
                await self._clear(batch.types())
            except Exception as failure:
                failures.insert(0, failure)
                return
            yield batch

    async def _fill(self, batch: Batch, messages: Iterable[object]) -> None:
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

    async def _send_all(self, batches: AsyncIterable[Batch]) -> AsyncGenerator[Batch, None]:
        """As `Publisher._send_all`."""
        under_way: UnderWay[AsyncReply[list[PublishResult]]] = UnderWay()
        try:
            async for batch in batches:
                under_way.open(batch)
                for call in batch.calls:
                    while not under_way.has_place_for(call):
                        await _take_async(under_way)
                    under_way.sent(call, self.transport.start(call.command()))
                for each in under_way.done():
                    yield each
            while under_way.calls:
                await _take_async(under_way)
                for each in under_way.done():
                    yield each
        except ServerError as error:
            while under_way.calls and not isinstance(error, ConnectionLost):
                with suppress(ServerError):
                    await _take_async(under_way)
            raise under_way.interrupted(error) from error
        finally:
            for _, _, reply in under_way.calls:
                reply.drop()


async def _take_async(under_way: UnderWay[AsyncReply[list[PublishResult]]]) -> None:
    batch, call, reply = under_way.calls.popleft()
    batch.note(call, await reply.result())


async def _one(batch: Batch) -> AsyncGenerator[Batch, None]:
    yield batch


async def _take_from(messages: AsyncIterator[object], taken: list[object]) -> None:
    """A hundred, or those that are left; also where it fails halfway."""
    async for message in messages:
        taken.append(message)
        if len(taken) == JOBS_PER_CALL:
            return


def as_envelopes(messages: Iterable[object]) -> Iterable[Envelope[Any]]:
    """Messages and envelopes, mixed, as envelopes."""
    return map(envelope_of, messages)
