"""What a user may implement."""

from __future__ import annotations

from typing import Protocol


class RetryPolicy(Protocol):
    """When a failed job runs again."""

    def delay_ms(self, attempt: int, error: BaseException, unit: float) -> int | None:
        """Milliseconds until the next attempt; None = the job's own backoff_ms.

        `attempt` counts from 1; `unit` is a random number of 0 ≤ unit < 1 for jitter, passed in so
        that a policy stays pure.
        """
