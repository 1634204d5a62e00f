"""Runs commands over connections to the server of a redis-py client. Thread-safe.

The way of a command: `run` repeats it where that is allowed; `_call` packs it (packing.py), finds
the connections to the server of its keys (routes.py) and gets the reply on one that is idle
(lines.py); `_take` makes of the reply what the script answered or an exception. Where the client
was passed in or is of a special kind (opening.py), or a node of a cluster sends us elsewhere, the
client runs the command itself (by_client.py).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import redis

from omniq_typed.core.command import Command
from omniq_typed.core.keys import stats_pattern, wake_key
from omniq_typed.errors import ConnectionLost, ServerError
from omniq_typed.transport import by_client
from omniq_typed.transport.address import Address
from omniq_typed.transport.calls import ELSEWHERE, REPEATS, load_words, repeat_delay_s, wake_args
from omniq_typed.transport.checks import PermissionChecks
from omniq_typed.transport.clients import AnyClient, embedded_client, open_client
from omniq_typed.transport.embedded import EmbeddedServer
from omniq_typed.transport.faults import translate, translated
from omniq_typed.transport.line import ServerSaid
from omniq_typed.transport.lines import Lines
from omniq_typed.transport.packing import pack, pack_words
from omniq_typed.transport.pipeline import Pipeline
from omniq_typed.transport.reply import Reply
from omniq_typed.transport.routes import Routes

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
        self._routes: Routes | None = None
        self._checks = PermissionChecks()
        self._wait_failed: set[str] = set()

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

    def run(self, command: Command[R], *, within_s: float | None = None) -> R:
        """Runs one command. Raises what its builder documents, and ServerError.

        `within_s`: how long the server may be silent, where that is to be less than usual (15 s, or
        what the URL says). A client that was passed in keeps to its own time.
        """
        try:
            reply = self._call(command, within_s)
        except ConnectionLost as error:
            reply = self._again(command.repeatable, error, lambda: self._call(command, within_s))
        return command.parse(reply)

    def run_all(self, commands: Sequence[Command[R]]) -> list[R]:
        """Runs repeatable commands in one round trip (on a cluster, one after the other)."""
        if not commands or self.is_cluster:
            return [self.run(command) for command in commands]
        replies = self._repeat(True, lambda: self._call_all(commands))
        return [command.parse(reply) for command, reply in zip(commands, replies, strict=True)]

    def start(self, command: Command[R], *, behind: Reply[Any] | None = None) -> Reply[R]:
        """Sends a command now; its reply is taken later, or never: `Reply.result`, which raises
        what `run` raises. Raises nothing itself. `behind`: one that was started before and may be
        under way still; the server runs it first."""
        try:
            lines = self._lines(command.keys[0])
            pipeline = None if lines is None else _pipeline(lines, behind)
        except ServerError:
            pipeline = None
        if pipeline is None:
            return Reply(lambda within_s: self.run(command, within_s=within_s))
        check = self._checks.is_due(command.script)
        packed = pack(command, check)
        try:
            number = pipeline.send(packed)
            if number is None:  # all is answered that it was to be sent behind
                pipeline = Pipeline(pipeline.lines, pipeline.lines.take())
                number = pipeline.send(packed)
        except ConnectionLost as error:
            lost = error
            return Reply(lambda within_s: self._run_again(command, lost, within_s))
        except ServerError:
            return Reply(lambda within_s: self.run(command, within_s=within_s))
        assert number is not None
        at, place = pipeline, number
        return Reply(lambda within_s: self._finish(command, check, at, place, within_s), pipeline)

    def run_when_woken(self, queue: str, wait_s: float, command: Command[R]) -> R:
        """Runs a command of a queue as soon as a publisher wakes a worker of that queue, or after
        `wait_s` (> 0), whichever comes first: one round trip, in which the server does the waiting.
        Its look at the clock may be 0.1 s late. Raises what `run` raises; where the connection
        breaks in between, the command may have run or not."""
        return command.parse(
            self._repeat(command.repeatable, lambda: self._call_when_woken(queue, wait_s, command))
        )

    def wait_for_wake(self, queue: str, timeout_s: float) -> bool:
        """Blocks until a publisher wakes a worker of the queue, at most `timeout_s` (> 0).
        Returns whether one did."""
        key = wake_key(queue)
        lines = self._lines(key)
        if lines is None:
            return by_client.wait_for_wake(self.client, key, timeout_s)
        packed = pack_words(*wake_args(key, timeout_s))
        reply = lines.ask(lines.take(), packed, timeout_s + lines.patience_s)
        if type(reply) is not ServerSaid:
            return reply is not None
        if self._is_elsewhere(reply):
            return by_client.wait_for_wake(self.client, key, timeout_s)
        raise translate(reply) from reply

    def scan_stats_keys(self) -> Iterator[str]:
        """The keys of all stats hashes, over every node of a cluster. Looks at the whole keyspace
        in steps; for administration, not for hot paths."""
        with translated():
            for key in self.client.scan_iter(match=stats_pattern(), count=1000):
                yield key.decode() if isinstance(key, bytes) else key

    def drop_idle_connections(self) -> None:
        """After a call was cut off between command and reply: the reply may still be to come, and
        the next call on that connection would take it for its own."""
        client, routes = self._client, self._routes
        if routes is not None:
            routes.drop_idle()
        if isinstance(client, redis.RedisCluster):
            client.disconnect_connection_pools()  # type: ignore[no-untyped-call]
        elif client is not None:
            client.connection_pool.disconnect(inuse_connections=False)

    def close(self) -> None:
        """Closes the connections, unless the client was passed in. Can be called again."""
        with self._opening:
            client, self._client = self._client, None if self._owned else self._client
            embedded, self._embedded = self._embedded, None
            routes, self._routes = self._routes, None
        if routes is not None:
            routes.close()
        if client is not None and self._owned:
            client.close()
        if embedded is not None:
            embedded.close()

    def _repeat(self, repeatable: bool, call: Callable[[], Any]) -> Any:
        """Calls once, or up to three times while the connection breaks."""
        try:
            return call()
        except ConnectionLost as error:
            return self._again(repeatable, error, call)

    def _again(self, repeatable: bool, error: ConnectionLost, call: Callable[[], Any]) -> Any:
        """As `_repeat`, where the first call came to `error`."""
        self._revive_embedded()
        for attempt in range(REPEATS - 1 if repeatable else 0):
            time.sleep(repeat_delay_s(attempt))
            try:
                return call()
            except ConnectionLost as lost:
                error = lost
            self._revive_embedded()
        raise error

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

    def _lines(self, key: bytes) -> Lines | None:
        """The connections to the server of a key; None: the client has to run the call. One that
        was passed in always does: whoever closes it, or bounds its pool, means all connections."""
        routes = self._routes
        if routes is not None and routes.client is self._client:
            return routes.lines(key)
        client = self.client
        if not self._owned:
            return None
        with self._opening:
            routes = self._routes
            if routes is None or routes.client is not client:
                routes = self._routes = Routes(client, self._checks.forget)
        return routes.lines(key)

    def _call(self, command: Command[Any], within_s: float | None = None) -> Any:
        lines = self._lines(command.keys[0])
        if lines is None:
            return by_client.call(self.client, command)
        try:
            line = lines.take(within_s)
        except ConnectionLost:
            if self.is_cluster:  # the node is gone: redis-py looks for the one that came after it
                return by_client.call(self.client, command)
            raise
        check = self._checks.is_due(command.script)
        reply = lines.ask(line, pack(command, check), within_s)
        return self._take(command, check, reply, lines, within_s)

    def _take(
        self,
        command: Command[Any],
        check: bool,
        reply: Any,
        lines: Lines,
        within_s: float | None = None,
    ) -> Any:
        """What the script answered, loaded where the server did not know it. Raises ServerError."""
        if type(reply) is ServerSaid and reply.code == "NOSCRIPT":
            reply = self._load_and_call(command, lines, within_s)
        if type(reply) is not ServerSaid:
            if check:
                self._checks.passed(command.script)
            return reply
        self._checks.forget()
        if self._is_elsewhere(reply):
            return by_client.call(self.client, command)
        raise translate(reply) from reply

    def _load_and_call(self, command: Command[Any], lines: Lines, within_s: float | None) -> Any:
        """LOAD, never EVAL: newer servers evict scripts that EVAL brought. More than once, for the
        server's scripts may be flushed in between."""
        packed = pack_words(*load_words(command.script)) + pack(command, check=True)
        reply: Any = None
        for _ in range(REPEATS):
            loaded, reply = lines.ask_all(lines.take(within_s), packed, 2, within_s)
            if type(loaded) is ServerSaid:
                return loaded
            if type(reply) is not ServerSaid or reply.code != "NOSCRIPT":
                break
        return reply

    def _is_elsewhere(self, reply: ServerSaid) -> bool:
        return self.is_cluster and reply.code in ELSEWHERE

    def _call_all(self, commands: Sequence[Command[Any]]) -> list[Any]:
        lines = self._lines(commands[0].keys[0])
        if lines is None:
            return by_client.call_all(self.client, commands)
        scripts = {command.script for command in commands}
        packed = [pack_words(*load_words(script)) for script in scripts]
        packed += [pack(command, check=True) for command in commands]
        replies = lines.ask_all(lines.take(), b"".join(packed), len(packed))[len(scripts) :]
        return [
            self._take(command, True, reply, lines)
            for command, reply in zip(commands, replies, strict=True)
        ]

    def _call_when_woken(self, queue: str, wait_s: float, command: Command[Any]) -> Any:
        key = wake_key(queue)
        lines = self._lines(key)
        if lines is None or queue in self._wait_failed:
            self.wait_for_wake(queue, wait_s)
            self._wait_failed.discard(queue)
            return self._call(command)
        try:
            line = lines.take()
        except ConnectionLost:
            if self.is_cluster:
                return by_client.call(self.client, command)
            raise
        check = self._checks.is_due(command.script, wait_s)
        packed = pack_words(*wake_args(key, wait_s)) + pack(command, check)
        woken, reply = lines.ask_all(line, packed, 2, wait_s + lines.patience_s)
        if type(woken) is ServerSaid:
            # The command has run all the same, and its answer counts. The next wait goes alone, and
            # raises what is wrong with it.
            self._wait_failed.add(queue)
        return self._take(command, check, reply, lines)

    def _finish(
        self,
        command: Command[R],
        check: bool,
        pipeline: Pipeline,
        number: int,
        within_s: float | None,
    ) -> R:
        try:
            reply = pipeline.reply(number, within_s)
            return command.parse(self._take(command, check, reply, pipeline.lines, within_s))
        except ConnectionLost as error:
            self._revive_embedded()
            return self._run_again(command, error, within_s)

    def _run_again(self, command: Command[R], error: ConnectionLost, within_s: float | None) -> R:
        """Where that does no harm."""
        if not command.repeatable:
            raise error
        return self.run(command, within_s=within_s)


def _pipeline(lines: Lines, behind: Reply[Any] | None) -> Pipeline:
    """That of `behind`, where it goes to the same server. Raises ServerError."""
    if behind is not None and behind.pipeline is not None and behind.pipeline.lines is lines:
        return behind.pipeline
    return Pipeline(lines, lines.take())
