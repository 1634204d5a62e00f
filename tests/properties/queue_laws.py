"""What a queue looks like in Redis, and the laws that hold for it after every operation.

`read_queue` reads every key of a queue raw; the laws look at nothing else, so that an error that
the model shares with the scripts does not pass.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

DEFAULT_TIMEOUT_MS = 60_000
MAX_WAKE_TOKENS = 64
LANES = ("wait", "active", "delayed", "failed", "completed")
GROUP_PARTS = ("inflight", "limit", "ordering", "held", "rate")


class LawBroken(AssertionError):
    """`law` is the name of the function that states it."""

    def __init__(self, law: str, problem: str) -> None:
        super().__init__(f"{law}: {problem}")
        self.law = law


@dataclass(frozen=True)
class GroupKeys:
    """The keys of one group. None: the key is absent."""

    waiting: list[str]
    inflight: int | None
    limit: int | None
    ordering: str | None
    held: str | None
    rate: str | None

    @property
    def slots(self) -> int:
        return 1 if self.ordering == "strict" else max(self.limit or 1, 1)

    @property
    def can_grant(self) -> bool:
        return bool(self.waiting) and (self.inflight or 0) < self.slots and self.held is None


@dataclass(frozen=True)
class Queue:
    """Everything that Redis holds of a queue. `keys` without the base; `wait` head first."""

    keys: frozenset[str]
    wait: list[str]
    failed: list[str]
    completed: list[str]
    delayed: dict[str, int]
    active: dict[str, int]
    groups_ready: dict[str, float]
    groups_held: dict[str, int]
    entered: dict[str, dict[str, int]]
    """Per lane: id → when it entered."""
    stats: dict[str, int]
    turn: str
    paused: bool
    wake: int
    concurrency: int | None
    rate: str | None
    jobs: dict[str, dict[str, str]]
    groups: dict[str, GroupKeys]

    def lists(self) -> dict[str, list[str]]:
        """Every list that jobs wait in, by the gid, '' = ungrouped."""
        return {"": self.wait, **{gid: group.waiting for gid, group in self.groups.items()}}

    def ids_by_state(self) -> dict[str, list[str]]:
        """What each lane lists, with every repetition."""
        return {
            "wait": [job_id for waiting in self.lists().values() for job_id in waiting],
            "active": list(self.active),
            "delayed": list(self.delayed),
            "failed": self.failed,
            "completed": self.completed,
        }

    def running_of(self, gid: str) -> list[str]:
        return [i for i in self.active if self.jobs.get(i, {}).get("gid", "") == gid]


def read_queue(client: Any, queue: str, ids: Sequence[str], gids: Sequence[str]) -> Queue:
    """`client`: of the node that owns the queue. One round trip."""
    base = f"{{{queue}}}:"
    pipe = client.pipeline(transaction=False)
    pipe.keys(base.replace("{", r"\{") + "*")
    for name in ("wait", "failed", "completed"):
        pipe.lrange(base + name, 0, -1)
    for name in ("delayed", "active", "groups:ready", "groups:held"):
        pipe.zrange(base + name, 0, -1, withscores=True)
    for lane in LANES:
        pipe.zrange(f"{base}idx:{lane}", 0, -1, withscores=True)
    pipe.hgetall(base + "stats")
    pipe.get(base + "lane:rr")
    pipe.exists(base + "paused")
    pipe.llen(base + "wake")
    pipe.mget([base + "concurrency", base + "rate"])
    for job_id in ids:
        pipe.hgetall(f"{base}job:{job_id}")
    for gid in gids:
        pipe.lrange(f"{base}g:{gid}:wait", 0, -1)
        pipe.mget([f"{base}g:{gid}:{part}" for part in GROUP_PARTS])
    replies = iter(_text(pipe.execute()))

    keys = frozenset(key.removeprefix(base) for key in next(replies))
    wait, failed, completed = (next(replies) for _ in range(3))
    delayed, active, ready, held = (dict(next(replies)) for _ in range(4))
    entered = {lane: _whole(next(replies)) for lane in LANES}
    stats = {name: int(value) for name, value in next(replies).items()}
    turn, paused, wake = next(replies) or "0", bool(next(replies)), next(replies)
    concurrency, rate = next(replies)
    jobs = {job_id: fields for job_id in ids if (fields := next(replies))}
    groups = {gid: _group(next(replies), next(replies)) for gid in gids}
    return Queue(
        keys=keys,
        wait=wait,
        failed=failed,
        completed=completed,
        delayed=_whole(delayed.items()),
        active=_whole(active.items()),
        groups_ready=ready,
        groups_held=_whole(held.items()),
        entered=entered,
        stats=stats,
        turn=turn,
        paused=paused,
        wake=wake,
        concurrency=None if concurrency is None else int(concurrency),
        rate=rate,
        jobs=jobs,
        groups=groups,
    )


def deferrals_of(job: dict[str, str]) -> int:
    """How often workers have left the job for others; absent is never."""
    return int(job.get("deferrals", "0"))


def _text(reply: Any) -> Any:
    if isinstance(reply, bytes):
        return reply.decode()
    if isinstance(reply, dict):
        return {_text(key): _text(value) for key, value in reply.items()}
    if isinstance(reply, (list, tuple)):
        return type(reply)(map(_text, reply))
    return reply


def _whole(scored: Any) -> dict[str, int]:
    return {member: int(score) for member, score in scored}


def _group(waiting: list[str], values: list[str | None]) -> GroupKeys:
    inflight, limit, ordering, held, rate = values
    return GroupKeys(
        waiting=waiting,
        inflight=None if inflight is None else int(inflight),
        limit=None if limit is None else int(limit),
        ordering=ordering,
        held=held,
        rate=rate,
    )


# Laws of one state


def check_state(queue: Queue, latest_ms: int, strict_gids: Collection[str]) -> None:
    """`latest_ms`: the latest time that an operation was given. `strict_gids`: groups in which
    every job was published as strictly ordered. Raises LawBroken."""
    for law, problems in (
        ("one_lane", _one_lane(queue)),
        ("group_slots", _group_slots(queue)),
        ("lease_end", _lease_end(queue, latest_ms)),
        ("lease_token", _lease_token(queue)),
        ("groups_ready", _groups_ready(queue)),
        ("groups_held", _groups_held(queue)),
        ("strict_order", _strict_order(queue, strict_gids)),
        ("counters", _counters(queue)),
        ("wake", _wake(queue)),
        ("keys", _keys(queue)),
    ):
        for problem in problems:
            raise LawBroken(law, problem)


def _one_lane(queue: Queue) -> Iterator[str]:
    """Each id is listed once, in the lane that its state names, and in that lane's index."""
    listed = queue.ids_by_state()
    for state, ids in listed.items():
        if len(set(ids)) < len(ids):
            yield f"{state} lists an id twice: {ids}"
        if set(ids) != set(queue.entered[state]):
            yield f"{state} lists {ids}, its index {sorted(queue.entered[state])}"
        for job_id in ids:
            if queue.jobs.get(job_id, {}).get("state") != state:
                yield f"{job_id} is listed in {state}, its hash is {queue.jobs.get(job_id)}"
    for job_id, job in queue.jobs.items():
        if job_id not in listed[job["state"]]:
            yield f"{job_id} is {job['state']} and not listed there"
    for gid, waiting in queue.lists().items():
        for job_id in waiting:
            if queue.jobs[job_id].get("gid", "") != gid:
                yield f"{job_id} waits in the list of {gid!r}: {queue.jobs[job_id]}"


