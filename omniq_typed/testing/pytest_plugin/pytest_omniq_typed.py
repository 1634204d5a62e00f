"""The pytest plugin of omniq_typed; docs/testing.md tells what it gives.

A module of its own, because pytest imports it in every project where omniq_typed is installed: it
must cost nothing there, and must not import what such a project may not have, or may want to
measure. What the fixtures need is imported when a test asks for one.
"""

from __future__ import annotations

import inspect
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from omniq_typed import AsyncBus, Bus
    from omniq_typed.testing import AsyncMemoryBus, AsyncSteppedBus, MemoryBus, SteppedBus
    from omniq_typed.testing.server import RealServer

_ASYNC_BUSES = ("omniq_async_bus", "omniq_async_memory_bus")
_server = pytest.StashKey["RealServer"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("omniq_typed").addoption(
        "--omniq-url",
        metavar="URL",
        help="the server that omniq_server and omniq_bus use, instead of one that they start; its"
        " database must be empty, and is emptied before each test",
    )


def pytest_configure(config: pytest.Config) -> None:
    for marker in (
        "omniq(bus=None, **options): what the omniq_typed fixtures make their buses of: an"
        " application's bus, or the options of a Bus",
        "omniq_server: the test uses a real server (set by the fixtures that start one)",
    ):
        config.addinivalue_line("markers", marker)


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses by marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "omniq_server" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.omniq_server)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Before each test the server is empty. What a failed test left can be looked at until then."""
    server = item.config.stash.get(_server, None)
    if server is not None and "omniq_server" in getattr(item, "fixturenames", ()):
        server.flush()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    test = getattr(item, "obj", None)
    given = getattr(item, "funcargs", {})
    buses = [given[name] for name in _ASYNC_BUSES if name in given]
    if not buses or not inspect.iscoroutinefunction(test):
        return (yield)
    from omniq_typed.testing.fixtures import closing

    item.obj = closing(test, buses)  # type: ignore[attr-defined]
    try:
        return (yield)
    finally:
        item.obj = test  # type: ignore[attr-defined]


@pytest.fixture(scope="session")
def omniq_app_bus() -> Bus | AsyncBus | None:
    """Override it to give the application's bus, whose handlers the other fixtures take over."""
    return None


@pytest.fixture(scope="session")
def omniq_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RealServer]:
    """A real server on a free port, or the one of --omniq-url; empty before each test. Under
    pytest-xdist one per worker process."""
    from omniq_typed.testing import fixtures

    config = request.config
    # Not from the environment: a run that a test starts inherits that of the test's own worker.
    worker: str = getattr(config, "workerinput", {}).get("workerid", "")
    folder = tmp_path_factory.mktemp("omniq-server")
    with fixtures.server(config.getoption("--omniq-url"), worker, folder) as server:
        config.stash[_server] = server
        yield server
        del config.stash[_server]


@pytest.fixture
def omniq_bus(request: pytest.FixtureRequest, omniq_server: RealServer) -> Iterator[SteppedBus]:
    """A bus on a real server, whose jobs the test works off by `run_pending`."""
    from omniq_typed.testing import fixtures

    with fixtures.real_bus(omniq_server.url, *_made_of(request)) as bus:
        yield bus


@pytest.fixture
def omniq_async_bus(
    request: pytest.FixtureRequest, omniq_server: RealServer
) -> Iterator[AsyncSteppedBus]:
    """The asyncio twin of `omniq_bus`. It is closed at the end of the test."""
    from omniq_typed.testing import fixtures

    with fixtures.async_real_bus(omniq_server.url, *_made_of(request)) as bus:
        yield bus


@pytest.fixture
def omniq_memory_bus(request: pytest.FixtureRequest) -> Iterator[MemoryBus]:
    """A bus without a server, whose time stands still."""
    from omniq_typed.testing import fixtures

    with fixtures.memory_bus(*_made_of(request)) as bus:
        yield bus


@pytest.fixture
def omniq_async_memory_bus(request: pytest.FixtureRequest) -> Iterator[AsyncMemoryBus]:
    """The asyncio twin of `omniq_memory_bus`."""
    from omniq_typed.testing import fixtures

    with fixtures.async_memory_bus(*_made_of(request)) as bus:
        yield bus


def _made_of(request: pytest.FixtureRequest) -> tuple[Any, dict[str, Any]]:
    """The application's bus, or None, and the options of a new one."""
    marker = request.node.get_closest_marker("omniq")
    options = dict(marker.kwargs) if marker else {}
    given = options.pop("bus", None)
    return given or request.getfixturevalue("omniq_app_bus"), options
