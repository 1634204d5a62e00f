"""A whole bus in the process: it publishes, works off, lets time pass, and tells what happened."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniq_typed import (
    AsyncCtx,
    Bus,
    Ctx,
    Envelope,
    InvalidJob,
    InvalidOutcome,
    LeaveForOthers,
    MessageType,
    OmniqClient,
    QueueMonitor,
    Reject,
)
from omniq_typed.core.children import childs_init
from omniq_typed.core.command import Command
from omniq_typed.core.enqueue import enqueue, jobs_published, publish_one
from omniq_typed.core.keys import entry_keys, queue_keys, queue_of_keys
from omniq_typed.core.scripts import script, script_names
from omniq_typed.errors import (
    ConnectionLost,
    DuplicateJob,
    InvalidArgument,
    InvalidMessageType,
    UndecodableJob,
)
from omniq_typed.models import NewJob
from omniq_typed.schema_registry import SchemaStore
from omniq_typed.testing import (
    AsyncMemoryBus,
    Ending,
    MemoryBus,
    SteppedBus,
    StillBusy,
    memory,
    override,
)
from omniq_typed.transport.stage import Stage
from tests import memory_engine
from tests.servers import Server
from tests.testing import shop
from tests.testing.shop import Invoice, Ledger, Line, Ordered, order, order_async
from tests.workers import ROOT

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _faults_are_meant(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "omniq_typed.worker")


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    found = Ledger()
    with override(shop.get_ledger, found):
        yield found


@pytest.fixture
def real(valkey_server: Server) -> Server:
    """One that is no memory server, whose time a test may move for good."""
    valkey_server.ensure_running()
    valkey_server.flushall()
    return valkey_server


@pytest.fixture
def bus(ledger: Ledger) -> Iterator[MemoryBus]:
    """The application's, taken over."""
    with memory(shop.bus, now=NEW_YEAR) as found:
        yield found


# An application's bus


def test_an_applications_own_bus_works_without_its_server(bus: MemoryBus, ledger: Ledger) -> None:
    order("A", 5)
    attempts = bus.run_pending().raise_errors()
    assert [each.handler for each in attempts] == ["on_ordered", "on_invoice"]
    assert ledger.rows == ["A"]
    assert bus.published(Ordered) == [Ordered("A", 5)]
    assert [job.message for job in bus.completed(Invoice)] == [Invoice(order_id="A")]


def test_afterwards_the_bus_is_what_it_was(bus: MemoryBus) -> None:
    taken = shop.bus.transport
    with memory(shop.bus) as inner:
        order("A", 5)
        assert len(inner.jobs()) == 1
    assert shop.bus.transport is taken
    assert bus.jobs() == []
    with pytest.raises(ValueError, match="from the test"), memory(shop.bus):
        raise ValueError("from the test")
    assert shop.bus.transport is taken


def test_beside_it_the_bus_itself_is_left_alone() -> None:
    beside = MemoryBus.of(shop.bus)
    beside.publish_json(Ordered("A", 5))
    assert len(beside.run_pending(queues=["orders"])) == 1
    with pytest.raises(ConnectionLost):
        order("B", 5)
    assert [job.message.order_id for job in beside.jobs(Ordered)] == ["A"]


def test_all_that_an_application_publishes_with_is_taken_over(ledger: Ledger) -> None:
    with memory(shop.bus, shop.async_bus, shop.client) as bus:
        order("sync", 1)
        asyncio.run(order_async("async", 2))
        shop.client.publish(queue="plain", payload={"n": 3})
        assert [each.message for each in bus.jobs()] == [
            Ordered("sync", 1),
            Ordered("async", 2),
            {"n": 3},
        ]
        bus.run_pending().raise_errors()
    assert ledger.rows == ["sync", "async"]


def test_it_keeps_registry_source_middleware_and_what_types_say(bus: MemoryBus) -> None:
    order("A", 5)
    (job,) = bus.jobs()
    assert (job.queue, job.max_attempts, job.state) == ("orders", 3, "wait")
    stored = QueueMonitor(bus).get_job("orders", job.job_id)
    assert stored is not None and stored.side["msg_source"] == "shop"


