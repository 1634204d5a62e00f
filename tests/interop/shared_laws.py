"""What holds on a queue that both kinds work on: our laws, but for what OmniQ 4 leaves otherwise;
and that both monitors see the same."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from tests.interop.peer import Sides
from tests.properties.queue_laws import Queue, check_state, read_queue

LANES = ("wait", "active", "delayed", "failed", "completed")
COUNTERS = (
    "waiting",
    "group_waiting",
    "waiting_total",
    "active",
    "delayed",
    "failed",
    "completed_kept",
    "groups_ready",
)
FAR_MS = 10**12


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def check(
    sides: Sides,
    queue: str,
    ids: Sequence[str],
    gids: Sequence[str] = (),
    *,
    monitors: bool = True,
) -> Queue:
    """`ids`: every job that was ever published; `gids`: every group."""
    if monitors:
        check_monitors(sides, queue, ids, gids)
    client = sides.server.client()
    try:
        found = read_queue(client, queue, ids, gids)
    finally:
        client.close()
    check_state(as_ours(found), now_ms() + FAR_MS, strict_gids=())
    return found


def as_ours(queue: Queue) -> Queue:
    """The queue without what OmniQ 4 leaves otherwise than we do; what is left is held to our laws.

    It counts lease tokens in a key of its own, keeps a group's counter at 0, pushes no tokens for
    idle workers, and lets two groups share a place. (Its heartbeats move the end of a lease without
    bound: the caller gives a late time for that.)
    """
    groups = {
        gid: replace(group, inflight=group.inflight or None) for gid, group in queue.groups.items()
    }
    ready = {gid: float(place) for place, gid in enumerate(queue.groups_ready)}
    return replace(
        queue,
        keys=queue.keys - {"lease:seq"},
        groups=groups,
        groups_ready=ready,
        wake=max(queue.wake, 1),
    )


def check_monitors(sides: Sides, queue: str, ids: Sequence[str], gids: Sequence[str]) -> None:
    """Field by field, as far as OmniQ's has the field."""
    looks: list[tuple[Any, ...]] = [
        ("stats", queue),
        ("stats_many", [queue]),
        ("scan_queues",),
        ("groups_ready", queue),
        ("groups_ready_with_scores", queue),
        ("group_status", queue, list(gids)),
        *(("get_job", queue, job_id) for job_id in ids),
    ]
    for lane in LANES:
        looks += [("lane_page", queue, lane, 0, 20, newest_first) for newest_first in (False, True)]
        looks += [("lane_page", queue, lane, 1, 2, False), ("find_jobs", queue, lane, list(ids))]
    for look, ours, omniqs in zip(
        looks, sides.ours.look_many(looks), sides.omniq.look_many(looks), strict=True
    ):
        agree(look, ours, omniqs)
    overview, omniqs = sides.ours.look("overview", queue, 5), sides.omniq.look("overview", queue, 5)
    for part in ("stats", "ready_groups"):
        agree(part, overview[part], omniqs[part])
    # OmniQ's overview shows the oldest jobs of a lane, ours the newest.
    newest = sides.omniq.look_many([("lane_page", queue, lane, 0, 5, True) for lane in LANES])
    for lane, rows in zip(LANES, newest, strict=True):
        agree(f"overview of {lane}", overview[lane], rows)
    check_counters(sides, queue)


def check_counters(sides: Sides, queue: str) -> None:
    """The raw hash of counters is what both monitors show."""
    client: Any = sides.server.client(decode_responses=True)
    try:
        raw = client.hgetall(f"{{{queue}}}:stats")
    finally:
        client.close()
    for side in (sides.ours, sides.omniq):
        shown = side.look("stats", queue)
        assert {name: int(raw.get(name) or 0) for name in COUNTERS} == {
            name: shown[name] for name in COUNTERS
        }, side


def agree(what: object, ours: Any, omniqs: Any) -> None:
    if differing := list(differences(ours, omniqs)):
        raise AssertionError(f"{what}: ours, OmniQ's: {'; '.join(differing)}")


def differences(ours: Any, omniqs: Any, at: str = "") -> Iterator[str]:
    """Fields that OmniQ's model lacks are passed over."""
    if isinstance(ours, dict) and isinstance(omniqs, dict):
        for name, other in omniqs.items():
            yield from differences(ours.get(name, "no such field"), other, f"{at}.{name}")
    elif isinstance(ours, list) and isinstance(omniqs, list) and len(ours) == len(omniqs):
        for n, (mine, other) in enumerate(zip(ours, omniqs, strict=True)):
            yield from differences(mine, other, f"{at}[{n}]")
    elif ours != omniqs:
        yield f"{at}: {ours!r}, {omniqs!r}"
