"""Every kind of URL leads to a server, blocking and asyncio."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme
import uvloop

from omniq_typed import AsyncOmniqClient, OmniqClient
from omniq_typed.errors import ConnectionLost
from omniq_typed.transport.connect import connect, connect_async
from tests.conformance.test_transport import echo
from tests.servers import Server, start_redis, start_valkey

START: list[Callable[..., Server]] = [start_redis, start_valkey]


def goes_round(url: str) -> None:
    """One job by each kind of client."""
    with OmniqClient(url=url) as client:
        client.publish(queue="orders", payload={"n": 1}, job_id="sync")

    async def by_asyncio() -> list[str]:
        client = AsyncOmniqClient(url=url)
        await client.publish(queue="orders", payload={"n": 2}, job_id="async")
        jobs = [await client.reserve(queue="orders") for _ in range(2)]
        await client.close()
        return [job.job_id for job in jobs if job is not None and job.status == "JOB"]

    assert asyncio.run(by_asyncio()) == ["sync", "async"]


def carries_much(url: str) -> None:
    """Commands and replies of many TLS records, one after the other and at once."""
    big = "x" * 1_000_000
    transport = connect(url)
    for n in range(5):
        assert transport.run(echo(big + str(n))) == (big + str(n)).encode()
        assert transport.run_when_woken("orders", 0.01, echo(str(n))) == str(n).encode()
    transport.close()

    async def by_asyncio() -> None:
        transport = connect_async(url)
        for _ in range(2):
            calls = [transport.run(echo(big + str(n))) for n in range(5)]
            assert await asyncio.gather(*calls) == [(big + str(n)).encode() for n in range(5)]
        await transport.close()

    asyncio.run(by_asyncio())
    uvloop.run(by_asyncio())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(params=START, ids=["redis", "valkey"])
def start(request: pytest.FixtureRequest) -> Callable[..., Server]:
    found: Callable[..., Server] = request.param
    return found


def test_unix_socket(start: Callable[..., Server], tmp_path: Path) -> None:
    path = tmp_path / "s.sock"
    with start(unixsocket=str(path)):
        goes_round(f"unix://{path}")


def test_database_number_and_password(start: Callable[..., Server]) -> None:
    with start(requirepass="p@ss/word") as server:
        goes_round(server.url.removesuffix("/0") + "/3")
        keys = server.client(db=3).keys("*")
        assert b"{orders}:stats" in keys
        assert server.client().keys("*") == []


@pytest.fixture
def certificates(tmp_path: Path) -> dict[str, str]:
    authority = trustme.CA()
    own = authority.issue_cert("127.0.0.1", "localhost")
    files = {name: str(tmp_path / f"{name}.pem") for name in ("ca", "cert", "key")}
    authority.cert_pem.write_to_path(files["ca"])
    own.cert_chain_pems[0].write_to_path(files["cert"])
    own.private_key_pem.write_to_path(files["key"])
    return files


def test_tls(certificates: dict[str, str], redis_server: Server) -> None:
    """Redis alone: the embedded Valkey is built without TLS."""
    port = free_port()
    with start_redis(
        tls_port=port,
        tls_cert_file=certificates["cert"],
        tls_key_file=certificates["key"],
        tls_ca_cert_file=certificates["ca"],
        tls_auth_clients="no",
    ):
        url = f"rediss://localhost:{port}/0?ssl_ca_certs={certificates['ca']}"
        goes_round(url)
        carries_much(url)
        distrustful = OmniqClient(url=f"rediss://localhost:{port}/0")  # knows no such CA
        with distrustful, pytest.raises(ConnectionLost, match="certificate"):
            distrustful.pause(queue="orders")


def test_embedded_in_memory_and_on_disk(tmp_path: Path) -> None:
    goes_round(f"embedded://{tmp_path / 'data'}")


def test_connect_asks_the_server_whether_it_is_a_cluster(any_server: Server) -> None:
    transport = connect(any_server.url)
    try:
        assert transport.is_cluster is any_server.is_cluster
    finally:
        transport.close()


async def test_connect_async_opens_the_same(server: Server) -> None:
    transport = connect_async(server.url)
    assert (await transport.client()) is (await transport.client())
    await transport.close()
