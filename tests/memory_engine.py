"""The memory server as a kind of server for tests that were written for Redis and Valkey."""

from __future__ import annotations

import contextlib
from typing import Any

from omniq_typed.transport.memory import MemoryServer


class MemoryEngine:
    """A server within this process that passes for a single one. Its time runs."""

    kind = "memory"
    is_cluster = False

    def __init__(self) -> None:
        self._server = MemoryServer()

    @property
    def url(self) -> str:
        return self._server.url

    def client(self, **options: Any) -> Any:
        return self._server.client(**options)

    def command(self, *words: str | int) -> Any:
        """One command and its reply."""
        client: Any = self.client()
        with contextlib.closing(client):
            return client.execute_command(*words)

    def flushall(self) -> None:
        self.command("FLUSHALL")

    def ensure_running(self) -> None:
        """It cannot be killed."""

    def close(self) -> None:
        """It ends with its last user."""
