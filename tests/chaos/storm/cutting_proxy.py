"""A TCP proxy that ends a connection in the middle of a reply: the client gets half of what the
server answered, and then nothing more."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator

CHUNK = 65536
WORTH_CUTTING = 24
"""Bytes. A shorter piece is the answer to a wait that found nothing, or an OK."""


class CuttingProxy:
    """Forwards 127.0.0.1:`port` to a server, from a thread of its own."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._armed = threading.Event()
        self._cut = threading.Event()
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._ends = asyncio.Event()
        self.port = 0
        self._thread = threading.Thread(
            target=lambda: self._loop.run_until_complete(self._serve()), name="cutting-proxy"
        )
        self._thread.start()
        self._ready.wait()

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
        self._loop.call_soon_threadsafe(self._ends.set)
        self._thread.join()
        self._loop.close()

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._ends.wait()
        server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

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
def cutting_proxy(server_port: int) -> Iterator[CuttingProxy]:
    proxy = CuttingProxy(server_port)
    try:
        yield proxy
    finally:
        proxy.close()
