"""`MemoryBus` and `AsyncMemoryBus`: a whole bus in the test's process, without a server; its time
stands still until the test moves it."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import Any, Never, Self, Unpack, overload

from omniq_typed.async_bus import AsyncBus, AsyncBusOptions
from omniq_typed.bus import Bus, BusOptions
from omniq_typed.errors import InvalidArgument
from omniq_typed.testing.borrowing import Redirectable, taken_over
from omniq_typed.testing.stepped_bus import AsyncSteppedBus, SteppedBus
from omniq_typed.transport.address import from_url
from omniq_typed.transport.stage import Stage

IN_MEMORY = "memory://"


class MemoryBus(SteppedBus):
    """A `Bus` that needs no server: the same scripts on the same data, within this process.

    Each has a server of its own, unless it is given the `url` of another one. The time is that of
    its making, or `now`, until `advance` or `run_for` moves it.
    """

    def __init__(
        self,
        url: str = IN_MEMORY,
        *,
        now: datetime | None = None,
        time_runs: bool = False,
        **options: Unpack[BusOptions],
    ) -> None:
        """`url`: 'memory://NAME' or the `url` of another MemoryBus. `now`: with a time zone.
        `time_runs`: it passes by itself too. Options as of `Bus`. Raises InvalidArgument, also
        where the extra `omniq-typed[testing]` is not installed."""
        super().__init__(in_memory(url), **options)
        set_clock(self._stage, now, time_runs)

    @property
    def url(self) -> str:
        """For another bus or client on the same server."""
        return str(self.transport.address)

    @classmethod
    def of(cls, bus: Bus, url: str = IN_MEMORY) -> Self:
        """The registry, middleware, source and handlers of an application's bus, without a server.
        The bus itself is left alone and not connected; `memory(bus)` takes it over too."""
        return super().of(bus, url)

    @classmethod
    def embedded(cls, path: object = None, **options: Any) -> Never:
        """There is none: use SteppedBus.embedded()."""
        raise InvalidArgument("url", f"a {cls.__name__} has no server; use SteppedBus.embedded()")


class AsyncMemoryBus(AsyncSteppedBus):
    """The asyncio twin of `MemoryBus`."""

    def __init__(
        self,
        url: str = IN_MEMORY,
        *,
        now: datetime | None = None,
        time_runs: bool = False,
        **options: Unpack[AsyncBusOptions],
    ) -> None:
        """As `MemoryBus`."""
        super().__init__(in_memory(url), **options)
        set_clock(self._stage, now, time_runs)

    @property
    def url(self) -> str:
        """For another bus or client on the same server."""
        return str(self.transport.address)

    @classmethod
    def of(cls, bus: AsyncBus, url: str = IN_MEMORY) -> Self:
        """As `MemoryBus.of`."""
        return super().of(bus, url)

    @classmethod
    def embedded(cls, path: object = None, **options: Any) -> Never:
        """There is none: use AsyncSteppedBus.embedded()."""
        raise InvalidArgument(
            "url", f"a {cls.__name__} has no server; use AsyncSteppedBus.embedded()"
        )


def in_memory(url: str) -> str:
    """The URL of a memory server. Raises InvalidArgument for any other."""
    if from_url(url).memory is None:
        raise InvalidArgument("url", f"{url!r} is no memory://NAME; SteppedBus takes any URL")
    return url


def set_clock(stage: Stage, now: datetime | None, time_runs: bool) -> None:
    """The time of a new bus; one that shares a server takes what time it is there, unless it says
    otherwise. Raises InvalidArgument."""
    if now is not None and now.tzinfo is None:
        raise InvalidArgument("now", f"{now} has no time zone; say datetime(..., tzinfo=UTC)")
    if time_runs and now is not None:
        raise InvalidArgument("now", "a time that runs is the time that it is; leave out one")
    if time_runs or (now is None and stage.stands_still):
        return
    at_s = time.time() if now is None else now.timestamp()
    stage.stand_still(round(at_s * 1000))


@overload
def memory(
    bus: Bus, *others: Redirectable, now: datetime | None = None
) -> AbstractContextManager[MemoryBus]: ...
@overload
def memory(
    bus: AsyncBus, *others: Redirectable, now: datetime | None = None
) -> AbstractContextManager[AsyncMemoryBus]: ...
@contextmanager
def memory(
    bus: Bus | AsyncBus, *others: Redirectable, now: datetime | None = None
) -> Generator[Any]:
    """Within, an application's bus, and `others` that it uses beside it, work on a memory server.

    Gives the MemoryBus (AsyncMemoryBus) of it, with its handlers. What the application publishes
    through its own bus lands there too. Nothing is connected; afterwards all is as before.
    """
    stepped: MemoryBus | AsyncMemoryBus
    stepped = MemoryBus.of(bus) if isinstance(bus, Bus) else AsyncMemoryBus.of(bus)
    if now is not None:
        set_clock(stepped._stage, now, False)
    with taken_over(stepped, bus, *others):
        yield stepped
