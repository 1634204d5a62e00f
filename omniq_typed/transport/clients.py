"""Opens redis-py clients: single server or cluster, as the server itself says."""

from __future__ import annotations

from typing import Any, TypeAlias

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from omniq_typed.errors import ServerError
from omniq_typed.transport.address import CONNECT_TIMEOUT_S, REPLY_TIMEOUT_S, Address
from omniq_typed.transport.embedded import EmbeddedServer, open_embedded
from omniq_typed.transport.faults import translated

AnyClient: TypeAlias = "redis.Redis | redis.RedisCluster"
AnyAsyncClient: TypeAlias = "redis.asyncio.Redis | redis.asyncio.RedisCluster"

# redis-py would send any command again after a broken connection. Only we know which ones may be:
# a reserve sent twice leases jobs that nobody works on.
_OPTIONS: dict[str, Any] = {
    "protocol": 2,
    "socket_connect_timeout": CONNECT_TIMEOUT_S,
    "socket_timeout": REPLY_TIMEOUT_S,
    "socket_keepalive": True,
    # One connection per thread or task at most; redis-py's own bound of 100 would look like a
    # server that is away.
    "max_connections": 2**31,
}
# Arguments of a pool that both kinds of client understand.
_SHARED = (
    "host",
    "port",
    "db",
    "username",
    "password",
    "path",
    "credential_provider",
    "ssl_keyfile",
    "ssl_certfile",
    "ssl_cert_reqs",
    "ssl_ca_certs",
    "ssl_ca_path",
    "ssl_ca_data",
    "ssl_check_hostname",
    "ssl_min_version",
    "ssl_ciphers",
)


def open_client(address: Address) -> tuple[AnyClient, EmbeddedServer | None]:
    """A connected client, and the embedded server behind it if there is one.

    Raises ServerError: ConnectionLost, AuthenticationFailed, EmbeddedServerError, ...
    """
    embedded = _open_embedded(address)
    try:
        with translated():
            client = _single(address, embedded)
            if not _says_cluster(_hello(client)):
                client.connection_pool.disconnect()  # its calls go over connections of ours
                return client, embedded
            client.close()
            return _cluster(address), embedded
    except ServerError:
        if embedded is not None:
            embedded.close()
        raise


async def open_async_client(address: Address) -> tuple[AnyAsyncClient, EmbeddedServer | None]:
    """The asyncio twin of `open_client`."""
    embedded = _open_embedded(address)
    try:
        with translated():
            client = _async_single(address, embedded)
            if not _says_cluster(await _hello(client)):
                await client.connection_pool.disconnect()
                return client, embedded
            await client.aclose()
            return await _async_cluster(address).initialize(), embedded
    except ServerError:
        if embedded is not None:
            embedded.close()
        raise


def embedded_client(embedded: EmbeddedServer) -> redis.Redis:
    """A client of a running embedded server."""
    return redis.Redis(unix_socket_path=embedded.socket_path, **_options())


def async_embedded_client(embedded: EmbeddedServer) -> redis.asyncio.Redis:
    """The asyncio twin of `embedded_client`."""
    return redis.asyncio.Redis(unix_socket_path=embedded.socket_path, **_async_options())


def blocking_twin(client: AnyAsyncClient) -> AnyClient:
    """A blocking client with the connection arguments of an asyncio one."""
    if isinstance(client, redis.asyncio.RedisCluster):
        node = client.get_nodes()[0]
        names = ("username", "password")
        login = {key: given for key in names if (given := client.connection_kwargs.get(key))}
        return redis.RedisCluster(host=node.host, port=int(node.port), **_options(), **login)
    given = client.connection_pool.connection_kwargs
    options = {key: given[key] for key in _SHARED if given.get(key) is not None}
    if "path" in options:
        options["unix_socket_path"] = options.pop("path")
    tls = issubclass(client.connection_pool.connection_class, redis.asyncio.SSLConnection)
    return redis.Redis(ssl=tls, **_options(), **options)


def _open_embedded(address: Address) -> EmbeddedServer | None:
    if not address.embedded:
        return None
    return open_embedded(address.data_dir, fsync=address.fsync)


def _hello(client: redis.Redis | redis.asyncio.Redis) -> Any:
    return client.execute_command("HELLO")


def _says_cluster(hello: Any) -> bool:
    """Reads `mode` from the reply of HELLO, which every user may call whatever his ACL."""
    fields = hello if isinstance(hello, dict) else dict(zip(hello[::2], hello[1::2], strict=True))
    return bool(fields.get(b"mode", fields.get("mode")) in (b"cluster", "cluster"))


def _options() -> dict[str, Any]:
    return {"retry": Retry(NoBackoff(), 0), **_OPTIONS}


def _async_options() -> dict[str, Any]:
    return {"retry": AsyncRetry(NoBackoff(), 0), **_OPTIONS}


def _single(address: Address, embedded: EmbeddedServer | None) -> redis.Redis:
    if embedded is not None:
        return embedded_client(embedded)
    if address.url:
        return redis.Redis.from_url(address.url, **_for_url(address.url, _options()))
    return redis.Redis(**_options(), **address.options)


def _for_url(url: str, options: dict[str, Any]) -> dict[str, Any]:
    """A connection to a unix socket knows no keepalive, and refuses the word."""
    if not url.startswith("unix:"):
        return options
    return {name: value for name, value in options.items() if name != "socket_keepalive"}


def _cluster(address: Address) -> redis.RedisCluster:
    if address.url:
        return redis.RedisCluster.from_url(address.url, **_options())
    return redis.RedisCluster(**_options(), **_without_db(address))


def _async_single(address: Address, embedded: EmbeddedServer | None) -> redis.asyncio.Redis:
    if embedded is not None:
        return async_embedded_client(embedded)
    if address.url:
        return redis.asyncio.Redis.from_url(address.url, **_for_url(address.url, _async_options()))
    return redis.asyncio.Redis(**_async_options(), **address.options)


def _async_cluster(address: Address) -> redis.asyncio.RedisCluster:
    if address.url:
        return redis.asyncio.RedisCluster.from_url(address.url, **_async_options())
    return redis.asyncio.RedisCluster(**_async_options(), **_without_db(address))


def _without_db(address: Address) -> dict[str, Any]:
    """A cluster has one database."""
    return {key: value for key, value in address.options.items() if key != "db"}
