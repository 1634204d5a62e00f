"""Ours beside OmniQ 4.0.0, on one server, in one run.

OmniQ is a peer under another licence: it is installed from the package index into an environment
of its own and runs as a process of its own, driven through its public client; nothing of it is
imported here. All get the same jobs, each starts from an empty server, and they take turns.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import threading
import time
import venv
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import orjson

from benchmarks.measuring import Meter, Spread, markdown, say, start_server, write_json
from omniq_typed import Bus, Ctx, OmniqClient, SafeInt, message
from omniq_typed.core.command import Command
from omniq_typed.core.enqueue import enqueue
from omniq_typed.core.observe import read_stats
from omniq_typed.core.reserve import reserve
from omniq_typed.models import NewJob, Outcome, Reservation, ReserveJob, Settlement
from omniq_typed.transport.address import from_url
from omniq_typed.transport.sync import SyncTransport
from tests.servers import Server

PACKAGE, VERSION = "omniq", "4.0.0"
QUEUE = "bench"

# Reads one order a line and answers with one line, so that starting Python and connecting stay out
# of the measured time. `consume` has no end of its own: the handler of the last job asks for it.
PEER_SCRIPT = """
import json, os, signal, sys, time
from omniq.client import OmniqClient

port, queue, payload_json = int(sys.argv[1]), sys.argv[2], sys.argv[3]
payload = json.loads(payload_json)
client = OmniqClient(host="127.0.0.1", port=port)

def publish(count):
    for number in range(count):
        client.publish(queue=queue, payload={**payload, "number": number})
    return count, time.perf_counter()

def loop(count):
    done = 0
    while True:
        job = client.reserve(queue=queue)
        if job is None:
            return done, time.perf_counter()
        client.ack_success(queue=queue, job_id=job.job_id, lease_token=job.lease_token)
        done += 1

def consume(count):
    done, ended = 0, 0.0
    def handler(ctx):
        nonlocal done, ended
        done += 1
        if done == count:
            ended = time.perf_counter()
            os.kill(os.getpid(), signal.SIGTERM)
    client.consume(queue=queue, handler=handler, drain=True)
    return done, ended

orders = {"publish": publish, "loop": loop, "consume": consume}
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # what the client prints is no answer
for line in sys.stdin:
    order = json.loads(line)
    started = time.perf_counter()
    done, ended = orders[order["do"]](order["count"])
    print(json.dumps({"done": done, "seconds": ended - started}), file=answers, flush=True)
"""

PAYLOAD: dict[str, Any] = {
    "order_id": "ORD-0000000001",
    "customer": "customer-000042",
    "amount": 1500,
    "currency": "EUR",
    "items": ["tea", "biscuits", "honey"],
}


class Contender(Protocol):
    """A client under test. Both methods do `count` jobs and answer how many seconds it took."""

    name: str

    def publish(self, count: int) -> float: ...
    def work(self, count: int) -> float: ...
    def close(self) -> None: ...


class OmniQ:
    """The peer, in its own process. `work` is `loop` (reserve, ack_success) or `consume`."""

    name = f"OmniQ {VERSION}"

    def __init__(self, python: Path, server: Server, work: str) -> None:
        self._work = work
        self._process = subprocess.Popen(
            [str(python), "-c", PEER_SCRIPT, str(server.port), QUEUE, json.dumps(PAYLOAD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def publish(self, count: int) -> float:
        return self._order("publish", count)

    def work(self, count: int) -> float:
        return self._order(self._work, count)

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()

    def _order(self, what: str, count: int) -> float:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": what, "count": count}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the OmniQ process ended; its error stands above")
        answer = json.loads(line)
        check_count(self.name, answer["done"], count)
        return float(answer["seconds"])


class Client:
    """Our OmniqClient, by the same calls as OmniQ's."""

    def __init__(self, server: Server) -> None:
        self.name = "OmniqClient"
        self._client = OmniqClient(host=server.host, port=server.port)

    def publish(self, count: int) -> float:
        started = time.perf_counter()
        for number in range(count):
            self._client.publish(queue=QUEUE, payload={**PAYLOAD, "number": number})
        return time.perf_counter() - started

    def work(self, count: int) -> float:
        started = time.perf_counter()
        done = 0
        while isinstance(job := self._client.reserve(queue=QUEUE), ReserveJob):
            self._client.ack_success(queue=QUEUE, job_id=job.job_id, lease_token=job.lease_token)
            done += 1
        seconds = time.perf_counter() - started
        check_count(self.name, done, count)
        return seconds

    def close(self) -> None:
        self._client.close()


class ClientWorker(Client):
    """Our OmniqClient, by the same call of consume as OmniQ's."""

    def work(self, count: int) -> float:
        last = LastJob(count)
        self._client.consume(
            queue=QUEUE, handler=lambda ctx: last.handled(), drain=True, stop=last.stop
        )
        return last.seconds(self.name)


