"""How a handler's end becomes a settlement."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import orjson
import pytest

from omniq_typed.core.retry import failed, given_back, succeeded, undecodable
from omniq_typed.errors import Fault, InvalidArgument, Reject, Retry, UndecodableJob
from omniq_typed.models import Outcome, Reserved
from omniq_typed.protocols import NEVER

JOB = Reserved("j1", b"{}", 1_000, 2, 3, "", "token-1", 30_000, 0)
ERROR = RuntimeError("boom")


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


def test_none_leaves_the_choice_to_the_job() -> None:
    settlement = failed(JOB, ERROR, Scripted(None), 0.5)
    assert (settlement.outcome, settlement.delay_ms) == (Outcome.RETRY, None)


def test_a_plain_error_is_retried_by_the_policy_and_named() -> None:
    policy = Scripted(700)
    settlement = failed(JOB, ERROR, policy, 0.25)
    assert policy.asked == [(JOB.attempt, ERROR, 0.25)]
    assert (settlement.job_id, settlement.lease_token) == (JOB.job_id, JOB.lease_token)
    assert (settlement.outcome, settlement.delay_ms) == (Outcome.RETRY, 700)
    assert (settlement.reason, settlement.message) == ("handler_error", "RuntimeError: boom")


def test_a_policy_that_says_never_fails_the_job_with_the_error_it_had() -> None:
    settlement = failed(JOB, ERROR, Scripted(NEVER), 0)
    assert (settlement.outcome, settlement.delay_ms) == (Outcome.FAIL, None)
    assert (settlement.reason, settlement.message) == ("handler_error", "RuntimeError: boom")


@pytest.mark.parametrize("answer", [-2, -5, -1.0, 1.5, True, "7", 10**14])
def test_a_policy_that_answers_no_time_is_at_fault(answer: Any) -> None:
    with pytest.raises(InvalidArgument) as refused:
        failed(JOB, ERROR, Scripted(answer), 0)
    assert refused.value.field == "delay_ms"


def test_reject_fails_for_good_without_asking_the_policy() -> None:
    settlement = failed(JOB, Reject("no such customer"), Stubborn(), 0.5)
    assert settlement.outcome is Outcome.FAIL
    assert (settlement.reason, settlement.message) == ("rejected", "no such customer")


@pytest.mark.parametrize(
    ("after", "delay_ms"),
    [
        (0, 0),
        (1.5, 1500),
        (0.0015, 1),
        (60, 60_000),
        (10**9, 10**12),
        (timedelta(), 0),
        (timedelta(minutes=2, milliseconds=5), 120_005),
    ],
)
def test_retry_with_a_time_is_taken_at_its_word(after: float | timedelta, delay_ms: int) -> None:
    settlement = failed(JOB, Retry("later", after=after), Stubborn(), 0.5)
    assert (settlement.outcome, settlement.delay_ms) == (Outcome.RETRY, delay_ms)
    assert settlement.message == "later", "the handler's own words, without a class name"


def test_retry_keeps_its_time_in_seconds() -> None:
    assert Retry().after_s is None
    assert Retry(after=3).after_s == 3
    assert Retry(after=timedelta(hours=1)).after_s == 3600


def test_retry_without_a_time_asks_the_policy() -> None:
    assert failed(JOB, Retry(), Scripted(40), 0).delay_ms == 40


def test_a_handler_that_asks_for_another_attempt_gets_it_though_the_policy_says_never() -> None:
    settlement = failed(JOB, Retry("once more"), Scripted(NEVER), 0)
    assert (settlement.outcome, settlement.delay_ms) == (Outcome.RETRY, None)
    assert settlement.message == "once more"


@pytest.mark.parametrize(
    "after",
    [
        -0.001,
        -5,
        math.nan,
        math.inf,
        10**9 + 1,
        timedelta(microseconds=-1),
        timedelta.max,
        True,
        "5",
        [5],
    ],
)
def test_retry_refuses_what_is_no_time_to_come(after: Any) -> None:
    with pytest.raises(InvalidArgument) as refused:
        Retry(after=after)
    assert refused.value.field == "after"


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
