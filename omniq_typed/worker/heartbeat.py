"""Renews all leases of a process from one thread, so that a handler that never yields cannot stop
it, in one call per queue.

Leases come in batches, and most are settled long before they need renewing: a batch is looked at
only when the first beat of one of its leases is due, a third of the lease after it began.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
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


@dataclass(slots=True, eq=False)
class _Watched:
    """A lease under watch. Times in seconds of the monotonic clock."""

    lease: Lease
    interval_s: float
    next_beat_at: float
    ends_at: float


@dataclass(slots=True, eq=False)
class _Batch:
    """Leases taken together, of which none was due for a beat yet; `left`: those still watched."""

    leases: Sequence[Lease]
    left: int
    began_at: float
    first_beat_at: float


class Heartbeat:
    """Start it with the worker; `watch` each lease from reserve to settlement."""

    def __init__(self, transport: SyncTransport, interval_s: float | None = None) -> None:
        if interval_s is not None:
            check_seconds("heartbeat_interval_s", interval_s)
        self._transport = transport
        self._interval_s = interval_s
        self._watched: dict[Lease, _Watched] = {}
        self._batches: dict[_Batch, None] = {}
        self._wakes_at = math.inf
        self._in_vain = False
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

    def watch(self, lease: Lease, since: float | None = None) -> None:
        """Renews this lease from now on."""
        self.watch_all([lease], since)

    def watch_all(self, leases: Sequence[Lease], since: float | None = None) -> None:
        """Renews these from now on. `since`: when they were asked for, by time.monotonic, and so a
        time at which none had begun; None: now. The sequence must not change any more."""
        if not leases:
            return
        began_at = time.monotonic() if since is None else since
        shortest_ms = min([lease.job.timeout_ms for lease in leases])
        if shortest_ms <= 0:  # means another, longer one: see core/lease.py
            intervals = (beat_interval_s(it.job.timeout_ms, self._interval_s) for it in leases)
            interval_s = min(intervals)
        else:
            interval_s = beat_interval_s(shortest_ms, self._interval_s)
        batch = _Batch(leases, len(leases), began_at, began_at + interval_s)
        for lease in leases:
            lease.watch = batch
        with self._changed:
            self._batches[batch] = None
            if batch.first_beat_at < self._wakes_at:
                self._changed.notify()

    def unwatch(self, lease: Lease) -> None:
        """Renews it no longer: settled, or given up."""
        self.unwatch_all([lease])

    def unwatch_all(self, leases: Iterable[Lease]) -> None:
        """Renews these no longer."""
        with self._changed:
            for lease in leases:
                self._drop(lease)

    def is_over(self, lease: Lease) -> bool:
        """Whether the lease has ended by our clock: this process stood still, or the server could
        not be reached."""
        watch = lease.watch
        if isinstance(watch, _Watched):
            return time.monotonic() >= watch.ends_at
        if isinstance(watch, _Batch):
            return time.monotonic() >= watch.began_at + lease_s(lease.job.timeout_ms)
        return False

    def _drop(self, lease: Lease) -> bool:
        """Whether it was watched."""
        batch, lease.watch = lease.watch, None
        if batch is None:
            return False
        if isinstance(batch, _Batch):
            batch.left -= 1
            if not batch.left:
                self._batches.pop(batch, None)
        else:
            self._watched.pop(lease, None)
        return True

    def _run(self) -> None:
        while True:
            with self._changed:
                if self._stopped:
                    return
                now = time.monotonic()
                self._open_batches(now)
                due = [each for each in self._watched.values() if each.next_beat_at <= now]
                if not due:
                    self._wakes_at = self._first_beat_at()
                    wait_s = self._wakes_at - now
                    self._changed.wait(None if wait_s == math.inf else wait_s)
                    self._wakes_at = -math.inf
                    continue
            self._beat(due)

    def _first_beat_at(self) -> float:
        beats = [each.next_beat_at for each in self._watched.values()]
        beats += [batch.first_beat_at for batch in self._batches]
        return min(beats, default=math.inf)

    def _open_batches(self, now: float) -> None:
        """Leases of batches that are due are watched one by one from here on."""
        for batch in [each for each in self._batches if each.first_beat_at <= now]:
            del self._batches[batch]
            for lease in batch.leases:
                if lease.watch is not batch:
                    continue
                timeout_ms = lease.job.timeout_ms
                interval_s = beat_interval_s(timeout_ms, self._interval_s)
                ends_at = batch.began_at + lease_s(timeout_ms)
                watched = _Watched(lease, interval_s, batch.began_at + interval_s, ends_at)
                lease.watch = watched
                self._watched[lease] = watched

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
            # An answer is of use as long as a lease runs; where one is over already, it is worth
            # no more than another try.
            left_s = max(min(each.ends_at for each in watched) - sent_at, 0.0)
            within_s = max(left_s, after_failed_beat_s(watched[0].interval_s), 0.05)
            try:
                results = self._transport.run(command, within_s=within_s)
                self._in_vain = False
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
            if lease.settling:  # it was settled meanwhile; the answer to that says how
                watched.next_beat_at = sent_at + watched.interval_s
            else:
                self._give_up(watched, result.error)
            return
        lease.lock_until_ms = result.lock_until_ms
        watched.next_beat_at = sent_at + watched.interval_s
        watched.ends_at = sent_at + lease_s(lease.job.timeout_ms)

    def _postpone(self, watched: list[_Watched], error: ServerError | None) -> None:
        now = time.monotonic()
        # One line for an outage, however often it is tried meanwhile.
        level = logging.DEBUG if self._in_vain else logging.WARNING
        log.log(level, "%d leases could not be renewed, trying again: %s", len(watched), error)
        self._in_vain = True
        for each in watched:
            if now >= each.ends_at:
                self._give_up(each, "it ended while the server could not be reached")
            else:
                # No later than the end: the handler is to learn of it in time.
                again_at = now + after_failed_beat_s(each.interval_s)
                each.next_beat_at = min(again_at, each.ends_at)

    def _give_up(self, watched: _Watched, because: str) -> None:
        lease = watched.lease
        with self._changed:
            if not self._drop(lease):
                return  # settled while the beat was under way
        log.warning("lease of job %s in queue %s lost: %s", lease.job.job_id, lease.queue, because)
        try:
            lease.mark_lost(because)
        except RuntimeError:  # the event loop that wanted to know is closed
            log.debug("nobody is left to tell about job %s", lease.job.job_id)
