"""Runs the lanes of all queues of a process, and ends them together."""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable

from omniq_typed.core.command import Steps
from omniq_typed.core.settle import settle
from omniq_typed.errors import ServerError
from omniq_typed.models import Settlement
from omniq_typed.publishing import Publisher
from omniq_typed.transport.sync import SyncTransport
from omniq_typed.worker.ending import release_last
from omniq_typed.worker.health import Vitals
from omniq_typed.worker.heartbeat import Heartbeat
from omniq_typed.worker.lane import Lane, LaneOptions
from omniq_typed.worker.patience import nothing, run_patiently
from omniq_typed.worker.routing import Route
from omniq_typed.worker.stopping import StopRequest

log = logging.getLogger("omniq_typed.worker")

PATIENCE_S = 1.0
"""How long an undrained stop waits for the lanes to notice."""


def run_worker(
    publisher: Publisher,
    routes: Iterable[Route],
    stop: StopRequest,
    options: LaneOptions,
    heartbeat_interval_s: float | None = None,
    prepare: Callable[[], Steps[object] | None] = nothing,
    vitals: Vitals | None = None,
) -> None:
    """Works on all routes until the stop is requested, by a signal or otherwise, once what
    `prepare` gives is done.

    A single lane runs in the calling thread, where Ctrl-C can interrupt its handler; several run
    in threads of their own. Raises AuthenticationFailed, PermissionDenied, and what those steps
    raise.
    """
    transport = publisher.transport
    heartbeat = Heartbeat(transport, heartbeat_interval_s)
    lanes = [
        Lane(publisher, route, heartbeat, stop, options)
        for route in routes
        for _ in range(route.concurrency)
    ]
    heartbeat.start()
    try:
        with stop.signals():
            if not run_patiently(transport, prepare, stop):
                return
            if len(lanes) == 1 and _interruptible(stop):
                lanes[0].run()
            else:
                _run_threads(transport, lanes, stop)
    finally:
        heartbeat.stop()


def _interruptible(stop: StopRequest) -> bool:
    """Whether the calling thread can end a handler as soon as `stop` demands."""
    return stop.drain or (
        stop.only_by_signal and threading.current_thread() is threading.main_thread()
    )


def _run_threads(transport: SyncTransport, lanes: list[Lane], stop: StopRequest) -> None:
    faults: list[BaseException] = []

    def guarded(lane: Lane) -> None:
        try:
            lane.run()
        except BaseException as error:
            faults.append(error)
            stop.request()

    started: list[threading.Thread] = []
    try:
        for n, lane in enumerate(lanes):
            name = f"omniq-lane-{n}"
            thread = threading.Thread(target=guarded, args=(lane,), name=name, daemon=True)
            thread.start()
            started.append(thread)
        stop.wait()
    finally:
        stop.request()  # no more threads to be had, or a signal handler of the user's raised here
        if not stop.drain:
            _give_back(transport, lanes)
        _join(started, None if stop.drain else PATIENCE_S)
    if faults:
        raise faults[0]


def _give_back(transport: SyncTransport, lanes: list[Lane]) -> None:
    """A thread cannot be interrupted: its job is given back under its feet."""
    given: dict[str, list[Settlement]] = defaultdict(list)
    for lane in lanes:
        given[lane.queue] += lane.abandon()
    for queue, settlements in given.items():
        if not settlements:
            continue
        try:
            transport.run(settle(queue, release_last(settlements)))
        except ServerError as error:
            log.warning(
                "%d jobs of queue %s not given back, their leases run out: %s",
                len(settlements),
                queue,
                error,
            )


def _join(threads: list[threading.Thread], patience_s: float | None) -> None:
    ends_at = time.monotonic() + (patience_s or 0)
    for thread in threads:
        thread.join(None if patience_s is None else max(0.0, ends_at - time.monotonic()))
