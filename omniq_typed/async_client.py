"""`AsyncOmniqClient`: the asyncio twin of client.py."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Any, Self

from omniq_typed.client import one_address, spoken
from omniq_typed.context import AsyncJobCtx
from omniq_typed.core import admin, children, limits, maintain
from omniq_typed.core import settle as settling
from omniq_typed.core.arguments import DEFAULT_MAX_PAYLOAD_BYTES, check_int
from omniq_typed.core.enqueue import check_jobs, enqueue
from omniq_typed.core.payloads import check_raw
from omniq_typed.core.reserve import new_token_prefix, reserve_one
from omniq_typed.core.waiting import POLL_INTERVAL_S
from omniq_typed.messages.envelope import new_job_id
from omniq_typed.models import BatchResult, NewJob, Ordering, Published, ReserveJob, ReservePaused
from omniq_typed.publishing import AsyncPublisher, Settings, publish_untyped, untyped_job
from omniq_typed.transport.aio import AsyncTransport
from omniq_typed.transport.clients import AnyAsyncClient
from omniq_typed.transport.connect import async_transport_to
from omniq_typed.worker.aio import run_async_worker
from omniq_typed.worker.lane import LaneOptions
from omniq_typed.worker.routing import untyped_route
from omniq_typed.worker.stopping import StopRequest

__all__ = ["AsyncOmniqClient"]


class AsyncOmniqClient:
    """Publishes, works on and administers queues. Connects at the first call. Thread-safe.

    Every call may raise ServerError (see errors.py) when Redis cannot be used, and InvalidArgument
    (a ValueError) before Redis is touched. A client passed as `redis=` stays open; whether it
    repeats calls by itself after a broken connection is its own setting, and should be off.
    """

    def __init__(
        self,
        *,
        redis: AnyAsyncClient | None = None,
        host: str | None = None,
        port: int = 6379,
        db: int = 0,
        username: str | None = None,
        password: str | None = None,
        ssl: bool = False,
        url: str | None = None,
        max_payload_bytes: int = DEFAULT_MAX_PAYLOAD_BYTES,
        keep_completed: int = 100,
        child_memory_ms: int = children.DEFAULT_REMEMBER_MS,
    ) -> None:
        """`redis`: a redis-py client; or `host` and `port`; or `url`: redis://, rediss://, unix://,
        embedded:// (in memory), embedded:///path (on disk). Raises InvalidArgument."""
        server = one_address(
            redis,
            host,
            url,
            port=port,
            db=db,
            username=username,
            password=password,
            ssl=ssl,
        )
        self.transport = (
            AsyncTransport(client=redis) if server is None else async_transport_to(server)
        )
        self._settings = Settings(
            max_payload_bytes=check_int("max_payload_bytes", max_payload_bytes, 2),
            keep_completed=check_int("keep_completed", keep_completed, 0),
            child_memory_ms=check_int("child_memory_ms", child_memory_ms, 1),
        )

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
        now_ms_override: int = 0,
    ) -> str:
        """Publishes a dict or list and answers the job's id.

        Idempotent by `job_id` (default: a new one) for as long as the job is kept: the same job
        again is the same id and changes nothing; other content under it is DuplicateJob. `due_ms`:
        absolute time in ms, 0 = now. `group_limit`: leases at once in the group, set by the first
        publisher that gives one. A str payload is a TypeError.
        lua/commands/enqueue_one.lua; with a group or a time lua/commands/enqueue.lua
        """
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
        return await self.transport.run(
            publish_untyped(self._settings, queue, job, now_ms=now_ms_override)
        )

    async def publish_json(
        self,
        *,
        queue: str,
        payload: Any,
        job_id: str | None = None,
        max_attempts: int = 3,
        timeout_ms: int = 30_000,
        backoff_ms: int = 5_000,
        due_ms: int = 0,
        gid: str | None = None,
        group_limit: int = 0,
        ordering: Ordering = "relaxed",
        now_ms_override: int = 0,
    ) -> str:
        """As `publish`, for a dataclass or Pydantic model, checked against its own annotations
        (InvalidPayload), or a dict or list.
        lua/commands/enqueue_one.lua; with a group or a time lua/commands/enqueue.lua"""
        job = untyped_job(
            payload,
            typed=True,
            job_id=job_id,
            max_attempts=max_attempts,
            timeout_ms=timeout_ms,
            backoff_ms=backoff_ms,
            due_ms=due_ms,
            gid=gid,
            group_limit=group_limit,
            ordering=ordering,
        )
        return await self.transport.run(
            publish_untyped(self._settings, queue, job, now_ms=now_ms_override)
        )

    async def publish_raw(self, *, queue: str, payload: bytes, job_id: str | None = None) -> str:
        """Publishes bytes that are a JSON object or array already, as they are.
        lua/commands/enqueue_one.lua"""
        job = NewJob(new_job_id() if job_id is None else job_id, check_raw(payload))
        return await self.transport.run(publish_untyped(self._settings, queue, job))

    async def publish_batch(
        self, *, queue: str, jobs: Sequence[NewJob], now_ms_override: int = 0
    ) -> list[Published]:
        """Publishes jobs in one round trip, in order; one result per job, duplicates among them.
        Atomic: one bad job and none is published. lua/commands/enqueue.lua"""
        command = enqueue(
            queue,
            check_jobs(jobs),
            now_ms=now_ms_override,
            max_payload_bytes=self._settings.max_payload_bytes,
        )
        return await self.transport.run(command)

    async def reserve(
        self, *, queue: str, now_ms_override: int = 0
    ) -> ReserveJob | ReservePaused | None:
        """Leases the next job; None where there is none. lua/commands/reserve.lua"""
        return await self.transport.run(
            reserve_one(queue, new_token_prefix(), now_ms=now_ms_override)
        )

    async def heartbeat(
        self, *, queue: str, job_id: str, lease_token: str, now_ms_override: int = 0
    ) -> int:
        """Renews a lease to now + the job's timeout; answers its new end in ms. Raises LeaseLost.
        lua/commands/heartbeat.lua"""
        command = settling.heartbeat_one(queue, job_id, lease_token, now_ms=now_ms_override)
        return await self.transport.run(command)

    async def ack_success(
        self, *, queue: str, job_id: str, lease_token: str, now_ms_override: int = 0
    ) -> None:
        """Completes a leased job. Raises LeaseLost. lua/commands/settle.lua"""
        command = settling.ack_success(
            queue,
            job_id,
            lease_token,
            now_ms=now_ms_override,
            keep_completed=self._settings.keep_completed,
        )
        await self.transport.run(command)

    async def ack_fail(
        self,
        *,
        queue: str,
        job_id: str,
        lease_token: str,
        error: str | None = None,
        delay_ms: int | None = None,
        permanent: bool = False,
        now_ms_override: int = 0,
    ) -> tuple[str, int | None]:
        """Fails the attempt: ('RETRY', due_ms), or ('FAILED', None) when none is left or
        `permanent`. `delay_ms` None: the job's backoff. Raises LeaseLost. lua/commands/settle.lua
        """
        command = settling.ack_fail(
            queue,
            job_id,
            lease_token,
            error,
            delay_ms=delay_ms,
            permanent=permanent,
            now_ms=now_ms_override,
        )
        return await self.transport.run(command)

    async def promote_delayed(
        self, *, queue: str, max_promote: int = 1000, now_ms_override: int = 0
    ) -> int:
        """Moves due jobs to their lanes; answers how many. lua/commands/promote_delayed.lua"""
        return await self.transport.run(
            maintain.promote_delayed(queue, max_promote, now_ms=now_ms_override)
        )

    async def reap_expired(
        self, *, queue: str, max_reap: int = 1000, now_ms_override: int = 0
    ) -> int:
        """Fails the attempts whose lease has ended; answers how many.
        lua/commands/reap_expired.lua"""
        return await self.transport.run(
            maintain.reap_expired(queue, max_reap, now_ms=now_ms_override)
        )

    async def pause(self, *, queue: str) -> str:
        """Stops leasing; running jobs go on. lua/commands/pause.lua"""
        return await self.transport.run(admin.pause(queue))

    async def resume(self, *, queue: str) -> int:
        """Leases again; 1 when the queue was paused, else 0. lua/commands/resume.lua"""
        return await self.transport.run(admin.resume(queue))

    async def is_paused(self, *, queue: str) -> bool:
        """Whether the queue is paused. lua/commands/is_paused.lua"""
        return await self.transport.run(admin.is_paused(queue))

    async def retry_failed(self, *, queue: str, job_id: str, now_ms_override: int = 0) -> None:
        """Gives a failed job all its attempts again. Raises JobNotFound, WrongLane.
        lua/commands/retry_failed.lua"""
        await self.transport.run(admin.retry_failed(queue, job_id, now_ms=now_ms_override))

    async def retry_failed_batch(
        self, *, queue: str, job_ids: Sequence[str], now_ms_override: int = 0
    ) -> list[BatchResult]:
        """At most 100 at once, atomic; (job_id, status, reason) per id.
        lua/commands/retry_failed.lua"""
        return await self.transport.run(
            admin.retry_failed_batch(queue, job_ids, now_ms=now_ms_override)
        )

    async def remove_job(self, *, queue: str, job_id: str, lane: str) -> None:
        """Deletes a job from its lane: wait, delayed, failed, completed or gwait; never a running
        one. Raises JobNotFound, WrongLane. lua/commands/remove_jobs.lua"""
        await self.transport.run(admin.remove_job(queue, job_id, lane))

    async def remove_jobs_batch(
        self, *, queue: str, lane: str, job_ids: Sequence[str]
    ) -> list[BatchResult]:
        """At most 100 at once, atomic; (job_id, status, reason) per id.
        lua/commands/remove_jobs.lua"""
        return await self.transport.run(admin.remove_jobs_batch(queue, lane, job_ids))

    async def set_group_limit(self, *, queue: str, gid: str, limit: int) -> None:
        """Changes how many jobs of a group run at once. Raises StrictGroup.
        lua/commands/set_group_limit.lua"""
        await self.transport.run(admin.set_group_limit(queue, gid, limit))

    async def set_rate_limit(
        self,
        *,
        queue: str,
        per_s: float | None,
        burst: int | None = None,
        gid: str | None = None,
    ) -> None:
        """Changes how many jobs of a queue, or of one of its groups, may start per second, and
        `burst` at once (None: those of a second). `per_s` None: no limit. Raises InvalidArgument.
        lua/commands/set_rate_limit.lua"""
        await self.transport.run(limits.set_rate_limit(queue, per_s, burst=burst, gid=gid))

    async def set_concurrency_limit(self, *, queue: str, limit: int | None) -> None:
        """Changes how many jobs of a queue run at once; None: no limit. Raises InvalidArgument.
        lua/commands/set_concurrency_limit.lua"""
        await self.transport.run(limits.set_concurrency_limit(queue, limit))

    async def childs_init(self, *, key: str, expected: int) -> None:
        """Starts the counter of a set of children, once per key. Raises CounterExists.
        lua/commands/childs_init.lua"""
        await self.transport.run(children.childs_init(key, expected))

    async def child_ack(self, *, key: str, child_id: str) -> int:
        """A child is done: how many are left; 0 for the one that finishes the set, also when it
        asks again; -1 where the counter is unknown, -2 where another child finished the set.
        lua/commands/child_ack.lua"""
        memory = self._settings.child_memory_ms
        return await self.transport.run(children.child_ack(key, child_id, remember_ms=memory))

    async def consume(
        self,
        *,
        queue: str,
        handler: Callable[[AsyncJobCtx], Awaitable[Any]],
        poll_interval_s: float = POLL_INTERVAL_S,
        promote_interval_s: float = 1.0,
        promote_batch: int = 1000,
        reap_interval_s: float = 1.0,
        reap_batch: int = 1000,
        heartbeat_interval_s: float | None = None,
        verbose: bool = False,
        logger: Callable[[str], None] = print,
        drain: bool = True,
        stop: threading.Event | None = None,
        timeout_s: float | None = None,
        grace_s: float | None = None,
        max_prefetch: int = 1,
        handle_signals: bool = True,
    ) -> None:
        """Runs the handler for one job after another, until SIGTERM or Ctrl-C.

        A handler that returns completes its job; one that raises fails the attempt. The first
        signal ends the worker: with `drain` after the running job, without it or after `grace_s` at
        once (the job is given back); a second one exits the process. Where Python hears no signals
        (outside the main thread, or without `handle_signals`) set `stop`, an event. `timeout_s`:
        how long one attempt may take. `max_prefetch`: as of `Bus.run`, but 1: one job after
        another, as OmniQ does. Redis going away is waited for. `promote_*` and `reap_*` are
        taken for OmniQ's programs and have no effect: every reserve promotes and reaps. Raises
        AuthenticationFailed, PermissionDenied. lua/commands/reserve.lua
        """
        request = StopRequest(
            drain=drain, event=stop, grace_s=grace_s, handle_signals=handle_signals
        )
        options = LaneOptions(
            max_prefetch=max_prefetch,
            poll_interval_s=poll_interval_s,
            say=spoken(logger, queue) if verbose else None,
        )
        route = untyped_route(queue, handler, timeout_s)
        await run_async_worker(
            AsyncPublisher(self.transport, self._settings),
            [route],
            request,
            options,
            heartbeat_interval_s,
        )

    async def close(self) -> None:
        """Closes the connections, unless the redis client was passed in."""
        await self.transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()
