"""One worker process: its bus runs in a thread, and the main thread keeps watch.

So signals are heeded, the health is told and the end comes in time, whatever the handlers do; but
for a C extension that holds the GIL, which only another process can notice: the supervisor, or
whoever asks the probes.
"""

from __future__ import annotations

import logging
import math
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict

from omniq_typed.async_bus import AsyncBus
from omniq_typed.bus import Bus
from omniq_typed.cli.processes.exits import Exit, of_signal
from omniq_typed.cli.processes.leaving import leave, leave_soon
from omniq_typed.cli.processes.link import Link, Message, pass_over
from omniq_typed.cli.processes.options import WorkerOptions
from omniq_typed.cli.processes.probes import State
from omniq_typed.cli.processes.signals import Listener, stop_signals
from omniq_typed.models import LaneHealth, WorkerHealth
from omniq_typed.worker.event_loop import run_async
from omniq_typed.worker.lane import LaneOptions
from omniq_typed.worker.stopping import StopRequest

log = logging.getLogger("omniq_typed.worker")

TURN_S = 0.5
END_PATIENCE_S = 8.0
"""How long after its grace the bus may take to end before the process leaves without it: it tries
five of these seconds to tell a server that is away what was done."""
ORPHAN_GRACE_S = 2.0
"""What running jobs have where the supervisor is gone."""


class WorkerProcess:
    """`run` it in the main thread, once."""

    def __init__(self, bus: Bus | AsyncBus, options: WorkerOptions, link: Link | None) -> None:
        """`link`: to the supervisor, if there is one."""
        self._listener: Listener
        self._bus = bus
        self._options = options
        self._link = link
        self._stop = StopRequest(drain=options.drain, grace_s=options.grace_s, handle_signals=False)
        self._fault: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="omniq-bus", daemon=True)
        self._code = int(Exit.DRAINED)
        self._hurry_at = self._leave_at = math.inf
        self._signalled = False
        self._stuck_since = 0.0

    def run(self, announce: Callable[[], None]) -> int:
        """Until a signal, a stuck lane, or what the bus raises: answers the exit code, or raises
        that. Where the bus does not end, it is the process that ends here. `announce`: called once
        signals are heeded."""
        self._listener = Listener()
        signums = stop_signals()
        if self._link is not None:
            signums = [signal.SIGTERM]  # what the supervisor sends, whatever he heard himself
            pass_over(signal.SIGTERM)  # afterwards, where one may meet us at our end
        with self._listener.listening(signums), closing(self._listener):
            announce()
            self._thread.start()
            while self._thread.is_alive():
                self._wait()
                self._heed_signals()
                self._heed_supervisor()
                self._watch_health()
                if time.monotonic() >= self._leave_at:
                    log.error("the worker does not end in time: leaving, leases run out")
                    leave(self._code or Exit.STUCK)
        leave_soon(self._code if self._fault is None else Exit.MEND)
        if self._fault is not None:
            raise self._fault
        return self._code

    def look(self) -> State:
        """For the probes."""
        health = self._bus.health()
        ready = health.ready and not self._stop.requested
        return State(health.live, ready, {**asdict(health), "ready": ready, "pid": os.getpid()})

    def _work(self) -> None:
        try:
            run_bus(self._bus, self._options, self._stop)
        except BaseException as error:
            self._fault = error
        finally:
            self._listener.wake_up()

    def _wait(self) -> None:
        linked = [] if self._link is None else [self._link.socket]
        self._listener.wait(linked, min(TURN_S, self._leave_at - time.monotonic()))

    def _heed_signals(self) -> None:
        """The first one stops, the second exits. Under a supervisor all are the first: he sends his
        own, and systemd one to every process."""
        for signum in self._listener.heard():
            if self._signalled and self._link is None:
                log.warning("%s again: leaving at once, leases run out", signum.name)
                leave(of_signal(signum))
            if self._link is None:
                how = self._options.how
                log.warning("%s: stopping, %s; once more to leave at once", signum.name, how)
            self._signalled = True
            self._ask_to_stop()

    def _ask_to_stop(self, *, within_s: float | None = None) -> None:
        """`within_s`: the grace has to be over by then, however long it was to be."""
        grace_s = self._options.grace_s if within_s is None else within_s
        if not self._stop.requested or within_s is not None:
            self._leave_at = min(self._leave_at, time.monotonic() + grace_s + END_PATIENCE_S)
        if within_s is not None:
            self._hurry_at = time.monotonic() + within_s
        self._stop.request()

    def _heed_supervisor(self) -> None:
        """A worker does not outlive its supervisor: whoever restarts that must not meet us."""
        if self._link is not None and self._link.is_broken():
            log.error("the supervisor is gone: stopping within %g s", ORPHAN_GRACE_S)
            self._link = None
            self._code = int(Exit.CRASHED)
            self._ask_to_stop(within_s=ORPHAN_GRACE_S)
        if time.monotonic() >= self._hurry_at:
            self._stop.hurry()

    def _watch_health(self) -> None:
        """Tells the supervisor, and ends a worker of which a lane is stuck for too long."""
        health = self._bus.health()
        if self._link is not None:
            self._link.tell(Message("health", health=dict(self.look().body)))
        now, patience_s = time.monotonic(), self._options.stuck_after_s
        if health.live or self._stop.requested or not patience_s:
            self._stuck_since = 0.0
            return
        self._stuck_since = self._stuck_since or now
        if now - self._stuck_since >= patience_s:
            log.error("stuck for %g s: %s; ending this worker", patience_s, _stuck(health))
            self._code = int(Exit.STUCK)
            self._ask_to_stop()


def _stuck(health: WorkerHealth) -> str:
    def told(lane: LaneHealth) -> str:
        job = f" on job {lane.job_id} for {lane.working_s:.0f} s" if lane.job_id else ""
        return f"{lane.name} of queue {lane.queue}{job}"

    lanes = [told(each) for each in health.lanes if each.state == "stuck"]
    return ", ".join(lanes) or "a thread of the worker has died"


def run_bus(bus: Bus | AsyncBus, options: WorkerOptions, stop: StopRequest) -> None:
    """Until the stop. Raises what `Bus.run` raises."""
    queues = options.queues or None
    lane_options = LaneOptions(
        max_prefetch=options.max_prefetch, poll_interval_s=options.poll_interval_s
    )
    if isinstance(bus, Bus):
        with bus:
            bus._run(stop, queues, lane_options)
        return

    async def work() -> None:
        async with bus:
            await bus._run(stop, queues, lane_options)

    run_async(work())
