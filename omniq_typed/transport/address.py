"""Where the server is: from a URL or from host and port to redis-py's client arguments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from redis.connection import parse_url

from omniq_typed.errors import InvalidArgument

_FSYNC = ("always", "everysec", "no")
_SCHEMES = ("redis", "rediss", "unix", "embedded")

CONNECT_TIMEOUT_S = 5.0
REPLY_TIMEOUT_S = 15.0
"""No call blocks longer on the server than a worker's wait for work, so a reply that takes this
long means a dead connection."""


@dataclass(frozen=True, slots=True)
class Address:
    """`url` (redis, rediss, unix), or `options` for redis-py, or the embedded server.

    `data_dir` None with `embedded` means in memory.
    """

    url: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    embedded: bool = False
    data_dir: Path | None = None
    fsync: str = "everysec"

    def __str__(self) -> str:
        """For messages; holds no password."""
        if self.embedded:
            return f"embedded://{self.data_dir or ''}"
        if self.url:
            parts = urlsplit(self.url)
            return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        return f"redis://{self.options.get('host')}:{self.options.get('port')}"


def from_url(url: object) -> Address:
    """`redis://`, `rediss://`, `unix://`, `embedded://` (in memory) or `embedded:///path`
    (kept on disk; `?fsync=always|everysec|no`). Raises InvalidArgument."""
    scheme = urlsplit(url).scheme if isinstance(url, str) else ""
    if not isinstance(url, str) or scheme not in _SCHEMES:
        raise InvalidArgument("url", f"{url!r} is none; start it with one of {_SCHEMES} and '://'")
    if scheme == "embedded":
        return _embedded(url)
    try:
        parse_url(url)  # type: ignore[no-untyped-call]
    except ValueError as error:
        raise InvalidArgument("url", f"{url!r}: {error}") from error
    return Address(url=url)


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


def from_host(
    host: str,
    port: object,
    *,
    db: object = 0,
    username: str | None = None,
    password: str | None = None,
    ssl: bool = False,
) -> Address:
    """The server at host and port. Raises InvalidArgument."""
    if not isinstance(port, int) or not 0 < port < 65536:
        raise InvalidArgument("port", f"{port!r} is none; use 1 to 65535")
    if not isinstance(db, int) or db < 0:
        raise InvalidArgument("db", f"{db!r} is none; use 0 or more")
    options = {
        "host": host,
        "port": port,
        "db": db,
        "username": username,
        "password": password,
        "ssl": ssl,
    }
    return Address(options=options)
