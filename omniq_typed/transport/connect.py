"""From a URL to a transport; where every client and bus begins."""

from __future__ import annotations

from omniq_typed.transport.address import from_url
from omniq_typed.transport.aio import AsyncTransport
from omniq_typed.transport.sync import SyncTransport

__all__ = ["connect", "connect_async"]


def connect(url: str) -> SyncTransport:
    """A transport to the server at `url`: `redis://`, `rediss://`, `unix://`, `embedded://` (in
    memory) or `embedded:///path` (kept on disk). It connects at its first command, and asks the
    server then whether it is a cluster. Raises InvalidArgument for any other URL."""
    return SyncTransport(from_url(url))


def connect_async(url: str) -> AsyncTransport:
    """The asyncio twin of `connect`."""
    return AsyncTransport(from_url(url))
