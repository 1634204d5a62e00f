"""Both faces of the library behind one: a test written for `OmniqClient` drives `AsyncOmniqClient`
as well. And what a test may look at from outside: keys and command counts of the server."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import inspect
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import pytest

from omniq_typed import (
    AsyncOmniqClient,
    AsyncQueueMonitor,
    Bus,
    OmniqClient,
    QueueMonitor,
)
from omniq_typed.core.command import Command
from omniq_typed.models import PublishResult, ReserveJob
from omniq_typed.publish_results import AsyncResults, Results
from omniq_typed.transport.sync import SyncTransport
from tests.memory_engine import async_bus_at, bus_at
from tests.servers import AnyServer, Cluster, Server
from tests.workers import FACES as FACES
from tests.workers import Face as Face

R = TypeVar("R")
T0 = 1_700_000_000_000
"""Where the tests' time begins, in ms; they pass it on as `now_ms_override`."""


@dataclass(frozen=True)
class Doors:
    """A client and a monitor of one face."""

    face: Face
    client: OmniqClient
    monitor: QueueMonitor
    transport: SyncTransport

    def run(self, command: Command[R]) -> R:
        """One command that the client has no method for."""
        return self.transport.run(command)


@contextlib.contextmanager
def open_doors(face: Face, **options: Any) -> Iterator[Doors]:
    """`options` as for `OmniqClient`."""
    if face == "sync":
        with OmniqClient(**options) as client:
            yield Doors(face, client, QueueMonitor(client), client.transport)
        return
    with asyncio.Runner() as runner:
        inner = AsyncOmniqClient(**options)
        try:
            yield Doors(
                face,
                cast(OmniqClient, _Blocking(inner, runner)),
                cast(QueueMonitor, _Blocking(AsyncQueueMonitor(inner), runner)),
                cast(SyncTransport, _Blocking(inner.transport, runner)),
            )
        finally:
            runner.run(inner.close())


@contextlib.contextmanager
def open_bus(face: Face, url: str, **options: Any) -> Iterator[Bus]:
    """A bus of either face, to be called as a blocking one. `options` as for `Bus`."""
    if face == "sync":
        with bus_at(url, **options) as bus:
            yield bus
        return
    with asyncio.Runner() as runner:
        inner = async_bus_at(url, **options)
        try:
            yield cast(Bus, _Blocking(inner, runner))
        finally:
            runner.run(inner.close())


class _Blocking:
    """Runs the coroutines of an object to their end on an event loop of its own."""

    def __init__(self, inner: object, runner: asyncio.Runner) -> None:
        self._inner = inner
        self._runner = runner

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name == "publish_each":
            return lambda messages: self._each(found(messages))
        if not inspect.iscoroutinefunction(found):
            return found

        @functools.wraps(found)
        def call(*args: Any, **kwargs: Any) -> Any:
            # As asyncio.run would: what the caller has in its context is seen inside.
            return self._runner.run(found(*args, **kwargs), context=contextvars.copy_context())

        return call

    def _each(self, results: AsyncResults) -> Results:
        def asked() -> Generator[PublishResult, None, None]:
            try:
                while True:
                    try:
                        yield self._runner.run(anext(results))
                    except StopAsyncIteration:
                        return
            finally:
                self._runner.run(results.aclose())

        return Results(asked())


def handler_for(face: Face, handler: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The handler as the face wants it: plain, or async."""
    if face == "sync":
        return handler

    async def handle(ctx: Any) -> Any:
        return handler(ctx)

    return handle


def take(client: OmniqClient, queue: str, now_ms: int = T0) -> ReserveJob:
    """The next job, which must be there."""
    job = client.reserve(queue=queue, now_ms_override=now_ms)
    assert isinstance(job, ReserveJob)
    return job


def take_all(client: OmniqClient, queue: str, now_ms: int = T0) -> list[str]:
    """The ids of all jobs that can be leased, in the order given out."""
    ids: list[str] = []
    while isinstance(job := client.reserve(queue=queue, now_ms_override=now_ms), ReserveJob):
        ids.append(job.job_id)
    return ids


def fail(client: OmniqClient, queue: str, job_id: str, now_ms: int = T0) -> None:
    """A job with one attempt that has used it."""
    client.publish(queue=queue, payload={}, job_id=job_id, max_attempts=1, now_ms_override=now_ms)
    job = take(client, queue, now_ms)
    assert job.job_id == job_id
    client.ack_fail(queue=queue, job_id=job_id, lease_token=job.lease_token, now_ms_override=now_ms)


def server_of_face(request: pytest.FixtureRequest, face: Face) -> Server:
    """An empty Redis for the blocking face, an empty Valkey for asyncio: for tests of what goes on
    in front of the scripts, which other tests try on every kind of server."""
    kind = "redis" if face == "sync" else "valkey"
    found: Server = request.getfixturevalue(f"{kind}_server")
    found.ensure_running()
    found.flushall()
    return found


def nodes(server: AnyServer) -> list[Server]:
    """The servers behind a server: itself, or the masters of a cluster."""
    return server.nodes if isinstance(server, Cluster) else [cast(Server, server)]


def dump(server: AnyServer) -> dict[str, bytes | None]:
    """Every key of the server with its serialised value."""
    found: dict[str, bytes | None] = {}
    for node in nodes(server):
        with contextlib.closing(node.client()) as client:
            for key in client.scan_iter(count=1000):
                found[key.decode()] = client.dump(key)
    return found


def contents(server: AnyServer) -> dict[bytes, Any]:
    """Every key with its value; unlike `dump` the same however a set or hash lies in memory."""
    found: dict[bytes, Any] = {}
    for node in nodes(server):
        client = node.kept()
        found |= {key: _value(client, key) for key in client.scan_iter(count=1000)}
    return found


def _value(client: Any, key: bytes) -> Any:
    match client.type(key):
        case b"hash":
            return client.hgetall(key)
        case b"list":
            return client.lrange(key, 0, -1)
        case b"zset":
            return client.zrange(key, 0, -1, withscores=True)
        case b"set":
            return client.smembers(key)
        case _:
            return client.get(key)


def command_counts(server: AnyServer) -> dict[str, int]:
    """How often each command ran since `forget_command_counts`, within scripts too."""
    counts: dict[str, int] = {}
    for node in nodes(server):
        with contextlib.closing(node.client()) as client:
            for name, stats in client.info("commandstats").items():
                command = name.removeprefix("cmdstat_")
                counts[command] = counts.get(command, 0) + stats["calls"]
    return counts


def forget_command_counts(server: AnyServer) -> None:
    """Starts the counts of `command_counts` at 0."""
    for node in nodes(server):
        node.command("CONFIG", "RESETSTAT")


def scripts_called(counts: dict[str, int]) -> int:
    """Script calls among `command_counts`: the round trips that do something."""
    return counts.get("evalsha", 0)


def scripted_commands(server: Server, action: Callable[[], object]) -> list[list[str]]:
    """The commands, as words, that scripts ran on the server during the action."""
    end = "end of the action"
    commands: list[list[str]] = []
    client: Any = server.client(decode_responses=True)
    with contextlib.closing(client), client.monitor() as spy:
        action()
        server.command("ECHO", end)
        while end not in (seen := spy.next_command())["command"]:
            if seen["client_type"] == "lua":
                commands.append(seen["command"].split())
    return commands
