"""Where each microsecond of a job goes, from publishing to completed, and what the floor is.

Processor time only: of the publishing thread, of the worker's thread, and of the server. The table
is written between markers into docs/performance.md with --write.
"""

from __future__ import annotations

import argparse
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.job_floor import EmptyScript, biggest, pydantic_us, server_cpu_us
from benchmarks.measuring import brief, markdown, say, start_server, write_json
from benchmarks.peers.adapters.ours import Order
from benchmarks.peers.adapters.skeleton import PER_BULK, order
from benchmarks.peers.environments import ROOT
from benchmarks.peers.tables import replace_between
from benchmarks.profiling import DRIVER, LAYERS, PYDANTIC, SOCKET, Layers, twice
from omniq_typed import Bus
from omniq_typed.core.command import Command
from tests.servers import Server

JOBS = 20_000
WARM_UP = 2_000
MARKERS = "profile"


@dataclass
class Part:
    """One part of a job's life; all in µs a job.

    Fields: real (processor time of the thread); layers (where it went); server (processor time of
    the server); script (that of its scripts, part of `server`); calls (script calls of a job);
    floor (by layer, and "server").
    """

    name: str
    real: float
    layers: Layers
    server: float
    script: float
    calls: float
    floor: dict[str, float] = field(default_factory=dict)

    @property
    def python_floor(self) -> float:
        return sum(value for name, value in self.floor.items() if name != "server")


