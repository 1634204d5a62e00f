"""A bus on the embedded server goes on when that server dies: its users start it again."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from omniq_typed import AsyncOmniqClient, AsyncQueueMonitor, OmniqClient, QueueMonitor
from omniq_typed.transport.embedded import open_embedded


def _kill_server(path: Path) -> int:
    """Kills the server that runs for a directory; answers its pid."""
    with open_embedded(path) as server:
        os.kill(server.pid, signal.SIGKILL)
        return server.pid


def _server_pid(path: Path) -> int:
    with open_embedded(path) as server:
        return server.pid


def test_a_client_starts_a_dead_embedded_server_again_with_its_data(tmp_path: Path) -> None:
    with OmniqClient(url=f"embedded://{tmp_path}?fsync=always") as client:
        client.publish(queue="orders", payload={"n": 1}, job_id="before")
        killed = _kill_server(tmp_path)

        client.publish(queue="orders", payload={"n": 2}, job_id="after")

        assert _server_pid(tmp_path) != killed
        waiting = QueueMonitor(client).lane_page("orders", "wait")
        assert [job.job_id for job in waiting] == ["before", "after"]


async def test_so_does_an_async_client(tmp_path: Path) -> None:
    client = AsyncOmniqClient(url=f"embedded://{tmp_path}?fsync=always")
    try:
        await client.publish(queue="orders", payload={"n": 1}, job_id="before")
        killed = _kill_server(tmp_path)

        (stats,) = await AsyncQueueMonitor(client).stats_many(["orders"])

        assert stats.waiting == 1
        assert _server_pid(tmp_path) != killed
    finally:
        await client.close()
