"""Which connections lead to the server that has a key, under asyncio. The twin of routes.py."""

from __future__ import annotations

from collections.abc import Callable

import redis.asyncio
from redis.exceptions import RedisClusterException

from omniq_typed.transport.async_lines import AsyncLines
from omniq_typed.transport.clients import AnyAsyncClient
from omniq_typed.transport.opening import Opening, opening_by, opening_by_pool


class AsyncRoutes:
    """Those of one redis-py client, `client`, within one event loop."""

    def __init__(self, client: AnyAsyncClient, opened: Callable[[], None]) -> None:
        """`opened` is called after each new connection."""
        self.client = client
        self._opened = opened
        self._by_node: dict[str, AsyncLines | None] = {}
        self._single: AsyncLines | None = None
        # Looked at once: redis-py's clients are protocols, and isinstance is slow about those.
        self._cluster = client if isinstance(client, redis.asyncio.RedisCluster) else None
        if not isinstance(client, redis.asyncio.RedisCluster):
            self._single = self._lines_by(opening_by_pool(client.connection_pool))

    def lines(self, key: bytes) -> AsyncLines | None:
        """The lines to the server of a key; None: the client has to run the call itself."""
        if self._cluster is None:
            return self._single
        try:
            node = self._cluster.get_node_from_key(key.decode())
        except RedisClusterException:  # nobody has its slot, as far as is known
            return None
        if node is None:
            return None
        if node.name not in self._by_node:
            opening = opening_by(node.connection_class, node.connection_kwargs)
            self._by_node[node.name] = self._lines_by(opening)
        return self._by_node[node.name]

    async def close(self) -> None:
        """Closes all. Whoever waits for a reply gets ConnectionLost."""
        for lines in (self._single, *self._by_node.values()):
            if lines is not None:
                await lines.close()

    def _lines_by(self, opening: Opening | None) -> AsyncLines | None:
        return None if opening is None else AsyncLines(opening, self._opened)
