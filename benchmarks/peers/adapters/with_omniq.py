"""OmniQ 4.0.0: a peer under another licence, driven through its public client alone."""

# pyright: reportMissingImports=false

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from omniq.client import OmniqClient

from benchmarks.peers.adapters.skeleton import QUEUE, Adapter, main, recorder


class OmniQ(Adapter):
    def __init__(self, url: str) -> None:
        super().__init__(url)
        address = urlsplit(url)
        self._client = OmniqClient(host=address.hostname, port=address.port)

    def publish(self, order: dict[str, Any]) -> None:
        self._client.publish(queue=QUEUE, payload=order)

    def publish_later(self, order: dict[str, Any], due_ms: int) -> None:
        self._client.publish(queue=QUEUE, payload=order, due_ms=due_ms)

    def work(self, kind: str, at_once: int) -> None:
        self._client.consume(
            queue=QUEUE, handler=lambda job: recorder.note(job.payload["at_us"]), drain=True
        )


if __name__ == "__main__":
    main(OmniQ)
