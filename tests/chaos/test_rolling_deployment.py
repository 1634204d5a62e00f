"""A rolling deployment: producers and workers of two versions of a message on one queue, while the
workers are restarted, drained and killed."""

from __future__ import annotations

import contextlib
import signal
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from omniq_typed import Bus, QueueMonitor
from omniq_typed.models import QueueStats
from tests.servers import Server, wait_until
from tests.workers import LONG_S, Program

pytestmark = pytest.mark.slow

PHASES = 5
SIZE = 500
"""Messages that each producer publishes in a phase."""
EACH = PHASES * SIZE
PATIENCE_S = 60.0

MESSAGES = """
import sys, time, redis
from dataclasses import dataclass
from omniq_typed import Bus, Ctx, LeaveForOthers, message, upcast

url = sys.argv[1]

def v1():
    @message("order", version=1, queue="orders", timeout_ms=2000, strict_types=False)
    @dataclass
    class Order:
        number: int
        total: int
    return Order

def v2():
    @message("order", version=2, queue="orders", timeout_ms=2000, strict_types=False)
    @dataclass
    class Order:
        number: int
        amount: int
        currency: str

    @upcast(Order, from_version=1)
    def total_is_in_euros(order):
        return {"number": order["number"], "amount": order["total"], "currency": "EUR"}
    return Order
"""

PRODUCER = """
version, first, phases, size = sys.argv[2], *map(int, sys.argv[3:6])
Order = v1() if version == "1" else v2()
make = (lambda n: Order(n, n * 10)) if version == "1" else (lambda n: Order(n, n * 10, "USD"))
go = redis.Redis.from_url(url)
with Bus(url, source=f"producer v{version}") as bus:
    for phase in range(phases):
        assert go.blpop("go:" + version, timeout=60)
        numbers = range(first + phase * size, first + (phase + 1) * size)
        results = bus.publish_many(make(n) for n in numbers)
        assert all(result.ok for result in results)
print("produced")
"""

WORKER = """
version = sys.argv[2]
Order = v1() if version == "1" else v2()
log = redis.Redis.from_url(url)
bus = Bus(url)

# An older worker leaves what is newer than itself to others.
@bus.consumer(Order, concurrency=2, on_invalid=LeaveForOthers(times=100_000, pause_ms=20))
def on_order(ctx: Ctx[Order]) -> None:
    assert type(ctx.payload) is Order
    order = ctx.payload
    facts = (order.total, "-") if version == "1" else (order.amount, order.currency)
    time.sleep(0.001)
    log.rpush("handled", f"{order.number} {ctx.msg_version} {version} {facts[0]} {facts[1]}")

print("working")
bus.run(max_prefetch=4)
print("drained")
"""


@contextlib.contextmanager
def programs() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as stack:
        yield stack


def worker(stack: contextlib.ExitStack, url: str, version: str) -> Program:
    program = stack.enter_context(Program(MESSAGES + WORKER, url, version))
    program.wait_for("working")
    return program


def test_two_versions_share_a_queue_while_workers_come_and_go(server: Server) -> None:
    with programs() as stack, Bus(server.url) as bus, contextlib.closing(server.client()) as log:
        monitor = QueueMonitor(bus)

        def handled() -> int:
            count: Any = log.llen("handled")
            return int(count)

        def amid_a_phase() -> None:
            """The producers publish, and the workers have begun on it."""
            before = handled()
            for version in ("1", "2"):
                log.rpush(f"go:{version}", "go")
            wait_until(lambda: handled() >= before + 200, "the phase has begun", PATIENCE_S)

        producers = [
            stack.enter_context(
                Program(
                    MESSAGES + PRODUCER, server.url, version, str(first), str(PHASES), str(SIZE)
                )
            )
            for version, first in (("1", 0), ("2", EACH))
        ]
        old = worker(stack, server.url, "1")
        new = worker(stack, server.url, "2")
        amid_a_phase()
        old.signal(signal.SIGTERM)  # drained, and started again
        old.wait_for("drained")
        old = worker(stack, server.url, "1")
        amid_a_phase()
        new.signal(signal.SIGKILL)  # its leases run out
        assert new.exit_code() == -signal.SIGKILL
        amid_a_phase()  # the older worker alone leaves what is newer
        new = worker(stack, server.url, "2")
        amid_a_phase()
        old.signal(signal.SIGKILL)
        assert old.exit_code() == -signal.SIGKILL
        old = worker(stack, server.url, "1")
        amid_a_phase()
        new.signal(signal.SIGTERM)
        new.wait_for("drained")
        new = worker(stack, server.url, "2")
        for producer in producers:
            producer.wait_for("produced")
            assert producer.exit_code(LONG_S) == 0
        wait_until(lambda: at_rest(monitor.stats("orders")), "nothing is left", PATIENCE_S)
        for program in (old, new):
            program.signal(signal.SIGTERM)
            program.wait_for("drained")
            assert program.exit_code() == 0

        stats = monitor.stats("orders")
        rows = [row.decode().split() for row in log.lrange("handled", 0, -1)]  # type: ignore[union-attr]

    assert stats.failed == 0, "nothing is dead-lettered"
    seen = Counter(int(number) for number, *_ in rows)
    assert set(seen) == set(range(2 * EACH)), "nothing is lost"
    # What the killed workers had in hand was handled, but not yet settled: 2 lanes of 4 each.
    assert sum(seen.values()) - len(seen) <= 16
    by: Counter[tuple[str, str]] = Counter()
    for number, published, worked, amount, currency in rows:
        assert int(amount) == int(number) * 10
        if int(number) >= EACH:
            assert (published, worked, currency) == ("2", "2", "USD")
        else:
            assert (published, worked, currency) in {("1", "1", "-"), ("1", "2", "EUR")}
        by[published, worked] += 1
    assert all(by[way] > 0 for way in (("1", "1"), ("1", "2"), ("2", "2"))), by


def at_rest(stats: QueueStats) -> bool:
    return stats.waiting_total == stats.delayed == stats.active == 0
