"""Where the server is: from a URL or from host and port to redis-py's client arguments."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from redis.connection import parse_url

from omniq_typed.core.arguments import check_int
from omniq_typed.errors import InvalidArgument

_FSYNC = ("always", "everysec", "no")
_SCHEMES = ("redis", "rediss", "unix", "embedded", "memory")

CONNECT_TIMEOUT_S = 5.0
REPLY_TIMEOUT_S = 15.0
"""No call blocks longer on the server than a worker's wait for work, so a reply that takes this
long means a dead connection."""


@dataclass(frozen=True, slots=True)
class Address:
    """`url` (redis, rediss, unix), or `options` for redis-py, or the embedded server, or a server
    within this process.

    `data_dir` None with `embedded` means in memory. `memory` is the name of a server of
    memory.py, '' = a new one; None: it is none of those.
    """

    url: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    embedded: bool = False
    data_dir: Path | None = None
    fsync: str = "everysec"
    memory: str | None = None

    def __str__(self) -> str:
        """For messages; holds no password."""
        if self.embedded:
            return f"embedded://{self.data_dir or ''}"
        if self.memory is not None:
            return f"memory://{self.memory}"
        if self.url:
            parts = urlsplit(self.url)
            return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        return f"redis://{self.options.get('host')}:{self.options.get('port')}"


def from_url(url: object) -> Address:
    """`redis://`, `rediss://`, `unix://`, `embedded://` (in memory) or `embedded:///path`
    (kept on disk; `?fsync=always|everysec|no`), `memory://` or `memory://name` (within this
    process, for tests). Raises InvalidArgument."""
    if not isinstance(url, str) or not url.startswith(tuple(f"{name}://" for name in _SCHEMES)):
        shown = repr(_without_secrets(url) if isinstance(url, str) else url)
        raise InvalidArgument("url", f"{shown} is none; start it with one of {_SCHEMES} and '://'")
    if url.startswith("embedded://"):
        return _embedded(url)
    if url.startswith("memory://"):
        return _memory(url)
    try:
        parse_url(url)  # type: ignore[no-untyped-call]
    except ValueError as error:
        # A '/' in a password ends the host: what stands before it is taken for the port, and told.
        why = str(error)
        if re.search(r"//[^/?#]*[/?#].*@", url):
            why = "write '/', '?' and '#' in a user name or password as %2F, %3F and %23"
        raise InvalidArgument("url", f"{_without_secrets(url)!r}: {why}") from None
    return Address(url=url)


def _without_secrets(url: str) -> str:
    """For messages: neither user and password nor the query, which may hold one."""
    return re.sub(r"//.*@", "//", url, flags=re.DOTALL).partition("?")[0]


def _embedded(url: str) -> Address:
    parts = urlsplit(url)
    if parts.netloc:
        raise InvalidArgument(
            "url",
            f"{url!r} names a host; write embedded:// (in memory) or embedded:///absolute/path",
        )
    fsync = parse_qs(parts.query).get("fsync", ["everysec"])[-1]
    if fsync not in _FSYNC:
        raise InvalidArgument("url", f"fsync={fsync} is none; use one of {', '.join(_FSYNC)}")
    path = unquote(parts.path)
    return Address(embedded=True, data_dir=Path(path) if path else None, fsync=fsync)


def _memory(url: str) -> Address:
    name = url.removeprefix("memory://")
    if not re.fullmatch(r"[A-Za-z0-9._-]*", name):
        raise InvalidArgument(
            "url", f"{url!r} is none; write memory:// or memory://name, of letters, digits, . _ -"
        )
    return Address(memory=name)


def from_host(
    host: object,
    port: object,
    *,
    db: object = 0,
    username: str | None = None,
    password: str | None = None,
    ssl: bool = False,
) -> Address:
    """The server at host and port. Raises InvalidArgument."""
    if not isinstance(host, str) or not host:
        raise InvalidArgument("host", f"{host!r} is none; use a name or an address")
    check_int("port", port, 1, 65535)
    check_int("db", db, 0)
    options = {
        "host": host,
        "port": port,
        "db": db,
        "username": username,
        "password": password,
        "ssl": ssl,
    }
    return Address(options=options)
