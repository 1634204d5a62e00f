"""The connections to one server: idle ones to be lent, and new ones when none is idle.

A line is out of the store while it is in use, and comes back only when its last reply has been
read. So no thread needs a lock or a connection of its own; a call that is cut off (Ctrl-C, a lost
reply) costs its line; and threads that end leave nothing behind but idle lines.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any
from weakref import ref

from omniq_typed.errors import ConnectionLost
from omniq_typed.transport.line import Line, ServerSaid
from omniq_typed.transport.opening import Opening

SPARE_S = 60.0
"""A line that was not needed for so long is closed, where others are idle, too."""

# After these the server is another than it was, or the user: a new connection may find better.
_TO_BE_LEFT = ("READONLY", "MASTERDOWN", "UNBLOCKED", "NOAUTH")


def is_to_be_left(reply: Any) -> bool:
    """Whether the connection of this reply is to be given up."""
    return type(reply) is ServerSaid and reply.code in _TO_BE_LEFT


class Lines:
    """Thread-safe. `opened` is called after each new connection."""

    def __init__(self, opening: Opening, opened: Callable[[], None]) -> None:
        self._opening = opening
        self._reply_timeout_s = opening.reply_timeout_s
        self._opened = opened
        # Without locks: a child that is forked meanwhile would find them taken for ever. Each step
        # on these is one of CPython's, and whole.
        self._idle: deque[Line] = deque()
        self._all: dict[int, ref[Line]] = {}

    def take(self, within_s: float | None = None) -> Line:
        """An idle line, or a new one, for `ask` or `send`. Raises ServerError, and then nothing
        was sent."""
        while True:
            try:
                line = self._idle.pop()
            except IndexError:
                return self._open(within_s)
            if line.is_ready:
                return line
            self._close(line)

    def ask(self, line: Line, packed: bytes, within_s: float | None = None) -> Any:
        """Sends a command and waits for its reply, a ServerSaid where it is an error. Raises
        ConnectionLost, also where the server is silent for `within_s` or, by default, the time that
        the client was made with."""
        patience_s = self._patience_s(within_s)
        try:
            line.send(packed, patience_s)
            reply = line.receive(patience_s)
        except BaseException:
            self._lose(line)
            raise
        self._give_back(line, is_to_be_left(reply))
        return reply

    def ask_all(
        self, line: Line, packed: bytes, count: int, within_s: float | None = None
    ) -> list[Any]:
        """`ask` for several commands in one write; one reply for each."""
        self.send(line, packed, within_s)
        return self.receive(line, count, within_s)

    def send(self, line: Line, packed: bytes, within_s: float | None = None) -> None:
        """The first half of `ask_all`. A line that is left alone then closes."""
        try:
            line.send(packed, self._patience_s(within_s))
        except BaseException:
            self._lose(line)
            raise

    def receive(
        self, line: Line, count: int, within_s: float | None = None, *, more: bool = False
    ) -> list[Any]:
        """The second half of `ask_all`. `more`: other replies are owed on the line, which is kept
        in use therefore."""
        patience_s = self._patience_s(within_s)
        try:
            if not line.is_ours:
                raise ConnectionLost("the reply goes to the process that this one was forked from")
            replies = [line.receive(patience_s) for _ in range(count)]
        except BaseException:
            self._lose(line)
            raise
        if not more:
            self._give_back(line, any(map(is_to_be_left, replies)))
        return replies

    @property
    def patience_s(self) -> float:
        """How long the server may be silent when it owes a reply."""
        return self._reply_timeout_s

    def drop_idle(self) -> None:
        """Closes all that nobody uses."""
        while self._idle:
            try:
                self._idle.pop().close()
            except IndexError:  # another thread was quicker
                return

    def close(self) -> None:
        """Closes all; whoever waits for a reply in another thread gets ConnectionLost."""
        self.drop_idle()
        for each in list(self._all.values()):
            if (line := each()) is not None:
                line.hang_up()

    def _patience_s(self, within_s: float | None) -> float:
        return self._reply_timeout_s if within_s is None else within_s

    def _open(self, within_s: float | None) -> Line:
        line = Line(self._opening, within_s)
        for key, each in list(self._all.items()):
            if each() is None:  # sent on and left alone
                self._all.pop(key, None)
        self._all[id(line)] = ref(line)
        self._opened()
        return line

    def _give_back(self, line: Line, leave: bool) -> None:
        if leave:
            self._close(line)
            return
        now = line.idle_since = time.monotonic()
        self._idle.append(line)
        if len(self._idle) == 1:
            return
        try:
            if self._idle[0].idle_since < now - SPARE_S:
                self._close(self._idle.popleft())
        except IndexError:  # another thread took it
            pass

    def _lose(self, line: Line) -> None:
        """What ended one connection mostly ended its neighbours, too: they would cost each of the
        next callers a reply, or the wait for it."""
        self._close(line)
        self.drop_idle()

    def _close(self, line: Line) -> None:
        self._all.pop(id(line), None)
        line.close()