def test_handlers_that_a_test_adds_stay_with_it(ledger: Ledger) -> None:
    with memory(shop.bus) as bus:
        seen: list[Line] = []
        bus.consumer(Line)(lambda ctx: seen.append(ctx.payload))
        bus.publish_json({"sku": "S"}, message_type=Line)
        bus.run_pending().raise_errors()
        assert seen == [{"sku": "S"}]
        with pytest.raises(InvalidMessageType, match="has a handler on queue 'orders' already"):
            bus.consumer(Ordered)(shop.on_ordered)
            bus.run_pending()
    with memory(shop.bus) as again:
        again.publish_json({"sku": "S"}, message_type=Line)
        assert again.run_pending() == ()


def test_handlers_that_the_application_adds_later_are_found() -> None:
    late = Bus(shop.NOWHERE, registry=shop.REGISTRY)
    bus = MemoryBus.of(MemoryBus.of(late))
    with pytest.raises(InvalidArgument, match="the bus has none"):
        bus.run_pending()
    late.consumer(Line)(lambda ctx: None)
    bus.publish_json({"sku": "S"}, message_type=Line)
    assert len(bus.run_pending()) == 1


async def test_an_async_application_works_the_same(ledger: Ledger) -> None:
    with memory(shop.async_bus, now=NEW_YEAR) as bus:
        await order_async("A", 5, fail="once")
        (failed,) = await bus.run_pending()
        assert (failed.ending, str(failed.error)) == (Ending.RETRIED, "attempt 1")
        (await bus.run_for(seconds=5)).raise_errors()
        assert ledger.rows == ["A"]
        assert bus.now == NEW_YEAR + timedelta(seconds=5)
        bus.assert_published(Invoice, order_id="A")
        await bus.close()


def test_raw_consumers_know_the_types_of_the_bus(ledger: Ledger) -> None:
    seen: list[Any] = []
    raw = Bus(shop.NOWHERE, registry=shop.REGISTRY)
    raw.raw_consumer("shop.ordered", queue="orders")(lambda ctx: seen.append(ctx.payload))
    with memory(raw) as bus:
        raw.publish_json(Ordered("A", 1))
        bus.run_pending().raise_errors()
        plain = OmniqClient(url=bus.url)
        bad = NewJob("bad", b'{"order_id":1}', side=side(Ordered))
        plain.publish_batch(queue="orders", jobs=[bad])
        assert [each.ending for each in bus.run_pending()] == [Ending.FAILED]
    assert seen == [{"order_id": "A", "amount": 1, "fail": ""}]


def test_what_was_registered_in_memory_is_not_held_for_registered_elsewhere(real: Server) -> None:
    with Bus(real.url, registry=shop.REGISTRY) as app:
        with memory(app):
            app.publish_json(Ordered("A", 1))
            assert app.register_schemas()
        app.publish_json(Ordered("A", 1))
        assert "shop.ordered" in SchemaStore(app.transport).histories()


# Working off


def test_what_a_handler_raises_fails_its_job_and_is_told(bus: MemoryBus) -> None:
    order("A", 1, fail="once")
    order("B", 2, fail="reject")
    order("C", 3, fail="later")
    attempts = bus.run_pending(queues=["orders"])
    ends = {each.message.order_id: each for each in attempts}
    assert {name: each.ending for name, each in ends.items()} == {
        "A": Ending.RETRIED,
        "B": Ending.FAILED,
        "C": Ending.RETRIED,
    }
    assert ends["A"].due_ms == bus.now_ms + 5_000
    assert ends["C"].due_ms == bus.now_ms + 60_000
    (rejected,) = bus.failed()
    assert (rejected.message, rejected.reason) == (Ordered("B", 2, "reject"), "rejected")
    assert "not ours" in str(rejected)
    with pytest.raises(BaseExceptionGroup, match="3 of 3 attempts failed"):
        attempts.raise_errors()
    with pytest.raises(Reject, match="not ours"):
        attempts.ended(Ending.FAILED).raise_errors()
    assert str(attempts).count("\n") == 2 and "by on_ordered retried: RuntimeError" in str(attempts)


def test_what_ends_the_test_passes_and_the_job_is_settled(bus: MemoryBus) -> None:
    for stop in (KeyboardInterrupt, pytest.fail.Exception):

        @bus.consumer(Line, queue=f"of-{stop.__name__}")
        def on_line(ctx: Ctx[Line], stop: Any = stop) -> None:
            raise stop("enough")

        bus.publish_json({"sku": "S"}, message_type=Line, queue=f"of-{stop.__name__}")
        with pytest.raises(stop):
            bus.run_pending(queues=[f"of-{stop.__name__}"])
        (job,) = bus.jobs()[-1:]
        assert job.state in ("wait", "delayed")


