"""Laws that messages should keep, each a call in a test: `laws.roundtrip(OrderCreated)`.

All look for the smallest value that breaks them, and raise LawBroken with it. They take a class, a
MessageType or any other type; `values` is a strategy to use instead of `payloads(T)`; `examples`
says how many values are tried (default: as the profile of Hypothesis in force says). They raise
NoStrategy where no values are known, see `payloads`.
"""

from __future__ import annotations

from omniq_typed.testing.laws.search import LawBroken
from omniq_typed.testing.laws.single import conforms, portable, rejects_near_misses, roundtrip
from omniq_typed.testing.laws.suite import Law, all
from omniq_typed.testing.laws.versions import evolves, forward

__all__ = [
    "Law",
    "LawBroken",
    "all",
    "conforms",
    "evolves",
    "forward",
    "portable",
    "rejects_near_misses",
    "roundtrip",
]