def _group_slots(queue: Queue) -> Iterator[str]:
    """`inflight` is the number of running jobs, and absent at 0."""
    for gid, group in queue.groups.items():
        running = queue.running_of(gid)
        if group.inflight != (len(running) or None):
            yield f"{gid}:inflight is {group.inflight}, active are {running}"


def _lease_end(queue: Queue, latest_ms: int) -> Iterator[str]:
    """No lease ends later than its timeout from now."""
    for job_id, until_ms in queue.active.items():
        job = queue.jobs[job_id]
        if until_ms > latest_ms + (int(job["timeout_ms"]) or DEFAULT_TIMEOUT_MS):
            yield f"{job_id} is leased until now + {until_ms - latest_ms}: {job}"
        if job["lock_until_ms"] != str(until_ms):
            yield f"{job_id} ends at {until_ms} by the lane: {job}"


def _lease_token(queue: Queue) -> Iterator[str]:
    """Active jobs have a token and an end of lease, others neither; tokens differ."""
    for job_id, job in queue.jobs.items():
        active = job["state"] == "active"
        if bool(job.get("lease_token")) != active or bool(job.get("lock_until_ms")) != active:
            yield f"{job_id}: {job}"
    tokens = [queue.jobs[job_id]["lease_token"] for job_id in queue.active]
    if len(set(tokens)) < len(tokens):
        yield f"a token is used twice: {tokens}"


