"""Runs the lanes of all queues of a process, and ends them together."""

from __future__ import annotations

import logging
import math
import random
import threading
import time
from collections.abc import Callable, Iterable

from omniq_typed.core.command import Steps
from omniq_typed.core.waiting import reconnect_wait_s
from omniq_typed.errors import ServerError
from omniq_typed.publishing import Publisher
from omniq_typed.worker.door import Door
from omniq_typed.worker.health import Report, Vitals
from omniq_typed.worker.heartbeat import Heartbeat
from omniq_typed.worker.lane import Lane, LaneOptions
from omniq_typed.worker.overseer import Overseer
from omniq_typed.worker.patience import FATAL, nothing, run_patiently
from omniq_typed.worker.routing import Route
from omniq_typed.worker.stopping import NOTICE_S, StopRequest

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
    `prepare` gives is done. `vitals`: where it tells how it is.

    A single lane runs in the calling thread, where Ctrl-C can interrupt its handler, unless
    something else than its handler may have to end it; several run in threads of their own. Raises
    AuthenticationFailed, PermissionDenied, and what those steps raise.
    """
    crew = Crew(publisher, list(routes), stop, options, heartbeat_interval_s)
    with (vitals or Vitals()).of(crew.report):
        crew.run(prepare)


class Crew:
    """The lanes of one worker, and the threads that look after them."""

    def __init__(
        self,
        publisher: Publisher,
        routes: list[Route],
        stop: StopRequest,
        options: LaneOptions,
        heartbeat_interval_s: float | None = None,
    ) -> None:
        self._publisher = publisher
        self._stop = stop
        self._options = options
        self._heartbeat = Heartbeat(publisher.transport, heartbeat_interval_s)
        self._overseer = Overseer(publisher.transport, self._replace)
        self._doors = {route.queue: Door(route.queue) for route in routes}
        self._lanes: list[Lane] = []
        self._threads: dict[Lane, threading.Thread] = {}
        self._faults: list[BaseException] = []
        self._changing = threading.Lock()
        self._is_running = False
        self._made = 0
        for route in routes:
            for _ in range(route.concurrency):
                self._add(route)

    def report(self) -> Report:
        """How it is, for any thread."""
        now = time.monotonic()
        watched = self._heartbeat.running and self._overseer.running
        return Report(
            tuple(lane.health(now) for lane in list(self._lanes)),
            stopping=self._stop.requested,
            died=self._is_running and not self._stop.requested and not watched,
        )

    def run(self, prepare: Callable[[], Steps[object] | None]) -> None:
        """Until the worker is stopped. Raises what `run_worker` says."""
        self._heartbeat.start()
        self._overseer.start()
        self._is_running = True
        try:
            with self._stop.signals():
                if not run_patiently(self._publisher.transport, prepare, self._stop):
                    return
                if len(self._lanes) == 1 and self._may_use_this_thread():
                    self._guard(self._lanes[0])
                    self._await_end()  # another lane may have taken its place
                else:
                    self._run_threads()
            if self._faults:
                raise self._faults[0]
        finally:
            self._is_running = False
            self._overseer.stop()
            self._heartbeat.stop()

    def _may_use_this_thread(self) -> bool:
        """Whether the calling thread can end a handler as soon as the stop demands."""
        stop = self._stop
        if not stop.only_handlers_end_it:
            return False
        in_main = threading.current_thread() is threading.main_thread()
        return stop.drain or (stop.only_by_signal and in_main)

    def _add(self, route: Route) -> Lane:
        lane = Lane(
            self._publisher,
            route,
            self._heartbeat,
            self._stop,
            self._options,
            name=f"omniq-lane-{self._made}",
            door=self._doors[route.queue],
            look=self._overseer.look,
        )
        self._made += 1
        self._lanes = [*self._lanes, lane]
        self._overseer.add(lane)
        return lane

    def _guard(self, lane: Lane) -> None:
        """Runs a lane, again and again where a fault of our own ends it."""
        try:
            while True:
                try:
                    lane.run()
                    return
                except FATAL:
                    raise
                except Exception as error:
                    log.exception("a lane of queue %s failed, and starts again", lane.queue)
                    lane.recover(error)
                self._stop.wait(reconnect_wait_s(lane.pulse.restarts, random.random()))
        except BaseException as error:
            self._faults.append(error)
            self._stop.request()
        finally:
            self._give_back_rest(lane)
            lane.end()
            if lane.retired:
                self._forget(lane)

    def _give_back_rest(self, lane: Lane) -> None:
        """A lane that failed may still hold jobs and results."""
        if lane.deliveries.is_loaded:
            try:
                lane.deliveries.unload()
            except Exception as error:
                log.warning("jobs of queue %s not given back: %s", lane.queue, error)

    def _forget(self, lane: Lane) -> None:
        with self._changing:
            self._lanes = [each for each in self._lanes if each is not lane]
            self._threads.pop(lane, None)
        self._overseer.remove(lane)

    def _replace(self, lane: Lane) -> None:
        """Another lane for the queue of one whose handler cannot be ended."""
        with self._changing:
            if self._stop.requested:
                return
            self._start(self._add(lane.route))

    def _start(self, lane: Lane) -> None:
        name = lane.pulse.name
        thread = threading.Thread(target=self._guard, args=(lane,), name=name, daemon=True)
        self._threads[lane] = thread
        thread.start()

    def _run_threads(self) -> None:
        try:
            with self._changing:
                for lane in self._lanes:
                    self._start(lane)
        except BaseException:
            self._stop.request()  # no more threads to be had
            raise
        finally:
            self._await_end()

    def _await_end(self) -> None:
        try:
            self._stop.wait()
        finally:
            self._stop.request()  # a signal handler of the user's may have raised here
            for door in self._doors.values():
                door.close()
            self._end_threads()

    def _end_threads(self) -> None:
        grace_s = math.inf if self._stop.grace_s is None else self._stop.grace_s
        ends_at = time.monotonic() + grace_s
        while (at_work := self._at_work()) and not self._stop.hurried:
            left_s = ends_at - time.monotonic()
            if left_s <= 0:
                log.warning("%d jobs are not done within the grace, and given back", len(at_work))
                break
            at_work[0].join(min(left_s, NOTICE_S))
        if not at_work:
            return
        self._give_back()
        ends_at = time.monotonic() + PATIENCE_S
        for thread in at_work:
            thread.join(max(0.0, ends_at - time.monotonic()))

    def _at_work(self) -> list[threading.Thread]:
        """Threads to wait for; not those of handlers that ignored their end."""
        with self._changing:
            threads = list(self._threads.items())
        return [thread for lane, thread in threads if thread.is_alive() and not lane.retired]

    def _give_back(self) -> None:
        """A thread cannot be interrupted: its jobs are given back under its feet."""
        for lane in self._lanes:
            try:
                lane.abandon()
            except ServerError as error:
                count = len(lane.deliveries.done)
                log.warning(
                    "%d jobs of queue %s not given back, their leases run out: %s",
                    count,
                    lane.queue,
                    error,
                )
