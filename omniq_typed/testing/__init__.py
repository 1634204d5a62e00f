"""What users test their messages and handlers with. Needs the extra: `pip install
'omniq-typed[testing]'`."""

from __future__ import annotations

from importlib import import_module

try:
    import_module("hypothesis")
except ImportError as error:
    raise ImportError(
        "omniq_typed.testing needs Hypothesis: pip install 'omniq-typed[testing]'"
    ) from error

from omniq_typed.testing import laws
from omniq_typed.testing.attempts import Attempt, Attempts, Ending, StillBusy
from omniq_typed.testing.handlers import HandlerOutcome, async_handler_test, handler_test
from omniq_typed.testing.interruption import InjectedFailure, WorkerDied
from omniq_typed.testing.laws.search import LawBroken
from omniq_typed.testing.memory_bus import AsyncMemoryBus, MemoryBus, memory
from omniq_typed.testing.near_misses import NearMiss, Rule, near_miss
from omniq_typed.testing.overriding import override
from omniq_typed.testing.payloads import payloads
from omniq_typed.testing.queue_machine import QueueMachine
from omniq_typed.testing.records import JobRecord
from omniq_typed.testing.stepped_bus import AsyncSteppedBus, SteppedBus
from omniq_typed.testing.strategies.registered import register_strategy
from omniq_typed.testing.wire_payloads import wire_payloads

__all__ = [
    "AsyncMemoryBus",
    "AsyncSteppedBus",
    "Attempt",
    "Attempts",
    "Ending",
    "HandlerOutcome",
    "InjectedFailure",
    "JobRecord",
    "LawBroken",
    "MemoryBus",
    "NearMiss",
    "QueueMachine",
    "Rule",
    "SteppedBus",
    "StillBusy",
    "WorkerDied",
    "async_handler_test",
    "handler_test",
    "laws",
    "memory",
    "near_miss",
    "override",
    "payloads",
    "register_strategy",
    "wire_payloads",
]
