"""What Ctrl-C and SIGTERM do to a worker. Each worker is a process of its own."""

from __future__ import annotations

import os
import signal
import threading
import time
from functools import partial

import pytest

from omniq_typed.models import ReserveJob
from tests.servers import Server, wait_until
from tests.workers import LONG_S, Program, Watch

SIGNALS = [signal.SIGTERM, signal.SIGINT]
QUICK_S = 30.0
"""Far below the poll interval and what the handlers take, 300 s, and yet long for a busy machine: a
start-up of Python fits in too."""

COMMON = """
import asyncio, os, signal, sys, time
from omniq_typed import AsyncBus, Bus, OmniqClient
from tests.workers import REGISTRY, Order
url, drain, seconds = sys.argv[1], sys.argv[2] == "drain", float(sys.argv[3])
POLL_S = 300.0

def say(*words):
    # One write per line, also where several threads speak.
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())

def in_place():
    # What a worker takes over, to compare.
    fd = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(fd)
    return [fd, *map(signal.getsignal, (signal.SIGINT, signal.SIGTERM, signal.SIGURG))]

def hang():
    while True:
        try:
            say("working")
            time.sleep(300)
        except BaseException:
            say("swallowed")

def work(ctx):
    say("working", ctx.job_id)
    ends_at = time.monotonic() + seconds
    while time.monotonic() < ends_at:
        time.sleep(0.01)
"""
# All three are programs with the same handler: a job of `seconds` seconds.
CONSUME = (
    COMMON
    + """
before = in_place()
with OmniqClient(url=url) as client:
    client.consume(queue="orders", handler=work, drain=drain, poll_interval_s=POLL_S)
after = in_place()
say("returned", before == after)
"""
)
THREADS = (
    COMMON
    + """
with Bus(url, registry=REGISTRY) as bus:
    bus.consumer(Order, concurrency=4)(work)
    bus.run(drain=drain, poll_interval_s=POLL_S)
say("returned", True)
"""
)
ASYNC = (
    COMMON
    + """
async def main():
    async with AsyncBus(url, registry=REGISTRY) as bus:
        @bus.consumer(Order, concurrency=4)
        async def handler(ctx):
            say("working", ctx.job_id)
            await asyncio.sleep(seconds)
        before = in_place()
        await bus.run(drain=drain, poll_interval_s=POLL_S)
        after = in_place()
        say("returned", before == after)

asyncio.run(main())
"""
)
PROGRAMS = {"consume": CONSUME, "threads": THREADS, "asyncio": ASYNC}


@pytest.fixture(params=PROGRAMS)
def source(request: pytest.FixtureRequest) -> str:
    return PROGRAMS[request.param]


def published(watch: Watch, count: int = 1) -> list[str]:
    client = watch.client
    return [client.publish(queue="orders", payload={"number": n}) for n in range(count)]


@pytest.mark.parametrize("signum", SIGNALS)
def test_drain_finishes_the_running_job_and_exits_0(
    redis_server: Server, watch: Watch, source: str, signum: signal.Signals
) -> None:
    (job_id,) = published(watch)
    with Program(source, redis_server.url, "drain", "0.7") as worker:
        worker.wait_for("working")
        worker.signal(signum)
        assert worker.wait_for("returned") == "returned True"
        assert worker.exit_code() == 0
        job = watch.job("orders", job_id)
        assert (job.state, job.attempt) == ("completed", 1)
    said = "".join(worker.errors)
    assert f"{signum.name}: stopping, finishing running jobs; once more to leave at once" in said


@pytest.mark.parametrize("signum", SIGNALS)
def test_without_drain_the_job_is_given_back_at_once(
    redis_server: Server, watch: Watch, source: str, signum: signal.Signals
) -> None:
    count = 1 if source is CONSUME else 3
    ids = published(watch, count)
    with Program(source, redis_server.url, "now", "300") as worker:
        for _ in ids:
            worker.wait_for("working")
        worker.signal(signum)
        for job_id in ids:
            watch.reaches("orders", job_id, "wait", QUICK_S)
        assert worker.exit_code(QUICK_S) == 0
    for job_id in ids:  # only now: a lane that still listened may have taken one and returned it
        job = watch.job("orders", job_id)
        assert (job.attempt, job.lease_token, job.lock_until_ms) == (0, "", 0)
        assert (job.state, job.last_error) == ("wait", "")
    assert "giving running jobs back" in "".join(worker.errors)
    # Free for the next worker; in their order, where one lane held them all.
    taken = [watch.client.reserve(queue="orders") for _ in ids]
    got = [each.job_id for each in taken if isinstance(each, ReserveJob) and each.attempt == 1]
    assert got == ids if source is not THREADS else sorted(got) == sorted(ids)


@pytest.mark.parametrize("signum", SIGNALS)
def test_an_idle_worker_ends_promptly(
    redis_server: Server, watch: Watch, source: str, signum: signal.Signals
) -> None:
    with Program(source, redis_server.url, "drain", "0") as worker:
        wait_until(
            lambda: redis_server.command("INFO", "clients")["blocked_clients"] == 1,
            "the worker waits for jobs",
            LONG_S,
        )
        started = time.monotonic()
        worker.signal(signum)
        assert worker.exit_code() == 0
        assert time.monotonic() - started < QUICK_S


@pytest.mark.parametrize("drain", ["drain", "now"])
@pytest.mark.parametrize(
    ("first", "second", "code"),
    [(signal.SIGINT, signal.SIGINT, 130), (signal.SIGTERM, signal.SIGTERM, 143)],
)
def test_a_second_signal_leaves_at_once_though_the_handler_hangs(
    redis_server: Server,
    watch: Watch,
    first: signal.Signals,
    second: signal.Signals,
    code: int,
    drain: str,
) -> None:
    """The handler swallows everything that is raised in it, and blocks."""
    hanging = COMMON + (
        """
with OmniqClient(url=url) as client:
    client.consume(queue="orders", handler=lambda ctx: hang(), drain=drain)
"""
    )
    (job_id,) = published(watch)
    with Program(hanging, redis_server.url, drain, "0") as worker:
        worker.wait_for("working")
        worker.signal(first)
        if drain == "now":
            worker.wait_for("swallowed")
        else:
            wait_until(lambda: bool(worker.errors), "the first signal is noticed", LONG_S)
        assert worker.process.poll() is None
        worker.signal(second)
        assert worker.exit_code(QUICK_S) == code
    assert watch.job("orders", job_id).state == "active"  # until its lease runs out


def test_after_a_call_was_cut_off_its_reply_is_nobody_elses(
    redis_server: Server, watch: Watch
) -> None:
    """A signal may interrupt a handler between a command and its reply. Here the reply is held back
    by pausing the server, so that no look at the connection can tell."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    publish = partial(watch.client.publish, queue="orders", payload={})
    publish(job_id="FIRST")
    before = signal.signal(signal.SIGUSR1, interrupt)
    redis_server.pause()
    try:
        threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGUSR1)).start()
        with pytest.raises(KeyboardInterrupt):
            publish(job_id="CUT-OFF")
        threading.Timer(0.2, redis_server.resume).start()
        assert publish(job_id="J") == "J"
    finally:
        redis_server.resume()
        signal.signal(signal.SIGUSR1, before)
