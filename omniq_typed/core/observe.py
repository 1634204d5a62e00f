"""Commands that only read. Scripts: lua/commands/read_stats.lua, lane_page.lua, find_jobs.lua,
read_job.lua, groups_ready.lua, group_status.lua, overview.lua, count_versions.lua."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from omniq_typed.core.arguments import check_int
from omniq_typed.core.command import Arg, Command
from omniq_typed.core.keys import check_gid, check_job_id, queue_keys
from omniq_typed.core.limits import parse_rate
from omniq_typed.core.replies import number, pairs, text
from omniq_typed.core.scripts import script
from omniq_typed.errors import InvalidArgument
from omniq_typed.models import (
    GroupReady,
    GroupStatus,
    JobInfo,
    Lane,
    LaneJob,
    QueueOverview,
    QueueStats,
    VersionCount,
    VersionPage,
)

MAX_PAGE = 10_000
JOBS_PER_COUNT = 500
"""Jobs that one call of count_versions looks at, about."""
COUNTED_LANES = (Lane.DELAYED, Lane.WAIT, Lane.ACTIVE, Lane.FAILED)
"""In the order in which jobs move, so that one which moves on meanwhile is met in a lane that is
still to come."""


def check_lane(lane: str) -> str:
    """The name of a lane, or InvalidArgument."""
    try:
        return Lane(lane).value
    except ValueError:
        names = ", ".join(each.value for each in Lane)
        raise InvalidArgument("lane", f"{lane!r} is none; use {names}") from None


def read_stats(queue: str) -> Command[QueueStats]:
    """The true lengths of the lanes, and the times of the last activity."""
    parse = partial(_parse_stats, queue)
    return Command(script("read_stats"), queue_keys(queue), (), parse, repeatable=True)


def lane_page(
    queue: str, lane: str, offset: int, limit: int, reverse: bool
) -> Command[list[LaneJob]]:
    """One page of a lane, oldest first or newest first."""
    name = check_lane(lane)
    args: list[Arg] = [
        name,
        check_int("offset", offset, 0),
        check_int("limit", limit, 1, MAX_PAGE),
        "1" if reverse else "0",
    ]
    parse = partial(_parse_rows, name)
    return Command(script("lane_page"), queue_keys(queue), args, parse, repeatable=True)


def find_jobs(queue: str, lane: str, job_ids: Sequence[str]) -> Command[list[LaneJob]]:
    """Those of the given jobs that lie in the lane, in the order given."""
    name = check_lane(lane)
    if len(job_ids) > MAX_PAGE:
        raise InvalidArgument("job_ids", f"has {len(job_ids)} ids; ask for at most {MAX_PAGE}")
    args: list[Arg] = [name, *(check_job_id(job_id) for job_id in job_ids)]
    parse = partial(_parse_rows, name)
    return Command(script("find_jobs"), queue_keys(queue), args, parse, repeatable=True)


def read_job(queue: str, job_id: str) -> Command[JobInfo | None]:
    """Everything stored of one job, or None."""
    args: list[Arg] = [check_job_id(job_id)]
    return Command(script("read_job"), queue_keys(queue), args, _parse_job, repeatable=True)


def groups_ready(queue: str, offset: int, limit: int) -> Command[list[GroupReady]]:
    """The groups that can hand out a job, next in turn first."""
    args: list[Arg] = [check_int("offset", offset, 0), check_int("limit", limit, 1, MAX_PAGE)]
    return Command(script("groups_ready"), queue_keys(queue), args, _parse_ready, repeatable=True)


def group_status(queue: str, gids: Sequence[str]) -> Command[list[GroupStatus]]:
    """How full each of the groups is, in the order given."""
    if len(gids) > MAX_PAGE:
        raise InvalidArgument("gids", f"has {len(gids)} ids; ask for at most {MAX_PAGE}")
    args: list[Arg] = [check_gid(gid) for gid in gids]
    keys = queue_keys(queue)
    return Command(script("group_status"), keys, args, _parse_groups, repeatable=True)


def overview(queue: str, samples_per_lane: int) -> Command[QueueOverview]:
    """Counters, next groups and the newest jobs of every lane."""
    args: list[Arg] = [check_int("samples_per_lane", samples_per_lane, 1, 1000)]

    def parse(reply: Any) -> QueueOverview:
        lanes = ("wait", "active", "delayed", "failed", "completed")
        rows = {
            lane: tuple(_parse_rows(lane, found))
            for lane, found in zip(lanes, reply[2:], strict=True)
        }
        return QueueOverview(
            stats=_parse_stats(queue, reply[0]),
            ready_groups=tuple(_parse_ready(reply[1])),
            **rows,
        )

    return Command(script("overview"), queue_keys(queue), args, parse, repeatable=True)


def next_count(queue: str, page: VersionPage | None) -> Command[VersionPage] | None:
    """What to ask after `page` (None: at the start) to count all jobs of a queue by type and
    version; None at the end. `add_up` adds up the pages.

    Exact while nothing moves. A job that stays where it is, or moves on from delayed to waiting to
    active to failed, is never missed; one that moves is counted in each lane that it is met in. A
    job that moves back meanwhile (a failed attempt, given back, retried by an operator) or is
    published meanwhile may be counted or not.
    """
    if page is None:
        return count_versions(queue, COUNTED_LANES[0], 0)
    if page.next_cursor:
        return count_versions(queue, page.lane, page.next_cursor)
    later = COUNTED_LANES[COUNTED_LANES.index(Lane(page.lane)) + 1 :]
    return count_versions(queue, later[0], 0) if later else None


def count_versions(queue: str, lane: str, cursor: int) -> Command[VersionPage]:
    """One step of counting the jobs of a lane by type and version; `cursor` 0: the first. No step
    looks at many more than 500 jobs."""
    if lane not in COUNTED_LANES:
        names = ", ".join(each.value for each in COUNTED_LANES)
        raise InvalidArgument("lane", f"{lane!r} is not counted; use {names}")
    name = Lane(lane).value
    args: list[Arg] = [name, check_int("cursor", cursor, 0, 2**64 - 1), JOBS_PER_COUNT]
    parse = partial(_parse_versions, name)
    return Command(script("count_versions"), queue_keys(queue), args, parse, repeatable=True)


def add_up(pages: Iterable[VersionPage]) -> list[VersionCount]:
    """The jobs of all pages by type and version, sorted by both."""
    counts: dict[tuple[str, int], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for page in pages:
        for msg_type, version, jobs in page.rows:
            counts[msg_type, version][page.lane] += jobs
    return [
        VersionCount(
            msg_type,
            version,
            waiting=lanes[Lane.WAIT],
            delayed=lanes[Lane.DELAYED],
            active=lanes[Lane.ACTIVE],
            failed=lanes[Lane.FAILED],
        )
        for (msg_type, version), lanes in sorted(counts.items())
    ]


def _parse_versions(lane: str, reply: Any) -> VersionPage:
    cursor, *rows = reply
    return VersionPage(lane, int(cursor), tuple(_version_row(*row) for row in rows))


def _version_row(msg_type: bytes, version: bytes, jobs: int) -> tuple[str, int, int]:
    # As the worker takes it: a job without a type is version 1 of what its consumer expects.
    return text(msg_type), number(version) if msg_type and version else 1, jobs


def _parse_stats(queue: str, reply: Any) -> QueueStats:
    paused, waiting, total, active, delayed, failed, completed, ready, *times = map(number, reply)
    activity, enqueue, reserve, finish = times
    return QueueStats(
        queue=queue,
        paused=bool(paused),
        waiting=waiting,
        group_waiting=max(total - waiting, 0),
        waiting_total=total,
        active=active,
        delayed=delayed,
        failed=failed,
        completed_kept=completed,
        groups_ready=ready,
        last_activity_ms=activity,
        last_enqueue_ms=enqueue,
        last_reserve_ms=reserve,
        last_finish_ms=finish,
    )


def _parse_rows(lane: str, reply: Any) -> list[LaneJob]:
    return [_lane_job(lane, *row) for row in reply]


def _lane_job(lane: str, job_id: Any, entered_ms: Any, fields: list[Any]) -> LaneJob:
    state, gid, *numbers = fields[:12]
    last_error, msg_type, msg_version, failure = map(text, fields[12:])
    attempt, max_attempts, due, lock_until, queued, first, last, completed, failed, updated = map(
        number, numbers
    )
    return LaneJob(
        lane=lane,
        job_id=text(job_id),
        idx_score_ms=number(entered_ms),
        state=text(state),
        gid=text(gid),
        attempt=attempt,
        max_attempts=max_attempts,
        due_ms=due,
        lock_until_ms=lock_until,
        queued_ms=queued,
        first_started_ms=first,
        last_started_ms=last,
        completed_ms=completed,
        failed_ms=failed,
        updated_ms=updated,
        last_error=last_error,
        msg_type=msg_type,
        msg_version=msg_version,
        failure=failure,
    )


def _parse_job(reply: Any) -> JobInfo | None:
    stored = {text(name): value for name, value in pairs(reply)}
    if not stored:
        return None
    payload = stored.get("payload", b"")

    def ms(name: str) -> int:
        return number(stored.get(name))

    return JobInfo(
        job_id=text(stored.get("id")),
        state=text(stored.get("state")),
        gid=text(stored.get("gid")),
        attempt=ms("attempt"),
        max_attempts=ms("max_attempts"),
        timeout_ms=ms("timeout_ms"),
        backoff_ms=ms("backoff_ms"),
        lease_token=text(stored.get("lease_token")),
        lock_until_ms=ms("lock_until_ms"),
        due_ms=ms("due_ms"),
        payload=text(payload),
        payload_raw=payload,
        last_error=text(stored.get("last_error")),
        last_error_ms=ms("last_error_ms"),
        created_ms=ms("created_ms"),
        updated_ms=ms("updated_ms"),
        queued_ms=ms("queued_ms"),
        first_started_ms=ms("first_started_ms"),
        last_started_ms=ms("last_started_ms"),
        completed_ms=ms("completed_ms"),
        failed_ms=ms("failed_ms"),
        failure=text(stored.get("failure")),
        side={name: text(raw) for name, raw in stored.items() if name.startswith("msg_")},
        deferrals=ms("deferrals"),
    )


def _parse_ready(reply: Any) -> list[GroupReady]:
    return [GroupReady(text(gid), number(score)) for gid, score in pairs(reply)]


def _parse_groups(reply: Any) -> list[GroupStatus]:
    return [
        GroupStatus(
            gid=text(gid),
            inflight=inflight,
            limit=limit,
            ready=bool(ready),
            waiting_count=waiting,
            strict=ordering == b"strict",
            held_job_id=text(held),
            rate=parse_rate(rate),
        )
        for gid, inflight, limit, ready, waiting, ordering, held, rate in reply
    ]
