"""Notices forks. The child of a handler that forked has one thread, a copy of the lane's: where it
returns into the lane, it must not go on as a second worker with the leases of the first."""

from __future__ import annotations

import logging
import os

log = logging.getLogger("omniq_typed.worker")

CHILD_EXIT_CODE = 70
"""EX_SOFTWARE: the program forked and did not end its child."""


class Forks:
    """`count`: how many forks lie between the first process of the program and this one."""

    def __init__(self) -> None:
        self.count = 0
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forked)

    def _forked(self) -> None:
        self.count += 1


FORKS = Forks()


def leave_child() -> None:
    """Ends the process, a forked one that came out of a handler. Without cleaning up: connections
    and files are its parent's."""
    log.error("a handler forked and its child returned into the worker; it ends here")
    os._exit(CHILD_EXIT_CODE)
