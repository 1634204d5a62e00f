"""The state machine: every operation on a queue, beside the model.

After each operation: the laws of tests/properties/queue_laws.py on what Redis holds, the reply
against the model's, and what Redis holds against the model. Time is passed to each operation.
"""

from __future__ import annotations

import itertools
import math
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Protocol, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from omniq_typed.core import admin, limits, maintain, observe
from omniq_typed.core.command import Command
from omniq_typed.core.enqueue import enqueue, publish_one
from omniq_typed.core.keys import queue_keys
from omniq_typed.core.reserve import reserve
from omniq_typed.core.settle import heartbeat, settle
from omniq_typed.errors import StrictGroup
from omniq_typed.models import Lane, NewJob, Outcome, Reservation, Settled, Settlement
from tests.properties.model_match import check_model, expect
from tests.properties.queue_laws import (
    LANES,
    Queue,
    Starts,
    check_state,
    check_step,
    check_unchanged,
    read_queue,
)
from tests.properties.queue_model import QueueModel
from tests.properties.queue_plans import (
    GIDS,
    IDS,
    START_MS,
    STRICT_FROM_THE_START,
    STRICT_GIDS,
    End,
    JobPlan,
    LeaseChoice,
    ends,
    job_plans,
    keep_completed,
    lease_choices,
    rates,
    some_ids,
    some_plans,
    upkeeps,
    waits,
)

R = TypeVar("R")


class Runner(Protocol):
    """A transport, or something in front of one."""

    def run(self, command: Command[R]) -> R: ...


