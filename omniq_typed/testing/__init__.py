"""What users test their messages and handlers with. Needs the extra `omniq-typed[testing]`."""

from omniq_typed.testing.attempts import Attempt, Attempts, Ending, StillBusy
from omniq_typed.testing.memory_bus import AsyncMemoryBus, MemoryBus, memory
from omniq_typed.testing.records import JobRecord
from omniq_typed.testing.stepped_bus import AsyncSteppedBus, SteppedBus

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
]
