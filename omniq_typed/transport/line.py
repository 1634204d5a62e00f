"""One connection to a server, from the bytes of a command to its reply.

redis-py opens it; from then on its socket is ours. The same call through a client of redis-py takes
five times the processor time.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import ssl
import time
from typing import Any

import hiredis
from redis.exceptions import ResponseError

from omniq_typed.errors import ConnectionLost, UnexpectedReply
from omniq_typed.transport.faults import translated
from omniq_typed.transport.opening import Opening
from omniq_typed.transport.processors import has_processors_to_spare

_READ_BYTES = 65536
NEAR_S = 0.0001
"""Where a reply came within this, the next one is looked for so long before the thread goes to
sleep: to be put to sleep and woken up takes longer than a near server takes for its answer."""
NOTHING = object()
"""What a reader gives where the next reply is not whole yet."""

# Of a socket that does not block; the last two where TLS has to talk to the server first.
_NOT_YET = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class ServerSaid(ResponseError):
    """An error reply, as the server wrote it. A reply like others until somebody raises it."""

    @property
    def code(self) -> str:
        """`NOSCRIPT`, `MOVED`, `ERR`, ..."""
        return str(self).partition(" ")[0]


def new_reader() -> hiredis.Reader:
    """Makes replies of what a server sends. Text is left as bytes, payloads need not be UTF-8."""
    return hiredis.Reader(
        replyError=ServerSaid,
        protocolError=lambda said: UnexpectedReply("this is no Redis server", said),
        notEnoughData=NOTHING,
    )


class Line:
    """A connection that one caller at a time may use.

    Whoever gets an exception from it must `close` it: a reply may still be to come, which the next
    caller would take for its own.
    """

    def __init__(self, opening: Opening, within_s: float | None = None) -> None:
        """Connects. `within_s`: how long the server may be silent meanwhile, where that is to be
        less than usual. Raises ServerError."""
        self._connection = opening.connection(within_s)
        with translated():
            self._connection.connect()
        self._socket = self._connection._sock
        self._socket.setblocking(False)
        self._is_tls = isinstance(self._socket, ssl.SSLSocket)
        self._may_look = has_processors_to_spare() and not self._is_tls
        self._is_near = False
        self._readable = select.poll()
        self._readable.register(self._socket, select.POLLIN)
        self._reader = new_reader()
        self._buffer = bytearray(_READ_BYTES)
        self._pid = os.getpid()
        self.idle_since = 0.0

    @property
    def is_ours(self) -> bool:
        """Whether this process opened it. A child that was forked has its parent's, too, and must
        neither use nor end them."""
        return self._pid == os.getpid()

    @property
    def is_ready(self) -> bool:
        """Whether a call may be sent: it is ours, and the server has neither closed the connection
        nor said anything that nobody asked for."""
        return self._pid == os.getpid() and not self._readable.poll(0)

    def send(self, packed: bytes, patience_s: float) -> None:
        """Sends all. Raises ConnectionLost, also where the server takes nothing for so long."""
        try:
            sent = self._socket.send(packed)
        except _NOT_YET:
            sent = 0
        except OSError as error:
            raise _lost(error) from error
        if sent < len(packed):
            self._send_rest(memoryview(packed)[sent:], patience_s)

    def _send_rest(self, rest: memoryview, patience_s: float) -> None:
        writable = select.poll()
        writable.register(self._socket, select.POLLOUT)
        while rest:
            if not writable.poll(patience_s * 1000):
                raise silent(patience_s)
            try:
                rest = rest[self._socket.send(rest) :]
            except _NOT_YET:
                continue
            except OSError as error:
                raise _lost(error) from error

    def receive(self, patience_s: float) -> Any:
        """The next reply, a ServerSaid where it is an error. Raises ConnectionLost, also where the
        server is silent for so long."""
        reply = self._reader.gets()
        if reply is NOTHING:
            began = time.monotonic()
            if self._is_near:
                reply = self._awake_for(began + NEAR_S)
            if reply is NOTHING:
                reply = self._asleep_for(patience_s)
            self._is_near = self._may_look and time.monotonic() - began < NEAR_S
        return reply

    def _awake_for(self, until: float) -> Any:
        reply = self._read()
        while reply is NOTHING and time.monotonic() < until:
            reply = self._read()
        return reply

    def _asleep_for(self, patience_s: float) -> Any:
        reply = NOTHING
        while reply is NOTHING:
            # What TLS has deciphered already makes no socket readable.
            waits = not (self._is_tls and self._socket.pending())
            if waits and not self._readable.poll(patience_s * 1000):
                raise silent(patience_s)
            reply = self._read()
        return reply

    def _read(self) -> Any:
        """The next reply from what has come; NOTHING where that is not a whole one."""
        try:
            size = self._socket.recv_into(self._buffer)
        except _NOT_YET:
            return NOTHING
        except OSError as error:
            raise _lost(error) from error
        if size == 0:
            raise _lost("the server closed the connection")
        self._reader.feed(self._buffer, 0, size)  # type: ignore[arg-type]
        return self._reader.gets()

    def hang_up(self) -> None:
        """Ends it under the feet of whoever waits on it in another thread, and who closes it."""
        if self.is_ours:
            with contextlib.suppress(OSError):  # ended already
                self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Ends it; in a child that was forked, lets go of it."""
        self._connection.disconnect()


def _lost(why: object) -> ConnectionLost:
    return ConnectionLost("no connection to the server", str(why))


def silent(patience_s: float) -> ConnectionLost:
    """For a server that owes a reply and says nothing for so long."""
    return _lost(f"nothing from it within {patience_s:g} s")
