"""huey: plain functions in one thread, jobs popped and so lost if the worker dies. Its payloads
are pickled; it knows no models."""

# pyright: reportMissingImports=false

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from huey import RedisHuey

from benchmarks.peers.adapters.skeleton import QUEUE, Adapter, main, recorder


class Huey(Adapter):
    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._huey = RedisHuey(QUEUE, url=url, results=False)

        def on_order(order: dict[str, Any]) -> None:
            recorder.note(order["at_us"])

        self._task: Any = self._huey.task()(on_order)

    def publish(self, order: dict[str, Any]) -> None:
        self._task(order)

    def publish_later(self, order: dict[str, Any], due_ms: int) -> None:
        self._task.schedule((order,), eta=datetime.fromtimestamp(due_ms / 1000, UTC))

    def work(self, kind: str, at_once: int) -> None:
        self._huey.create_consumer(workers=1, periodic=False).run()


if __name__ == "__main__":
    main(Huey)
