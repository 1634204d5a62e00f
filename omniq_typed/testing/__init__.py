"""Property-based tests of messages and handlers. Needs the extra: `pip install
'omniq-typed[testing]'`."""

from __future__ import annotations

try:
    import hypothesis as _hypothesis  # noqa: F401
except ImportError as error:
    raise ImportError(
        "omniq_typed.testing needs Hypothesis: pip install 'omniq-typed[testing]'"
    ) from error

from omniq_typed.testing import laws
from omniq_typed.testing.law_search import LawBroken
from omniq_typed.testing.near_misses import NearMiss, Rule, near_miss
from omniq_typed.testing.payloads import payloads
from omniq_typed.testing.strategies.registered import register_strategy
from omniq_typed.testing.wire_payloads import wire_payloads

__all__ = [
    "LawBroken",
    "NearMiss",
    "Rule",
    "laws",
    "near_miss",
    "payloads",
    "register_strategy",
    "wire_payloads",
]
