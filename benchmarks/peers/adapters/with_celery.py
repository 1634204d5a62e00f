"""Celery on Redis, one process (the pool "solo"), acknowledged late, tasks of Pydantic models."""

# pyright: reportMissingImports=false

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from celery import Celery

from benchmarks.peers.adapters.models import Order
from benchmarks.peers.adapters.skeleton import QUEUE, Adapter, main, recorder


class CeleryQueue(Adapter):
    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._app = Celery("bench", broker=url)
        self._app.conf.update(
            task_ignore_result=True,
            task_acks_late=True,
            task_default_queue=QUEUE,
            worker_prefetch_multiplier=100,
            worker_enable_remote_control=False,
            worker_send_task_events=False,
            broker_connection_retry_on_startup=True,
        )

        def on_order(order: Order) -> None:
            recorder.note(order.at_us)

        self._task: Any = self._app.task(name="on_order", pydantic=True)(on_order)

    def publish(self, order: dict[str, Any]) -> None:
        self._task.apply_async((order,))

    def publish_later(self, order: dict[str, Any], due_ms: int) -> None:
        self._task.apply_async((order,), eta=datetime.fromtimestamp(due_ms / 1000, UTC))

    def work(self, kind: str, at_once: int) -> None:
        self._app.worker_main(
            ["worker", "--pool=solo", "--loglevel=ERROR", "--without-gossip", "--without-mingle"]
        )


if __name__ == "__main__":
    main(CeleryQueue)
