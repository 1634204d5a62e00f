"""What the state machine draws: jobs, leases, ways to end them, and how time passes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from hypothesis import strategies as st

from omniq_typed.models import NewJob, Outcome

START_MS = 1_700_000_000_000
IDS = [f"j{number}" for number in range(8)]
GIDS = ["g0", "g1", "g2"]
STRICT_GIDS = ["g1", "g2"]
"""Every job of g2 is strictly ordered; g1 may become strict with any job; g0 never does."""
STRICT_FROM_THE_START = ["g2"]
PAYLOADS = [b'{"n":0}', b'{"n":1}']


@dataclass(frozen=True)
class JobPlan:
    """`new`: take an id that is free, if there is one, in place of `job_id`."""

    job_id: str
    new: bool
    payload: bytes
    gid: str
    max_attempts: int
    timeout_ms: int
    backoff_ms: int
    due_in_ms: int
    group_limit: int
    strict: bool

    def at(self, now: int, taken: Collection[str]) -> NewJob:
        free = [job_id for job_id in IDS if job_id not in taken] if self.new else []
        strict = self.gid in STRICT_FROM_THE_START or (self.strict and self.gid in STRICT_GIDS)
        return NewJob(
            job_id=free[0] if free else self.job_id,
            payload=self.payload,
            max_attempts=self.max_attempts,
            timeout_ms=self.timeout_ms,
            backoff_ms=self.backoff_ms,
            due_ms=now + self.due_in_ms if self.due_in_ms else 0,
            gid=self.gid,
            group_limit=0 if strict or not self.gid else self.group_limit,
            ordering="strict" if strict else "relaxed",
        )


@dataclass(frozen=True)
class LeaseChoice:
    """One of the running leases, or of all that there ever were; its own token, or another."""

    running: bool
    nth: int
    token: str = "own"


@dataclass(frozen=True)
class End:
    lease: LeaseChoice
    outcome: Outcome
    delay_ms: int | None


job_plans = st.builds(
    JobPlan,
    job_id=st.sampled_from(IDS),
    new=st.sampled_from([True, True, True, False]),
    payload=st.sampled_from(PAYLOADS),
    gid=st.sampled_from(["", "g0", "g1", "g2", "", "g0", "g1"]),
    max_attempts=st.sampled_from([3, 1, 2, 3]),
    timeout_ms=st.sampled_from([1000, 5000, 0]),
    backoff_ms=st.sampled_from([0, 500, 3000]),
    due_in_ms=st.sampled_from([0, 0, 0, 500, 5000]),
    group_limit=st.sampled_from([0, 0, 0, 1, 2, 3]),
    strict=st.sampled_from([False, False, False, True]),
)
lease_choices = st.builds(
    LeaseChoice,
    running=st.sampled_from([True, True, True, False]),
    nth=st.integers(0, 7),
    token=st.sampled_from(["own"] * 6 + ["wrong", "empty"]),
)
outcomes = st.sampled_from(
    [*Outcome, Outcome.ACK, Outcome.ACK, Outcome.RETRY, Outcome.RETRY, Outcome.RETRY]
)
ends = st.builds(
    End,
    lease=lease_choices,
    outcome=outcomes,
    delay_ms=st.sampled_from([None, 0, 2000]),
)
some_ids = st.lists(st.sampled_from(IDS), min_size=1, max_size=3)


def in_one_group(plans: list[JobPlan]) -> list[JobPlan]:
    return [replace(plan, gid=plans[0].gid) for plan in plans]


some_plans = st.lists(job_plans, min_size=1, max_size=3)
some_plans |= some_plans.map(in_one_group)
waits = st.sampled_from([0, 0, 0, None, None, 1, 500, 1000, 3000, 5000, 60_000, -1, -700, -6000])
"""Backwards: a fail-over to a server whose clock is late."""
keep_completed = st.sampled_from([1, 0, 2, 100])
upkeeps = st.sampled_from([100, 0, 1, 2])
rates = st.sampled_from([None, 0.5, 1, 3, 1000 / 3])
