"""One worker process as its supervisor sees it, and the place that it fills."""

from __future__ import annotations

import math
import random
import signal
import time
from collections.abc import Mapping
from typing import Any

from omniq_typed.cli.processes.exits import of_signal
from omniq_typed.cli.processes.link import Started

STEADY_S = 30.0
"""Who lived that long did not die of its start: the next one starts at once."""
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 30.0


class Child(Started):
    """Times are those of the monotonic clock."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Starts the process, with these variables besides our own. Raises OSError."""
        super().__init__(environment)
        self.started_at = time.monotonic()
        self.loaded = False
        self.health: dict[str, Any] | None = None
        self.silent_s = 0.0
        """How long it has told nothing while we listened; it speaks twice a second."""
        self.asked_to_end = False
        self.kill_at = math.inf
        self.killed = False

    @property
    def pid(self) -> int:
        """Of the process."""
        return self.process.pid

    @property
    def live(self) -> bool:
        """False: it says that it is stuck."""
        return self.health is None or bool(self.health["live"])

    @property
    def to_be_heard(self) -> bool:
        """Whether it should tell how it is: one that imports its program does not yet, and one that
        ends does no more."""
        return self.loaded and not self.asked_to_end and not self.killed

    @property
    def ready(self) -> bool:
        """Whether it says that it takes jobs."""
        return self.health is not None and bool(self.health["ready"])

    def ask_to_end(self, within_s: float) -> None:
        """Once; it is to be killed if it has not ended by then."""
        if not self.asked_to_end:
            self.asked_to_end = True
            self.kill_at = time.monotonic() + within_s
            self.process.terminate()

    def kill(self) -> None:
        """At once, and once."""
        self.kill_at = math.inf
        self.killed = True
        self.process.kill()

    def exit_code(self) -> int | None:
        """As a shell has it, 128 + N for a signal; None: it runs."""
        code = self.process.poll()
        return of_signal(-code) if code is not None and code < 0 else code


class Place:
    """What one of N processes after another fills. `number`: from 1, for messages."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.child: Child | None = None
        self.start_at = 0.0
        self._early_deaths = 0

    def wait_after(self, lived_s: float) -> float:
        """How long to wait with the next process: not at all after the first death, then ever
        longer while none lives long. Seconds."""
        self._early_deaths = 0 if lived_s >= STEADY_S else self._early_deaths + 1
        if self._early_deaths < 2:
            wait_s = 0.0
        else:
            wait_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** min(self._early_deaths - 2, 10))
            wait_s *= random.uniform(0.75, 1.0)
        self.start_at = time.monotonic() + wait_s
        return wait_s

    def start_now(self) -> None:
        """Forgets the deaths before."""
        self._early_deaths, self.start_at = 0, 0.0

    def start_never(self) -> None:
        """Until `start_now`."""
        self.start_at = math.inf


def how_it_ended(code: int) -> str:
    """For messages."""
    if code <= 128:
        return f"ended with code {code}"
    try:
        name = signal.Signals(code - 128).name
    except ValueError:
        name = f"signal {code - 128}"
    why = {
        "SIGKILL": " (as the kernel does where memory runs out)",
        "SIGSEGV": " (a fault in a C extension; PYTHONFAULTHANDLER=1 shows where)",
    }
    return f"was killed by {name}{why.get(name, '')}"
