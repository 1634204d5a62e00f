"""Section 3 of docs/wire.md: what each operation does and answers, and each refusal."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import BaseModel, Field

from omniq_typed import NewJob, OmniqClient, QueueMonitor
from omniq_typed.core.admin import remove_jobs_batch, retry_failed_batch
from omniq_typed.core.children import childs_init
from omniq_typed.core.command import Command
from omniq_typed.core.enqueue import content_fingerprint, enqueue, publish_one
from omniq_typed.core.reserve import reserve
from omniq_typed.core.settle import settle
from omniq_typed.errors import (
    CounterExists,
    DuplicateJob,
    JobNotFound,
    LeaseLost,
    OperationRefused,
    StrictGroup,
    WrongLane,
)
from omniq_typed.models import (
    BatchResult,
    ChildAck,
    JobInfo,
    Outcome,
    Published,
    ReserveJob,
    Settled,
    Settlement,
)
from tests.conformance.doors import T0, Doors, Face, contents, fail, open_doors, take, take_all
from tests.servers import Server

Q = "orders"


@pytest.fixture
def doors(server: Server, face: Face) -> Iterator[Doors]:
    """Redis and Valkey, blocking and asyncio."""
    with open_doors(face, url=server.url) as opened:
        yield opened


def put(client: OmniqClient, *job_ids: str, **options: Any) -> None:
    for job_id in job_ids:
        client.publish(
            queue=Q, payload={"id": job_id}, job_id=job_id, **{"now_ms_override": T0, **options}
        )


def ack(client: OmniqClient, job: ReserveJob, now_ms: int = T0) -> None:
    client.ack_success(
        queue=Q, job_id=job.job_id, lease_token=job.lease_token, now_ms_override=now_ms
    )


def stored(monitor: QueueMonitor, job_id: str) -> JobInfo:
    job = monitor.get_job(Q, job_id)
    assert job is not None
    return job


def listed(monitor: QueueMonitor, lane: str) -> list[str]:
    return [job.job_id for job in monitor.lane_page(Q, lane)]


# enqueue


def test_publish_writes_the_job_and_answers_its_id(doors: Doors) -> None:
    answer = doors.client.publish(
        queue=Q,
        payload={"name": "Zoë", "n": [1, 2.5, None]},
        job_id="j",
        max_attempts=4,
        timeout_ms=7_000,
        backoff_ms=9_000,
        gid="g",
        now_ms_override=T0,
    )
    job = stored(doors.monitor, "j")
    assert answer == "j"
    assert job.payload_raw == '{"name":"Zoë","n":[1,2.5,null]}'.encode()
    assert (job.job_id, job.state, job.gid, job.attempt) == ("j", "wait", "g", 0)
    assert (job.max_attempts, job.timeout_ms, job.backoff_ms) == (4, 7_000, 9_000)
    assert (job.created_ms, job.updated_ms, job.queued_ms) == (T0, T0, T0)
    assert (job.first_started_ms, job.completed_ms, job.failed_ms, job.due_ms) == (0, 0, 0, 0)
    assert (job.lease_token, job.lock_until_ms, job.last_error, job.failure) == ("", 0, "", "")


def test_publish_without_an_id_makes_a_new_one_each_time(doors: Doors) -> None:
    ids = [doors.client.publish(queue=Q, payload={}) for _ in range(3)]
    ids.append(doors.client.publish_raw(queue=Q, payload=b"[]"))
    assert len(set(ids)) == 4
    assert take_all(doors.client, Q) == ids


@dataclass
class Order:
    order_id: str
    lines: list[int]


class Parcel(BaseModel):
    weight: float = Field(alias="weightKg")
    sent_at: datetime


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (Order("Zoë", [1, 2]), '{"order_id":"Zoë","lines":[1,2]}'),
        (
            Parcel(weightKg=2.5, sent_at=datetime(2026, 1, 2, tzinfo=UTC)),
            '{"weightKg":2.5,"sent_at":"2026-01-02T00:00:00Z"}',
        ),
        ({"plain": None}, '{"plain":null}'),
        ([1], "[1]"),
    ],
    ids=["dataclass", "pydantic", "dict", "list"],
)
def test_publish_json_writes_models_as_plain_json(
    doors: Doors, value: object, written: str
) -> None:
    answer = doors.client.publish_json(
        queue=Q,
        payload=value,
        job_id="j",
        max_attempts=4,
        timeout_ms=7_000,
        backoff_ms=9_000,
        due_ms=T0 - 1,
        gid="g",
        group_limit=2,
        now_ms_override=T0,
    )
    job = stored(doors.monitor, "j")
    assert (answer, job.payload, job.side) == ("j", written, {})
    assert (job.max_attempts, job.timeout_ms, job.backoff_ms) == (4, 7_000, 9_000)
    assert (job.state, job.gid, job.created_ms) == ("wait", "g", T0)
    assert doors.monitor.group_status(Q, ["g"])[0].limit == 2


@pytest.mark.parametrize("raw", [b'{"a":  1.0, "b": "\\u00e9"}', b" \r\n\t[ 1e2 ]\n"])
def test_publish_raw_leaves_the_bytes_as_they_are(doors: Doors, raw: bytes) -> None:
    assert doors.client.publish_raw(queue=Q, payload=raw, job_id="j") == "j"
    assert stored(doors.monitor, "j").payload_raw == raw
    assert take(doors.client, Q, now_ms=0).payload.encode() == raw


def test_an_id_with_other_content_is_refused(doors: Doors) -> None:
    put(doors.client, "j")
    take(doors.client, Q)
    with pytest.raises(DuplicateJob) as refused:
        doors.client.publish(queue=Q, payload={"other": 1}, job_id="j")
    found = refused.value
    assert (found.operation, found.code, found.subject) == ("publish", "DUPLICATE", "j")
    assert (found.job_id, found.state) == ("j", "active")
    assert found.stored_fingerprint == content_fingerprint("", b'{"id":"j"}')
    assert found.new_fingerprint == content_fingerprint("", b'{"other":1}')
    assert found.stored_fingerprint in str(found) and found.new_fingerprint in str(found)


def typed_job(payload: bytes, msg_type: str = "t") -> NewJob:
    return NewJob("j", payload, side={"msg_type": msg_type} if msg_type else {})


def test_content_is_the_payload_and_the_message_type() -> None:
    prints = {
        content_fingerprint(msg_type, payload)
        for msg_type in ("", "t", "t.{")
        for payload in (b"{}", b"{ }", b"{{}", b"\xff")
    }
    assert len(prints) == 12
    assert all(re.fullmatch("[0-9a-f]{16}", each) for each in prints)
    assert content_fingerprint("t", b"{}") == content_fingerprint("t", b"{}")


@pytest.mark.parametrize("msg_type", ["t", ""])
def test_the_same_content_under_one_id_is_one_job(doors: Doors, msg_type: str) -> None:
    """`same` has nothing to say about equal bytes."""
    for _ in range(2):
        command = publish_one(Q, typed_job(b"{}", msg_type), same=lambda _: pytest.fail("asked"))
        assert doors.run(command) == "j"
    assert doors.monitor.stats(Q).waiting == 1


@pytest.mark.parametrize("verdict", [True, False])
def test_other_bytes_are_the_same_message_where_the_publisher_says_so(
    doors: Doors, verdict: bool
) -> None:
    """Such as a set that was written in another order."""
    doors.run(publish_one(Q, typed_job(b"[1,2]")))
    asked: list[bytes] = []

    def same(stored_payload: bytes) -> bool:
        asked.append(stored_payload)
        return verdict

    command = publish_one(Q, typed_job(b"[2,1]"), same=same)
    if verdict:
        assert doors.run(command) == "j"
    else:
        with pytest.raises(DuplicateJob) as refused:
            doors.run(command)
        assert refused.value.stored_fingerprint == content_fingerprint("t", b"[1,2]")
        assert refused.value.new_fingerprint == content_fingerprint("t", b"[2,1]")
    assert asked == [b"[1,2]"]
    assert stored(doors.monitor, "j").payload == "[1,2]"


@pytest.mark.parametrize(("old", "new"), [("t", "u"), ("t", ""), ("", "t")])
@pytest.mark.parametrize("payload", [b"[1]", b"[2]"])
def test_another_message_type_is_never_the_same_message(
    doors: Doors, old: str, new: str, payload: bytes
) -> None:
    doors.run(publish_one(Q, typed_job(b"[1]", old)))
    command = publish_one(Q, typed_job(payload, new), same=lambda _: True)
    with pytest.raises(DuplicateJob) as refused:
        doors.run(command)
    assert refused.value.stored_fingerprint == content_fingerprint(old, b"[1]")
    assert refused.value.new_fingerprint == content_fingerprint(new, payload)


def test_what_a_stranger_has_stored_under_the_id_is_other_content(
    doors: Doors, server: Server
) -> None:
    """Bytes that are no text, and a job without any payload."""
    with contextlib.closing(server.client()) as redis:
        for job_id in ("odd", "bare"):
            redis.hset(f"{{{Q}}}:job:{job_id}", "state", "completed")
        redis.hset(f"{{{Q}}}:job:odd", mapping={"payload": b"\xff", "msg_type": b"\xff"})
    jobs = [NewJob("odd", b"{}"), NewJob("bare", b"{}")]
    odd, bare = doors.client.publish_batch(queue=Q, jobs=jobs)
    assert odd == Published("odd", "completed", True, False, b"\xff", "\\xff")
    assert bare == Published("bare", "completed", True, False, b"", "")
    with pytest.raises(DuplicateJob) as refused:
        doors.run(publish_one(Q, jobs[1]))
    assert refused.value.stored_fingerprint == content_fingerprint("", b"")


def test_a_batch_is_published_in_order_with_a_result_per_job(doors: Doors) -> None:
    put(doors.client, "old")
    results = doors.client.publish_batch(
        queue=Q,
        jobs=[
            NewJob("a", b"{}"),
            NewJob("old", b'{"id":"old"}'),
            NewJob("b", b"[]", due_ms=T0 + 1),
            NewJob("a", b"{}"),
            NewJob("b", b"{}"),
            NewJob("c", b"{}", side={"msg_type": "t"}),
            NewJob("c", b"{}", side={"msg_type": "u"}),
        ],
        now_ms_override=T0,
    )
    assert results == [
        Published("a", "wait", False, True),
        Published("old", "wait", True, True),
        Published("b", "delayed", False, True),
        Published("a", "wait", True, True),
        Published("b", "delayed", True, False, stored_payload=b"[]"),
        Published("c", "wait", False, True),
        Published("c", "wait", True, False, stored_payload=b"{}", stored_msg_type="t"),
    ]
    assert take_all(doors.client, Q) == ["old", "a", "c"]
    assert stored(doors.monitor, "b").payload == "[]"
    assert doors.monitor.stats(Q).delayed == 1


def test_an_empty_batch_is_nothing(doors: Doors, server: Server) -> None:
    assert doors.client.publish_batch(queue=Q, jobs=[]) == []
    assert doors.client.retry_failed_batch(queue=Q, job_ids=[]) == []
    assert doors.client.remove_jobs_batch(queue=Q, lane="wait", job_ids=[]) == []
    assert contents(server) == {}


# reserve


def test_reserve_leases_the_oldest_job(doors: Doors) -> None:
    put(doors.client, "a", "b", timeout_ms=7_000)
    job = take(doors.client, Q, T0 + 5)
    assert (job.status, job.job_id, job.payload, job.gid) == ("JOB", "a", '{"id":"a"}', "")
    assert (job.attempt, job.max_attempts, job.lock_until_ms) == (1, 3, T0 + 5 + 7_000)
    assert job.lease_token
    found = stored(doors.monitor, "a")
    assert (found.state, found.lease_token, found.attempt) == ("active", job.lease_token, 1)
    assert (found.lock_until_ms, found.first_started_ms) == (job.lock_until_ms, T0 + 5)
    assert (listed(doors.monitor, "active"), listed(doors.monitor, "wait")) == (["a"], ["b"])


def test_a_job_without_a_timeout_is_leased_for_a_minute(doors: Doors) -> None:
    put(doors.client, "a", timeout_ms=0)
    assert take(doors.client, Q).lock_until_ms == T0 + 60_000


def test_reserve_of_nothing_is_none_and_leaves_no_key(doors: Doors, server: Server) -> None:
    assert doors.client.reserve(queue=Q) is None
    assert contents(server) == {}


def test_jobs_are_given_out_first_in_first_out(doors: Doors) -> None:
    ids = [str(n) for n in range(20)]
    put(doors.client, *ids)
    assert take_all(doors.client, Q) == ids


def test_groups_take_turns_with_each_other_and_with_the_ungrouped_lane(doors: Doors) -> None:
    for gid in ("x", "y"):
        put(doors.client, *(f"{gid}{n}" for n in range(3)), gid=gid, group_limit=3)
    put(doors.client, *(f"u{n}" for n in range(3)))
    expected = ["x0", "u0", "y0", "u1", "x1", "u2", "y1", "x2", "y2"]
    assert take_all(doors.client, Q) == expected


def test_a_group_runs_as_many_jobs_as_its_limit(doors: Doors) -> None:
    put(doors.client, "a", "b", "c", "d", gid="g", group_limit=2)
    first, second = take(doors.client, Q), take(doors.client, Q)
    assert doors.client.reserve(queue=Q, now_ms_override=T0) is None
    (status,) = doors.monitor.group_status(Q, ["g"])
    assert (status.inflight, status.limit, status.ready, status.waiting_count) == (2, 2, False, 2)

    ack(doors.client, second)
    assert take(doors.client, Q).job_id == "c"
    assert doors.client.reserve(queue=Q, now_ms_override=T0) is None
    doors.client.ack_fail(queue=Q, job_id="a", lease_token=first.lease_token, now_ms_override=T0)
    assert take_all(doors.client, Q) == ["d"]


def test_a_group_without_a_limit_runs_one_job(doors: Doors) -> None:
    put(doors.client, "a", "b", gid="g")
    assert take_all(doors.client, Q) == ["a"]


def test_the_first_limit_of_a_group_stays(doors: Doors) -> None:
    put(doors.client, "a", gid="g", group_limit=2)
    put(doors.client, "b", "c", gid="g", group_limit=3)
    assert take_all(doors.client, Q) == ["a", "b"]


def test_waiting_jobs_that_lie_in_no_list_are_found_where_there_is_nothing_else(
    doors: Doors, server: Server
) -> None:
    """As a server leaves them behind that crashed twice: docs/operations.md."""
    put(doors.client, "h1", "h2", gid="h")
    assert take(doors.client, Q).job_id == "h1"
    put(doors.client, "a", "b")
    put(doors.client, "g1", "g2", gid="g", group_limit=2)
    with contextlib.closing(server.client()) as client:
        client.delete("{orders}:wait", "{orders}:g:g:wait", "{orders}:groups:ready")

    with open_doors(doors.face, url=server.url) as worker:  # a new one, which looks around
        assert sorted(take_all(worker.client, Q)) == ["a", "b", "g1", "g2"]
    stats = doors.monitor.stats(Q)
    assert (stats.waiting, stats.waiting_total, stats.active) == (0, 1, 5)
    assert listed(doors.monitor, "wait") == ["h2"]


TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
BESIDE: list[dict[str, str]] = [
    {},
    {"msg_type": "t", "msg_version": "2", "msg_source": "shop"},
    {"msg_correlation_id": "c-1"},
    {},
    {"msg_causation_id": "j-1", "msg_correlation_id": "c-2", "msg_source": "shop"},
    {"msg_traceparent": TRACE, "msg_tracestate": "vendor=1"},
    {"msg_traceparent": TRACE},
]


def test_each_job_of_a_batch_comes_with_what_it_has_beside_its_payload(doors: Doors) -> None:
    """Also when it was leased before: what only such jobs can have is asked for apart."""
    jobs = [NewJob(str(n), b"{}", side=side) for n, side in enumerate(BESIDE)]
    doors.run(enqueue(Q, jobs, now_ms=T0))
    for nth, outcome in enumerate((Outcome.RELEASE, Outcome.DEFER, Outcome.ACK)):
        leased = doors.run(reserve(Q, limit=9, token_prefix=f"p{nth}", now_ms=T0 + nth)).jobs
        given = [
            {name: value for name, value in job._asdict().items() if value and "msg_" in name}
            for job in leased
        ]
        assert given == BESIDE
        assert {(job.attempt, job.deferrals) for job in leased} == {(1, int(nth == 2))}
        ends = [
            Settlement(job.job_id, job.lease_token, outcome, None if nth != 1 else 0)
            for job in reversed(leased)
        ]
        assert {each.status for each in doors.run(settle(Q, ends, now_ms=T0 + nth))} == {
            ("RELEASED", "RETRY", "OK")[nth]
        }


def test_a_tracestate_alone_is_not_given_to_workers(doors: Doors) -> None:
    """It means nothing without a traceparent."""
    doors.run(enqueue(Q, [NewJob("a", b"{}", side={"msg_tracestate": "vendor=1"})], now_ms=T0))
    (job,) = doors.run(reserve(Q, limit=1, token_prefix="p", now_ms=T0)).jobs
    assert job.msg_tracestate == ""
    assert stored(doors.monitor, "a").side == {"msg_tracestate": "vendor=1"}


# heartbeat, ack_success, ack_fail


def test_heartbeat_answers_the_new_end(doors: Doors) -> None:
    put(doors.client, "j", timeout_ms=7_000)
    job = take(doors.client, Q)
    ends = doors.client.heartbeat(
        queue=Q, job_id="j", lease_token=job.lease_token, now_ms_override=T0 + 100
    )
    assert ends == T0 + 7_100 == stored(doors.monitor, "j").lock_until_ms


ON_A_LEASE: dict[str, Callable[[OmniqClient, str, str], object]] = {
    "heartbeat": lambda c, j, t: c.heartbeat(queue=Q, job_id=j, lease_token=t),
    "ack_success": lambda c, j, t: c.ack_success(queue=Q, job_id=j, lease_token=t),
    "ack_fail": lambda c, j, t: c.ack_fail(queue=Q, job_id=j, lease_token=t, error="x"),
}


def refusal(kind: type[OperationRefused], call: Callable[[], object]) -> tuple[str, str, str]:
    with pytest.raises(OperationRefused) as refused:
        call()
    assert type(refused.value) is kind
    return refused.value.operation, refused.value.code, refused.value.subject


@pytest.mark.parametrize("operation", ON_A_LEASE)
def test_only_the_holder_of_a_running_lease_is_heard(
    doors: Doors, server: Server, operation: str
) -> None:
    client = doors.client
    put(client, "running", "waiting")
    token = take(client, Q).lease_token
    call = ON_A_LEASE[operation]
    before = contents(server)
    for job_id, given, code in [
        ("running", "", "TOKEN_REQUIRED"),
        ("running", "another", "TOKEN_MISMATCH"),
        ("running", token + " ", "TOKEN_MISMATCH"),
        ("waiting", token, "NOT_ACTIVE"),
        ("unknown", token, "NOT_ACTIVE"),
        ("unknown", "", "TOKEN_REQUIRED"),
    ]:
        found = refusal(LeaseLost, lambda j=job_id, g=given: call(client, j, g))  # type: ignore[misc]
        assert found == (operation, code, job_id)
    assert contents(server) == before


@pytest.mark.parametrize("operation", ON_A_LEASE)
def test_a_lease_ends_once(doors: Doors, operation: str) -> None:
    client = doors.client
    put(client, "j")
    token = take(client, Q).lease_token
    client.ack_success(queue=Q, job_id="j", lease_token=token, now_ms_override=T0)
    found = refusal(LeaseLost, lambda: ON_A_LEASE[operation](client, "j", token))
    assert found == (operation, "NOT_ACTIVE", "j")


@pytest.mark.parametrize("operation", ON_A_LEASE)
def test_the_holder_before_is_not_heard(doors: Doors, operation: str) -> None:
    client = doors.client
    put(client, "j", timeout_ms=1_000, backoff_ms=0)
    old = take(client, Q).lease_token
    new = take(client, Q, T0 + 1_000)
    assert (new.job_id, new.attempt) == ("j", 2) and new.lease_token != old
    found = refusal(LeaseLost, lambda: ON_A_LEASE[operation](client, "j", old))
    assert found == (operation, "TOKEN_MISMATCH", "j")
    ack(client, new, T0 + 1_000)


def test_a_success_completes_the_job(doors: Doors) -> None:
    put(doors.client, "j", gid="g")
    ack(doors.client, take(doors.client, Q), T0 + 3)
    job = stored(doors.monitor, "j")
    assert (job.state, job.completed_ms, job.lease_token, job.lock_until_ms) == (
        "completed",
        T0 + 3,
        "",
        0,
    )
    assert listed(doors.monitor, "completed") == ["j"]
    assert listed(doors.monitor, "active") == []
    assert doors.monitor.group_status(Q, ["g"])[0].inflight == 0


def test_failures_are_retried_until_no_attempt_is_left(doors: Doors) -> None:
    put(doors.client, "j", max_attempts=2, backoff_ms=50)
    first = take(doors.client, Q)
    reply = doors.client.ack_fail(
        queue=Q, job_id="j", lease_token=first.lease_token, error="one", now_ms_override=T0 + 1
    )
    job = stored(doors.monitor, "j")
    assert reply == ("RETRY", T0 + 51)
    assert (job.state, job.due_ms, job.last_error, job.last_error_ms) == (
        "delayed",
        T0 + 51,
        "one",
        T0 + 1,
    )
    assert doors.client.reserve(queue=Q, now_ms_override=T0 + 50) is None

    second = take(doors.client, Q, T0 + 51)
    reply = doors.client.ack_fail(
        queue=Q, job_id="j", lease_token=second.lease_token, error="two", now_ms_override=T0 + 60
    )
    job = stored(doors.monitor, "j")
    assert (second.attempt, reply) == (2, ("FAILED", None))
    assert (job.state, job.failed_ms, job.last_error) == ("failed", T0 + 60, "two")
    assert json.loads(job.failure) == {
        "reason": "handler_error",
        "message": "two",
        "errors": [],
        "attempt": 2,
        "at_ms": T0 + 60,
    }


def test_an_error_is_kept_up_to_4096_bytes_of_whole_characters(doors: Doors) -> None:
    put(doors.client, "j")
    token = take(doors.client, Q).lease_token
    doors.client.ack_fail(queue=Q, job_id="j", lease_token=token, error="x" + "é" * 4096)
    assert stored(doors.monitor, "j").last_error == "x" + "é" * 2047


def test_a_failure_without_an_error_is_one_all_the_same(doors: Doors) -> None:
    put(doors.client, "j", max_attempts=1)
    token = take(doors.client, Q).lease_token
    assert doors.client.ack_fail(queue=Q, job_id="j", lease_token=token) == ("FAILED", None)
    assert stored(doors.monitor, "j").last_error == ""


def settled(doors: Doors, *ends: Settlement) -> list[Settled]:
    """What workers do, who end several leases in one call."""
    return doors.run(settle(Q, ends, now_ms=T0))


def test_jobs_that_are_given_back_stand_first_again_with_their_attempt(doors: Doors) -> None:
    put(doors.client, "a", "b", "c", max_attempts=1)
    put(doors.client, "x", "y", gid="g")
    held = {job.job_id: job for job in (take(doors.client, Q) for _ in range(3))}
    assert list(held) == ["x", "a", "b"]
    back = [Settlement(j, held[j].lease_token, Outcome.RELEASE) for j in ("b", "a", "x")]
    assert settled(doors, *back) == [Settled(j, "RELEASED", "") for j in ("b", "a", "x")]

    job = stored(doors.monitor, "a")
    assert (job.state, job.attempt, job.lease_token, job.lock_until_ms) == ("wait", 0, "", 0)
    assert (job.last_error, job.failure) == ("", "")
    assert doors.monitor.group_status(Q, ["g"])[0].inflight == 0
    assert settled(doors, back[0]) == [Settled("b", "ERR", "NOT_ACTIVE")]
    assert take_all(doors.client, Q) == ["a", "x", "b", "c"]
    assert stored(doors.monitor, "a").attempt == 1


def test_one_call_settles_each_lease_by_its_own_token(doors: Doors) -> None:
    put(doors.client, "a", "b", "c", "d", backoff_ms=10)
    tokens = {job.job_id: job.lease_token for job in (take(doors.client, Q) for _ in range(4))}
    assert settled(
        doors,
        Settlement("a", tokens["a"], Outcome.ACK),
        Settlement("b", tokens["b"], Outcome.RETRY, message="again"),
        Settlement("c", tokens["c"], Outcome.FAIL, reason="rejected", message="never"),
        Settlement("d", tokens["a"], Outcome.ACK),
        Settlement("d", "", Outcome.FAIL),
    ) == [
        Settled("a", "OK", ""),
        Settled("b", "RETRY", str(T0 + 10)),
        Settled("c", "FAILED", ""),
        Settled("d", "ERR", "TOKEN_MISMATCH"),
        Settled("d", "ERR", "TOKEN_REQUIRED"),
    ]
    states = {job_id: stored(doors.monitor, job_id).state for job_id in tokens}
    assert states == {"a": "completed", "b": "delayed", "c": "failed", "d": "active"}


def test_each_job_of_a_group_that_one_call_acknowledges_frees_its_slot(doors: Doors) -> None:
    put(doors.client, "a", "b", "c", "d", gid="g", group_limit=3)
    put(doors.client, "x", gid="h")
    held = [take(doors.client, Q) for _ in range(4)]
    assert [job.job_id for job in held] == ["a", "x", "b", "c"]
    acks = [Settlement(job.job_id, job.lease_token, Outcome.ACK) for job in held[:3]]
    assert [one.status for one in settled(doors, *acks)] == ["OK", "OK", "OK"]
    left, none = doors.monitor.group_status(Q, ["g", "h"])
    assert (left.inflight, left.ready, none.inflight) == (1, True, 0)
    assert take_all(doors.client, Q) == ["d"]


@pytest.mark.parametrize("keep", [3, 0])
def test_only_so_many_completed_jobs_are_kept(server: Server, face: Face, keep: int) -> None:
    ids = [str(n) for n in range(6)]
    with open_doors(face, url=server.url, keep_completed=keep) as doors:
        put(doors.client, *ids)
        for n in range(6):
            ack(doors.client, take(doors.client, Q), T0 + n)
        kept = ids[6 - keep :]
        assert listed(doors.monitor, "completed") == kept
        assert doors.monitor.stats(Q).completed_kept == keep
        hashes = {key.decode() for key in contents(server) if b":job:" in key}
        assert hashes == {f"{{{Q}}}:job:{job_id}" for job_id in kept}
        # Its id is free again, and is not while the job is kept.
        assert doors.client.publish(queue=Q, payload={"again": 1}, job_id="0") == "0"
        if kept:
            with pytest.raises(DuplicateJob):
                doors.client.publish(queue=Q, payload={"again": 1}, job_id="5")


def test_a_hundred_completed_jobs_are_kept_by_default(doors: Doors) -> None:
    doors.client.publish_batch(
        queue=Q, jobs=[NewJob(str(n), b"{}") for n in range(103)], now_ms_override=T0
    )
    for _ in range(103):
        ack(doors.client, take(doors.client, Q))
    assert doors.monitor.stats(Q).completed_kept == 100
    assert doors.monitor.get_job(Q, "2") is None
    assert stored(doors.monitor, "3").state == "completed"


# promote_delayed, reap_expired


def test_due_jobs_are_promoted_at_most_so_many(doors: Doors) -> None:
    for n in range(5):
        put(doors.client, str(n), due_ms=T0 + 10 - n, gid="g" if n == 4 else None)
    client = doors.client
    assert client.promote_delayed(queue=Q, now_ms_override=T0 + 5) == 0
    assert client.promote_delayed(queue=Q, max_promote=2, now_ms_override=T0 + 9) == 2
    stats = doors.monitor.stats(Q)
    assert (stats.delayed, stats.waiting, stats.group_waiting) == (3, 1, 1)
    assert client.promote_delayed(queue=Q, now_ms_override=T0 + 9) == 2
    assert client.promote_delayed(queue=Q, now_ms_override=T0 + 9) == 0
    assert client.promote_delayed(queue=Q, now_ms_override=T0 + 10) == 1
    assert stored(doors.monitor, "0").queued_ms == T0 + 10
    assert take_all(client, Q, T0 + 10) == ["4", "3", "2", "1", "0"]


def test_a_job_that_is_due_now_waits_at_once(doors: Doors) -> None:
    put(doors.client, "past", due_ms=T0 - 1)
    put(doors.client, "now", due_ms=T0)
    put(doors.client, "later", due_ms=T0 + 1)
    assert (stored(doors.monitor, "later").state, stored(doors.monitor, "later").due_ms) == (
        "delayed",
        T0 + 1,
    )
    assert take_all(doors.client, Q) == ["past", "now"]


def test_expired_leases_are_reaped_at_most_so_many(doors: Doors) -> None:
    put(doors.client, "a", "b", "c", timeout_ms=1_000, max_attempts=2, backoff_ms=30)
    put(doors.client, "last", timeout_ms=1_000, max_attempts=1, gid="g")
    assert len(take_all(doors.client, Q)) == 4
    client = doors.client
    assert client.reap_expired(queue=Q, now_ms_override=T0 + 999) == 0
    assert client.reap_expired(queue=Q, max_reap=3, now_ms_override=T0 + 1_000) == 3
    assert client.reap_expired(queue=Q, max_reap=3, now_ms_override=T0 + 1_000) == 1
    assert client.reap_expired(queue=Q, max_reap=3, now_ms_override=T0 + 1_000) == 0
    stats = doors.monitor.stats(Q)
    assert (stats.active, stats.delayed, stats.failed) == (0, 3, 1)
    assert json.loads(stored(doors.monitor, "last").failure)["reason"] == "lease_expired"
    assert stored(doors.monitor, "a").due_ms == T0 + 1_030
    assert doors.monitor.group_status(Q, ["g"])[0].inflight == 0


# pause, resume, is_paused


def test_a_paused_queue_gives_nothing_out_and_lets_running_jobs_go_on(doors: Doors) -> None:
    client = doors.client
    put(client, "running", "waiting")
    job = take(client, Q)
    assert not client.is_paused(queue=Q)
    assert [client.pause(queue=Q) for _ in range(2)] == ["OK", "OK"]
    assert client.is_paused(queue=Q) and doors.monitor.stats(Q).paused
    paused = client.reserve(queue=Q, now_ms_override=T0)
    assert paused is not None and paused.status == "PAUSED"
    put(client, "new")
    client.heartbeat(queue=Q, job_id="running", lease_token=job.lease_token, now_ms_override=T0)
    ack(client, job)
    assert [client.resume(queue=Q) for _ in range(2)] == [1, 0]
    assert not client.is_paused(queue=Q)
    assert take_all(client, Q) == ["waiting", "new"]


# retry_failed


def test_a_failed_job_gets_all_its_attempts_again(doors: Doors) -> None:
    fail(doors.client, Q, "j")
    put(doors.client, "before")
    doors.client.retry_failed(queue=Q, job_id="j", now_ms_override=T0 + 9)
    job = stored(doors.monitor, "j")
    assert (job.state, job.attempt, job.failed_ms, job.queued_ms) == ("wait", 0, 0, T0 + 9)
    assert listed(doors.monitor, "failed") == []
    assert take_all(doors.client, Q) == ["before", "j"]


def test_a_retried_job_keeps_the_rules_of_its_group(doors: Doors) -> None:
    put(doors.client, "a", "b", gid="g", max_attempts=1)
    token = take(doors.client, Q).lease_token
    doors.client.ack_fail(queue=Q, job_id="a", lease_token=token, now_ms_override=T0)
    running = take(doors.client, Q)
    doors.client.retry_failed(queue=Q, job_id="a", now_ms_override=T0)
    assert doors.client.reserve(queue=Q, now_ms_override=T0) is None
    ack(doors.client, running)
    assert take(doors.client, Q).gid == "g"


@pytest.fixture
def lanes(doors: Doors) -> Doors:
    """A job in each lane, named after it."""
    client = doors.client
    fail(client, Q, "failed")
    put(client, "completed")
    ack(client, take(client, Q))
    put(client, "active")
    take(client, Q)
    put(client, "wait")
    put(client, "gwait", gid="g")
    put(client, "delayed", due_ms=T0 + 9_999)
    return doors


REMOVABLE = ["wait", "delayed", "failed", "completed", "gwait"]


def test_only_a_failed_job_can_be_retried(lanes: Doors) -> None:
    before = lanes.monitor.overview(Q)
    for job_id in (*REMOVABLE, "active"):
        if job_id != "failed":
            found = refusal(
                WrongLane,
                lambda j=job_id: lanes.client.retry_failed(queue=Q, job_id=j),  # type: ignore[misc]
            )
            assert found == ("retry_failed", "NOT_FAILED", job_id)
    found = refusal(JobNotFound, lambda: lanes.client.retry_failed(queue=Q, job_id="no"))
    assert found == ("retry_failed", "NO_JOB", "no")
    assert lanes.monitor.overview(Q) == before


def test_a_batch_of_retries_has_a_result_per_id(lanes: Doors) -> None:
    results = lanes.client.retry_failed_batch(
        queue=Q, job_ids=["failed", "no", "wait", "failed"], now_ms_override=T0
    )
    assert results == [
        BatchResult("failed", "OK", None),
        BatchResult("no", "ERR", "NO_JOB"),
        BatchResult("wait", "ERR", "NOT_FAILED"),
        BatchResult("failed", "ERR", "NOT_FAILED"),
    ]
    assert [(job_id, status) for job_id, status, reason in results if reason is None] == [
        ("failed", "OK")
    ]
    assert listed(lanes.monitor, "wait").count("failed") == 1


def test_a_batch_of_100_is_retried_and_removed(doors: Doors) -> None:
    ids = [str(n) for n in range(100)]
    for job_id in ids:
        fail(doors.client, Q, job_id)
    retried = doors.client.retry_failed_batch(queue=Q, job_ids=ids, now_ms_override=T0)
    assert retried == [BatchResult(job_id, "OK", None) for job_id in ids]
    assert doors.monitor.stats(Q).waiting == 100
    removed = doors.client.remove_jobs_batch(queue=Q, lane="wait", job_ids=ids)
    assert removed == [BatchResult(job_id, "OK", None) for job_id in ids]
    stats = doors.monitor.stats(Q)
    assert (stats.waiting_total, stats.failed) == (0, 0)


# remove_job


@pytest.mark.parametrize("lane", REMOVABLE)
def test_a_job_is_removed_from_its_own_lane(lanes: Doors, lane: str) -> None:
    lanes.client.remove_job(queue=Q, job_id=lane, lane=lane)
    assert lanes.monitor.get_job(Q, lane) is None
    assert lane not in listed(lanes.monitor, lane)
    found = refusal(JobNotFound, lambda: lanes.client.remove_job(queue=Q, job_id=lane, lane=lane))
    assert found == ("remove_job", "NO_JOB", lane)
    if lane == "gwait":
        assert lanes.monitor.groups_ready(Q) == []


def test_a_job_is_not_removed_from_another_lane(lanes: Doors) -> None:
    before = lanes.monitor.overview(Q)
    for job_id in (*REMOVABLE, "active"):
        for lane in REMOVABLE:
            if job_id != lane:
                found = refusal(
                    WrongLane,
                    lambda j=job_id, at=lane: lanes.client.remove_job(queue=Q, job_id=j, lane=at),  # type: ignore[misc]
                )
                code = "ACTIVE" if job_id == "active" else "LANE_MISMATCH"
                assert found == ("remove_job", code, job_id)
    assert lanes.monitor.overview(Q) == before


def test_a_job_that_its_lane_does_not_list_is_not_removed(lanes: Doors, server: Server) -> None:
    lists = {"wait": "wait", "failed": "failed", "completed": "completed", "gwait": "g:g:wait"}
    with contextlib.closing(server.client()) as raw:
        for lane, key in {**lists, "delayed": "delayed"}.items():
            assert raw.delete(f"{{{Q}}}:{key}") == 1
            found = refusal(
                WrongLane,
                lambda at=lane: lanes.client.remove_job(queue=Q, job_id=at, lane=at),  # type: ignore[misc]
            )
            assert found == ("remove_job", "NOT_IN_LANE", lane)
            assert stored(lanes.monitor, lane).job_id == lane


def test_a_batch_of_removals_has_a_result_per_id(lanes: Doors) -> None:
    results = lanes.client.remove_jobs_batch(
        queue=Q, lane="wait", job_ids=["wait", "no", "active", "gwait", "wait"]
    )
    assert results == [
        BatchResult("wait", "OK", None),
        BatchResult("no", "ERR", "NO_JOB"),
        BatchResult("active", "ERR", "ACTIVE"),
        BatchResult("gwait", "ERR", "LANE_MISMATCH"),
        BatchResult("wait", "ERR", "NO_JOB"),
    ]
    assert take_all(lanes.client, Q) == ["gwait"]


# set_group_limit


def test_a_strict_group_takes_no_limit_but_one(doors: Doors, server: Server) -> None:
    put(doors.client, "a", gid="s", ordering="strict")
    before = contents(server)
    found = refusal(StrictGroup, lambda: doors.client.set_group_limit(queue=Q, gid="s", limit=2))
    assert found == ("set_group_limit", "STRICT_GROUP", "s")
    assert contents(server) == before
    doors.client.set_group_limit(queue=Q, gid="s", limit=1)


def test_a_limit_can_be_set_before_the_first_job(doors: Doors) -> None:
    doors.client.set_group_limit(queue=Q, gid="g", limit=2)
    put(doors.client, "a", "b", "c", gid="g", group_limit=1)
    assert take_all(doors.client, Q) == ["a", "b"]


# childs_init, child_ack


def test_a_counter_counts_each_child_once(doors: Doors) -> None:
    client = doors.client
    client.childs_init(key="set", expected=3)
    answers = [client.child_ack(key="set", child_id=child) for child in "aabbca"]
    assert answers == [2, 2, 1, 1, 0, ChildAck.ALREADY_FINISHED]


def test_a_counter_is_started_once(doors: Doors, server: Server) -> None:
    client = doors.client
    client.childs_init(key="set", expected=2)
    client.child_ack(key="set", child_id="a")
    before = contents(server)
    found = refusal(CounterExists, lambda: client.childs_init(key="set", expected=2))
    assert found == ("childs_init", "ALREADY_INIT", "set")
    assert contents(server) == before
    client.child_ack(key="set", child_id="b")
    found = refusal(CounterExists, lambda: client.childs_init(key="set", expected=2))
    assert found == ("childs_init", "ALREADY_INIT", "set")


def test_an_unknown_counter_is_minus_one(doors: Doors, server: Server) -> None:
    assert doors.client.child_ack(key="set", child_id="a") == ChildAck.NO_COUNTER == -1
    assert contents(server) == {}


# Refusals of the server that the client's own checks stand in front of


@pytest.mark.parametrize(
    ("command", "args", "found"),
    [
        (
            childs_init("set", 1),
            ["0"],
            ("childs_init", "BAD_EXPECTED", "set"),
        ),
        (
            childs_init("set", 1),
            ["1.5"],
            ("childs_init", "BAD_EXPECTED", "set"),
        ),
        (
            retry_failed_batch(Q, []),
            ["0", "1", *"j" * 101],
            ("retry_failed_batch", "BATCH_TOO_LARGE", "job_ids"),
        ),
        (
            remove_jobs_batch(Q, "wait", []),
            ["0", "1", "wait", *"j" * 101],
            ("remove_jobs_batch", "BATCH_TOO_LARGE", "job_ids"),
        ),
    ],
    ids=["no-child", "half-a-child", "101-retries", "101-removals"],
)
def test_the_server_itself_refuses_what_clients_should_not_send(
    server: Server, command: Command[Any], args: list[Any], found: tuple[str, str, str]
) -> None:
    with OmniqClient(url=server.url) as client:
        asked = replace(command, args=args)
        assert refusal(OperationRefused, lambda: client.transport.run(asked)) == found
    assert contents(server) == {}
