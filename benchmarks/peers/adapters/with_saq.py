"""saq: async functions; payloads are JSON, and it knows no models."""

# pyright: reportMissingImports=false

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from saq import Job, Queue, Worker

from benchmarks.peers.adapters.skeleton import QUEUE, WAIT_S, Adapter, main, recorder


class Saq(Adapter):
    in_flight: ClassVar[bool] = True

    async def open(self) -> None:
        self._queue = Queue.from_url(self.url, name=QUEUE)
        await self._queue.connect()

    async def publish(self, order: dict[str, Any]) -> None:
        await self._queue.enqueue("on_order", order=order, ttl=-1)

    async def publish_later(self, order: dict[str, Any], due_ms: int) -> None:
        # Its times are whole seconds.
        job = Job("on_order", kwargs={"order": order}, scheduled=-(-due_ms // 1000), ttl=-1)
        await self._queue.enqueue(job)

    async def work(self, kind: str, at_once: int) -> None:
        async def on_order(ctx: Any, *, order: dict[str, Any]) -> None:
            if kind == "wait":
                await asyncio.sleep(WAIT_S)
            recorder.note(order["at_us"])

        queue = Queue.from_url(self.url, name=QUEUE)
        await queue.connect()
        worker = Worker(queue, functions=[("on_order", on_order)], concurrency=at_once or 100)
        await worker.start()


if __name__ == "__main__":
    main(Saq)
