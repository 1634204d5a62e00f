"""streaq: async functions; payloads are pickled, and it knows no models."""

# pyright: reportMissingImports=false

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any, ClassVar

from streaq import Worker

from benchmarks.peers.adapters.skeleton import QUEUE, WAIT_S, Adapter, main, recorder


class Streaq(Adapter):
    in_flight: ClassVar[bool] = True

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._declare("quick", 100)

    def _declare(self, kind: str, at_once: int) -> None:
        self._worker: Any = Worker(
            redis_url=self.url, queue_name=QUEUE, concurrency=at_once, handle_signals=False
        )

        async def on_order(order: dict[str, Any]) -> None:
            if kind == "wait":
                await asyncio.sleep(WAIT_S)
            recorder.note(order["at_us"])

        self._task: Any = self._worker.task(name="on_order", ttl=0, silent=True)(on_order)

    async def open(self) -> None:
        await self._worker.__aenter__()

    async def close(self) -> None:
        await self._worker.__aexit__(None, None, None)

    async def publish(self, order: dict[str, Any]) -> None:
        await self._task.enqueue(order)

    async def publish_many(self, orders: list[dict[str, Any]]) -> None:
        await self._worker.enqueue_many([self._task.enqueue(order) for order in orders])

    async def publish_later(self, order: dict[str, Any], due_ms: int) -> None:
        due = datetime.fromtimestamp(due_ms / 1000, UTC)
        await self._task.enqueue(order).start(schedule=due)

    async def work(self, kind: str, at_once: int) -> None:
        self._declare(kind, at_once or 100)
        await self._worker.run_async()


if __name__ == "__main__":
    main(Streaq)
