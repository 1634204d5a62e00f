"""Section 4 of docs/wire.md, row by row: where OmniQ 4 falls short and what happens here.

That OmniQ does what these rows avoid is shown in tests/interop/test_rows_differ_from_omniq.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from omniq_typed import (
    AsyncBus,
    Bus,
    ChildAck,
    Exponential,
    Fixed,
    NewJob,
    OmniqClient,
    QueueMonitor,
    Registry,
    Reject,
    message,
)
from omniq_typed.errors import DuplicateJob, StrictGroup
from omniq_typed.models import JobInfo
from tests.conformance.doors import (
    T0,
    Doors,
    Face,
    command_counts,
    contents,
    fail,
    forget_command_counts,
    handler_for,
    nodes,
    open_doors,
    scripted_commands,
    scripts_called,
    take,
    take_all,
)
from tests.servers import AnyServer, Server, wait_until
from tests.workers import heard_at_once, running

Q = "orders"
Work = Callable[..., None]


def stored(monitor: QueueMonitor, job_id: str) -> JobInfo:
    job = monitor.get_job(Q, job_id)
    assert job is not None
    return job


# Row 1


def test_row_01_publishing_an_existing_id_changes_nothing(
    client: OmniqClient, any_server: AnyServer
) -> None:
    client.publish(queue=Q, payload={"n": 1}, job_id="j", now_ms_override=T0)
    before = contents(any_server)

    assert client.publish(queue=Q, payload={"n": 1}, job_id="j", now_ms_override=T0 + 5) == "j"
    with pytest.raises(DuplicateJob) as refused:
        client.publish(queue=Q, payload={"n": 2}, job_id="j", now_ms_override=T0 + 5)

    assert (refused.value.job_id, refused.value.state) == ("j", "wait")
    assert contents(any_server) == before
    assert take_all(client, Q) == ["j"]


def test_row_01_an_active_job_is_not_overwritten(
    client: OmniqClient, monitor: QueueMonitor
) -> None:
    client.publish(queue=Q, payload={"n": 1}, job_id="j", now_ms_override=T0)
    job = take(client, Q)

    (again, other) = client.publish_batch(
        queue=Q, jobs=[NewJob("j", b'{"n":1}'), NewJob("j", b'{"n":2}')], now_ms_override=T0
    )

    assert (again.duplicate, again.same_content, again.state) == (True, True, "active")
    assert (other.duplicate, other.same_content, other.state) == (True, False, "active")
    assert client.reserve(queue=Q, now_ms_override=T0) is None
    client.ack_success(queue=Q, job_id="j", lease_token=job.lease_token, now_ms_override=T0)
    assert stored(monitor, "j").payload == '{"n":1}'


# Row 2


def test_row_02_sixty_heartbeats_keep_the_lease_one_timeout_ahead(
    client: OmniqClient, monitor: QueueMonitor
) -> None:
    client.publish(queue=Q, payload={}, job_id="j", timeout_ms=30_000, now_ms_override=T0)
    job = take(client, Q)
    now = T0
    for _ in range(60):
        now += 10_000
        ends = client.heartbeat(
            queue=Q, job_id="j", lease_token=job.lease_token, now_ms_override=now
        )
        assert ends == now + 30_000
    assert stored(monitor, "j").lock_until_ms == now + 30_000
    assert client.reap_expired(queue=Q, now_ms_override=now + 29_999) == 0
    assert client.reap_expired(queue=Q, now_ms_override=now + 30_000) == 1


# Row 3


@pytest.mark.parametrize("gid", [None, "g"])
def test_row_03_an_id_without_a_hash_is_dropped_and_the_next_one_taken(
    client: OmniqClient, monitor: QueueMonitor, any_server: AnyServer, gid: str | None
) -> None:
    for job_id in ("lost", "kept"):
        client.publish(queue=Q, payload={"id": job_id}, job_id=job_id, gid=gid, now_ms_override=T0)
    with contextlib.closing(any_server.client()) as raw:
        assert raw.delete(f"{{{Q}}}:job:lost") == 1

    job = take(client, Q)

    assert (job.job_id, job.payload, job.max_attempts) == ("kept", '{"id":"kept"}', 3)
    assert client.reserve(queue=Q, now_ms_override=T0) is None
    assert monitor.get_job(Q, "lost") is None
    stats = monitor.stats(Q)
    assert (stats.waiting_total, stats.active, stats.groups_ready) == (0, 1, 0)
    assert monitor.lane_page(Q, "wait") == []


# Row 4


def test_row_04_the_child_that_finishes_a_set_may_ask_again(client: OmniqClient) -> None:
    client.childs_init(key="report", expected=2)
    assert client.child_ack(key="report", child_id="a") == 1
    assert client.child_ack(key="report", child_id="b") == 0
    assert client.child_ack(key="report", child_id="b") == 0
    assert client.child_ack(key="report", child_id="a") == ChildAck.ALREADY_FINISHED


def test_row_04_a_finished_set_is_remembered_as_long_as_configured(
    any_server: AnyServer, face: Face
) -> None:
    with open_doors(face, url=any_server.url, child_memory_ms=50_000) as doors:
        doors.client.childs_init(key="report", expected=1)
        assert doors.client.child_ack(key="report", child_id="a") == 0
        with contextlib.closing(any_server.client()) as raw:
            assert 0 < raw.pttl("{cc:report}:finished") <= 50_000
            assert raw.exists("{cc:report}:count") == raw.exists("{cc:report}:done") == 0
            raw.delete("{cc:report}:finished")
        assert doors.client.child_ack(key="report", child_id="a") == ChildAck.NO_COUNTER


# Row 5


def work_off(client: OmniqClient, first_now: int) -> list[str]:
    """Completes all jobs, one after another; answers their order."""
    done: list[str] = []
    now = first_now
    while (job := client.reserve(queue=Q, now_ms_override=now)) is not None:
        assert job.status == "JOB"
        client.ack_success(
            queue=Q, job_id=job.job_id, lease_token=job.lease_token, now_ms_override=now
        )
        done.append(job.job_id)
        now += 1
    return done


def test_row_05_strict_ordering_waits_for_the_head(
    client: OmniqClient, monitor: QueueMonitor
) -> None:
    for n in range(3):
        client.publish(
            queue=Q,
            payload={"n": n},
            job_id=str(n),
            gid="g",
            ordering="strict",
            backoff_ms=1000,
            now_ms_override=T0,
        )
    job = take(client, Q)
    reply = client.ack_fail(
        queue=Q, job_id="0", lease_token=job.lease_token, error="x", now_ms_override=T0
    )
    assert (job.job_id, reply) == ("0", ("RETRY", T0 + 1000))

    assert client.reserve(queue=Q, now_ms_override=T0 + 999) is None
    (group,) = monitor.group_status(Q, ["g"])
    assert (group.held_job_id, group.ready, group.waiting_count) == ("0", False, 2)
    assert work_off(client, T0 + 1000) == ["0", "1", "2"]


def test_row_05_a_strict_group_runs_one_job_at_a_time(client: OmniqClient) -> None:
    for n in range(2):
        client.publish(queue=Q, payload={}, job_id=str(n), gid="g", ordering="strict")
    with pytest.raises(StrictGroup):
        client.set_group_limit(queue=Q, gid="g", limit=2)
    assert take_all(client, Q, now_ms=0) == ["0"]


def test_row_05_the_default_order_stays_as_omniq_has_it(client: OmniqClient) -> None:
    for n in range(3):
        client.publish(
            queue=Q, payload={}, job_id=str(n), gid="g", backoff_ms=0, now_ms_override=T0
        )
    job = take(client, Q)
    client.ack_fail(queue=Q, job_id="0", lease_token=job.lease_token, now_ms_override=T0)
    assert work_off(client, T0) == ["1", "2", "0"]


# Row 6


def test_row_06_an_expired_lease_leaves_its_reason(
    client: OmniqClient, monitor: QueueMonitor
) -> None:
    client.publish(
        queue=Q,
        payload={},
        job_id="j",
        max_attempts=2,
        timeout_ms=1000,
        backoff_ms=500,
        now_ms_override=T0,
    )
    take(client, Q)
    assert client.reap_expired(queue=Q, now_ms_override=T0 + 1000) == 1

    job = stored(monitor, "j")
    failure = json.loads(job.failure)
    assert (job.state, job.attempt, job.due_ms) == ("delayed", 1, T0 + 1500)
    assert job.last_error.startswith("lease expired on attempt 1 of 2")
    assert job.last_error_ms == T0 + 1000
    assert failure == {
        "reason": "lease_expired",
        "message": job.last_error,
        "errors": [],
        "attempt": 1,
        "at_ms": T0 + 1000,
    }


def test_row_06_deliveries_that_end_in_a_crash_are_capped(
    client: OmniqClient, monitor: QueueMonitor
) -> None:
    client.publish(
        queue=Q,
        payload={},
        job_id="j",
        max_attempts=3,
        timeout_ms=1000,
        backoff_ms=0,
        now_ms_override=T0,
    )
    deliveries = 0
    for crash in range(10):
        now = T0 + crash * 1000
        deliveries += client.reserve(queue=Q, now_ms_override=now) is not None
    job = stored(monitor, "j")
    assert deliveries == 3
    assert (job.state, job.attempt) == ("failed", 3)
    assert job.last_error.startswith("lease expired on attempt 3 of 3")


# Row 7


@contextlib.contextmanager
def skewed_clock(by_s: float) -> Iterator[None]:
    """This process's clock runs ahead."""
    true_time, true_time_ns = time.time, time.time_ns
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time", lambda: true_time() + by_s)
        patch.setattr(time, "time_ns", lambda: true_time_ns() + int(by_s * 1e9))
        yield


