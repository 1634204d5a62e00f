"""Runs the lanes of all queues of a process, and ends them together."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from omniq_typed.context import Settings
from omniq_typed.transport.sync import SyncTransport
from omniq_typed.worker.heartbeat import Heartbeat
from omniq_typed.worker.lane import Lane, LaneOptions
from omniq_typed.worker.routing import Route
from omniq_typed.worker.stopping import StopNow, StopRequest

_PATIENCE_S = 1.0
"""How long an undrained stop waits for each idle lane to notice."""


def run_worker(
    transport: SyncTransport,
    settings: Settings,
    routes: Iterable[Route],
    stop: StopRequest,
    options: LaneOptions,
    heartbeat_interval_s: float | None = None,
) -> None:
    """Works on all routes until the stop is requested, by a signal or otherwise.

    A single lane runs in the calling thread, where Ctrl-C can interrupt its handler; several run
    in threads of their own. Raises AuthenticationFailed, PermissionDenied.
    """
    heartbeat = Heartbeat(transport, heartbeat_interval_s)
    lanes = [
        Lane(transport, settings, route, heartbeat, stop, options)
        for route in routes
        for _ in range(route.concurrency)
    ]
    heartbeat.start()
    try:
        with stop.signals():
            if len(lanes) == 1:
                lanes[0].run()
            else:
                _run_threads(lanes, stop)
    finally:
        heartbeat.stop()


def _run_threads(lanes: list[Lane], stop: StopRequest) -> None:
    faults: list[BaseException] = []

    def guarded(lane: Lane) -> None:
        try:
            lane.run()
        except BaseException as error:
            faults.append(error)
            stop.request()

    threads = [
        threading.Thread(target=guarded, args=(lane,), name=f"omniq-lane-{n}", daemon=True)
        for n, lane in enumerate(lanes)
    ]
    for thread in threads:
        thread.start()
    _wait_for_stop(stop)
    # A thread cannot be interrupted: without drain, its job is given back under its feet.
    patience_s = None if stop.drain else _PATIENCE_S
    if not stop.drain:
        for lane in lanes:
            lane.abandon()
    for thread in threads:
        thread.join(patience_s)
    if faults:
        raise faults[0]


def _wait_for_stop(stop: StopRequest) -> None:
    try:
        with stop.breakable():
            stop.event.wait()
    except StopNow:
        pass
