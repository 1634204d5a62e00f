"""The doors that every conformance test goes through."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from omniq_typed import OmniqClient, QueueMonitor
from tests.conformance.doors import FACES, Doors, Face, open_doors
from tests.servers import AnyServer, Server
from tests.workers import Watch, watching


@pytest.fixture(params=FACES)
def face(request: pytest.FixtureRequest) -> Face:
    """Blocking, and asyncio."""
    found: Face = request.param
    return found


@pytest.fixture
def doors(any_server: AnyServer, face: Face) -> Iterator[Doors]:
    """An open client on every kind of server, blocking and asyncio."""
    with open_doors(face, url=any_server.url) as opened:
        yield opened


@pytest.fixture
def watch(server: Server) -> Iterator[Watch]:
    """Looks at the server that a worker under test works on."""
    with watching(server.url) as found:
        yield found


@pytest.fixture
def client(doors: Doors) -> OmniqClient:
    """The client of `doors`."""
    return doors.client


@pytest.fixture
def monitor(doors: Doors) -> QueueMonitor:
    """The monitor of `doors`."""
    return doors.monitor