def server_ms(server: AnyServer) -> int:
    seconds, micros = nodes(server)[0].command("TIME")
    return int(seconds) * 1000 + int(micros) // 1000


@pytest.mark.parametrize("skew_s", [3600, -3600])
def test_row_07_time_is_the_servers(
    client: OmniqClient, monitor: QueueMonitor, any_server: AnyServer, skew_s: int
) -> None:
    before = server_ms(any_server)
    with skewed_clock(skew_s):
        client.publish(queue=Q, payload={}, job_id="j", timeout_ms=60_000)
        job = client.reserve(queue=Q)
        assert job is not None and job.status == "JOB"
        assert client.reap_expired(queue=Q) == 0
        renewed = client.heartbeat(queue=Q, job_id="j", lease_token=job.lease_token)
    after = server_ms(any_server)

    assert before <= job.lock_until_ms - 60_000 <= renewed - 60_000 <= after
    assert before <= stored(monitor, "j").created_ms <= after


# Row 8


def test_row_08_a_permanent_failure_goes_to_failed_at_once(
    client: OmniqClient, monitor: QueueMonitor
) -> None:
    client.publish(queue=Q, payload={}, job_id="j", max_attempts=3, now_ms_override=T0)
    job = take(client, Q)
    reply = client.ack_fail(
        queue=Q,
        job_id="j",
        lease_token=job.lease_token,
        error="no such customer",
        permanent=True,
        now_ms_override=T0 + 7,
    )
    failed = stored(monitor, "j")
    assert reply == ("FAILED", None)
    assert (failed.state, failed.attempt, failed.max_attempts) == ("failed", 1, 3)
    assert (failed.last_error, failed.failed_ms) == ("no such customer", T0 + 7)


