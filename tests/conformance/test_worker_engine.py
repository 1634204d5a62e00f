"""What the blocking worker's engine promises: nothing waits behind a slow job, idle lanes are quiet
and on time, handlers end within their time, and the worker says how it is."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from omniq_typed import Bus, Ctx, HandlerTimeout, OmniqClient
from omniq_typed.models import WorkerHealth
from omniq_typed.worker import overseer
from omniq_typed.worker.lane import Lane
from tests.servers import Server, wait_until
from tests.workers import (
    LONG_POLL_S,
    LONG_S,
    REGISTRY,
    Invoice,
    Order,
    Running,
    Seen,
    Watch,
    bus_worker,
    running,
    watching,
)


@pytest.fixture
def server(redis_server: Server) -> Server:
    """What is promised here does not depend on the server's kind."""
    redis_server.ensure_running()
    redis_server.flushall()
    return redis_server


@pytest.fixture
def watch(server: Server) -> Iterator[Watch]:
    with watching(server.url) as found:
        yield found


WARM = 300
"""Quick jobs after which a lane takes batches."""


@contextlib.contextmanager
def at_work(
    url: str, handler: Callable[[Ctx[Order]], object], *, concurrency: int = 1, **options: Any
) -> Iterator[tuple[Bus, Running]]:
    """A worker whose bus can be asked. `options`: of its consumer, and `run`, those of its run."""
    run = options.pop("run", {})
    with Bus(url, registry=REGISTRY) as bus:
        bus.consumer(Order, concurrency=concurrency, **options)(handler)
        with running(lambda stop: bus.run(stop=stop, **run)) as worker:
            yield bus, worker


def published(watch: Watch, numbers: range) -> list[str]:
    results = watch.bus.publish_many([Order(n) for n in numbers])
    return [each.job_id for each in results]


# --- Batches -------------------------------------------------------------------------------------


def test_nothing_waits_behind_a_slow_job(server: Server, watch: Watch) -> None:
    """What a batch holds besides it is given back to the head, in order, no attempt counted; what
    was done before it is delivered."""
    seen, go_on = Seen(), threading.Event()

    def handler(ctx: Ctx[Order]) -> None:
        if ctx.payload.number == WARM:
            seen.add("slow")
            assert go_on.wait(LONG_S)

    ids = published(watch, range(WARM + 40))
    with at_work(server.url, handler):
        try:
            assert seen.next() == "slow"
            wait_until(
                lambda: watch.stats("orders").active == 1, "only the slow job is held", LONG_S
            )
            stats = watch.stats("orders")
            assert (stats.waiting_total, stats.failed, stats.delayed) == (39, 0, 0)
            assert {watch.job("orders", each).attempt for each in ids[WARM + 1 :]} == {0}
            taken = Seen()
            with bus_worker("sync", server.url, [(Order, lambda c: taken.add(c.payload), {})]):
                got = [taken.next().number for _ in range(39)]
            assert got == list(range(WARM + 1, WARM + 40))
        finally:
            go_on.set()
        watch.reaches("orders", ids[WARM], "completed")


def test_a_batch_whose_handlers_become_slow_is_shared(server: Server, watch: Watch) -> None:
    """No single one of them takes long, together they would keep the others for seconds."""
    runs: Counter[str] = Counter()

    def handler(ctx: Ctx[Order]) -> None:
        if ctx.payload.number >= WARM:
            time.sleep(0.03)
            runs[threading.current_thread().name] += 1

    published(watch, range(WARM + 60))
    with at_work(server.url, handler, concurrency=4):
        wait_until(lambda: sum(runs.values()) == 60, "all are done", LONG_S)
    assert len(runs) == 4
    assert max(runs.values()) < 40


def test_slow_handlers_have_one_job_each(server: Server, watch: Watch) -> None:
    held: list[int] = []

    def handler(ctx: Ctx[Order]) -> None:
        time.sleep(0.01)
        held.append(watch.stats("orders").active)

    ids = published(watch, range(12))
    with at_work(server.url, handler):
        watch.reaches("orders", ids[-1], "completed")
    assert held == [1] * 12


