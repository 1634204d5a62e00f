"""How many jobs a lane takes at once, and when a worker counts as ready and live. Both are pure."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniq_typed.core.prefetch import GROWTH, MAX_PREFETCH, TARGET_S, Prefetch
from omniq_typed.models import LaneHealth, LaneState
from omniq_typed.worker.health import OVERDUE_S, Pulse, Report, judged

batches = st.tuples(st.integers(1, 1000), st.floats(0, 3600))


def test_the_first_batch_is_one_job() -> None:
    assert Prefetch().wanted() == 1
    assert not Prefetch().is_quick


def test_quick_handlers_lead_to_full_batches_in_a_few_rounds() -> None:
    policy, sizes = Prefetch(), []
    for _ in range(6):
        sizes.append(policy.wanted())
        policy.note(policy.wanted(), policy.wanted() * 15e-6)
    assert sizes == [1, 4, 16, 64, MAX_PREFETCH, MAX_PREFETCH]
    assert policy.is_quick


def test_a_slow_batch_ends_batches_at_once() -> None:
    policy = Prefetch()
    for _ in range(6):
        policy.note(policy.wanted(), 0.0)
    policy.note(policy.wanted(), 30.0)
    assert policy.wanted() == 1
    assert not policy.is_quick


@pytest.mark.parametrize("seconds", [TARGET_S, 0.05, 60.0])
def test_slow_handlers_get_one_job(seconds: float) -> None:
    policy = Prefetch()
    for _ in range(5):
        policy.note(1, seconds)
    assert policy.wanted() == 1


@given(st.integers(1, 1000), st.lists(batches, max_size=20))
def test_a_batch_is_bounded_and_grows_step_by_step(
    most: int, noted: list[tuple[int, float]]
) -> None:
    policy = Prefetch(most)
    for jobs, seconds in noted:
        before = policy.wanted()
        policy.note(jobs, seconds)
        assert 1 <= policy.wanted() <= min(most, max(before, jobs) * GROWTH)
        if seconds > 0 and policy.wanted() > 1:  # what fits into the time that is aimed at
            assert policy.wanted() * seconds / jobs <= TARGET_S * 1.000001


def lane(state: LaneState, since: float = 0.1) -> LaneHealth:
    return LaneHealth("q", "lane", state, since)


@pytest.mark.parametrize(
    ("states", "ready", "live"),
    [
        (["idle", "working"], True, True),
        (["idle", "waiting_for_server"], False, True),
        (["working", "stuck"], False, False),
        (["ended", "idle"], True, True),
        (["ended"], False, True),
        ([], False, True),
    ],
)
def test_ready_and_live(states: list[LaneState], ready: bool, live: bool) -> None:
    health = judged([Report(tuple(map(lane, states)))])
    assert (health.ready, health.live) == (ready, live)


def test_a_worker_that_stops_is_not_ready_and_one_whose_thread_died_not_live() -> None:
    lanes = (lane("idle", 3.0), lane("working", 0.5))
    stopping, died = judged([Report(lanes, stopping=True)]), judged([Report(lanes, died=True)])
    assert (stopping.ready, stopping.live) == (False, True)
    assert (died.ready, died.live) == (False, False)
    assert stopping.since_answered_s == 0.5


def test_a_worker_that_waits_for_its_server_before_its_first_call_is_live() -> None:
    assert Pulse("q", "lane", answered_at=0.0).health(10**6).state == "waiting_for_server"


def test_what_a_lane_notes_is_what_it_is() -> None:
    pulse = Pulse("q", "lane", answered_at=100.0, came_back_at=100.0)
    assert pulse.health(101.0).state == "waiting_for_server"  # nothing was answered yet
    pulse.answered(102.0)
    assert pulse.health(103.0) == LaneHealth("q", "lane", "idle", 1.0)
    pulse.job_id, pulse.began_at = "J", 103.0
    assert pulse.health(200.0) == LaneHealth("q", "lane", "working", 98.0, "J", 97.0)
    pulse.job_id = ""
    assert pulse.health(102.0 + OVERDUE_S + 1).state == "stuck"  # neither answer nor error
    pulse.failed(133.0)
    assert pulse.health(134.0).state == "waiting_for_server"
    pulse.answered(135.0)
    pulse.hangs = True
    assert pulse.health(136.0).state == "stuck"
    pulse.ended = True
    assert pulse.health(136.0).state == "ended"
