"""One call of a handler that must end within its consumer's `timeout_s`.

The overseer raises HandlerTimeout in the thread of the handler, which Python does between two
bytecodes: in a blocking call of C it comes when that call returns. Who decides how the attempt
ends, its own thread or the overseer, is settled once, by taking the only item of a list.
"""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable
from typing import Any

from omniq_typed.context import Lease
from omniq_typed.errors import HandlerTimeout
from omniq_typed.worker.routing import Consumer
from omniq_typed.worker.stopping import StopNow

SWALLOW_S = 1.0
"""A handler that still runs so long after HandlerTimeout was raised in it has swallowed it, or sits
in C code."""


class Attempt:
    """Made in the thread that calls the handler. `over_at`: by time.monotonic; `interrupted_at`:
    when HandlerTimeout was raised in the handler, 0 = not yet; `left_alone`: it did not end it."""

    def __init__(self, lease: Lease, consumer: Consumer, limit_s: float) -> None:
        self.lease = lease
        self.consumer = consumer
        self.limit_s = limit_s
        self.over_at = time.monotonic() + limit_s
        self.interrupted_at = 0.0
        self.left_alone = False
        self._undecided = [True]
        self._raised = threading.Event()
        self._thread_id = threading.get_ident()

    def timeout(self) -> HandlerTimeout:
        """What the attempt failed with."""
        return HandlerTimeout(self.limit_s)

    def call(self, function: Callable[[Any], Any], argument: object) -> Any:
        """The handler. Raises what it raises, and HandlerTimeout where the overseer was first,
        whatever the handler made of it."""
        result: Any = None
        error: BaseException | None = None
        decided = False
        try:
            try:
                result = function(argument)
            except BaseException as raised:
                error = raised
            decided = self._decide()
        except HandlerTimeout:
            pass  # it came after the handler's end: the overseer had decided
        if not decided:
            # It must not come when the lane is elsewhere: waited for until it was raised, and
            # raised once more, in place of the first one or after it, so that exactly one comes.
            # Taken back it must not be: in CPython 3.11 all threads would go on looking for it,
            # which makes them slower, and a traced one (sys.settrace) would do nothing else.
            # In line, for a call would be a place for it to come.
            try:
                self._raised.wait()
                _raise_in(self._thread_id, HandlerTimeout)
                while True:
                    pass
            except HandlerTimeout:
                pass
        if isinstance(error, (StopNow, KeyboardInterrupt)):
            raise error
        if not decided:
            raise self.timeout() from (None if isinstance(error, HandlerTimeout) else error)
        if error is not None:
            raise error
        return result

    def interrupt(self, now: float) -> bool:
        """From the overseer: the time is over. False: the handler had ended, or it was done
        before."""
        if not self._decide():
            return False
        self.interrupted_at = now
        _raise_in(self._thread_id, HandlerTimeout)
        self._raised.set()
        return True

    def ignores_its_end(self, now: float) -> bool:
        """Whether it was interrupted long enough ago to be given up, and was not yet."""
        return bool(
            not self.left_alone and self.interrupted_at and now - self.interrupted_at >= SWALLOW_S
        )

    def _decide(self) -> bool:
        try:
            return self._undecided.pop()
        except IndexError:
            return False


def _raise_in(thread_id: int, kind: type[BaseException]) -> None:
    """Python raises `kind` in a thread as soon as it runs bytecode."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread_id), ctypes.py_object(kind))