class Commands:
    """Our commands, `batch` jobs a call: each call settles the last jobs and leases the next."""

    def __init__(self, server: Server, batch: int) -> None:
        self.name = f"{batch} per call"
        self._batch = batch
        self._transport = SyncTransport(from_url(server.url))
        self._jobs = 0
        self._reserves = 0

    def publish(self, count: int) -> float:
        started = time.perf_counter()
        for start in range(0, count, self._batch):
            numbers = range(start, min(start + self._batch, count))
            self._transport.run(enqueue(QUEUE, [self._job(number) for number in numbers]))
        return time.perf_counter() - started

    def work(self, count: int) -> float:
        started = time.perf_counter()
        done = 0
        settlements: list[Settlement] = []
        while True:
            reservation = self._transport.run(self._settle_and_reserve(settlements))
            done += sum(settled.status == "OK" for settled in reservation.settled)
            for job in reservation.jobs:
                orjson.loads(job.payload)
            settlements = [
                Settlement(job.job_id, job.lease_token, Outcome.ACK) for job in reservation.jobs
            ]
            if not settlements:
                break
        seconds = time.perf_counter() - started
        check_count(self.name, done, count)
        return seconds

    def close(self) -> None:
        self._transport.close()

    def _job(self, number: int) -> NewJob:
        self._jobs += 1
        # As long as OmniQ's own ids, for the sake of the memory.
        return NewJob(f"{self._jobs:026d}", orjson.dumps({**PAYLOAD, "number": number}))

    def _settle_and_reserve(self, settlements: Sequence[Settlement]) -> Command[Reservation]:
        self._reserves += 1
        return reserve(
            QUEUE,
            limit=self._batch,
            token_prefix=f"token-{self._reserves}",
            settlements=settlements,
        )


@message("bench.order", queue=QUEUE)
@dataclass
class Order:
    """PAYLOAD as a type."""

    order_id: str
    customer: str
    amount: SafeInt
    currency: str
    items: list[str]
    number: SafeInt


class BusWorker:
    """Our typed Bus: one job a call, or `batch`, by publish_many and prefetch."""

    def __init__(self, server: Server, batch: int) -> None:
        self.name = "Bus" if batch == 1 else f"Bus, {batch} a call"
        self._batch = batch
        self._bus = Bus(server.url)
        self._last = LastJob(0)
        self._bus.consumer(Order)(self._on_order)

    def publish(self, count: int) -> float:
        started = time.perf_counter()
        if self._batch == 1:
            for number in range(count):
                self._bus.publish_json(Order(**PAYLOAD, number=number))
        else:
            results = self._bus.publish_many(Order(**PAYLOAD, number=n) for n in range(count))
            check_count(self.name, sum(result.ok for result in results), count)
        return time.perf_counter() - started

    def work(self, count: int) -> float:
        self._last = LastJob(count)
        self._bus.run(max_prefetch=self._batch, stop=self._last.stop)
        return self._last.seconds(self.name)

    def close(self) -> None:
        self._bus.close()

    def _on_order(self, ctx: Ctx[Order]) -> None:
        self._last.handled()


class LastJob:
    """Counts handled jobs, and stops the worker at the last one."""

    def __init__(self, expected: int) -> None:
        self.stop = threading.Event()
        self._expected = expected
        self._done = 0
        self._started = self._ended = time.perf_counter()

    def handled(self) -> None:
        self._done += 1
        if self._done == self._expected:
            self._ended = time.perf_counter()
            self.stop.set()

    def seconds(self, who: str) -> float:
        """From before the worker started to the last job."""
        check_count(who, self._done, self._expected)
        return self._ended - self._started


def check_count(who: str, done: int, expected: int) -> None:
    if done != expected:
        raise RuntimeError(f"{who} did {done} of {expected} jobs")


@dataclass(frozen=True)
class Measure:
    """One line of the result. `more` is better, or less is."""

    name: str
    more: bool


PUBLISH_RATE = Measure("publish, jobs/s", more=True)
PUBLISH_CPU = Measure("publish, server CPU µs per job", more=False)
WORK_RATE = Measure("work off, jobs/s", more=True)
WORK_CPU = Measure("work off, server CPU µs per job", more=False)
LIFE_CPU = Measure("whole life, server CPU µs per job", more=False)
LIFE_TRIPS = Measure("whole life, round trips per job", more=False)
LIFE_BYTES = Measure("whole life, bytes on the wire per job", more=False)
MEMORY = Measure("server memory per waiting job, bytes", more=False)

Results = dict[Measure, dict[str, list[float]]]


def play(contender: Contender, meter: Meter, jobs: int) -> dict[Measure, float]:
    """One round of one contender, on an empty server."""
    client = meter.client
    client.flushall()
    empty = client.info("memory")["used_memory"]
    with meter.window("publish", jobs):
        publish_s = contender.publish(jobs)
    full = client.info("memory")["used_memory"]
    with meter.window("work", jobs):
        work_s = contender.work(jobs)
    published, worked = meter.samples["publish"].pop(), meter.samples["work"].pop()
    return {
        PUBLISH_RATE: jobs / publish_s,
        PUBLISH_CPU: published.cpu_us,
        WORK_RATE: jobs / work_s,
        WORK_CPU: worked.cpu_us,
        LIFE_CPU: published.cpu_us + worked.cpu_us,
        LIFE_TRIPS: published.reads + worked.reads,
        LIFE_BYTES: sum(each.bytes_in + each.bytes_out for each in (published, worked)),
        MEMORY: (full - empty) / jobs,
    }


