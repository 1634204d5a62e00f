"""Real servers for tests: one of our own on a free port, or the one that the user names."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import redis

from omniq_typed.errors import EmbeddedServerError, InvalidArgument
from omniq_typed.transport.address import from_url
from omniq_typed.transport.clients import AnyClient, embedded_client
from omniq_typed.transport.embedded import EmbeddedServer, open_embedded
from omniq_typed.transport.sync import SyncTransport

HOST = "127.0.0.1"
# Below the range from which Linux takes the ports of outgoing connections. Never 6379.
PORTS = range(12000, 32000)
TRIES = 50


class RealServer:
    """A server for tests. `url`: for buses and clients, of any language where it has a port."""

    def __init__(self, url: str, embedded: EmbeddedServer | None = None) -> None:
        self.url = url
        self._embedded = embedded
        self._transport = SyncTransport(from_url(url))

    @property
    def host(self) -> str:
        """'' where it listens on a unix socket only."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """0 where it listens on a unix socket only."""
        return urlsplit(self.url).port or (6379 if self.host else 0)

    @property
    def client(self) -> AnyClient:
        """A redis-py client, connected."""
        return self._transport.client

    def flush(self) -> None:
        """Removes all that is in its database."""
        self.client.flushdb()

    def close(self) -> None:
        """Ends it, if it is our own."""
        self._transport.close()
        if self._embedded is not None:
            self._embedded.close()


def start_server(folder: Path) -> RealServer:
    """A server of our own on a free port, whose data are kept in memory. It ends with the process,
    however that ends. Raises EmbeddedServerError."""
    embedded = open_embedded(folder, fsync="no")
    try:
        client: Any = embedded_client(embedded)
        client.config_set("appendonly", "no")
        client.config_set("save", "")
        client.config_set("bind", HOST)
        port = _listen(client)
        client.close()
    except BaseException:
        embedded.close()
        raise
    return RealServer(f"redis://{HOST}:{port}/0", embedded)


def _listen(client: Any) -> int:
    """The server itself says whether a port is free: nobody can take it between look and use."""
    for _ in range(TRIES):
        port = random.SystemRandom().choice(PORTS)
        try:
            client.config_set("port", port)
        except redis.ResponseError:
            continue
        return port
    raise EmbeddedServerError(f"none of {TRIES} ports of {HOST} is free")


def given_server(url: str, worker: str) -> RealServer:
    """The server that the user names, which must be empty. `worker`: of pytest-xdist, '' = none;
    each gets a database of its own, the given one and those behind it. Raises InvalidArgument,
    ServerError."""
    scheme = urlsplit(url).scheme
    if scheme not in ("redis", "rediss", "unix"):
        raise InvalidArgument("--omniq-url", f"{url!r} is no redis://, rediss:// or unix:// URL")
    server = RealServer(_of_worker(url, worker) if worker else url)
    client: Any = server.client
    held = client.dbsize()
    if held:
        server.close()
        raise InvalidArgument(
            "--omniq-url",
            f"{from_url(server.url)} holds {held} keys, and the tests would remove them; name an"
            " empty database",
        )
    return server


def _of_worker(url: str, worker: str) -> str:
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    first = query.get("db") or ("" if parts.scheme == "unix" else parts.path.strip("/"))
    query["db"] = str(int(first or 0) + int(worker.removeprefix("gw")))
    return urlunsplit(parts._replace(query=urlencode(query)))
