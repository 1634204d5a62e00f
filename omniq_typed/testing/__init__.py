"""What users test their messages and handlers with. Needs the extra: `pip install
'omniq-typed[testing]'`."""

from __future__ import annotations

try:
    import hypothesis as _hypothesis  # noqa: F401
except ImportError as error:
    raise ImportError(
        "omniq_typed.testing needs Hypothesis: pip install 'omniq-typed[testing]'"
    ) from error

from omniq_typed.testing.attempts import Attempt, Attempts, Ending, StillBusy
from omniq_typed.testing.memory_bus import AsyncMemoryBus, MemoryBus, memory
from omniq_typed.testing.payloads import payloads
from omniq_typed.testing.records import JobRecord
from omniq_typed.testing.stepped_bus import AsyncSteppedBus, SteppedBus
from omniq_typed.testing.strategies.registered import register_strategy

__all__ = [
    "AsyncMemoryBus",
    "AsyncSteppedBus",
    "Attempt",
    "Attempts",
    "Ending",
    "JobRecord",
    "MemoryBus",
    "SteppedBus",
    "StillBusy",
    "memory",
    "payloads",
    "register_strategy",
]
