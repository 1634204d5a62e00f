"""How large a storm is, and what happens in it, in which order: all of it follows from the seed."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

LONG_FAULTS: Mapping[str, int] = {
    "kill_worker": 45,
    "kill_publisher": 15,
    "stop_worker": 12,
    "kill_connections": 50,
    "flush_scripts": 20,
    "cut_reply": 200,
    "stall_worker": 6,
    "kill_server": 10,
    "stall_server": 4,
    "out_of_memory": 1,
    "too_few_replicas": 1,
    "replica_role": 1,
}
SHORT_FAULTS: Mapping[str, int] = {
    "kill_worker": 6,
    "kill_publisher": 2,
    "stop_worker": 1,
    "kill_connections": 5,
    "flush_scripts": 3,
    "cut_reply": 16,
    "stall_worker": 1,
    "kill_server": 2,
    "stall_server": 1,
    "out_of_memory": 1,
    "replica_role": 1,
}
"""What each does is in faults.py, under the same name."""


@dataclass(frozen=True)
class Fault:
    """One thing that is going to happen. `pause_s`: quiet time before it; `unit`, 0 ≤ unit < 1,
    decides to whom, and how long."""

    kind: str
    pause_s: float
    unit: float


@dataclass(frozen=True)
class Size:
    """How much of everything. `recovery_s`: within what time each worker has to take jobs again;
    `patience_s`: until when the last job has to be done."""

    jobs: int
    workers: int
    faults: Mapping[str, int]
    lease_ms: int
    refusal_s: float
    recovery_s: float
    patience_s: float = 120.0


LONG = Size(20_000, 6, LONG_FAULTS, lease_ms=1500, refusal_s=5.0, recovery_s=5.0)
# CI machines are slow, and share their processors.
SHORT = Size(1_500, 4, SHORT_FAULTS, lease_ms=1500, refusal_s=2.0, recovery_s=15.0)
PUBLISHERS = 3


def fault_plan(seed: int, faults: Mapping[str, int]) -> list[Fault]:
    """In the order in which they happen, one after the other."""
    rng = random.Random(f"{seed}/faults")
    kinds = [kind for kind, count in faults.items() for _ in range(count)]
    rng.shuffle(kinds)
    return [Fault(kind, rng.uniform(0.02, 0.5), rng.random()) for kind in kinds]
