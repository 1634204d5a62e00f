"""The test stand: one server, the peers' programs, and how long a measurement may last."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

from benchmarks.peers.environments import Program
from benchmarks.peers.known import Peer
from benchmarks.peers.processes import Kind, Publisher, Worker
from tests.servers import Server

MOST_JOBS = 60_000
LEAST_JOBS = 200


@dataclass
class Stand:
    """What the scenarios work with.

    Fields: server; seconds (how long a measurement is to last about); embedded (a server with the
    settings of the embedded one); rates (jobs a second that peers have shown in this run, by peer
    and metric: they say how many jobs the next round has).
    """

    server: Server
    seconds: float
    embedded: Server | None = None
    rates: dict[tuple[str, str], float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.redis: Any = self.server.client()

    @property
    def url(self) -> str:
        return self.server.url

    def fresh(self) -> None:
        """An empty server."""
        self.redis.execute_command("FLUSHALL", "SYNC")  # Valkey frees the memory later otherwise
        self.redis.config_resetstat()

    def rate(self, peer: Peer, metric: str, guess: float) -> float:
        return self.rates.get((peer.key, metric), guess)

    def jobs(self, peer: Peer, metric: str, guess: float, most: int = MOST_JOBS) -> int:
        """How many jobs about `seconds` are."""
        wanted = self.rate(peer, metric, guess) * self.seconds
        return int(min(max(wanted, LEAST_JOBS), most))

    def learn(self, peer: Peer, metric: str, per_s: float) -> None:
        self.rates[peer.key, metric] = per_s

    def cpu_us(self) -> float:
        info = self.redis.info("cpu")
        return float(info["used_cpu_user"] + info["used_cpu_sys"]) * 1e6

    def memory(self) -> int:
        """Without that of the scripts it has been given, which stay when it is emptied."""
        info = self.redis.info("memory")
        return int(info["used_memory"] - info.get("used_memory_scripts_eval", 0))

    def fill(self, peer: Peer, program: Program, count: int) -> float:
        """Empties the server and publishes `count` jobs; answers the memory of one, in bytes."""
        self.wait_until_alone()
        self.fresh()
        before = self.memory()
        with Publisher(program, self.url) as publisher:
            publisher.do("fill", count)
        self.wait_until_alone()
        return (self.memory() - before) / count

    def wait_until_alone(self, timeout_s: float = 2.0) -> None:
        """Until clients that were killed are gone, with their buffers."""
        deadline = time.monotonic() + timeout_s
        while self.redis.info("clients")["connected_clients"] > 1 and time.monotonic() < deadline:
            time.sleep(0.01)

    def drain(
        self, program: Program, count: int, kind: Kind = "quick", at_once: int = 0, url: str = ""
    ) -> Worker:
        """A worker that has done so many jobs, or what it could in time, and is closed."""
        with Worker(program, url or self.url, kind, at_once) as worker:
            worker.handled(1, 20.0)
            worker.start_clock()
            worker.handled(count, 2.5 * self.seconds + 1.0)
            worker.stop_clock()
            time.sleep(0.05)  # the last acknowledgements
        return worker


@contextlib.contextmanager
def counted_commands(server: Server) -> Generator[Callable[[], int]]:
    """Counts the commands that clients send, without those that scripts call."""
    seen = 0
    ready = threading.Event()
    client: Any = server.client(socket_timeout=None)

    def listen() -> None:
        nonlocal seen
        with contextlib.suppress(Exception), client.monitor() as monitor:
            ready.set()
            for command in monitor.listen():
                seen += command["client_type"] != "lua"

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    ready.wait(5.0)
    try:
        yield lambda: seen
    finally:
        client.connection_pool.disconnect()
