"""What the fixtures of the pytest plugin give. The plugin itself, in pytest_plugin/, imports this
when a test first asks for one."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from omniq_typed.async_bus import AsyncBus
from omniq_typed.bus import Bus
from omniq_typed.errors import InvalidArgument
from omniq_typed.testing.borrowing import taken_over
from omniq_typed.testing.memory_bus import AsyncMemoryBus, MemoryBus, memory
from omniq_typed.testing.server import RealServer, given_server, start_server
from omniq_typed.testing.stepped_bus import AsyncSteppedBus, SteppedBus

B = TypeVar("B", MemoryBus, AsyncMemoryBus)


@contextmanager
def server(url: str | None, worker: str, folder: Path) -> Generator[RealServer]:
    """For a session: the one at `url`, or one of our own."""
    found = start_server(folder) if url is None else given_server(url, worker)
    try:
        yield found
        if url is not None:
            found.flush()
    finally:
        found.close()


@contextmanager
def memory_bus(app_bus: object, options: dict[str, Any]) -> Generator[MemoryBus]:
    """A new one, or one that takes an application's bus over."""
    if app_bus is None:
        with MemoryBus(**options) as bus:
            yield bus
        return
    with memory(_checked(app_bus, Bus, options)) as bus:
        yield bus


@contextmanager
def async_memory_bus(app_bus: object, options: dict[str, Any]) -> Generator[AsyncMemoryBus]:
    """The asyncio twin of `memory_bus`."""
    if app_bus is None:
        yield AsyncMemoryBus(**options)
        return
    with memory(_checked(app_bus, AsyncBus, options)) as bus:
        yield bus


@contextmanager
def real_bus(url: str, app_bus: object, options: dict[str, Any]) -> Generator[SteppedBus]:
    """On a real server."""
    if app_bus is None:
        with SteppedBus(url, **options) as bus:
            yield bus
        return
    lender = _checked(app_bus, Bus, options)
    with SteppedBus.of(lender, url) as bus, taken_over(bus, lender):
        yield bus


@contextmanager
def async_real_bus(
    url: str, app_bus: object, options: dict[str, Any]
) -> Generator[AsyncSteppedBus]:
    """The asyncio twin of `real_bus`. The test closes it; see `closing`."""
    if app_bus is None:
        yield AsyncSteppedBus(url, **options)
        return
    lender = _checked(app_bus, AsyncBus, options)
    bus = AsyncSteppedBus.of(lender, url)
    with taken_over(bus, lender):
        yield bus


def _checked(app_bus: object, kind: type[Any], options: dict[str, Any]) -> Any:
    if not isinstance(app_bus, kind):
        raise InvalidArgument(
            "omniq_app_bus",
            f"{app_bus!r} is no {kind.__name__}; the fixtures omniq_bus and omniq_memory_bus are"
            " for a Bus, omniq_async_bus and omniq_async_memory_bus for an AsyncBus",
        )
    if options:
        raise InvalidArgument(
            "omniq", f"the application's bus has its own {', '.join(options)}; leave them out"
        )
    return app_bus


def closing(
    test: Callable[..., Any], buses: list[AsyncSteppedBus | AsyncMemoryBus]
) -> Callable[..., Any]:
    """An async test that closes its buses on its own event loop, before that is gone. Whatever
    plugin runs the test need not know."""

    @functools.wraps(test)
    async def run_and_close(*args: Any, **kwargs: Any) -> Any:
        try:
            return await test(*args, **kwargs)
        finally:
            await asyncio.gather(*(bus.close() for bus in buses))

    return run_and_close
