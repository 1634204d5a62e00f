"""Where the lanes of one queue wait for work: one of them listens to the server, the others sleep
without a command, and take its place when it gets work. A lane is known here by its pulse."""

from __future__ import annotations

import math
import threading
import time

from omniq_typed.models import Reservation
from omniq_typed.worker.health import Pulse


class Door:
    """One queue of one process. `due_at`: when something next falls due there, by
    time.monotonic; inf = nothing, as the last look said."""

    def __init__(self, queue: str) -> None:
        self.queue = queue
        self.due_at = math.inf
        self._listener: Pulse | None = None
        self._asleep: set[Pulse] = set()
        self._closed = False
        self._changed = threading.Condition()

    @property
    def listener(self) -> Pulse | None:
        """The lane that listens."""
        return self._listener

    def is_asleep(self, lane: Pulse) -> bool:
        """Whether the lane waits for its turn."""
        return lane in self._asleep

    @property
    def has_listener(self) -> bool:
        """Whether a lane listens, and so has nothing else to do."""
        return self._listener is not None

    def wait_for_turn(self, lane: Pulse) -> bool:
        """Sleeps until it is this lane that listens. False: the worker stops."""
        with self._changed:
            if not self._is_free_for(lane):
                self._asleep.add(lane)
                self._changed.wait_for(lambda: self._is_free_for(lane))
                lane.came_back_at = time.monotonic()  # nobody owed it an answer meanwhile
                self._asleep.discard(lane)
            if self._closed:
                return False
            self._listener = lane
            return True

    def _is_free_for(self, lane: Pulse) -> bool:
        return self._closed or self._listener in (None, lane)

    def leave(self, lane: Pulse) -> None:
        """The lane listens no more, if it did: the next one's turn."""
        with self._changed:
            if self._listener is lane:
                self._listener = None
                self._changed.notify()

    def close(self) -> None:
        """Nobody waits here any more: the worker stops."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def note(self, reservation: Reservation, now: float) -> None:
        """What a reserve, answered just now, says of what falls due. What another one said stands
        until its time has come: the two may have been answered in the other order."""
        due_ms = 0 if reservation.paused else reservation.next_due_ms
        left_ms = due_ms - reservation.now_ms
        due_at = now + max(left_ms, 0) / 1000 if due_ms > 0 else math.inf
        with self._changed:
            self.due_at = min(due_at, self.due_at) if self.due_at > now else due_at
