"""`QueueMonitor`: looks at queues, changes nothing. Each call is one round trip."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from omniq_typed.core import observe
from omniq_typed.core.keys import queue_of_stats_key
from omniq_typed.core.limits import read_limits
from omniq_typed.models import (
    GroupReady,
    GroupStatus,
    JobInfo,
    LaneJob,
    QueueLimits,
    QueueOverview,
    QueueStats,
    VersionCount,
    VersionPage,
)
from omniq_typed.transport.aio import AsyncTransport
from omniq_typed.transport.sync import SyncTransport

__all__ = ["AsyncQueueMonitor", "QueueMonitor"]


class HasTransport(Protocol):
    """An `OmniqClient` or a `Bus`."""

    @property
    def transport(self) -> SyncTransport: ...


class HasAsyncTransport(Protocol):
    """An `AsyncOmniqClient` or an `AsyncBus`."""

    @property
    def transport(self) -> AsyncTransport: ...


class QueueMonitor:
    """Reads over the connection of a client or bus. An unreachable server is a ServerError, never
    a row of zeros."""

    def __init__(self, client: HasTransport) -> None:
        self._transport = client.transport

    def scan_queues(self) -> list[str]:
        """Names of all queues on the server (every node of a cluster), sorted. Walks the whole
        keyspace in steps; for administration, not for a page that refreshes."""
        found = map(queue_of_stats_key, self._transport.scan_stats_keys())
        return sorted({queue for queue in found if queue is not None})

    def stats(self, queue: str) -> QueueStats:
        """Lengths of the lanes; all 0 for a queue that never was. lua/commands/read_stats.lua"""
        return self._transport.run(observe.read_stats(queue))

    def stats_many(self, queues: Iterable[str] | None = None) -> list[QueueStats]:
        """Of several queues (None: all there are), in one round trip (on a cluster one per
        queue). lua/commands/read_stats.lua"""
        names = self.scan_queues() if queues is None else list(queues)
        return self._transport.run_all([observe.read_stats(queue) for queue in names])

    def groups_ready(self, queue: str, offset: int = 0, limit: int = 200) -> list[str]:
        """Groups that can hand out a job, next in turn first. lua/commands/groups_ready.lua"""
        return [group.gid for group in self.groups_ready_with_scores(queue, offset, limit)]

    def groups_ready_with_scores(
        self, queue: str, offset: int = 0, limit: int = 200
    ) -> list[GroupReady]:
        """The same, with the time (ms) since which each is ready. lua/commands/groups_ready.lua"""
        return self._transport.run(observe.groups_ready(queue, offset, limit))

    def group_status(self, queue: str, gids: Sequence[str]) -> list[GroupStatus]:
        """How full the groups are, in the order given. lua/commands/group_status.lua"""
        return self._transport.run(observe.group_status(queue, gids))

    def limits(self, queue: str) -> QueueLimits:
        """How fast and how wide the queue as a whole may run. lua/commands/read_limits.lua"""
        return self._transport.run(read_limits(queue))

    def lane_page(
        self,
        queue: str,
        lane: str,
        offset: int = 0,
        limit: int = 25,
        reverse: bool = False,
    ) -> list[LaneJob]:
        """One page of a lane (wait, gwait, active, delayed, failed, completed; wait and gwait list
        all waiting jobs, grouped or not), oldest first, or newest first with `reverse`.
        lua/commands/lane_page.lua"""
        return self._transport.run(observe.lane_page(queue, lane, offset, limit, reverse))

    def get_job(self, queue: str, job_id: str) -> JobInfo | None:
        """Everything stored of a job; None where there is none. lua/commands/read_job.lua"""
        return self._transport.run(observe.read_job(queue, job_id))

    def find_jobs(self, queue: str, lane: str, job_ids: Iterable[str]) -> list[LaneJob]:
        """Those of the given jobs that lie in the lane. lua/commands/find_jobs.lua"""
        return self._transport.run(observe.find_jobs(queue, lane, list(job_ids)))

    def overview(self, queue: str, samples_per_lane: int = 10) -> QueueOverview:
        """Counters, next groups and the newest jobs of each lane. lua/commands/overview.lua"""
        return self._transport.run(observe.overview(queue, samples_per_lane))

    def versions_in_flight(self, queue: str) -> list[VersionCount]:
        """How many jobs wait, are delayed, active and failed, by message type and version, in
        steps of about 500 jobs that do not hold up the server.

        What moves meanwhile is counted as `core.observe.next_count` says: a job that stays, or
        moves on towards failed, is never missed. lua/commands/count_versions.lua
        """
        pages: list[VersionPage] = []
        page = None
        while (command := observe.next_count(queue, page)) is not None:
            page = self._transport.run(command)
            pages.append(page)
        return observe.add_up(pages)


class AsyncQueueMonitor:
    """The asyncio twin of `QueueMonitor`."""

    def __init__(self, client: HasAsyncTransport) -> None:
        self._transport = client.transport

    async def scan_queues(self) -> list[str]:
        """As `QueueMonitor.scan_queues`."""
        found = {queue_of_stats_key(key) async for key in self._transport.scan_stats_keys()}
        return sorted(queue for queue in found if queue is not None)

    async def stats(self, queue: str) -> QueueStats:
        """As `QueueMonitor.stats`. lua/commands/read_stats.lua"""
        return await self._transport.run(observe.read_stats(queue))

    async def stats_many(self, queues: Iterable[str] | None = None) -> list[QueueStats]:
        """As `QueueMonitor.stats_many`. lua/commands/read_stats.lua"""
        names = await self.scan_queues() if queues is None else list(queues)
        return await self._transport.run_all([observe.read_stats(queue) for queue in names])

    async def groups_ready(self, queue: str, offset: int = 0, limit: int = 200) -> list[str]:
        """As `QueueMonitor.groups_ready`. lua/commands/groups_ready.lua"""
        groups = await self.groups_ready_with_scores(queue, offset, limit)
        return [group.gid for group in groups]

    async def groups_ready_with_scores(
        self, queue: str, offset: int = 0, limit: int = 200
    ) -> list[GroupReady]:
        """As `QueueMonitor.groups_ready_with_scores`. lua/commands/groups_ready.lua"""
        return await self._transport.run(observe.groups_ready(queue, offset, limit))

    async def group_status(self, queue: str, gids: Sequence[str]) -> list[GroupStatus]:
        """As `QueueMonitor.group_status`. lua/commands/group_status.lua"""
        return await self._transport.run(observe.group_status(queue, gids))

    async def limits(self, queue: str) -> QueueLimits:
        """As `QueueMonitor.limits`. lua/commands/read_limits.lua"""
        return await self._transport.run(read_limits(queue))

    async def lane_page(
        self,
        queue: str,
        lane: str,
        offset: int = 0,
        limit: int = 25,
        reverse: bool = False,
    ) -> list[LaneJob]:
        """As `QueueMonitor.lane_page`. lua/commands/lane_page.lua"""
        return await self._transport.run(observe.lane_page(queue, lane, offset, limit, reverse))

    async def get_job(self, queue: str, job_id: str) -> JobInfo | None:
        """As `QueueMonitor.get_job`. lua/commands/read_job.lua"""
        return await self._transport.run(observe.read_job(queue, job_id))

    async def find_jobs(self, queue: str, lane: str, job_ids: Iterable[str]) -> list[LaneJob]:
        """As `QueueMonitor.find_jobs`. lua/commands/find_jobs.lua"""
        return await self._transport.run(observe.find_jobs(queue, lane, list(job_ids)))

    async def overview(self, queue: str, samples_per_lane: int = 10) -> QueueOverview:
        """As `QueueMonitor.overview`. lua/commands/overview.lua"""
        return await self._transport.run(observe.overview(queue, samples_per_lane))

    async def versions_in_flight(self, queue: str) -> list[VersionCount]:
        """As `QueueMonitor.versions_in_flight`. lua/commands/count_versions.lua"""
        pages: list[VersionPage] = []
        page = None
        while (command := observe.next_count(queue, page)) is not None:
            page = await self._transport.run(command)
            pages.append(page)
        return observe.add_up(pages)
