"""Runs commands over a blocking redis-py client. Thread-safe."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar

import redis
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
from omniq_typed.transport.clients import AnyClient, embedded_client, open_client
from omniq_typed.transport.embedded import EmbeddedServer
from omniq_typed.transport.faults import translated

R = TypeVar("R")


class SyncTransport:
    """Connects at the first command, so that building a client never fails on the network."""

    def __init__(
        self,
        address: Address | None = None,
        client: AnyClient | None = None,
        *,
        owns_client: bool = False,
    ) -> None:
        """A client that was passed in stays open at `close`, unless `owns_client`."""
        self.address = address
        self._client = client
        self._owned = client is None or owns_client
        self._embedded: EmbeddedServer | None = None
        self._opening = threading.Lock()

    @property
    def client(self) -> AnyClient:
        """The redis-py client, connected; a cluster's where the server says it is one."""
        if self._client is None:
            with self._opening:
                if self._client is None:
                    assert self.address is not None
                    self._client, self._embedded = open_client(self.address)
        return self._client

    @property
    def is_cluster(self) -> bool:
        """Whether the server is a cluster."""
        return isinstance(self.client, redis.RedisCluster)

    def start(self, command: Command[R]) -> Later[R]:
        """Stands in for the transport's own until that is merged."""
        return Later(self, command)

    def run_when_woken(self, queue: str, wait_s: float, command: Command[R]) -> R:
        """Stands in for the transport's own until that is merged."""
        self.wait_for_wake(queue, wait_s)
        return self.run(command)

    def run(self, command: Command[R], within_s: float | None = None) -> R:
        """Runs one command. Raises what its builder documents, and ServerError."""
        return command.parse(self._repeat(command.repeatable, lambda: self._call(command)))

    def run_all(self, commands: Sequence[Command[R]]) -> list[R]:
        """Runs repeatable commands in one round trip (on a cluster, one after the other)."""
        if not commands or self.is_cluster:
            return [self.run(command) for command in commands]
        replies = self._repeat(True, lambda: self._call_all(commands))
        return [command.parse(reply) for command, reply in zip(commands, replies, strict=True)]

    def wait_for_wake(self, queue: str, timeout_s: float) -> bool:
        """Blocks until a publisher wakes a worker of the queue, at most `timeout_s` (> 0).
        Returns whether one did."""
        with translated():
            reply = self._execute(wake_args(wake_key(queue), timeout_s))
        return reply is not None

    def scan_stats_keys(self) -> Iterator[str]:
        """The keys of all stats hashes, over every node of a cluster. Looks at the whole keyspace
        in steps; for administration, not for hot paths."""
        with translated():
            for key in self.client.scan_iter(match=stats_pattern(), count=1000):
                yield key.decode() if isinstance(key, bytes) else key

    def drop_idle_connections(self) -> None:
        """After a call was cut off between command and reply: the reply may still be to come, and
        the next call on that connection would take it for its own."""
        client = self._client
        if isinstance(client, redis.RedisCluster):
            client.disconnect_connection_pools()  # type: ignore[no-untyped-call]
        elif client is not None:
            client.connection_pool.disconnect(inuse_connections=False)

    def close(self) -> None:
        """Closes the connections, unless the client was passed in. Can be called again."""
        with self._opening:
            client, self._client = self._client, None if self._owned else self._client
            embedded, self._embedded = self._embedded, None
        if client is not None and self._owned:
            client.close()
        if embedded is not None:
            embedded.close()

    def _repeat(self, repeatable: bool, call: Callable[[], Any]) -> Any:
        """Calls once, or up to three times while the connection breaks."""
        attempt = 0
        while True:
            try:
                return call()
            except ConnectionLost:
                self._revive_embedded()
                attempt += 1
                if not repeatable or attempt == REPEATS:
                    raise
            time.sleep(repeat_delay_s(attempt - 1))

    def _revive_embedded(self) -> None:
        """Nobody but its users starts an embedded server again that died."""
        embedded = self._embedded
        if embedded is None:
            return
        with self._opening:
            before = embedded.socket_path
            embedded.ensure_running()
            if embedded.socket_path != before:
                self._client = embedded_client(embedded)

    def _call_all(self, commands: Sequence[Command[Any]]) -> list[Any]:
        scripts = {command.script for command in commands}
        with translated():
            pipeline = self.client.pipeline(transaction=False)
            for script in scripts:
                pipeline.execute_command("SCRIPT LOAD", script.text)
            for command in commands:
                pipeline.execute_command(*call_args(command), **RAW)
            replies: list[Any] = pipeline.execute()
        return replies[len(scripts) :]

    def _call(self, command: Command[Any]) -> Any:
        with translated():
            for _ in range(REPEATS):
                try:
                    return self._call_once(command)
                except NoScriptError:
                    # LOAD, never EVAL: newer servers evict scripts that EVAL brought. More than
                    # once, for the server's scripts may be flushed in between.
                    self.client.script_load(command.script.text)
            return self._call_once(command)

    def _call_once(self, command: Command[Any]) -> Any:
        return self._execute(call_args(command), call_options(self.client, command))

    def _execute(self, args: tuple[Any, ...], options: dict[str, Any] = RAW) -> Any:
        return self.client.execute_command(*args, **options)  # type: ignore[no-untyped-call]


class Later(Generic[R]):
    """Stands in for the transport's own until that is merged."""

    def __init__(self, transport: SyncTransport, command: Command[R]) -> None:
        self._transport = transport
        self._command = command

    def result(self) -> R:
        """Runs it now."""
        return self._transport.run(self._command)
