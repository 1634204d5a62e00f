"""Workers, servers and connections die at the worst moment; no job is lost, none done by two."""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest

from omniq_typed import AsyncBus, AsyncCtx, Bus
from omniq_typed.errors import AuthenticationFailed, PermissionDenied
from omniq_typed.models import JobInfo, ReserveJob
from tests.chaos.proxy import proxy_to
from tests.servers import Server, start_redis, wait_until
from tests.workers import (
    LONG_S,
    REGISTRY,
    Face,
    Order,
    Program,
    Seen,
    Watch,
    bus_worker,
    on_loop,
    running,
    watching,
)

LEASE_MS = 600
AN_HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
def durable_server() -> Iterator[Server]:
    """One that has every write on disk before it answers."""
    with start_redis(appendonly="yes", appendfsync="always") as server:
        yield server


@pytest.fixture
def durable(durable_server: Server) -> Server:
    durable_server.ensure_running()
    durable_server.flushall()
    return durable_server


def reason(job: JobInfo) -> Any:
    return orjson.loads(job.failure)["reason"]


def is_logged(caplog: pytest.LogCaptureFixture, words: str) -> None:
    """Waits until a worker has said so."""
    wait_until(
        lambda: any(words in record.getMessage() for record in list(caplog.records)),
        f"the log says {words!r}",
        LONG_S,
    )


# --- A worker dies -------------------------------------------------------------------------------

HANGING = """
import sys, time
from omniq_typed import Bus
from tests.workers import REGISTRY, Order
with Bus(sys.argv[1], registry=REGISTRY) as bus:
    @bus.consumer(Order)
    def handler(ctx):
        print("attempt", ctx.attempt, flush=True)
        time.sleep(60)
    bus.run()
"""


def test_a_killed_workers_job_goes_to_another_after_its_lease(
    redis_server: Server, watch: Watch, face: Face
) -> None:
    seen = Seen()
    job_id = watch.bus.publish_json(Order(1), timeout_ms=LEASE_MS)
    with Program(HANGING, redis_server.url) as worker:
        assert worker.wait_for("attempt") == "attempt 1"
        worker.signal(signal.SIGKILL)
    with bus_worker(face, redis_server.url, [(Order, lambda ctx: seen.add(ctx.attempt), {})]):
        assert seen.next() == 2
        job = watch.reaches("orders", job_id, "completed")
    assert job.last_error.startswith("lease expired on attempt 1 of 3")
    assert reason(job) == "lease_expired"


def test_a_job_that_kills_its_workers_is_given_up(redis_server: Server, watch: Watch) -> None:
    job_id = watch.bus.publish_json(Order(1), timeout_ms=LEASE_MS, max_attempts=2)
    for attempt in (1, 2):
        with Program(HANGING, redis_server.url) as worker:
            assert worker.wait_for("attempt") == f"attempt {attempt}"
            worker.signal(signal.SIGKILL)
    seen = Seen()
    with bus_worker("sync", redis_server.url, [(Order, seen.add, {})]):
        job = watch.reaches("orders", job_id, "failed")
        assert seen.nothing_more()
    assert (job.attempt, reason(job)) == (2, "lease_expired")
    assert job.last_error.startswith("lease expired on attempt 2 of 2")


# --- A handler takes longer than its lease -------------------------------------------------------


def compute(seconds: float) -> None:
    """Pure Python that never gives the interpreter away of its own will."""
    ends_at = time.monotonic() + seconds
    number = 0
    while time.monotonic() < ends_at:
        number += 1


async def block(ctx: AsyncCtx[Order], seen: Seen) -> None:
    seen.add(ctx.attempt)
    time.sleep(4 * LEASE_MS / 1000)  # noqa: ASYNC251 - the fault under test


@pytest.mark.parametrize("kind", ["computes", "sleeps", "blocks-the-loop"])
def test_a_handler_that_never_yields_keeps_its_lease(
    redis_server: Server, watch: Watch, kind: str
) -> None:
    seen = Seen()

    def handler(ctx: Any) -> None:
        seen.add(ctx.attempt)
        (compute if kind == "computes" else time.sleep)(4 * LEASE_MS / 1000)

    async def run_blocking(stop: threading.Event) -> None:
        async with AsyncBus(redis_server.url, registry=REGISTRY) as bus:

            @bus.consumer(Order)
            async def blocking(ctx: AsyncCtx[Order]) -> None:
                await block(ctx, seen)

            await bus.run(stop=stop)

    job_id = watch.bus.publish_json(Order(1), timeout_ms=LEASE_MS)
    worker = (
        running(on_loop(run_blocking))
        if kind == "blocks-the-loop"
        else bus_worker("sync", redis_server.url, [(Order, handler, {})])
    )
    with worker:
        assert seen.next() == 1
        # Another is ready to take the job as soon as its lease ends.
        rival = bus_worker("sync", redis_server.url, [(Order, handler, {})], poll_interval_s=0.05)
        with rival:
            job = watch.reaches("orders", job_id, "completed")
    assert seen.nothing_more()
    assert (job.attempt, job.last_error) == (1, "")
    assert job.completed_ms - job.first_started_ms >= 4 * LEASE_MS


