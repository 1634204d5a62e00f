"""How a worker stops: SIGTERM and Ctrl-C, once gently, twice at once."""

from __future__ import annotations

import logging
import math
import os
import signal
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Any

from omniq_typed.core.arguments import check_seconds
from omniq_typed.worker.ear import Ear

log = logging.getLogger("omniq_typed.worker")

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_NUDGE = signal.SIGURG  # ignored where nobody handles it, and hardly ever sent
_NUDGES_S = (0.1, 0.2, 0.4, 0.8, 1.6)
NOTICE_S = 0.1
"""A stop is noticed this soon by whoever waits for it."""


class StopNow(BaseException):
    """Raised by the signal handler inside a job's handler in the main thread. No Exception, so that
    a handler's own `except Exception` does not swallow it."""


class StopRequest:
    """Made by a signal, by `request` or by the user's event, which is only read; never taken back.

    `drain`: a running handler is waited for, at most `grace_s` seconds where that is given. Without
    it, it is interrupted and its job given back.
    """

    def __init__(
        self,
        *,
        drain: bool,
        event: threading.Event | None = None,
        grace_s: float | None = None,
        handle_signals: bool = True,
    ) -> None:
        """Raises InvalidArgument."""
        self.drain = drain
        self.grace_s = None if grace_s is None else check_seconds("grace_s", grace_s, 0.0)
        self._handle_signals = handle_signals
        self._event = event
        # Plain values, looked at again and again: a signal handler that took a lock (to set an
        # Event, to log) could wait for ever for the code that it interrupts.
        self._requested = False
        self._hurried = False
        self._requested_by_signal = False
        self._times_heard = self._times_handled = 0
        self._breakable = False
        self._may_nudge = False
        self._first: SimpleQueue[int] = SimpleQueue()  # the one queue that a signal may put to
        self._before: dict[signal.Signals, Any] = {}
        self._pid = os.getpid()

    @property
    def requested(self) -> bool:
        """Whether the worker has to stop."""
        return self._requested or (self._event is not None and self._event.is_set())

    @property
    def only_by_signal(self) -> bool:
        """Whether nothing but a signal stops it: the user gave no event, which cannot interrupt a
        handler as a signal can."""
        return self._event is None and self._handle_signals

    def request(self) -> None:
        """Stops the worker, from any thread."""
        self._requested = True

    def hurry(self) -> None:
        """Stops the worker, from any thread, and without grace: running jobs are given back now."""
        self._hurried = True
        self._requested = True

    @property
    def hurried(self) -> bool:
        """Whether running jobs are waited for no longer."""
        return self._hurried or not self.drain

    @property
    def only_handlers_end_it(self) -> bool:
        """Whether nothing ends the wait for running handlers but themselves and a signal."""
        return self.grace_s is None and self._handle_signals

    def wait(self, timeout_s: float = math.inf) -> bool:
        """Until the stop is requested, at most so long. Answers whether it is."""
        ends_at = time.monotonic() + timeout_s
        while not self.requested:
            left = ends_at - time.monotonic()
            if left <= 0:
                return False
            time.sleep(min(left, NOTICE_S))
        return True

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
        """Takes over SIGTERM and SIGINT while the worker runs; does nothing where it is not to, and
        outside the main thread, where Python cannot."""
        in_main = threading.current_thread() is threading.main_thread()
        if not (in_main and self._handle_signals):
            yield
            return
        with self._handlers(), self._telling(), Ear(self._hear).listening():
            yield

    @contextmanager
    def _handlers(self) -> Generator[None]:
        handlers: dict[signal.Signals, Any] = dict.fromkeys(_SIGNALS, self._on_signal)
        if not self.drain and signal.getsignal(_NUDGE) in (signal.SIG_DFL, signal.SIG_IGN):
            handlers[_NUDGE] = _ignore
        self._may_nudge = _NUDGE in handlers
        self._before = {each: signal.signal(each, handler) for each, handler in handlers.items()}
        try:
            yield
        finally:
            for each in handlers:
                self._restore(each)

    @contextmanager
    def _telling(self) -> Generator[None]:
        teller = threading.Thread(target=self._tell, name="omniq-stop", daemon=True)
        teller.start()
        try:
            yield
        finally:
            self._first.put(0)
            teller.join()

    # A signal reaches us in two ways: the ear's thread hears it at once, and Python calls the
    # handler when the main thread runs bytecode, which may be much later. Neither is enough: the
    # main thread may be stuck, and an event loop that a handler runs may take the ear's place. So
    # both note the first signal, and each counts for itself: one signal comes once each way at
    # most, and so only a second one can come a second time by the same.

    def _hear(self, signum: int) -> None:
        """From the ear, in its thread."""
        if signum in _SIGNALS:
            self._times_heard += 1
            self._note(signum, self._times_heard)

    def _on_signal(self, signum: int, frame: FrameType | None) -> None:
        """From Python, in the main thread."""
        if os.getpid() != self._pid:  # a child that a handler forked: it ends as it would anyway
            self._restore(signal.Signals(signum))
            os.kill(os.getpid(), signum)
            return
        self._times_handled += 1
        self._note(signum, self._times_handled)
        if self._breakable:
            raise StopNow

    def _note(self, signum: int, times: int) -> None:
        """First signal: stop as agreed. Second: leave at once; leases run out by themselves."""
        if times > 1:
            os._exit(128 + signum)
        if not self._requested_by_signal:
            self._requested_by_signal = self._requested = True
            self._first.put(signum)

    def _restore(self, signum: signal.Signals) -> None:
        # None: set by something else than Python, which Python cannot set again.
        before = self._before[signum]
        signal.signal(signum, signal.SIG_DFL if before is None else before)

    def _tell(self) -> None:
        signum = self._first.get()
        if signum:
            name = signal.Signals(signum).name
            how = "finishing running jobs" if self.drain else "giving running jobs back"
            log.warning("%s: stopping, %s; once more to leave at once", name, how)
            self._nudge()

    def _nudge(self) -> None:
        """Where StopNow is due and the main thread has gone into a blocking call just before the
        signal could be handled, another signal breaks that off, so that Python looks. Not for
        ever: code of C may begin anew each time."""
        main = threading.main_thread().ident
        for pause_s in _NUDGES_S:
            with suppress(Empty):
                self._first.get(timeout=pause_s)
                return  # the end
            if self._times_handled or not self._may_nudge:
                return
            if self._breakable and main is not None:
                signal.pthread_kill(main, _NUDGE)


def _ignore(signum: int, frame: FrameType | None) -> None:
    """That it came is all that it is for."""