@dataclass
class Order:
    order_id: str
    amount: int


def order_registry() -> Registry:
    registry = Registry()
    message("orders.created", queue=Q, max_attempts=3, registry=registry)(Order)
    return registry


def run_bus(
    server: AnyServer, face: Face, start: Callable[[Any, threading.Event], None], **options: Any
) -> None:
    """`start` registers consumers on a bus of the face and sets the event when all is done;
    `options` are those of `run`."""
    stop = threading.Event()
    if face == "sync":
        with Bus(server.url, registry=order_registry()) as bus, heard_at_once(stop):
            start(bus, stop)
            bus.run(stop=stop, **options)
        return

    async def work() -> None:
        async with AsyncBus(server.url, registry=order_registry()) as bus:
            start(bus, stop)
            await bus.run(stop=stop, **options)

    with heard_at_once(stop):
        asyncio.run(work())


def test_row_08_a_rejected_and_an_undecodable_job_burn_no_attempts(
    doors: Doors, any_server: AnyServer
) -> None:
    client, monitor = doors.client, doors.monitor
    client.publish(queue=Q, payload={"order_id": "A", "amount": "many"}, job_id="unreadable")
    client.publish(queue=Q, payload={"order_id": "B", "amount": 2}, job_id="rejected")
    client.publish(queue=Q, payload={"order_id": "C", "amount": 3}, job_id="last")
    seen: list[str] = []

    def start(bus: Any, stop: threading.Event) -> None:
        def on_order(ctx: Any) -> None:
            seen.append(ctx.job_id)
            if ctx.job_id == "rejected":
                raise Reject("no such customer")
            stop.set()

        bus.consumer(Order)(handler_for(doors.face, on_order))

    run_bus(any_server, doors.face, start)

    assert seen == ["rejected", "last"]
    rejected, unreadable = stored(monitor, "rejected"), stored(monitor, "unreadable")
    assert (rejected.state, rejected.attempt) == ("failed", 1)
    assert json.loads(rejected.failure)["reason"] == "rejected"
    assert json.loads(rejected.failure)["message"] == "no such customer"
    assert (unreadable.state, unreadable.attempt) == ("failed", 0)
    failure = json.loads(unreadable.failure)
    assert failure["reason"] == "invalid_payload"
    assert [(each["path"], each["code"]) for each in failure["errors"]] == [("/amount", "int_type")]


