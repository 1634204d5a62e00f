"""`SteppedBus` and `AsyncSteppedBus`: buses on any server whose jobs a test works off by hand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Self, Unpack

from omniq_typed.async_bus import AsyncBus, AsyncBusOptions
from omniq_typed.bus import Bus, BusOptions
from omniq_typed.consumers import Consumers
from omniq_typed.core.arguments import check_int
from omniq_typed.core.command import Steps
from omniq_typed.core.schema_records import SchemaRole
from omniq_typed.messages.registry import Registry
from omniq_typed.publishing import AsyncPublisher, Publisher
from omniq_typed.registration import Registration
from omniq_typed.testing.attempts import Attempts
from omniq_typed.testing.borrowing import BorrowedConsumers
from omniq_typed.testing.inspection import Inspection, span_ms
from omniq_typed.testing.lines import async_lines_of, lines_of
from omniq_typed.testing.stepping import drive, drive_async, working, working_for
from omniq_typed.transport.address import from_url
from omniq_typed.transport.stage import AsyncStagedTransport, Stage, StagedTransport
from omniq_typed.worker.routing import Route

LIMIT = 1000
"""Attempts that one `run_pending` makes at most, unless it is told otherwise."""
KEEP_ALL = 10**9
"""Completed jobs are kept, so that a test can look at them."""


class SteppedBus(Inspection, Bus):
    """A `Bus` for tests, on any server: `run_pending` works off what is due, in the thread that
    calls it; time can be moved; what was published and became of it can be asked for.

    Completed jobs are kept, and types are not registered, unless its options say otherwise. Other
    buses and clients of a real server go by its own time.
    """

    def __init__(self, url: str, **options: Unpack[BusOptions]) -> None:
        """As `Bus`."""
        options.setdefault("keep_completed", KEEP_ALL)
        options.setdefault("register", "off")
        super().__init__(url, **options)
        transport = self.transport
        if not isinstance(transport, StagedTransport):
            transport = StagedTransport(from_url(url), Stage())
        self.transport = self._reading = self._publisher.transport = transport
        self._stage, self._registry = transport.stage, self._publisher.settings.registry

    @classmethod
    def of(cls, bus: Bus, url: str) -> Self:
        """A bus on the server at `url` with the registry, middleware, source and handlers of
        another, which is not connected. Handlers that are registered with the new bus stay with
        it."""
        stepped = cls(url)
        stepped._borrow(bus)
        return stepped

    def _borrow(self, bus: Bus) -> None:
        lent = bus._publisher
        settings = replace(lent.settings, keep_completed=KEEP_ALL)
        self._registration = Registration(settings.registry, "off", settings.source)
        self._publisher = Publisher(self.transport, settings, lent._wrap, self._registration)
        self._consumers = BorrowedConsumers(bus._consumers)
        self._registry = settings.registry

    def run_pending(self, *, queues: Iterable[str] | None = None, limit: int = LIMIT) -> Attempts:
        """Works off all jobs that are due now, of all queues with a handler (or of `queues`), and
        what they publish; answers what was attempted. A handler's exception fails its job and is
        told in the answer (`raise_errors()` raises it). Raises StillBusy where `limit` attempts do
        not end it; what is no Exception, such as pytest's own and Ctrl-C, passes."""
        routes, settings = self._consumers.routes(queues), self._publisher.settings
        lines = lines_of(self._publisher, routes)
        process = working(lines, settings, checked(limit), self._preparing(routes))
        return drive(self._publisher, process)

    def run_for(
        self,
        by: timedelta | None = None,
        *,
        days: float = 0,
        hours: float = 0,
        minutes: float = 0,
        seconds: float = 0,
        queues: Iterable[str] | None = None,
        limit: int = LIMIT,
    ) -> Attempts:
        """Lets time pass, as `advance`, and works off jobs as they fall due meanwhile."""
        ms = span_ms(by, days, hours, minutes, seconds)
        routes, settings = self._consumers.routes(queues), self._publisher.settings
        lines, preparation = lines_of(self._publisher, routes), self._preparing(routes)
        process = working_for(lines, settings, checked(limit), preparation, self, ms)
        return drive(self._publisher, process)

    def _preparing(self, routes: list[Route]) -> Steps[None]:
        return preparing(self._consumers, routes, self._registration, self._registry)


class AsyncSteppedBus(Inspection, AsyncBus):
    """The asyncio twin of `SteppedBus`. What it tells about jobs needs no `await`."""

    def __init__(self, url: str, **options: Unpack[AsyncBusOptions]) -> None:
        """As `AsyncBus`."""
        options.setdefault("keep_completed", KEEP_ALL)
        options.setdefault("register", "off")
        super().__init__(url, **options)
        transport = self.transport
        if not isinstance(transport, AsyncStagedTransport):
            transport = AsyncStagedTransport(from_url(url), Stage())
        self.transport = self._publisher.transport = transport
        self._reading = transport.blocking_twin()
        self._stage, self._registry = transport.stage, self._publisher.settings.registry

    @classmethod
    def of(cls, bus: AsyncBus, url: str) -> Self:
        """As `SteppedBus.of`."""
        stepped = cls(url)
        stepped._borrow(bus)
        return stepped

    def _borrow(self, bus: AsyncBus) -> None:
        lent = bus._publisher
        settings = replace(lent.settings, keep_completed=KEEP_ALL)
        self._registration = Registration(settings.registry, "off", settings.source)
        self._publisher = AsyncPublisher(self.transport, settings, lent._wrap, self._registration)
        self._consumers = BorrowedConsumers(bus._consumers)
        self._registry = settings.registry

    async def run_pending(
        self, *, queues: Iterable[str] | None = None, limit: int = LIMIT
    ) -> Attempts:
        """As `SteppedBus.run_pending`. Handlers run one after another, each as a task."""
        routes, settings = self._consumers.routes(queues), self._publisher.settings
        lines = async_lines_of(self._publisher, self._reading, routes)
        process = working(lines, settings, checked(limit), self._preparing(routes))
        return await drive_async(self._publisher, process)

    async def run_for(
        self,
        by: timedelta | None = None,
        *,
        days: float = 0,
        hours: float = 0,
        minutes: float = 0,
        seconds: float = 0,
        queues: Iterable[str] | None = None,
        limit: int = LIMIT,
    ) -> Attempts:
        """As `SteppedBus.run_for`."""
        ms = span_ms(by, days, hours, minutes, seconds)
        routes, settings = self._consumers.routes(queues), self._publisher.settings
        lines = async_lines_of(self._publisher, self._reading, routes)
        preparation = self._preparing(routes)
        process = working_for(lines, settings, checked(limit), preparation, self, ms)
        return await drive_async(self._publisher, process)

    def _preparing(self, routes: list[Route]) -> Steps[None]:
        return preparing(self._consumers, routes, self._registration, self._registry)

    async def close(self) -> None:
        """As `AsyncBus.close`."""
        self._reading.close()
        await super().close()


def preparing(
    consumers: Consumers, routes: list[Route], registration: Registration, registry: Registry
) -> Steps[None]:
    """As a worker does before its first job; and what raw consumers need to know of is registered,
    if it is a type of ours, for in a test nobody else does so."""
    names = {name for route in routes for name in route.raw_types}
    ours = [each for each in registry.types() if each.name in names]
    if ours:
        yield from Registration(registry, "strict", "").settling(ours, SchemaRole.WRITER)
    yield from consumers.preparing(routes, registration) or ()


def checked(limit: int) -> int:
    """Raises InvalidArgument."""
    return check_int("limit", limit, 1)
