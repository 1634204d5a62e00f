"""One worker process: its bus runs in a thread, and the main thread keeps watch.

So signals are heeded, the health is told and the end comes in time, whatever the handlers do; but
for a C extension that holds the GIL, which only another process can notice: the supervisor, or
whoever asks the probes.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from typing import Any

from omniq_typed.async_bus import AsyncBus
from omniq_typed.bus import Bus
from omniq_typed.cli.processes.exits import Exit, of_signal
from omniq_typed.cli.processes.leaving import leave, leave_soon
from omniq_typed.cli.processes.link import Link, Message
from omniq_typed.cli.processes.options import WorkerOptions
from omniq_typed.cli.processes.probes import State
from omniq_typed.cli.processes.signals import Listener, stop_signals
from omniq_typed.models import LaneHealth, WorkerHealth

log = logging.getLogger("omniq_typed.worker")

TURN_S = 0.5
END_PATIENCE_S = 5.0
"""How long after its grace the bus may take to end before the process leaves without it."""
ORPHAN_GRACE_S = 2.0
"""What running jobs have where the supervisor is gone: whoever restarts it must not meet us."""


class WorkerProcess:
    """`run` it in the main thread, once."""

    def __init__(self, bus: Bus | AsyncBus, options: WorkerOptions, link: Link | None) -> None:
        """`link`: to the supervisor, if there is one."""
        self._bus = bus
        self._options = options
        self._link = link
        self._stop = threading.Event()
        self._fault: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="omniq-bus", daemon=True)
        self._listener = Listener()
        self._code = int(Exit.DRAINED)
        self._leave_at = float("inf")
        self._stuck_since = 0.0

    def run(self) -> int:
        """Until a signal, a stuck lane, or what the bus raises: answers the exit code, or raises
        that. Where the bus does not end, it is the process that ends here."""
        # A supervisor sends SIGTERM for whatever he heard himself.
        signums = stop_signals() if self._link is None else [signal.SIGTERM]
        with self._listener.listening(signums), closing(self._listener):
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
        ready = health.ready and not self._stop.is_set()
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
            if self._link is not None:
                self._ask_to_stop()
            elif self._stop.is_set():
                log.warning("%s again: leaving at once, leases run out", signum.name)
                leave(of_signal(signum))
            else:
                how = self._options.how
                log.warning("%s: stopping, %s; once more to leave at once", signum.name, how)
                self._ask_to_stop()

    def _ask_to_stop(self, within_s: float | None = None) -> None:
        grace_s = self._options.grace_s if within_s is None else within_s
        leave_at = time.monotonic() + grace_s + END_PATIENCE_S
        if not self._stop.is_set() or within_s is not None:
            self._leave_at = min(self._leave_at, leave_at)
        self._stop.set()

    def _heed_supervisor(self) -> None:
        if self._link is not None and self._link.is_broken():
            log.error("the supervisor is gone: stopping within %g s", ORPHAN_GRACE_S)
            self._link = None
            self._code = self._code or int(Exit.CRASHED)
            self._ask_to_stop(ORPHAN_GRACE_S)

    def _watch_health(self) -> None:
        """Tells the supervisor, and ends a worker of which a lane is stuck for too long."""
        health = self._bus.health()
        if self._link is not None:
            self._link.tell(Message("health", health=dict(self.look().body)))
        now, patience_s = time.monotonic(), self._options.stuck_after_s
        if health.live or self._stop.is_set() or not patience_s:
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


def run_bus(bus: Bus | AsyncBus, options: WorkerOptions, stop: threading.Event) -> None:
    """Until the stop. Raises what `Bus.run` raises."""
    told: dict[str, Any] = {
        "queues": options.queues or None,
        "drain": options.drain,
        "grace_s": options.grace_s,
        "poll_interval_s": options.poll_interval_s,
        "max_prefetch": options.max_prefetch,
    }
    if isinstance(bus, Bus):
        with bus:
            bus.run(**told, stop=stop, handle_signals=False)
        return

    async def work() -> None:
        async with bus:
            await bus.run(**told, stop=stop, handle_signals=False)

    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(work())


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's, where it is installed."""
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