def _groups_ready(queue: Queue) -> Iterator[str]:
    """Ready are exactly the groups with waiting jobs, a free slot and no held head."""
    for gid, group in queue.groups.items():
        if (gid in queue.groups_ready) != group.can_grant:
            yield f"{gid} ready: {gid in queue.groups_ready}, {group}"
    if len(set(queue.groups_ready.values())) < len(queue.groups_ready):
        yield f"two groups share their place: {queue.groups_ready}"


def _groups_held(queue: Queue) -> Iterator[str]:
    """A strict group waits for a delayed job of its own, until that is due; any group that has a
    rate limit, for its next token."""
    held = {gid: group.held for gid, group in queue.groups.items() if group.held is not None}
    if set(held) != set(queue.groups_held):
        yield f"held heads {held}, listed {queue.groups_held}"
    for gid, job_id in held.items():
        if job_id == "":
            if queue.groups[gid].rate is None:
                yield f"{gid} waits for a token, and needs none"
            continue
        if queue.groups[gid].ordering != "strict":
            yield f"{gid} is not strict and waits for {job_id}"
        if queue.delayed.get(job_id) != queue.groups_held[gid]:
            yield f"{gid} waits for {job_id} until {queue.groups_held[gid]}: {queue.delayed}"


def _strict_order(queue: Queue, strict_gids: Collection[str]) -> Iterator[str]:
    """In a strict group the next job starts when the one before it is done with for good."""
    for gid in strict_gids:
        begun = [
            job_id
            for job_id, job in queue.jobs.items()
            if job.get("gid") == gid
            and job["state"] in ("wait", "active", "delayed")
            and (job["attempt"] != "0" or deferrals_of(job) > 0)
        ]
        if len(begun) > 1:
            yield f"{gid} has begun {begun}"
        group = queue.groups[gid]
        for job_id in begun:
            if job_id in group.waiting[1:]:
                yield f"{gid} has begun {job_id}, which waits behind {group.waiting[0]}"
            if job_id in queue.delayed and group.held != job_id:
                yield f"{gid} does not wait for {job_id}: {group}"


def _counters(queue: Queue) -> Iterator[str]:
    """Every counter is the length of what it counts."""
    grouped = sum(len(group.waiting) for group in queue.groups.values())
    lengths = {
        "waiting": len(queue.wait),
        "group_waiting": grouped,
        "waiting_total": len(queue.wait) + grouped,
        "active": len(queue.active),
        "delayed": len(queue.delayed),
        "failed": len(queue.failed),
        "completed_kept": len(queue.completed),
        "groups_ready": len(queue.groups_ready),
    }
    for name, length in lengths.items():
        if queue.stats.get(name, 0) != length:
            yield f"{name} is {queue.stats.get(name)}, true is {length}"


def _wake(queue: Queue) -> Iterator[str]:
    """Where something can be taken, a token lies there for the next idle worker. Of a queue that
    has a rate limit workers know themselves when they can."""
    takeable = not queue.paused and bool(queue.wait or queue.groups_ready)
    if queue.rate or (queue.concurrency and len(queue.active) >= queue.concurrency):
        takeable = False
    if takeable and not queue.wake:
        yield f"no token, though there is {queue.wait}, {queue.groups_ready}"
    if queue.wake > MAX_WAKE_TOKENS:
        yield f"{queue.wake} tokens"


def _keys(queue: Queue) -> Iterator[str]:
    """Nothing is left behind."""
    expected = {f"job:{job_id}" for job_id in queue.jobs}
    expected |= {f"idx:{lane}" for lane in LANES}
    expected |= {"wait", "failed", "completed", "delayed", "active", "groups:ready", "groups:held"}
    expected |= {"stats", "has_groups", "lane:rr", "paused", "wake", "rate", "concurrency"}
    for gid in queue.groups:
        expected |= {f"g:{gid}:{part}" for part in ("wait", *GROUP_PARTS)}
    if stray := queue.keys - expected:
        yield f"stray {sorted(stray)}"


# Laws of one step


def check_step(
    before: Queue,
    after: Queue,
    granted: Sequence[str] = (),
    to_head: Collection[str] = (),
) -> None:
    """`granted`: the ids that the step leased, in their order. `to_head`: the ids that it may
    have put at the head of their lane. Raises LawBroken."""
    for law, problems in (
        ("group_limit", _group_limit(after, granted)),
        ("concurrency", _concurrency(after, granted)),
        ("fifo", _fifo(before, after, granted, to_head)),
        ("deferral", _deferral(before, after)),
    ):
        for problem in problems:
            raise LawBroken(law, problem)


