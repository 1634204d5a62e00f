"""How many jobs to take in one round trip. Pure."""

from __future__ import annotations

MAX_PREFETCH = 256
"""Jobs taken in one round trip at most, unless a worker is told otherwise."""
TARGET_S = 0.005
"""A batch is as much as the handlers do in about this time: long against a round trip, short for
the job that is last in it."""
GROWTH = 4
"""A batch is at most so many times the one before: one quick job does not say that all are."""


class Prefetch:
    """The policy of one lane, from how long its handlers take. For one thread."""

    def __init__(self, most: int = MAX_PREFETCH, target_s: float = TARGET_S) -> None:
        """`most`: never more jobs than this at once; 1 is one after another."""
        self._most = most
        self._target_s = target_s
        self._wanted = 1

    def wanted(self) -> int:
        """Jobs to take next, 1 to `most`: 1 at first, and where handlers are slow."""
        return self._wanted

    @property
    def is_quick(self) -> bool:
        """Whether handlers are so quick that the next batch may be fetched while one is worked
        off."""
        return self._wanted > 1

    def note(self, jobs: int, seconds: float) -> None:
        """A batch of so many jobs was worked off within so long. The number of jobs falls at once,
        and grows step by step."""
        if jobs <= 0:
            return
        fitting = self._most
        if seconds > 0 and seconds * self._most > self._target_s * jobs:
            fitting = max(1, int(self._target_s * jobs / seconds))
        self._wanted = min(fitting, max(self._wanted, jobs) * GROWTH, self._most)
