"""Typed on our side, plain JSON on OmniQ's."""

from __future__ import annotations

import json
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from omniq_typed import Bus, Ctx, message
from omniq_typed.messages.registry import Registry
from tests.interop.peer import Sides
from tests.interop.shared_laws import check, check_monitors
from tests.servers import wait_until

pytestmark = pytest.mark.interop

QUEUE = "interop.orders"
registry = Registry()


@dataclass
class Customer:
    name: str
    vip: bool


@message("interop.order", version=1, queue=QUEUE, registry=registry)
@dataclass
class Order:
    order_id: str
    amount: int
    customer: Customer


ORDER = Order("ORD-1", 1500, Customer("Zoë", True))
AS_DICT = {"order_id": "ORD-1", "amount": 1500, "customer": {"name": "Zoë", "vip": True}}


@pytest.fixture
def bus(sides: Sides) -> Iterator[Bus]:
    with Bus(sides.server.url, registry=registry, source="shop") as made:
        yield made


@contextmanager
def running(bus: Bus) -> Generator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=bus.run, kwargs={"stop": stop, "poll_interval_s": 0.05})
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(60)
    assert not thread.is_alive()


def wait_for_state(sides: Sides, job_id: str, state: str) -> dict[str, Any]:
    """The job, as OmniQ's monitor sees it."""

    def job() -> dict[str, Any]:
        found: dict[str, Any] = sides.omniq.look("get_job", QUEUE, job_id)
        return found

    wait_until(lambda: job()["state"] == state, f"{job_id} is {state}", 10)
    return job()


def test_a_dict_of_omniq_reaches_a_typed_consumer_as_version_1(sides: Sides, bus: Bus) -> None:
    seen: list[tuple[Order, str, int, str]] = []

    @bus.consumer(Order)
    def handle(ctx: Ctx[Order]) -> None:
        seen.append((ctx.payload, ctx.msg_type, ctx.msg_version, ctx.gid))

    job_id = sides.omniq.call("publish", queue=QUEUE, payload=AS_DICT, gid="zoë", group_limit=1)
    with running(bus):
        wait_for_state(sides, job_id, "completed")
    assert seen == [(ORDER, "", 1, "zoë")]
    check(sides, QUEUE, [job_id], ["zoë"])


def test_a_wrong_dict_of_omniq_fails_at_once_and_omniq_can_retry_it(sides: Sides, bus: Bus) -> None:
    @bus.consumer(Order)
    def handle(ctx: Ctx[Order]) -> None:
        raise AssertionError("no handler may see it")

    wrong = {**AS_DICT, "amount": "lots"}
    job_id = sides.omniq.call("publish", queue=QUEUE, payload=wrong, max_attempts=5)
    with running(bus):
        job = wait_for_state(sides, job_id, "failed")
    assert "amount" in job["last_error"]
    failure = json.loads(sides.ours.look("get_job", QUEUE, job_id)["failure"])
    assert (failure["reason"], failure["errors"][0]["path"]) == ("invalid_payload", "/amount")
    check(sides, QUEUE, [job_id])
    sides.omniq.call("retry_failed", queue=QUEUE, job_id=job_id)
    check(sides, QUEUE, [job_id])
    assert json.loads(sides.omniq.call("reserve", queue=QUEUE)["payload"]) == wrong


def test_a_typed_message_reaches_omniq_as_plain_json(sides: Sides, bus: Bus) -> None:
    job_id = bus.publish_json(ORDER, gid="g", group_limit=2, backoff_ms=0)
    side_fields = sides.ours.look("get_job", QUEUE, job_id)["side"]
    assert (side_fields["msg_type"], side_fields["msg_version"]) == ("interop.order", "1")
    for end in ("ack_fail", "ack_success"):
        sides.omniq.call("promote_delayed", queue=QUEUE)
        job = sides.omniq.call("reserve", queue=QUEUE)
        assert json.loads(job["payload"]) == AS_DICT
        lease = {"job_id": job_id, "lease_token": job["lease_token"]}
        sides.omniq.call("heartbeat", queue=QUEUE, **lease)
        sides.omniq.call(end, queue=QUEUE, **lease)
        # OmniQ writes field by field, and so leaves ours alone.
        assert sides.ours.look("get_job", QUEUE, job_id)["side"] == side_fields
        check(sides, QUEUE, [job_id], ["g"])


def test_a_typed_message_that_omniq_failed_comes_back_typed(sides: Sides, bus: Bus) -> None:
    seen: list[tuple[Order, str, int]] = []

    @bus.consumer(Order)
    def handle(ctx: Ctx[Order]) -> None:
        seen.append((ctx.payload, ctx.msg_type, ctx.attempt))

    job_id = bus.publish_json(ORDER, max_attempts=1)
    job = sides.omniq.call("reserve", queue=QUEUE)
    lease = {"job_id": job_id, "lease_token": job["lease_token"]}
    assert sides.omniq.call("ack_fail", queue=QUEUE, error="no", **lease) == ["FAILED", None]
    sides.omniq.call("retry_failed", queue=QUEUE, job_id=job_id)
    with running(bus):
        wait_for_state(sides, job_id, "completed")
    assert seen == [(ORDER, "interop.order", 1)]
    check_monitors(sides, QUEUE, [job_id], [])
    check(sides, QUEUE, [job_id])
