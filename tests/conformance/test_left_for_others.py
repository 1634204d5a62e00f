"""A job that a worker cannot decode is left for other workers: it comes back after a pause with all
its attempts, says why it waits, and counts how often this happened, so that a worker can stop."""

from __future__ import annotations

import contextlib
import json
import uuid
from typing import Any

import pytest

from omniq_typed.core.reserve import reserve
from omniq_typed.core.retry import left_for_others
from omniq_typed.core.settle import settle
from omniq_typed.errors import Fault, UndecodableJob
from omniq_typed.models import JobInfo, Outcome, Reservation, Reserved, Settled, Settlement
from tests.conformance.doors import T0, Doors, take
from tests.servers import AnyServer

Q = "orders"
UNKNOWN = UndecodableJob("unknown_type", "no handler for orders.created v2")
PAUSE_MS = 2_000


def put(doors: Doors, *job_ids: str, **options: Any) -> None:
    for job_id in job_ids:
        doors.client.publish(
            queue=Q, payload={"id": job_id}, job_id=job_id, **{"now_ms_override": T0, **options}
        )


def stored(doors: Doors, job_id: str) -> JobInfo:
    job = doors.monitor.get_job(Q, job_id)
    assert job is not None
    return job


def round_trip(doors: Doors, now_ms: int, *ends: Settlement, limit: int = 1) -> Reservation:
    """What a worker's lane does: settle, and lease the next jobs."""
    return doors.run(
        reserve(Q, limit=limit, token_prefix=uuid.uuid4().hex, settlements=ends, now_ms=now_ms)
    )


def lease(doors: Doors, now_ms: int = T0) -> Reserved:
    (job,) = round_trip(doors, now_ms).jobs
    return job


def end(doors: Doors, settlement: Settlement, now_ms: int = T0) -> Settled:
    (settled,) = doors.run(settle(Q, [settlement], now_ms=now_ms))
    return settled


# The decision


def test_the_settlement_says_where_and_why_and_when_again() -> None:
    job = Reserved("j", b"{}", T0, 2, 3, "", "token", 0, T0, deferrals=4)
    error = UndecodableJob("invalid_payload", "no", (Fault("/n", "int_type", "no int"),))
    assert left_for_others(job, error, 0) == Settlement(
        "j",
        "token",
        Outcome.DEFER,
        delay_ms=0,
        reason="invalid_payload",
        message="no: /n: no int (int_type)",
        errors_json='[{"path":"/n","code":"int_type","message":"no int"}]',
    )


# What the server does


def test_it_waits_for_the_pause_with_its_attempt_back_and_tells_why(doors: Doors) -> None:
    put(doors, "j")
    job = lease(doors)
    assert (job.attempt, job.deferrals) == (1, 0)
    answer = end(doors, left_for_others(job, UNKNOWN, PAUSE_MS), T0 + 5)
    due = T0 + 5 + PAUSE_MS
    assert answer == Settled("j", "RETRY", str(due))

    waiting = stored(doors, "j")
    assert (waiting.state, waiting.due_ms) == ("delayed", due)
    assert (waiting.attempt, waiting.deferrals) == (0, 1)
    assert (waiting.lease_token, waiting.lock_until_ms) == ("", 0)
    assert (waiting.last_error, waiting.last_error_ms) == (UNKNOWN.message, T0 + 5)
    assert json.loads(waiting.failure) == {
        "reason": "unknown_type",
        "message": UNKNOWN.message,
        "errors": [],
        "attempt": 0,
        "at_ms": T0 + 5,
    }
    assert [row.job_id for row in doors.monitor.lane_page(Q, "delayed")] == ["j"]
    stats = doors.monitor.stats(Q)
    assert (stats.delayed, stats.active, stats.failed, stats.waiting) == (1, 0, 0, 0)

    assert round_trip(doors, due - 1).jobs == ()
    again = lease(doors, due)
    assert (again.job_id, again.attempt, again.deferrals) == ("j", 1, 1)
    assert again.payload == b'{"id":"j"}'


def test_no_attempt_is_burned_however_often(doors: Doors) -> None:
    """A job with a single attempt survives, and the count is there for the worker to stop by."""
    put(doors, "j", max_attempts=1)
    now, seen = T0, []
    job = lease(doors, now)
    for _ in range(12):
        seen.append((job.attempt, job.deferrals))
        now += PAUSE_MS
        # The pause is over when the answer is given: the same round trip leases it again.
        (job,) = round_trip(doors, now, left_for_others(job, UNKNOWN, 0)).jobs
    assert seen == [(1, n) for n in range(12)]
    assert end(doors, Settlement("j", job.lease_token, Outcome.ACK), now).status == "OK"
    assert stored(doors, "j").state == "completed"


