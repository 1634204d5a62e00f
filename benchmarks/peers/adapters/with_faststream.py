"""FastStream on Redis: a stream read by a consumer group, which is acknowledged; `LISTS` has its
list, popped and so lost if the worker dies. It has no way to publish for later."""

# pyright: reportMissingImports=false

from __future__ import annotations

import asyncio
import os
from typing import Any, ClassVar

from faststream import FastStream
from faststream.redis import ListSub, RedisBroker, StreamSub

from benchmarks.peers.adapters.models import Order
from benchmarks.peers.adapters.skeleton import QUEUE, WAIT_S, Adapter, main, recorder

LISTS = os.environ.get("BENCH_FASTSTREAM") == "list"
BATCH = 100


class Streams(Adapter):
    in_flight: ClassVar[bool] = True

    async def open(self) -> None:
        self._broker = RedisBroker(self.url, logger=None)
        await self._broker.connect()

    async def publish(self, order: dict[str, Any]) -> None:
        if LISTS:
            await self._broker.publish(Order(**order), list=QUEUE)
        else:
            await self._broker.publish(Order(**order), stream=QUEUE)

    async def work(self, kind: str, at_once: int) -> None:
        broker = RedisBroker(self.url, logger=None)
        source: dict[str, Any] = (
            {"list": ListSub(QUEUE)}
            if LISTS
            else {
                "stream": StreamSub(
                    QUEUE,
                    group="workers",
                    consumer=f"worker-{os.getpid()}",
                    last_id="0",
                    max_records=BATCH,
                )
            }
        )

        async def on_order(order: Order) -> None:
            if kind == "wait":
                await asyncio.sleep(WAIT_S)
            recorder.note(order.at_us)

        broker.subscriber(**source, max_workers=at_once or 1)(on_order)
        await FastStream(broker, logger=None).run()


class Lists(Streams):
    async def publish_many(self, orders: list[dict[str, Any]]) -> None:
        await self._broker.publish_batch(*(Order(**order) for order in orders), list=QUEUE)


if __name__ == "__main__":
    main(Lists if LISTS else Streams)
