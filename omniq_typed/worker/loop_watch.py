"""Sees that an event loop is blocked, from a thread of its own: within the loop nobody could say
so before it is over."""

from __future__ import annotations

import logging
import sys
import threading
import time
import traceback

from omniq_typed.worker.health import BLOCKED_AFTER_S

log = logging.getLogger("omniq_typed.worker")

TICK_S = 0.1
"""The loop has to show this often that it turns."""
_FRAMES = 4


class LoopWatch:
    """Start it in the thread of the loop, and call `turned` every TICK_S from within the loop."""

    def __init__(self) -> None:
        self._turned_at = time.monotonic()
        self._loop_thread = 0
        self._told = False
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="omniq-loop-watch", daemon=True)

    @property
    def lag_s(self) -> float:
        """How long the loop has kept everybody waiting, 0.0 = it turns. From any thread."""
        return max(0.0, time.monotonic() - self._turned_at - 2 * TICK_S)

    def start(self) -> None:
        """Begins to watch."""
        self._loop_thread = threading.get_ident()
        self._turned_at = time.monotonic()
        self._thread.start()

    def stop(self) -> None:
        """Ends the watch; its thread is gone within BLOCKED_AFTER_S / 2, and at once as a rule."""
        self._over.set()
        self._thread.join(BLOCKED_AFTER_S)

    def turned(self) -> None:
        """The loop turns."""
        now = time.monotonic()
        if self._told:
            log.warning("the event loop turns again, after %.1f s", now - self._turned_at)
            self._told = False
        self._turned_at = now

    def _watch(self) -> None:
        looked_at = time.monotonic()
        while not self._over.wait(BLOCKED_AFTER_S / 2):
            before, looked_at = looked_at, time.monotonic()
            if looked_at - before > BLOCKED_AFTER_S:
                continue  # not the loop: the whole process stood still
            if self.lag_s >= BLOCKED_AFTER_S and not self._told:
                self._told = True
                self._tell()

    def _tell(self) -> None:
        log.warning(
            "the event loop has been blocked for %.1f s, and with it every other job; leave what"
            " computes or blocks to a thread, `await asyncio.to_thread(...)`. It is at\n%s",
            time.monotonic() - self._turned_at,
            self._place(),
        )

    def _place(self) -> str:
        frame = sys._current_frames().get(self._loop_thread)
        if frame is None:
            return "  (unknown)"
        return "".join(traceback.format_stack(frame)[-_FRAMES:]).rstrip()
