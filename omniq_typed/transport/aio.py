"""Runs commands over connections to the server of an asyncio redis-py client. The twin of sync.py;
all commands of a loop that are under way share one connection (async_line.py), but for those with
which the server waits."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, TypeVar

import redis.asyncio

from omniq_typed.core.command import Command
from omniq_typed.core.keys import stats_pattern, wake_key
from omniq_typed.errors import ConnectionLost
from omniq_typed.transport import by_client
from omniq_typed.transport.address import Address
from omniq_typed.transport.async_line import AsyncLine
from omniq_typed.transport.async_lines import AsyncLines
from omniq_typed.transport.async_reply import AsyncReply
from omniq_typed.transport.async_routes import AsyncRoutes
from omniq_typed.transport.calls import ELSEWHERE, REPEATS, load_words, repeat_delay_s, wake_args
from omniq_typed.transport.checks import PermissionChecks
from omniq_typed.transport.clients import (
    AnyAsyncClient,
    async_embedded_client,
    blocking_twin,
    open_async_client,
)
from omniq_typed.transport.embedded import EmbeddedServer
from omniq_typed.transport.faults import translate, translated
from omniq_typed.transport.line import ServerSaid
from omniq_typed.transport.packing import pack, pack_words
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
        self._pid = os.getpid()
        self._routes: AsyncRoutes | None = None
        self._checks = PermissionChecks()
        self._wait_failed: set[str] = set()

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
        """The connections of a closed event loop can be neither used nor closed; nor may a child
        that was forked touch those of its parent's."""
        loop = asyncio.get_running_loop()
        if self._loop is loop:
            return
        forked, self._pid = self._pid != os.getpid(), os.getpid()
        if forked or (self._loop is not None and self._loop.is_closed()):
            self._routes = None
            if self._owned:
                self._client, self._opening = None, asyncio.Lock()
                if self._embedded is not None:
                    self._client = async_embedded_client(self._embedded)
        self._loop = loop

    async def run(self, command: Command[R]) -> R:
        """Runs one command. Raises what its builder documents, and ServerError."""
        return command.parse(await self._repeat(command.repeatable, lambda: self._call(command)))

    def start(self, command: Command[R]) -> AsyncReply[R]:
        """Sends a command now where nothing has to be waited for before, else when its reply is
        asked for: `AsyncReply.result`, which raises what `run` raises. Raises nothing itself."""
        lines = self._lines_now(command.keys[0])
        line = None if lines is None else lines.share_now()
        if lines is None or line is None:
            return AsyncReply(lambda: self.run(command))
        check = self._checks.is_due(command.script)
        answer = lines.send(line, pack(command, check))
        return AsyncReply(lambda: self._finish(command, check, lines, line, answer), answer)

    async def run_all(self, commands: Sequence[Command[R]]) -> list[R]:
        """Runs repeatable commands in one round trip (on a cluster, one after the other)."""
        if not commands or isinstance(await self.client(), redis.asyncio.RedisCluster):
            return [await self.run(command) for command in commands]
        replies = await self._repeat(True, lambda: self._call_all(commands))
        return [command.parse(reply) for command, reply in zip(commands, replies, strict=True)]

    async def run_when_woken(self, queue: str, wait_s: float, command: Command[R]) -> R:
        """Runs a command of a queue as soon as a publisher wakes a worker of that queue, or after
        `wait_s` (> 0), whichever comes first: one round trip, in which the server does the waiting.
        Its look at the clock may be 0.1 s late. Raises what `run` raises; where the connection
        breaks in between, or the call is cancelled, the command may have run or not."""
        return command.parse(
            await self._repeat(
                command.repeatable, lambda: self._call_when_woken(queue, wait_s, command)
            )
        )

    async def wait_for_wake(self, queue: str, timeout_s: float) -> bool:
        """Waits until a publisher wakes a worker of the queue, at most `timeout_s` (> 0).
        Returns whether one did."""
        key = wake_key(queue)
        lines = await self._lines(key)
        if lines is None:
            return await by_client.wait_for_wake_async(await self.client(), key, timeout_s)
        packed = pack_words(*wake_args(key, timeout_s))
        (reply,) = await lines.ask_alone(await lines.take(), packed, 1, timeout_s)
        if type(reply) is not ServerSaid:
            return reply is not None
        if self._is_elsewhere(reply):
            return await by_client.wait_for_wake_async(await self.client(), key, timeout_s)
        raise translate(reply) from reply

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
        routes, self._routes = self._routes, None
        if routes is not None:
            await routes.close()
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

    async def _lines(self, key: bytes) -> AsyncLines | None:
        """The connections to the server of a key; None: the client has to run the call. One that
        was passed in always does: whoever closes it, or bounds its pool, means all connections."""
        client, routes = await self.client(), self._routes
        if not self._owned:
            return None
        if routes is None or routes.client is not client:
            routes = self._routes = AsyncRoutes(client, self._checks.forget)
        return routes.lines(key)

    def _lines_now(self, key: bytes) -> AsyncLines | None:
        """As `_lines`; also None where the client is not connected yet."""
        self._leave_closed_loop()
        routes = self._routes
        if not self._owned or routes is None or routes.client is not self._client:
            return None
        return routes.lines(key)

    async def _call(self, command: Command[Any]) -> Any:
        lines = await self._lines(command.keys[0])
        if lines is None:
            return await self._call_by_client(command)
        try:
            line = await lines.share()
        except ConnectionLost:
            if self._is_cluster:  # the node is gone: redis-py looks for the one that came after it
                return await self._call_by_client(command)
            raise
        check = self._checks.is_due(command.script)
        (reply,) = await lines.ask(line, pack(command, check))
        return await self._take(command, check, reply, lines)

    async def _finish(
        self,
        command: Command[R],
        check: bool,
        lines: AsyncLines,
        line: AsyncLine,
        answer: asyncio.Future[list[Any]],
    ) -> R:
        try:
            (reply,) = await lines.receive(line, answer)
            return command.parse(await self._take(command, check, reply, lines))
        except ConnectionLost:
            await self._revive_embedded()
            if not command.repeatable:
                raise
        return await self.run(command)

    async def _take(self, command: Command[Any], check: bool, reply: Any, lines: AsyncLines) -> Any:
        """What the script answered, loaded where the server did not know it. Raises ServerError."""
        if type(reply) is ServerSaid and reply.code == "NOSCRIPT":
            reply = await self._load_and_call(command, lines)
        if type(reply) is not ServerSaid:
            if check:
                self._checks.passed(command.script)
            return reply
        self._checks.forget()
        if self._is_elsewhere(reply):
            return await self._call_by_client(command)
        raise translate(reply) from reply

    async def _load_and_call(self, command: Command[Any], lines: AsyncLines) -> Any:
        """LOAD, never EVAL: newer servers evict scripts that EVAL brought. More than once, for the
        server's scripts may be flushed in between."""
        packed = pack_words(*load_words(command.script)) + pack(command, check=True)
        reply: Any = None
        for _ in range(REPEATS):
            loaded, reply = await lines.ask(await lines.share(), packed, 2)
            if type(loaded) is ServerSaid:
                return loaded
            if type(reply) is not ServerSaid or reply.code != "NOSCRIPT":
                break
        return reply

    @property
    def _is_cluster(self) -> bool:
        return isinstance(self._client, redis.asyncio.RedisCluster)

    def _is_elsewhere(self, reply: ServerSaid) -> bool:
        return self._is_cluster and reply.code in ELSEWHERE

    async def _call_all(self, commands: Sequence[Command[Any]]) -> list[Any]:
        lines = await self._lines(commands[0].keys[0])
        if lines is None:
            return await by_client.call_all_async(await self.client(), commands)
        scripts = {command.script for command in commands}
        packed = [pack_words(*load_words(script)) for script in scripts]
        packed += [pack(command, check=True) for command in commands]
        replies = await lines.ask(await lines.share(), b"".join(packed), len(packed))
        return [
            await self._take(command, True, reply, lines)
            for command, reply in zip(commands, replies[len(scripts) :], strict=True)
        ]

    async def _call_when_woken(self, queue: str, wait_s: float, command: Command[Any]) -> Any:
        key = wake_key(queue)
        lines = await self._lines(key)
        if lines is None or queue in self._wait_failed:
            await self.wait_for_wake(queue, wait_s)
            self._wait_failed.discard(queue)
            return await self._call(command)
        try:
            line = await lines.take()
        except ConnectionLost:
            if self._is_cluster:
                return await self._call_by_client(command)
            raise
        check = self._checks.is_due(command.script, wait_s)
        packed = pack_words(*wake_args(key, wait_s)) + pack(command, check)
        woken, reply = await lines.ask_alone(line, packed, 2, wait_s)
        if type(woken) is ServerSaid:
            # The command has run all the same, and its answer counts. The next wait goes alone, and
            # raises what is wrong with it.
            self._wait_failed.add(queue)
        return await self._take(command, check, reply, lines)

    async def _call_by_client(self, command: Command[Any]) -> Any:
        return await by_client.call_async(await self.client(), command)
