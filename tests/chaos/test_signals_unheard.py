"""Signals while the main thread cannot hear them, and those that are meant for somebody else."""

from __future__ import annotations

import signal
import sys

import pytest

from tests.chaos.test_worker_signals import ASYNC, COMMON, QUICK_S
from tests.servers import Server, wait_until
from tests.workers import LONG_S, Program, Watch

STUCK = (
    COMMON
    + """
import ctypes

def get_stuck():
    # In C, which no signal interrupts, without the GIL: a thread waits for itself.
    libc, mutex = ctypes.CDLL(None), ctypes.create_string_buffer(256)
    libc.pthread_mutex_init(mutex, None)
    while True:
        try:
            say("working")
            libc.pthread_mutex_lock(mutex)
            libc.pthread_mutex_lock(mutex)
        except BaseException:
            say("swallowed")  # the signal was quicker
"""
)
IN_C = (
    STUCK
    + """
with OmniqClient(url=url) as client:
    client.consume(queue="orders", handler=lambda ctx: get_stuck(), drain=drain)
"""
)
LOOP_IN_C = STUCK + ASYNC.removeprefix(COMMON).replace('say("working", ctx.job_id)', "get_stuck()")
# An event loop of the handler's takes over how Python tells of signals, and leaves nothing.
LOOP_IN_HANDLER = (
    COMMON
    + """
def handler(ctx):
    async def brief():
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, print)
    asyncio.run(brief())
    hang()

with OmniqClient(url=url) as client:
    client.consume(queue="orders", handler=handler, drain=drain)
"""
)


@pytest.mark.parametrize("drain", ["drain", "now"])
@pytest.mark.parametrize(
    "source",
    [
        pytest.param(IN_C, id="in C"),
        pytest.param(LOOP_IN_C, id="loop in C"),
        pytest.param(LOOP_IN_HANDLER, id="loop in handler"),
    ],
)
def test_the_first_signal_is_noticed_and_the_second_leaves(
    redis_server: Server, watch: Watch, source: str, drain: str
) -> None:
    watch.client.publish(queue="orders", payload={"number": 1})
    with Program(source, redis_server.url, drain, "0") as worker:
        worker.wait_for("working")
        worker.signal(signal.SIGTERM)
        wait_until(lambda: bool(worker.errors), "the first signal is noticed", LONG_S)
        assert "SIGTERM: stopping" in worker.errors[0]
        assert worker.process.poll() is None
        worker.signal(signal.SIGINT)
        assert worker.exit_code(QUICK_S) == 130


def test_a_call_that_began_just_before_the_signal_was_handled_is_broken_off(
    redis_server: Server, watch: Watch
) -> None:
    """Python looks for signals between two bytecodes, and not when it goes into the call. Here it
    comes to another thread, which does not interrupt the call either."""
    sleeping = COMMON + (
        """
def sleep(ctx):
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    try:
        say("working")
        time.sleep(300)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])

with OmniqClient(url=url) as client:
    client.consume(queue="orders", handler=sleep, drain=drain)
"""
    )
    job_id = watch.client.publish(queue="orders", payload={"number": 1})
    with Program(sleeping, redis_server.url, "now", "0") as worker:
        worker.wait_for("working")
        worker.signal(signal.SIGTERM)
        assert worker.exit_code(QUICK_S) == 0
    job = watch.job("orders", job_id)
    assert (job.state, job.attempt) == ("wait", 0)


FORKING = (
    COMMON
    + """
import ctypes, multiprocessing
fork_context = multiprocessing.get_context("fork")

def sleep(ready):
    say("wakeup", signal.set_wakeup_fd(-1))
    ready.set()
    time.sleep(300)

def child_of_python():
    ready = fork_context.Event()
    child = fork_context.Process(target=sleep, args=(ready,))
    child.start()
    assert ready.wait(60)  # Python drops signals that come while it forks
    child.terminate()
    child.join(60)
    return child.exitcode

def child_of_c():
    # As a child is before Python, or the program that it becomes, has seen to its signals.
    pid = ctypes.PyDLL(None).fork()
    if pid == 0:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(300)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

def fork(ctx):
    say("child", globals()["child_of_" + ctx.payload["of"]]())

with OmniqClient(url=url) as client:
    client.consume(queue="orders", handler=fork)
say("returned")
"""
)


@pytest.mark.parametrize(
    "of",
    [
        "python",
        pytest.param(
            "c", marks=pytest.mark.skipif(sys.platform != "linux", reason="see worker/ear.py")
        ),
    ],
)
def test_a_child_that_a_handler_forked_ends_by_its_signals_as_ever(
    redis_server: Server, watch: Watch, of: str
) -> None:
    """multiprocessing's terminate() sends SIGTERM to a fork that has our signal handlers. The
    worker goes on: the signals were not for it."""
    for _ in range(2):
        watch.client.publish(queue="orders", payload={"of": of})
    with Program(FORKING, redis_server.url, "drain", "0") as worker:
        for _ in range(2):
            if of == "python":
                assert worker.wait_for("wakeup") == "wakeup -1"
            assert worker.wait_for("child") == f"child -{int(signal.SIGTERM)}"
        assert "stopping" not in "".join(worker.errors)
        worker.signal(signal.SIGTERM)
        worker.wait_for("returned")
        assert worker.exit_code() == 0


def test_an_event_loop_hears_the_signals_that_are_its_own(
    redis_server: Server, watch: Watch
) -> None:
    hearing = ASYNC.replace(
        "        before =",
        """\
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGUSR1, say, "heard")
        before =""",
    )
    assert hearing != ASYNC
    watch.client.publish(queue="orders", payload={"number": 1})
    with Program(hearing, redis_server.url, "now", "300") as worker:
        worker.wait_for("working")
        for _ in range(2):
            worker.signal(signal.SIGUSR1)
            worker.wait_for("heard")
        worker.signal(signal.SIGTERM)
        assert worker.wait_for("returned") == "returned True"
        assert worker.exit_code(QUICK_S) == 0
