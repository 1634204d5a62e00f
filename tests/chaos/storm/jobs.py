"""The jobs of a storm. What a job is follows from the seed and its number alone."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from functools import lru_cache

from omniq_typed import Registry, message
from omniq_typed.messages.envelope import Envelope
from omniq_typed.models import Ordering

QUEUES = ("storm", "storm.side", "storm.quick")
"""On the third one jobs take no time, and come in floods: workers take many at once."""
KEEP_COMPLETED = 10_000_000
"""All of them, so that they can be looked at in the end."""
GROUP_LIMITS = {f"g{n}": 1 + n % 3 for n in range(9)}
SIDE_LIMIT = 6
"""How many jobs of the second queue may run at once; its workers have more lanes than that."""
QUICK_LIMITS = {f"q{n}": 1 + n % 3 for n in range(6)}
STRICT_GROUPS = 4
"""Of each publisher that sends its jobs in order."""
TIMEOUT_S = 4.0
"""How long an attempt may take; far more than it does, but for one that hangs."""
FLOOD_FIRST = 10_000_000
"""Numbers from here on are those of floods."""

REGISTRY = Registry(strict_types=False)


@message("storm.work", registry=REGISTRY)
@dataclass
class Work:
    """A job: takes `work_ms`; fails `fail_times` times first, or hangs as often; or is rejected."""

    number: int
    work_ms: int
    fail_times: int
    hang_times: int
    rejected: bool


@dataclass(frozen=True, slots=True)
class Spec:
    """How a job is published, and what its handler does."""

    number: int
    queue: str
    work_ms: int
    fail_times: int = 0
    hang_times: int = 0
    rejected: bool = False
    max_attempts: int = 25
    gid: str = ""
    group_limit: int = 0
    ordering: Ordering = "relaxed"
    delay_ms: int = 0

    @property
    def job_id(self) -> str:
        return f"j{self.number}"

    @property
    def may_complete(self) -> bool:
        return not self.rejected and self.fail_times < self.max_attempts

    @property
    def reasons(self) -> set[str]:
        """Why it may fail, but for its workers' deaths."""
        given = {"rejected": self.rejected, "handler_error": self.fail_times >= self.max_attempts}
        return {reason for reason, is_so in given.items() if is_so}

    def envelope(self, *, lease_ms: int, now_ms: int) -> Envelope[Work]:
        """As a publisher sends it."""
        return Envelope(
            Work(self.number, self.work_ms, self.fail_times, self.hang_times, self.rejected),
            queue=self.queue,
            job_id=self.job_id,
            max_attempts=self.max_attempts,
            timeout_ms=lease_ms,
            backoff_ms=50,
            due_ms=now_ms + self.delay_ms if self.delay_ms else 0,
            gid=self.gid or None,
            group_limit=self.group_limit,
            ordering=self.ordering,
        )


def number_of(job_id: str) -> int:
    """The number in a job id."""
    return int(job_id.removeprefix("j"))


def limit_of(gid: str) -> int:
    """How many jobs of a group may run at once."""
    return GROUP_LIMITS.get(gid) or QUICK_LIMITS.get(gid, 1)


def all_groups(publishers: int) -> list[str]:
    """Every group that jobs may be in."""
    senders = [*range(publishers - 1), "flood"]
    strict = [f"strict-{each}-{n}" for each in senders for n in range(STRICT_GROUPS)]
    return [*GROUP_LIMITS, *QUICK_LIMITS, *strict]


@lru_cache(maxsize=200_000)
def spec(seed: int, number: int, publishers: int, lease_ms: int) -> Spec:
    """The job of that number. Publisher `number % publishers` sends it."""
    rng = random.Random(f"{seed}/{number}")
    if number >= FLOOD_FIRST:
        return _quick(rng, number)
    queue = QUEUES[rng.random() < 0.15]
    fail_times, max_attempts, rejected = _fate(rng)
    plain = Spec(number, queue, _work_ms(rng, lease_ms), fail_times, 0, rejected, max_attempts)
    kind = rng.random()
    publisher = number % publishers
    # The last publisher sends many at once: what it sends arrives in any order. And jobs of groups
    # must not take long, or the group is never worked off.
    if kind < 0.2 and publisher < publishers - 1:
        gid = f"strict-{publisher}-{rng.randrange(STRICT_GROUPS)}"
        return replace(plain, work_ms=min(plain.work_ms, 60), gid=gid, ordering="strict")
    delay_ms = rng.randrange(50, 1500) if rng.random() < 0.1 else 0
    if kind < 0.6:
        gid = rng.choice(sorted(GROUP_LIMITS))
        limit = GROUP_LIMITS[gid]
        work_ms = min(plain.work_ms, 60 * limit)
        return replace(plain, work_ms=work_ms, gid=gid, group_limit=limit, delay_ms=delay_ms)
    if kind > 0.996:
        return replace(plain, fail_times=0, hang_times=1, max_attempts=25)
    return replace(plain, delay_ms=delay_ms)


def _quick(rng: random.Random, number: int) -> Spec:
    fail_times, max_attempts, rejected = _fate(rng)
    quick = Spec(number, QUEUES[2], 0, fail_times, 0, rejected, max_attempts)
    kind = rng.random()
    if kind < 0.1:
        return replace(quick, gid=f"strict-flood-{rng.randrange(STRICT_GROUPS)}", ordering="strict")
    if kind < 0.3:
        gid = rng.choice(sorted(QUICK_LIMITS))
        return replace(quick, gid=gid, group_limit=QUICK_LIMITS[gid])
    return quick


def _work_ms(rng: random.Random, lease_ms: int) -> int:
    """Mostly short; some as long as a lease, a few much longer."""
    kind = rng.random()
    if kind < 0.8:
        return rng.randrange(0, 60)
    if kind < 0.96:
        return rng.randrange(60, 400)
    if kind < 0.995:
        return rng.randrange(400, 1200)
    return int(lease_ms * 1.7)


def _fate(rng: random.Random) -> tuple[int, int, bool]:
    """(fail_times, max_attempts, rejected)."""
    kind = rng.random()
    if kind < 0.88:
        return 0, 25, False
    if kind < 0.96:
        return rng.randrange(1, 4), 25, False
    if kind < 0.98:
        return 9, rng.randrange(1, 4), False
    return 0, 25, True
