"""The last resort against a test that never ends.

pytest-timeout raises in the test. Where that is swallowed, or where what cleans up after it hangs
too, nobody would stop the run, or say where it stands. Here the process writes the stacks of all
its threads to the real stderr and exits; pytest-xdist counts that test as failed, and goes on with
another process.
"""

from __future__ import annotations

import faulthandler
import os
from collections.abc import Generator
from contextlib import contextmanager

import pytest

CLEANING_UP_S = 90.0
"""What a test may take to clean up after its own time is over."""

_stderr = pytest.StashKey[int]()


def keep_stderr(config: pytest.Config) -> None:
    """To be called while pytest does not capture it."""
    config.stash[_stderr] = os.dup(2)


@contextmanager
def guarded(item: pytest.Item) -> Generator[None]:
    """Within, the process has the time of the test, and `CLEANING_UP_S` more."""
    mark = item.get_closest_marker("timeout")
    limit_s = float(mark.args[0] if mark else item.config.getini("timeout")) + CLEANING_UP_S
    faulthandler.dump_traceback_later(limit_s, exit=True, file=item.config.stash[_stderr])
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
