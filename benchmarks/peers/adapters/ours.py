"""omniq_typed: `Bus` for plain handlers, `AsyncBus` for async ones. All as it comes: strict
validation at both ends, leases, acknowledgement, schemas registered."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from benchmarks.peers.adapters.skeleton import QUEUE, WAIT_S, Adapter, main, recorder
from omniq_typed import AsyncBus, Bus, Envelope, SafeInt, message

GROUPS = int(os.environ.get("BENCH_GROUPS", "0"))
SIDE_FIELDS = "BENCH_SIDE_FIELDS" in os.environ


class Item(BaseModel):
    sku: str
    count: SafeInt
    cents: SafeInt


@message("bench.order", queue=QUEUE)
class Order(BaseModel):
    order_id: str
    customer: str
    email: str
    currency: str
    cents: SafeInt
    express: bool
    items: list[Item]
    at_us: SafeInt


def said_more(number: int, order: object) -> Envelope[object]:
    """An order with a group, or with all that can be said beside a payload."""
    if GROUPS:
        return Envelope(order, gid=f"group-{number % GROUPS}", group_limit=1)
    trace = f"00-{number:032x}-{number + 1:016x}-01"
    return Envelope(order, correlation_id=f"{number:026d}", traceparent=trace, tracestate="v=1")


class Ours(Adapter):
    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._bus = Bus(url, source="bench" if SIDE_FIELDS else "")
        self._async_bus = AsyncBus(url)

    def publish(self, order: dict[str, Any]) -> None:
        self._bus.publish_json(Order.model_validate(order))

    def publish_many(self, orders: list[dict[str, Any]]) -> None:
        messages: Iterator[object] = (Order.model_validate(order) for order in orders)
        if GROUPS or SIDE_FIELDS:
            messages = (said_more(number, message) for number, message in enumerate(messages))
        if not all(result.ok for result in self._bus.publish_each(messages)):
            raise RuntimeError("some orders were not published")

    async def publish_in_flight(self, order: dict[str, Any]) -> None:
        await self._async_bus.publish_json(Order.model_validate(order))

    def publish_later(self, order: dict[str, Any], due_ms: int) -> None:
        self._bus.publish_json(Order.model_validate(order), due_ms=due_ms)

    def work(self, kind: str, at_once: int) -> Any:
        if kind != "quick":
            return self._work_async(kind, at_once or 100)

        @self._bus.consumer(Order)
        def on_order(order: Order) -> None:
            recorder.note(order.at_us)

        self._bus.run()
        return None

    async def _work_async(self, kind: str, at_once: int) -> None:
        @self._async_bus.consumer(Order, concurrency=at_once)
        async def on_order(order: Order) -> None:
            if kind == "wait":
                await asyncio.sleep(WAIT_S)
            recorder.note(order.at_us)

        await self._async_bus.run()


if __name__ == "__main__":
    main(Ours)
