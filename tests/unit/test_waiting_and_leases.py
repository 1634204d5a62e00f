"""How long to wait: for work, for the server, between heartbeats."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniq_typed.core.lease import (
    DEFAULT_TIMEOUT_MS,
    after_failed_beat_s,
    beat_interval_s,
    lease_s,
)
from omniq_typed.core.scripts import lua_folder
from omniq_typed.core.waiting import POLL_INTERVAL_S, idle_wait_s, reconnect_wait_s

units = st.floats(0, 1, exclude_max=True)
moments = st.integers(1, 10**14)
timeouts = st.integers(-(10**6), 10**12)


@given(moments, moments, st.floats(0.001, 3600))
def test_an_idle_worker_waits_until_something_falls_due(now: int, due: int, poll: float) -> None:
    wait = idle_wait_s(now, due, poll)
    assert 0.001 <= wait <= poll
    if 0.001 <= (due - now) / 1000 <= poll:
        assert wait == (due - now) / 1000


@pytest.mark.parametrize("nothing", [0, -1])
def test_an_idle_worker_waits_a_whole_poll_where_nothing_falls_due(nothing: int) -> None:
    assert idle_wait_s(10**12, nothing) == POLL_INTERVAL_S
    assert idle_wait_s(10**12, nothing, 7.0) == 7.0


def test_an_idle_worker_does_not_spin_on_what_is_overdue() -> None:
    assert idle_wait_s(2_000, 1_000) == 0.001
    assert idle_wait_s(2_000, 2_000) == 0.001


@given(st.integers(1, 10**6), units)
def test_reconnecting_waits_at_least_half_and_less_than_all_of_its_bound(
    failures: int, unit: float
) -> None:
    bound = min(2.0, 0.1 * 2 ** (min(failures, 20) - 1))
    wait = reconnect_wait_s(failures, unit)
    assert bound / 2 <= wait <= bound
    assert wait == pytest.approx(bound * (0.5 + unit / 2))


def test_reconnecting_waits_longer_each_time_up_to_two_seconds() -> None:
    waits = [reconnect_wait_s(n, 0.0) * 2 for n in range(1, 9)]
    assert waits == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0])


def test_the_default_lease_is_that_of_the_script() -> None:
    source = (lua_folder() / "lib" / "lease_end.lua").read_text(encoding="utf-8")
    assert [int(n) for n in re.findall(r"timeout_ms = (\d+)", source)] == [DEFAULT_TIMEOUT_MS]


@given(timeouts)
def test_a_lease_lasts_its_timeout_or_the_default(timeout: int) -> None:
    assert lease_s(timeout) == (timeout / 1000 if timeout > 0 else DEFAULT_TIMEOUT_MS / 1000)


@given(timeouts, st.none() | st.floats(0.001, 10**6))
def test_two_heartbeats_may_be_lost(timeout: int, chosen: float | None) -> None:
    interval = beat_interval_s(timeout, chosen)
    assert 0 < interval <= lease_s(timeout) / 3
    if chosen is None:
        assert interval == lease_s(timeout) / 3
    else:
        assert interval <= chosen
        assert interval in (chosen, lease_s(timeout) / 3)


@given(st.floats(0.001, 10**6))
def test_a_heartbeat_without_answer_is_soon_tried_again(interval: float) -> None:
    again = after_failed_beat_s(interval)
    assert 0 < again <= 1.0 and again <= interval / 4
    assert again in (1.0, interval / 4)
