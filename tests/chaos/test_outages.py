"""A worker takes jobs again after whatever has befallen the server, and delivers what it found out
meanwhile. Each by a condition with a deadline: silence is the failure."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from omniq_typed import Bus
from omniq_typed.errors import ReadOnlyServer, ServerError, ServerOutOfMemory
from tests.servers import Kind, Server, start_redis, start_valkey, wait_until
from tests.workers import LONG_S, REGISTRY, Face, Order, Seen, Watch, bus_worker, watching

NOWHERE = ("127.0.0.1", 1)
"""A replica of a server that cannot be reached keeps what it has and takes no writes."""
LEASE_MS = 60_000
"""Longer than any of these outages: no lease is lost to them."""


@pytest.fixture(scope="module", params=["redis", pytest.param("valkey", marks=pytest.mark.slow)])
def own_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """One whose configuration nobody else depends on."""
    kind: Kind = request.param
    start = {"redis": start_redis, "valkey": start_valkey}[kind]
    with start(appendonly="yes", appendfsync="always") as server:
        yield server


@pytest.fixture
def server(own_server: Server) -> Server:
    own_server.ensure_running()
    own_server.flushall()
    return own_server


@pytest.fixture
def seen() -> Seen:
    return Seen()


def waits(server: Server) -> bool:
    """Whether some worker blocks on the server for a token."""
    clients: list[str] = server.command("CLIENT", "LIST").decode().splitlines()
    return any("cmd=blpop" in each and "flags=b" in each for each in clients)


def idle(server: Server) -> None:
    wait_until(lambda: waits(server), "a worker waits", LONG_S)


# --- What a server does once ---------------------------------------------------------------------


def kill_connections(server: Server) -> None:
    server.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")


def restart(server: Server) -> None:
    server.kill()
    server.restart()


def take_the_turn_of_a_replica(server: Server) -> None:
    """Blocked clients are sent away with an error of their own."""
    server.command("REPLICAOF", *NOWHERE)
    server.command("REPLICAOF", "NO", "ONE")


ONCE: dict[str, Callable[[Server], object]] = {
    "FLUSHALL": lambda server: server.command("FLUSHALL"),
    "SCRIPT-FLUSH": lambda server: server.command("SCRIPT", "FLUSH"),
    "CLIENT-KILL": kill_connections,
    "restart": restart,
    "replica-and-back": take_the_turn_of_a_replica,
}


@pytest.mark.parametrize("what", ONCE)
def test_an_idle_worker_takes_jobs_again_after(
    server: Server, face: Face, what: str, seen: Seen
) -> None:
    consumers: Any = [(Order, lambda ctx: seen.add(ctx.payload.number), {"concurrency": 2})]
    with watching(server.url) as watch, bus_worker(face, server.url, consumers):
        for number in range(2):
            idle(server)
            ONCE[what](server)
            watch.bus.publish_json(Order(number))
            assert seen.next() == number


@pytest.mark.slow
@pytest.mark.parametrize("what", ["SCRIPT-FLUSH", "CLIENT-KILL", "replica-and-back"])
def test_a_worker_under_load_goes_on_after(
    server: Server, face: Face, what: str, seen: Seen
) -> None:
    def handler(ctx: Any) -> None:
        time.sleep(0.003)  # long enough that the worker does not have all of them at once
        seen.add(ctx.payload.number)

    consumers: Any = [(Order, handler, {"concurrency": 2})]
    count = 300
    with watching(server.url) as watch:
        # What is leased by a reply that got lost comes back after its lease.
        for number in range(count):
            watch.bus.publish_json(Order(number), timeout_ms=800, max_attempts=50)
        with bus_worker(face, server.url, consumers):
            left = set(range(count))
            while left:
                left.discard(seen.next())
                if len(left) % 60 == 30:
                    ONCE[what](server)
            watch.bus.publish_json(Order(count))
            while seen.next() != count:
                pass


# --- A server that refuses for a while ------------------------------------------------------------


def out_of_memory(server: Server) -> contextlib.AbstractContextManager[None]:
    return configured(server, "maxmemory", 1, 0)


def too_few_replicas(server: Server) -> contextlib.AbstractContextManager[None]:
    return configured(server, "min-replicas-to-write", 1, 0)


@contextlib.contextmanager
def configured(server: Server, name: str, meanwhile: int, after: int) -> Iterator[None]:
    server.command("CONFIG", "SET", name, meanwhile)
    try:
        yield
    finally:
        server.command("CONFIG", "SET", name, after)


@contextlib.contextmanager
def replica(server: Server) -> Iterator[None]:
    server.command("REPLICAOF", *NOWHERE)
    try:
        yield
    finally:
        server.command("REPLICAOF", "NO", "ONE")


Refusal = Callable[[Server], contextlib.AbstractContextManager[None]]
REFUSALS: dict[str, tuple[Refusal, type[ServerError]]] = {
    "out-of-memory": (out_of_memory, ServerOutOfMemory),
    "too-few-replicas": (too_few_replicas, ReadOnlyServer),
    "replica": (replica, ReadOnlyServer),
}


@pytest.mark.parametrize("what", REFUSALS)
def test_a_result_found_while_the_server_refuses_is_delivered_after(
    server: Server, face: Face, what: str, seen: Seen, caplog: pytest.LogCaptureFixture
) -> None:
    refuses, _ = REFUSALS[what]
    go_on = threading.Event()

    def handler(ctx: Any) -> None:
        seen.add((ctx.payload.number, ctx.attempt))
        assert go_on.wait(LONG_S)

    with watching(server.url) as watch, bus_worker(face, server.url, [(Order, handler, {})]):
        first = watch.bus.publish_json(Order(1), timeout_ms=LEASE_MS)
        assert seen.next() == (1, 1)
        with refuses(server):
            go_on.set()
            # A server at its memory limit takes what frees memory: it takes results.
            wait_until(
                lambda: (
                    "trying again in" in caplog.text or watch.job("orders", first).completed_ms > 0
                ),
                "it was refused, or taken",
                LONG_S,
            )
        assert watch.reaches("orders", first, "completed").attempt == 1
        watch.bus.publish_json(Order(2))
        assert seen.next() == (2, 1)
    assert seen.nothing_more()


@pytest.mark.parametrize("what", REFUSALS)
def test_an_idle_worker_takes_jobs_again_after_the_server_refused(
    server: Server, face: Face, what: str, seen: Seen, caplog: pytest.LogCaptureFixture
) -> None:
    refuses, _ = REFUSALS[what]
    consumers: Any = [(Order, lambda ctx: seen.add(ctx.payload.number), {})]
    with watching(server.url) as watch, bus_worker(face, server.url, consumers):
        idle(server)
        with refuses(server):
            # Idle workers look by themselves twice a second; at the memory limit that goes well.
            wait_until(
                lambda: "trying again in" in caplog.text or what == "out-of-memory",
                "it was refused",
                LONG_S,
            )
            with pytest.raises(ServerError):
                watch.bus.publish_json(Order(0))
        watch.bus.publish_json(Order(1))
        assert seen.next() == 1


@pytest.mark.parametrize("what", REFUSALS)
def test_a_publisher_is_told_what_the_server_refuses(server: Server, what: str) -> None:
    refuses, error = REFUSALS[what]
    with Bus(server.url, registry=REGISTRY) as bus:
        bus.publish_json(Order(1), job_id="before")
        with refuses(server), pytest.raises(error):
            bus.publish_json(Order(2), job_id="meanwhile")
        assert bus.publish_json(Order(3), job_id="after") == "after"


def test_a_job_that_was_refused_was_not_published(server: Server) -> None:
    with watching(server.url) as watch:
        for refuses, error in REFUSALS.values():
            with refuses(server), pytest.raises(error):
                watch.bus.publish_json(Order(1), gid="g", group_limit=1)
        _nothing_there(watch)


def _nothing_there(watch: Watch) -> None:
    stats = watch.stats("orders")
    assert (stats.waiting_total, stats.groups_ready, stats.delayed) == (0, 0, 0)