def test_system_exit_fails_the_job_as_in_a_worker(bus: MemoryBus) -> None:
    @bus.consumer(Line)
    def on_line(ctx: Ctx[Line]) -> None:
        raise SystemExit(3)

    bus.publish_json({"sku": "S"}, message_type=Line, max_attempts=1)
    (attempt,) = bus.run_pending()
    assert attempt.ending is Ending.FAILED


def test_undecodable_jobs_are_told_with_their_reason(bus: MemoryBus) -> None:
    plain = OmniqClient(url=bus.url)
    plain.publish_batch(queue="orders", jobs=[NewJob("x", b'{"order_id":1}', side=side(Ordered))])
    (attempt,) = bus.run_pending()
    assert (attempt.ending, attempt.handler, attempt.message) == (Ending.FAILED, "", None)
    (job,) = bus.failed(Ordered)
    assert job.reason == "invalid_payload"
    with pytest.raises(UndecodableJob, match=r"cannot be read as shop\.ordered v1; `payload` has"):
        _ = job.message
    assert str(job).startswith("b'{\"order_id\":1}' (job x, queue orders, failed")
    assert {fault.path for fault in job.faults} >= {"/order_id"}
    assert bus.published(Ordered) == []


def test_policies_and_handlers_for_undecodable_jobs_are_asked() -> None:
    with MemoryBus(registry=shop.REGISTRY) as bus:
        bus.consumer(Ordered, on_invalid=LeaveForOthers(times=1, pause_ms=10_000))(lambda ctx: None)
        told: list[InvalidJob] = []

        @bus.on_invalid("invoices")
        def on_invalid(job: InvalidJob) -> InvalidOutcome:
            told.append(job)
            return InvalidOutcome.HANDLED

        bus.consumer(Invoice)(lambda ctx: None)
        newer = {**side(Ordered), "msg_version": "9"}
        plain = OmniqClient(url=bus.url)
        plain.publish_batch(queue="orders", jobs=[NewJob("new", b"{}", side=newer)])
        plain.publish_batch(queue="invoices", jobs=[NewJob("bad", b"{}", side=side(Invoice))])
        assert [each.ending for each in bus.run_pending()] == [Ending.LEFT, Ending.COMPLETED]
        assert [job.job_id for job in told] == ["bad"]
        assert [each.ending for each in bus.run_for(seconds=10)] == [Ending.FAILED]


def test_older_versions_go_through_their_upcasts(bus: MemoryBus, ledger: Ledger) -> None:
    old = {"msg_type": "shop.invoice", "msg_version": "1"}
    plain = OmniqClient(url=bus.url)
    plain.publish_batch(queue="invoices", jobs=[NewJob("old", b'{"order_id":"A"}', side=old)])
    (attempt,) = bus.run_pending().raise_errors()
    assert attempt.message == Invoice(order_id="A", currency="EUR")
    assert bus.published(Invoice) == []  # of its own version


def test_endless_work_is_stopped_and_says_whose_it_is(bus: MemoryBus) -> None:
    @bus.consumer(Line)
    def again(ctx: Ctx[Line]) -> None:
        ctx.exec.publish_json(ctx.payload, message_type=Line)

    bus.publish_json({"sku": "S"}, message_type=Line)
    with pytest.raises(
        StillBusy, match=r"still busy after 7 attempts: 7 × shop\.line by"
    ) as caught:
        bus.run_pending(limit=7)
    assert len(caught.value.attempts) == 7
    assert {job.state for job in bus.jobs()} == {"completed", "wait"}  # nothing is left leased
    with pytest.raises(InvalidArgument, match="limit"):
        bus.run_pending(limit=0)


def test_just_as_many_as_the_limit_are_no_fault(bus: MemoryBus) -> None:
    bus.publish_many(Ordered(str(n), n) for n in range(5))
    assert len(bus.run_pending(queues=["orders"], limit=5)) == 5


def test_queues_that_publish_to_each_other_are_worked_off_to_the_end(bus: MemoryBus) -> None:
    for queue, to in (("ping", "pong"), ("pong", "ping")):

        @bus.consumer(Line, queue=queue)
        def on_line(ctx: Ctx[Line], to: str = to) -> None:
            if len(ctx.payload["sku"]) < 5:
                line = {"sku": ctx.payload["sku"] + "x"}
                ctx.exec.publish_json(line, message_type=Line, queue=to)

    bus.publish_json({"sku": ""}, message_type=Line, queue="pong")
    assert [each.queue for each in bus.run_pending()] == ["pong", "ping"] * 3


