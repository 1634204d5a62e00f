"""Waits for what other processes write."""

from __future__ import annotations

import time
from collections.abc import Callable

LOOK_EVERY_S = 0.05
"""A look reads files: more often, and the storm would be about us."""


def wait_until(condition: Callable[[], bool], what: str, timeout_s: float) -> None:
    """TimeoutError if the condition stays false."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {timeout_s} s: {what}")
        time.sleep(LOOK_EVERY_S)
