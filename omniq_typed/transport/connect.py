"""From a URL to a transport; where every client and bus begins."""

from __future__ import annotations

from omniq_typed.transport.address import Address, from_url
from omniq_typed.transport.aio import AsyncTransport
from omniq_typed.transport.memory import AsyncMemoryTransport, MemoryServer, MemoryTransport
from omniq_typed.transport.sync import SyncTransport

__all__ = ["async_transport_to", "connect", "connect_async", "transport_to"]


def connect(url: str) -> SyncTransport:
    """A transport to the server at `url`: `redis://`, `rediss://`, `unix://`, `embedded://` (in
    memory), `embedded:///path` (kept on disk) or `memory://` (within this process, for tests). It
    connects at its first command, and asks the server then whether it is a cluster. Raises
    InvalidArgument for any other URL."""
    return transport_to(from_url(url))


def connect_async(url: str) -> AsyncTransport:
    """The asyncio twin of `connect`."""
    return async_transport_to(from_url(url))


def transport_to(address: Address) -> SyncTransport:
    """A transport to the server at an address. Raises InvalidArgument."""
    if address.memory is not None:
        return MemoryTransport(MemoryServer.named(address.memory))
    return SyncTransport(address)


def async_transport_to(address: Address) -> AsyncTransport:
    """The asyncio twin of `transport_to`."""
    if address.memory is not None:
        return AsyncMemoryTransport(MemoryServer.named(address.memory))
    return AsyncTransport(address)
