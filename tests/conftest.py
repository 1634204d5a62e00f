"""Servers for every test, each started by the first test that asks for it.

Under pytest-xdist every worker has servers of its own; packages of Node are fetched once for all.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from tests import hang_guard, node
from tests.memory_engine import MemoryEngine, sort_out
from tests.second_chance import deny_to_searches
from tests.servers import (
    AnyServer,
    Cluster,
    Server,
    ServerUnavailable,
    start_cluster,
    start_redis,
    start_valkey,
)


def pytest_configure(config: pytest.Config) -> None:
    """A run under nohup, or in the background of a shell, ignores these, and so would all programs
    that the tests start and signal."""
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    hang_guard.keep_stderr(config)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """See tests/hang_guard.py."""
    with hang_guard.guarded(item):
        return (yield)


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses by marks
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Which tests run on a memory server, and when, and which have a second chance; see
    tests/memory_engine.py and tests/second_chance.py."""
    deny_to_searches(config, items)
    left_out = sort_out(items)
    if left_out:
        config.hook.pytest_deselected(items=left_out)


S = TypeVar("S", Server, Cluster)


def _serve(start: Callable[[], S]) -> Iterator[S]:
    """Start, yield, close. Without the binary: skip, or fail where OMNIQ_REQUIRE_REDIS=1 (CI)."""
    try:
        server = start()
    except ServerUnavailable as error:
        if os.environ.get("OMNIQ_REQUIRE_REDIS") == "1":
            pytest.fail(f"{error} (OMNIQ_REQUIRE_REDIS=1 forbids to skip)")
        pytest.skip(str(error))
    try:
        yield server
    finally:
        server.close()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Server]:
    """One Redis for the session. It is not flushed between tests; `server` is."""
    yield from _serve(start_redis)


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[Server]:
    """One Valkey for the session. It is not flushed between tests; `server` is."""
    yield from _serve(start_valkey)


@pytest.fixture(scope="session")
def redis_cluster() -> Iterator[Cluster]:
    """Three Redis masters for the session. Not flushed between tests; `any_server` is."""
    yield from _serve(lambda: start_cluster("redis"))


@pytest.fixture(scope="session")
def valkey_cluster() -> Iterator[Cluster]:
    """Three Valkey masters for the session. Not flushed between tests; `any_server` is."""
    yield from _serve(lambda: start_cluster("valkey"))


@pytest.fixture(scope="session")
def memory_engine() -> MemoryEngine:
    """One memory server for the session. It is not flushed between tests; `server` is."""
    return MemoryEngine()


MEMORY = {"memory": "memory_engine"}
SINGLE = {"redis": "redis_server", "valkey": "valkey_server"}
CLUSTERS = {"redis-cluster": "redis_cluster", "valkey-cluster": "valkey_cluster"}


@pytest.fixture(params=[*SINGLE, *MEMORY])
def server(request: pytest.FixtureRequest) -> Server:
    """An empty single server, once Redis and once Valkey."""
    found: Server = request.getfixturevalue({**SINGLE, **MEMORY}[request.param])
    _make_fresh(found)
    return found


@pytest.fixture(params=[*SINGLE, *CLUSTERS, *MEMORY])
def any_server(request: pytest.FixtureRequest) -> AnyServer:
    """An empty server: Redis, Valkey, and a cluster of each."""
    found: AnyServer = request.getfixturevalue({**SINGLE, **CLUSTERS, **MEMORY}[request.param])
    _make_fresh(found)
    return found


def _make_fresh(server: AnyServer) -> None:
    server.ensure_running()
    server.flushall()


@pytest.fixture(scope="session")
def node_packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose node_modules has what the tests need. Skips where npm does not answer."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    return node.install(shared / "node")
