"""taskiq on a Redis stream, which is acknowledged. Delayed tasks need a second process (its
scheduler), so they are left out."""

# pyright: reportMissingImports=false

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from taskiq.api import run_receiver_task
from taskiq_redis import RedisStreamBroker

from benchmarks.peers.adapters.models import Order
from benchmarks.peers.adapters.skeleton import QUEUE, WAIT_S, Adapter, main, recorder


class Taskiq(Adapter):
    in_flight: ClassVar[bool] = True

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._broker = RedisStreamBroker(url, queue_name=QUEUE, consumer_id="0")
        self._kind = "quick"

        async def on_order(order: Order) -> None:
            if self._kind == "wait":
                await asyncio.sleep(WAIT_S)
            recorder.note(order.at_us)

        self._task: Any = self._broker.task(task_name="order")(on_order)

    async def open(self) -> None:
        await self._broker.startup()

    async def publish(self, order: dict[str, Any]) -> None:
        await self._task.kiq(Order(**order))

    async def work(self, kind: str, at_once: int) -> None:
        self._kind = kind
        await run_receiver_task(
            self._broker, max_async_tasks=at_once or 100, max_prefetch=100, run_startup=True
        )


if __name__ == "__main__":
    main(Taskiq)
