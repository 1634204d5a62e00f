"""What a handler gets: its job, and `exec`, the operations it may run on the same server."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from functools import cached_property
from typing import Any, Generic, TypeAlias, TypeVar

from omniq_typed.core import admin, children
from omniq_typed.core.replies import number
from omniq_typed.messages.envelope import Cause, Envelope, envelope_of
from omniq_typed.models import Ordering, PublishResult, Reserved
from omniq_typed.publishing import (
    AsyncPublisher,
    Publisher,
    as_envelopes,
    publish_untyped,
    untyped_job,
)

T_co = TypeVar("T_co", covariant=True)


class Lease:
    """One leased job, as the worker, its heartbeat and its handler see it.

    `settling`: its result is on the way to the server; `told_before`: it was, and the reply got
    lost; `watch`: what the heartbeat keeps of it.
    """

    __slots__ = (
        "_on_lost",
        "job",
        "lock_until_ms",
        "lost_because",
        "queue",
        "settling",
        "told_before",
        "watch",
    )

    def __init__(self, queue: str, job: Reserved) -> None:
        self.queue = queue
        self.job = job
        self.lock_until_ms = job.lock_until_ms
        self.lost_because = ""
        self.settling = False
        self.told_before = False
        self.watch: object | None = None
        self._on_lost: Callable[[], object] | None = None

    @property
    def lost(self) -> bool:
        """Whether another worker may have the job by now."""
        return self.lost_because != ""

    def on_lost(self, call: Callable[[], object] | None) -> None:
        """What to call, from the heartbeat's thread, when the lease is lost."""
        self._on_lost = call

    def mark_lost(self, because: str) -> None:
        """Tells the handler, once."""
        if not self.lost:
            self.lost_because = because
            if self._on_lost is not None:
                self._on_lost()


def _caused_by(job: Reserved, messages: Iterable[object]) -> Iterable[Envelope[Any]]:
    """Messages and envelopes, mixed, that a job's handler publishes."""
    cause = Cause.of(job)
    return (each.caused_by(cause) for each in as_envelopes(messages))


class Exec:
    """Operations of a running handler. What it publishes carries its conversation along."""

    def __init__(self, publisher: Publisher, job: Reserved) -> None:
        self._publisher = publisher
        self._transport = publisher.transport
        self._settings = publisher.settings
        self._job = job

    def publish(
        self,
        *,
        queue: str,
        payload: dict[str, Any] | list[Any],
        job_id: str | None = None,
        max_attempts: int = 3,
        timeout_ms: int = 30_000,
        backoff_ms: int = 5_000,
        due_ms: int = 0,
        gid: str | None = None,
        group_limit: int = 0,
        ordering: Ordering = "relaxed",
    ) -> str:
        """Publishes an untyped job, as `OmniqClient.publish`.
        lua/commands/enqueue_one.lua; with a group or a time lua/commands/enqueue.lua"""
        job = untyped_job(
            payload,
            job_id=job_id,
            max_attempts=max_attempts,
            timeout_ms=timeout_ms,
            backoff_ms=backoff_ms,
            due_ms=due_ms,
            gid=gid,
            group_limit=group_limit,
            ordering=ordering,
        )
        return self._transport.run(publish_untyped(self._settings, queue, job))

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
        """Publishes a typed message, as `Bus.publish_json`.
        lua/commands/enqueue_one.lua; with a group or a time lua/commands/enqueue.lua"""
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
        return self._publisher.publish(envelope.caused_by(Cause.of(self._job)))

    def publish_many(self, messages: Iterable[object]) -> list[PublishResult]:
        """Publishes typed messages in as few calls as can be, as `Bus.publish_many`.
        lua/commands/enqueue.lua"""
        return self._publisher.publish_many(_caused_by(self._job, messages))

    def publish_each(self, messages: Iterable[object]) -> Iterator[PublishResult]:
        """Publishes typed messages while they are being made, as `Bus.publish_each`.
        lua/commands/enqueue.lua"""
        return self._publisher.publish_each(_caused_by(self._job, messages))

    def pause(self, *, queue: str) -> str:
        """Stops leasing jobs of a queue; running ones go on. lua/commands/pause.lua"""
        return self._transport.run(admin.pause(queue))

    def resume(self, *, queue: str) -> int:
        """Leases again; 1 when the queue was paused, else 0. lua/commands/resume.lua"""
        return self._transport.run(admin.resume(queue))

    def is_paused(self, *, queue: str) -> bool:
        """Whether a queue is paused. lua/commands/is_paused.lua"""
        return self._transport.run(admin.is_paused(queue))

    def childs_init(self, key: str, expected: int) -> None:
        """Starts the counter of a set of children. Raises CounterExists.
        lua/commands/childs_init.lua"""
        self._transport.run(children.childs_init(key, expected))

    def child_ack(self, key: str, child_id: str | None = None) -> int:
        """This job, a child of the set, is done: the number still to finish, 0 for the one that
        finishes it (also when asked again), negative as in `ChildAck`.
        lua/commands/child_ack.lua"""
        child = self._job.job_id if child_id is None else child_id
        memory = self._settings.child_memory_ms
        return self._transport.run(children.child_ack(key, child, remember_ms=memory))


