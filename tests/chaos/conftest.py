"""What the tests of workers share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers import Server
from tests.workers import FACES, Face, Watch, watching


@pytest.fixture(params=FACES)
def face(request: pytest.FixtureRequest) -> Face:
    """Blocking, and asyncio."""
    found: Face = request.param
    return found


@pytest.fixture
def watch(redis_server: Server) -> Iterator[Watch]:
    """Looks at a Redis that a test may have stopped or filled before."""
    redis_server.ensure_running()
    redis_server.flushall()
    with watching(redis_server.url) as found:
        yield found
