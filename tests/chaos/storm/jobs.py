"""The jobs of a storm. What a job is follows from the seed and its number alone."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import lru_cache

from omniq_typed import Registry, message
from omniq_typed.messages.envelope import Envelope
from omniq_typed.models import Ordering

QUEUES = ("storm", "storm.side")
KEEP_COMPLETED = 10_000_000
"""All of them, so that they can be looked at in the end."""
GROUP_LIMITS = {f"g{n}": 1 + n % 3 for n in range(9)}
STRICT_GROUPS = 4
"""Of each publisher that sends its jobs in order."""

REGISTRY = Registry(strict_types=False)


@message("storm.work", registry=REGISTRY)
@dataclass
class Work:
    """A job: takes `work_ms`, fails `fail_times` times first; or is rejected."""

    number: int
    work_ms: int
    fail_times: int
    rejected: bool


@dataclass(frozen=True, slots=True)
class Spec:
    """How a job is published, and what its handler does."""

    number: int
    queue: str
    work_ms: int
    fail_times: int = 0
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

    def envelope(self, *, lease_ms: int, now_ms: int) -> Envelope[Work]:
        """As a publisher sends it."""
        return Envelope(
            Work(self.number, self.work_ms, self.fail_times, self.rejected),
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
    return GROUP_LIMITS.get(gid, 1)


def all_groups(publishers: int) -> list[str]:
    """Every group that jobs may be in."""
    strict = [f"strict-{p}-{n}" for p in range(publishers - 1) for n in range(STRICT_GROUPS)]
    return [*GROUP_LIMITS, *strict]


@lru_cache(maxsize=200_000)
def spec(seed: int, number: int, publishers: int, lease_ms: int) -> Spec:
    """The job of that number. Publisher `number % publishers` sends it."""
    rng = random.Random(f"{seed}/{number}")
    queue = QUEUES[rng.random() < 0.15]
    work_ms = _work_ms(rng, lease_ms)
    fail_times, max_attempts, rejected = _fate(rng)
    kind = rng.random()
    publisher = number % publishers
    # The last publisher sends many at once: what it sends arrives in any order.
    if kind < 0.2 and publisher < publishers - 1:
        gid = f"strict-{publisher}-{rng.randrange(STRICT_GROUPS)}"
        work_ms = min(work_ms, 60)  # or the group is never worked off
        return Spec(number, queue, work_ms, fail_times, rejected, max_attempts, gid, 0, "strict", 0)
    delay_ms = rng.randrange(50, 1500) if rng.random() < 0.1 else 0
    if kind < 0.6:
        gid = rng.choice(sorted(GROUP_LIMITS))
        limit = GROUP_LIMITS[gid]
        return Spec(
            number,
            queue,
            min(work_ms, 60 * limit),
            fail_times,
            rejected,
            max_attempts,
            gid,
            limit,
            delay_ms=delay_ms,
        )
    return Spec(number, queue, work_ms, fail_times, rejected, max_attempts, delay_ms=delay_ms)


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
