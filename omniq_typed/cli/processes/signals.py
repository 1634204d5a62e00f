"""Signals for a main thread that sits in one loop and waits for several things at once."""

from __future__ import annotations

import os
import select
import signal
import socket
from collections import deque
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from types import FrameType


def stop_signals() -> list[signal.Signals]:
    """Those that ask a worker to end. SIGHUP, of a terminal that is gone, not where nohup has it
    ignored."""
    found = [signal.SIGTERM, signal.SIGINT]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        found.append(signal.SIGHUP)
    return found


class Listener:
    """`wait` and `heard` are for the main thread, `wake_up` for all."""

    def __init__(self) -> None:
        self._waking, self._wake = socket.socketpair()
        for end in (self._waking, self._wake):
            end.setblocking(False)
        self._heard: deque[int] = deque()
        self._pid = os.getpid()

    @contextmanager
    def listening(self, signums: Iterable[signal.Signals]) -> Generator[None]:
        """Within, these signals are heard, and nothing else is done with them."""
        before = {each: signal.signal(each, self._on_signal) for each in signums}
        old_fd = signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(old_fd)
            for signum, handler in before.items():
                # None: set by something else than Python, which Python cannot set again.
                signal.signal(signum, signal.SIG_DFL if handler is None else handler)

    def wait(self, sockets: Iterable[socket.socket], timeout_s: float) -> None:
        """Until one of the sockets can be read, a signal comes, `wake_up`, or the time is over."""
        poll = select.poll()  # select knows no descriptor over 1023
        for each in (self._waking, *sockets):
            poll.register(each, select.POLLIN)
        poll.poll(max(10, timeout_s * 1000))
        with suppress(BlockingIOError):
            self._waking.recv(4096)

    def heard(self) -> Generator[signal.Signals]:
        """The signals since the last look, in order."""
        while self._heard:
            yield signal.Signals(self._heard.popleft())

    def wake_up(self) -> None:
        """Ends `wait`, from any thread."""
        with suppress(OSError):
            self._wake.send(b"\0")

    def close(self) -> None:
        """Nobody waits any more."""
        self._waking.close()
        self._wake.close()

    def _on_signal(self, signum: int, frame: FrameType | None) -> None:
        if os.getpid() == self._pid:
            self._heard.append(signum)
            return
        # A process that a handler forked: it ends by its signals as it would anyway.
        signal.signal(signum, signal.SIG_DFL)
        os.kill(os.getpid(), signum)
