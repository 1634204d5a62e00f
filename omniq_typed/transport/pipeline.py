"""Commands that are under way on one connection at the same time, and their replies in order."""

from __future__ import annotations

import threading
from typing import Any

from omniq_typed.errors import ConnectionLost
from omniq_typed.transport.line import Line, ServerSaid
from omniq_typed.transport.lines import Lines


class Pipeline:
    """A line that is lent to several calls, one sent behind the other: the server runs them in that
    order, and begins with one as soon as it has answered the one before. The line goes back to its
    store when no reply is owed any more. Thread-safe: replies may be asked for in any order."""

    def __init__(self, lines: Lines, line: Line) -> None:
        self.lines = lines
        self._line = line
        self._lock = threading.Lock()
        self._sent = 0
        self._read = 0
        self._early: dict[int, Any] = {}
        self._is_over = False
        self._is_whole = True

    @property
    def is_whole(self) -> bool:
        """Whether all went well so far. If not, some of what was sent may have to be sent again,
        and would come behind anything that is sent now."""
        return self._is_whole

    def send(self, packed: bytes) -> int | None:
        """Sends a command; answers its number, for `reply`. None: the line is not ours any more.
        Raises ConnectionLost, to those that are owed replies as well."""
        with self._lock:
            if self._is_over:
                return None
            was_whole, self._is_over, self._is_whole = self._is_whole, True, False
            self.lines.send(self._line, packed)
            self._is_over, self._is_whole = False, was_whole  # it went well
            self._sent += 1
            return self._sent

    def reply(self, number: int, within_s: float | None = None) -> Any:
        """The reply to the command of this number, once. Raises ConnectionLost, also where the
        server is silent for `within_s` or, by default, the time that the client was made with."""
        if not self._lock.acquire(timeout=-1 if within_s is None else within_s):
            raise ConnectionLost("no connection to the server", "an earlier reply is awaited")
        try:
            while self._read < number:
                self._early[self._read + 1] = self._next(within_s)
                self._read += 1
            return self._early.pop(number)
        finally:
            self._lock.release()

    def _next(self, within_s: float | None) -> Any:
        if self._is_over:
            raise ConnectionLost("no connection to the server", "an earlier reply was lost")
        more = self._read + 1 < self._sent
        was_whole, self._is_over, self._is_whole = self._is_whole, True, False
        (reply,) = self.lines.receive(self._line, 1, within_s, more=more)
        self._is_over = not more
        self._is_whole = was_whole and type(reply) is not ServerSaid
        return reply