def test_a_job_is_started_or_given_back_never_both(
    server: Server, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An overseer without any patience takes jobs away from under a lane that is about to start
    them, again and again."""
    monkeypatch.setattr(overseer, "SHARE_S", 0.0)
    monkeypatch.setattr(overseer, "TICK_S", 0.0005)
    count = 3_000
    runs: Counter[int] = Counter()
    attempts: Counter[int] = Counter()

    def handler(ctx: Ctx[Order]) -> None:
        runs[ctx.payload.number] += 1
        attempts[ctx.attempt] += 1
        if ctx.payload.number % 50 == 0:
            time.sleep(0.002)

    published(watch, range(count))
    with at_work(server.url, handler, concurrency=2):
        wait_until(lambda: len(runs) == count, "all are done", LONG_S)
        wait_until(lambda: watch.stats("orders").active == 0, "all are settled", LONG_S)
    assert set(runs.values()) == {1}
    assert attempts == {1: count}
    stats = watch.stats("orders")
    assert (stats.waiting_total, stats.failed, stats.completed_kept) == (0, 0, 100)


def test_a_batch_is_asked_for_before_the_present_one_is_worked_off(
    server: Server, watch: Watch
) -> None:
    """Two batches are held while handlers are quick; see the server's own count."""
    most = 0

    def handler(ctx: Ctx[Order]) -> None:
        nonlocal most
        if ctx.payload.number == 150:
            most = watch.stats("orders").active

    ids = published(watch, range(400))
    with at_work(server.url, handler, run={"max_prefetch": 50}):
        watch.reaches("orders", ids[-1], "completed")
    assert most > 50


def test_a_lane_works_in_the_order_of_its_queue(server: Server, watch: Watch) -> None:
    """Two calls for jobs are under way at once, and the server answers one after the other."""
    seen: list[int] = []

    def handler(ctx: Ctx[Order]) -> None:
        seen.append(ctx.payload.number)

    published(watch, range(6_000))
    with at_work(server.url, handler):
        wait_until(lambda: len(seen) == 6_000, "all are done", LONG_S)
    assert seen == list(range(6_000))


# --- Idle ----------------------------------------------------------------------------------------


def commands_sent(server: Server) -> int:
    """Calls of clients so far, of the two kinds that an idle worker makes."""
    stats = server.command("INFO", "commandstats")
    kinds = ("cmdstat_blpop", "cmdstat_evalsha")
    return sum(int(stats.get(each, {}).get("calls", 0)) for each in kinds)


@pytest.mark.slow
def test_an_idle_worker_of_eight_lanes_sends_five_commands_a_second_at_most(
    server: Server, watch: Watch
) -> None:
    seen = Seen()
    with at_work(server.url, lambda ctx: seen.add(ctx.payload.number), concurrency=8):
        for n in range(16):
            watch.bus.publish_json(Order(n))
            seen.next()
        wait_until(
            lambda: server.command("INFO", "clients")["blocked_clients"] == 1, "it waits", LONG_S
        )
        before, began_at = commands_sent(server), time.monotonic()
        time.sleep(3)  # the time that is measured
        sent, took_s = commands_sent(server) - before, time.monotonic() - began_at
    assert 2 <= sent <= 5 * took_s


def test_all_lanes_come_to_work_when_there_is_work(server: Server, watch: Watch) -> None:
    all_in = threading.Barrier(8)
    with at_work(server.url, lambda ctx: all_in.wait(LONG_S), concurrency=8):
        wait_until(
            lambda: server.command("INFO", "clients")["blocked_clients"] == 1, "it waits", LONG_S
        )
        ids = published(watch, range(8))
        for each in ids:
            watch.reaches("orders", each, "completed")


def test_all_lanes_come_to_work_after_the_connection_of_the_one_that_listened_broke(
    server: Server, watch: Watch
) -> None:
    """It finds jobs where it reconnects, and not where it listens."""
    all_in = threading.Barrier(3)
    with at_work(server.url, lambda ctx: all_in.wait(LONG_S), concurrency=3):
        wait_until(
            lambda: server.command("INFO", "clients")["blocked_clients"] == 1, "it waits", LONG_S
        )
        with server.client() as killer:
            killer.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            ids = published(watch, range(3))
        for each in ids:
            watch.reaches("orders", each, "completed")


def test_a_delayed_job_is_on_time_though_the_server_looks_at_its_clock_once_a_second(
    server: Server, watch: Watch
) -> None:
    """With `hz 1` a blocking call ends up to a second late: the worker does not rely on it."""
    late: list[int] = []
    server.command("CONFIG", "SET", "hz", "1")
    try:
        with at_work(server.url, lambda ctx: None):
            for n in range(5):
                wait_until(
                    lambda: server.command("INFO", "clients")["blocked_clients"] == 1,
                    "it waits",
                    LONG_S,
                )
                seconds, micros = server.command("TIME")
                due_ms = int(seconds) * 1000 + int(micros) // 1000 + 130 + 37 * n
                job_id = watch.bus.publish_json(Order(n), due_ms=due_ms)
                done = watch.reaches("orders", job_id, "completed")
                late.append(done.first_started_ms - due_ms)
    finally:
        server.command("CONFIG", "SET", "hz", "10")
    assert min(late) >= 0
    assert sorted(late)[2] <= 100, late  # it would be half a second


def test_jobs_that_wait_for_a_rate_start_when_it_lets_them(server: Server, watch: Watch) -> None:
    """And not when idle lanes next look by themselves; nobody publishes who would wake them."""
    watch.bus.set_rate_limit("orders", 50, burst=5)
    ids = published(watch, range(60))
    with at_work(server.url, lambda ctx: None, concurrency=4):
        for each in ids:
            watch.reaches("orders", each, "completed")
    began_ms = [watch.job("orders", each).first_started_ms for each in ids]
    assert 1_000 <= max(began_ms) - min(began_ms) < 4_000  # they would be more than five seconds


# --- The time of a handler -----------------------------------------------------------------------


def compute_for_ever(ctx: Any) -> None:
    while True:
        sum(range(100))


def test_a_handler_over_its_time_is_ended_and_its_attempt_failed(
    server: Server, watch: Watch
) -> None:
    seen = Seen()

    def handler(ctx: Ctx[Order]) -> None:
        if ctx.payload.number:
            seen.add(ctx.payload.number)
            return
        try:
            compute_for_ever(ctx)
        except HandlerTimeout:
            seen.add(("ended", ctx.attempt, ctx.lease_lost))
            raise

    slow = watch.bus.publish_json(Order(0), max_attempts=2, backoff_ms=1)
    with at_work(server.url, handler, timeout_s=0.1) as (bus, _):
        assert seen.next() == ("ended", 1, False)
        assert seen.next() == ("ended", 2, False)
        failed = watch.reaches("orders", slow, "failed")
        watch.bus.publish_json(Order(7))
        assert seen.next() == 7
        assert bus.health().live
    assert failed.attempt == 2
    assert '"reason":"timeout"' in failed.failure
    assert failed.last_error == "HandlerTimeout: the handler took longer than its timeout of 0.1 s"


def test_a_timeout_leaves_nothing_behind_in_the_lane(server: Server, watch: Watch) -> None:
    """Handlers that end at about the time at which they are over it: whoever is first, the
    exception never comes when the lane is elsewhere."""

    def handler(ctx: Ctx[Order]) -> None:
        time.sleep(0.001 * (ctx.payload.number % 60))

    ids = [watch.bus.publish_json(Order(n), backoff_ms=900_000) for n in range(60)]
    with at_work(server.url, handler, timeout_s=0.02, concurrency=2) as (bus, worker):
        wait_until(
            lambda: (
                all(watch.job("orders", each).state != "wait" for each in ids)
                and watch.stats("orders").active == 0
            ),
            "all were attempted",
            LONG_S,
        )
        assert worker.thread.is_alive()
        lanes = bus.health().lanes
        assert len(lanes) == 2 and all(each.restarts == 0 for each in lanes)
    states = Counter(watch.job("orders", each).state for each in ids)
    assert states["failed"] == 0 and states["completed"] > 0 and states["delayed"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["swallows", "blocks"])
def test_a_handler_that_cannot_be_ended_loses_its_job_and_its_lane(
    server: Server, watch: Watch, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    seen, let_go = Seen(), threading.Event()

    def handler(ctx: Ctx[Order]) -> None:
        if ctx.payload.number:
            seen.add(ctx.payload.number)
            return
        while not let_go.is_set():
            try:
                # A wait for a lock is a call of C, which no exception interrupts.
                let_go.wait(LONG_S if kind == "blocks" else 0.01)
            except HandlerTimeout:
                seen.add("swallowed")
        seen.add("let go")

    stuck = watch.bus.publish_json(Order(0), max_attempts=1)
    with at_work(server.url, handler, timeout_s=0.1) as (bus, _):
        if kind == "swallows":
            assert seen.next() == "swallowed"
        failed = watch.reaches("orders", stuck, "failed")
        assert '"reason":"timeout"' in failed.failure
        watch.bus.publish_json(Order(7))
        assert seen.next() == 7  # by another lane
        health = bus.health()
        assert (health.ready, health.live) == (False, False)
        assert [each.state for each in health.lanes if each.job_id == stuck] == ["stuck"]
        let_go.set()
        if kind == "blocks":  # its time comes when the call returns
            seen_next = seen.next()
            assert seen_next in ("let go", "swallowed")
        wait_until(lambda: bus.health().live, "the lane has ended", LONG_S)
        assert len(bus.health().lanes) == 1
    assert watch.job("orders", stuck).state == "failed"
    assert "ignores the end of its time" in caplog.text


def test_timeouts_are_those_of_the_consumer_of_a_job(server: Server, watch: Watch) -> None:
    with Bus(server.url, registry=REGISTRY) as bus:
        bus.consumer(Order, timeout_s=0.05)(compute_for_ever)
        bus.consumer(Invoice)(lambda ctx: threading.Event().wait(0.3))
        slow = watch.bus.publish_json(Order(1), max_attempts=1)
        watch.bus.publish_json(Invoice("a"), job_id="invoice")
        with running(lambda stop: bus.run(stop=stop)):
            watch.reaches("orders", slow, "failed")
            watch.reaches("orders", "invoice", "completed")


def test_consume_takes_a_timeout_too(server: Server, watch: Watch) -> None:
    job_id = watch.client.publish(queue="plain", payload={}, max_attempts=1)
    with (
        OmniqClient(url=server.url) as client,
        running(
            lambda stop: client.consume(
                queue="plain", handler=compute_for_ever, stop=stop, timeout_s=0.05
            )
        ),
    ):
        failed = watch.reaches("plain", job_id, "failed")
    assert '"reason":"timeout"' in failed.failure


# --- Health --------------------------------------------------------------------------------------


def test_health_says_what_each_lane_does(server: Server, watch: Watch) -> None:
    seen, go_on = Seen(), threading.Event()

    def handler(ctx: Ctx[Order]) -> None:
        seen.add(ctx.job_id)
        assert go_on.wait(LONG_S)

    with at_work(server.url, handler, concurrency=3) as (bus, worker):
        wait_until(lambda: bus.health().ready, "it is ready", LONG_S)
        assert [each.state for each in bus.health().lanes] == ["idle"] * 3
        watch.bus.publish_json(Order(1), job_id="J1")
        assert seen.next() == "J1"
        wait_until(lambda: working(bus.health()) == ["J1"], "one works", LONG_S)
        health = bus.health()
        assert (health.ready, health.live, len(health.lanes)) == (True, True, 3)
        assert {each.queue for each in health.lanes} == {"orders"}
        assert len({each.name for each in health.lanes}) == 3
        assert 0 <= health.since_answered_s <= max(it.since_answered_s for it in health.lanes)
        wait_until(
            lambda: max(each.working_s for each in bus.health().lanes) > 0.02, "time goes by", 5
        )
        worker.stop.set()
        wait_until(lambda: not bus.health().ready, "it stops", LONG_S)
        assert bus.health().live
        go_on.set()
        worker.wait()
        assert bus.health() == WorkerHealth(ready=False, live=True)


def working(health: WorkerHealth) -> list[str]:
    return [each.job_id for each in health.lanes if each.state == "working"]


def test_a_bus_that_does_not_run_is_live_and_not_ready() -> None:
    with Bus("redis://127.0.0.1:1", registry=REGISTRY) as bus:
        assert bus.health() == WorkerHealth(ready=False, live=True)


def test_a_lane_that_dies_of_a_fault_of_ours_works_again(
    server: Server,
    watch: Watch,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    seen = Seen()
    ours, broken = Lane._run_waiting, threading.Event()

    def run_waiting(lane: Lane, *args: Any) -> int:
        if not broken.is_set():
            broken.set()
            raise ZeroDivisionError("a fault of ours")
        return ours(lane, *args)

    monkeypatch.setattr(Lane, "_run_waiting", run_waiting)
    job_id = watch.bus.publish_json(Order(1))
    with at_work(server.url, lambda ctx: seen.add((ctx.payload.number, ctx.attempt))) as (bus, _):
        assert seen.next() == (1, 1)  # it was given back, no attempt counted
        watch.reaches("orders", job_id, "completed")
        assert [each.restarts for each in bus.health().lanes] == [1]
        assert bus.health().ready
    assert "a lane of queue orders failed, and starts again" in caplog.text


# --- The end -------------------------------------------------------------------------------------


def test_a_draining_worker_gives_back_what_is_not_done_within_its_grace(
    server: Server, watch: Watch
) -> None:
    seen, go_on = Seen(), threading.Event()

    def handler(ctx: Ctx[Order]) -> None:
        seen.add(ctx)
        if ctx.payload.number:
            assert go_on.wait(LONG_S)

    ids = published(watch, range(2))
    try:
        with at_work(server.url, handler, concurrency=2, run={"grace_s": 0.3}) as (_, worker):
            first, second = seen.next(), seen.next()
            began_at = time.monotonic()
            worker.finish()
            assert 0.3 <= time.monotonic() - began_at < LONG_S / 4
            slow = first if first.payload.number else second
            assert slow.lease_lost
            assert [watch.job("orders", each).state for each in ids] == ["completed", "wait"]
            assert watch.job("orders", ids[1]).attempt == 0
    finally:
        go_on.set()


def test_a_grace_that_is_not_needed_costs_nothing(server: Server, watch: Watch) -> None:
    seen = Seen()
    (job_id,) = published(watch, range(1))
    with at_work(server.url, seen.add, run={"grace_s": 60}) as (_, worker):
        seen.next()
        worker.finish()
    assert watch.job("orders", job_id).state == "completed"


def test_a_stop_gives_what_was_not_started_back_in_its_order(server: Server, watch: Watch) -> None:
    """The stop comes while a batch is at hand and another one under way."""
    done: list[int] = []
    with Bus(server.url, registry=REGISTRY) as bus, watch.bus:
        stop = threading.Event()

        @bus.consumer(Order)
        def handler(ctx: Ctx[Order]) -> None:
            done.append(ctx.payload.number)
            if ctx.payload.number == WARM:
                stop.set()

        ids = published(watch, range(WARM + 400))
        bus.run(stop=stop)
        assert done == list(range(WARM + 1))
        rest = ids[WARM + 1 :]
        assert server.command("LRANGE", "{orders}:wait", 0, -1) == [each.encode() for each in rest]
        assert watch.stats("orders").active == 0
        assert {watch.job("orders", each).attempt for each in rest} == {0}


# --- Forks ---------------------------------------------------------------------------------------


def test_a_child_that_comes_out_of_a_handler_ends_and_settles_nothing(
    server: Server, watch: Watch
) -> None:
    exits = Seen()

    def handler(ctx: Ctx[Order]) -> None:
        pid = os.fork()
        if pid:
            exits.add(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
            assert watch.job("orders", ctx.job_id).state == "active"

    job_id = watch.bus.publish_json(Order(1), max_attempts=1)
    with bus_worker("sync", server.url, [(Order, handler, {})], poll_interval_s=LONG_POLL_S):
        assert exits.next() == 70
        watch.reaches("orders", job_id, "completed")


def test_a_bus_that_was_made_and_used_before_a_fork_works_in_both(
    server: Server, watch: Watch
) -> None:
    with Bus(server.url, registry=REGISTRY) as bus:
        before = bus.publish_json(Order(1))
        pid = os.fork()
        if not pid:
            try:
                bus.publish_json(Order(2), job_id="child")
                os._exit(0)
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        after = bus.publish_json(Order(3))
        seen = Seen()
        bus.consumer(Order)(lambda ctx: seen.add(ctx.job_id))
        with running(lambda stop: bus.run(stop=stop)):
            assert [seen.next() for _ in range(3)] == [before, "child", after]
