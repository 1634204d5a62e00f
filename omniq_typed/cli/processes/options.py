"""What the command `omniq-typed worker` was told."""

from __future__ import annotations

from dataclasses import dataclass

from omniq_typed.core.prefetch import MAX_PREFETCH
from omniq_typed.core.waiting import POLL_INTERVAL_S

RELOAD_GRACE_S = 2.0
"""With --reload running jobs have at most this long: who edits wants to see the effect."""


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """`app`: module:attribute; `queues` empty: all; `health_port` None: no probes, 0: any free
    one; `stuck_after_s` 0: never."""

    app: str
    queues: tuple[str, ...] = ()
    processes: int = 1
    max_prefetch: int = MAX_PREFETCH
    poll_interval_s: float = POLL_INTERVAL_S
    drain: bool = True
    grace_s: float = 30.0
    stuck_after_s: float = 60.0
    health_host: str = "127.0.0.1"
    health_port: int | None = None
    reload: bool = False
    log_level: str = "info"

    def __post_init__(self) -> None:
        if self.reload:
            object.__setattr__(self, "grace_s", min(self.grace_s, RELOAD_GRACE_S))

    @property
    def supervised(self) -> bool:
        """Whether the work is done by processes of their own."""
        return self.processes > 1 or self.reload

    @property
    def how(self) -> str:
        """What becomes of running jobs at the end, for messages."""
        return f"running jobs have {self.grace_s:g} s" if self.drain else "giving running jobs back"