# --- A lease is lost -----------------------------------------------------------------------------


def steal(watch: Watch, job_id: str) -> ReserveJob:
    """Somebody whose clock says that the lease is long over takes the job."""
    later = int(time.time() * 1000) + AN_HOUR_MS
    client = watch.client
    assert client.reap_expired(queue="orders", now_ms_override=later) == 1
    client.promote_delayed(queue="orders", now_ms_override=later + 1000)
    taken = client.reserve(queue="orders", now_ms_override=later + 2000)
    assert isinstance(taken, ReserveJob)
    assert (taken.job_id, taken.attempt) == (job_id, 2)
    return taken


def acknowledged_by_the_thief(watch: Watch, job_id: str, taken: ReserveJob) -> None:
    """The job is still the thief's, whatever the first worker found out."""
    job = watch.job("orders", job_id)
    assert (job.state, job.lease_token) == ("active", taken.lease_token)
    watch.client.ack_success(queue="orders", job_id=job_id, lease_token=taken.lease_token)
    assert watch.job("orders", job_id).state == "completed"


def test_a_lost_lease_is_told_to_the_handler_and_its_result_dropped(
    redis_server: Server, watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    seen = Seen()

    def handler(ctx: Any) -> None:
        seen.add("started")
        wait_until(lambda: bool(ctx.lease_lost), "lease_lost is true", LONG_S)
        seen.add("told")

    job_id = watch.bus.publish_json(Order(1), timeout_ms=LEASE_MS)
    with bus_worker("sync", redis_server.url, [(Order, handler, {})]):
        assert seen.next() == "started"
        taken = steal(watch, job_id)
        assert seen.next() == "told"
        is_logged(caplog, f"result of job {job_id} in queue orders dropped: lease lost (")
        acknowledged_by_the_thief(watch, job_id, taken)


def test_a_lost_lease_cancels_the_async_handler(
    redis_server: Server, watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    seen = Seen()

    async def run(stop: threading.Event) -> None:
        async with AsyncBus(redis_server.url, registry=REGISTRY) as bus:

            @bus.consumer(Order)
            async def handler(ctx: AsyncCtx[Order]) -> None:
                seen.add("started")
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    seen.add(ctx.lease_lost)
                    raise

            await bus.run(stop=stop)

    job_id = watch.bus.publish_json(Order(1), timeout_ms=LEASE_MS)
    with running(on_loop(run)):
        assert seen.next() == "started"
        taken = steal(watch, job_id)
        assert seen.next() is True
        is_logged(caplog, f"result of job {job_id} in queue orders dropped: lease lost (")
        acknowledged_by_the_thief(watch, job_id, taken)


def test_a_result_that_comes_before_the_loss_is_known_changes_nothing(
    redis_server: Server, watch: Watch, face: Face, caplog: pytest.LogCaptureFixture
) -> None:
    """The lease is long, so no heartbeat tells: the server refuses the result."""
    seen, go_on = Seen(), threading.Event()

    def handler(ctx: Any) -> None:
        seen.add("started")
        assert go_on.wait(LONG_S)

    job_id = watch.bus.publish_json(Order(1), timeout_ms=AN_HOUR_MS // 2)
    with bus_worker(face, redis_server.url, [(Order, handler, {})]):
        assert seen.next() == "started"
        taken = steal(watch, job_id)
        go_on.set()
        is_logged(caplog, f"result of job {job_id} in queue orders not taken: TOKEN_MISMATCH")
        acknowledged_by_the_thief(watch, job_id, taken)


# --- The server dies -----------------------------------------------------------------------------


def test_a_result_found_while_the_server_was_away_is_delivered(
    durable: Server, face: Face, caplog: pytest.LogCaptureFixture
) -> None:
    seen, go_on = Seen(), threading.Event()

    def handler(ctx: Any) -> None:
        seen.add((ctx.payload.number, ctx.attempt))
        assert go_on.wait(LONG_S)

    with watching(durable.url) as watch:
        first = watch.bus.publish_json(Order(1), timeout_ms=60_000)
        with bus_worker(face, durable.url, [(Order, handler, {})]):
            assert seen.next() == (1, 1)
            durable.kill()
            go_on.set()
            is_logged(caplog, "trying again in")
            durable.restart()
            job = watch.reaches("orders", first, "completed")
            assert (job.attempt, job.last_error) == (1, "")
            is_logged(caplog, "queue orders: the server is back")
            second = watch.bus.publish_json(Order(2))
            assert seen.next() == (2, 1)
            assert watch.reaches("orders", second, "completed").last_error == ""
    assert seen.nothing_more()
    assert not [r for r in caplog.records if r.levelno >= logging.ERROR]


def test_idle_workers_outlive_a_restart(durable: Server, face: Face) -> None:
    seen = Seen()
    consumers: Any = [(Order, lambda ctx: seen.add(ctx.payload.number), {"concurrency": 3})]
    with watching(durable.url) as watch, bus_worker(face, durable.url, consumers):
        for n in range(3):
            watch.bus.publish_json(Order(n))
            assert seen.next() == n
            durable.kill()
            durable.restart()


def test_a_worker_may_start_before_its_server(durable: Server, face: Face) -> None:
    seen = Seen()
    with watching(durable.url) as watch:
        watch.bus.publish_json(Order(1))
    durable.stop()
    with bus_worker(face, durable.url, [(Order, lambda ctx: seen.add(ctx.payload.number), {})]):
        durable.restart()
        assert seen.next() == 1


def test_a_lease_that_ends_while_the_server_hangs_is_told(
    durable: Server, caplog: pytest.LogCaptureFixture
) -> None:
    """Killed, not paused: the heartbeat then fails at once and again until the lease is over."""
    seen = Seen()

    def handler(ctx: Any) -> None:
        seen.add("started")
        wait_until(lambda: bool(ctx.lease_lost), "lease_lost is true", LONG_S)
        seen.add("told")

    with watching(durable.url) as watch:
        job_id = watch.bus.publish_json(Order(1), timeout_ms=LEASE_MS, max_attempts=1)
        with bus_worker("sync", durable.url, [(Order, handler, {})]):
            assert seen.next() == "started"
            durable.kill()
            assert seen.next() == "told"
            durable.restart()
            job = watch.reaches("orders", job_id, "failed")
            assert reason(job) == "lease_expired"
    assert "it ended while the server could not be reached" in caplog.text


@pytest.mark.slow
def test_a_stopping_worker_does_not_wait_for_ever_for_a_server(
    durable: Server, face: Face, caplog: pytest.LogCaptureFixture
) -> None:
    seen, go_on = Seen(), threading.Event()

    def handler(ctx: Any) -> None:
        seen.add("started")
        assert go_on.wait(LONG_S)

    with watching(durable.url) as watch:
        watch.bus.publish_json(Order(1))
        with bus_worker(face, durable.url, [(Order, handler, {})]) as worker:
            assert seen.next() == "started"
            durable.kill()
            worker.stop.set()
            go_on.set()
            started = time.monotonic()
            worker.wait()
            assert time.monotonic() - started < 30
    assert "server away, 1 results lost" in caplog.text


# --- Connections, scripts and data vanish --------------------------------------------------------


def all_done(seen: Seen, count: int) -> None:
    """Waits until each of the jobs 0 … count - 1 was done at least once."""
    missing = set(range(count))
    while missing:
        missing.discard(seen.next())


def disturbed(
    url: str, watch: Watch, face: Face, disturb: Callable[[], object], count: int = 150
) -> None:
    """A worker finishes `count` jobs while `disturb` goes on and on."""
    seen, calm = Seen(), threading.Event()
    for n in range(count):
        watch.bus.publish_json(Order(n), timeout_ms=LEASE_MS, max_attempts=100)

    def disturb_on() -> None:
        while not calm.wait(0.02):
            disturb()

    def handler(ctx: Any) -> None:
        time.sleep(0.01)
        seen.add(ctx.payload.number)

    disturber = threading.Thread(target=disturb_on)
    with bus_worker(face, url, [(Order, handler, {"concurrency": 3})]) as worker:
        disturber.start()
        try:
            all_done(seen, count)
        finally:
            calm.set()
            disturber.join()
        assert worker.thread.is_alive()
        # What was leased by a reply that got lost comes back after its lease.
        wait_until(
            lambda: (
                watch.stats("orders").completed_kept >= min(count, 100)
                and watch.stats("orders").active + watch.stats("orders").waiting_total == 0
                and watch.stats("orders").delayed == 0
            ),
            "all jobs are settled",
            LONG_S,
        )
        assert watch.stats("orders").failed == 0


def test_killed_connections_lose_no_job(redis_server: Server, watch: Watch, face: Face) -> None:
    killed: list[int] = []

    def disturb() -> None:
        killed.append(redis_server.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"))

    disturbed(redis_server.url, watch, face, disturb)
    assert sum(killed) > 10


def test_flushed_scripts_are_loaded_again(
    redis_server: Server, watch: Watch, face: Face, caplog: pytest.LogCaptureFixture
) -> None:
    disturbed(redis_server.url, watch, face, lambda: redis_server.command("SCRIPT", "FLUSH"))
    assert caplog.text == ""


def test_a_worker_outlives_flushall(
    redis_server: Server, watch: Watch, face: Face, caplog: pytest.LogCaptureFixture
) -> None:
    seen, go_on = Seen(), threading.Event()

    def handler(ctx: Any) -> None:
        seen.add(ctx.payload.number)
        assert go_on.wait(LONG_S)

    gone = watch.bus.publish_json(Order(1))
    with bus_worker(face, redis_server.url, [(Order, handler, {})]):
        assert seen.next() == 1
        redis_server.flushall()
        go_on.set()
        is_logged(caplog, f"result of job {gone} in queue orders not taken: NOT_ACTIVE")
        kept = watch.bus.publish_json(Order(2))
        assert seen.next() == 2
        watch.reaches("orders", kept, "completed")
    assert redis_server.command("EXISTS", f"{{orders}}:job:{gone}") == 0


def test_a_job_whose_reserve_got_no_reply_comes_again(
    redis_server: Server, watch: Watch, face: Face
) -> None:
    """A reserve must not be sent again by itself; the next one takes back what the lost one leased,
    long before the lease ends."""
    seen = Seen()
    with proxy_to(redis_server.port) as proxy:
        proxy.cut_reply("LOST-REPLY")
        consumers: Any = [(Order, lambda ctx: seen.add((ctx.job_id, ctx.attempt)), {})]
        watch.bus.publish_json(Order(1), job_id="LOST-REPLY", timeout_ms=AN_HOUR_MS)
        with bus_worker(face, proxy.url, consumers):
            assert seen.next() == ("LOST-REPLY", 1)
            assert proxy.cut.is_set()
            job = watch.reaches("orders", "LOST-REPLY", "completed")
    assert seen.nothing_more()
    assert (job.attempt, job.last_error) == (1, "")


def test_a_result_whose_reply_got_lost_counts_once(
    redis_server: Server, watch: Watch, face: Face, caplog: pytest.LogCaptureFixture
) -> None:
    seen = Seen()
    with proxy_to(redis_server.port) as proxy:

        def handler(ctx: Any) -> None:
            seen.add(ctx.job_id)
            proxy.cut_reply("")  # the next one, whatever it says

        watch.bus.publish_json(Order(1), job_id="TWICE-SENT")
        with bus_worker(face, proxy.url, [(Order, handler, {})]):
            assert seen.next() == "TWICE-SENT"
            assert proxy.cut.wait(LONG_S)
            is_logged(caplog, "the server is back")
            watch.bus.publish_json(Order(2), job_id="next")
            assert seen.next() == "next"
    job = watch.job("orders", "TWICE-SENT")
    assert (job.state, job.attempt, job.last_error) == ("completed", 1, "")
    assert watch.stats("orders").completed_kept == 2


# --- The server refuses --------------------------------------------------------------------------


def ended_with(face: Face, url: str, error: type[Exception]) -> None:
    """run() raises it at once: waiting would not help."""
    started = time.monotonic()
    with pytest.raises(error) as caught:
        if face == "sync":
            with Bus(url, registry=REGISTRY) as bus:
                bus.consumer(Order, concurrency=2)(lambda ctx: None)
                bus.run()
        else:
            asyncio.run(_run_async(url))
    assert caught.type is error  # no group of exceptions
    assert time.monotonic() - started < 30


async def _run_async(url: str) -> None:
    async with AsyncBus(url, registry=REGISTRY) as bus:

        @bus.consumer(Order)
        async def handler(ctx: AsyncCtx[Order]) -> None: ...

        await bus.run()


def test_a_wrong_password_ends_the_worker(redis_server: Server, watch: Watch, face: Face) -> None:
    url = redis_server.url.replace("redis://", "redis://nobody:wrong@")
    ended_with(face, url, AuthenticationFailed)


def test_a_missing_permission_ends_the_worker(
    redis_server: Server, watch: Watch, face: Face
) -> None:
    redis_server.command("ACL", "SETUSER", "few", "on", ">pw", "~*", "+@all", "-evalsha")
    try:
        url = redis_server.url.replace("redis://", "redis://few:pw@")
        ended_with(face, url, PermissionDenied)
    finally:
        redis_server.command("ACL", "DELUSER", "few")
