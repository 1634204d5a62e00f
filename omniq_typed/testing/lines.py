"""What a stepped bus works off a queue with: a worker's own lane, on a route that is watched."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from omniq_typed.context import Lease
from omniq_typed.core.command import Steps
from omniq_typed.models import Reserved, Settled, Settlement
from omniq_typed.publishing import AsyncPublisher, Publisher
from omniq_typed.testing.attempts import Attempt, ending_of
from omniq_typed.transport.sync import SyncTransport
from omniq_typed.worker.heartbeat import Heartbeat
from omniq_typed.worker.invalid import InvalidPolicy
from omniq_typed.worker.lane import Lane, LaneOptions
from omniq_typed.worker.queue_loop import QueueLoop
from omniq_typed.worker.routing import Consumer, Route
from omniq_typed.worker.stopping import StopRequest

L = TypeVar("L", Lane, QueueLoop)


class WatchedRoute(Route):
    """A route that tells what became of the job opened last."""

    def __init__(self, route: Route, *, asynchronous: bool) -> None:
        super().__init__(route.queue)
        self.invalid_handler = route.invalid_handler
        self._route = route
        self._asynchronous = asynchronous
        self.consumer: Consumer | None = None
        self.message: Any = None
        self.error: BaseException | None = None

    def consumers(self) -> list[Consumer]:
        """As the route itself."""
        return self._route.consumers()

    def learning(self, jobs: Iterable[Reserved]) -> Steps[None] | None:
        """As the route itself."""
        return self._route.learning(jobs)

    def consumer_of(self, job: Reserved) -> Consumer | None:
        """Who gets the job; None where it cannot be decoded."""
        try:
            return self._route.open(job)[0]
        except Exception:
            return None

    def open(self, job: Reserved) -> tuple[Consumer, Any]:
        """As the route itself."""
        self.consumer = self.message = self.error = None
        try:
            self.consumer, self.message = self._route.open(job)
        except Exception as error:
            self.error = error
            raise
        watch = self._watched_async if self._asynchronous else self._watched
        return replace(self.consumer, handler=watch(self.consumer.handler)), self.message

    def invalid_policy(self, job: Reserved) -> InvalidPolicy:
        """As the route itself."""
        return self._route.invalid_policy(job)

    def _watched(self, handler: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def handle(ctx: Any) -> Any:
            try:
                return handler(ctx)
            except BaseException as error:
                self.error = error
                raise

        return handle

    def _watched_async(self, handler: Callable[[Any], Any]) -> Callable[[Any], Any]:
        async def handle(ctx: Any) -> Any:
            try:
                return await handler(ctx)
            except BaseException as error:
                self.error = error
                raise

        return handle


@dataclass(slots=True)
class Line(Generic[L]):
    """One queue, and what works on it. `next_due_ms`: when something next falls due, 0 = nothing,
    as the last look said."""

    route: WatchedRoute
    lane: L
    next_due_ms: int = 0

    @property
    def queue(self) -> str:
        """Its name."""
        return self.route.queue

    def attempt(self, lease: Lease, settlement: Settlement, settled: Settled) -> Attempt:
        """The record of the job that was worked off last."""
        job, consumer = lease.job, self.route.consumer
        ending, due_ms = ending_of(settlement, settled)
        return Attempt(
            queue=self.queue,
            job_id=job.job_id,
            msg_type=job.msg_type,
            attempt=job.attempt,
            handler="" if consumer is None else consumer.name,
            message=self.route.message,
            ending=ending,
            error=self.route.error,
            due_ms=due_ms,
        )


def lines_of(publisher: Publisher, routes: Iterable[Route]) -> list[Line[Lane]]:
    """What works on the routes of a `Bus`."""
    heartbeat = Heartbeat(publisher.transport)  # never started: in the test's time nothing beats
    stop = StopRequest(drain=True)
    watched = [WatchedRoute(route, asynchronous=False) for route in routes]
    return [
        Line(route, Lane(publisher, route, heartbeat, stop, LaneOptions())) for route in watched
    ]


def async_lines_of(
    publisher: AsyncPublisher, blocking: SyncTransport, routes: Iterable[Route]
) -> list[Line[QueueLoop]]:
    """What works on the routes of an `AsyncBus`. `blocking`: to the same server."""
    heartbeat = Heartbeat(blocking)
    stop = StopRequest(drain=True)
    watched = [WatchedRoute(route, asynchronous=True) for route in routes]
    return [
        Line(route, QueueLoop(publisher, route, heartbeat, stop, LaneOptions()))
        for route in watched
    ]
