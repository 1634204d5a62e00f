"""Renews all leases of a process from one thread, so that a handler that never yields cannot stop
it, in one call per queue."""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, replace

from omniq_typed.context import Lease
from omniq_typed.core.arguments import check_seconds
from omniq_typed.core.lease import after_failed_beat_s, beat_interval_s, lease_s
from omniq_typed.core.settle import heartbeat
from omniq_typed.errors import ServerError
from omniq_typed.models import HeartbeatResult
from omniq_typed.transport.sync import SyncTransport

log = logging.getLogger("omniq_typed.worker")

_MAX_LEASES_PER_CALL = 500
STOP_PATIENCE_S = 5.0
"""How long a stopping worker waits for a beat that is under way."""


@dataclass(slots=True)
class _Watched:
    """A lease under watch. Times in seconds of the monotonic clock."""

    lease: Lease
    interval_s: float
    next_beat_at: float
    ends_at: float


class Heartbeat:
    """Start it with the worker; `watch` each lease from reserve to settlement."""

    def __init__(self, transport: SyncTransport, interval_s: float | None = None) -> None:
        if interval_s is not None:
            check_seconds("heartbeat_interval_s", interval_s)
        self._transport = transport
        self._interval_s = interval_s
        self._watched: dict[str, _Watched] = {}
        self._changed = threading.Condition()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="omniq-heartbeat", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread; leases still watched are left to run out."""
        self.ask_to_stop()
        self._thread.join(timeout=STOP_PATIENCE_S)

    def ask_to_stop(self) -> None:
        """`stop` without the wait; `running` tells when it is over."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    @property
    def running(self) -> bool:
        """Whether the thread lives."""
        return self._thread.is_alive()

    def watch(self, lease: Lease) -> None:
        """Renews this lease from now on."""
        now = time.monotonic()
        timeout_ms = lease.job.timeout_ms
        interval = beat_interval_s(timeout_ms, self._interval_s)
        watched = _Watched(lease, interval, now + interval, now + lease_s(timeout_ms))
        with self._changed:
            self._watched[lease.job.lease_token] = watched
            self._changed.notify()

    def unwatch(self, lease: Lease) -> None:
        """Renews it no longer: settled, or given up."""
        with self._changed:
            self._watched.pop(lease.job.lease_token, None)

    def _run(self) -> None:
        while True:
            with self._changed:
                if self._stopped:
                    return
                now = time.monotonic()
                due = [each for each in self._watched.values() if each.next_beat_at <= now]
                if not due:
                    beats = (each.next_beat_at for each in self._watched.values())
                    first = min(beats, default=None)
                    self._changed.wait(None if first is None else first - now)
                    continue
            self._beat(due)

    def _beat(self, due: list[_Watched]) -> None:
        by_queue: dict[str, list[_Watched]] = defaultdict(list)
        for each in due[:_MAX_LEASES_PER_CALL]:
            by_queue[each.lease.queue].append(each)
        for queue, watched in by_queue.items():
            sent_at = time.monotonic()
            leases = [(each.lease.job.job_id, each.lease.job.lease_token) for each in watched]
            # One try only: on a server that hangs, each more would hide for its whole timeout that
            # leases have ended. `_postpone` tries again.
            command = replace(heartbeat(queue, leases), repeatable=False)
            try:
                results = self._transport.run(command)
                for each, result in zip(watched, results, strict=True):
                    self._note(each, result, sent_at)
            except ServerError as error:
                self._postpone(watched, error)
            except Exception:
                # This thread must outlive any fault: without it every lease of the process ends.
                log.exception("heartbeat for queue %s failed", queue)
                self._postpone(watched, None)

    def _note(self, watched: _Watched, result: HeartbeatResult, sent_at: float) -> None:
        lease = watched.lease
        if result.lock_until_ms is None:
            self._give_up(watched, result.error)
            return
        lease.lock_until_ms = result.lock_until_ms
        watched.next_beat_at = sent_at + watched.interval_s
        watched.ends_at = sent_at + lease_s(lease.job.timeout_ms)

    def _postpone(self, watched: list[_Watched], error: ServerError | None) -> None:
        now = time.monotonic()
        log.warning("%d leases could not be renewed, trying again: %s", len(watched), error)
        for each in watched:
            if now >= each.ends_at:
                self._give_up(each, "it ended while the server could not be reached")
            else:
                each.next_beat_at = now + after_failed_beat_s(each.interval_s)

    def _give_up(self, watched: _Watched, because: str) -> None:
        with self._changed:
            if self._watched.pop(watched.lease.job.lease_token, None) is None:
                return  # settled while the beat was under way
        job = watched.lease.job
        log.warning(
            "lease of job %s in queue %s lost: %s", job.job_id, watched.lease.queue, because
        )
        try:
            watched.lease.mark_lost(because)
        except RuntimeError:  # the event loop that wanted to know is closed
            log.debug("nobody is left to tell about job %s", job.job_id)