class Watch:
    """What the server did meanwhile, and the commands that the bus gave to its transport."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.client: Any = server.client()
        self.commands: list[Command[Any]] = []

    @contextmanager
    def watching(self, bus: Bus) -> Iterator[None]:
        """Keeps the commands of a bus, for the floor's sake."""
        transport: Any = bus.transport
        for name in ("run", "start"):
            transport.__dict__[name] = self._keeping(getattr(transport, name))
        try:
            yield
        finally:
            for name in ("run", "start"):
                del transport.__dict__[name]

    def counters(self) -> tuple[float, float, float]:
        """Processor time and scripts' time so far, µs, and calls of scripts."""
        stats = self.client.info("commandstats").get("cmdstat_evalsha", {"usec": 0, "calls": 0})
        return server_cpu_us(self.client), stats["usec"], stats["calls"]

    def reply_bytes(self, call: Callable[[], object]) -> int:
        """How many bytes the server answers to what `call` asks."""
        before = self.client.info("stats")["total_net_output_bytes"]
        middle = self.client.info("stats")["total_net_output_bytes"]
        call()
        after = self.client.info("stats")["total_net_output_bytes"]
        return max(1, int(after - middle - (middle - before)))

    def _keeping(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def keep(command: Command[Any], *args: Any, **options: Any) -> Any:
            self.commands.append(command)
            return method(command, *args, **options)

        return keep


def publishing(
    watch: Watch, name: str, jobs: int, publish: Callable[[Bus, list[Order]], None]
) -> Part:
    """One way of publishing, `jobs` of them."""
    orders = [Order(**order(number)) for number in range(jobs)]
    shares: list[tuple[float, float, float]] = []

    def body(start: Callable[[], None], stop: Callable[[], None]) -> None:
        watch.client.flushall()
        with Bus(watch.server.url) as bus:
            publish(bus, orders[:100])
            before = watch.counters()
            start()
            publish(bus, orders)
            stop()
            after = watch.counters()
            shares.append(tuple((b - a) / jobs for a, b in zip(before, after, strict=True)))  # type: ignore[arg-type]

    real_s, layers = twice(body)
    return Part(name, real_s / jobs * 1e6, _per_job(layers, jobs), *shares[0])


def one_by_one(bus: Bus, orders: list[Order]) -> None:
    for each in orders:
        bus.publish_json(each)


def in_bulk(bus: Bus, orders: list[Order]) -> None:
    for start in range(0, len(orders), PER_BULK):
        bus.publish_many(orders[start : start + PER_BULK])


def working(watch: Watch, jobs: int) -> Part:
    """A worker of one lane, from job WARM_UP to the last but some."""
    shares: list[tuple[float, float, float]] = []
    most = WARM_UP + jobs

    def body(start: Callable[[], None], stop: Callable[[], None]) -> None:
        watch.client.flushall()
        with Bus(watch.server.url) as bus:
            in_bulk(bus, [Order(**order(number)) for number in range(most + WARM_UP)])
            _work(watch, bus, most, start, stop, shares)

    real_s, layers = twice(body)
    shares_of_job = tuple(each / jobs for each in shares[0])
    return Part("worker", real_s / jobs * 1e6, _per_job(layers, jobs), *shares_of_job)  # type: ignore[arg-type]


def _work(
    watch: Watch,
    bus: Bus,
    most: int,
    start: Callable[[], None],
    stop: Callable[[], None],
    shares: list[tuple[float, float, float]],
) -> None:
    ended = threading.Event()
    handled = 0
    before = (0.0, 0.0, 0.0)

    @bus.consumer(Order)
    def on_order(order: Order) -> None:
        nonlocal handled, before
        handled += 1
        if handled == WARM_UP:
            before = watch.counters()
            start()
        elif handled == most:
            stop()
            after = watch.counters()
            shares.append((after[0] - before[0], after[1] - before[1], after[2] - before[2]))
            ended.set()

    bus.run(stop=ended)


def floors(watch: Watch, parts: list[Part]) -> None:
    """The floor of each part, by the bytes of its own biggest call."""
    one, bulk, worker = parts
    sample = Order(**order(1))
    pydantic = pydantic_us(sample)
    for part, publish in ((one, one_by_one), (bulk, in_bulk)):
        count = 1 if part is one else PER_BULK
        with Bus(watch.server.url) as bus, watch.watching(bus):
            watch.commands.clear()
            publish(bus, [Order(**order(number)) for number in range(count)])
        command = biggest(watch.commands, "enqueue_one" if part is one else "enqueue")
        jobs = round(1 / part.calls)
        part.floor = _floor(watch, command, jobs, 10)
        part.floor[PYDANTIC] = pydantic["write"] + pydantic["read"]
    command, reply_bytes = _reserve_call(watch, worker)
    worker.floor = _floor(watch, command, round(1 / worker.calls), reply_bytes)
    worker.floor[PYDANTIC] = pydantic["read"]


def _reserve_call(watch: Watch, worker: Part) -> tuple[Command[Any], int]:
    """A call that settles as many jobs as the worker's calls do and gets as many new ones, and the
    bytes of its reply."""
    from omniq_typed.core.reserve import reserve
    from omniq_typed.models import Outcome, Settlement

    jobs = max(1, round(1 / worker.calls))
    watch.client.flushall()
    with Bus(watch.server.url) as bus:
        in_bulk(bus, [Order(**order(number)) for number in range(2 * jobs)])
        first = bus.transport.run(reserve("bench", limit=jobs, token_prefix="first"))
        done = [Settlement(job.job_id, job.lease_token, Outcome.ACK) for job in first.jobs]
        command = reserve("bench", limit=jobs, token_prefix="second", settlements=done)
        return command, watch.reply_bytes(lambda: bus.transport.run(command))


def _floor(watch: Watch, command: Command[Any], jobs: int, reply_bytes: int) -> dict[str, float]:
    """Of one job, where a call has so many."""
    empty = EmptyScript(watch.server, command, reply_bytes)
    calls = max(50, 3_000 // jobs)
    ours, server = empty.round_trip_us(calls)
    found = {
        DRIVER: empty.packing_us(calls) / jobs,
        SOCKET: ours / jobs,
        "server": server / jobs,
    }
    empty.close()
    return found


def _per_job(layers: Layers, jobs: int) -> Layers:
    return {name: seconds / jobs * 1e6 for name, seconds in layers.items()}


def table(parts: list[Part]) -> str:
    """Layers by parts; measured, and the floor in brackets."""
    header = ["µs a job (floor)", *(part.name for part in parts)]
    rows = [
        [name, *(_cell(part.layers.get(name, 0.0), part.floor.get(name)) for part in parts)]
        for name in LAYERS
    ]
    rows.append(
        [
            "**Python, in all**",
            *(
                _cell(part.real, sum(v for k, v in part.floor.items() if k != "server"))
                for part in parts
            ),
        ]
    )
    # Scripts are timed by the wall: on a busy machine that is more than the processor gave.
    rows.append(
        ["server: scripts", *(_cell(min(part.script, part.server), None) for part in parts)]
    )
    rows.append(
        [
            "server: reading, answering, the rest",
            *(_cell(max(0.0, part.server - part.script), None) for part in parts),
        ]
    )
    rows.append(
        ["**server, in all**", *(_cell(part.server, part.floor.get("server")) for part in parts)]
    )
    rows.append(["jobs a call", *(brief(1 / part.calls) for part in parts)])
    return markdown(header, rows)


def _cell(value: float, floor: float | None) -> str:
    return f"{value:.1f}" if floor is None else f"{value:.1f} ({floor:.1f})"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profile_job", description=__doc__)
    parser.add_argument("--jobs", type=int, default=JOBS)
    parser.add_argument("--write", action="store_true", help="the table into docs/performance.md")
    parser.add_argument("--json", type=Path, metavar="FILE")
    asked = parser.parse_args()
    with start_server("redis") as server:
        watch = Watch(server)
        say("publishing ...")
        parts = [
            publishing(watch, "publish one by one", max(1, asked.jobs // 4), one_by_one),
            publishing(watch, "publish in bulk", asked.jobs, in_bulk),
        ]
        say("working ...")
        parts.append(working(watch, asked.jobs))
        floors(watch, parts)
    text = table(parts)
    print(text)
    if asked.write and not replace_between(ROOT / "docs/performance.md", MARKERS, text):
        say("docs/performance.md has no markers")
    write_json(asked.json, {"parts": parts})


if __name__ == "__main__":
    main()