def test_without_a_pause_of_its_own_it_waits_as_the_job_says(doors: Doors) -> None:
    put(doors, "j", backoff_ms=700)
    token = lease(doors).lease_token
    answer = end(doors, Settlement("j", token, Outcome.DEFER, message="not for me"))
    assert answer == Settled("j", "RETRY", str(T0 + 700))


def test_failures_count_beside_it_and_an_operator_gives_both_back(doors: Doors) -> None:
    put(doors, "j", max_attempts=2, backoff_ms=0)
    end(doors, left_for_others(lease(doors), UNKNOWN, 0))
    end(doors, Settlement("j", lease(doors).lease_token, Outcome.RETRY, message="one"))
    last = lease(doors)
    assert (last.attempt, last.deferrals) == (2, 1)
    end(doors, left_for_others(last, UNKNOWN, 0))
    last = lease(doors)
    assert (last.attempt, last.deferrals) == (2, 2)
    assert end(doors, Settlement("j", last.lease_token, Outcome.RETRY)).status == "FAILED"
    assert (stored(doors, "j").attempt, stored(doors, "j").deferrals) == (2, 2)

    doors.client.retry_failed(queue=Q, job_id="j", now_ms_override=T0)
    fresh = lease(doors)
    assert (fresh.attempt, fresh.deferrals) == (1, 0)


def test_a_strict_group_waits_for_its_head(doors: Doors) -> None:
    put(doors, "first", "second", gid="g", ordering="strict")
    end(doors, left_for_others(lease(doors), UNKNOWN, PAUSE_MS))
    (group,) = doors.monitor.group_status(Q, ["g"])
    assert (group.held_job_id, group.ready, group.inflight) == ("first", False, 0)
    assert round_trip(doors, T0 + PAUSE_MS - 1).jobs == ()
    head = lease(doors, T0 + PAUSE_MS)
    assert head.job_id == "first"
    end(doors, Settlement("first", head.lease_token, Outcome.ACK), T0 + PAUSE_MS)
    assert lease(doors, T0 + PAUSE_MS).job_id == "second"


def test_another_group_goes_on_with_its_next_job(doors: Doors) -> None:
    put(doors, "first", "second", gid="g", group_limit=1)
    end(doors, left_for_others(lease(doors), UNKNOWN, PAUSE_MS))
    (group,) = doors.monitor.group_status(Q, ["g"])
    assert (group.held_job_id, group.ready, group.inflight) == ("", True, 0)
    assert lease(doors).job_id == "second"


def test_only_the_holder_of_the_lease_can_leave_it(doors: Doors) -> None:
    put(doors, "j")
    job = lease(doors)

    def refused(token: str, now_ms: int) -> str:
        """The code; nothing may have changed."""
        before = stored(doors, "j"), doors.monitor.stats(Q)
        stale = Settlement("j", token, Outcome.DEFER, PAUSE_MS)
        job_id, status, code = end(doors, stale, now_ms)
        assert (job_id, status) == ("j", "ERR")
        assert (stored(doors, "j"), doors.monitor.stats(Q)) == before
        return code

    assert refused("", T0 + 1) == "TOKEN_REQUIRED"
    assert refused("another", T0 + 2) == "TOKEN_MISMATCH"
    end(doors, left_for_others(job, UNKNOWN, PAUSE_MS), T0 + 3)
    assert refused(job.lease_token, T0 + 4) == "NOT_ACTIVE"


@pytest.mark.parametrize("written", ["", "often", "-"])
def test_a_count_that_is_none_counts_from_nothing(
    doors: Doors, any_server: AnyServer, written: str
) -> None:
    put(doors, "j")
    with contextlib.closing(any_server.client()) as redis:
        redis.hset(f"{{{Q}}}:job:j", "deferrals", written)
    job = lease(doors)
    assert job.deferrals == stored(doors, "j").deferrals == 0
    end(doors, left_for_others(job, UNKNOWN, 0))
    assert lease(doors).deferrals == 1


def test_a_lease_that_ends_by_itself_is_a_failed_attempt_as_before(doors: Doors) -> None:
    """Deferrals are for jobs that a worker looked at, not for workers that died over them."""
    put(doors, "j", timeout_ms=1_000, backoff_ms=0)
    end(doors, left_for_others(lease(doors), UNKNOWN, 0))
    take(doors.client, Q)
    assert doors.client.reap_expired(queue=Q, now_ms_override=T0 + 1_000) == 1
    job = lease(doors, T0 + 1_000)
    assert (job.attempt, job.deferrals) == (2, 1)