# Row 9


@pytest.fixture
def busy_lanes(any_server: AnyServer, client: OmniqClient) -> OmniqClient:
    """Two jobs in each lane, and the counts at 0."""
    for n in range(2):
        fail(client, Q, f"failed{n}")
    for n in range(2):
        client.publish(queue=Q, payload={}, job_id=f"done{n}", now_ms_override=T0)
        job = take(client, Q)
        client.ack_success(
            queue=Q, job_id=job.job_id, lease_token=job.lease_token, now_ms_override=T0
        )
    for n in range(2):
        client.publish(queue=Q, payload={}, job_id=f"wait{n}", now_ms_override=T0)
        client.publish(queue=Q, payload={}, job_id=f"gwait{n}", gid="g", now_ms_override=T0)
        client.publish(queue=Q, payload={}, job_id=f"late{n}", due_ms=T0 + 9999, now_ms_override=T0)
    forget_command_counts(any_server)
    return client


REMOVALS = {
    "wait": ("wait1", 1),
    "gwait": ("gwait1", 1),
    "failed": ("failed1", 1),
    "completed": ("done1", 1),
    "delayed": ("late1", 0),
}
"""Lane → a job in it, and how many lists must be searched to take it out."""


@pytest.mark.parametrize("lane", REMOVALS)
def test_row_09_remove_searches_only_its_own_lane(
    busy_lanes: OmniqClient, any_server: AnyServer, monitor: QueueMonitor, lane: str
) -> None:
    job_id, searches = REMOVALS[lane]
    busy_lanes.remove_job(queue=Q, job_id=job_id, lane=lane)
    assert command_counts(any_server).get("lrem", 0) == searches
    assert monitor.get_job(Q, job_id) is None


def test_row_09_retry_searches_only_the_failed_lane(
    busy_lanes: OmniqClient, any_server: AnyServer, monitor: QueueMonitor
) -> None:
    busy_lanes.retry_failed(queue=Q, job_id="failed0", now_ms_override=T0)
    assert command_counts(any_server).get("lrem", 0) == 1
    assert stored(monitor, "failed0").state == "wait"


def test_row_09_the_waiting_lane_is_never_searched_for_a_failed_job(
    server: Server, face: Face
) -> None:
    with open_doors(face, url=server.url) as doors:
        client = doors.client
        for n in range(2):
            fail(client, Q, f"failed{n}")
        client.publish(queue=Q, payload={}, job_id="wait0", now_ms_override=T0)

        def retry_and_remove() -> None:
            client.retry_failed(queue=Q, job_id="failed0", now_ms_override=T0)
            client.remove_job(queue=Q, job_id="failed1", lane="failed")

        commands = scripted_commands(server, retry_and_remove)
    searched = [(words[1], words[3]) for words in commands if words[0].upper() == "LREM"]
    assert searched == [(f"{{{Q}}}:failed", "failed0"), (f"{{{Q}}}:failed", "failed1")]


