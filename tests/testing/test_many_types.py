"""Sixty realistic types at length: each value is valid, cheap and comes back; every law holds."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from omniq_typed import MessageType
from omniq_typed.errors import UndecodableJob
from omniq_typed.messages.codec import decode, encode
from omniq_typed.testing import laws, near_miss, payloads
from tests.catalogue import REGISTRY as CATALOGUE_REGISTRY
from tests.testing.realistic_types import REGISTRY, TYPES

pytestmark = pytest.mark.slow

EXAMPLES = 200
MOST_MS = 5.0
FEW_VALUES = 10
"""Flags and enums: Hypothesis stops where there are no more."""
SIXTY = TYPES[-60:]
every_type = pytest.mark.parametrize("message_type", SIXTY, ids=lambda it: it.name)

_cost_ms: list[float] = []


@every_type
def test_all_values_are_valid(message_type: MessageType[Any]) -> None:
    """All health checks of Hypothesis are on, but for the one whose clock goes on while others have
    the processor: what it is about is judged below."""
    seen = 0

    @settings(
        max_examples=EXAMPLES,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(payloads(message_type))
    def draw(value: Any) -> None:
        nonlocal seen
        seen += 1
        values.append(value)

    values: list[Any] = []
    started = time.process_time()
    draw()
    _cost_ms.append((time.process_time() - started) * 1e3 / seen)
    for value in values:
        assert decode(message_type, encode(message_type, value)) == value
    assert seen == EXAMPLES or len({repr(each) for each in values}) < FEW_VALUES


def test_values_are_cheap_on_average() -> None:
    assert len(_cost_ms) == len(SIXTY), "runs behind the test above, in one process"
    assert sum(_cost_ms) / len(_cost_ms) < MOST_MS


@every_type
def test_near_misses_are_refused(message_type: MessageType[Any]) -> None:
    @settings(max_examples=12, database=None, deadline=None, phases=[Phase.generate])
    @given(near_miss(message_type))
    def refuses(miss: Any) -> None:
        with pytest.raises(UndecodableJob):
            decode(message_type, miss.payload)

    refuses()


LAWS = [
    *laws.all(REGISTRY, examples=12),
    *(law for law in laws.all(CATALOGUE_REGISTRY, examples=10) if law.message_type in SIXTY),
]


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_laws_hold(law: laws.Law) -> None:
    law.check()
