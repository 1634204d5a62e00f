"""rq with its SimpleWorker, which does not fork for each job and so is its quickest."""

# pyright: reportMissingImports=false

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from redis import Redis
from rq import Queue, SimpleWorker

from benchmarks.peers.adapters.skeleton import QUEUE, Adapter, main, recorder

HANDLER = f"{__package__}.with_rq.on_order"


def on_order(order: dict[str, Any]) -> None:
    recorder.note(order["at_us"])


class Rq(Adapter):
    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._redis = Redis.from_url(url)
        self._queue = Queue(QUEUE, connection=self._redis)

    def publish(self, order: dict[str, Any]) -> None:
        self._queue.enqueue(HANDLER, order, result_ttl=0)

    def publish_many(self, orders: list[dict[str, Any]]) -> None:
        self._queue.enqueue_many(
            [Queue.prepare_data(HANDLER, (order,), result_ttl=0) for order in orders]
        )

    def publish_later(self, order: dict[str, Any], due_ms: int) -> None:
        due = datetime.fromtimestamp(due_ms / 1000, UTC)
        self._queue.enqueue_at(due, HANDLER, order, result_ttl=0)

    def work(self, kind: str, at_once: int) -> None:
        SimpleWorker([self._queue], connection=self._redis, log_job_description=False).work(
            logging_level="ERROR", with_scheduler=True
        )


if __name__ == "__main__":
    main(Rq)
