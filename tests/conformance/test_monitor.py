"""What `QueueMonitor` and its asyncio twin tell: each value after a history of known times, in one
round trip, and an error where the server cannot be asked."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from omniq_typed import Bus, Lane, NewJob, OmniqClient, QueueMonitor, Registry, message
from omniq_typed.errors import ConnectionLost, InvalidArgument
from omniq_typed.models import (
    GroupReady,
    GroupStatus,
    JobInfo,
    LaneJob,
    QueueOverview,
    QueueStats,
    VersionCount,
)
from tests.conformance.doors import (
    T0,
    Face,
    command_counts,
    fail,
    forget_command_counts,
    nodes,
    open_doors,
    scripts_called,
    take,
)
from tests.servers import AnyServer, Server, free_port

QUEUE = "watched"
MANY = 300
LANES = ("wait", "gwait", "active", "delayed", "failed", "completed")

Call = Callable[[QueueMonitor], Any]
ONE_SCRIPT: dict[str, Call] = {
    "stats": lambda monitor: monitor.stats(QUEUE),
    "stats_many": lambda monitor: monitor.stats_many([QUEUE]),
    "groups_ready": lambda monitor: monitor.groups_ready(QUEUE),
    "groups_ready_with_scores": lambda monitor: monitor.groups_ready_with_scores(QUEUE),
    "group_status": lambda monitor: monitor.group_status(QUEUE, ["g", "h", "r"]),
    "lane_page": lambda monitor: monitor.lane_page(QUEUE, "wait"),
    "get_job": lambda monitor: monitor.get_job(QUEUE, "bad"),
    "find_jobs": lambda monitor: monitor.find_jobs(QUEUE, "failed", ["bad", "a"]),
    "overview": lambda monitor: monitor.overview(QUEUE),
}
SCANS: dict[str, Call] = {
    "scan_queues": lambda monitor: monitor.scan_queues(),
    "stats_many of all": lambda monitor: monitor.stats_many(),
    "versions_in_flight": lambda monitor: monitor.versions_in_flight(QUEUE),
}

registry = Registry()


@message("watched.order", version=3, queue=QUEUE, registry=registry)
@dataclass
class Order:
    number: int


def play_history(client: OmniqClient) -> None:
    """Leaves jobs in every lane; what happened at T0 + n ms is what the tests expect at n."""

    def publish(at: int, job_id: str, **options: Any) -> None:
        client.publish(
            queue=QUEUE,
            payload={"id": job_id},
            job_id=job_id,
            now_ms_override=T0 + at,
            **options,
        )

    publish(1, "a")
    publish(2, "g1", gid="g", group_limit=1)
    publish(3, "g2", gid="g")
    publish(4, "h1", gid="h", group_limit=2)
    publish(5, "later", due_ms=T0 + 100_000)
    # Groups and jobs without one take turns; a group goes first.
    assert take(client, QUEUE, T0 + 10).job_id == "g1"
    a = take(client, QUEUE, T0 + 11)
    client.ack_success(queue=QUEUE, job_id="a", lease_token=a.lease_token, now_ms_override=T0 + 12)
    publish(13, "bad", max_attempts=1)
    assert take(client, QUEUE, T0 + 14).job_id == "h1"
    bad = take(client, QUEUE, T0 + 15)
    client.ack_fail(
        queue=QUEUE,
        job_id="bad",
        lease_token=bad.lease_token,
        error="boom",
        now_ms_override=T0 + 16,
    )
    publish(17, "r1", gid="r")
    publish(18, "w")


STATS = QueueStats(
    queue=QUEUE,
    paused=False,
    waiting=1,
    group_waiting=2,
    waiting_total=3,
    active=2,
    delayed=1,
    failed=1,
    completed_kept=1,
    groups_ready=1,
    last_activity_ms=T0 + 18,
    last_enqueue_ms=T0 + 18,
    last_reserve_ms=T0 + 15,
    last_finish_ms=T0 + 16,
)
EMPTY = QueueStats("none", False, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
FAILURE = {
    "reason": "handler_error",
    "message": "boom",
    "errors": [],
    "attempt": 1,
    "at_ms": T0 + 16,
}


def waiting(job_id: str, at: int, gid: str = "") -> LaneJob:
    """A job that was published at T0 + at and waits."""
    return LaneJob(
        lane="wait",
        job_id=job_id,
        idx_score_ms=T0 + at,
        state="wait",
        gid=gid,
        attempt=0,
        max_attempts=3,
        due_ms=0,
        lock_until_ms=0,
        queued_ms=T0 + at,
        first_started_ms=0,
        last_started_ms=0,
        completed_ms=0,
        failed_ms=0,
        updated_ms=T0 + at,
        last_error="",
        msg_type="",
        msg_version="",
        failure="",
    )


def started(job_id: str, published: int, at: int, gid: str = "") -> LaneJob:
    """A job that was leased at T0 + at, for the 30 s of the default."""
    return replace(
        waiting(job_id, published, gid),
        lane="active",
        state="active",
        idx_score_ms=T0 + at,
        attempt=1,
        lock_until_ms=T0 + at + 30_000,
        first_started_ms=T0 + at,
        last_started_ms=T0 + at,
        updated_ms=T0 + at,
    )


WAITING = (waiting("g2", 3, "g"), waiting("r1", 17, "r"), waiting("w", 18))
ACTIVE = (started("g1", 2, 10, "g"), started("h1", 4, 14, "h"))
DELAYED = replace(waiting("later", 5), lane="delayed", state="delayed", due_ms=T0 + 100_000)
COMPLETED = replace(
    started("a", 1, 11),
    lane="completed",
    state="completed",
    idx_score_ms=T0 + 12,
    lock_until_ms=0,
    completed_ms=T0 + 12,
    updated_ms=T0 + 12,
)
FAILED = replace(
    started("bad", 13, 15),
    lane="failed",
    state="failed",
    idx_score_ms=T0 + 16,
    max_attempts=1,
    lock_until_ms=0,
    failed_ms=T0 + 16,
    updated_ms=T0 + 16,
    last_error="boom",
    failure=json.dumps(FAILURE, separators=(",", ":")),
)


# What each call tells


@pytest.fixture
def history(client: OmniqClient) -> None:
    play_history(client)


@pytest.mark.usefixtures("history")
def test_stats(client: OmniqClient, monitor: QueueMonitor) -> None:
    assert monitor.stats(QUEUE) == STATS
    client.pause(queue=QUEUE)
    assert monitor.stats(QUEUE).paused is True
    client.resume(queue=QUEUE)
    assert monitor.stats(QUEUE).paused is False


@pytest.mark.usefixtures("history")
def test_lane_pages(monitor: QueueMonitor) -> None:
    assert monitor.lane_page(QUEUE, "wait") == list(WAITING)
    assert monitor.lane_page(QUEUE, Lane.WAIT, reverse=True) == list(WAITING[::-1])
    assert monitor.lane_page(QUEUE, "active") == list(ACTIVE)
    assert monitor.lane_page(QUEUE, "delayed") == [DELAYED]
    assert monitor.lane_page(QUEUE, "failed") == [FAILED]
    assert monitor.lane_page(QUEUE, "completed") == [COMPLETED]
    # Both names list what waits, in a group or not; each row says which name was asked for.
    assert monitor.lane_page(QUEUE, "gwait") == [replace(row, lane="gwait") for row in WAITING]


@pytest.mark.usefixtures("history")
def test_overview(monitor: QueueMonitor) -> None:
    ready = (GroupReady("r", T0 + 17),)
    assert monitor.overview(QUEUE) == QueueOverview(
        stats=STATS,
        ready_groups=ready,
        wait=WAITING[::-1],
        active=ACTIVE[::-1],
        delayed=(DELAYED,),
        failed=(FAILED,),
        completed=(COMPLETED,),
    )
    newest = monitor.overview(QUEUE, samples_per_lane=1)
    assert newest.wait == (WAITING[-1],) and newest.active == (ACTIVE[-1],)
    assert newest.stats == STATS


@pytest.mark.usefixtures("history")
def test_groups(monitor: QueueMonitor) -> None:
    assert monitor.groups_ready(QUEUE) == ["r"]
    assert monitor.groups_ready_with_scores(QUEUE) == [GroupReady("r", T0 + 17)]
    assert monitor.groups_ready(QUEUE, offset=1) == []
    assert monitor.group_status(QUEUE, ["r", "g", "never", "h"]) == [
        GroupStatus("r", 0, 1, True, 1, False, ""),
        GroupStatus("g", 1, 1, False, 1, False, ""),
        GroupStatus("never", 0, 1, False, 0, False, ""),
        GroupStatus("h", 1, 2, False, 0, False, ""),
    ]
    assert monitor.group_status(QUEUE, []) == []


def test_a_strict_group_names_the_failed_job_that_it_waits_for(
    client: OmniqClient, monitor: QueueMonitor
) -> None:
    for job_id in ("first", "second"):
        client.publish(
            queue=QUEUE,
            payload={},
            job_id=job_id,
            gid="s",
            ordering="strict",
            now_ms_override=T0,
        )
    job = take(client, QUEUE)
    (running,) = monitor.group_status(QUEUE, ["s"])
    assert running == GroupStatus("s", 1, 1, False, 1, True, "")
    client.ack_fail(queue=QUEUE, job_id="first", lease_token=job.lease_token, now_ms_override=T0)
    (held,) = monitor.group_status(QUEUE, ["s"])
    assert held == GroupStatus("s", 0, 1, False, 1, True, "first")
    assert monitor.groups_ready(QUEUE) == []


@pytest.mark.usefixtures("history")
def test_get_job(monitor: QueueMonitor) -> None:
    assert monitor.get_job(QUEUE, "bad") == JobInfo(
        job_id="bad",
        state="failed",
        gid="",
        attempt=1,
        max_attempts=1,
        timeout_ms=30_000,
        backoff_ms=5_000,
        lease_token="",
        lock_until_ms=0,
        due_ms=0,
        payload='{"id":"bad"}',
        payload_raw=b'{"id":"bad"}',
        last_error="boom",
        last_error_ms=T0 + 16,
        created_ms=T0 + 13,
        updated_ms=T0 + 16,
        queued_ms=T0 + 13,
        first_started_ms=T0 + 15,
        last_started_ms=T0 + 15,
        completed_ms=0,
        failed_ms=T0 + 16,
        failure=json.dumps(FAILURE, separators=(",", ":")),
        side={},
    )
    running = monitor.get_job(QUEUE, "g1")
    assert running is not None
    assert running.lease_token != "" and running.gid == "g"
    assert running.lock_until_ms == T0 + 10 + 30_000
    assert monitor.get_job(QUEUE, "never") is None


@pytest.mark.usefixtures("history")
def test_find_jobs(monitor: QueueMonitor) -> None:
    wanted = ["w", "never", "bad", "g2"]
    assert monitor.find_jobs(QUEUE, "wait", wanted) == [WAITING[2], WAITING[0]]
    assert monitor.find_jobs(QUEUE, "failed", iter(wanted)) == [FAILED]
    assert monitor.find_jobs(QUEUE, "completed", wanted) == []
    assert monitor.find_jobs(QUEUE, "wait", []) == []


def test_a_typed_job_shows_its_type(any_server: AnyServer, monitor: QueueMonitor) -> None:
    with Bus(any_server.url, registry=registry, source="shop") as bus:
        job_id = bus.publish_json(Order(7))
    (row,) = monitor.lane_page(QUEUE, "wait")
    assert (row.msg_type, row.msg_version) == ("watched.order", "3")
    assert monitor.versions_in_flight(QUEUE) == [VersionCount("watched.order", 3, 1, 0, 0, 0)]
    job = monitor.get_job(QUEUE, job_id)
    assert job is not None and json.loads(job.payload) == {"number": 7}
    side = dict(job.side)
    assert re.fullmatch("[0-9a-f]{16}", side.pop("msg_schema"))
    assert side == {"msg_type": "watched.order", "msg_version": "3", "msg_source": "shop"}


def test_what_strangers_have_written_is_shown_as_it_is(server: Server, face: Face) -> None:
    """Bytes that are no text, and an id whose job is gone."""
    with open_doors(face, url=server.url) as doors:
        for job_id in ("bytes", "gone"):
            doors.client.publish(queue=QUEUE, payload={}, job_id=job_id, now_ms_override=T0)
        server.command("DEL", f"{{{QUEUE}}}:job:gone")
        with contextlib.closing(server.client()) as redis:
            redis.hset(f"{{{QUEUE}}}:job:bytes", mapping={"payload": b"\xff{}"})
        job = doors.monitor.get_job(QUEUE, "bytes")
        assert job is not None
        assert (job.payload, job.payload_raw) == ("\\xff{}", b"\xff{}")
        assert doors.monitor.get_job(QUEUE, "gone") is None
        rows = {row.job_id: row for row in doors.monitor.lane_page(QUEUE, "wait")}
        assert rows["bytes"].state == "wait"
        assert (rows["gone"].state, rows["gone"].attempt) == ("", 0)


# Several queues


def test_every_queue_of_every_node_is_found(
    any_server: AnyServer, client: OmniqClient, monitor: QueueMonitor
) -> None:
    queues = [f"queue-{n:02}" for n in range(30)]
    for queue in queues:
        client.publish(queue=queue, payload={}, now_ms_override=T0)
    with contextlib.closing(any_server.client()) as redis:
        for strange in ("other:stats", "{no queue}:stats", "{a}b:stats", "{}:stats"):
            redis.hset(strange, mapping={"waiting": 1})
    if any_server.is_cluster:
        holders = [node for node in nodes(any_server) if node.command("DBSIZE")]
        assert len(holders) > 1
    assert monitor.scan_queues() == queues
    found = monitor.stats_many()
    assert [stats.queue for stats in found] == queues
    assert {stats.waiting for stats in found} == {1}


def test_stats_of_several_queues_come_in_the_order_asked_for(
    client: OmniqClient, monitor: QueueMonitor
) -> None:
    play_history(client)
    assert monitor.stats_many(iter([QUEUE, "none", QUEUE])) == [STATS, EMPTY, STATS]
    assert monitor.stats_many([]) == []


def test_no_queues_at_all(monitor: QueueMonitor) -> None:
    assert monitor.scan_queues() == []
    assert monitor.stats_many() == []


# What does not exist


def test_an_unknown_queue_is_empty(monitor: QueueMonitor) -> None:
    assert monitor.stats("none") == EMPTY
    assert monitor.overview("none") == QueueOverview(EMPTY, (), (), (), (), (), ())
    assert [monitor.lane_page("none", lane) for lane in LANES] == [[]] * len(LANES)
    assert monitor.groups_ready("none") == []
    assert monitor.find_jobs("none", "wait", ["a"]) == []
    assert monitor.get_job("none", "a") is None
    assert monitor.versions_in_flight("none") == []


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda m: m.lane_page(QUEUE, "nowhere"), "lane"),
        (lambda m: m.lane_page(QUEUE, ""), "lane"),
        (lambda m: m.find_jobs(QUEUE, "WAIT", ["a"]), "lane"),
        (lambda m: m.lane_page(QUEUE, "wait", limit=0), "limit"),
        (lambda m: m.lane_page(QUEUE, "wait", limit=-1), "limit"),
        (lambda m: m.lane_page(QUEUE, "wait", limit=10_001), "limit"),
        (lambda m: m.lane_page(QUEUE, "wait", offset=-1), "offset"),
        (lambda m: m.groups_ready(QUEUE, limit=0), "limit"),
        (lambda m: m.groups_ready(QUEUE, offset=-1), "offset"),
        (lambda m: m.overview(QUEUE, samples_per_lane=0), "samples_per_lane"),
        (lambda m: m.find_jobs(QUEUE, "wait", ["a"] * 10_001), "job_ids"),
        (lambda m: m.find_jobs(QUEUE, "wait", [""]), "job_id"),
        (lambda m: m.group_status(QUEUE, ["{g}"]), "gid"),
        (lambda m: m.get_job(QUEUE, "a\n"), "job_id"),
        (lambda m: m.stats("no queue"), "queue"),
        (lambda m: m.versions_in_flight("no queue"), "queue"),
        (lambda m: m.stats_many([QUEUE, "{q}"]), "queue"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_the_server_is(
    call: Call, field: str, face: Face
) -> None:
    with (
        open_doors(face, url=f"redis://127.0.0.1:{free_port()}/0") as doors,
        pytest.raises(InvalidArgument) as caught,
    ):
        call(doors.monitor)
    assert caught.value.field == field


# What it costs


@pytest.mark.parametrize("name", ONE_SCRIPT)
def test_a_call_is_one_script_and_one_round_trip(name: str, server: Server, face: Face) -> None:
    call = ONE_SCRIPT[name]
    with (
        open_doors(face, url=server.url) as doors,
        contextlib.closing(server.client()) as spy,
    ):
        play_history(doors.client)
        call(doors.monitor)  # opens the connection and loads the script
        forget_command_counts(server)
        before = reads(spy)
        call(doors.monitor)
        assert reads(spy) - before == 2, "one of them is the spy's own"
        assert scripts_called(command_counts(server)) == 1


def test_stats_of_many_queues_are_one_round_trip(server: Server, face: Face) -> None:
    with (
        open_doors(face, url=server.url) as doors,
        contextlib.closing(server.client()) as spy,
    ):
        # So few that redis-py sends them in one piece; it cuts what is longer than 6,000 bytes.
        queues = [f"queue-{n}" for n in range(3)]
        doors.monitor.stats_many(queues)
        forget_command_counts(server)
        before = reads(spy)
        doors.monitor.stats_many(queues)
        assert reads(spy) - before == 2, "one of them is the spy's own"
        assert scripts_called(command_counts(server)) == 3


def reads(spy: Any) -> int:
    """How often the server has read from its clients: what arrives together counts once."""
    return int(spy.info("stats")["total_reads_processed"])


# A server that cannot be asked


@pytest.mark.parametrize("name", [*ONE_SCRIPT, *SCANS])
def test_an_unreachable_server_is_an_error_and_not_a_row_of_zeros(name: str, face: Face) -> None:
    call = {**ONE_SCRIPT, **SCANS}[name]
    with (
        open_doors(face, url=f"redis://127.0.0.1:{free_port()}/0") as doors,
        pytest.raises(ConnectionLost),
    ):
        call(doors.monitor)


def test_a_server_that_went_away_is_an_error_until_it_is_back(server: Server, face: Face) -> None:
    with open_doors(face, url=server.url) as doors:
        play_history(doors.client)
        calls = {**ONE_SCRIPT, **SCANS}
        for call in calls.values():
            call(doors.monitor)
        server.stop()
        for call in calls.values():
            with pytest.raises(ConnectionLost):
                call(doors.monitor)
        server.restart()
        assert doors.monitor.stats(QUEUE) == replace(EMPTY, queue=QUEUE)
        assert doors.monitor.scan_queues() == []


# Long lanes


def fill_every_lane(client: OmniqClient) -> None:
    """MANY jobs each: completed, failed, active, delayed, waiting, and waiting in a group."""

    def publish(prefix: str, at: int, **options: Any) -> None:
        jobs = [NewJob(job_id, b"{}", **options) for job_id in ids(prefix)]
        client.publish_batch(queue=QUEUE, jobs=jobs, now_ms_override=T0 + at)

    publish("completed", 1)
    for job_id in ids("completed"):
        job = take(client, QUEUE, T0 + 2)
        assert job.job_id == job_id
        client.ack_success(
            queue=QUEUE, job_id=job_id, lease_token=job.lease_token, now_ms_override=T0 + 3
        )
    for job_id in ids("failed"):
        fail(client, QUEUE, job_id, T0 + 4)
    publish("active", 5)
    for job_id in ids("active"):
        assert take(client, QUEUE, T0 + 6).job_id == job_id
    publish("delayed", 7, due_ms=T0 + 100_000)
    publish("wait", 8)
    publish("gwait", 9, gid="g")


def ids(prefix: str) -> list[str]:
    return [f"{prefix}-{n:03}" for n in range(MANY)]


def test_long_lanes_are_paged_without_gap_or_overlap(server: Server, face: Face) -> None:
    with OmniqClient(url=server.url, keep_completed=MANY) as client:
        fill_every_lane(client)
    everything = {lane: ids(lane) for lane in ("active", "delayed", "failed", "completed")}
    everything["wait"] = everything["gwait"] = [*ids("wait"), *ids("gwait")]
    with open_doors(face, url=server.url) as doors:
        monitor = doors.monitor

        def page(lane: str, **options: Any) -> list[str]:
            return [row.job_id for row in monitor.lane_page(QUEUE, lane, **options)]

        for lane, expected in everything.items():
            size = len(expected)
            for reverse in (False, True):
                order = expected[::-1] if reverse else expected
                pages = [
                    page(lane, offset=offset, limit=70, reverse=reverse)
                    for offset in range(0, size, 70)
                ]
                assert [job_id for each in pages for job_id in each] == order
                assert page(lane, reverse=reverse) == order[:25]
                assert page(lane, limit=10_000, reverse=reverse) == order
                assert page(lane, offset=size - 1, reverse=reverse) == order[-1:]
                assert page(lane, offset=size, reverse=reverse) == []
                assert page(lane, offset=10**9, reverse=reverse) == []
            own = ids(lane)
            assert [row.job_id for row in monitor.find_jobs(QUEUE, lane, own)] == own
        stats = monitor.stats(QUEUE)
        assert (stats.waiting, stats.group_waiting, stats.waiting_total) == (MANY, MANY, 2 * MANY)
        assert stats.active == stats.delayed == stats.failed == stats.completed_kept == MANY
        overview = monitor.overview(QUEUE, samples_per_lane=1000)
        assert [row.job_id for row in overview.failed] == ids("failed")[::-1]
        assert len(overview.wait) == 2 * MANY


def test_many_ready_groups_are_paged(server: Server, face: Face) -> None:
    with open_doors(face, url=server.url) as doors:
        groups = [f"group-{n:03}" for n in range(MANY)]
        for n, gid in enumerate(groups):
            job = NewJob(f"job-{n}", b"{}", gid=gid)
            doors.client.publish_batch(queue=QUEUE, jobs=[job], now_ms_override=T0 + n)
        assert doors.monitor.groups_ready(QUEUE) == groups[:200]
        assert doors.monitor.groups_ready(QUEUE, offset=200) == groups[200:]
        assert doors.monitor.groups_ready(QUEUE, offset=MANY) == []
        assert doors.monitor.groups_ready_with_scores(QUEUE, offset=299) == [
            GroupReady("group-299", T0 + 299)
        ]
        statuses = doors.monitor.group_status(QUEUE, groups)
        assert [status.gid for status in statuses] == groups
        assert all(status.ready and status.waiting_count == 1 for status in statuses)
