"""The peer's interpreter, and a driver of each kind."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest

from tests.interop.peer import (
    PEER_VERSION,
    PYTHON_VARIABLE,
    REQUIRE_VARIABLE,
    Driver,
    Side,
    Sides,
)
from tests.servers import Server


@pytest.fixture(scope="session")
def omniq_python() -> str:
    """The interpreter that has OmniQ. Without one: skip, or fail where OMNIQ_REQUIRE_INTEROP=1."""
    python = os.environ.get(PYTHON_VARIABLE, "")
    if not python:
        missing = f"{PYTHON_VARIABLE} names no interpreter with omniq=={PEER_VERSION}: make interop"
        if os.environ.get(REQUIRE_VARIABLE) == "1":
            pytest.fail(f"{missing} ({REQUIRE_VARIABLE}=1 forbids to skip)")
        pytest.skip(missing)
    return python


@pytest.fixture(scope="session")
def omniq_driver(omniq_python: str) -> Iterator[Driver]:
    driver = Driver(omniq_python, "omniq")
    assert driver.version == PEER_VERSION
    yield driver
    driver.close()


@pytest.fixture(scope="session")
def our_driver() -> Iterator[Driver]:
    driver = Driver(sys.executable, "omniq_typed")
    yield driver
    driver.close()


@pytest.fixture
def sides(server: Server, our_driver: Driver, omniq_driver: Driver) -> Sides:
    return Sides(server, Side(our_driver, server.port), Side(omniq_driver, server.port))
