"""How a worker stops: SIGTERM and Ctrl-C, once gently, twice at once."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType
from typing import Any

log = logging.getLogger("omniq_typed.worker")

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopNow(BaseException):
    """Raised by the signal handler inside a handler or an idle wait of the main thread. No
    Exception, so that a handler's own `except Exception` does not swallow it."""


class StopRequest:
    """Set once, by a signal or by `request`; never unset.

    `drain`: a running handler is waited for. Without it, it is interrupted and its job given back.
    """

    def __init__(self, *, drain: bool, event: threading.Event | None = None) -> None:
        self.drain = drain
        self.event = threading.Event() if event is None else event
        self._breakable = False

    @property
    def requested(self) -> bool:
        """Whether the worker has to stop."""
        return self.event.is_set()

    def request(self) -> None:
        """Stops the worker, from any thread."""
        self.event.set()

    @contextmanager
    def breakable(self) -> Generator[None]:
        """Within, a first signal raises StopNow, if this is the main thread. The caller catches it
        around the whole block."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        self._breakable = True
        try:
            if self.requested:
                raise StopNow
            yield
        finally:
            self._breakable = False

    @contextmanager
    def signals(self) -> Generator[None]:
        """Takes over SIGTERM and SIGINT while the worker runs; does nothing outside the main
        thread, where Python cannot."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {each: signal.signal(each, self._on_signal) for each in _SIGNALS}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    def announce(self, signum: int) -> None:
        """First signal: stop as agreed. Second: leave at once; leases run out by themselves."""
        if self.requested:
            os._exit(128 + signum)
        name = signal.Signals(signum).name
        how = "finishing running jobs" if self.drain else "giving running jobs back"
        log.warning("%s: stopping, %s; once more to leave at once", name, how)
        self.request()

    def _on_signal(self, signum: int, frame: FrameType | None) -> Any:
        self.announce(signum)
        if self._breakable:
            raise StopNow
