"""A process whose wall clock is wrong. Put on before anything else is imported, so that nobody has
taken hold of the right one; the monotonic clock stays as it is."""

from __future__ import annotations

import time


def put_on(seconds: float) -> None:
    """From now on `time.time()` is that far off."""
    right, right_ns = time.time, time.time_ns
    time.time = lambda: right() + seconds
    time.time_ns = lambda: right_ns() + int(seconds * 1e9)
