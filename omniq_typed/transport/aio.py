"""Runs commands over an asyncio redis-py client. The twin of sync.py."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, TypeVar

import redis.asyncio
from redis.exceptions import NoScriptError

from omniq_typed.core.command import Command
from omniq_typed.core.keys import stats_pattern, wake_key
from omniq_typed.errors import ConnectionLost
from omniq_typed.transport.address import Address
from omniq_typed.transport.calls import (
    RAW,
    REPEATS,
    call_args,
    call_options,
    repeat_delay_s,
    wake_args,
)
from omniq_typed.transport.clients import (
    AnyAsyncClient,
    async_embedded_client,
    blocking_twin,
    open_async_client,
)
from omniq_typed.transport.embedded import EmbeddedServer
from omniq_typed.transport.faults import translated
from omniq_typed.transport.sync import SyncTransport

R = TypeVar("R")


class AsyncTransport:
    """Connects at the first command. Belongs to the event loop that runs that command, until that
    loop is closed: a script may call asyncio.run more than once."""

    def __init__(
        self, address: Address | None = None, client: AnyAsyncClient | None = None
    ) -> None:
        self.address = address
        self._client = client
        self._owned = client is None
        self._embedded: EmbeddedServer | None = None
        self._opening = asyncio.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def client(self) -> AnyAsyncClient:
        """The redis-py client, connected; a cluster's where the server says it is one."""
        self._leave_closed_loop()
        if self._client is None:
            async with self._opening:
                if self._client is None:
                    assert self.address is not None
                    self._client, self._embedded = await open_async_client(self.address)
        return self._client

    def _leave_closed_loop(self) -> None:
        """The connections of a closed event loop can be neither used nor closed."""
        loop = asyncio.get_running_loop()
        if self._loop is loop:
            return
        if self._owned and self._loop is not None and self._loop.is_closed():
            self._client, self._opening = None, asyncio.Lock()
            if self._embedded is not None:
                self._client = async_embedded_client(self._embedded)
        self._loop = loop

    async def run(self, command: Command[R]) -> R:
        """Runs one command. Raises what its builder documents, and ServerError."""
        return command.parse(await self._repeat(command.repeatable, lambda: self._call(command)))

    async def run_all(self, commands: Sequence[Command[R]]) -> list[R]:
        """Runs repeatable commands in one round trip (on a cluster, one after the other)."""
        if not commands or isinstance(await self.client(), redis.asyncio.RedisCluster):
            return [await self.run(command) for command in commands]
        replies = await self._repeat(True, lambda: self._call_all(commands))
        return [command.parse(reply) for command, reply in zip(commands, replies, strict=True)]

    async def wait_for_wake(self, queue: str, timeout_s: float) -> bool:
        """Waits until a publisher wakes a worker of the queue, at most `timeout_s` (> 0).
        Returns whether one did."""
        client = await self.client()
        with translated():
            reply = await client.execute_command(*wake_args(wake_key(queue), timeout_s), **RAW)
        return reply is not None

    async def run_when_woken(self, queue: str, wait_s: float, command: Command[R]) -> R:
        """Shim until transport's is merged."""
        await self.wait_for_wake(queue, wait_s)
        return await self.run(command)

    async def scan_stats_keys(self) -> AsyncIterator[str]:
        """The keys of all stats hashes, over every node of a cluster."""
        client = await self.client()
        with translated():
            async for key in client.scan_iter(match=stats_pattern(), count=1000):
                yield key.decode() if isinstance(key, bytes) else key

    def blocking_twin(self) -> SyncTransport:
        """A blocking transport to the same server, for the heartbeat thread. The caller closes
        it."""
        if self.address is not None:
            return SyncTransport(self.address)
        assert self._client is not None
        return SyncTransport(client=blocking_twin(self._client), owns_client=True)

    async def close(self) -> None:
        """Closes the connections, unless the client was passed in. Can be called again."""
        client, self._client = self._client, None if self._owned else self._client
        embedded, self._embedded = self._embedded, None
        if client is not None and self._owned:
            await client.aclose()
        if embedded is not None:
            embedded.close()

    async def _repeat(self, repeatable: bool, call: Callable[[], Awaitable[Any]]) -> Any:
        """Calls once, or up to three times while the connection breaks."""
        attempt = 0
        while True:
            try:
                return await call()
            except ConnectionLost:
                await self._revive_embedded()
                attempt += 1
                if not repeatable or attempt == REPEATS:
                    raise
            await asyncio.sleep(repeat_delay_s(attempt - 1))

    async def _revive_embedded(self) -> None:
        """Nobody but its users starts an embedded server again that died."""
        embedded = self._embedded
        if embedded is None:
            return
        async with self._opening:
            before = embedded.socket_path
            await asyncio.to_thread(embedded.ensure_running)
            if embedded.socket_path != before:
                self._client = async_embedded_client(embedded)

    async def _call_all(self, commands: Sequence[Command[Any]]) -> list[Any]:
        client = await self.client()
        scripts = {command.script for command in commands}
        with translated():
            pipeline = client.pipeline(transaction=False)
            for script in scripts:
                pipeline.execute_command("SCRIPT LOAD", script.text)
            for command in commands:
                pipeline.execute_command(*call_args(command), **RAW)
            replies: list[Any] = await pipeline.execute()
        return replies[len(scripts) :]

    async def _call(self, command: Command[Any]) -> Any:
        client = await self.client()
        with translated():
            args = call_args(command)
            for _ in range(REPEATS):
                try:
                    return await client.execute_command(*args, **call_options(client, command))
                except NoScriptError:
                    await client.script_load(command.script.text)
            return await client.execute_command(*args, **call_options(client, command))
