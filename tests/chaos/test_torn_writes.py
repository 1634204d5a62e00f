"""A server is killed while it writes what a script did, and killed again later: nothing of the torn
script is left, and nothing is done twice."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import redis

from omniq_typed import OmniqClient
from omniq_typed.models import ReserveJob
from omniq_typed.transport.embedded import open_embedded
from tests.chaos.storm.look import Picture, look
from tests.chaos.storm.torn_file import mend, tear
from tests.servers import Kind, Server, ServerUnavailable, wait_until

QUEUE = "orders"
GONE_S = 10.0


class Place(NamedTuple):
    """A server that may be killed. `crash`: kills it, tears its last write where asked to, and
    brings it back. `picture`: what lies in the queue."""

    url: str
    crash: Callable[[bool], None]
    picture: Callable[[], Picture]


@contextlib.contextmanager
def a_server(kind: Kind) -> Iterator[Place]:
    """Brought back as docs/operations.md tells to."""
    with Server(kind, appendonly="yes", appendfsync="always") as server:

        def crash(torn: bool) -> None:
            server.kill()
            if torn:
                tear(server.dir)
                assert mend(server) == (kind == "redis")
            server.restart()

        with contextlib.closing(server.client()) as client:
            yield Place(server.url, crash, lambda: look(client, QUEUE, [], whole=True))


@contextlib.contextmanager
def an_embedded_one(path: Path) -> Iterator[Place]:
    def crash(torn: bool) -> None:
        with open_embedded(path) as server:
            os.kill(server.pid, signal.SIGKILL)
            gone = Path(f"/proc/{server.pid}")
            wait_until(lambda: not gone.exists(), "the embedded server is gone", GONE_S)
        if torn:
            tear(path)
        open_embedded(path).close()  # it runs, for the client uses it

    def picture() -> Picture:
        with open_embedded(path) as server:
            client = redis.Redis(unix_socket_path=server.socket_path)
            with contextlib.closing(client):
                return look(client, QUEUE, [], whole=True)

    yield Place(f"embedded://{path}?fsync=always", crash, picture)


@pytest.fixture(params=["redis", "valkey", "embedded"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    kind = request.param
    try:
        with an_embedded_one(tmp_path) if kind == "embedded" else a_server(kind) as found:
            yield found
    except ServerUnavailable as error:
        pytest.skip(str(error))


def test_a_torn_script_is_not_done_by_halves_and_not_twice(place: Place) -> None:
    with OmniqClient(url=place.url) as client:

        def publish(job_id: str) -> str:
            return client.publish(queue=QUEUE, payload={}, job_id=job_id)

        def lease() -> ReserveJob:
            job = client.reserve(queue=QUEUE)
            assert isinstance(job, ReserveJob)
            return job

        def complete(job: ReserveJob) -> None:
            client.ack_success(queue=QUEUE, job_id=job.job_id, lease_token=job.lease_token)

        for job_id in ("a", "b", "c"):
            publish(job_id)
        place.crash(True)  # nobody has been told that c was published: it is published again
        assert publish("c") == "c"
        place.crash(False)
        assert lease().job_id == "a"
        place.crash(True)
        leased = lease()
        assert leased.job_id == "a"
        place.crash(False)
        complete(leased)
        place.crash(True)
        complete(leased)
        place.crash(False)
        assert place.picture().faults() == []
        assert place.picture().lanes["wait"] == ["b", "c"]
        assert place.picture().lanes["completed"] == ["a"]