class QueueMachine(RuleBasedStateMachine):
    """Subclass it with `runner` and `client_of` set: see `queue_machine`."""

    runner: ClassVar[Runner]
    client_of: ClassVar[Callable[[bytes], Any]]
    """A client of the node that owns the key."""
    examples: ClassVar[int]
    steps: ClassVar[Counter[str]]
    """How often each rule ran."""
    replies: ClassVar[Counter[str]]
    """How often each kind of reply came."""
    last_steps: ClassVar[list[str]]
    """The rules of the last example: after a failure, of the smallest one."""

    def __init__(self) -> None:
        super().__init__()
        cls = type(self)
        cls.examples += 1
        cls.last_steps = []
        # Each example has a queue of its own; nothing is flushed, others may use the server.
        self.queue = f"laws-{uuid.uuid4().hex}"
        self.client = cls.client_of(queue_keys(self.queue)[0])
        self.model = QueueModel()
        self.now = self.latest = START_MS
        self.prefixes = (f"t{number}" for number in itertools.count())
        self.leases: list[tuple[str, str]] = []
        self.passed_ms = 0
        self.starts: dict[str, Starts] = {}
        self.before = self.read()

    def teardown(self) -> None:
        keys = [f"{{{self.queue}}}:{key}" for key in self.read().keys]
        if keys:
            self.client.delete(*keys)

    def read(self) -> Queue:
        return read_queue(self.client, self.queue, IDS, GIDS)

    # Operations of producers and workers

    @initialize(plans=some_plans)
    def start_with(self, plans: list[JobPlan]) -> None:
        self.enqueue(plans)

    @precondition(lambda self: self.model.jobs)
    @rule(plan=job_plans, nth=st.integers(0, 7))
    def publish_again(self, plan: JobPlan, nth: int) -> None:
        ids = sorted(self.model.jobs)
        self.enqueue([replace(plan, job_id=ids[nth % len(ids)], new=False)])

    @precondition(lambda self: len(self.model.jobs) < len(IDS))
    @rule(plans=some_plans, after_ms=waits)
    def enqueue(self, plans: list[JobPlan], after_ms: int | None = 0) -> None:
        self.wait(after_ms)
        jobs: list[NewJob] = []
        for plan in plans:
            jobs.append(plan.at(self.now, {*self.model.jobs, *(job.job_id for job in jobs)}))
        expected = self.model.enqueue(self.now, jobs)
        command = enqueue(self.queue, jobs, now_ms=self.now)
        if len(jobs) == 1:  # a script of its own, if it is plain
            one: Command[Any] = publish_one(self.queue, jobs[0], now_ms=self.now)
            command = replace(one, parse=command.parse)
        reply = self.run("enqueue", command)
        self.check(reply, expected, unchanged=all(one.duplicate for one in expected))
        self.count(*("DUPLICATE" if one.duplicate else one.state for one in reply))

    @precondition(lambda self: self.before.active or self.before.delayed)
    @rule(
        limit=st.sampled_from([1, 2, 3, 4, 0]),
        chosen=st.lists(ends, max_size=3),
        keep=keep_completed,
        upkeep=upkeeps,
        after_ms=waits,
    )
    def reserve(
        self, limit: int, chosen: list[End], keep: int, upkeep: int, after_ms: int | None
    ) -> None:
        self.wait(after_ms)
        self.do_reserve("reserve", limit, [self.settlement(end) for end in chosen], keep, upkeep)

    @precondition(lambda self: self.model.wait or self.model.ready)
    @rule(limit=st.integers(1, 3), after_ms=waits)
    def take(self, limit: int, after_ms: int | None) -> None:
        self.wait(after_ms)
        self.do_reserve("reserve", limit, [], 100, 100)

    @precondition(lambda self: self.before.wake)
    @rule(limit=st.integers(1, 2))
    def wake_and_reserve(self, limit: int) -> None:
        """An idle worker takes its token: the others must still be woken for what it leaves."""
        assert self.client.lpop(f"{{{self.queue}}}:wake") == b"1"
        self.do_reserve("wake_and_reserve", limit, [], 100, 100)

    @precondition(lambda self: self.before.active)
    @rule(limit=st.integers(1, 3), nth=st.integers(0, 1), after_ms=waits)
    def reserve_again(self, limit: int, nth: int, after_ms: int | None) -> None:
        """As after a reserve whose reply was lost: what it leased goes back first."""
        self.wait(after_ms)
        prefixes = [token.rpartition("-")[0] for _, token in self.leases]
        lost = [*dict.fromkeys(prefixes)][-1 - nth :][0]
        self.do_reserve("reserve_again", limit, [], 100, 100, lost)

    @precondition(lambda self: self.before.active)
    @rule(chosen=st.lists(ends, min_size=1, max_size=3), keep=keep_completed, after_ms=waits)
    def settle(self, chosen: list[End], keep: int, after_ms: int | None) -> None:
        self.wait(after_ms)
        settlements = [self.settlement(end) for end in chosen]
        expected = self.model.settle(self.now, settlements, keep)
        command = settle(self.queue, settlements, now_ms=self.now, keep_completed=keep)
        reply = self.run("settle", command)
        self.check(
            reply,
            expected,
            unchanged=all(one.status == "ERR" for one in expected),
            to_head={one.job_id for one in expected if one.status == "RELEASED"},
        )
        self.note_unstarted(one.job_id for one in reply if one.status == "RELEASED")
        self.count_settled(settlements, reply)

    @precondition(lambda self: self.before.active)
    @rule(chosen=st.lists(lease_choices, min_size=1, max_size=3), after_ms=waits)
    def heartbeat(self, chosen: list[LeaseChoice], after_ms: int | None) -> None:
        self.wait(after_ms)
        leases = [self.lease(choice) for choice in chosen]
        expected = self.model.heartbeat(self.now, leases)
        reply = self.run("heartbeat", heartbeat(self.queue, leases, now_ms=self.now))
        self.check(reply, expected, unchanged=all(one.error for one in expected))
        self.count(*(one.error or "OK" for one in reply))

    @precondition(lambda self: self.leases and self.is_news("use_stale_token"))
    @rule(nth=st.integers(0, 7), outcome=st.sampled_from(Outcome))
    def use_stale_token(self, nth: int, outcome: Outcome) -> None:
        """In every operation that takes a token; nothing may change, not even a counter."""
        job_id, token = self.lease(LeaseChoice(running=False, nth=nth))
        if self.model.is_current(job_id, token):
            token += "0"
        expected = self.model.settle(self.now, [Settlement(job_id, token, outcome)], 0)
        stale = [Settlement(job_id, token, outcome, delay_ms=0)]
        command = settle(self.queue, stale, now_ms=self.now, keep_completed=0)
        self.check(self.run("use_stale_token", command), expected, unchanged=True)
        beat = heartbeat(self.queue, [(job_id, token)], now_ms=self.now)
        error = expected[0].detail
        self.check([one.error for one in self.runner.run(beat)], [error], unchanged=True)
        self.count(error)
        self.do_reserve("use_stale_token", 0, stale, 0, 0)

    @precondition(lambda self: self.before.delayed)
    @rule(limit=st.integers(1, 3), after_ms=waits)
    def promote_delayed(self, limit: int, after_ms: int | None) -> None:
        self.wait(after_ms)
        expected = self.model.promote(self.now, limit)
        command = maintain.promote_delayed(self.queue, limit, now_ms=self.now)
        self.check(self.run("promote_delayed", command), expected, to_head=self.held())
        self.count("some" if expected else "none")

    @precondition(lambda self: self.before.active)
    @rule(limit=st.integers(1, 3), after_ms=waits)
    def reap_expired(self, limit: int, after_ms: int | None) -> None:
        self.wait(after_ms)
        expected = self.model.reap(self.now, limit)
        command = maintain.reap_expired(self.queue, limit, now_ms=self.now)
        self.check(self.run("reap_expired", command), expected)
        self.count("some" if expected else "none")

    # Operations of people

    @precondition(lambda self: (self.model.wait or self.model.ready) and self.is_news("pause"))
    @rule(for_long=st.sampled_from([False] * 5 + [True]))
    def pause(self, for_long: bool) -> None:
        self.model.pause()
        self.check(self.run("pause", admin.pause(self.queue)), "OK")
        self.do_reserve("reserve_while_paused", 2, [], 100, 100)
        if not for_long:
            self.resume()

    @precondition(lambda self: self.model.paused)
    @rule()
    def resume(self) -> None:
        expected = self.model.resume()
        self.check(self.run("resume", admin.resume(self.queue)), expected)
        self.count(str(expected))

    @precondition(lambda self: self.model.failed)
    @rule(job_ids=some_ids, nth=st.integers(0, 7))
    def retry_failed(self, job_ids: list[str], nth: int) -> None:
        job_ids = [self.model.failed[nth % len(self.model.failed)], *job_ids]
        expected = self.model.retry_failed(self.now, job_ids)
        command = admin.retry_failed_batch(self.queue, job_ids, now_ms=self.now)
        reply = self.run("retry_failed", command)
        self.check(reply, expected, unchanged=all(one.reason for one in expected))
        self.count(*(one.reason or "OK" for one in reply))

    @precondition(lambda self: len(self.model.jobs) > 3)
    @rule(lane=st.sampled_from(["own", *admin.REMOVABLE_LANES]), job_ids=some_ids)
    def remove_jobs(self, lane: str, job_ids: list[str]) -> None:
        """'own': the lane of the first of them that can be removed."""
        lanes = [self.model.jobs[i].lane for i in job_ids if i in self.model.jobs]
        if lane == "own":
            lane = next((one for one in lanes if one in admin.REMOVABLE_LANES), "wait")
        expected = self.model.remove_jobs(lane, job_ids)
        command = admin.remove_jobs_batch(self.queue, lane, job_ids, now_ms=self.now)
        reply = self.run("remove_jobs", command)
        self.check(reply, expected, unchanged=all(one.reason for one in expected))
        self.count(*(one.reason or lane for one in reply))

    @precondition(lambda self: len(self.model.failed + self.model.completed) > 3)
    @rule(lane=st.sampled_from(["failed", "completed"]))
    def clear(self, lane: str) -> None:
        self.remove_jobs(lane, [*getattr(self.model, lane), IDS[0]])

    @precondition(lambda self: any(group.waiting for group in self.model.groups.values()))
    @rule(gid=st.sampled_from(GIDS), limit=st.integers(1, 3))
    def set_group_limit(self, gid: str, limit: int) -> None:
        expected = self.model.set_group_limit(gid, limit)
        command = admin.set_group_limit(self.queue, gid, limit, now_ms=self.now)
        try:
            self.run("set_group_limit", command)
            done = True
        except StrictGroup:
            done = False
        self.check(done, expected, unchanged=not expected)
        self.count("OK" if done else "STRICT_GROUP")

    @precondition(lambda self: self.model.jobs and self.is_news("set_rate_limit"))
    @rule(gid=st.sampled_from(["", *GIDS]), per_s=rates, burst=st.sampled_from([None, 1, 2, 3]))
    def set_rate_limit(self, gid: str, per_s: float | None, burst: int | None) -> None:
        command = limits.set_rate_limit(
            self.queue, per_s, burst=burst, gid=gid or None, now_ms=self.now
        )
        burst = burst or max(math.ceil(per_s or 0), 1)
        self.model.set_rate(self.now, gid, per_s or 0, burst)
        self.starts.pop(gid, None)
        if per_s:
            self.starts[gid] = Starts(per_s, burst)
        self.check(self.run("set_rate_limit", command), None)

    @precondition(lambda self: self.model.jobs and self.is_news("set_concurrency_limit"))
    @rule(limit=st.sampled_from([None, 1, 2, 3]))
    def set_concurrency_limit(self, limit: int | None) -> None:
        self.model.concurrency = limit or 0
        command = limits.set_concurrency_limit(self.queue, limit)
        self.check(self.run("set_concurrency_limit", command), None)

    @precondition(lambda self: self.model.jobs and self.is_news("look"))
    @rule(offset=st.integers(0, 1), limit=st.integers(1, 4), reverse=st.booleans())
    def look(self, offset: int, limit: int, reverse: bool) -> None:
        """Every operation that reads: it says what Redis holds, and changes nothing."""
        self.count_step("look")
        run, queue, held = self.runner.run, self.queue, self.before
        page = slice(offset, offset + limit)
        stats = run(observe.read_stats(queue))
        times = ("last_activity_ms", "last_enqueue_ms", "last_reserve_ms", "last_finish_ms")
        for name, value in held.stats.items():
            expect(getattr(stats, name), value)
        assert all(getattr(stats, name) <= self.latest for name in times)
        expect(run(admin.is_paused(queue)), self.model.paused)
        expect(stats.paused, self.model.paused)
        ready = run(observe.groups_ready(queue, offset, limit))
        expect([one.gid for one in ready], self.model.ready[page])
        for lane in LANES:
            rows = run(observe.lane_page(queue, lane, offset, limit, reverse))
            by_entry = sorted(held.entered[lane].items(), key=lambda row: (row[1], row[0]))
            shown = by_entry[::-1] if reverse else by_entry
            expect([(row.job_id, row.idx_score_ms) for row in rows], shown[page])
            found = run(observe.find_jobs(queue, lane, IDS))
            expect([row.job_id for row in found], [i for i in IDS if i in held.entered[lane]])
        view = run(observe.overview(queue, limit))
        expect(view.stats, stats)
        expect([one.gid for one in view.ready_groups], self.model.ready[:limit])
        for lane in (Lane.WAIT, Lane.ACTIVE, Lane.DELAYED, Lane.FAILED, Lane.COMPLETED):
            newest = run(observe.lane_page(queue, lane, 0, limit, True))
            expect(list(getattr(view, lane)), newest)
        statuses = run(observe.group_status(queue, GIDS))
        for gid, status in zip(GIDS, statuses, strict=True):
            group = self.model.group(gid)
            expect(
                (status.inflight, status.limit, status.ready, status.waiting_count),
                (
                    self.model.inflight(gid),
                    group.slots,
                    gid in self.model.ready,
                    len(group.waiting),
                ),
            )
            expect((status.strict, status.held_job_id), (group.strict, group.held))
        for job_id in IDS:
            info = run(observe.read_job(queue, job_id))
            job = self.model.jobs.get(job_id)
            expect(info and (info.state, info.payload_raw), job and (job.state, job.payload))
        check_unchanged(held, self.read())

    # The same for all

    def wait(self, ms: int | None) -> None:
        """Time passes; None: until the next delayed job or lease end falls due."""
        before = self.now
        self.now = max(self.now, self.model.next_due_ms()) if ms is None else self.now + ms
        self.passed_ms += abs(self.now - before)
        self.latest = max(self.latest, self.now)

    def do_reserve(
        self,
        step: str,
        limit: int,
        settlements: Sequence[Settlement],
        keep: int,
        upkeep: int,
        lost: str = "",
    ) -> None:
        prefix = next(self.prefixes)
        held = self.held()
        running = [(job.job_id, job.lease_token) for job in self.model.in_state("active")]
        tokens_due = any(until_ms <= self.now for until_ms, _ in self.model.throttled())
        given_back = {job_id for job_id, token in running if token.startswith(f"{lost}-")}
        expected = self.model.reserve(self.now, limit, prefix, settlements, keep, upkeep, lost)
        command = reserve(
            self.queue,
            limit=limit,
            token_prefix=prefix,
            settlements=settlements,
            now_ms=self.now,
            keep_completed=keep,
            upkeep=upkeep,
            lost_prefix=lost,
        )
        reply: Reservation = self.run(step, command)
        nothing_settled = all(one.status == "ERR" for one in expected.settled)
        self.check(
            reply,
            expected,
            # It drops wake tokens that nobody needs, so only a reserve of nothing changes nothing.
            unchanged=not (limit or expected.reaped or expected.promoted or tokens_due)
            and nothing_settled,
            granted=[job.job_id for job in reply.jobs],
            # A head that fails, is held and promoted in this one call was not held before it.
            to_head=held
            | given_back
            | {one.job_id for one in expected.settled if one.status == "RELEASED"}
            # A head that fails, is held and is promoted in this one call was not held before it.
            | {i for i in self.before.active if self.before.jobs[i].get("gid") in STRICT_GIDS},
        )
        self.leases += [(job.job_id, job.lease_token) for job in reply.jobs]
        self.note_unstarted(given_back)
        self.note_unstarted(one.job_id for one in reply.settled if one.status == "RELEASED")
        self.note_starts(job.job_id for job in reply.jobs)
        self.count("PAUSED" if reply.paused else f"{len(reply.jobs)} jobs")
        self.count_settled(settlements, reply.settled)

    def note_starts(self, job_ids: Iterable[str]) -> None:
        for job_id in job_ids:
            for gid in {"", self.model.jobs[job_id].gid} & self.starts.keys():
                self.starts[gid].begun.append((self.passed_ms, job_id))
        for starts in self.starts.values():
            starts.check(self.passed_ms)

    def note_unstarted(self, job_ids: Iterable[str]) -> None:
        for job_id in job_ids:
            for starts in self.starts.values():
                starts.undo(job_id)

    def lease(self, choice: LeaseChoice) -> tuple[str, str]:
        """An id and a token; made up where there is no lease yet."""
        running = [(job.job_id, job.lease_token) for job in self.model.in_state("active")]
        pool = (choice.running and running) or self.leases or [(IDS[choice.nth], "never-given")]
        job_id, token = pool[-1 - choice.nth % len(pool)]
        return job_id, {"own": token, "wrong": token + "0", "empty": ""}[choice.token]

    def settlement(self, end: End) -> Settlement:
        job_id, token = self.lease(end.lease)
        if end.outcome in (Outcome.INVALID, Outcome.DEFER):
            errors = '[{"path":"/n","code":"int_type","message":"no int"}]'
            return Settlement(
                job_id, token, end.outcome, end.delay_ms, "invalid_payload", "bad", errors
            )
        return Settlement(job_id, token, end.outcome, end.delay_ms, message='it "broke"\n')

    def held(self) -> set[str]:
        """Jobs that return to the head of their group when they are promoted."""
        return {group.held for group in self.before.groups.values() if group.held is not None}

    def is_news(self, step: str) -> bool:
        """Three operations at least since this step ran last: it would see the same again."""
        return step not in type(self).last_steps[-4:]

    def run(self, step: str, command: Command[R]) -> R:
        self.count_step(step)
        return self.runner.run(command)

    def check(
        self,
        reply: object,
        expected: object,
        *,
        unchanged: bool = False,
        granted: Sequence[str] = (),
        to_head: set[str] | frozenset[str] = frozenset(),
    ) -> None:
        """The laws first: they must find a fault without the model's help."""
        after = self.read()
        check_state(after, self.latest, STRICT_FROM_THE_START)
        check_step(self.before, after, granted, to_head)
        if unchanged:
            check_unchanged(self.before, after)
        expect(reply, expected)
        check_model(self.model, after)
        self.before = after

    def count_step(self, step: str) -> None:
        cls = type(self)
        cls.steps[step] += 1
        cls.last_steps.append(step)

    def count(self, *kinds: str) -> None:
        """Of the replies to the step at hand."""
        cls = type(self)
        cls.replies.update(f"{cls.last_steps[-1]}: {kind}" for kind in kinds)

    def count_settled(self, ends: Iterable[Settlement], settled: Iterable[Settled]) -> None:
        """Of the replies to settlements, whether alone or with a reserve."""
        for end, one in zip(ends, settled, strict=True):
            kind = one.detail if one.status == "ERR" else one.status
            deferred = end.outcome is Outcome.DEFER and one.status == "RETRY"
            type(self).replies[f"settle: {'DEFERRED' if deferred else kind}"] += 1


def queue_machine(runner: Runner, client_of: Callable[[bytes], Any]) -> type[QueueMachine]:
    """A machine class of its own, with counts of its own."""
    attributes = {
        "runner": runner,
        "client_of": staticmethod(client_of),
        "examples": 0,
        "steps": Counter(),
        "replies": Counter(),
        "last_steps": [],
    }
    return type("BoundQueueMachine", (QueueMachine,), attributes)
