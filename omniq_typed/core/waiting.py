"""How long an idle worker waits, and one that cannot reach the server. Pure."""

from __future__ import annotations

POLL_INTERVAL_S = 0.5
"""An idle worker looks by itself this often: foreign publishers wake nobody."""
MAX_RECONNECT_S = 2.0
"""A worker that cannot reach the server tries again at least this often."""


def idle_wait_s(now_ms: int, next_due_ms: int, poll_s: float = POLL_INTERVAL_S) -> float:
    """Seconds until there may be something to take: the next job or lease that falls due, at most
    the poll interval, at least 1 ms."""
    if next_due_ms <= 0:
        return poll_s
    return max(0.001, min(poll_s, (next_due_ms - now_ms) / 1000))


def reconnect_wait_s(failures: int, unit: float) -> float:
    """Seconds before trying the server again: 0.1, 0.2, 0.4 … 2, of which a random half: a server
    that is back is to have all its workers within a few seconds.

    `unit` is a random number of 0 ≤ unit < 1.
    """
    bound = min(MAX_RECONNECT_S, 0.1 * 2.0 ** min(failures - 1, 10))
    return bound * (0.5 + unit / 2)
