"""One connection to a server under asyncio. The twin of line.py, but one that many tasks share.

redis-py opens it; from then on its socket is ours. A call through a client of redis-py costs an
asyncio program ten times the processor time, and a connection for each call that is under way.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
from collections import deque
from copy import copy
from dataclasses import dataclass, field
from typing import Any

from omniq_typed.errors import ConnectionLost, UnexpectedReply
from omniq_typed.transport.faults import translated
from omniq_typed.transport.line import NOTHING, new_reader, silent
from omniq_typed.transport.opening import Opening

_SHORTLY_S = 0.05


async def open_async_line(opening: Opening) -> AsyncLine:
    """Connects. Raises ServerError."""
    connection = opening.connection()
    try:
        with translated():
            await connection.connect()
    except asyncio.CancelledError:
        await connection.disconnect(nowait=True)
        raise
    return AsyncLine(connection)


@dataclass(slots=True)
class _Call:
    """Commands that were sent together, and the replies that have come."""

    answer: asyncio.Future[list[Any]]
    count: int
    replies: list[Any] = field(default_factory=list)


class AsyncLine(asyncio.Protocol):
    """A connection on which any number of commands may be under way.

    The server answers in the order of the commands, and `_owed` has the calls in that order. One
    that was cancelled stays in it, so that its replies are read, and dropped.
    """

    def __init__(self, connection: Any) -> None:
        """`connection`: one of redis-py, connected and with nothing under way."""
        self._connection = connection
        self._transport: asyncio.Transport = connection._writer.transport
        self._before: asyncio.BaseProtocol = self._transport.get_protocol()
        self._transport.set_protocol(self)
        self._loop = asyncio.get_running_loop()
        self._readable = select.poll()
        self._readable.register(self._transport.get_extra_info("socket").fileno(), select.POLLIN)
        self._reader = new_reader()
        self._owed: deque[_Call] = deque()
        self._unsent: list[bytes] = []
        self._room = asyncio.Event()
        self._room.set()
        self._open = True
        self._retired = False
        self._heard_at = 0.0
        self._patience_s = 0.0
        self._watch: asyncio.TimerHandle | None = None

    @property
    def is_usable(self) -> bool:
        """Whether a call may be sent. Where nothing is under way, the server must neither have
        closed the connection nor said anything: the event loop may not have come to tell us."""
        if not self._open or self._retired:
            return False
        return bool(self._owed) or not self._readable.poll(0)

    @property
    def is_idle(self) -> bool:
        """Whether the server owes nothing."""
        return not self._owed

    @property
    def is_full(self) -> bool:
        """Whether more is to be sent than the server takes."""
        return not self._room.is_set()

    async def room(self) -> None:
        """Waits while it is full."""
        await self._room.wait()

    def send(self, packed: bytes, count: int, patience_s: float) -> asyncio.Future[list[Any]]:
        """Sends commands; the future of their replies, each a ServerSaid where it is an error. It
        raises ConnectionLost, also where the server is silent for `patience_s`."""
        self._patience_s = patience_s
        if self._owed:
            # With all others of this turn of the loop, in one write.
            if not self._unsent:
                self._loop.call_soon(self._flush)
            self._unsent.append(packed)
        else:
            self._heard_at = self._loop.time()
            if self._watch is None:
                self._watch = self._loop.call_later(patience_s, self._look)
            self._transport.write(packed)
        answer: asyncio.Future[list[Any]] = self._loop.create_future()
        self._owed.append(_Call(answer, count))
        return answer

    def retire(self) -> None:
        """No more calls; closes when all have been answered."""
        self._retired = True
        if not self._owed:
            self._transport.close()

    def abort(self, why: ConnectionLost) -> None:
        """Ends it at once. Whoever waits gets ConnectionLost."""
        self._open = False
        self._transport.abort()
        self._fail_all(why)

    async def close(self) -> None:
        """Ends it, and waits for that."""
        self._open = False
        self._fail_all(ConnectionLost("the connection was closed"))
        with contextlib.suppress(Exception):  # it ends in any case
            await self._connection.disconnect()

    def _flush(self) -> None:
        unsent, self._unsent = self._unsent, []
        if self._open:
            self._transport.write(b"".join(unsent))

    def _look(self) -> None:
        """One timer for all calls: is something owed, and has nothing come for too long?"""
        self._watch = None
        if not self._owed:
            return
        left_s = self._heard_at + self._patience_s - self._loop.time()
        if left_s <= 0 and not self._readable.poll(0):
            self.abort(silent(self._patience_s))
        else:  # or it has come, and the loop was held up and has not read it yet
            self._watch = self._loop.call_later(max(left_s, _SHORTLY_S), self._look)

    def data_received(self, data: bytes) -> None:
        """For asyncio: the server has sent something."""
        self._heard_at = self._loop.time()
        owed, gets = self._owed, self._reader.gets
        self._reader.feed(data)
        try:
            while (reply := gets()) is not NOTHING:
                call = owed[0]
                call.replies.append(reply)
                if len(call.replies) == call.count:
                    del owed[0]
                    if not call.answer.done():
                        call.answer.set_result(call.replies)
        except IndexError:
            self.abort(ConnectionLost("the server answers what nobody asked"))
        except UnexpectedReply as error:
            self.abort(ConnectionLost("no connection to the server", str(error)))
        if self._retired and not owed:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """For asyncio: the connection is at its end."""
        self._open = False
        why = str(exc) if exc is not None else "the server closed the connection"
        self._fail_all(ConnectionLost("no connection to the server", why))
        if isinstance(self._before, asyncio.Protocol):
            self._before.connection_lost(None)  # whoever closes redis-py's connection waits for it
        self._connection._writer = self._connection._reader = None

    def pause_writing(self) -> None:
        """For asyncio: too much is waiting to be sent."""
        self._room.clear()

    def resume_writing(self) -> None:
        """For asyncio: there is room again."""
        self._room.set()

    def _fail_all(self, why: ConnectionLost) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        self._room.set()
        while self._owed:
            answer = self._owed.popleft().answer
            if not answer.done():
                # One for each: an exception collects the traces of all who raise it.
                answer.set_exception(copy(why))
