"""A handler alone: how it ended, when it would run again, what it published."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

import pytest

from omniq_typed import (
    AsyncCtx,
    AsyncMiddleware,
    Ctx,
    Delays,
    JobCtx,
    Middleware,
    Never,
    Provide,
    Reject,
    Retry,
)
from omniq_typed.errors import InvalidArgument, InvalidMessageType, InvalidPayload
from omniq_typed.testing import Ending, async_handler_test, handler_test, override
from tests.testing.shop import (
    REGISTRY,
    Invoice,
    Ledger,
    Line,
    Ordered,
    get_ledger,
    get_settings,
    on_invoice,
    on_invoice_async,
    on_ordered,
    on_ordered_async,
)


def test_what_a_handler_publishes_is_told_with_its_type() -> None:
    outcome = handler_test(on_ordered, Ordered("A", 5), correlation_id="c", registry=REGISTRY)
    assert outcome.raise_error().completed and outcome.retry_after_s is None
    assert outcome.published(Invoice) == [Invoice(order_id="A")]
    (job,) = outcome.jobs
    assert (job.queue, job.causation_id, job.correlation_id) == ("invoices", "job-1", "c")
    outcome.bus.assert_published(Invoice, order_id="A")


@pytest.mark.parametrize(
    ("attempt", "ending", "after_s"), [(1, Ending.RETRIED, 5.0), (3, Ending.FAILED, None)]
)
def test_a_failure_is_retried_while_attempts_are_left(
    attempt: int, ending: Ending, after_s: float | None
) -> None:
    failing = Ordered("A", 5, "always")
    outcome = handler_test(on_ordered, failing, attempt=attempt, registry=REGISTRY)
    assert (outcome.ending, outcome.retry_after_s) == (ending, after_s)
    assert outcome.reason == "handler_error" and not outcome.rejected
    assert outcome.published(Invoice) == []
    with pytest.raises(RuntimeError, match=f"attempt {attempt}"):
        outcome.raise_error()


def test_signals_of_the_handler() -> None:
    rejected = handler_test(on_ordered, Ordered("A", 1, "reject"), registry=REGISTRY)
    assert rejected.rejected and rejected.ending is Ending.FAILED
    assert isinstance(rejected.error, Reject)
    later = handler_test(on_ordered, Ordered("A", 1, "later"), registry=REGISTRY)
    assert later.retry_after_s == 60 and isinstance(later.error, Retry)


def test_retry_policies_decide() -> None:
    failing = Ordered("A", 1, "always")
    by_delays = handler_test(
        on_ordered, failing, attempt=2, retry=Delays([1, 2_500]), registry=REGISTRY
    )
    assert by_delays.retry_after_s == 2.5
    never = handler_test(on_ordered, failing, retry=Never(), registry=REGISTRY)
    assert never.ending is Ending.FAILED
    more = handler_test(on_ordered, failing, attempt=7, max_attempts=8, registry=REGISTRY)
    assert more.ending is Ending.RETRIED


def test_the_ctx_says_what_it_is_told_to() -> None:
    seen: list[Any] = []

    def handler(ctx: Ctx[Ordered]) -> None:
        seen.extend((ctx.attempt, ctx.max_attempts, ctx.is_last_attempt, ctx.job_id, ctx.gid))
        seen.extend((ctx.source, ctx.created_ms, ctx.queue, ctx.msg_type, ctx.lease_lost))

    now = datetime(2026, 1, 1, tzinfo=UTC)
    handler_test(
        handler,
        Ordered("A", 1),
        attempt=3,
        job_id="j",
        gid="g",
        source="web",
        now=now,
        registry=REGISTRY,
    ).raise_error()
    assert seen == [
        *(3, 3, True, "j", "g"),
        *("web", int(now.timestamp() * 1000), "orders", "shop.ordered", False),
    ]


def test_children_and_plain_jobs_work_in_it() -> None:
    def handler(ctx: Ctx[Ordered]) -> None:
        ctx.exec.childs_init("set", 1)
        assert ctx.exec.child_ack("set") == 0
        ctx.exec.publish(queue="plain", payload={"n": 1})

    outcome = handler_test(handler, Ordered("A", 1), registry=REGISTRY).raise_error()
    assert [job.message for job in outcome.jobs] == [{"n": 1}]


def test_a_payload_is_what_comes_off_the_wire() -> None:
    given = Ordered("A", 1)
    seen: list[Ordered] = []
    handler_test(lambda ctx: seen.append(ctx.payload), given, registry=REGISTRY).raise_error()
    assert seen == [given] and seen[0] is not given
    with pytest.raises(InvalidPayload, match="/amount"):
        handler_test(on_ordered, Ordered("A", "x"), registry=REGISTRY)  # type: ignore[arg-type]


def test_typed_dicts_and_untyped_jobs() -> None:
    seen: list[Any] = []

    def on_line(line: Line) -> None:
        seen.append(line)

    def on_job(ctx: JobCtx) -> None:
        seen.append((ctx.payload, ctx.msg_type))

    handler_test(on_line, {"sku": "S"}, message_type=Line, registry=REGISTRY).raise_error()
    handler_test(on_job, {"any": [1]}, registry=REGISTRY).raise_error()
    assert seen == [{"sku": "S"}, ({"any": [1]}, "")]


def test_what_can_never_work_is_an_error() -> None:
    with pytest.raises(InvalidArgument, match="attempt: 4 is out of range; use 1 to 3"):
        handler_test(on_ordered, Ordered("A", 1), attempt=4, registry=REGISTRY)
    with pytest.raises(InvalidMessageType, match="the consumer is for Invoice"):

        def of_orders(ordered: Ordered) -> None: ...

        handler_test(of_orders, Invoice(order_id="A"), registry=REGISTRY)
    with pytest.raises(InvalidMessageType, match="is no message type"):
        handler_test(on_ordered, object(), registry=REGISTRY)
    with pytest.raises(InvalidArgument, match=r"await async_handler_test"):
        handler_test(on_ordered_async, Ordered("A", 1), registry=REGISTRY)


def test_what_ends_the_test_passes() -> None:
    def handler(ctx: Ctx[Ordered]) -> None:
        pytest.fail("enough")

    with pytest.raises(pytest.fail.Exception):
        handler_test(handler, Ordered("A", 1), registry=REGISTRY)

    def interrupted(ctx: Ctx[Ordered]) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        handler_test(interrupted, Ordered("A", 1), registry=REGISTRY)


def test_middleware_stands_around_it() -> None:
    class Twice(Middleware):
        def handle(self, ctx: Ctx[Any], call_next: Any) -> None:
            call_next(ctx)
            call_next(ctx)

    outcome = handler_test(on_ordered, Ordered("A", 1), middleware=[Twice()], registry=REGISTRY)
    assert len(outcome.published(Invoice)) == 2


# Async


async def test_async_handlers_are_awaited() -> None:
    outcome = await async_handler_test(on_ordered_async, Ordered("A", 5), registry=REGISTRY)
    assert outcome.completed
    assert outcome.published(Invoice) == [Invoice(order_id="A")]
    failing = Ordered("A", 5, "always")
    failed = await async_handler_test(on_ordered_async, failing, attempt=3, registry=REGISTRY)
    assert failed.ending is Ending.FAILED
    with pytest.raises(InvalidArgument, match=r"use handler_test"):
        await async_handler_test(on_ordered, Ordered("A", 5), registry=REGISTRY)


async def test_async_middleware_stands_around_it() -> None:
    class Twice(AsyncMiddleware):
        async def handle_async(self, ctx: AsyncCtx[Any], call_next: Any) -> None:
            await call_next(ctx)
            await call_next(ctx)

    outcome = await async_handler_test(
        on_ordered_async, Ordered("A", 1), middleware=[Twice()], registry=REGISTRY
    )
    assert len(outcome.published(Invoice)) == 2


async def test_cancelling_the_test_is_not_the_handlers_failure() -> None:
    async def handler(ctx: AsyncCtx[Ordered]) -> None:
        await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await async_handler_test(handler, Ordered("A", 1), registry=REGISTRY)


# Dependencies


def test_dependencies_are_given_and_what_only_they_need_is_not_called() -> None:
    ledger = Ledger()
    provided = {get_ledger: ledger}
    handler_test(
        on_invoice, Invoice(order_id="A"), provided=provided, registry=REGISTRY
    ).raise_error()
    assert ledger.rows == ["A"]
    real = handler_test(on_invoice, Invoice(order_id="A"), registry=REGISTRY)
    assert "the real settings are read" in str(real.error)
    half = handler_test(
        on_invoice, Invoice(order_id="A"), provided={get_settings: "here"}, registry=REGISTRY
    )
    assert "the real ledger is opened" in str(half.error)


def test_a_provider_may_be_replaced_by_another() -> None:
    seen: list[str] = []

    def fake() -> Iterator[Ledger]:
        seen.append("opened")
        yield Ledger()
        seen.append("closed")

    provided = {get_ledger: Provide(fake)}
    for _ in range(2):
        handler_test(
            on_invoice, Invoice(order_id="A"), provided=provided, registry=REGISTRY
        ).raise_error()
    assert seen == ["opened", "closed"] * 2


async def test_so_may_that_of_an_async_handler() -> None:
    seen: list[Ledger] = []

    async def fake() -> AsyncIterator[Ledger]:
        seen.append(Ledger())
        yield seen[-1]

    async def awaited() -> Ledger:
        return seen[-1]

    for provider in (fake, awaited):
        outcome = await async_handler_test(
            on_invoice_async,
            Invoice(order_id="A"),
            provided={get_ledger: Provide(provider)},
            registry=REGISTRY,
        )
        outcome.raise_error()
    assert [ledger.rows for ledger in seen] == [["A", "A"]]


def test_overrides_may_be_nested_and_end() -> None:
    outer, inner = Ledger(), Ledger()
    invoice = Invoice(order_id="A")
    with override(get_ledger, outer):
        with override(get_ledger, inner):
            handler_test(on_invoice, invoice, registry=REGISTRY).raise_error()
        handler_test(on_invoice, invoice, registry=REGISTRY).raise_error()
    assert (outer.rows, inner.rows) == (["A"], ["A"])
    assert handler_test(on_invoice, invoice, registry=REGISTRY).error is not None
    with pytest.raises(InvalidArgument, match="pass the function itself"), override("x", 1):  # type: ignore[arg-type]
        pass


class Clinic:
    def opened(self) -> Ledger:
        raise AssertionError


def test_bound_methods_and_callable_objects_are_providers_too() -> None:
    clinic, ledger = Clinic(), Ledger()

    class Opening:
        def __call__(self) -> Ledger:
            raise AssertionError

        def __eq__(self, other: object) -> bool:  # which makes it unhashable
            return NotImplemented

    opening = Opening()

    def on_order(
        ordered: Ordered,
        one: Annotated[Ledger, Provide(clinic.opened)],
        two: Annotated[Ledger, Provide(opening)],
    ) -> None:
        one.rows.append(ordered.order_id)
        assert one is two

    provided = [override(clinic.opened, ledger), override(opening, ledger)]
    with provided[0], provided[1]:
        handler_test(on_order, Ordered("A", 1), registry=REGISTRY).raise_error()
    assert ledger.rows == ["A"]
