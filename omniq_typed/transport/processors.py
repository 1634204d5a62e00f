"""How many processors this process may use."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

_CGROUP_LIMIT = Path("/sys/fs/cgroup/cpu.max")


@cache
def has_processors_to_spare() -> bool:
    """Whether a thread that waits awake takes no processor from those who work: there are two at
    least, and a container is not held to less."""
    return processors(_CGROUP_LIMIT) >= 2


def processors(limit: Path) -> float:
    """Those of the machine that this process may run on, or as many as the limit of its container
    allows: a file as cgroup v2 writes it, microseconds of time and of the period in which it may be
    used."""
    try:
        count = len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        count = os.cpu_count() or 1
    try:
        time_us, period_us = limit.read_text().split()
        return min(count, int(time_us) / int(period_us))
    except (OSError, ValueError, ZeroDivisionError):  # there is none: no file, or the word "max"
        return count
