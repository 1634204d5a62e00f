"""Which connections lead to the server that has a key: those of the one server, or of a node."""

from __future__ import annotations

from collections.abc import Callable

import redis
from redis.cluster import ClusterNode
from redis.exceptions import RedisClusterException

from omniq_typed.transport.clients import AnyClient
from omniq_typed.transport.lines import Lines
from omniq_typed.transport.opening import opening_by_pool


class Routes:
    """Those of one redis-py client, `client`. Thread-safe."""

    def __init__(self, client: AnyClient, opened: Callable[[], None]) -> None:
        """`opened` is called after each new connection."""
        self.client = client
        self._opened = opened
        self._by_node: dict[str, Lines | None] = {}
        self._single: Lines | None = None
        # Looked at once: redis-py's clients are protocols, and isinstance is slow about those.
        self._cluster = client if isinstance(client, redis.RedisCluster) else None
        if not isinstance(client, redis.RedisCluster):
            self._single = self._lines_to(client)

    def lines(self, key: bytes) -> Lines | None:
        """The lines to the server of a key; None: the client has to run the call itself."""
        if self._cluster is None:
            return self._single
        try:
            node: ClusterNode = self._cluster.get_node_from_key(key)  # type: ignore[no-untyped-call]
        except RedisClusterException:  # nobody has its slot, as far as is known
            return None
        if node.name not in self._by_node:
            single = self._cluster.get_redis_connection(node)
            self._by_node[node.name] = self._lines_to(single)
        return self._by_node[node.name]

    def drop_idle(self) -> None:
        """Closes what nobody uses."""
        for lines in self._found():
            lines.drop_idle()

    def close(self) -> None:
        """Closes all. Whoever waits for a reply in another thread gets ConnectionLost."""
        for lines in self._found():
            lines.close()

    def _lines_to(self, client: redis.Redis) -> Lines | None:
        opening = opening_by_pool(client.connection_pool)
        return None if opening is None else Lines(opening, self._opened)

    def _found(self) -> list[Lines]:
        return [each for each in (self._single, *list(self._by_node.values())) if each is not None]