# Row 10


@pytest.mark.parametrize(
    ("policy", "delays"),
    [
        (Fixed(3), [3, 3, 3]),
        (Exponential(first_ms=2, factor=5, jitter=False), [2, 10, 50]),
        (Exponential(first_ms=2, factor=5, max_ms=7, jitter=False), [2, 7, 7]),
    ],
    ids=["fixed", "exponential", "bounded"],
)
def test_row_10_the_policy_of_the_consumer_decides_the_pause(
    doors: Doors, any_server: AnyServer, policy: Fixed | Exponential, delays: list[int]
) -> None:
    doors.client.publish(
        queue=Q,
        payload={"order_id": "A", "amount": 1},
        job_id="j",
        max_attempts=4,
        backoff_ms=3_600_000,
    )
    seen: list[int] = []
    with open_doors("sync", url=any_server.url) as observer:

        def start(bus: Any, stop: threading.Event) -> None:
            def on_order(ctx: Any) -> None:
                if ctx.attempt > 1:
                    job = stored(observer.monitor, "j")
                    seen.append(job.due_ms - job.last_error_ms)
                if ctx.attempt == 4:
                    stop.set()
                    return
                raise ValueError("not yet")

            bus.consumer(Order, retry=policy)(handler_for(doors.face, on_order))

        run_bus(any_server, doors.face, start)
    assert seen == delays


def test_row_10_jitter_spreads_jobs_that_failed_together(
    doors: Doors, any_server: AnyServer
) -> None:
    for n in range(12):
        doors.client.publish(queue=Q, payload={"order_id": "A", "amount": 1}, job_id=str(n))
    policy = Exponential(first_ms=1_000_000)
    left = set(range(12))

    def start(bus: Any, stop: threading.Event) -> None:
        def on_order(ctx: Any) -> None:
            left.discard(int(ctx.job_id))
            if not left:
                stop.set()
            raise ValueError("not yet")

        bus.consumer(Order, retry=policy)(handler_for(doors.face, on_order))

    run_bus(any_server, doors.face, start)
    failed = [stored(doors.monitor, str(n)) for n in range(12)]
    delays = [job.due_ms - job.last_error_ms for job in failed]
    assert all(0 <= delay <= 1_000_000 for delay in delays)
    # 12 random parts of 1,000 s within one second of each other: once in 10^32 runs.
    assert max(delays) - min(delays) > 1000


def test_row_10_the_client_passes_the_pause_of_a_retry(client: OmniqClient) -> None:
    client.publish(queue=Q, payload={}, job_id="j", backoff_ms=5_000, now_ms_override=T0)
    job = take(client, Q)
    reply = client.ack_fail(
        queue=Q, job_id="j", lease_token=job.lease_token, delay_ms=77, now_ms_override=T0
    )
    assert reply == ("RETRY", T0 + 77)


def test_row_10_a_groups_limit_can_be_changed(client: OmniqClient) -> None:
    for n in range(6):
        client.publish(
            queue=Q, payload={}, job_id=str(n), gid="g", group_limit=1, now_ms_override=T0
        )
    assert take_all(client, Q) == ["0"]
    client.set_group_limit(queue=Q, gid="g", limit=3)
    assert take_all(client, Q) == ["1", "2"]
    client.set_group_limit(queue=Q, gid="g", limit=2)
    assert take_all(client, Q) == []


def test_row_10_a_groups_counter_at_zero_is_deleted(
    client: OmniqClient, any_server: AnyServer
) -> None:
    key = f"{{{Q}}}:g:g:inflight"
    for n in range(2):
        client.publish(
            queue=Q, payload={}, job_id=str(n), gid="g", group_limit=2, now_ms_override=T0
        )
    first, second = take(client, Q), take(client, Q)
    with contextlib.closing(any_server.client()) as raw:
        assert raw.get(key) == b"2"
        client.ack_success(queue=Q, job_id="0", lease_token=first.lease_token, now_ms_override=T0)
        assert raw.get(key) == b"1"
        client.ack_fail(queue=Q, job_id="1", lease_token=second.lease_token, now_ms_override=T0)
        assert raw.exists(key) == 0


