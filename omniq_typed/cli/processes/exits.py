"""The exit codes of `omniq-typed worker`, for whoever restarts it."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum


class Exit(IntEnum):
    """Beside these, 128 + N: a second signal N, or that which a process of several died of.

    Only `MEND` is not helped by starting again.
    """

    DRAINED = 0
    """Stopped as it was asked to."""
    CRASHED = 1
    """A fault of the worker itself, with a traceback."""
    MEND = 2
    """A wrong call, or what an operator has to mend: an app that cannot be imported, a password,
    rights at the server, a port in use."""
    STUCK = 3
    """It ended itself because a lane was stuck; the other lanes were drained before."""


def of_signal(signum: int) -> int:
    """The code of an end by a signal."""
    return 128 + signum


def worst(codes: Iterable[int]) -> int:
    """The code of a supervisor, from those of its processes."""
    return max(codes, default=int(Exit.DRAINED))
