"""When to renew a lease. Pure."""

from __future__ import annotations

DEFAULT_TIMEOUT_MS = 60_000
"""The lease of a job whose timeout is 0 or absent; the same number as in lua/lib/lease_end.lua."""


def lease_s(timeout_ms: int) -> float:
    """How long a lease lasts, in seconds."""
    return (timeout_ms if timeout_ms > 0 else DEFAULT_TIMEOUT_MS) / 1000


def beat_interval_s(timeout_ms: int, chosen_s: float | None = None) -> float:
    """Time between heartbeats in seconds: a third of the lease, so that two may be lost; a chosen
    interval only where it is shorter."""
    third = lease_s(timeout_ms) / 3
    return third if chosen_s is None else min(chosen_s, third)


def after_failed_beat_s(interval_s: float) -> float:
    """How soon to try again when the server did not answer."""
    return min(interval_s / 4, 1.0)
