"""How to open a connection of our own to the server of a redis-py client.

redis-py connects: TLS, unix sockets, users and passwords, databases are its. A client whose pool or
connections are of another kind than redis-py's plain ones may do on a connection what we cannot
know (a server for tests has no socket): then there is none, and all calls go through the client
itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import redis
import redis.asyncio
import redis.asyncio.connection
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.credentials import StreamingCredentialProvider
from redis.retry import Retry

from omniq_typed.transport.address import CONNECT_TIMEOUT_S, REPLY_TIMEOUT_S

_POOLS = (
    redis.ConnectionPool,
    redis.BlockingConnectionPool,
    redis.asyncio.ConnectionPool,
    redis.asyncio.BlockingConnectionPool,
)
_CONNECTIONS = (
    redis.Connection,
    redis.SSLConnection,
    redis.UnixDomainSocketConnection,
    redis.asyncio.Connection,
    redis.asyncio.SSLConnection,
    redis.asyncio.UnixDomainSocketConnection,
)
SOCKET_OF = {False: "_sock", True: "_writer"}
"""Where a connection of redis-py has its socket; under asyncio, the stream that writes to it."""
# Of what a pool or a node tells its connections; they announce what a server is about to do, in
# RESP 3, and try again by themselves.
_NOT_OURS = ("maint_", "maintenance_", "orig_", "oss_", "event_dispatcher", "cache", "retry")


@dataclass(frozen=True)
class Opening:
    """`connection_class` and its `options`; `reply_timeout_s`: how long its server may be silent
    when it owes a reply."""

    connection_class: Callable[..., Any]
    options: Mapping[str, Any]
    reply_timeout_s: float

    def connection(self, within_s: float | None = None) -> Any:
        """A connection of redis-py, not connected yet. `within_s`: how long the server may be
        silent, where that is to be less than usual."""
        options = dict(self.options)
        if within_s is not None:
            for name in ("socket_timeout", "socket_connect_timeout"):
                options[name] = min(within_s, options[name])
        return self.connection_class(**options)


def opening_by_pool(
    pool: redis.ConnectionPool | redis.asyncio.ConnectionPool,
) -> Opening | None:
    """That of a client with this pool; None: it has to run all calls itself."""
    if type(pool) not in _POOLS:
        return None
    return opening_by(pool.connection_class, pool.connection_kwargs)


def opening_by(connection_class: Callable[..., Any], given: Mapping[str, Any]) -> Opening | None:
    """That of connections of this class with these arguments; None as in `opening_by_pool`."""
    unknown = connection_class not in _CONNECTIONS
    renewed = isinstance(given.get("credential_provider"), StreamingCredentialProvider)
    if unknown or renewed or given.get("cache") or given.get("cache_config"):
        return None
    reply_timeout_s = given.get("socket_timeout") or REPLY_TIMEOUT_S
    asynchronous = issubclass(connection_class, redis.asyncio.connection.AbstractConnection)  # type: ignore[arg-type]
    options = {name: value for name, value in given.items() if not name.startswith(_NOT_OURS)}
    options |= {
        "protocol": 2,  # no reply without a call
        "retry": AsyncRetry(NoBackoff(), 0) if asynchronous else Retry(NoBackoff(), 0),
        "decode_responses": False,
        "health_check_interval": 0,
        "socket_timeout": reply_timeout_s,
        "socket_connect_timeout": given.get("socket_connect_timeout") or CONNECT_TIMEOUT_S,
    }
    opening = Opening(connection_class, options, reply_timeout_s)
    # Not of redis-py's public face: one that has it no more runs the calls itself.
    return opening if hasattr(opening.connection(), SOCKET_OF[asynchronous]) else None
