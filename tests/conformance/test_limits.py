"""Rate limits of queues and groups, and the concurrency limit of a queue: docs/limits.md."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import pytest

from omniq_typed import NewJob, QueueMonitor
from omniq_typed.core.limits import set_rate_limit
from omniq_typed.core.reserve import reserve
from omniq_typed.core.settle import settle
from omniq_typed.models import Outcome, QueueLimits, RateLimit, Reservation, Reserved, Settlement
from tests.conformance.doors import T0, Doors, Face, open_bus, open_doors
from tests.servers import Server, wait_until
from tests.workers import LONG_S, Order, Watch, bus_worker

Q = "orders"


@pytest.fixture
def doors(server: Server, face: Face) -> Iterator[Doors]:
    """Redis and Valkey, blocking and asyncio."""
    with open_doors(face, url=server.url) as opened:
        yield opened


def put(doors: Doors, *job_ids: str, gid: str = "", group_limit: int = 0) -> None:
    for job_id in job_ids:
        doors.client.publish(
            queue=Q,
            payload={},
            job_id=job_id,
            gid=gid,
            group_limit=group_limit,
            now_ms_override=T0,
        )


def lease(
    doors: Doors, prefix: str, now_ms: int, limit: int = 9, lost_prefix: str = ""
) -> Reservation:
    return doors.run(
        reserve(Q, limit=limit, token_prefix=prefix, now_ms=now_ms, lost_prefix=lost_prefix)
    )


def ids(reservation: Reservation) -> list[str]:
    return [job.job_id for job in reservation.jobs]


def end(doors: Doors, jobs: Sequence[Reserved], outcome: Outcome, now_ms: int) -> None:
    done = [Settlement(job.job_id, job.lease_token, outcome) for job in jobs]
    for settled in doors.run(settle(Q, done, now_ms=now_ms)):
        assert settled.status != "ERR"


def wake_tokens(server: Server) -> int:
    found: int = server.command("LLEN", f"{{{Q}}}:wake")
    return found


def test_a_queue_starts_its_burst_and_then_so_many_per_second(doors: Doors) -> None:
    put(doors, *"abcdefg")
    doors.run(set_rate_limit(Q, 4, burst=3, now_ms=T0))
    first = lease(doors, "p", T0)
    assert (ids(first), first.next_due_ms) == (["a", "b", "c"], T0 + 250)
    early = lease(doors, "q", T0 + 249)
    assert (ids(early), early.next_due_ms) == ([], T0 + 250)
    assert ids(lease(doors, "r", T0 + 250)) == ["d"]
    assert ids(lease(doors, "s", T0 + 10_000, limit=2)) == ["e", "f"]
    assert ids(lease(doors, "t", T0 + 10_000)) == ["g"]
    # Nothing is left to wait for: the next due time is that of a lease.
    assert lease(doors, "u", T0 + 10_000).next_due_ms == T0 + 30_000


def test_a_group_without_a_token_lets_the_others_pass(doors: Doors) -> None:
    put(doors, "a1", "a2", "a3", gid="a", group_limit=9)
    put(doors, "b1", "b2", gid="b", group_limit=9)
    put(doors, "x")
    doors.run(set_rate_limit(Q, 1, gid="a", now_ms=T0))
    first = lease(doors, "p", T0)
    assert ids(first) == ["a1", "x", "b1", "b2"]
    assert first.next_due_ms == T0 + 1_000
    a, b = doors.monitor.group_status(Q, ["a", "b"])
    assert (a.rate, a.ready, a.waiting_count, a.held_job_id) == (RateLimit(1.0, 1), False, 2, "")
    assert (b.rate, b.waiting_count) == (None, 0)
    assert ids(lease(doors, "q", T0 + 999)) == []
    assert ids(lease(doors, "r", T0 + 1_000)) == ["a2"]


def test_a_queue_runs_no_more_jobs_than_its_limit_and_a_freed_slot_wakes(
    doors: Doors, server: Server
) -> None:
    put(doors, *"abcde")
    doors.client.set_concurrency_limit(queue=Q, limit=2)
    first = lease(doors, "p", T0)
    assert ids(first) == ["a", "b"]
    assert ids(lease(doors, "q", T0)) == []
    assert wake_tokens(server) == 0
    end(doors, first.jobs[:1], Outcome.ACK, T0)
    assert wake_tokens(server) == 1
    assert ids(lease(doors, "r", T0)) == ["c"]
    doors.client.set_concurrency_limit(queue=Q, limit=1)
    end(doors, first.jobs[1:], Outcome.ACK, T0)
    assert ids(lease(doors, "s", T0)) == []  # c goes on
    doors.client.set_concurrency_limit(queue=Q, limit=None)
    assert wake_tokens(server) == 2
    assert ids(lease(doors, "t", T0)) == ["d", "e"]


@pytest.mark.parametrize("gid", ["", "g"])
def test_a_job_given_back_unstarted_returns_its_token(doors: Doors, gid: str) -> None:
    put(doors, "a", "b", gid=gid, group_limit=9)
    doors.run(set_rate_limit(Q, 0.001, gid=gid or None, now_ms=T0 - 1))
    first = lease(doors, "p", T0)
    assert ids(first) == ["a"]
    end(doors, first.jobs, Outcome.RELEASE, T0)
    second = lease(doors, "q", T0)
    assert (ids(second), second.jobs[0].attempt) == (["a"], 1)
    again = lease(doors, "r", T0, lost_prefix="q")
    assert (ids(again), again.jobs[0].lease_token) == (["a"], "r-1")
    end(doors, again.jobs, Outcome.RETRY, T0)
    assert ids(lease(doors, "s", T0)) == []


@pytest.mark.parametrize("gid", ["", "g"])
def test_a_lease_from_before_a_limit_returns_no_token_of_it(doors: Doors, gid: str) -> None:
    put(doors, "a", "b", gid=gid, group_limit=9)
    before = lease(doors, "p", T0, limit=1)
    doors.run(set_rate_limit(Q, 0.001, gid=gid or None, now_ms=T0))
    assert ids(lease(doors, "q", T0)) == ["b"]
    end(doors, before.jobs, Outcome.RELEASE, T0)
    assert ids(lease(doors, "r", T0)) == []


@pytest.mark.parametrize("gid", [None, "g"])
def test_a_limit_that_is_lifted_lets_all_start_at_once(
    doors: Doors, server: Server, gid: str | None
) -> None:
    put(doors, *"abc", gid=gid or "", group_limit=9)
    doors.run(set_rate_limit(Q, 0.001, gid=gid, now_ms=T0))
    assert ids(lease(doors, "p", T0)) == ["a"]
    assert wake_tokens(server) == 0
    doors.client.set_rate_limit(queue=Q, per_s=None, gid=gid)
    assert wake_tokens(server) >= 1
    assert ids(lease(doors, "q", T0)) == ["b", "c"]


def test_a_limit_that_changes_keeps_what_had_gathered_and_gives_no_more(doors: Doors) -> None:
    put(doors, *"abcdef")
    doors.run(set_rate_limit(Q, 1, burst=4, now_ms=T0))
    assert ids(lease(doors, "p", T0, limit=2)) == ["a", "b"]
    doors.run(set_rate_limit(Q, 0.001, burst=9, now_ms=T0))
    assert ids(lease(doors, "q", T0)) == ["c", "d"]
    doors.run(set_rate_limit(Q, 0.001, burst=1, now_ms=T0))
    assert ids(lease(doors, "r", T0)) == []


def test_the_monitor_shows_limits(doors: Doors) -> None:
    assert doors.monitor.limits(Q) == QueueLimits(None, None)
    doors.client.set_rate_limit(queue=Q, per_s=2.5)
    doors.client.set_concurrency_limit(queue=Q, limit=7)
    assert doors.monitor.limits(Q) == QueueLimits(7, RateLimit(2.5, 3))
    doors.client.set_rate_limit(queue=Q, per_s=0)
    doors.client.set_concurrency_limit(queue=Q, limit=0)
    assert doors.monitor.limits(Q) == QueueLimits(None, None)


def test_a_limit_that_somebody_has_broken_is_none(doors: Doors, server: Server) -> None:
    put(doors, "a")
    with contextlib.closing(server.client()) as client:
        client.mset({f"{{{Q}}}:rate": "nonsense", f"{{{Q}}}:concurrency": "many"})
    assert doors.monitor.limits(Q) == QueueLimits(None, None)
    assert ids(lease(doors, "p", T0)) == ["a"]


def test_workers_keep_to_a_rate(server: Server, face: Face, watch: Watch) -> None:
    """By the server's own record of when each job was started."""
    with open_bus(face, server.url) as bus:
        bus.set_rate_limit(Q, 20, burst=2)
        bus.set_concurrency_limit(Q, 3)
        assert QueueMonitor(watch.bus).limits(Q) == QueueLimits(3, RateLimit(20.0, 2))
    published = [watch.bus.publish_json(Order(number)) for number in range(8)]
    with bus_worker(face, server.url, [(Order, lambda ctx: None, {})]):
        wait_until(
            lambda: watch.stats(Q).completed_kept == len(published), "all are completed", LONG_S
        )
    started = sorted(watch.job(Q, job_id).first_started_ms for job_id in published)
    assert started[-1] - started[0] >= (len(started) - 2) * 50 - 1


def test_a_batch_of_jobs_of_many_groups_keeps_each_rate(doors: Doors) -> None:
    jobs = [NewJob(f"{gid}{n}", b"{}", gid=gid, group_limit=9) for n in range(3) for gid in "abcde"]
    doors.client.publish_batch(queue=Q, jobs=jobs)
    for gid, burst in (("b", 1), ("d", 2)):
        doors.run(set_rate_limit(Q, 0.001, burst=burst, gid=gid, now_ms=T0))
    found = ids(lease(doors, "p", T0, limit=100))
    assert found == [*["a0", "b0", "c0", "d0", "e0"], *["a1", "c1", "d1", "e1"], "a2", "c2", "e2"]
