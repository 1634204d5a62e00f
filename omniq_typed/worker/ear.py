"""Hears signals in a thread of its own, whatever the main thread does.

Python runs a signal handler in the main thread and between two bytecodes. Where that sits in a call
of C, or went into a blocking one just after the signal came, the handler waits for the call's end.
What Python does at once, in the system's handler, is to write the signal's number to the wakeup
descriptor. Here that is one end of a pair of sockets, and a thread reads the other.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import struct
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress

_CREDENTIALS = struct.Struct("3i")  # of a sender: process, user, group
_ears: list[Ear] = []


class Ear:
    """`heard`: called with the number of each signal that this process gets, in the ear's thread;
    with signals of one kind that came before anybody looked, once, as Python does. It must not
    block, so it must not log: whoever reads the log may be what is stuck."""

    def __init__(self, heard: Callable[[int], None]) -> None:
        self._heard = heard
        self._pid = os.getpid()
        self._before = -1
        self._over = False

    @contextmanager
    def listening(self) -> Generator[None]:
        """Within, signals are heard; a descriptor that was told of them before, as that of an event
        loop, is told still. For the main thread."""
        self._reading, self._writing = socket.socketpair()
        with self._reading, self._writing:
            self._reading.setblocking(False)
            self._writing.setblocking(False)
            if hasattr(socket, "SO_PASSCRED"):
                self._reading.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
            thread = threading.Thread(target=self._listen, name="omniq-signals", daemon=True)
            thread.start()
            try:
                with self._in_place():
                    yield
            finally:
                self._over = True
                self._writing.send(b"\0")
                thread.join()

    @contextmanager
    def _in_place(self) -> Generator[None]:
        _ears.append(self)
        # A full buffer is no fault: what is in it wakes the thread.
        fd = self._writing.fileno()
        self._before = signal.set_wakeup_fd(fd, warn_on_full_buffer=False)
        try:
            yield
        finally:
            with suppress(ValueError):  # closed since
                now = signal.set_wakeup_fd(self._before)
                if now not in (fd, -1):  # somebody else took our place, and keeps it
                    signal.set_wakeup_fd(now)
            _ears.remove(self)

    def _listen(self) -> None:
        poll = select.poll()  # select knows no descriptor over 1023
        poll.register(self._reading, select.POLLIN)
        while not self._over:
            poll.poll()
            signums = self._receive()
            if signums and self._before != -1:
                with suppress(OSError):  # full, or gone
                    os.write(self._before, signums)
            for signum in dict.fromkeys(signums):
                self._heard(signum)

    def _receive(self) -> bytes:
        """All that there is, but for what a forked child wrote: until it has forgotten the pair, or
        run another program, it has our system's handler, and what it is sent (by the terminate() of
        multiprocessing, or by Ctrl-C, which the whole group gets) must not count as ours. Linux
        tells who wrote; elsewhere that short while remains."""
        found = b""
        while True:
            try:
                data, notes, _, _ = self._reading.recvmsg(
                    4096, socket.CMSG_SPACE(_CREDENTIALS.size)
                )
            except BlockingIOError:
                return found.replace(b"\0", b"")
            if not notes or _CREDENTIALS.unpack(notes[0][2])[0] == self._pid:
                found += data


def _forget_in_child() -> None:
    """A forked child has the pair in common with its parent."""
    if not _ears:
        return
    ours = [each._writing.fileno() for each in _ears]
    _ears.clear()
    with suppress(ValueError):  # not in the main interpreter
        fd = signal.set_wakeup_fd(-1)
        if fd not in ours:
            signal.set_wakeup_fd(fd)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)
