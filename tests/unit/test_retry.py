"""When a failed job runs again, and how a handler's end becomes a settlement."""

from __future__ import annotations

import math
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniq_typed.core.arguments import MAX_MS
from omniq_typed.core.retry import (
    Exponential,
    Fixed,
    JobBackoff,
    failed,
    given_back,
    succeeded,
    undecodable,
)
from omniq_typed.errors import Fault, InvalidArgument, Reject, Retry, UndecodableJob
from omniq_typed.models import Outcome, Reserved

JOB = Reserved("j1", b"{}", 1_000, 2, 3, "", "token-1", 30_000, 5_000, 0)
ERROR = RuntimeError("boom")

units = st.floats(0, 1, exclude_max=True)
attempts = st.integers(1, 10**9)
times = st.integers(0, 10**12)
factors = st.floats(1, 100)


class Stubborn:
    """A policy that fails the test when it is asked."""

    def delay_ms(self, attempt: int, error: BaseException, unit: float) -> int | None:
        raise AssertionError("the policy was asked")


class Scripted:
    """Answers `answer` and keeps what it was asked."""

    def __init__(self, answer: int | None) -> None:
        self.answer = answer
        self.asked: list[tuple[int, BaseException, float]] = []

    def delay_ms(self, attempt: int, error: BaseException, unit: float) -> int | None:
        self.asked.append((attempt, error, unit))
        return self.answer


@given(times, factors, times, st.booleans(), attempts, units)
def test_exponential_stays_within_its_bounds(
    first: int, factor: float, most: int, jitter: bool, attempt: int, unit: float
) -> None:
    policy = Exponential(first, factor, most, jitter)
    delay = policy.delay_ms(attempt, ERROR, unit)
    assert isinstance(delay, int)
    assert 0 <= delay <= most


@given(times, factors, times, attempts)
def test_exponential_never_shrinks_with_the_attempts(
    first: int, factor: float, most: int, attempt: int
) -> None:
    policy = Exponential(first, factor, most, jitter=False)
    earlier, later = policy.delay_ms(attempt, ERROR, 0), policy.delay_ms(attempt + 1, ERROR, 0)
    assert earlier is not None and later is not None and earlier <= later


def test_exponential_grows_by_its_factor_from_the_first_pause_on() -> None:
    policy = Exponential(100, 3.0, 2_000, jitter=False)
    assert [policy.delay_ms(n, ERROR, 0.5) for n in range(1, 6)] == [100, 300, 900, 2000, 2000]


@given(attempts, units)
def test_jitter_takes_that_part_of_the_bound(attempt: int, unit: float) -> None:
    full = Exponential(1_000, 2.0, 60_000, jitter=False).delay_ms(attempt, ERROR, unit)
    part = Exponential(1_000, 2.0, 60_000).delay_ms(attempt, ERROR, unit)
    assert full is not None and part == int(full * unit)


def test_jitter_is_on_unless_turned_off() -> None:
    assert [Exponential().delay_ms(1, ERROR, unit) for unit in (0.0, 0.25, 0.999)] == [0, 250, 999]


def test_a_policy_takes_no_negative_times() -> None:
    for build in (
        lambda: Exponential(first_ms=-1),
        lambda: Exponential(max_ms=-1),
        lambda: Fixed(-1),
    ):
        with pytest.raises(InvalidArgument):
            build()


@pytest.mark.parametrize("factor", [0.5, -2, math.nan, math.inf, 1001, "2", None])
def test_a_factor_that_does_not_grow_or_overflows_is_refused(factor: Any) -> None:
    with pytest.raises(InvalidArgument) as refused:
        Exponential(factor=factor)
    assert refused.value.field == "factor"


def test_the_largest_policy_does_not_overflow() -> None:
    policy = Exponential(MAX_MS, 1000, MAX_MS, jitter=False)
    assert policy.delay_ms(10**9, ERROR, 0.5) == MAX_MS


@given(times, attempts, units)
def test_fixed_is_the_same_each_time(pause: int, attempt: int, unit: float) -> None:
    assert Fixed(pause).delay_ms(attempt, ERROR, unit) == pause


def test_job_backoff_leaves_the_choice_to_the_job() -> None:
    assert JobBackoff().delay_ms(1, ERROR, 0.5) is None
    assert failed(JOB, ERROR, JobBackoff(), 0.5).delay_ms is None


def test_a_plain_error_is_retried_by_the_policy_and_named() -> None:
    policy = Scripted(700)
    settlement = failed(JOB, ERROR, policy, 0.25)
    assert policy.asked == [(JOB.attempt, ERROR, 0.25)]
    assert (settlement.job_id, settlement.lease_token) == (JOB.job_id, JOB.lease_token)
    assert (settlement.outcome, settlement.delay_ms) == (Outcome.RETRY, 700)
    assert (settlement.reason, settlement.message) == ("handler_error", "RuntimeError: boom")


def test_a_policy_that_answers_a_negative_time_means_at_once() -> None:
    assert failed(JOB, ERROR, Scripted(-5), 0).delay_ms == 0


def test_reject_fails_for_good_without_asking_the_policy() -> None:
    settlement = failed(JOB, Reject("no such customer"), Stubborn(), 0.5)
    assert settlement.outcome is Outcome.FAIL
    assert (settlement.reason, settlement.message) == ("rejected", "no such customer")


@pytest.mark.parametrize(("after_s", "delay_ms"), [(0, 0), (1.5, 1500), (0.0015, 1), (60, 60_000)])
def test_retry_with_a_time_is_taken_at_its_word(after_s: float, delay_ms: int) -> None:
    settlement = failed(JOB, Retry("later", after_s=after_s), Stubborn(), 0.5)
    assert (settlement.outcome, settlement.delay_ms) == (Outcome.RETRY, delay_ms)
    assert settlement.message == "later", "the handler's own words, without a class name"


def test_retry_without_a_time_asks_the_policy() -> None:
    assert failed(JOB, Retry(), Scripted(40), 0).delay_ms == 40


@pytest.mark.parametrize("after_s", [-0.001, -5])
def test_retry_refuses_a_negative_time(after_s: float) -> None:
    with pytest.raises(InvalidArgument) as refused:
        Retry(after_s=after_s)
    assert refused.value.field == "after_s"


def test_undecodable_says_where_and_why_and_counts_no_attempt() -> None:
    faults = (Fault("/a~1b/0", "int_type", 'no "int"'), Fault("", "missing", "ö"))
    error = UndecodableJob("invalid_payload", "the payload is no valid x v1", faults)
    settlement = undecodable(JOB, error)
    assert (settlement.job_id, settlement.lease_token) == (JOB.job_id, JOB.lease_token)
    assert (settlement.outcome, settlement.reason) == (Outcome.INVALID, "invalid_payload")
    assert settlement.message == str(error) and "no valid x v1" in settlement.message
    assert orjson.loads(settlement.errors_json) == [
        {"path": "/a~1b/0", "code": "int_type", "message": 'no "int"'},
        {"path": "", "code": "missing", "message": "ö"},
    ]


def test_undecodable_without_faults_writes_an_empty_list() -> None:
    assert undecodable(JOB, UndecodableJob("unknown_type", "who?")).errors_json == "[]"


def test_returning_completes_and_stopping_gives_back() -> None:
    done, back = succeeded(JOB), given_back(JOB)
    assert (done.job_id, done.lease_token, done.outcome) == ("j1", "token-1", Outcome.ACK)
    assert (back.job_id, back.lease_token, back.outcome) == ("j1", "token-1", Outcome.RELEASE)
