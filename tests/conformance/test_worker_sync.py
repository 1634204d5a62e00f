"""What only the blocking worker does: threads, prefetch, `ctx.exec` without await."""

from __future__ import annotations

import signal
import threading
from typing import Any

import pytest

from omniq_typed import Bus, ChildAck, Ctx, OmniqClient
from omniq_typed.errors import CounterExists
from tests.servers import Server
from tests.workers import (
    LONG_POLL_S,
    LONG_S,
    REGISTRY,
    Invoice,
    Order,
    Seen,
    Watch,
    bus_worker,
    running,
)


def test_exec_runs_every_operation_on_the_same_server(server: Server, watch: Watch) -> None:
    seen = Seen()

    def handler(ctx: Ctx[Order]) -> None:
        run = ctx.exec
        run.publish(queue="plain", payload={"n": 1}, job_id="P1", gid="g", group_limit=2)
        seen.add(run.publish_json(Invoice("a"), queue="bills", job_id="I1"))
        seen.add((run.pause(queue="bills"), run.is_paused(queue="bills")))
        seen.add((run.resume(queue="bills"), run.is_paused(queue="bills")))
        run.childs_init("set", 2)
        with pytest.raises(CounterExists):
            run.childs_init("set", 2)
        seen.add((run.child_ack("set", "other"), run.child_ack("set"), run.child_ack("set")))
        seen.add(run.child_ack("unknown"))

    job_id = watch.bus.publish_json(Order(1))
    with bus_worker("sync", server.url, [(Order, handler, {})]):
        watch.reaches("orders", job_id, "completed")
    assert seen.next() == "I1"
    assert seen.next() == ("OK", True)
    assert seen.next() == (1, False)
    assert seen.next() == (1, 0, 0)
    assert seen.next() == ChildAck.NO_COUNTER
    plain = watch.job("plain", "P1")
    assert (plain.state, plain.gid, plain.payload) == ("wait", "g", '{"n":1}')


def test_what_a_handler_publishes_carries_its_conversation_along(
    server: Server, watch: Watch
) -> None:
    seen = Seen()

    def on_order(ctx: Ctx[Order]) -> None:
        ctx.exec.publish_json(Invoice("a"), job_id="second")

    def on_invoice(ctx: Ctx[Invoice]) -> None:
        seen.add((ctx.job_id, ctx.correlation_id, ctx.causation_id))
        if ctx.job_id == "second":
            ctx.exec.publish_json(Invoice("b"), job_id="third")

    watch.bus.publish_json(Order(1), job_id="first")
    consumers: Any = [(Order, on_order, {}), (Invoice, on_invoice, {})]
    with bus_worker("sync", server.url, consumers):
        assert seen.next() == ("second", "first", "first")
        assert seen.next() == ("third", "first", "second")


def test_prefetched_jobs_run_in_order_and_leave_nothing_behind(
    server: Server, watch: Watch
) -> None:
    seen = Seen()
    ids = [watch.bus.publish_json(Order(n)) for n in range(120)]
    with bus_worker(
        "sync", server.url, [(Order, lambda ctx: seen.add(ctx.payload.number), {})], max_prefetch=50
    ):
        assert [seen.next() for _ in range(120)] == list(range(120))
        watch.reaches("orders", ids[-1], "completed")


def test_the_same_bus_runs_again(server: Server, watch: Watch) -> None:
    seen = Seen()
    with Bus(server.url, registry=REGISTRY) as bus:
        bus.consumer(Order)(lambda ctx: seen.add(ctx.payload.number))
        for n in range(2):
            with running(lambda stop: bus.run(stop=stop, poll_interval_s=LONG_POLL_S)):
                bus.publish_json(Order(n))
                assert seen.next() == n


def test_consume_in_the_main_thread_restores_the_signal_handlers(
    server: Server, watch: Watch
) -> None:
    stop = threading.Event()
    own = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        before = (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM))
        within: list[Any] = []

        def handler(ctx: Any) -> None:
            within.append(signal.getsignal(signal.SIGTERM))
            stop.set()

        watch.client.publish(queue="plain", payload={})
        with OmniqClient(url=server.url) as client:
            client.consume(queue="plain", handler=handler, stop=stop)
        assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
        assert within[0] not in before
    finally:
        signal.signal(signal.SIGTERM, own)


@pytest.mark.parametrize("concurrency", [1, 3])
def test_outside_the_main_thread_an_undrained_stop_gives_jobs_back_under_their_feet(
    server: Server, watch: Watch, concurrency: int
) -> None:
    seen = Seen()
    go_on = threading.Event()

    def handler(ctx: Ctx[Order]) -> None:
        seen.add(ctx)
        assert go_on.wait(LONG_S)
        seen.add("ended")

    ids = [watch.bus.publish_json(Order(n)) for n in range(concurrency)]
    consumers: Any = [(Order, handler, {"concurrency": concurrency})]
    try:
        with bus_worker("sync", server.url, consumers, drain=False) as worker:
            ctxs = [seen.next() for _ in ids]
            worker.finish()
            for job_id in ids:
                job = watch.job("orders", job_id)
                assert (job.state, job.attempt, job.lease_token) == ("wait", 0, "")
            assert all(ctx.lease_lost for ctx in ctxs)
    finally:
        go_on.set()
    for _ in ids:
        assert seen.next() == "ended"
    # The late results change nothing: the jobs are another worker's by now.
    assert [watch.job("orders", job_id).state for job_id in ids] == ["wait"] * concurrency
