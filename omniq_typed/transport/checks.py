"""When a script is to ask the server whether the user may run all of it.

A script that is stopped halfway by a missing right has half an effect, so it asks before it
changes anything (lua/lib/require_commands.lua). Asking takes the server longer than working, and
rights hardly ever change: a transport has each script ask now and then.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from omniq_typed.core.scripts import Script

CHECK_EVERY_S = 10.0
"""How long a right that was taken away may go unnoticed by a script that ran before."""


class PermissionChecks:
    """What one transport knows of one user. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._passed_at: dict[str, float] = {}

    def is_due(self, script: Script, in_s: float = 0.0) -> bool:
        """Whether the next call, which runs in so many seconds, has to ask."""
        passed_at = self._passed_at.get(script.sha)
        return passed_at is None or self._clock() + in_s - passed_at >= CHECK_EVERY_S

    def passed(self, script: Script) -> None:
        """A call that asked has come to its end."""
        self._passed_at[script.sha] = self._clock()

    def forget(self) -> None:
        """After an error, or on a new connection, whose user may be another: all scripts ask."""
        self._passed_at.clear()
