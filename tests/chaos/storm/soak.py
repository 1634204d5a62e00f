"""`python -m tests.chaos.storm.soak [--minutes 30] [--rate N] [--report FILE]`: a blocking and an
asyncio worker at half load for a long time. Does memory grow, or do threads and files?"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from omniq_typed import AsyncBus, Bus, QueueMonitor, Registry, message
from tests.servers import Kind, Server, die_with_parent, wait_until

ROOT = Path(__file__).parents[3]
REGISTRY = Registry(strict_types=False)
QUEUE = "soak"
CHUNK = 50
CALIBRATION_JOBS = 20_000
MAX_BACKLOG = 20_000
"""More than this waiting, and it is no half load: the publisher pauses."""
WARM_UP = 0.2
"""The part of the time in which caches fill."""
GROWTH_BYTES, GROWTH_PART = 3 << 20, 0.03
"""Growth over the whole time that is still flat: the larger of both, the second a part of all."""
MIB = 1 << 20


@message("soak.order", queue=QUEUE, registry=REGISTRY)
@dataclass
class Order:
    """About 250 bytes as JSON."""

    order_id: str
    customer: str
    amount: int
    note: str


@dataclass(frozen=True)
class Sample:
    """What one process had at one time. `at`: seconds since the start."""

    at: float
    rss: int
    threads: int
    files: int


@dataclass(frozen=True)
class Series:
    """One process over time."""

    name: str
    samples: Sequence[Sample]

    @property
    def settled(self) -> Sequence[Sample]:
        return self.samples[int(len(self.samples) * WARM_UP) :]

    @property
    def growth(self) -> float:
        """Bytes over the settled time, by the line that fits best."""
        times = [each.at for each in self.settled]
        slope = statistics.linear_regression(times, [each.rss for each in self.settled]).slope
        return slope * (times[-1] - times[0])

    @property
    def is_flat(self) -> bool:
        median = statistics.median(each.rss for each in self.settled)
        few = all(
            max(counts) <= counts[0] + 2
            for counts in (
                [each.threads for each in self.settled],
                [each.files for each in self.settled],
            )
        )
        return self.growth <= max(GROWTH_BYTES, GROWTH_PART * median) and few


def work(url: str, kind: str) -> None:
    """A worker process: does nothing with its jobs."""
    if kind == "sync":
        with Bus(url, registry=REGISTRY) as bus:
            bus.consumer(Order, concurrency=2)(lambda order: None)
            bus.run()
    else:
        asyncio.run(_work_async(url))


async def _work_async(url: str) -> None:
    async with AsyncBus(url, registry=REGISTRY) as bus:

        @bus.consumer(Order, concurrency=50)
        async def nothing(order: Order) -> None: ...

        await bus.run()


def publish(bus: Bus, first: int, count: int) -> None:
    orders = [
        Order(f"ORD-{n:09}", f"customer-{n % 1000:04}", n % 100_000, "x" * 150)
        for n in range(first, first + count)
    ]
    bus.publish_many(orders)


class Publishing(threading.Thread):
    """Publishes at an even rate until told to end."""

    def __init__(self, url: str, rate: float) -> None:
        super().__init__(name="soak-publisher", daemon=True)
        self._url = url
        self._rate = rate
        self._ends = threading.Event()
        self.published = 0
        self.paused_s = 0.0

    def run(self) -> None:
        with Bus(self._url, registry=REGISTRY) as bus:
            monitor = QueueMonitor(bus)
            next_at = time.monotonic()
            while not self._ends.wait(max(0.0, next_at - time.monotonic())):
                publish(bus, self.published, CHUNK)
                self.published += CHUNK
                next_at = max(next_at + CHUNK / self._rate, time.monotonic() - 1.0)
                if self.published % (100 * CHUNK) == 0:
                    while monitor.stats(QUEUE).waiting > MAX_BACKLOG:
                        self.paused_s += 0.1
                        time.sleep(0.1)

    def finish(self) -> None:
        self._ends.set()
        self.join()


@contextlib.contextmanager
def workers(url: str) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    started = {}
    try:
        for kind in ("sync", "async"):
            source = f"from tests.chaos.storm.soak import work; work({url!r}, {kind!r})"
            started[kind] = subprocess.Popen(
                [sys.executable, "-c", source],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                start_new_session=True,
                preexec_fn=die_with_parent,
            )
        yield started
    finally:
        for process in started.values():
            process.send_signal(signal.SIGTERM)
        for process in started.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(30)
            process.kill()


def measure(pid: int, since: float) -> Sample:
    """What a process has now, from /proc."""
    status = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    return Sample(
        at=time.monotonic() - since,
        rss=int(status["VmRSS"].split()[0]) * 1024,
        threads=int(status["Threads"]),
        files=len(os.listdir(f"/proc/{pid}/fd")),
    )


def calibrate(bus: Bus) -> float:
    """Jobs a second that both workers together can do, publishing included."""
    monitor = QueueMonitor(bus)
    begun = time.monotonic()
    for first in range(0, CALIBRATION_JOBS, 100):
        publish(bus, first, 100)
    wait_until(lambda: _is_empty(monitor), "the workers are done", 120.0)
    return CALIBRATION_JOBS / (time.monotonic() - begun)


def _is_empty(monitor: QueueMonitor) -> bool:
    stats = monitor.stats(QUEUE)
    return stats.waiting_total + stats.active + stats.delayed == 0


@dataclass(frozen=True)
class Soak:
    """What came of it."""

    server: str
    minutes: float
    capacity: float
    rate: float
    published: int
    paused_s: float
    left_over: str
    series: Sequence[Series]

    @property
    def holds(self) -> bool:
        return not self.left_over and all(each.is_flat for each in self.series)


def soak(minutes: float, kind: Kind, rate: float | None) -> Soak:
    """Runs it."""
    with Server(kind) as server, Bus(server.url, registry=REGISTRY) as bus:
        with workers(server.url) as started:
            bus.publish_json(Order("first", "", 0, ""))
            monitor = QueueMonitor(bus)
            wait_until(lambda: _is_empty(monitor), "a worker is up", 60.0)
            capacity = calibrate(bus)
            rate = rate or capacity / 2
            pids = {name: process.pid for name, process in started.items()} | {kind: server.pid}
            publishing = Publishing(server.url, rate)
            publishing.start()
            samples = _watch(pids, minutes * 60)
            publishing.finish()
            wait_until(lambda: _is_empty(monitor), "all jobs are done", 120.0)
            left = monitor.stats(QUEUE)
        left_over = f"{left.failed} jobs failed" if left.failed else ""
        series = [Series(name, each) for name, each in samples.items()]
        name = f"{kind.capitalize()} {server.command('INFO', 'server')[f'{kind}_version']}"
        return Soak(
            name,
            minutes,
            capacity,
            rate,
            publishing.published,
            publishing.paused_s,
            left_over,
            series,
        )


def _watch(pids: dict[str, int], seconds: float) -> dict[str, list[Sample]]:
    begun = time.monotonic()
    samples: dict[str, list[Sample]] = {name: [] for name in pids}
    every_s = min(5.0, seconds / 60)
    while time.monotonic() - begun < seconds:
        time.sleep(every_s)
        for name, pid in pids.items():
            samples[name].append(measure(pid, begun))
    return samples


def markdown(found: Soak) -> str:
    """docs/soak.md."""
    names = [each.name for each in found.series]
    lines = [
        "# Soak",
        "",
        "What `make soak` did and found: a report, written by the program"
        " (`tests/chaos/storm/soak.py`).",
        "",
        f"{found.minutes:g} minutes on one {found.server}, {os.cpu_count()} processors: a blocking"
        " worker of two lanes,",
        "an asyncio worker of 50, handlers that do nothing, jobs of 250 bytes published by"
        " `publish_many`.",
        f"Measured capacity {found.capacity:,.0f} jobs/s (publishing at the same time); rate"
        f" {found.rate:,.0f} jobs/s;",
        f"{found.published:,} jobs in all, none lost and none failed. Resident memory in MiB:",
        "",
        f"| minute | {' | '.join(names)} |",
        f"|---|{'---|' * len(names)}",
    ]
    count = len(found.series[0].samples)
    for n in sorted({round(part * (count - 1) / 10) for part in range(11)}):
        cells = [f"{each.samples[n].rss / MIB:.1f}" for each in found.series]
        lines.append(f"| {found.series[0].samples[n].at / 60:.1f} | {' | '.join(cells)} |")
    lines += [
        "",
        f"By the line that fits best, without the first {WARM_UP:.0%} of the time. Flat: less than"
        f" {GROWTH_BYTES // MIB} MiB or {GROWTH_PART:.0%}",
        "over that time, and no more than two threads or open files more than at its beginning.",
        "",
        "| process | growth, MiB | threads | open files | |",
        "|---|---|---|---|---|",
    ]
    for each in found.series:
        threads = f"{each.settled[0].threads} to {each.settled[-1].threads}"
        files = f"{each.settled[0].files} to {each.settled[-1].files}"
        verdict = "flat" if each.is_flat else "**grows**"
        lines.append(
            f"| {each.name} | {each.growth / MIB:+.2f} | {threads} | {files} | {verdict} |"
        )
    return "\n".join([*lines, ""])


def main() -> int:
    """0: flat."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.storm.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rate", type=float, help="jobs a second; default: half of what goes")
    parser.add_argument("--server", choices=("redis", "valkey"), default="redis")
    parser.add_argument("--report", type=Path, help="write the report, in Markdown, to this file")
    given = parser.parse_args()
    found = soak(given.minutes, given.server, given.rate)
    report = markdown(found)
    if given.report:
        given.report.write_text(report)
    print(report)
    if not found.holds:
        print(f"not flat. {found.left_over}")
    return 0 if found.holds else 1


if __name__ == "__main__":
    sys.exit(main())