# Row 11


@contextlib.contextmanager
def working(server: AnyServer, face: Face, handler: Work, **options: Any) -> Iterator[None]:
    """A consumer of the queue in a thread of its own, for the length of the block."""

    def consume(stop: threading.Event) -> None:
        with open_doors(face, url=server.url) as doors:
            doors.client.consume(queue=Q, handler=handler_for(face, handler), stop=stop, **options)

    with running(consume):
        yield


def is_blocked(server: AnyServer) -> bool:
    """Whether a worker waits on the server for work."""
    for node in nodes(server):
        with contextlib.closing(node.client()) as client:
            if any(each["cmd"] == "blpop" for each in client.client_list()):
                return True
    return False


def test_row_11_an_idle_worker_blocks(server: Server, face: Face) -> None:
    with working(server, face, lambda ctx: None):
        wait_until(lambda: is_blocked(server), "the worker waits", 10)
        forget_command_counts(server)
        # A rate can only be seen over a stretch of time.
        began = time.monotonic()
        threading.Event().wait(1.5)
        counts = command_counts(server)
        seconds = time.monotonic() - began
    sent = scripts_called(counts) + counts.get("blpop", 0)
    # Half a second per wait, one script call and one blocking call each; and one round cut short.
    assert 1 <= sent <= 4 * seconds + 2


def test_row_11_a_publish_wakes_the_idle_worker_at_once(any_server: AnyServer, face: Face) -> None:
    done = threading.Event()
    with (
        open_doors("sync", url=any_server.url) as publisher,
        working(any_server, face, lambda ctx: done.set(), poll_interval_s=10),
    ):
        wait_until(lambda: is_blocked(any_server), "the worker waits", 10)
        publisher.client.publish(queue=Q, payload={})
        assert done.wait(60)


def test_row_11_a_job_costs_one_round_trip(any_server: AnyServer, doors: Doors) -> None:
    jobs = 20
    for n in range(jobs):
        doors.client.publish(queue=Q, payload={}, job_id=str(n))
    handled: list[str] = []
    threads: set[str] = set()
    all_done = threading.Event()

    def handler(ctx: Any) -> None:
        handled.append(ctx.job_id)
        threads.update(thread.name for thread in threading.enumerate())
        if len(handled) == jobs:
            all_done.set()

    forget_command_counts(any_server)
    with working(any_server, doors.face, handler):
        assert all_done.wait(60)
    counts = command_counts(any_server)
    assert handled == [str(n) for n in range(jobs)]
    # One per job, each settling the job before; the last settlement; and a script not known yet.
    assert scripts_called(counts) <= jobs + 3
    assert sum(name.startswith("omniq-heartbeat") for name in threads) == 1
    assert doors.monitor.stats(Q).completed_kept == jobs


def test_row_11_several_jobs_and_their_settlement_share_a_round_trip(
    any_server: AnyServer, doors: Doors
) -> None:
    jobs = 100
    for n in range(jobs):
        doors.client.publish(queue=Q, payload={"order_id": "A", "amount": n}, job_id=str(n))
    handled: list[str] = []

    def start(bus: Any, stop: threading.Event) -> None:
        def on_order(ctx: Any) -> None:
            handled.append(ctx.job_id)
            if len(handled) == jobs:
                stop.set()

        tasks = 1 if doors.face == "sync" else 20
        bus.consumer(Order, concurrency=tasks)(handler_for(doors.face, on_order))

    forget_command_counts(any_server)
    run_bus(any_server, doors.face, start, max_prefetch=20)
    counts = command_counts(any_server)
    assert len(handled) == jobs
    # Batches grow from one job, and less where this machine is slow for a moment.
    assert scripts_called(counts) <= jobs / 2
    assert doors.monitor.stats(Q).completed_kept == jobs
