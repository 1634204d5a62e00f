"""BullMQ for Python."""

# pyright: reportMissingImports=false

from __future__ import annotations

import asyncio
import time
from typing import Any, ClassVar

from bullmq import Queue, Worker

from benchmarks.peers.adapters.skeleton import QUEUE, WAIT_S, Adapter, main, recorder

# Jobs that are done would stay for ever; ours keeps 100 too.
KEPT = {"removeOnComplete": {"count": 100}}


class BullMQ(Adapter):
    in_flight: ClassVar[bool] = True

    async def open(self) -> None:
        self._queue = Queue(QUEUE, {"connection": self.url})

    async def publish(self, order: dict[str, Any]) -> None:
        await self._queue.add("order", order, KEPT)

    async def publish_many(self, orders: list[dict[str, Any]]) -> None:
        await self._queue.addBulk(
            [{"name": "order", "data": order, "opts": dict(KEPT)} for order in orders]
        )

    async def publish_later(self, order: dict[str, Any], due_ms: int) -> None:
        delay = max(0, due_ms - int(time.time() * 1000))
        await self._queue.add("order", order, {**KEPT, "delay": delay})

    async def work(self, kind: str, at_once: int) -> None:
        async def on_order(job: Any, token: str) -> None:
            if kind == "wait":
                await asyncio.sleep(WAIT_S)
            recorder.note(job.data["at_us"])

        self._worker = Worker(
            QUEUE, on_order, {"connection": self.url, "concurrency": at_once or 100}
        )
        await asyncio.Event().wait()


if __name__ == "__main__":
    main(BullMQ)