def test_what_is_paused_is_not_held_for_endless(bus: MemoryBus) -> None:
    bus.consumer(Line)(lambda ctx: ctx.exec.pause(queue="lines"))
    bus.publish_many(Envelope({"sku": str(n)}, message_type=Line) for n in range(2))
    assert len(bus.run_pending(limit=1)) == 1
    assert len(bus.pending()) == 1


def test_a_paused_queue_waits(bus: MemoryBus) -> None:
    order("A", 1)
    plain = OmniqClient(url=bus.url)
    plain.pause(queue="orders")
    assert bus.run_pending() == () and bus.run_pending(limit=1) == ()
    plain.resume(queue="orders")
    assert len(bus.run_pending(queues=["orders"])) == 1


def test_a_group_is_worked_off_in_order_and_waits_for_its_head(bus: MemoryBus) -> None:
    for name, fail in (("1", "once"), ("2", "")):
        envelope = Envelope(Ordered(name, 1, fail), gid="g", ordering="strict")
        bus.publish_many([envelope])
    order("other", 1)
    assert [each.message.order_id for each in bus.run_pending(queues=["orders"])] == ["1", "other"]
    done = bus.run_for(seconds=5, queues=["orders"])
    assert [each.message.order_id for each in done] == ["1", "2"]


def test_the_same_id_is_published_once(bus: MemoryBus) -> None:
    bus.publish_json(Ordered("A", 1), job_id="one")
    bus.publish_json(Ordered("A", 1), job_id="one")
    with pytest.raises(DuplicateJob):
        bus.publish_json(Ordered("B", 1), job_id="one")
    assert bus.published(Ordered) == [Ordered("A", 1)]


async def test_cancelling_the_test_ends_the_handler_and_gives_the_job_back() -> None:
    bus = AsyncMemoryBus(registry=shop.REGISTRY)
    ended = asyncio.Event()

    @bus.consumer(Line)
    async def on_line(ctx: AsyncCtx[Line]) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    await bus.publish_json({"sku": "S"}, message_type=Line)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await bus.run_pending()
    assert ended.is_set()
    (job,) = bus.jobs()
    assert (job.state, job.attempt) == ("wait", 0)


def test_it_runs_as_a_worker_too(bus: MemoryBus, ledger: Ledger) -> None:
    stop = threading.Event()
    order("A", 1)
    thread = threading.Thread(target=lambda: bus.run(stop=stop, poll_interval_s=0.01))
    thread.start()
    ends_at = time.monotonic() + 20
    while len(bus.completed(Invoice)) < 1 and time.monotonic() < ends_at:
        pass
    stop.set()
    thread.join()
    assert ledger.rows == ["A"]


# Time


def test_time_stands_still_until_it_is_moved(bus: MemoryBus) -> None:
    assert bus.now == NEW_YEAR
    order("A", 1, fail="always")
    assert len(bus.run_pending()) == 1
    assert bus.advance(seconds=4.999) == NEW_YEAR + timedelta(seconds=4.999)
    assert bus.run_pending() == ()
    bus.advance(timedelta(milliseconds=1))
    assert [each.attempt for each in bus.run_pending()] == [2]


def test_time_passes_from_one_thing_that_falls_due_to_the_next(bus: MemoryBus) -> None:
    order("A", 1, fail="always")
    bus.publish_json(Ordered("B", 2), due_ms=bus.now_ms + 7_000)
    bus.publish_json(Ordered("C", 3), due_ms=bus.now_ms + 3_600_000)
    done = bus.run_for(minutes=1, queues=["orders"])
    assert [(each.message.order_id, each.attempt) for each in done] == [
        ("A", 1),
        ("A", 2),
        ("B", 1),
        ("A", 3),
    ]
    assert bus.now == NEW_YEAR + timedelta(minutes=1)
    assert [job.message.order_id for job in bus.pending(Ordered)] == ["C"]


def test_a_lease_ends(bus: MemoryBus) -> None:
    order("A", 1)
    other = OmniqClient(url=bus.url)
    assert other.reserve(queue="orders") is not None
    assert bus.run_pending() == ()
    bus.advance(seconds=30)  # the type's timeout
    assert bus.run_pending() == ()
    bus.advance(seconds=5)  # its backoff
    assert [each.attempt for each in bus.run_pending(queues=["orders"])] == [2]


