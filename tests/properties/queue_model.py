"""What a queue does, in plain Python: the reference that the Lua scripts are held to.

No clock and no Redis: every operation is given the time, and answers what the command answers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from omniq_typed.models import (
    BatchResult,
    ChildAck,
    HeartbeatResult,
    NewJob,
    Outcome,
    Published,
    Reservation,
    Reserved,
    Settled,
    Settlement,
)

DEFAULT_TIMEOUT_MS = 60_000


@dataclass(frozen=True)
class Failure:
    reason: str
    message: str
    errors_json: str
    attempt: int
    at_ms: int


@dataclass
class Job:
    """Times in ms; 0 = not yet. `entered_ms`: when it entered the lane that it is in."""

    job_id: str
    payload: bytes
    gid: str
    max_attempts: int
    timeout_ms: int
    backoff_ms: int
    created_ms: int
    updated_ms: int
    queued_ms: int
    entered_ms: int
    state: str = "wait"
    attempt: int = 0
    deferrals: int = 0
    due_ms: int = 0
    lock_until_ms: int = 0
    lease_token: str = ""
    first_started_ms: int = 0
    last_started_ms: int = 0
    completed_ms: int = 0
    failed_ms: int = 0
    failure: Failure | None = None

    def lease_end(self, now: int) -> int:
        return now + (self.timeout_ms or DEFAULT_TIMEOUT_MS)

    @property
    def lane(self) -> str:
        return "gwait" if self.state == "wait" and self.gid else self.state


@dataclass
class Bucket:
    """A rate limit: `tokens` at the time `at_ms`; set at `since_ms`."""

    per_s: float
    burst: int
    tokens: float
    at_ms: int
    since_ms: int

    def filled(self, now: int) -> float:
        passed = max(now - self.at_ms, 0)
        return min(self.burst, self.tokens + passed * self.per_s / 1000)

    def whole(self, now: int) -> int:
        return max(math.floor(self.filled(now) + 0.000001), 0)

    def next_ms(self, now: int) -> int:
        return now + max(math.ceil((0.999999 - self.filled(now)) * 1000 / self.per_s), 1)

    def take(self, now: int, count: int = 1) -> None:
        self.tokens, self.at_ms = self.filled(now) - count, now

    def put_back(self, now: int, jobs: Sequence[Job]) -> None:
        """What has come in since a job was leased counts against its token; one from before the
        limit has none."""
        credit = 0.0
        for job in jobs:
            if job.last_started_ms <= self.since_ms:
                continue
            passed = max(now - job.last_started_ms, 0)
            credit += max(1 - passed * self.per_s / 1000, 0)
        self.tokens, self.at_ms = min(self.burst, self.filled(now) + credit), now


@dataclass
class Group:
    """`limit` 0: nobody has set one. `held`: the failed head that a strict group waits for.
    `until_ms`: when there is a token again, where it waits for one."""

    limit: int = 0
    strict: bool = False
    held: str = ""
    rate: Bucket | None = None
    until_ms: int | None = None
    waiting: list[str] = field(default_factory=list)

    @property
    def slots(self) -> int:
        return 1 if self.strict else max(self.limit, 1)


class QueueModel:
    """One queue. `wait` and the groups' lists: head first. `failed`, `completed`: newest first.
    `ready`: the groups that can hand out a job, next in turn first."""

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}
        self.wait: list[str] = []
        self.failed: list[str] = []
        self.completed: list[str] = []
        self.groups: dict[str, Group] = {}
        self.ready: list[str] = []
        self.groups_turn = True
        self.paused = False
        self.rate: Bucket | None = None
        self.concurrency = 0

    # What is where

    def in_state(self, state: str) -> list[Job]:
        return [job for job in self.jobs.values() if job.state == state]

    def inflight(self, gid: str) -> int:
        return sum(job.gid == gid for job in self.in_state("active"))

    def group(self, gid: str) -> Group:
        return self.groups.setdefault(gid, Group())

    def next_due_ms(self) -> int:
        due = [job.due_ms for job in self.in_state("delayed")]
        due += [job.lock_until_ms for job in self.in_state("active")]
        return min(due + [until_ms for until_ms, _ in self.throttled()], default=0)

    def throttled(self) -> list[tuple[int, str]]:
        """Groups that wait for a token, and until when."""
        found = [(group.until_ms, gid) for gid, group in self.groups.items()]
        return [(until_ms, gid) for until_ms, gid in found if until_ms is not None]

    def is_current(self, job_id: str, token: str) -> bool:
        return self._lease(job_id, token) == ""

    # Publishing

    def enqueue(self, now: int, jobs: Sequence[NewJob]) -> list[Published]:
        return [self._enqueue_one(now, new) for new in jobs]

    def _enqueue_one(self, now: int, new: NewJob) -> Published:
        if new.job_id in self.jobs:
            old = self.jobs[new.job_id]
            same = old.payload == new.payload
            return Published(new.job_id, old.state, True, same, None if same else old.payload)
        job = self.jobs[new.job_id] = Job(
            job_id=new.job_id,
            payload=new.payload,
            gid=new.gid,
            max_attempts=new.max_attempts,
            timeout_ms=new.timeout_ms,
            backoff_ms=new.backoff_ms,
            created_ms=now,
            updated_ms=now,
            queued_ms=now,
            entered_ms=now,
        )
        if new.gid:
            self._configure(self.group(new.gid), new)
        if new.due_ms > now:
            self._delay(now, job, new.due_ms)
        else:
            self._enter(now, job)
        self._refresh(job.gid)
        return Published(new.job_id, job.state, False, True)

    @staticmethod
    def _configure(group: Group, new: NewJob) -> None:
        """The first publisher that gives a limit sets it; strict stays strict."""
        if new.ordering == "strict":
            group.strict, group.limit = True, 1
        elif not group.limit:
            group.limit = new.group_limit

    # Leases

    def reserve(
        self,
        now: int,
        limit: int,
        token_prefix: str,
        settlements: Sequence[Settlement],
        keep_completed: int,
        upkeep: int,
        lost_prefix: str = "",
    ) -> Reservation:
        self._give_back_lost(now, lost_prefix)
        settled = self.settle(now, settlements, keep_completed)
        reaped = self.reap(now, upkeep)
        promoted = self.promote(now, upkeep)
        granted: list[Reserved] = []
        room = 0 if self.paused else min(limit, self._room(now))
        while len(granted) < room:
            job = self._take(now)
            if job is None:
                break
            granted.append(self._grant(now, job, f"{token_prefix}-{len(granted) + 1}"))
        if self.rate and granted:
            self.rate.take(now, len(granted))
        return Reservation(
            paused=self.paused,
            now_ms=now,
            next_due_ms=self._next_due_of(now, limit),
            promoted=promoted,
            reaped=reaped,
            settled=tuple(settled),
            jobs=tuple(granted),
        )

    def _give_back_lost(self, now: int, prefix: str) -> None:
        """The last one first, so that the first one stands at the head."""
        lost = [job for job in self.in_state("active") if job.lease_token.startswith(f"{prefix}-")]
        lost.sort(key=lambda job: -int(job.lease_token.rpartition("-")[2]))
        for job in lost:
            job.attempt -= 1
            self._release(now, job)
            self._refresh(job.gid)
        self._return_tokens(now, lost)

    def _room(self, now: int) -> int:
        """How many jobs the limits of the queue allow to start."""
        rooms = [10**9]
        if self.concurrency:
            rooms.append(self.concurrency - len(self.in_state("active")))
        if self.rate:
            rooms.append(self.rate.whole(now))
        return max(min(rooms), 0)

    def _next_due_of(self, now: int, limit: int) -> int:
        """For a worker that wanted so many jobs: also when there is a token for what is left."""
        due = self.next_due_ms()
        looked = limit > 0 and not self.paused and (self.wait or self.ready)
        if looked and self.rate and self.rate.whole(now) == 0:
            return min(due or 10**15, self.rate.next_ms(now))
        return due

    def _return_tokens(self, now: int, unstarted: Sequence[Job]) -> None:
        if self.rate and unstarted:
            self.rate.put_back(now, unstarted)
        for gid in dict.fromkeys(job.gid for job in unstarted):
            rate = self.group(gid).rate if gid else None
            if rate:
                rate.put_back(now, [job for job in unstarted if job.gid == gid])
                self._unthrottle(gid)

    def _unthrottle(self, gid: str) -> None:
        self.group(gid).until_ms = None
        self._refresh(gid)

    def _take(self, now: int) -> Job | None:
        """By turns from the groups and from the ungrouped lane; who has nothing is passed over."""
        while self.ready and (self.groups_turn or not self.wait):
            gid = self.ready.pop(0)
            group = self.group(gid)
            if group.rate and group.rate.whole(now) == 0:
                group.until_ms = group.rate.next_ms(now)
                continue
            return self._start(now, group.waiting.pop(0), gid)
        return self._start(now, self.wait.pop(0), "") if self.wait else None

    def _start(self, now: int, job_id: str, gid: str) -> Job:
        self.groups_turn = not self.groups_turn
        job = self.jobs[job_id]
        job.state = "active"
        group = self.group(gid) if gid else Group()
        if group.rate:
            group.rate.take(now)
            if group.rate.whole(now) == 0 and group.waiting and self.inflight(gid) < group.slots:
                group.until_ms = group.rate.next_ms(now)
        self._refresh(gid)
        return job

    @staticmethod
    def _grant(now: int, job: Job, token: str) -> Reserved:
        job.attempt += 1
        job.lease_token = token
        job.lock_until_ms = job.lease_end(now)
        job.first_started_ms = job.first_started_ms or now
        job.last_started_ms = job.updated_ms = job.entered_ms = now
        return Reserved(
            job_id=job.job_id,
            payload=job.payload,
            lock_until_ms=job.lock_until_ms,
            attempt=job.attempt,
            max_attempts=job.max_attempts,
            gid=job.gid,
            lease_token=token,
            timeout_ms=job.timeout_ms,
            created_ms=job.created_ms,
            deferrals=job.deferrals,
        )

    def heartbeat(self, now: int, leases: Sequence[tuple[str, str]]) -> list[HeartbeatResult]:
        results = []
        for job_id, token in leases:
            error = self._lease(job_id, token)
            if error:
                results.append(HeartbeatResult(job_id, None, error))
                continue
            job = self.jobs[job_id]
            job.lock_until_ms = job.lease_end(now)
            job.updated_ms = now
            results.append(HeartbeatResult(job_id, job.lock_until_ms, ""))
        return results

    def settle(
        self, now: int, settlements: Sequence[Settlement], keep_completed: int
    ) -> list[Settled]:
        results = [self._settle_one(now, settlement) for settlement in settlements]
        released = [one.job_id for one in results if one.status == "RELEASED"]
        self._return_tokens(now, [self.jobs[job_id] for job_id in released])
        if any(result.status == "OK" for result in results):
            for job_id in self.completed[keep_completed:]:
                del self.jobs[job_id]
            del self.completed[keep_completed:]
        return results

    def _settle_one(self, now: int, end: Settlement) -> Settled:
        error = self._lease(end.job_id, end.lease_token)
        if error:
            return Settled(end.job_id, "ERR", error)
        job = self.jobs[end.job_id]
        if end.outcome in (Outcome.RELEASE, Outcome.INVALID, Outcome.DEFER):
            job.attempt -= 1
        if end.outcome is Outcome.ACK:
            result = self._complete(now, job)
        elif end.outcome is Outcome.RELEASE:
            result = self._release(now, job)
        else:
            delay = job.backoff_ms if end.delay_ms is None else end.delay_ms
            why = Failure(end.reason, end.message, end.errors_json, job.attempt, now)
            result = self._fail(now, job, why, delay, end.outcome)
        self._refresh(job.gid)
        return result

    def _complete(self, now: int, job: Job) -> Settled:
        self._leave_active(now, job, "completed")
        job.completed_ms = now
        self.completed.insert(0, job.job_id)
        return Settled(job.job_id, "OK", "")

    def _release(self, now: int, job: Job) -> Settled:
        self._leave_active(now, job, "wait")
        self._lane_list(job).insert(0, job.job_id)
        return Settled(job.job_id, "RELEASED", "")

    def _fail(self, now: int, job: Job, why: Failure, delay_ms: int, outcome: Outcome) -> Settled:
        job.failure = why
        if outcome is Outcome.DEFER:
            job.deferrals += 1
        elif outcome is not Outcome.RETRY or job.attempt >= job.max_attempts:
            self._leave_active(now, job, "failed")
            job.failed_ms = now
            self.failed.insert(0, job.job_id)
            return Settled(job.job_id, "FAILED", "")
        self._leave_active(now, job, "delayed")
        self._delay(now, job, now + delay_ms)
        if job.gid and self.group(job.gid).strict:
            self.group(job.gid).held = job.job_id
            self.group(job.gid).until_ms = None
        return Settled(job.job_id, "RETRY", str(job.due_ms))

    def _lease(self, job_id: str, token: str) -> str:
        """'' when the token is that of the running lease, else the error."""
        job = self.jobs.get(job_id)
        if not token:
            return "TOKEN_REQUIRED"
        if job is None or job.state != "active":
            return "NOT_ACTIVE"
        return "" if job.lease_token == token else "TOKEN_MISMATCH"

    @staticmethod
    def _leave_active(now: int, job: Job, state: str) -> None:
        job.state = state
        job.lease_token, job.lock_until_ms = "", 0
        job.updated_ms = job.entered_ms = now

    # Upkeep

    def reap(self, now: int, limit: int) -> int:
        ended = [job for job in self.in_state("active") if job.lock_until_ms <= now]
        ended.sort(key=lambda job: (job.lock_until_ms, job.job_id))
        for job in ended[:limit]:
            message = (
                f"lease expired on attempt {job.attempt} of {job.max_attempts}:"
                " the worker died, stalled or lost its connection"
            )
            why = Failure("lease_expired", message, "[]", job.attempt, now)
            self._fail(now, job, why, job.backoff_ms, Outcome.RETRY)
            self._refresh(job.gid)
        return len(ended[:limit])

    def promote(self, now: int, limit: int) -> int:
        due = [job for job in self.in_state("delayed") if job.due_ms <= now]
        due.sort(key=lambda job: (job.due_ms, job.job_id))
        for job in due[:limit]:
            was_held = self._unhold(job)
            job.queued_ms = now
            self._enter(now, job, at_head=was_held)
            self._refresh(job.gid)
        held = [(group.held, gid) for gid, group in self.groups.items() if group.held]
        waiting = [(self.jobs[job_id].due_ms, gid) for job_id, gid in held] + self.throttled()
        for _, gid in sorted(each for each in waiting if each[0] <= now)[:limit]:
            if not self.group(gid).held:
                self._unthrottle(gid)
        return len(due[:limit])

    # Operators

    def set_rate(self, now: int, gid: str, per_s: float, burst: int) -> None:
        """`per_s` 0: no limit."""
        old = self.group(gid).rate if gid else self.rate
        tokens = min(old.filled(now), burst) if old else burst
        rate = Bucket(per_s, burst, tokens, now, now) if per_s else None
        if gid:
            self.group(gid).rate = rate
            self._unthrottle(gid)
        else:
            self.rate = rate

    def retry_failed(self, now: int, job_ids: Sequence[str]) -> list[BatchResult]:
        return [self._retry_failed_one(now, job_id) for job_id in job_ids]

    def _retry_failed_one(self, now: int, job_id: str) -> BatchResult:
        job = self.jobs.get(job_id)
        if job is None:
            return BatchResult(job_id, "ERR", "NO_JOB")
        if job.state != "failed":
            return BatchResult(job_id, "ERR", "NOT_FAILED")
        self.failed.remove(job_id)
        job.attempt = job.deferrals = job.failed_ms = 0
        job.queued_ms = now
        self._enter(now, job)
        self._refresh(job.gid)
        return BatchResult(job_id, "OK", None)

    def remove_jobs(self, lane: str, job_ids: Sequence[str]) -> list[BatchResult]:
        return [self._remove_one(lane, job_id) for job_id in job_ids]

    def _remove_one(self, lane: str, job_id: str) -> BatchResult:
        job = self.jobs.get(job_id)
        if job is None:
            return BatchResult(job_id, "ERR", "NO_JOB")
        if job.state == "active":
            return BatchResult(job_id, "ERR", "ACTIVE")
        if job.lane != lane:
            return BatchResult(job_id, "ERR", "LANE_MISMATCH")
        if job.state == "delayed":
            self._unhold(job)
        else:
            self._lane_list(job).remove(job_id)
        del self.jobs[job_id]
        self._refresh(job.gid)
        return BatchResult(job_id, "OK", None)

    def set_group_limit(self, gid: str, limit: int) -> bool:
        """False: refused, a strict group runs one job at a time."""
        if gid in self.groups and self.groups[gid].strict and limit > 1:
            return False
        self.group(gid).limit = limit
        self._refresh(gid)
        return True

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> int:
        was, self.paused = self.paused, False
        return int(was)

    # Moves

    def _lane_list(self, job: Job) -> list[str]:
        """Where a job that waits, failed or is completed is listed."""
        if job.lane == "gwait":
            return self.group(job.gid).waiting
        return {"wait": self.wait, "failed": self.failed, "completed": self.completed}[job.state]

    def _enter(self, now: int, job: Job, *, at_head: bool = False) -> None:
        job.state = "wait"
        job.updated_ms = job.entered_ms = now
        waiting = self._lane_list(job)
        waiting.insert(0 if at_head else len(waiting), job.job_id)

    @staticmethod
    def _delay(now: int, job: Job, due_ms: int) -> None:
        job.state = "delayed"
        job.due_ms = due_ms
        job.updated_ms = job.entered_ms = now

    def _unhold(self, job: Job) -> bool:
        """The group stops waiting for this job, if it did."""
        if not job.gid or self.group(job.gid).held != job.job_id:
            return False
        self.group(job.gid).held = ""
        return True

    def _refresh(self, gid: str) -> None:
        """The one rule: a group is ready while it has waiting jobs, a free slot and no held head.
        One that becomes ready stands behind all others."""
        if not gid:
            return
        group = self.group(gid)
        waits = group.held or group.until_ms is not None
        can_grant = group.waiting and self.inflight(gid) < group.slots and not waits
        if not can_grant and gid in self.ready:
            self.ready.remove(gid)
        elif can_grant and gid not in self.ready:
            self.ready.append(gid)


class ChildrenModel:
    """One completion counter. `finisher`: the child whose acknowledgement was the last."""

    def __init__(self) -> None:
        self.left: int | None = None
        self.done: set[str] = set()
        self.finisher: str | None = None

    def init(self, expected: int) -> bool:
        """False: refused, the key is in use or remembered."""
        if self.left is not None or self.finisher is not None:
            return False
        self.left, self.done = expected, set()
        return True

    def ack(self, child: str) -> int:
        if self.left is None:
            if self.finisher is None:
                return ChildAck.NO_COUNTER
            return 0 if self.finisher == child else ChildAck.ALREADY_FINISHED
        if child not in self.done:
            self.done.add(child)
            self.left -= 1
        if self.left:
            return self.left
        self.left, self.done, self.finisher = None, set(), child
        return 0

    def forget(self) -> None:
        """The memory of the finished set runs out."""
        self.finisher = None
