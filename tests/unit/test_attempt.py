"""Who decides how an attempt ends, where the overseer comes at the very end of a handler."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from typing import Any, cast

import pytest

from omniq_typed.context import Lease
from omniq_typed.errors import HandlerTimeout
from omniq_typed.worker import attempt as attempts
from omniq_typed.worker.attempt import Attempt
from omniq_typed.worker.routing import Consumer

LONG_S = 60.0


def attempt_of(limit_s: float = 5.0) -> Attempt:
    return Attempt(cast(Lease, None), cast(Consumer, None), limit_s)


def test_a_handler_in_time_ends_as_it_likes() -> None:
    assert attempt_of().call(lambda given: [given], 1) == [1]
    with pytest.raises(ZeroDivisionError):
        attempt_of().call(lambda given: 1 // given, 0)


def test_who_decides_second_changes_nothing() -> None:
    attempt = attempt_of()
    attempt.call(lambda given: None, None)
    assert not attempt.interrupt(time.monotonic())


def test_an_exception_that_is_still_on_its_way_when_the_handler_has_ended_stays_in_the_attempt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The overseer has decided; until it raises the exception, the handler returns. It must not
    come where the thread is next."""
    attempt, decided, ended = attempt_of(), threading.Event(), threading.Event()
    ours = attempts._raise_in

    def late(thread_id: int, kind: Any) -> None:
        if threading.current_thread() is overseer:
            decided.set()
            assert ended.wait(LONG_S)
            time.sleep(0.02)  # the handler's thread is out of the handler by now
        ours(thread_id, kind)

    monkeypatch.setattr(attempts, "_raise_in", late)
    overseer = threading.Thread(target=lambda: attempt.interrupt(time.monotonic()))

    def handler(given: object) -> None:
        overseer.start()
        assert decided.wait(LONG_S)
        ended.set()

    with pytest.raises(HandlerTimeout, match="longer than its timeout of 5 s"):
        attempt.call(handler, None)
    overseer.join()
    for _ in range(1000):  # where it would come, if it were still to come
        pass


def test_a_handler_that_swallows_its_end_has_failed_all_the_same() -> None:
    attempt = attempt_of()
    overseer = threading.Thread(target=lambda: attempt.interrupt(time.monotonic()))

    def handler(given: object) -> str:
        try:
            overseer.start()
            ends_at = time.monotonic() + LONG_S
            while time.monotonic() < ends_at:
                pass
        except HandlerTimeout:
            return "swallowed"
        return "never"

    with pytest.raises(HandlerTimeout):
        attempt.call(handler, None)
    overseer.join()
    assert not attempt.ignores_its_end(attempt.interrupted_at + 0.5)
    assert attempt.ignores_its_end(attempt.interrupted_at + 1.5)


AFTER_A_TIMEOUT = """
import sys, threading, time
from omniq_typed.errors import HandlerTimeout
from omniq_typed.worker.attempt import Attempt

attempt = Attempt(None, None, 5.0)
overseer = threading.Thread(target=lambda: attempt.interrupt(time.monotonic()))

def handler(given):
    overseer.start()
    try:
        while given == "takes long":
            pass
        overseer.join()
    except HandlerTimeout:
        if given == "takes long":
            raise

try:
    attempt.call(handler, sys.argv[1])
except HandlerTimeout:
    sys.settrace(lambda *_: None)
    (lambda: print("traced"))()
"""


@pytest.mark.parametrize("handler", ["takes long", "swallows"])
def test_what_is_traced_runs_after_a_handler_was_over_its_time(handler: str) -> None:
    """Under CPython 3.11 a traced thread hangs for ever while an exception that another thread has
    raised is still to be taken, also when nobody has it to take any more."""
    command = [sys.executable, "-c", AFTER_A_TIMEOUT, handler]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LONG_S)
    assert done.stdout == "traced\n", done.stderr
