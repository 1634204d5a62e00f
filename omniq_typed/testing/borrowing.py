"""What a test takes from an application's bus: its handlers, to which it may add; and its place."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeAlias

from omniq_typed.async_bus import AsyncBus
from omniq_typed.async_client import AsyncOmniqClient
from omniq_typed.bus import Bus
from omniq_typed.client import OmniqClient
from omniq_typed.consumers import Consumers
from omniq_typed.core.command import Steps
from omniq_typed.messages.message_type import MessageType
from omniq_typed.registration import Registration
from omniq_typed.transport.address import Address
from omniq_typed.transport.memory import AsyncMemoryTransport, MemoryServer, MemoryTransport
from omniq_typed.transport.stage import AsyncStagedTransport, Stage, StagedTransport
from omniq_typed.worker.routing import Route

Redirectable: TypeAlias = Bus | AsyncBus | OmniqClient | AsyncOmniqClient
"""What can be made to work on another server for a while."""


class OnStage(Protocol):
    """A stepped bus."""

    transport: Any
    _stage: Stage


class BorrowedConsumers(Consumers):
    """The handlers of `lender`, those among them that it gets later, and one's own."""

    def __init__(self, lender: Consumers) -> None:
        super().__init__(lender._registry, asynchronous=lender._asynchronous, chain=lender._chain)
        self._lender = lender
        self._merged: tuple[list[object], Consumers] | None = None

    def routes(self, queues: Iterable[str] | None) -> list[Route]:
        """As `Consumers.routes`. Raises InvalidMessageType too where both have a handler for a type
        on the same queue."""
        return self._together().routes(queues)

    def consumed(self) -> list[tuple[str, MessageType[Any]]]:
        """As `Consumers.consumed`."""
        return self._together().consumed()

    def preparing(self, routes: Iterable[Route], registration: Registration) -> Steps[None] | None:
        """As `Consumers.preparing`."""
        return self._together().preparing(routes, registration)

    def _layers(self) -> Iterator[Consumers]:
        if isinstance(self._lender, BorrowedConsumers):
            yield from self._lender._layers()
        else:
            yield self._lender
        yield self

    def _together(self) -> Consumers:
        """Made anew where a handler has come."""
        parts: list[object] = []
        for layer in self._layers():
            parts += [each for route in layer._routes.values() for each in route.consumers()]
            parts += layer._invalid_handlers.values()
        if self._merged is None or self._merged[0] != parts:
            self._merged = (parts, self._merge())
        return self._merged[1]

    def _merge(self) -> Consumers:
        merged = Consumers(self._registry, asynchronous=self._asynchronous, chain=self._chain)
        for layer in self._layers():
            for queue, route in layer._routes.items():
                common = merged._routes.setdefault(
                    queue, Route(queue, self._registry, merged._schemas)
                )
                for consumer in route.consumers():
                    common.add(consumer)
            for queue, handler in layer._invalid_handlers.items():
                merged.add_invalid_handler(queue, handler)
        return merged


@contextmanager
def taken_over(stepped: OnStage, *users: Redirectable) -> Generator[None]:
    """Within, what the users publish and run goes to the server of a stepped bus, in its time."""
    before: list[tuple[Any, str, Any]] = []
    try:
        for user in users:
            for holder, name, value in _replacements(user, _transport_for(user, stepped)):
                before.append((holder, name, getattr(holder, name)))
                setattr(holder, name, value)
        yield
    finally:
        for holder, name, value in reversed(before):
            if isinstance(found := getattr(holder, name), StagedTransport):
                found.close()
            setattr(holder, name, value)


def _replacements(user: Redirectable, transport: Any) -> Iterator[tuple[Any, str, Any]]:
    yield user, "transport", transport
    if isinstance(user, (Bus, AsyncBus)):
        yield user._publisher, "transport", transport
        # What it knows of the schemas on one server says nothing of those on another.
        registration = Registration(user.registry, "off", user._publisher.settings.source)
        yield user, "_registration", registration
        yield user._publisher, "_registration", registration


def _transport_for(user: Redirectable, stepped: OnStage) -> StagedTransport | AsyncStagedTransport:
    """The stepped bus's own, or one of the other kind on the same stage."""
    own: StagedTransport | AsyncStagedTransport = stepped.transport
    blocking = isinstance(user, (Bus, OmniqClient))
    if blocking is isinstance(own, StagedTransport):
        return own
    address = own.address or Address()
    if address.memory is None:
        return (StagedTransport if blocking else AsyncStagedTransport)(address, stepped._stage)
    server = MemoryServer.named(address.memory)
    return MemoryTransport(server) if blocking else AsyncMemoryTransport(server)