def test_times_of_jobs_are_the_bus_time(bus: MemoryBus) -> None:
    seen: list[int] = []
    bus.consumer(Line)(lambda ctx: seen.extend((ctx.created_ms, ctx.lock_until_ms)))
    bus.publish_json({"sku": "S"}, message_type=Line)
    bus.advance(days=1)
    bus.run_pending().raise_errors()
    start_ms = int(NEW_YEAR.timestamp() * 1000)
    assert seen == [start_ms, start_ms + 86_400_000 + 30_000]


def test_what_the_server_forgets_by_itself_is_forgotten_in_bus_time(bus: MemoryBus) -> None:
    plain = OmniqClient(url=bus.url)
    plain.childs_init(key="set", expected=1)
    assert plain.child_ack(key="set", child_id="c") == 0
    bus.advance(hours=23)
    assert plain.child_ack(key="set", child_id="c") == 0
    bus.advance(hours=1)
    assert plain.child_ack(key="set", child_id="c") == -1


def test_time_goes_forwards_only(bus: MemoryBus) -> None:
    for wrong in ({"seconds": -1}, {"days": 40_000}, {"hours": 1, "minutes": -61}):
        with pytest.raises(InvalidArgument, match=r"by: .* time goes forwards"):
            bus.advance(**wrong)  # type: ignore[arg-type]
    assert bus.now == NEW_YEAR


def test_a_time_needs_a_zone_and_may_run() -> None:
    with pytest.raises(InvalidArgument, match="time zone"):
        MemoryBus(now=datetime(2026, 1, 1))
    with pytest.raises(InvalidArgument, match="leave out one"):
        MemoryBus(now=NEW_YEAR, time_runs=True)
    running = MemoryBus(time_runs=True)
    before = time.time_ns() // 1_000_000
    assert before <= running.now_ms <= before + 60_000
    running.advance(hours=1)
    assert running.now_ms >= before + 3_600_000


def test_every_script_that_takes_the_time_takes_that_of_the_stage() -> None:
    stage = Stage()
    stage.stand_still(5)
    timed = []
    for name in script_names():
        command: Command[Any] = Command(script(name), (), [0, "x"], lambda reply: reply, False)
        if stage.timed(command).args[0] == 5:
            timed.append(name)
    assert timed == [name for name in script_names() if "now_ms('" in _calls(name)]
    assert {"enqueue", "reserve", "settle", "heartbeat"} <= set(timed)
    assert stage.timed(childs_init("k", 3)).args == childs_init("k", 3).args
    chosen = Command(script("reserve"), (), [7], lambda reply: reply, False)
    assert stage.timed(chosen) is chosen


def _calls(name: str) -> str:
    text = (ROOT / "lua" / "commands" / f"{name}.lua").read_text()
    return text.replace("now_ms(ARGV[1])", "now_ms('")


# Servers


def test_each_bus_has_a_server_of_its_own_unless_it_is_given_one() -> None:
    one, other = MemoryBus(registry=shop.REGISTRY), MemoryBus(registry=shop.REGISTRY)
    one.publish_json(Ordered("A", 1))
    assert other.jobs() == []
    same = MemoryBus(one.url, registry=shop.REGISTRY)
    assert same.published(Ordered) == [Ordered("A", 1)]
    one.advance(days=1)
    assert same.now == one.now
    named = Bus("memory://for-this-test", registry=shop.REGISTRY)
    named.publish_json(Ordered("A", 1))
    assert MemoryBus("memory://for-this-test", registry=shop.REGISTRY).published(Ordered)
    del named


def test_a_memory_bus_is_in_memory() -> None:
    with pytest.raises(InvalidArgument, match="SteppedBus takes any URL"):
        MemoryBus("redis://localhost:6379/0")
    for kind in (MemoryBus, AsyncMemoryBus):
        with pytest.raises(InvalidArgument, match=r"SteppedBus.embedded\(\)"):
            kind.embedded()
    with pytest.raises(InvalidArgument, match="write memory:// or memory://name"):
        Bus("memory://a/b")


def test_without_its_packages_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InvalidArgument, match=r"needs fakeredis and lupa; pip install 'omniq-typ"):
        MemoryBus()


def test_it_is_closed_and_used_again(bus: MemoryBus) -> None:
    order("A", 1)
    bus.close()
    assert bus.published(Ordered) == [Ordered("A", 1)]