def check_drained(transport: SyncTransport) -> None:
    """Both leave the same books behind; ours can read them."""
    stats = transport.run(read_stats(QUEUE))
    left = stats.waiting_total + stats.active + stats.delayed + stats.failed
    if left or not stats.completed_kept:
        raise RuntimeError(f"the queue was not drained: {stats}")


Builders = Sequence[Callable[[Server], Contender]]


def compete(builders: Builders, rounds: int, jobs: int) -> tuple[list[str], Results]:
    """All contenders in turn, `rounds` times after one to warm up."""
    results: Results = defaultdict(lambda: defaultdict(list))
    with ExitStack() as stack:
        server = stack.enter_context(start_server("redis"))
        transport = SyncTransport(from_url(server.url))
        stack.callback(transport.close)
        meter = Meter(transport.client)
        contenders = [build(server) for build in builders]
        for contender in contenders:
            stack.callback(contender.close)
        for number in range(rounds + 1):
            for contender in contenders:
                found = play(contender, meter, jobs)
                check_drained(transport)
                for measure, value in found.items():
                    if number > 0:
                        results[measure][contender.name].append(value)
            say(f"round {number} of {rounds} done")
    return [contender.name for contender in contenders], results


def table(names: Sequence[str], results: Results) -> str:
    """The others compared with the first."""
    header = ["", names[0]]
    for name in names[1:]:
        header += [name, "gain"]
    rows = []
    for measure, by_name in results.items():
        spreads = [Spread.of(by_name[name]) for name in names]
        row = [measure.name, str(spreads[0])]
        for spread in spreads[1:]:
            row += [str(spread), f"×{_gain(measure, spreads[0], spread):.2f}"]
        rows.append(row)
    return markdown(header, rows)


def _gain(measure: Measure, base: Spread, other: Spread) -> float:
    """How many times better than the base; below 1 it is worse."""
    if measure.more:
        return other.median / base.median
    return base.median / other.median


def peer_python(folder: Path) -> Path:
    """The interpreter of an environment that holds the peer; made where it is missing."""
    python = folder / "bin" / "python"
    if not python.exists():
        say(f"making {folder} for {PACKAGE} {VERSION}")
        venv.create(folder, with_pip=True)
        (folder / ".gitignore").write_text("*\n", encoding="utf-8")
    if not _has_peer(python):
        requirement = f"{PACKAGE}=={VERSION}"
        subprocess.run([python, "-m", "pip", "install", "--quiet", requirement], check=True)
    return python


def _has_peer(python: Path) -> bool:
    ask = f"import importlib.metadata as m; print(m.version({PACKAGE!r}))"
    answer = subprocess.run([python, "-c", ask], capture_output=True, text=True, check=False)
    return answer.stdout.strip() == VERSION


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.against_omniq",
        description=f"Compares ours with OmniQ {VERSION} on one Redis of its own. Prints markdown:"
        " medians over the rounds, with quartiles; 'gain' says how many times better than OmniQ.",
    )
    parser.add_argument("--rounds", type=int, default=7, metavar="N", help="default 7")
    parser.add_argument("--jobs", type=int, default=3000, metavar="N", help="per round (3000)")
    parser.add_argument("--quick", action="store_true", help="2 rounds of 500 jobs")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the result here")
    parser.add_argument(
        "--env",
        type=Path,
        default=Path(".bench-env"),
        metavar="DIR",
        help="the environment of the peer, made on first use (.bench-env)",
    )
    return parser.parse_args()


def main() -> None:
    given = parse_arguments()
    rounds, jobs = (2, 500) if given.quick else (given.rounds, given.jobs)
    python = peer_python(given.env)
    leagues: dict[str, Builders] = {
        "By hand: reserve and acknowledge in a loop": [
            lambda server: OmniQ(python, server, "loop"),
            Client,
            lambda server: Commands(server, 1),
            lambda server: Commands(server, 100),
        ],
        "Worker to worker: handlers that return at once": [
            lambda server: OmniQ(python, server, "consume"),
            ClientWorker,
            lambda server: BusWorker(server, 1),
            lambda server: BusWorker(server, 100),
        ],
    }
    payload = len(orjson.dumps(PAYLOAD))
    print(f"{jobs:,} jobs of about {payload} bytes, {rounds} rounds, a Redis with its defaults.")
    found = {}
    for title, builders in leagues.items():
        say(title)
        names, results = compete(builders, rounds, jobs)
        print(f"\n### {title}\n\n{table(names, results)}")
        found[title] = {measure.name: dict(values) for measure, values in results.items()}
    write_json(given.json, {"jobs": jobs, "rounds": rounds, "leagues": found})


if __name__ == "__main__":
    main()
