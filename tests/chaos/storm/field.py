"""The server, the proxy, and the processes of a storm; and what was done to them, with times."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.storm.cutting_proxy import CuttingProxy
from tests.chaos.storm.ledger import Ledgers
from tests.chaos.storm.plan import PUBLISHERS, Size
from tests.chaos.storm.publisher import STYLES
from tests.chaos.storm.waiting import wait_until
from tests.servers import Server, die_with_parent

ROOT = Path(__file__).parents[3]
AN_HOUR_S = 3600
START_S = 60.0


@dataclass
class Done:
    """Something that was done, and how long it lasted. `who`: a process by its life, or SERVER."""

    kind: str
    who: str
    begun: float
    ended: float


@dataclass
class Life:
    """One process, from its start to its end."""

    who: str
    process: subprocess.Popen[bytes]
    killed: bool = False


@dataclass
class Field:
    """All that a fault may touch."""

    seed: int
    size: Size
    folder: Path
    server: Server
    proxy: CuttingProxy
    ledgers: Ledgers
    workers: list[Life] = field(default_factory=list)
    publishers: list[Life] = field(default_factory=list)
    history: list[Done] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    """What went wrong besides the laws: a process that ended by itself, or did not end."""
    torn: int = 0
    """How often killing the server cut off a write."""

    def start(self) -> None:
        for n in range(self.size.workers):
            self.workers.append(self._start_worker(n, 1))
        for n in range(len(STYLES)):
            self.publishers.append(self._start_publisher(n, 1))
        wait_until(lambda: all(map(self.is_up, self.workers)), "all workers are up", START_S)

    def is_up(self, life: Life) -> bool:
        """Whether a process has said that it is ready."""
        self.ledgers.refresh()
        return life.who in self.ledgers.ups

    def works(self, life: Life) -> bool:
        """Whether a worker has begun a job."""
        self.ledgers.refresh()
        return bool(self.ledgers.batches[life.who])

    def start_again(self, life: Life) -> None:
        """The next life of a process that has ended."""
        name, number = life.who.split(".")
        start = self._start_worker if name[0] == "w" else self._start_publisher
        lives = self.workers if name[0] == "w" else self.publishers
        lives[lives.index(life)] = start(int(name[1:]), int(number) + 1)

    def kill(self, life: Life) -> None:
        """kill -9, with what that process was doing noted as cut off."""
        with self.doing("kill", life.who):
            life.killed = True
            life.process.kill()
            life.process.wait()

    def watch_ends(self) -> None:
        """Notes processes that ended though nobody asked them to."""
        for life in [*self.workers, *self.publishers]:
            code = life.process.poll()
            if code is not None and not life.killed and (life.who[0] == "w" or code):
                life.killed = True
                self.broken.append(f"{life.who} ended by itself with {code}:\n{self.said_by(life)}")

    def said_by(self, life: Life) -> str:
        """The end of what a process wrote to stderr."""
        return (self.folder / f"{life.who}.stderr").read_text(errors="replace")[-3000:]

    @contextlib.contextmanager
    def doing(self, kind: str, who: str) -> Iterator[None]:
        """Notes when something was done to somebody, as long as it lasted."""
        done = Done(kind, who, time.monotonic(), float("inf"))
        self.history.append(done)
        try:
            yield
        finally:
            done.ended = time.monotonic()

    def close(self) -> None:
        for life in [*self.workers, *self.publishers]:
            life.process.kill()
            life.process.wait()

    def _start_worker(self, n: int, life: int) -> Life:
        # Every second one is asyncio, every third connects through the proxy, two have a wrong
        # clock.
        kind = "async" if n % 2 else "sync"
        url = self.proxy.url if n % 3 == 0 else self.server.url
        skew_s = {1: AN_HOUR_S, 2: -AN_HOUR_S}.get(n, 0)
        return self._spawn("worker", f"w{n}.{life}", skew_s, url, kind, str(self.size.lease_ms))

    def _start_publisher(self, n: int, life: int) -> Life:
        url = self.proxy.url if n == 1 else self.server.url
        facts = (str(self.seed), str(PUBLISHERS), str(self.size.lease_ms))
        return self._spawn("publisher", f"p{n}.{life}", 0, url, STYLES[n], *facts)

    def _spawn(self, program: str, who: str, skew_s: int, url: str, *args: str) -> Life:
        source = (
            "from tests.chaos.storm import skewed_clock\n"
            f"skewed_clock.put_on({skew_s})\n"
            f"from tests.chaos.storm import {program}\n"
            f"{program}.main()\n"
        )
        with (self.folder / f"{who}.stderr").open("wb") as stderr:
            process = subprocess.Popen(
                [sys.executable, "-c", source, str(self.folder), who, url, *args],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                start_new_session=True,
                preexec_fn=die_with_parent,
            )
        return Life(who, process)


def ask_to_end(life: Life) -> None:
    """As an operator would, with SIGTERM."""
    life.process.send_signal(signal.SIGTERM)
