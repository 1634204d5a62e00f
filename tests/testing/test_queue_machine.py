"""The state machine finds what it is there to find in handlers that are wrong, and nothing in ones
that are right; and a failure reads well."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, run_state_machine_as_test
from typing_extensions import TypedDict

from omniq_typed import AsyncBus, AsyncCtx, Bus, Ctx, Envelope, Registry, message, message_type
from omniq_typed.errors import InvalidArgument
from omniq_typed.testing import InjectedFailure, QueueMachine, StillBusy, WorkerDied
from omniq_typed.testing.interruption import Interruption, lines_in

NOWHERE = "redis://127.0.0.1:1/0"
REGISTRY = Registry(strict_types=False)
FIXED = settings(
    max_examples=40,
    stateful_step_count=8,
    derandomize=True,
    database=None,
    deadline=None,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),  # pyright: ignore[reportArgumentType]
)
QUICKLY = settings(FIXED, phases=[Phase.generate])
FEW = settings(QUICKLY, max_examples=10)
LONGER = settings(QUICKLY, max_examples=60, stateful_step_count=15)
# What is drawn depends on Hypothesis' release and on the modules that are loaded: one hundred
# examples may miss what the next hundred find. It ends with the first failure.
SEARCH = settings(LONGER, max_examples=2000)


@message("machine.charge", queue="charges", registry=REGISTRY)
@dataclass
class Charge:
    order_id: str


@message("machine.receipt", queue="receipts", registry=REGISTRY)
@dataclass
class Receipt:
    order_id: str


class Bank:
    """What lies outside of the bus."""

    def __init__(self) -> None:
        self.payments: list[str] = []
        self.paid: set[str] = set()

    def pay(self, order_id: str) -> None:
        self.payments.append(order_id)

    def pay_once(self, order_id: str) -> None:
        """As a bank that is given an idempotency key."""
        if order_id not in self.payments:
            self.payments.append(order_id)


bank = Bank()
Handler = Callable[[Ctx[Charge]], None]


def looks_first(ctx: Ctx[Charge]) -> None:
    """Wrong: it may die between the payment and the note."""
    if ctx.payload.order_id in bank.paid:
        return
    bank.pay(ctx.payload.order_id)
    bank.paid.add(ctx.payload.order_id)
    ctx.exec.publish_json(Receipt(ctx.payload.order_id))


def pays_blindly(ctx: Ctx[Charge]) -> None:
    """Wrong: it takes each message for a new one."""
    bank.pay(ctx.payload.order_id)


def notes_first(ctx: Ctx[Charge]) -> None:
    """Wrong: it may die between the note and the receipt, which is lost then."""
    if ctx.payload.order_id in bank.paid:
        return
    bank.paid.add(ctx.payload.order_id)
    bank.pay_once(ctx.payload.order_id)
    ctx.exec.publish_json(Receipt(ctx.payload.order_id))


def swallows(ctx: Ctx[Charge]) -> None:
    """Wrong: a failure is no reason to be done."""
    try:
        bank.pay_once(ctx.payload.order_id)
    except Exception:
        return
    ctx.exec.publish_json(Receipt(ctx.payload.order_id))


def is_right(ctx: Ctx[Charge]) -> None:
    bank.pay_once(ctx.payload.order_id)
    ctx.exec.publish_json(Receipt(ctx.payload.order_id), job_id=f"r-{ctx.payload.order_id}")


class Charging(QueueMachine):
    messages = st.builds(Charge, st.sampled_from(["A", "B"]))

    def start(self) -> None:
        bank.__init__()  # type: ignore[misc]

    @invariant()
    def no_order_is_paid_twice(self) -> None:
        assert len(bank.payments) == len(set(bank.payments)), bank.payments

    def at_rest(self) -> None:
        charged = {job.message.order_id for job in self.bus.completed(Charge)}
        receipts = {each.order_id for each in self.bus.published(Receipt)}
        assert charged <= receipts, f"no receipt for {charged - receipts}"


def machine_of(
    handler: Any, base: type[QueueMachine] = Charging, **more: Any
) -> type[QueueMachine]:
    """For an application with this one handler of Charge, and one of Receipt."""
    bus = Bus(NOWHERE, registry=REGISTRY)
    bus.consumer(Charge)(handler)
    bus.consumer(Receipt)(lambda ctx: None)
    return type("Charging", (base,), {"app_bus": bus, **more})


def failure_of(machine: type[QueueMachine], how: settings = QUICKLY) -> BaseException:
    with pytest.raises(AssertionError) as caught:
        run_state_machine_as_test(machine, settings=how)
    return caught.value


class Paying(Charging):
    """Whoever looks for receipts would find fault too early."""

    def at_rest(self) -> None:
        pass


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    ("handler", "base", "found"),
    [
        pytest.param(looks_first, Paying, "'A', 'A'|'B', 'B'", marks=pytest.mark.slow),
        (pays_blindly, Paying, "'A', 'A'|'B', 'B'"),
        (notes_first, Charging, "no receipt for"),
        pytest.param(swallows, Charging, "no receipt for", marks=pytest.mark.slow),
    ],
)
def test_what_is_wrong_is_found(handler: Handler, base: type[QueueMachine], found: str) -> None:
    with pytest.raises(AssertionError, match=found):
        run_state_machine_as_test(machine_of(handler, base), settings=SEARCH)


@pytest.mark.slow
def test_what_is_right_is_not_accused() -> None:
    run_state_machine_as_test(machine_of(is_right), settings=LONGER)


@pytest.mark.slow
def test_a_failure_tells_the_shortest_history() -> None:
    error = failure_of(machine_of(looks_first, Paying, messages=st.just(Charge("A"))), FIXED)
    told = [line for line in _told(error) if "no_order" not in line]
    assert told[0] == "state = Charging()"
    assert told[1:3] == [
        "# job 1 is published",
        "state.publish(message=Charge(order_id='A'))",
    ]
    assert told[3] == "# job 1 is taken, attempt 1 of 3"
    assert "test_queue_machine.py:" in told[4] and ": bank.p" in told[4]
    assert sum(line.startswith("state.") for line in told) <= 4  # publish, the fault, teardown


def _told(error: BaseException) -> list[str]:
    lines = "\n".join(getattr(error, "__notes__", [])).splitlines()
    return [line.strip() for line in lines if line.strip().startswith(("state", "#"))]


def test_a_handler_of_any_shape_is_interrupted() -> None:
    class Service:
        def handle(self, ctx: Ctx[Charge]) -> None:
            looks_first_as_method(ctx)
            bank.pay(ctx.payload.order_id)
            bank.paid.add(ctx.payload.order_id)

        def __call__(self, ctx: Ctx[Charge]) -> None:
            bank.pay(ctx.payload.order_id)
            bank.paid.add(ctx.payload.order_id)

    def looks_first_as_method(ctx: Ctx[Charge]) -> None: ...

    def decorated(function: Handler) -> Handler:
        @functools.wraps(function)
        def around(ctx: Ctx[Charge]) -> None:
            function(ctx)

        return around

    for handler in (Service().handle, Service(), decorated(looks_first)):
        failure_of(machine_of(handler, messages=st.just(Charge("A"))), SEARCH)


def test_an_assertion_in_a_handler_fails_the_test() -> None:
    def handler(ctx: Ctx[Charge]) -> None:
        assert ctx.payload.order_id != "B", "B is not to be had"

    with pytest.raises(AssertionError, match="B is not to be had"):
        run_state_machine_as_test(machine_of(handler, Paying), settings=SEARCH)


def test_other_failures_are_the_jobs() -> None:
    def handler(ctx: Ctx[Charge]) -> None:
        raise RuntimeError("broken")

    class AllFailed(QueueMachine):
        messages: ClassVar[Any] = Charging.messages

        def at_rest(self) -> None:
            assert len(self.bus.failed()) == len(self.bus.jobs())

    run_state_machine_as_test(machine_of(handler, AllFailed), settings=FEW)


def test_handlers_that_never_come_to_rest_are_told() -> None:
    def handler(ctx: Ctx[Charge]) -> None:
        ctx.exec.publish_json(ctx.payload)

    few = settings(QUICKLY, max_examples=1, stateful_step_count=3)
    with pytest.raises(StillBusy, match=r"machine\.charge by "):
        run_state_machine_as_test(machine_of(handler, rest_limit=50), settings=few)


def test_the_end_of_an_example_is_asked_for_what_must_be_true() -> None:
    @settings(FIXED, max_examples=1)
    @given(st.just(Charge("A")))
    def by_hand(message: Charge) -> None:
        machine = machine_of(looks_first, Paying)()
        machine.publish(message)
        machine.die("charges", 2)  # between the payment and the note
        assert bank.payments == ["A"] and not bank.paid
        machine.teardown()

    with pytest.raises(AssertionError, match="'A', 'A'"):
        by_hand()


# Async


async def looks_first_async(ctx: AsyncCtx[Charge]) -> None:
    if ctx.payload.order_id in bank.paid:
        return
    bank.pay(ctx.payload.order_id)
    bank.paid.add(ctx.payload.order_id)
    await ctx.exec.publish_json(Receipt(ctx.payload.order_id))


async def is_right_async(ctx: AsyncCtx[Charge]) -> None:
    bank.pay_once(ctx.payload.order_id)
    await ctx.exec.publish_json(Receipt(ctx.payload.order_id))


async def stalls_badly(ctx: AsyncCtx[Charge]) -> None:
    """Wrong only where two workers have the job: the line is one."""
    bank.pay(ctx.payload.order_id) if ctx.attempt == 1 or not bank.payments else None


def async_machine_of(handler: Any, **more: Any) -> type[QueueMachine]:
    bus = AsyncBus(NOWHERE, registry=REGISTRY)
    bus.consumer(Charge)(handler)
    return type("AsyncCharging", (Paying,), {"app_bus": bus, **more})


@pytest.mark.slow
def test_async_handlers_too() -> None:
    failure_of(async_machine_of(looks_first_async), SEARCH)
    run_state_machine_as_test(async_machine_of(is_right_async), settings=FEW)


@pytest.mark.slow
def test_an_async_worker_stalls_before_its_first_line() -> None:
    once = {"messages": st.just(Envelope(Charge("A"), job_id="one"))}
    error = failure_of(async_machine_of(stalls_badly, **once), SEARCH)
    assert any("stalls before its first line" in line for line in _told(error))


def test_coroutines_of_the_test_run_on_the_loop_of_the_handlers() -> None:
    def at_rest(machine: QueueMachine) -> None:
        async def later() -> str:
            return "done"

        assert machine.run(later()) == "done"

    machine = async_machine_of(is_right_async, at_rest=at_rest)
    run_state_machine_as_test(machine, settings=settings(QUICKLY, max_examples=3))


# What it is made of


class Line(TypedDict):
    sku: str


message_type(Line, name="machine.line", queue="lines", registry=REGISTRY)


@pytest.mark.slow
def test_messages_are_made_up_of_the_types_that_have_handlers() -> None:
    seen: list[Any] = []
    bus = Bus(NOWHERE, registry=REGISTRY)
    bus.consumer(Charge)(lambda ctx: seen.append(ctx.payload))
    bus.consumer(Line)(lambda ctx: seen.append(ctx.payload))
    run_state_machine_as_test(type("Any", (QueueMachine,), {"app_bus": bus}), settings=FEW)
    assert {type(each) for each in seen} == {Charge, dict}
    assert len({str(each) for each in seen}) > 5


def test_envelopes_say_how_messages_are_published() -> None:
    late: list[int] = []
    messages = st.builds(Envelope, st.just(Charge("A")), max_attempts=st.just(7))
    machine = machine_of(lambda ctx: late.append(ctx.max_attempts), QueueMachine, messages=messages)
    run_state_machine_as_test(machine, settings=settings(QUICKLY, max_examples=5))
    assert set(late) == {7}


def test_the_applications_bus_is_as_before() -> None:
    machine = machine_of(is_right)
    bus: Any = machine.app_bus
    own = bus.transport
    run_state_machine_as_test(machine, settings=settings(QUICKLY, max_examples=3))
    assert bus.transport is own


def test_what_is_missing_is_told() -> None:
    with pytest.raises(InvalidArgument, match="app_bus: set it in Nameless, to the bus"):
        type("Nameless", (QueueMachine,), {})()
    with pytest.raises(InvalidArgument, match="the bus has none"):
        type("Idle", (QueueMachine,), {"app_bus": Bus(NOWHERE)})()


# Interruptions


def three_lines(seen: list[int]) -> None:
    seen.append(1)
    seen.append(2)
    seen.append(3)


def die(where: str) -> None:
    raise WorkerDied


@pytest.mark.parametrize("at", range(4))
def test_a_function_ends_before_a_line(at: int) -> None:
    seen: list[int] = []
    places: list[str] = []

    def end(where: str) -> None:
        places.append(where)
        raise InjectedFailure

    interruption = Interruption(three_lines, at, end)
    tracer = sys.gettrace() or _trace_nothing
    sys.settrace(tracer)
    if at < 3:
        with pytest.raises(InjectedFailure), interruption:
            three_lines(seen)
        assert places[0].endswith(f": seen.append({at + 1})")
        assert places[0].startswith("test_queue_machine.py:")
    else:
        with interruption:
            three_lines(seen)
    kept = sys.gettrace() is tracer
    sys.settrace(None if tracer is _trace_nothing else tracer)
    assert kept
    assert seen == [1, 2, 3][:at]
    assert interruption.reached is (at < 3)


def _trace_nothing(frame: object, event: str, arg: object) -> None:
    return None


def test_what_another_function_does_is_one_line() -> None:
    seen: list[int] = []

    def calls() -> None:
        three_lines(seen)
        three_lines(seen)

    with pytest.raises(WorkerDied), Interruption(calls, 1, die):
        calls()
    assert seen == [1, 2, 3]
    assert lines_in(calls) == 2 and lines_in(three_lines) == 3 and lines_in(len) == 0


def test_nothing_is_interrupted_where_there_is_no_function_of_the_user() -> None:
    with Interruption(None, 0, die) as interruption:
        three_lines([])
    assert not interruption.reached
