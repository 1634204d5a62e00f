"""Stepped buses used rightly. Never run: see api.py."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, assert_type

from hypothesis import strategies as st
from pydantic import BaseModel

from omniq_typed import AsyncBus, AsyncCtx, AsyncQueueMonitor, Bus, Ctx, QueueMonitor, message
from omniq_typed.testing import (
    AsyncMemoryBus,
    AsyncSteppedBus,
    Attempt,
    Attempts,
    HandlerOutcome,
    JobRecord,
    MemoryBus,
    QueueMachine,
    SteppedBus,
    async_handler_test,
    handler_test,
    memory,
    override,
)


@message("stepped.order", queue="orders")
@dataclass
class Order:
    order_id: str


@message("stepped.invoice", queue="invoices")
class Invoice(BaseModel):
    order_id: str


class Service:
    """Application code takes a Bus, and so a MemoryBus."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus


class AsyncService:
    def __init__(self, bus: AsyncBus) -> None:
        self.bus = bus


app_bus = Bus("redis://localhost:6379/0")
async_app_bus = AsyncBus("redis://localhost:6379/0")


# They are buses, and their handlers stay typed.

bus = MemoryBus(now=datetime(2026, 1, 1, tzinfo=UTC), source="test")
Service(bus)
Service(SteppedBus("redis://localhost:6379/0"))
QueueMonitor(bus)
assert_type(MemoryBus.of(app_bus), MemoryBus)
assert_type(SteppedBus.of(app_bus, "redis://localhost:6379/0"), SteppedBus)
assert_type(SteppedBus.embedded(), SteppedBus)


@bus.consumer(Order)
def on_order(ctx: Ctx[Order]) -> None:
    assert_type(ctx.payload, Order)
    ctx.exec.publish_json(Invoice(order_id=ctx.payload.order_id))


@bus.consumer(Invoice)
def on_invoice(invoice: Invoice) -> int:
    return len(invoice.order_id)


async_bus = AsyncMemoryBus()
AsyncService(async_bus)
AsyncQueueMonitor(async_bus)
assert_type(AsyncMemoryBus.of(async_app_bus), AsyncMemoryBus)
assert_type(AsyncSteppedBus.embedded(), AsyncSteppedBus)


@async_bus.consumer(Order)
async def on_order_async(ctx: AsyncCtx[Order]) -> None:
    assert_type(ctx.payload, Order)


# What they tell has the types of the messages.


def use(bus: MemoryBus | SteppedBus) -> None:
    assert_type(bus.publish_json(Order("A")), str)
    assert_type(bus.run_pending(), Attempts)
    assert_type(bus.run_for(minutes=5, queues=["orders"]), Attempts)
    assert_type(bus.advance(timedelta(seconds=1)), datetime)
    assert_type(bus.published(Order), list[Order])
    assert_type(bus.assert_published(Invoice, order_id="A"), Invoice)
    assert_type(bus.jobs(), list[JobRecord[Any]])
    assert_type(bus.failed(Order), list[JobRecord[Order]])
    assert_type(bus.completed(Order)[0].message, Order)
    assert_type(bus.pending(Invoice)[0].message.order_id, str)
    for attempt in bus.run_pending().raise_errors():
        assert_type(attempt, Attempt)


async def use_async(bus: AsyncMemoryBus | AsyncSteppedBus) -> None:
    assert_type(await bus.publish_json(Order("A")), str)
    assert_type(await bus.run_pending(), Attempts)
    assert_type(bus.published(Order), list[Order])


def use_memory() -> None:
    with memory(app_bus, async_app_bus) as bus:
        assert_type(bus, MemoryBus)
    with memory(async_app_bus) as async_bus:
        assert_type(async_bus, AsyncMemoryBus)


async def use_handlers() -> None:
    with override(use, "instead"):
        outcome = handler_test(on_order, Order("A"), attempt=3)
    assert_type(outcome, HandlerOutcome)
    assert_type(outcome.published(Invoice), list[Invoice])
    assert_type(outcome.retry_after_s, float | None)
    assert_type(await async_handler_test(on_order_async, Order("A")), HandlerOutcome)


class Machine(QueueMachine):
    app_bus = app_bus
    messages = st.builds(Order, st.text())

    def at_rest(self) -> None:
        assert_type(self.bus.published(Order), list[Order])


TestMachine = Machine.TestCase
