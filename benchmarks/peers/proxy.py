"""A TCP proxy that delays each byte: `python -m benchmarks.peers.proxy PORT DELAY_MS`.

Prints the port on which it listens, and ends with its standard input. A thread reads and a thread
writes each direction of a connection: sleeping threads keep to fractions of a millisecond, where
event loops wait for whole ones.
"""

from __future__ import annotations

import os
import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager

from benchmarks.peers.environments import ROOT

AT_ONCE = 1 << 18


@contextmanager
def delayed(port: int, delay_ms: float) -> Generator[int]:
    """The port of a proxy in a process of its own; `delay_ms` in each direction."""
    words = [sys.executable, "-m", "benchmarks.peers.proxy", str(port), str(delay_ms)]
    process = subprocess.Popen(
        words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


class Direction:
    """Carries bytes from one socket to another, each `delay_s` after it came."""

    def __init__(self, source: socket.socket, sink: socket.socket, delay_s: float) -> None:
        self._source, self._sink, self._delay_s = source, sink, delay_s
        self._waiting: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()
        for target in (self._read, self._write):
            threading.Thread(target=target, daemon=True).start()

    def _read(self) -> None:
        data = b"-"
        while data:
            try:
                data = self._source.recv(AT_ONCE)
            except OSError:
                data = b""
            self._waiting.put((time.monotonic() + self._delay_s, data))

    def _write(self) -> None:
        while True:
            due, data = self._waiting.get()
            time.sleep(max(0.0, due - time.monotonic()))
            try:
                if not data:
                    self._sink.shutdown(socket.SHUT_WR)
                    return
                self._sink.sendall(data)
            except OSError:
                return


def main() -> None:
    port, delay_s = int(sys.argv[1]), float(sys.argv[2]) / 1e3
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        while True:
            client = listener.accept()[0]
            server = socket.create_connection(("127.0.0.1", port))
            for each in (client, server):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            Direction(client, server, delay_s)
            Direction(server, client, delay_s)


if __name__ == "__main__":
    main()
