"""Looks at a storm's queues on the server, each in one transaction, by plain commands: what lies
where, and what the counters say. Knows the layout from docs/wire.md, not from the library."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import redis

LANES = ("wait", "delayed", "active", "failed", "completed")


@dataclass
class Picture:
    """One queue at one moment."""

    queue: str
    lanes: dict[str, list[str]]
    """Ids by lane; `group_wait`: those of all groups."""
    stats: dict[str, int]
    groups_ready: int
    completed: int
    inflight: dict[str, int] = field(default_factory=dict)
    indexes: dict[str, set[str]] = field(default_factory=dict)

    @property
    def unfinished(self) -> int:
        names = ("wait", "delayed", "active", "group_wait")
        return sum(len(self.lanes[each]) for each in names)

    def faults(self) -> list[str]:
        """What does not hold though it should at every moment."""
        lengths = {
            "waiting": len(self.lanes["wait"]),
            "group_waiting": len(self.lanes["group_wait"]),
            "waiting_total": len(self.lanes["wait"]) + len(self.lanes["group_wait"]),
            "active": len(self.lanes["active"]),
            "delayed": len(self.lanes["delayed"]),
            "failed": len(self.lanes["failed"]),
            "completed_kept": self.completed,
            "groups_ready": self.groups_ready,
        }
        found = [
            f"{self.queue}: counter {name} says {self.stats.get(name, 0)}, there are {length}"
            for name, length in lengths.items()
            if self.stats.get(name, 0) != length
        ]
        places = Counter(each for ids in self.lanes.values() for each in ids)
        for job_id, count in places.items():
            if count != 1:
                lanes = [lane for lane, ids in self.lanes.items() if job_id in ids]
                found.append(f"{self.queue}: {job_id} lies in {count} lanes: {lanes}")
        for lane, index in self.indexes.items():
            ids = set(self.lanes[lane])
            if lane == "wait":
                ids |= set(self.lanes["group_wait"])
            if ids != index:
                found.append(f"{self.queue}: idx:{lane} differs: {sorted(ids ^ index)[:5]}")
        return found


def look(client: redis.Redis, queue: str, gids: Iterable[str], *, whole: bool) -> Picture:
    """In one MULTI, so that nothing moves meanwhile. Not `whole`: without the ids of completed
    jobs, which are many. Raises redis.RedisError."""
    base, gids = f"{{{queue}}}", list(gids)
    last = -1 if whole else 0
    pipe: Any = client.pipeline(transaction=True)
    pipe.lrange(f"{base}:wait", 0, -1)
    pipe.zrange(f"{base}:delayed", 0, -1)
    pipe.zrange(f"{base}:active", 0, -1)
    pipe.lrange(f"{base}:failed", 0, -1)
    pipe.lrange(f"{base}:completed", 0, last)
    for lane in LANES:
        pipe.zrange(f"{base}:idx:{lane}", 0, -1 if lane != "completed" else last)
    pipe.llen(f"{base}:completed")
    pipe.hgetall(f"{base}:stats")
    pipe.zcard(f"{base}:groups:ready")
    for gid in gids:
        pipe.lrange(f"{base}:g:{gid}:wait", 0, -1)
        pipe.get(f"{base}:g:{gid}:inflight")
    replies = pipe.execute()
    lanes = {lane: _texts(ids) for lane, ids in zip(LANES, replies, strict=False)}
    indexes = {lane: set(_texts(ids)) for lane, ids in zip(LANES, replies[5:], strict=False)}
    completed, stats, ready, groups = replies[10], replies[11], replies[12], replies[13:]
    if not whole:
        lanes["completed"], indexes["completed"] = [], set()
    lanes["group_wait"] = [each for ids in groups[::2] for each in _texts(ids)]
    return Picture(
        queue,
        lanes,
        {name.decode(): int(value) for name, value in stats.items()},
        ready,
        completed,
        {gid: int(count or 0) for gid, count in zip(gids, groups[1::2], strict=True)},
        indexes,
    )


def _texts(ids: Iterable[bytes]) -> list[str]:
    return [each.decode() for each in ids]
