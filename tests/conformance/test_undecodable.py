"""Jobs that no handler may see: to the failed lane, left for others, or as the user decides; and
jobs of older versions, which are made new first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import orjson
import pytest

from omniq_typed import (
    AsyncBus,
    Bus,
    DeadLetter,
    InvalidJob,
    InvalidOutcome,
    LeaveForOthers,
    NewJob,
    Registry,
    Reject,
    Retry,
    message,
    upcast,
)
from omniq_typed.core.enqueue import enqueue
from omniq_typed.errors import InvalidArgument, InvalidMessageType
from omniq_typed.models import JobInfo
from tests.conformance.doors import Face, handler_for, open_bus
from tests.servers import Server
from tests.workers import Seen, Watch, on_loop, running

OLD = Registry(strict_types=False)
NEW = Registry(strict_types=False)


@message("order", version=1, queue="orders", registry=OLD)
@dataclass
class OrderV1:
    total: int


@message("order", version=2, queue="orders", registry=NEW)
@dataclass
class OrderV2:
    amount: int


@upcast(OrderV2, from_version=1, registry=NEW)
def rename(order: dict[str, Any]) -> dict[str, Any]:
    return {"amount": order["total"]}


def failure_of(job: JobInfo) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(job.failure)
    return found


def working(face: Face, url: str, registry: Registry, set_up: Callable[[Any], None]) -> Any:
    """A bus of either face that works on what `set_up` registers, in a thread."""

    def run(stop: Any) -> None:
        with Bus(url, registry=registry) as bus:
            set_up(bus)
            bus.run(stop=stop)

    async def run_async(stop: Any) -> None:
        async with AsyncBus(url, registry=registry) as bus:
            set_up(bus)
            await bus.run(stop=stop)

    return running(run if face == "sync" else on_loop(run_async))


def consuming(face: Face, seen: Seen, cls: type[Any], **options: Any) -> Callable[[Any], None]:
    def set_up(bus: Any) -> None:
        bus.consumer(cls, **options)(handler_for(face, lambda ctx: seen.add(ctx.payload)))

    return set_up


def publish_raw(watch: Watch, payload: bytes, **side: str) -> str:
    job = NewJob("raw", payload, max_attempts=2, side={f"msg_{k}": v for k, v in side.items()})
    watch.bus.transport.run(enqueue("orders", [job]))
    return "raw"


# Versions.


def test_an_older_version_is_made_new_before_the_handler_sees_it(
    server: Server, face: Face, watch: Watch
) -> None:
    seen = Seen()
    with open_bus(face, server.url, registry=OLD) as bus:
        typed = bus.publish_json(OrderV1(5))
    foreign = watch.client.publish(queue="orders", payload={"total": 6})
    with working(face, server.url, NEW, consuming(face, seen, OrderV2)):
        assert [seen.next(), seen.next()] == [OrderV2(5), OrderV2(6)]
        watch.reaches("orders", typed, "completed")
        watch.reaches("orders", foreign, "completed")


def test_an_upcast_that_fails_sends_the_job_to_the_failed_lane_with_the_reason(
    server: Server, face: Face, watch: Watch
) -> None:
    seen = Seen()
    raw = publish_raw(watch, b'{"nothing":1}', type="order", version="1")
    good = watch.client.publish(queue="orders", payload={"total": 6})
    with working(face, server.url, NEW, consuming(face, seen, OrderV2)):
        failed = watch.reaches("orders", raw, "failed")
        assert seen.next() == OrderV2(6)
        watch.reaches("orders", good, "completed")
    failure = failure_of(failed)
    assert failure["reason"] == "upcast_failed"
    (error,) = failure["errors"]
    assert error["code"] == "upcast_failed" and "KeyError: 'total'" in error["message"]
    assert failed.attempt == 0
    assert failed.payload_raw == b'{"nothing":1}'


def test_a_gap_in_the_versions_is_found_when_the_bus_starts(server: Server, face: Face) -> None:
    own = Registry(strict_types=False)
    message("order", version=3, queue="orders", registry=own)(OrderV2)
    upcast(OrderV2, from_version=1, registry=own)(rename)
    with (
        pytest.raises(InvalidMessageType, match="write the one from v2"),
        working(face, server.url, own, consuming(face, Seen(), OrderV2)) as worker,
    ):
        worker.wait()


# Left for others.


def test_a_newer_version_is_left_for_newer_workers(
    server: Server, face: Face, watch: Watch
) -> None:
    seen_old, seen_new = Seen(), Seen()
    with open_bus(face, server.url, registry=NEW) as bus:
        job_id = bus.publish_json(OrderV2(5))
    # Both workers may take it when its pause is over; who is first each time, nobody says.
    leave = LeaveForOthers(times=1000, pause_ms=40)
    old = consuming(face, seen_old, OrderV1, on_invalid=leave)
    with working(face, server.url, OLD, old):
        left = watch.until("orders", job_id, lambda job: int(job.deferrals) >= 2)
        assert failure_of(left)["reason"] == "unknown_type"
        with working(face, server.url, NEW, consuming(face, seen_new, OrderV2)):
            assert seen_new.next() == OrderV2(5)
            done = watch.reaches("orders", job_id, "completed")
    assert done.attempt == 1, "what the older worker did burned no attempt"
    assert seen_old.nothing_more()


def test_leaving_for_others_is_bounded(server: Server, face: Face, watch: Watch) -> None:
    with open_bus(face, server.url, registry=NEW) as bus:
        job_id = bus.publish_json(OrderV2(5))
    leave = LeaveForOthers(times=3, pause_ms=1)
    with working(face, server.url, OLD, consuming(face, Seen(), OrderV1, on_invalid=leave)):
        failed = watch.reaches("orders", job_id, "failed")
    assert failed.deferrals == 3
    assert failed.attempt == 0
    assert failure_of(failed)["reason"] == "unknown_type"
    assert failed.payload == '{"amount":5}'


def test_a_broken_payload_is_not_left_for_others(server: Server, face: Face, watch: Watch) -> None:
    raw = publish_raw(watch, b'{"total":"x"}', type="order", version="1")
    leave = LeaveForOthers(pause_ms=1)
    with working(face, server.url, OLD, consuming(face, Seen(), OrderV1, on_invalid=leave)):
        failed = watch.reaches("orders", raw, "failed")
    assert failed.deferrals == 0
    assert failure_of(failed)["reason"] == "invalid_payload"


def test_unless_the_policy_says_so(server: Server, face: Face, watch: Watch) -> None:
    raw = publish_raw(watch, b'{"total":"x"}', type="order", version="1")
    leave = LeaveForOthers(times=2, pause_ms=1, reasons=("invalid_payload",))
    with working(face, server.url, OLD, consuming(face, Seen(), OrderV1, on_invalid=leave)):
        failed = watch.reaches("orders", raw, "failed")
    assert failed.deferrals == 2


def test_a_policy_that_fails_is_as_none(server: Server, face: Face, watch: Watch) -> None:
    class Broken:
        def wait_ms(self, reason: str, deferrals: int) -> int | None:
            raise ZeroDivisionError

    raw = publish_raw(watch, b"{", type="order", version="1")
    with working(face, server.url, OLD, consuming(face, Seen(), OrderV1, on_invalid=Broken())):
        watch.reaches("orders", raw, "failed")


@pytest.mark.parametrize(
    "make",
    [
        lambda: LeaveForOthers(times=0),
        lambda: LeaveForOthers(pause_ms=-1),
        lambda: LeaveForOthers(reasons=("nope",)),
        lambda: Bus.embedded().consumer(OrderV1, on_invalid=cast(Any, DeadLetter))(print),
    ],
)
def test_policies_that_could_never_work_are_refused(make: Callable[[], Any]) -> None:
    with pytest.raises((InvalidArgument, InvalidMessageType)):
        make()


# The user decides.


def deciding(
    face: Face, decide: Callable[[InvalidJob], InvalidOutcome | None], seen: Seen
) -> Callable[[Any], None]:
    def set_up(bus: Any) -> None:
        consuming(face, seen, OrderV1)(bus)
        bus.on_invalid("orders")(handler_for(face, decide))

    return set_up


def test_the_users_handler_gets_all_there_is(server: Server, face: Face, watch: Watch) -> None:
    asked: list[InvalidJob] = []
    raw = publish_raw(
        watch, b'{"total":"x"}', type="order", version="1", source="shop", correlation_id="c-1"
    )
    with working(face, server.url, OLD, deciding(face, asked.append, Seen())):
        failed = watch.reaches("orders", raw, "failed")
    (job,) = asked
    assert (job.queue, job.job_id, job.payload) == ("orders", "raw", b'{"total":"x"}')
    assert (job.msg_type, job.msg_version, job.reason) == ("order", 1, "invalid_payload")
    assert [fault.path for fault in job.faults] == ["/total"]
    assert (job.deferrals, job.source, job.correlation_id) == (0, "shop", "c-1")
    assert failure_of(failed)["errors"][0]["path"] == "/total", "None is the failed lane"
    assert failed.attempt == 0


def test_it_may_settle_the_matter(server: Server, face: Face, watch: Watch) -> None:
    raw = publish_raw(watch, b"{", type="order")
    decide = deciding(face, lambda job: InvalidOutcome.HANDLED, Seen())
    with working(face, server.url, OLD, decide):
        done = watch.reaches("orders", raw, "completed")
    assert done.payload_raw == b"{"


def test_it_may_leave_the_job_for_others(server: Server, face: Face, watch: Watch) -> None:
    def decide(job: InvalidJob) -> InvalidOutcome | None:
        if job.deferrals < 2:
            raise Retry(after=0.001)
        return InvalidOutcome.DEAD_LETTER

    raw = publish_raw(watch, b'{"amount":1}', type="order", version="2")
    with working(face, server.url, OLD, deciding(face, decide, Seen())):
        failed = watch.reaches("orders", raw, "failed")
    assert (failed.deferrals, failed.attempt) == (2, 0)


@pytest.mark.parametrize("error", [Reject("no"), ValueError("oh"), SystemExit(3)])
def test_one_that_fails_stops_no_worker(
    server: Server, face: Face, watch: Watch, error: BaseException
) -> None:
    def decide(job: InvalidJob) -> InvalidOutcome | None:
        raise error

    seen = Seen()
    raw = publish_raw(watch, b"{", type="order")
    with working(face, server.url, OLD, deciding(face, decide, seen)):
        failed = watch.reaches("orders", raw, "failed")
        watch.client.publish(queue="orders", payload={"total": 6})
        assert seen.next() == OrderV1(6)
    assert failure_of(failed)["reason"] == "invalid_payload"


def test_an_answer_that_is_none_of_them_is_the_failed_lane(
    server: Server, face: Face, watch: Watch
) -> None:
    wrong: Any = "done"
    raw = publish_raw(watch, b"{", type="order")
    with working(face, server.url, OLD, deciding(face, lambda job: wrong, Seen())):
        watch.reaches("orders", raw, "failed")


def test_a_handler_for_a_queue_without_consumers_is_refused(server: Server, face: Face) -> None:
    def set_up(bus: Any) -> None:
        consuming(face, Seen(), OrderV1)(bus)
        bus.on_invalid("nowhere")(handler_for(face, lambda job: None))

    with (
        pytest.raises(InvalidArgument, match="'nowhere' has no consumer; there are orders"),
        working(face, server.url, OLD, set_up) as worker,
    ):
        worker.wait()


def test_a_handler_of_the_wrong_kind_and_a_second_one_are_refused(face: Face) -> None:
    other: Face = "async" if face == "sync" else "sync"
    with open_bus(face, "embedded://", registry=OLD) as bus:
        with pytest.raises(InvalidMessageType):
            bus.on_invalid("orders")(handler_for(other, lambda job: None))
        bus.on_invalid("orders")(handler_for(face, lambda job: None))
        with pytest.raises(InvalidMessageType, match="has one already"):
            bus.on_invalid("orders")(handler_for(face, lambda job: None))


# Lax reading.


def test_a_consumer_may_read_laxly(server: Server, face: Face, watch: Watch) -> None:
    seen = Seen()
    watch.client.publish(queue="orders", payload={"total": "6"})
    with working(face, server.url, OLD, consuming(face, seen, OrderV1, lax=True)):
        assert seen.next() == OrderV1(6)


def test_fields_that_are_unknown_are_ignored(server: Server, face: Face, watch: Watch) -> None:
    """So that producers may be deployed first."""
    seen = Seen()
    watch.client.publish(queue="orders", payload={"total": 6, "coupon": "X"})
    with working(face, server.url, OLD, consuming(face, seen, OrderV1)):
        assert seen.next() == OrderV1(6)
