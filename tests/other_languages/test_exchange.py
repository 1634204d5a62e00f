"""Workers in Python and in TypeScript on the same queues: a thousand messages each way, five
hundred for whoever is free, while one worker of each kind is killed. Nothing is lost."""

from __future__ import annotations

import contextlib
import signal
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from examples.other_languages.messages import Address, ParcelOrdered
from omniq_typed import Bus, QueueMonitor
from omniq_typed.messages.envelope import Envelope
from tests.other_languages.warehouse import Warehouse
from tests.servers import Server, wait_until
from tests.workers import Process, Program

pytestmark = pytest.mark.slow

EACH_WAY = 1_000
SHARED = 500
"""Jobs on the queue that both kinds of worker take from."""
LEASE_MS = 4_000
PATIENCE_S = 60.0
KILLED_AFTER = 100
"""Jobs that a worker has begun when it is killed."""
IN_HAND = 16
"""Jobs that one worker has at once, at most: in TypeScript 8 of each of two queues, in Python 2
lanes of 4 each of two queues."""
QUEUES = {"warehouse": EACH_WAY, "depot": SHARED, "shop": EACH_WAY + SHARED}

SHOP = f"""
import sys
from contextlib import suppress
from datetime import UTC, datetime
from examples.other_languages.messages import ParcelOrdered, ParcelPacked
from omniq_typed import Bus, Ctx
from omniq_typed.errors import DuplicateJob

bus = Bus(sys.argv[1], source="shop", keep_completed=10_000)

def say(*words):
    sys.stdout.write(" ".join(words) + "\\n")  # in one piece: there are several threads

@bus.consumer(ParcelPacked, concurrency=2)
def on_packed(ctx: Ctx[ParcelPacked]) -> None:
    say("told", ctx.payload.order_id)

@bus.consumer(ParcelOrdered, queue="depot", concurrency=2)
def on_ordered(ctx: Ctx[ParcelOrdered]) -> None:
    say("packing", ctx.payload.order_id)
    packed = ParcelPacked(
        order_id=ctx.payload.order_id, tracking_code="GB00000000", box="S", insured=False,
        packed_at=datetime.now(UTC),
    )
    with suppress(DuplicateJob):  # by a worker that died before it could say so
        ctx.exec.publish_json(packed, job_id=f"{{ctx.job_id}}:packed", timeout_ms={LEASE_MS})

say("working")
bus.run(max_prefetch=4)
say("drained")
"""


def orders(prefix: str, queue: str, count: int) -> Iterator[Envelope[ParcelOrdered]]:
    ada = Address("Ada", "12 St James's Square", "SW1Y", "GB")
    for number in range(count):
        order = ParcelOrdered(
            order_id=f"{prefix}-{number}",
            weight_grams=1 + number,
            value=Decimal(number),
            ship_to=ada,
            ordered_at=datetime.now(UTC),
        )
        yield Envelope(order, queue=queue, job_id=order.order_id, timeout_ms=LEASE_MS, backoff_ms=1)


def runs(process: Process, word: str) -> Counter[str]:
    """Order id → how often this process has worked on it."""
    rows = (line.split() for line in process.lines)
    return Counter(row[1] for row in rows if row[0] == word)


def test_a_thousand_messages_each_way_while_workers_are_killed(
    example: Path, server: Server
) -> None:
    with contextlib.ExitStack() as stack:
        bus = stack.enter_context(Bus(server.url, source="test"))
        monitor = QueueMonitor(bus)

        def warehouse() -> Warehouse:
            options = ("--queue", "warehouse", "--queue", "depot", "--lease-ms", str(LEASE_MS))
            keep = ("--keep-completed", "10000")
            return stack.enter_context(Warehouse(example, server.url, *options, *keep))

        def shop() -> Program:
            return stack.enter_context(Program(SHOP, server.url))

        warehouses, shops = [warehouse(), warehouse()], [shop(), shop()]
        for each in shops:
            each.wait_for("working")
        sent = [*orders("W", "warehouse", EACH_WAY), *orders("D", "depot", SHARED)]
        assert all(result.ok for result in bus.publish_many(sent))
        kill_amid_its_work(warehouses[0], "packing")
        kill_amid_its_work(shops[0], "told")
        wait_until(lambda: at_rest(monitor), "all is done", PATIENCE_S)
        for survivor in (warehouses[1], shops[1]):
            survivor.signal(signal.SIGTERM)
            assert survivor.exit_code() == 0
        jobs = {queue: completed(server, queue) for queue in QUEUES}
        stats = {queue: monitor.stats(queue) for queue in QUEUES}

    # Each job was done, and is counted as done once.
    assert {queue: stat.failed for queue, stat in stats.items()} == dict.fromkeys(QUEUES, 0)
    assert {queue: stat.completed_kept for queue, stat in stats.items()} == QUEUES
    assert {queue: len(rows) for queue, rows in jobs.items()} == QUEUES
    assert all(job["msg_causation_id"] + ":packed" == job["id"] for job in jobs["shop"])

    # Each by a worker that may have it, and again only where a worker had died with it.
    packed = [runs(each, "packing") for each in (*warehouses, *shops)]
    told = [runs(each, "told") for each in shops]
    to_warehouse = {f"W-{number}" for number in range(EACH_WAY)}
    to_either = {f"D-{number}" for number in range(SHARED)}
    assert to_warehouse <= set(packed[0] | packed[1]) <= to_warehouse | to_either
    assert set().union(*packed) == to_warehouse | to_either
    assert set(told[0] | told[1]) == to_warehouse | to_either
    assert all(to_either & each.keys() for each in (packed[1], packed[3])), "both kinds had some"
    assert_again_only_where_one_died(dead=[packed[0], packed[2]], alive=[packed[1], packed[3]])
    assert_again_only_where_one_died(dead=[told[0]], alive=[told[1]])


def assert_again_only_where_one_died(dead: list[Counter[str]], alive: list[Counter[str]]) -> None:
    by_the_living = Counter(order for each in alive for order in each.elements())
    assert set(by_the_living.values()) == {1}
    assert dead[0].total() >= KILLED_AFTER and by_the_living.total() >= KILLED_AFTER
    for each in dead:
        assert set(each.values()) == {1}
        assert len(each.keys() & by_the_living.keys()) <= IN_HAND


def kill_amid_its_work(worker: Process, word: str) -> None:
    wait_until(lambda: runs(worker, word).total() >= KILLED_AFTER, f"{word} by many", PATIENCE_S)
    worker.signal(signal.SIGKILL)
    assert worker.exit_code() == -signal.SIGKILL


def at_rest(monitor: QueueMonitor) -> bool:
    found = [monitor.stats(queue) for queue in QUEUES]
    left = sum(each.waiting_total + each.delayed + each.active for each in found)
    return left == 0 and sum(each.completed_kept + each.failed for each in found) == sum(
        QUEUES.values()
    )


def completed(server: Server, queue: str) -> list[dict[str, str]]:
    """The stored jobs of the completed lane."""
    client: Any
    with contextlib.closing(server.client(decode_responses=True)) as client:
        ids = client.lrange(f"{{{queue}}}:completed", 0, -1)
        pipeline = client.pipeline(transaction=False)
        for job_id in ids:
            pipeline.hgetall(f"{{{queue}}}:job:{job_id}")
        found: list[dict[str, str]] = pipeline.execute()
    return found
