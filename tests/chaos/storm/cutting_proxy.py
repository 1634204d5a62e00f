"""A TCP proxy that ends a connection in the middle of a reply: the client gets half of what the
server answered, and then nothing more. In a process of its own, so that nothing holds it up."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import threading
import time
from collections.abc import Iterator
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import redis

from tests.chaos.storm.ledger import Ledger, StallWatch
from tests.servers import die_with_parent

CHUNK = 65536
WORTH_CUTTING = 24
"""Bytes. A shorter piece is the answer to a wait that found nothing, or an OK."""
START_S = 60.0
PROBE_EVERY_S = 0.1
PROBE_KEY = "chaos:probe"
SERVER = "server"


class CuttingProxy:
    """The process, from outside. Forwards 127.0.0.1:`port` to a server."""

    def __init__(self, server_port: int, folder: Path, longest_s: float) -> None:
        """Notes in the folder when it or the server got no time for longer than `longest_s`."""
        # Forked, it would have the threads and locks of this process in mind.
        context = multiprocessing.get_context("spawn")
        self._armed, self._cut = context.Event(), context.Event()
        ours, its = context.Pipe()
        self._process = context.Process(
            target=_run_proxy,
            args=(server_port, folder, longest_s, self._armed, self._cut, its),
            name="cutting-proxy",
            daemon=True,
        )
        self._process.start()
        assert ours.poll(START_S), "the proxy does not start"
        self.port: int = ours.recv()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def cut_next(self, timeout_s: float) -> bool:
        """Cuts the next reply that is worth it; False: none came in time."""
        self._cut.clear()
        self._armed.set()
        done = self._cut.wait(timeout_s)
        self._armed.clear()
        return done or self._cut.is_set()

    def close(self) -> None:
        self._process.kill()
        self._process.join()


def _run_proxy(
    server_port: int, folder: Path, longest_s: float, armed: Event, cut: Event, ready: Any
) -> None:
    die_with_parent()
    ledger = Ledger(folder, SERVER)
    StallWatch(ledger, longest_s).start()
    probe = threading.Thread(
        target=_probe, args=(server_port, ledger, longest_s), name="probe", daemon=True
    )
    probe.start()
    asyncio.run(_Forwarding(server_port, armed, cut).serve(ready))


def _probe(port: int, ledger: Ledger, longest_s: float) -> None:
    """Writes on and on; notes when the server took long, for whatever reason."""
    answered_at = time.monotonic()
    client = redis.Redis(port=port, socket_timeout=15.0)
    while True:
        with contextlib.suppress(redis.RedisError):
            client.set(PROBE_KEY, "1")
            now = time.monotonic()
            if now - answered_at > longest_s + PROBE_EVERY_S:
                ledger.write("stall", text=f"{now - answered_at:.3f}")
            answered_at = now
        time.sleep(PROBE_EVERY_S)


class _Forwarding:
    """What the process does."""

    def __init__(self, server_port: int, armed: Event, cut: Event) -> None:
        self._server_port = server_port
        self._armed = armed
        self._cut = cut

    async def serve(self, ready: Any) -> None:
        """For ever."""
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        ready.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    async def _connected(
        self, client_in: asyncio.StreamReader, client_out: asyncio.StreamWriter
    ) -> None:
        try:
            with contextlib.suppress(OSError):
                server_in, server_out = await asyncio.open_connection(
                    "127.0.0.1", self._server_port
                )
                await self._forward(client_in, client_out, server_in, server_out)
        finally:
            client_out.close()

    async def _forward(
        self,
        client_in: asyncio.StreamReader,
        client_out: asyncio.StreamWriter,
        server_in: asyncio.StreamReader,
        server_out: asyncio.StreamWriter,
    ) -> None:
        ways = [
            asyncio.ensure_future(self._requests(client_in, server_out)),
            asyncio.ensure_future(self._replies(server_in, client_out)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            server_out.close()

    async def _requests(
        self, client_in: asyncio.StreamReader, server_out: asyncio.StreamWriter
    ) -> None:
        while data := await client_in.read(CHUNK):
            server_out.write(data)
            await server_out.drain()

    async def _replies(
        self, server_in: asyncio.StreamReader, client_out: asyncio.StreamWriter
    ) -> None:
        while data := await server_in.read(CHUNK):
            if len(data) >= WORTH_CUTTING and self._armed.is_set() and not self._cut.is_set():
                self._cut.set()
                client_out.write(data[: len(data) // 2])
                await client_out.drain()
                return
            client_out.write(data)
            await client_out.drain()


@contextlib.contextmanager
def cutting_proxy(server_port: int, folder: Path, longest_s: float) -> Iterator[CuttingProxy]:
    proxy = CuttingProxy(server_port, folder, longest_s)
    try:
        yield proxy
    finally:
        proxy.close()