class AsyncExec:
    """The asyncio twin of `Exec`."""

    def __init__(self, publisher: AsyncPublisher, job: Reserved) -> None:
        self._publisher = publisher
        self._transport = publisher.transport
        self._settings = publisher.settings
        self._job = job

    async def publish(
        self,
        *,
        queue: str,
        payload: dict[str, Any] | list[Any],
        job_id: str | None = None,
        max_attempts: int = 3,
        timeout_ms: int = 30_000,
        backoff_ms: int = 5_000,
        due_ms: int = 0,
        gid: str | None = None,
        group_limit: int = 0,
        ordering: Ordering = "relaxed",
    ) -> str:
        """Publishes an untyped job, as `AsyncOmniqClient.publish`.
        lua/commands/enqueue_one.lua; with a group or a time lua/commands/enqueue.lua"""
        job = untyped_job(
            payload,
            job_id=job_id,
            max_attempts=max_attempts,
            timeout_ms=timeout_ms,
            backoff_ms=backoff_ms,
            due_ms=due_ms,
            gid=gid,
            group_limit=group_limit,
            ordering=ordering,
        )
        return await self._transport.run(publish_untyped(self._settings, queue, job))

    async def publish_json(
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
        """Publishes a typed message, as `AsyncBus.publish_json`.
        Not lua/commands/enqueue_one.lua, which a batch might overtake: lua/commands/enqueue.lua"""
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
        return await self._publisher.publish(envelope.caused_by(Cause.of(self._job)))

    async def publish_many(self, messages: Iterable[object]) -> list[PublishResult]:
        """Publishes typed messages in as few calls as can be, as `AsyncBus.publish_many`.
        lua/commands/enqueue.lua"""
        return await self._publisher.publish_many(_caused_by(self._job, messages))

    def publish_each(
        self, messages: Iterable[object] | AsyncIterable[object]
    ) -> AsyncIterator[PublishResult]:
        """Publishes typed messages while they are being made, as `AsyncBus.publish_each`.
        lua/commands/enqueue.lua"""
        if isinstance(messages, AsyncIterable):
            cause = Cause.of(self._job)
            return self._publisher.publish_each(
                envelope_of(each).caused_by(cause) async for each in messages
            )
        return self._publisher.publish_each(_caused_by(self._job, messages))

    async def pause(self, *, queue: str) -> str:
        """Stops leasing jobs of a queue; running ones go on. lua/commands/pause.lua"""
        return await self._transport.run(admin.pause(queue))

    async def resume(self, *, queue: str) -> int:
        """Leases again; 1 when the queue was paused, else 0. lua/commands/resume.lua"""
        return await self._transport.run(admin.resume(queue))

    async def is_paused(self, *, queue: str) -> bool:
        """Whether a queue is paused. lua/commands/is_paused.lua"""
        return await self._transport.run(admin.is_paused(queue))

    async def childs_init(self, key: str, expected: int) -> None:
        """Starts the counter of a set of children. Raises CounterExists.
        lua/commands/childs_init.lua"""
        await self._transport.run(children.childs_init(key, expected))

    async def child_ack(self, key: str, child_id: str | None = None) -> int:
        """This job, a child of the set, is done; the answer as of `Exec.child_ack`.
        lua/commands/child_ack.lua"""
        child = self._job.job_id if child_id is None else child_id
        memory = self._settings.child_memory_ms
        return await self._transport.run(children.child_ack(key, child, remember_ms=memory))


class _JobFacts(Generic[T_co]):
    """What `Ctx` and `AsyncCtx` share."""

    _lease: Lease
    _payload: T_co

    @property
    def payload(self) -> T_co:
        """The checked message, or the dict or list of an untyped job."""
        return self._payload

    @property
    def payload_raw(self) -> str:
        """The payload as JSON text."""
        return self._lease.job.payload.decode("utf-8", "backslashreplace")

    @property
    def queue(self) -> str:
        """The queue that the job came from."""
        return self._lease.queue

    @property
    def job_id(self) -> str:
        """The id under which the job was published."""
        return self._lease.job.job_id

    @property
    def attempt(self) -> int:
        """1 on the first delivery."""
        return self._lease.job.attempt

    @property
    def max_attempts(self) -> int:
        """Deliveries after which the job goes to the failed lane."""
        return self._lease.job.max_attempts

    @property
    def is_last_attempt(self) -> bool:
        """Whether a failure now sends the job to the failed lane."""
        return self.attempt >= self.max_attempts

    @property
    def lock_until_ms(self) -> int:
        """End of the lease, ms of the server's clock; heartbeats move it."""
        return self._lease.lock_until_ms

    @property
    def lease_token(self) -> str:
        """Proves the lease."""
        return self._lease.job.lease_token

    @property
    def lease_lost(self) -> bool:
        """True when another worker may have the job: stop; your result will be dropped."""
        return self._lease.lost

    @property
    def gid(self) -> str:
        """The job's group, '' = none."""
        return self._lease.job.gid

    @property
    def created_ms(self) -> int:
        """When the job was published, ms of the server's clock."""
        return self._lease.job.created_ms

    @property
    def msg_type(self) -> str:
        """Name of the message type as published, '' for an untyped job."""
        return self._lease.job.msg_type

    @property
    def msg_version(self) -> int:
        """Version of the message type as published; 1 for an untyped job, 0 where another program
        wrote something that is no number."""
        return number(self._lease.job.msg_version or 1)

    @property
    def correlation_id(self) -> str:
        """The conversation that the job belongs to; its own id where it started one."""
        return self._lease.job.msg_correlation_id or self.job_id

    @property
    def causation_id(self) -> str:
        """The id of the job out of which this one was published, '' = none."""
        return self._lease.job.msg_causation_id

    @property
    def traceparent(self) -> str:
        """W3C trace context of the publisher, '' = none."""
        return self._lease.job.msg_traceparent

    @property
    def tracestate(self) -> str:
        """The vendors' part of the trace context, '' = none."""
        return self._lease.job.msg_tracestate

    @property
    def source(self) -> str:
        """Who published the job, '' = not said."""
        return self._lease.job.msg_source


class Ctx(_JobFacts[T_co]):
    """A job in the hands of a handler."""

    def __init__(self, lease: Lease, payload: T_co, publisher: Publisher) -> None:
        self._lease = lease
        self._payload = payload
        self._publisher = publisher

    @cached_property
    def exec(self) -> Exec:
        """What the handler may do on the same server."""
        return Exec(self._publisher, self._lease.job)


class AsyncCtx(_JobFacts[T_co]):
    """A job in the hands of an async handler."""

    def __init__(self, lease: Lease, payload: T_co, publisher: AsyncPublisher) -> None:
        self._lease = lease
        self._payload = payload
        self._publisher = publisher

    @cached_property
    def exec(self) -> AsyncExec:
        """What the handler may do on the same server."""
        return AsyncExec(self._publisher, self._lease.job)


JobCtx: TypeAlias = Ctx[Any]
"""The ctx of an untyped handler."""
AsyncJobCtx: TypeAlias = AsyncCtx[Any]