def test_completed_jobs_are_kept_and_removed_ones_are_still_told() -> None:
    bus = MemoryBus(registry=shop.REGISTRY)
    bus.consumer(Ordered)(lambda ctx: None)
    bus.publish_many(Ordered(str(n), n) for n in range(150))
    bus.run_pending()
    assert len(bus.completed(Ordered)) == 150
    few = MemoryBus(registry=shop.REGISTRY, keep_completed=1)
    few.consumer(Ordered)(lambda ctx: None)
    few.publish_many(Ordered(str(n), n) for n in range(3))
    few.run_pending()
    assert [job.state for job in few.jobs()] == ["removed", "removed", "completed"]
    assert len(few.published(Ordered)) == 3


# On a real server


def test_a_stepped_bus_does_the_same_on_a_real_server(real: Server, ledger: Ledger) -> None:
    with SteppedBus.of(shop.bus, real.url) as bus:
        bus.publish_json(Ordered("A", 1, fail="once"))
        bus.publish_json(Ordered("B", 1), due_ms=bus.now_ms + 3_600_000)
        assert [each.ending for each in bus.run_pending(queues=["orders"])] == [Ending.RETRIED]
        done = bus.run_for(hours=2)
        assert [each.ending for each in done] == [Ending.COMPLETED] * 4
        assert ledger.rows == ["A", "B"]
        bus.assert_published(Invoice, order_id="B")
        assert [each.state for each in bus.jobs()] == ["completed"] * 4


async def test_an_async_one_too(real: Server, ledger: Ledger) -> None:
    from omniq_typed.testing import AsyncSteppedBus

    async with AsyncSteppedBus.of(shop.async_bus, real.url) as bus:
        await bus.publish_json(Ordered("A", 1, fail="once"))
        assert [each.ending for each in await bus.run_pending()] == [Ending.RETRIED]
        (await bus.run_for(seconds=6)).raise_errors()
        assert ledger.rows == ["A"]
        assert len(bus.completed()) == 2


# What lies under it


names = st.text("aé1", min_size=1, max_size=3)
new_jobs = st.builds(
    NewJob,
    job_id=names,
    payload=st.sampled_from([b"{}", b'{"a":[1]}', b"[\xff]"]),
    max_attempts=st.integers(1, 9),
    timeout_ms=st.integers(0, 99),
    backoff_ms=st.integers(0, 99),
    due_ms=st.integers(0, 10**13),
    gid=st.sampled_from(["", "g"]),
    group_limit=st.just(0),
    side=st.dictionaries(
        st.sampled_from(["msg_type", "msg_version", "msg_x"]), st.sampled_from(["", "ü"])
    ),
)


@given(st.lists(new_jobs, max_size=4))
def test_what_a_command_publishes_can_be_read_from_it(jobs: list[NewJob]) -> None:
    assert jobs_published(enqueue("q", jobs)) == jobs
    for job in jobs:
        assert jobs_published(publish_one("q", job)) == [job]


def test_the_queue_of_a_command_can_be_read_from_its_keys() -> None:
    assert queue_of_keys(queue_keys("a.b-c_d")) == "a.b-c_d"
    assert queue_of_keys(entry_keys("a.b-c_d")) == "a.b-c_d"


def test_the_tests_that_a_memory_server_cannot_run_exist() -> None:
    sources = "".join(
        path.read_text("utf-8")
        for folder in ("conformance", "properties")
        for path in (ROOT / "tests" / folder).glob("test_*.py")
    )
    for name in {name for names in memory_engine.LACKS.values() for name in names}:
        assert f"def {name}(" in sources, name


def side(cls: type) -> dict[str, str]:
    of_type: MessageType[Any] = shop.REGISTRY.of_type(cls)
    return {"msg_type": of_type.name, "msg_version": str(of_type.version)}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_1000_messages_are_published_and_handled_within_10_s_of_work(kind: str) -> None:
    """Of this process: others share the machine."""
    begun = time.process_time()
    if kind == "sync":
        bus = MemoryBus(registry=shop.REGISTRY)
        bus.consumer(Ordered)(lambda ctx: None)
        for n in range(1000):
            bus.publish_json(Ordered("A", n))
            assert len(bus.run_pending()) == 1
    else:
        asyncio.run(_cycles())
    assert time.process_time() - begun < 10


async def _cycles() -> None:
    bus = AsyncMemoryBus(registry=shop.REGISTRY)

    @bus.consumer(Ordered)
    async def on_ordered(ordered: Ordered) -> None:
        pass

    for n in range(1000):
        await bus.publish_json(Ordered("A", n))
        assert len(await bus.run_pending()) == 1
