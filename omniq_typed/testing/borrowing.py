"""Another bus's handlers, and what a test adds to them, which the other bus does not get."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from omniq_typed.consumers import Consumers
from omniq_typed.worker.routing import Route


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
                common = merged._routes.setdefault(queue, Route(queue, self._registry))
                for consumer in route.consumers():
                    common.add(consumer)
            for queue, handler in layer._invalid_handlers.items():
                merged.add_invalid_handler(queue, handler)
        return merged