def _group_limit(after: Queue, granted: Sequence[str]) -> Iterator[str]:
    """A group that got a lease is within its limit; a lowered limit stops nothing that runs."""
    for gid in {after.jobs[job_id].get("gid", "") for job_id in granted} - {""}:
        if len(after.running_of(gid)) > after.groups[gid].slots:
            yield f"{gid} runs {after.running_of(gid)}: {after.groups[gid]}"


def _concurrency(after: Queue, granted: Sequence[str]) -> Iterator[str]:
    """A queue that gave a lease is within its limit; a lowered limit stops nothing that runs."""
    if granted and after.concurrency and len(after.active) > after.concurrency:
        yield f"runs {sorted(after.active)}, of at most {after.concurrency}"


@dataclass
class Starts:
    """The starts of a queue or group since its rate limit was set, and the law that holds for them.
    `passed_ms`: how far the clock has moved in all, forth and back."""

    per_s: float
    burst: int
    begun: list[tuple[int, str]] = field(default_factory=list)
    """When by `passed_ms`, and which job."""

    def undo(self, job_id: str) -> None:
        """The job was given back unstarted."""
        times = [at for at, (_, each) in enumerate(self.begun) if each == job_id]
        for at in times[-1:]:
            del self.begun[at]

    def check(self, passed_ms: int) -> None:
        """No more in any time than the burst, and what the time allows."""
        for nth, (at_ms, _) in enumerate(self.begun):
            since = len(self.begun) - nth
            allowed = self.burst + self.per_s * (passed_ms - at_ms) / 1000
            if since > allowed + 0.001:
                raise LawBroken("rate", f"{since} started in {passed_ms - at_ms} ms: {self}")


def _fifo(
    before: Queue, after: Queue, granted: Sequence[str], to_head: Collection[str]
) -> Iterator[str]:
    """What waits keeps its order, newcomers stand behind it, and the head is taken first."""
    for gid, old in before.lists().items():
        new = after.lists()[gid]
        stayed = [job_id for job_id in old if job_id in new]
        tail = [job_id for job_id in new if job_id in stayed or job_id not in to_head]
        if tail[: len(stayed)] != stayed:
            yield f"{gid!r}: {old} became {new}"
        taken = [i for i in granted if after.jobs[i].get("gid", "") == gid and i not in to_head]
        if stayed and any(job_id not in old for job_id in taken):
            yield f"{gid!r}: {taken} were taken before {stayed}"
        was_there = [job_id for job_id in taken if job_id in old]
        if was_there != [job_id for job_id in old if job_id in was_there]:
            yield f"{gid!r}: {old} were taken as {was_there}"
        if stayed and any(old.index(job_id) > old.index(stayed[0]) for job_id in was_there):
            yield f"{gid!r}: of {old}, {was_there} were taken, {stayed} stayed"


def _deferral(before: Queue, after: Queue) -> Iterator[str]:
    """A job that was left for others has as many attempts as before its lease, and says why it
    waits; the same call may have leased it again."""
    for job_id, job in after.jobs.items():
        old = before.jobs.get(job_id, {})
        more = deferrals_of(job) - deferrals_of(old)
        if more <= 0:
            continue
        begun = int(job["attempt"]) - (job["state"] == "active")
        if more > 1 or begun != int(old.get("attempt", "0")) - 1:
            yield f"{job_id} was left for others: {old} became {job}"
        if not job.get("failure") or not job.get("last_error"):
            yield f"{job_id} was left for others for no reason: {job}"


def check_unchanged(before: Queue, after: Queue) -> None:
    """What is refused changes nothing, but that a worker may be woken for jobs that wait (a reserve
    of none is asked for that). Raises LawBroken."""
    before, after = _asleep(before), _asleep(after)
    if before != after:
        names = [each.name for each in fields(Queue)]
        differ = [n for n in names if getattr(before, n) != getattr(after, n)]
        changes = "; ".join(f"{n}: {getattr(before, n)} → {getattr(after, n)}" for n in differ)
        raise LawBroken("refused_changes_nothing", changes)


def _asleep(queue: Queue) -> Queue:
    return replace(queue, keys=queue.keys - {"wake"}, wake=0)
