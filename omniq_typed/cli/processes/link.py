"""What a worker process tells its supervisor, over a socket that both hold for all their lives.

One JSON object a line. Each side notices at the socket's end that the other has died, however it
died: so no worker outlives its supervisor.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, Self

VARIABLE = "OMNIQ_WORKER_LINK"
"""Names the file descriptor of the socket to the process that is started; gone once it is read."""

LEFT_TO_THE_SUPERVISOR = (signal.SIGINT, signal.SIGHUP)
"""A terminal sends them to every process; what ours are to do says the supervisor."""


@dataclass(frozen=True, slots=True)
class Message:
    """`kind` says which of the others are set: 'loaded' (`lines` tell what it works on, `folders`
    hold its code), 'failed' (`error`: what an operator has to mend), 'health' (`health`)."""

    kind: str
    lines: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    error: str = ""
    health: dict[str, Any] | None = None

    @classmethod
    def read(cls, line: bytes) -> Self:
        """Raises ValueError, TypeError."""
        fields = json.loads(line)
        for name in ("lines", "folders"):
            fields[name] = tuple(fields[name])
        return cls(**fields)


class Link:
    """The worker's end. For one thread; nothing waits. Where the supervisor has been stopped and
    does not read, it is told less."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.socket = sock
        """Readable once `is_broken`."""
        self._cut = False

    @classmethod
    def from_environment(cls) -> Self | None:
        """The link of this process, which from now on leaves some signals to its supervisor; None:
        it has none."""
        number = os.environ.pop(VARIABLE, "")
        if not number:
            return None
        sock = socket.socket(fileno=int(number))
        sock.set_inheritable(False)  # what a handler starts must not hold our end
        for signum in LEFT_TO_THE_SUPERVISOR:
            pass_over(signum)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, LEFT_TO_THE_SUPERVISOR)
        return cls(sock)

    def tell(self, message: Message) -> None:
        """Sends a message, unless there is no room for it."""
        line = json.dumps(asdict(message)).encode() + b"\n"
        with suppress(OSError):
            if self._cut:
                self.socket.sendall(b"\n")  # ends half a line, which is none to the reader
            self._cut = True
            self.socket.sendall(line)
            self._cut = False

    def is_broken(self) -> bool:
        """Whether the supervisor is gone."""
        try:
            return not self.socket.recv(64)
        except BlockingIOError:
            return False
        except OSError:
            return True


def pass_over(signum: signal.Signals) -> None:
    """Lets a signal do nothing. No SIG_IGN, which programs that a handler starts would inherit."""
    signal.signal(signum, lambda signum, frame: None)


class Started:
    """The supervisor's end: a process that it started, and what came from it."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Starts this very program once more, as it was started itself, with these variables
        besides. Raises OSError."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                # It starts with these blocked, lest Ctrl-C ends it in the middle of its imports.
                signal.pthread_sigmask(signal.SIG_BLOCK, LEFT_TO_THE_SUPERVISOR)
                self.process = subprocess.Popen(
                    [sys.executable, *sys.orig_argv[1:]],
                    env={**os.environ, **environment, VARIABLE: str(theirs.fileno())},
                    pass_fds=[theirs.fileno()],
                )
            except OSError:
                ours.close()
                raise
            finally:
                signal.pthread_sigmask(signal.SIG_UNBLOCK, LEFT_TO_THE_SUPERVISOR)
        ours.setblocking(False)
        self.socket = ours
        self.silenced = False
        """Whether nothing can come from it any more."""
        self._rest = b""

    def messages(self) -> Iterator[Message]:
        """What has come since the last look. What is no message is passed over: a process that
        dies may leave half a line."""
        for line in self._lines():
            with suppress(ValueError, TypeError, KeyError):
                yield Message.read(line)

    def _lines(self) -> list[bytes]:
        try:
            while data := self.socket.recv(65536):
                self._rest += data
            self.silenced = True
        except BlockingIOError:
            pass
        except OSError:
            self.silenced = True
        *lines, self._rest = self._rest.split(b"\n")
        return lines

    def close(self) -> None:
        """Of a process that has ended."""
        self.socket.close()
