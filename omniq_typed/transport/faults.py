"""From what redis-py raises to our own exceptions. Nobody above this file sees a redis error."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import redis.exceptions as rx

from omniq_typed.errors import (
    AuthenticationFailed,
    ClusterUnavailable,
    ConnectionLost,
    OmniqError,
    PermissionDenied,
    ReadOnlyServer,
    ServerError,
    ServerLoading,
    ServerOutOfMemory,
    UnexpectedReply,
)

# Where redis-py has no class, or wraps the error of a script, the code at the head of the
# server's message decides. It is part of the protocol, unlike the words behind it.
_BY_CODE: dict[str, tuple[type[ServerError], str]] = {
    "NOPERM": (PermissionDenied, "the Redis user lacks a permission; see docs/operations.md"),
    "NOAUTH": (AuthenticationFailed, "the server wants a password"),
    "WRONGPASS": (AuthenticationFailed, "wrong user name or password"),
    "LOADING": (ServerLoading, "the server is loading its data; try again soon"),
    "READONLY": (ReadOnlyServer, "this server takes no writes; connect to the primary"),
    "OOM": (ServerOutOfMemory, "the server is at its memory limit"),
    "CLUSTERDOWN": (ClusterUnavailable, "the cluster cannot serve this queue at the moment"),
    "TRYAGAIN": (ClusterUnavailable, "the cluster is moving this queue to another node"),
    "NOREPLICAS": (ReadOnlyServer, "the server has too few replicas and takes no writes"),
    "MASTERDOWN": (ConnectionLost, "the primary of this server is down"),
    "BUSY": (ConnectionLost, "the server is busy with another script"),
    "MISCONF": (ReadOnlyServer, "the server cannot write to its disk and takes no writes"),
    "NOSCRIPT": (ConnectionLost, "the server forgets its scripts faster than they are loaded"),
    "UNBLOCKED": (ConnectionLost, "the server gave up a blocking call; its role changed"),
}

# The code of a denial within a script is just ERR: the words of Redis 7.0, and of later servers.
_DENIED_IN_SCRIPT = ("The user executing the script can't ", "ACL failure in script: ")


def translate(error: BaseException) -> BaseException:
    """Our exception for one of redis-py's; any other comes back as it is."""
    if isinstance(error, OmniqError):  # a ConnectionLost of ours is a ConnectionError, too
        return error
    said = str(error)
    if isinstance(error, (rx.RedisError, ConnectionError, TimeoutError)):
        code = said.split(" ", 1)[0].strip(":")
        if code in _BY_CODE:
            kind, meaning = _BY_CODE[code]
            return kind(meaning, said)
        for code, (kind, meaning) in _BY_CODE.items():
            if f"{code} " in said:
                return kind(meaning, said)
        if any(words in said for words in _DENIED_IN_SCRIPT):
            kind, meaning = _BY_CODE["NOPERM"]
            return kind(meaning, said)
    if isinstance(error, rx.AuthenticationError):
        return AuthenticationFailed("wrong user name or password", said)
    if isinstance(error, rx.NoPermissionError):
        return PermissionDenied("the Redis user lacks a permission", said)
    if isinstance(error, rx.BusyLoadingError):
        return ServerLoading("the server is loading its data; try again soon", said)
    if isinstance(error, rx.ReadOnlyError):
        return ReadOnlyServer("this server takes no writes; connect to the primary", said)
    if isinstance(error, rx.OutOfMemoryError):
        return ServerOutOfMemory("the server is at its memory limit", said)
    if isinstance(error, rx.ClusterError):  # also of one that sends a call to and fro
        return ClusterUnavailable("the cluster cannot serve this queue at the moment", said)
    if isinstance(error, rx.RedisClusterException):
        return ConnectionLost("no node of the cluster could be reached", said)
    if isinstance(error, (rx.ConnectionError, rx.TimeoutError, ConnectionError, TimeoutError)):
        return ConnectionLost("no connection to the server", said)
    if isinstance(error, rx.RedisError):
        return UnexpectedReply("the server refused the call", said)
    return error


@contextmanager
def translated() -> Generator[None]:
    """Raises our exception in place of redis-py's, with the original as its cause."""
    try:
        yield
    except (rx.RedisError, ConnectionError, TimeoutError) as error:
        ours = translate(error)
        if ours is error:
            raise
        raise ours from error
