"""Whether Redis holds what the model holds."""

from __future__ import annotations

import json

from tests.properties.queue_laws import LANES, LawBroken, Queue, deferrals_of
from tests.properties.queue_model import Bucket, Job, QueueModel


def expect(found: object, expected: object) -> None:
    if found != expected:
        raise LawBroken("model", f"got {found}, expected {expected}")


def check_model(model: QueueModel, queue: Queue) -> None:
    """What Redis holds is what the model holds."""
    expect(queue.wait, model.wait)
    expect(queue.failed, model.failed)
    expect(queue.completed, model.completed)
    expect(queue.delayed, {job.job_id: job.due_ms for job in model.in_state("delayed")})
    expect(queue.active, {job.job_id: job.lock_until_ms for job in model.in_state("active")})
    expect(list(queue.groups_ready), model.ready)
    expect(queue.turn, "0" if model.groups_turn else "1")
    expect(queue.paused, model.paused)
    expect(queue.concurrency or 0, model.concurrency)
    expect_bucket(queue.rate, model.rate)
    for lane in LANES:
        expect(queue.entered[lane], {job.job_id: job.entered_ms for job in model.in_state(lane)})
    for gid, keys in queue.groups.items():
        group = model.group(gid)
        expect(keys.waiting, group.waiting)
        expect(keys.inflight or 0, model.inflight(gid))
        expect(keys.limit or 0, group.limit)
        expect(keys.ordering == "strict", group.strict)
        expect(keys.held or "", group.held)
        expect(keys.held is None, not group.held and group.until_ms is None)
        if group.until_ms is not None:
            expect(queue.groups_held[gid], group.until_ms)
        expect_bucket(keys.rate, group.rate)
    expect(set(queue.jobs), set(model.jobs))
    for job_id, stored in queue.jobs.items():
        expected = job_fields(model.jobs[job_id])
        expect({name: stored.get(name, "") for name in expected}, expected)
        expect(deferrals_of(stored), model.jobs[job_id].deferrals)
        expect(_failure(stored), _expected_failure(model.jobs[job_id]))


def expect_bucket(stored: str | None, bucket: Bucket | None) -> None:
    """All digits are stored, so that both reckon with the same numbers."""
    numbers = bucket and (bucket.per_s, bucket.burst, bucket.tokens, bucket.at_ms, bucket.since_ms)
    expect(stored and tuple(map(float, stored.split())), numbers)


def job_fields(job: Job) -> dict[str, str]:
    """The fields of the hash. `due_ms` says something while the job is delayed."""
    times = {
        "lock_until_ms": job.lock_until_ms,
        "created_ms": job.created_ms,
        "updated_ms": job.updated_ms,
        "queued_ms": job.queued_ms,
        "first_started_ms": job.first_started_ms,
        "last_started_ms": job.last_started_ms,
        "completed_ms": job.completed_ms,
        "failed_ms": job.failed_ms,
        "last_error_ms": job.failure.at_ms if job.failure else 0,
    }
    if job.state == "delayed":
        times["due_ms"] = job.due_ms
    return {
        "id": job.job_id,
        "payload": job.payload.decode(),
        "gid": job.gid,
        "state": job.state,
        "attempt": str(job.attempt),
        "max_attempts": str(job.max_attempts),
        "timeout_ms": str(job.timeout_ms),
        "backoff_ms": str(job.backoff_ms),
        "lease_token": job.lease_token,
        "last_error": job.failure.message if job.failure else "",
        **{name: str(value) if value else "" for name, value in times.items()},
    }


def _failure(stored: dict[str, str]) -> object:
    return json.loads(stored["failure"]) if "failure" in stored else None


def _expected_failure(job: Job) -> object:
    return job.failure and {
        "reason": job.failure.reason,
        "message": job.failure.message,
        "errors": json.loads(job.failure.errors_json),
        "attempt": job.failure.attempt,
        "at_ms": job.failure.at_ms,
    }
