"""The floor: what a job would cost if there were nothing but Pydantic, sockets and an empty script.

Each measure is the processor time of one operation, in microseconds: of this thread for Python, of
the server's process for the server.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import hiredis
from pydantic import TypeAdapter

from benchmarks.profiling import clock
from omniq_typed.core.command import CHECK, Arg, Command
from tests.servers import Server


def per_call_us(body: Callable[[], object], calls: int) -> float:
    """Processor time of one call: the best of three, since nothing makes a call quicker than it
    is."""
    best = float("inf")
    for _ in range(3):
        started = clock()
        for _ in range(calls):
            body()
        best = min(best, clock() - started)
    return best / calls * 1e6


def pydantic_us(order: Any, calls: int = 5_000) -> dict[str, float]:
    """Writing an order, and reading it strictly."""
    adapter = TypeAdapter(type(order))
    payload = adapter.serializer.to_json(order)
    return {
        "write": per_call_us(lambda: adapter.serializer.to_json(order), calls),
        "read": per_call_us(lambda: adapter.validator.validate_json(payload, strict=True), calls),
    }


def words(command: Command[Any], sha: str) -> list[Arg]:
    """A script call with a command's keys and arguments."""
    args = [0 if arg is CHECK else arg for arg in command.args]
    return ["EVALSHA", sha, len(command.keys), *command.keys, *args]


class EmptyScript:
    """A script that does nothing with a command's arguments and answers as many bytes."""

    def __init__(self, server: Server, command: Command[Any], reply_bytes: int) -> None:
        self._server = server
        client: Any = server.client()
        self._client = client
        sha: str = client.script_load(f"return string.rep('x', {max(1, reply_bytes)})")
        self._words = words(command, sha)
        self._packed = self._pack()

    def close(self) -> None:
        self._client.close()

    def packing_us(self, calls: int) -> float:
        return per_call_us(self._pack, calls)

    def round_trip_us(self, calls: int) -> tuple[float, float]:
        """Of the bytes on a bare socket: this thread's time, and the server's."""
        with socket.create_connection((self._server.host, self._server.port)) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            ask = partial(_ask, connection, self._packed)
            ask()
            before = server_cpu_us(self._client)
            ours = per_call_us(ask, calls)
            return ours, (server_cpu_us(self._client) - before) / (3 * calls)

    def _pack(self) -> bytes:
        packed: bytes = hiredis.pack_command(tuple(self._words))  # type: ignore[arg-type]
        return packed


def server_cpu_us(client: Any) -> float:
    info = client.info("cpu")
    return float(info["used_cpu_user"] + info["used_cpu_sys"]) * 1e6


def _ask(connection: socket.socket, packed: bytes) -> None:
    """Sends, and reads one bulk string."""
    connection.sendall(packed)
    head = connection.recv(65536)
    if head[:1] != b"$":
        raise RuntimeError(f"the server said {head[:80]!r}")
    line, _, rest = head.partition(b"\r\n")
    left = int(line[1:]) + 2 - len(rest)
    while left > 0:
        left -= len(connection.recv(left))


def biggest(commands: Sequence[Command[Any]], script: str) -> Command[Any]:
    """The call of a script with the most arguments."""
    return max(
        (each for each in commands if each.script.name == script), key=lambda each: len(each.args)
    )
