"""arq: async functions; payloads are pickled, and it knows no models."""

# pyright: reportMissingImports=false

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any, ClassVar

from arq import Worker, create_pool, func
from arq.connections import RedisSettings

from benchmarks.peers.adapters.skeleton import WAIT_S, Adapter, main, recorder


class Arq(Adapter):
    in_flight: ClassVar[bool] = True

    async def open(self) -> None:
        self._pool = await create_pool(RedisSettings.from_dsn(self.url))

    async def publish(self, order: dict[str, Any]) -> None:
        await self._pool.enqueue_job("on_order", order)

    async def publish_later(self, order: dict[str, Any], due_ms: int) -> None:
        due = datetime.fromtimestamp(due_ms / 1000, UTC)
        await self._pool.enqueue_job("on_order", order, _defer_until=due)

    async def work(self, kind: str, at_once: int) -> None:
        async def on_order(ctx: dict[str, Any], order: dict[str, Any]) -> None:
            if kind == "wait":
                await asyncio.sleep(WAIT_S)
            recorder.note(order["at_us"])

        worker = Worker(
            functions=[func(on_order, name="on_order", keep_result=0)],
            redis_settings=RedisSettings.from_dsn(self.url),
            max_jobs=at_once or 100,
            handle_signals=False,
            log_results=False,
        )
        await worker.main()


if __name__ == "__main__":
    main(Arq)
