"""What a user may implement."""

from __future__ import annotations

from typing import Final, Protocol

NEVER: Final[int] = -1
"""What a retry policy answers for a job that is not to run again: the failed lane at once."""


class RetryPolicy(Protocol):
    """When a failed job runs again."""

    def delay_ms(self, attempt: int, error: BaseException, unit: float) -> int | None:
        """Milliseconds until the next attempt; None = the job's own backoff_ms; NEVER = none.

        `attempt` counts from 1; `unit` is a random number of 0 ≤ unit < 1 for jitter, passed in so
        that a policy stays pure. A policy that raises or answers anything else is logged, and the
        job takes its own backoff_ms.
        """
