"""Retry policies: how long a failed job waits."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniq_typed.core.arguments import MAX_MS
from omniq_typed.core.backoff import (
    ByException,
    Delays,
    Exponential,
    Fixed,
    JobBackoff,
    Linear,
    Never,
    check_policy,
)
from omniq_typed.errors import InvalidArgument, Retry
from omniq_typed.protocols import NEVER, RetryPolicy

ERROR = RuntimeError("boom")

units = st.floats(0, 1, exclude_max=True)
attempts = st.integers(1, 10**9)
times = st.integers(0, 10**12)
factors = st.floats(1, 100)
jitters = st.booleans()

growing: st.SearchStrategy[tuple[RetryPolicy, int]] = st.one_of(
    st.builds(lambda a, b, most, j: (Linear(a, b, most, j), most), times, times, times, jitters),
    st.builds(
        lambda a, b, most, j: (Exponential(a, b, most, j), most), times, factors, times, jitters
    ),
)
"""A policy that grows, and its max_ms."""
steady: st.SearchStrategy[RetryPolicy] = st.one_of(
    st.builds(lambda a, b, most: Linear(a, b, most), times, times, times),
    st.builds(lambda a, b, most: Exponential(a, b, most, jitter=False), times, factors, times),
    st.builds(Fixed, times),
    st.lists(times, min_size=1).map(sorted).map(Delays),
)


@given(growing, attempts, units)
def test_a_growing_policy_stays_within_its_bounds(
    case: tuple[RetryPolicy, int], attempt: int, unit: float
) -> None:
    policy, most = case
    delay = policy.delay_ms(attempt, ERROR, unit)
    assert isinstance(delay, int)
    assert 0 <= delay <= most


@given(steady, attempts)
def test_without_jitter_no_pause_is_shorter_than_the_one_before(
    policy: RetryPolicy, attempt: int
) -> None:
    earlier, later = policy.delay_ms(attempt, ERROR, 0), policy.delay_ms(attempt + 1, ERROR, 0)
    assert earlier is not None and later is not None and earlier <= later


@given(steady, attempts, units)
def test_without_jitter_chance_has_no_say(policy: RetryPolicy, attempt: int, unit: float) -> None:
    assert policy.delay_ms(attempt, ERROR, unit) == policy.delay_ms(attempt, ERROR, 0)


def delays(policy: RetryPolicy, attempts: int, unit: float = 0.5) -> list[int | None]:
    return [policy.delay_ms(attempt, ERROR, unit) for attempt in range(1, attempts + 1)]


def test_exponential_grows_by_its_factor_from_the_first_pause_on() -> None:
    policy = Exponential(100, 3.0, 2_000, jitter=False)
    assert delays(policy, 5) == [100, 300, 900, 2000, 2000]


def test_linear_grows_by_its_step_from_the_first_pause_on() -> None:
    assert delays(Linear(100, 50, 220), 5) == [100, 150, 200, 220, 220]
    assert delays(Linear(500, 50, 220), 2) == [220, 220]


def test_delays_are_taken_one_by_one_and_the_last_one_repeats() -> None:
    assert delays(Delays([1_000, 5_000, 60_000]), 5) == [1_000, 5_000, 60_000, 60_000, 60_000]


def test_delays_are_kept_apart_from_the_list_that_was_passed() -> None:
    pauses = [5, 7]
    policy = Delays(pauses)
    pauses.clear()
    assert policy.pauses_ms == (5, 7)
    assert policy == Delays((5, 7)) and hash(policy) == hash(Delays((5, 7)))


@given(attempts, units)
def test_jitter_takes_that_part_of_the_bound(attempt: int, unit: float) -> None:
    pairs: list[tuple[RetryPolicy, RetryPolicy]] = [
        (Exponential(1_000, 2.0, 60_000, jitter=False), Exponential(1_000, 2.0, 60_000)),
        (Linear(1_000, 300, 60_000), Linear(1_000, 300, 60_000, jitter=True)),
    ]
    for full, part in pairs:
        bound = full.delay_ms(attempt, ERROR, unit)
        assert bound is not None and part.delay_ms(attempt, ERROR, unit) == int(bound * unit)


def test_jitter_is_on_for_exponential_and_off_for_linear_unless_said() -> None:
    assert [Exponential().delay_ms(1, ERROR, unit) for unit in (0.0, 0.25, 0.999)] == [0, 250, 999]
    assert [Linear(400, 1, 999).delay_ms(1, ERROR, unit) for unit in (0.0, 0.999)] == [400, 400]


def test_job_backoff_leaves_the_choice_to_the_job_and_never_says_so() -> None:
    assert JobBackoff().delay_ms(1, ERROR, 0.5) is None
    assert Never().delay_ms(1, ERROR, 0.5) == NEVER


def test_the_largest_policies_do_not_overflow() -> None:
    for policy in (
        Exponential(MAX_MS, 1000, MAX_MS, jitter=False),
        Linear(MAX_MS, MAX_MS, MAX_MS),
        Delays([MAX_MS]),
    ):
        assert policy.delay_ms(10**9, ERROR, 0.5) == MAX_MS


# Choice by exception: the class of each error, from the most special one on.


class Base(Exception): ...


class Left(Base): ...


class Right(Base): ...


class Both(Left, Right): ...


CLASSES: list[type[BaseException]] = [
    BaseException,
    Exception,
    Base,
    Left,
    Right,
    Both,
    OSError,
    ConnectionError,
    ConnectionResetError,
]


@given(st.lists(st.sampled_from(CLASSES), unique=True), st.sampled_from(CLASSES))
def test_the_policy_of_the_nearest_class_decides(
    chosen: list[type[BaseException]], raised: type[BaseException]
) -> None:
    policy = ByException({cls: Fixed(CLASSES.index(cls)) for cls in chosen}, otherwise=Fixed(99))
    nearest = next((cls for cls in raised.__mro__ if cls in chosen), None)
    expected = 99 if nearest is None else CLASSES.index(nearest)
    assert policy.delay_ms(1, raised(), 0.5) == expected


def test_the_order_in_the_dict_does_not_matter() -> None:
    general_first = ByException({Exception: Fixed(1), ConnectionError: Fixed(2)})
    special_first = ByException({ConnectionError: Fixed(2), Exception: Fixed(1)})
    for policy in (general_first, special_first):
        assert policy.delay_ms(1, ConnectionResetError(), 0) == 2
        assert policy.delay_ms(1, ValueError(), 0) == 1


def test_without_a_class_for_it_the_job_s_own_backoff_is_taken() -> None:
    assert ByException({ValueError: Never()}).delay_ms(1, KeyError(), 0) is None


def test_what_is_chosen_is_asked_as_it_would_be_alone() -> None:
    asked: list[tuple[int, BaseException, float]] = []

    class Asked:
        def delay_ms(self, attempt: int, error: BaseException, unit: float) -> int | None:
            asked.append((attempt, error, unit))
            return 5

    nested = ByException({Exception: ByException({}, otherwise=Asked())})
    assert nested.delay_ms(7, ERROR, 0.25) == 5
    assert asked == [(7, ERROR, 0.25)]


def test_retry_is_an_error_like_others_where_it_names_no_time() -> None:
    assert ByException({Retry: Fixed(7)}).delay_ms(1, Retry(), 0) == 7


def test_a_policy_stays_as_it_was_made() -> None:
    policies: dict[type[BaseException], RetryPolicy] = {ValueError: Fixed(1)}
    policy = ByException(policies)
    policies[ValueError] = Fixed(2)
    assert policy.delay_ms(1, ValueError(), 0) == 1
    for each in (policy, Fixed(1), Linear(1, 2, 3), Exponential(), Delays([1]), Never()):
        with pytest.raises((FrozenInstanceError, TypeError, AttributeError)):
            each.pause_ms = 5  # type: ignore[union-attr, misc]
        assert not hasattr(each, "__dict__")
        assert hash(each) == hash(each)


@pytest.mark.parametrize(
    ("build", "field"),
    [
        (lambda: Fixed(-1), "pause_ms"),
        (lambda: Fixed(1.5), "pause_ms"),  # type: ignore[arg-type]
        (lambda: Exponential(first_ms=-1), "first_ms"),
        (lambda: Exponential(max_ms=-1), "max_ms"),
        (lambda: Exponential(jitter="no"), "jitter"),  # type: ignore[arg-type]
        (lambda: Linear(-1, 1, 1), "first_ms"),
        (lambda: Linear(1, -1, 1), "step_ms"),
        (lambda: Linear(1, 1, MAX_MS + 1), "max_ms"),
        (lambda: Linear(1, 1, 1, jitter=1), "jitter"),  # type: ignore[arg-type]
        (lambda: Delays([]), "pauses_ms"),
        (lambda: Delays([1, -1]), "pauses_ms[1]"),
        (lambda: Delays([1, True]), "pauses_ms[1]"),
        (lambda: Delays("15"), "pauses_ms"),  # type: ignore[arg-type]
        (lambda: Delays(5), "pauses_ms"),  # type: ignore[arg-type]
        (lambda: Delays({1, 2}), "pauses_ms"),  # type: ignore[arg-type]
        (lambda: ByException([ValueError]), "policies"),  # type: ignore[arg-type]
        (lambda: ByException({int: Never()}), "policies"),  # type: ignore[dict-item]
        (lambda: ByException({(OSError, ValueError): Never()}), "policies"),  # type: ignore[dict-item]
        (lambda: ByException({ValueError: 5}), "policies[ValueError]"),  # type: ignore[dict-item]
        (lambda: ByException({ValueError: Never}), "policies[ValueError]"),  # type: ignore[dict-item]
        (lambda: ByException({}, otherwise=None), "otherwise"),  # type: ignore[arg-type]
    ],
)
def test_what_could_never_work_is_refused_when_it_is_made(
    build: Callable[[], object], field: str
) -> None:
    with pytest.raises(InvalidArgument) as refused:
        build()
    assert refused.value.field == field


@pytest.mark.parametrize("factor", [0.5, -2, math.nan, math.inf, 1001, "2", None])
def test_a_factor_that_does_not_grow_or_overflows_is_refused(factor: Any) -> None:
    with pytest.raises(InvalidArgument) as refused:
        Exponential(factor=factor)
    assert refused.value.field == "factor"


def test_any_object_with_delay_ms_is_a_policy_but_no_class() -> None:
    class Own:
        def delay_ms(self, attempt: int, error: BaseException, unit: float) -> int | None:
            return 1

    check_policy("retry", Own())
    with pytest.raises(InvalidArgument, match=r"retry: is the class Own; pass Own\(\.\.\.\)"):
        check_policy("retry", Own)
    with pytest.raises(InvalidArgument, match="no delay_ms"):
        check_policy("retry", object())
