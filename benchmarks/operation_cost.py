"""What each operation costs the server, and that it does not grow with the queue.

Two sizes of the same queue stand on a server each; the benchmark goes to and fro between them and
compares the server's time per job. Every batch of operations is checked to have done its work.
"""

from __future__ import annotations

import argparse
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import orjson

from benchmarks.measuring import (
    Meter,
    Sample,
    Spread,
    brief,
    markdown,
    say,
    start_server,
    write_json,
)
from omniq_typed.core.admin import remove_jobs_batch, retry_failed_batch
from omniq_typed.core.command import Command
from omniq_typed.core.enqueue import enqueue
from omniq_typed.core.maintain import promote_delayed
from omniq_typed.core.observe import lane_page, overview, read_stats
from omniq_typed.core.reserve import reserve
from omniq_typed.core.settle import heartbeat, settle
from omniq_typed.models import NewJob, Outcome, Reservation, Reserved, Settlement
from omniq_typed.transport.address import from_url
from omniq_typed.transport.sync import SyncTransport
from tests.servers import Kind, Server

R = TypeVar("R")
T = TypeVar("T")

QUEUE = "bench"
FILL_BATCH = 1000
BATCH = 100
JOBS = 200
"""Jobs per window: as many calls of one job, or two calls of a hundred."""
LEASE_MS = 3_600_000
UNLIMITED = 1_000_000
SUSPICIOUS = 1.5
TYPED = {
    "msg_type": "orders.created",
    "msg_version": "1",
    "msg_schema": "0123456789abcdef",
    "msg_source": "shop",
    "msg_correlation_id": "01J9Z3N4D5E6F7G8H9J0K1M2N3",
}


def payload(number: int) -> bytes:
    """About 120 bytes of JSON."""
    return orjson.dumps(
        {
            "order_id": f"ORD-{number:010d}",
            "customer": f"customer-{number % 9973:06d}",
            "amount": 1500,
            "currency": "EUR",
            "items": ["tea", "biscuits", "honey"],
        }
    )


class Stage:
    """One queue of one size on a server of its own, and the operations on it."""

    def __init__(self, server: Server, groups: int = 0) -> None:
        self.transport = SyncTransport(from_url(server.url))
        self.meter = Meter(self.transport.client)
        self.groups = groups
        self._published = 0
        self._reserves = 0

    def run(self, command: Command[R]) -> R:
        return self.transport.run(command)

    def close(self) -> None:
        self.transport.close()

    def new_jobs(self, count: int, **options: Any) -> list[NewJob]:
        """Jobs with new ids, spread evenly over the groups."""
        first, self._published = self._published, self._published + count
        return [self._job(number, options) for number in range(first, first + count)]

    def _job(self, number: int, options: dict[str, Any]) -> NewJob:
        if self.groups:
            options = {
                "gid": f"customer-{number % self.groups:06d}",
                "group_limit": UNLIMITED,
                **options,
            }
        return NewJob(f"job-{number:012d}", payload(number), timeout_ms=LEASE_MS, **options)

    def fill(self, count: int, **options: Any) -> None:
        """Publishes in large batches, with the command that publishes anything."""
        for start in range(0, count, FILL_BATCH):
            jobs = self.new_jobs(min(FILL_BATCH, count - start), **options)
            self.run(enqueue(QUEUE, jobs))

    def publish(self, jobs: Sequence[NewJob], batch: int, now_ms: int = 0) -> None:
        for part in chunks(jobs, batch):
            for published in self.run(enqueue(QUEUE, part, now_ms=now_ms)):
                assert not published.duplicate

    def reserve(self, count: int, batch: int) -> list[Reserved]:
        jobs: list[Reserved] = []
        for _ in range(count // batch):
            jobs += self.settle_and_reserve([], batch).jobs
        assert len(jobs) == count
        return jobs

    def settle_and_reserve(self, done: Sequence[Settlement], limit: int) -> Reservation:
        self._reserves += 1
        command = reserve(
            QUEUE, limit=limit, token_prefix=f"token-{self._reserves:012d}", settlements=done
        )
        return self.run(command)

    def settle(self, jobs: Sequence[Reserved], outcome: Outcome, batch: int) -> None:
        for part in chunks(jobs, batch):
            settlements = [settlement(job, outcome) for job in part]
            for settled in self.run(settle(QUEUE, settlements)):
                assert settled.status != "ERR"

    def heartbeat(self, jobs: Sequence[Reserved], batch: int) -> None:
        for part in chunks(jobs, batch):
            leases = [(job.job_id, job.lease_token) for job in part]
            for beat in self.run(heartbeat(QUEUE, leases)):
                assert beat.lock_until_ms

    def retry(self, ids: Sequence[str], batch: int) -> None:
        for part in chunks(ids, batch):
            for result in self.run(retry_failed_batch(QUEUE, part)):
                assert result.reason is None

    def remove(self, ids: Sequence[str], lane: str, batch: int) -> None:
        for part in chunks(ids, batch):
            for result in self.run(remove_jobs_batch(QUEUE, lane, part)):
                assert result.reason is None

    def work_off(self, batch: int) -> None:
        """As a worker does: each call settles the last jobs and leases the next."""
        done: list[Settlement] = []
        for _ in range(JOBS // batch):
            reservation = self.settle_and_reserve(done, batch)
            assert len(reservation.jobs) == batch
            assert len(reservation.settled) == len(done)
            done = [settlement(job, Outcome.ACK) for job in reservation.jobs]
        self.settle_and_reserve(done, 0)

    def waiting(self) -> int:
        return self.run(read_stats(QUEUE)).waiting_total


def chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def settlement(job: Reserved, outcome: Outcome) -> Settlement:
    return Settlement(job.job_id, job.lease_token, outcome, message="boom")


# One cycle of each family leaves the queue as long as it found it.


def cycle_of_life(stage: Stage) -> None:
    """Every way through the lanes, by one job and by a hundred."""
    for batch, suffix in ((1, ""), (BATCH, f" ×{BATCH}")):
        window = stage.meter.window

        jobs = stage.new_jobs(JOBS)
        with window("publish" + suffix, JOBS):
            stage.publish(jobs, batch)
        with window("reserve" + suffix, JOBS):
            leased = stage.reserve(JOBS, batch)
        with window("heartbeat" + suffix, JOBS):
            stage.heartbeat(leased, batch)
        with window("release" + suffix, JOBS):
            stage.settle(leased[::-1], Outcome.RELEASE, batch)
        leased = stage.reserve(JOBS, BATCH)
        with window("settle (acknowledge)" + suffix, JOBS):
            stage.settle(leased, Outcome.ACK, batch)

        leased = stage.reserve(JOBS, BATCH)
        with window("settle (fail)" + suffix, JOBS):
            stage.settle(leased, Outcome.FAIL, batch)
        with window("retry" + suffix, JOBS):
            stage.retry([job.job_id for job in leased], batch)
        leased = stage.reserve(JOBS, BATCH)
        stage.settle(leased, Outcome.FAIL, BATCH)
        with window("remove from failed" + suffix, JOBS):
            stage.remove([job.job_id for job in leased], "failed", batch)

        stage.publish(stage.new_jobs(JOBS), BATCH)
        with window("settle and reserve" + suffix, JOBS):
            stage.work_off(batch)
        stage.publish(stage.new_jobs(JOBS), BATCH)


def cycle_of_waiting(stage: Stage) -> None:
    cycle_of_life(stage)
    window = stage.meter.window
    length = stage.waiting()
    with window("read stats", 20):
        for _ in range(20):
            stage.run(read_stats(QUEUE))
    with window("overview", 20):
        for _ in range(20):
            stage.run(overview(QUEUE, 10))
    with window("page of 10 jobs, in the middle", 20):
        for _ in range(20):
            stage.run(lane_page(QUEUE, "wait", length // 2, 10, False))
    for where, offset in (("oldest", 0), ("middle", length // 2), ("newest", length - 12)):
        rows = stage.run(lane_page(QUEUE, "wait", offset, 4, False))
        with window(f"remove from waiting, {where}", len(rows)):
            stage.remove([row.job_id for row in rows], "wait", 1)
    stage.publish(stage.new_jobs(12), 12)


def cycle_of_delayed(stage: Stage) -> None:
    window = stage.meter.window
    now = time.time_ns() // 1_000_000
    for batch, suffix in ((1, ""), (BATCH, f" ×{BATCH}")):
        later = stage.new_jobs(JOBS, due_ms=now + LEASE_MS * 3 // 2)
        with window("publish with delay" + suffix, JOBS):
            stage.publish(later, batch)
        with window("remove from delayed" + suffix, JOBS):
            stage.remove([job.job_id for job in later], "delayed", batch)
        stage.publish(stage.new_jobs(JOBS, due_ms=now - 1000), BATCH, now_ms=now - 2000)
        with window("promote" + suffix, JOBS):
            for _ in range(JOBS // batch):
                assert stage.run(promote_delayed(QUEUE, batch)) == batch
        stage.work_off(BATCH)


def cycle_of_failed(stage: Stage, failed: deque[str]) -> None:
    """`failed` mirrors the lane: the newest id first."""
    few = 20
    for operation in ("retry", "remove from failed"):
        for where in ("newest", "middle", "oldest"):
            half = len(failed) // 2
            start = {"newest": 0, "middle": half, "oldest": len(failed) - few}[where]
            ids = [failed[start + i] for i in range(few)]
            for job_id in ids:
                failed.remove(job_id)
            with stage.meter.window(f"{operation}, {where}", few):
                if operation == "retry":
                    stage.retry(ids, 1)
                else:
                    stage.remove(ids, "failed", 1)
            if operation != "retry":
                stage.publish(stage.new_jobs(few), few)
            leased = stage.reserve(few, few)
            stage.settle(leased, Outcome.FAIL, few)
            failed.extendleft(job.job_id for job in leased)


@dataclass(frozen=True)
class Plan:
    """How much to do."""

    engine: Kind
    rounds: int
    memory_jobs: int


Cycle = Callable[[Stage], None]


@dataclass(frozen=True)
class Row:
    """One operation at two sizes: the small one, the big one."""

    operation: str
    script_us: tuple[Spread, Spread]
    cpu_us: tuple[Spread, Spread]
    script_ratio: float
    cpu_ratio: float

    @classmethod
    def of(cls, operation: str, samples: Sequence[Sequence[Sample]]) -> Row:
        script, cpu = (
            [Spread.of([getattr(each, name) for each in one]) for one in samples]
            for name in ("script_us", "cpu_us")
        )
        return cls(
            operation,
            (script[0], script[1]),
            (cpu[0], cpu[1]),
            script[1].median / max(script[0].median, 0.001),
            cpu[1].median / max(cpu[0].median, 0.001),
        )

    def cells(self) -> list[str]:
        return [
            self.operation,
            *map(str, self.script_us),
            _flagged(self.script_ratio),
            *(brief(each.median) for each in self.cpu_us),
            _flagged(self.cpu_ratio),
        ]


def _flagged(ratio: float) -> str:
    return f"**{ratio:.2f}**" if ratio > SUSPICIOUS else f"{ratio:.2f}"


@dataclass(frozen=True)
class Table:
    """The operations of one family."""

    title: str
    sizes: tuple[str, str]
    rows: list[Row]

    def __str__(self) -> str:
        small, big = self.sizes
        header = ["µs per job", small, big, "ratio", f"CPU, {small}", f"CPU, {big}", "ratio"]
        return f"### {self.title}\n\n{markdown(header, [row.cells() for row in self.rows])}\n"


def compare(
    plan: Plan, title: str, labels: tuple[str, str], setups: Sequence[Callable[[Stage], Cycle]]
) -> Table:
    """Two stages, built by `setups`, measured in turn."""
    with ExitStack() as stack:
        stages = [stack.enter_context(stage(plan)) for _ in setups]
        cycles: list[Cycle] = []
        for label, each, setup in zip(labels, stages, setups, strict=True):
            started = time.monotonic()
            cycles.append(setup(each))
            say(f"{title}: {label} ready after {time.monotonic() - started:.1f} s")
        for number in range(plan.rounds + 1):
            for each, cycle in zip(stages, cycles, strict=True):
                before = each.waiting()
                cycle(each)
                assert each.waiting() == before
                if number == 0:
                    each.meter.forget()
        small, big = (each.meter.samples for each in stages)
    return Table(title, labels, [Row.of(name, (small[name], big[name])) for name in small])


@contextmanager
def stage(plan: Plan, **config: str | int) -> Generator[Stage]:
    """A stage on a server of its own."""
    with start_server(plan.engine, **config) as server:
        one = Stage(server)
        try:
            yield one
        finally:
            one.close()


def by_waiting(plan: Plan, sizes: tuple[int, int]) -> Table:
    def filled(size: int) -> Callable[[Stage], Cycle]:
        def setup(stage: Stage) -> Cycle:
            stage.fill(size)
            return cycle_of_waiting

        return setup

    labels = (f"{sizes[0]:,} waiting", f"{sizes[1]:,} waiting")
    return compare(plan, "By length of the waiting lane", labels, [filled(n) for n in sizes])


def by_groups(plan: Plan, sizes: tuple[int, int]) -> Table:
    jobs = 2 * max(sizes)

    def grouped(size: int) -> Callable[[Stage], Cycle]:
        def setup(stage: Stage) -> Cycle:
            stage.groups = size
            stage.fill(jobs)
            return cycle_of_life

        return setup

    title = f"By number of groups ({jobs:,} jobs waiting)"
    labels = (f"{sizes[0]:,} groups", f"{sizes[1]:,} groups")
    return compare(plan, title, labels, [grouped(n) for n in sizes])


def by_delayed(plan: Plan, sizes: tuple[int, int]) -> Table:
    def delayed(size: int) -> Callable[[Stage], Cycle]:
        def setup(stage: Stage) -> Cycle:
            due = time.time_ns() // 1_000_000 + LEASE_MS
            for start in range(0, size, FILL_BATCH):
                stage.fill(min(FILL_BATCH, size - start), due_ms=due + start)
            return cycle_of_delayed

        return setup

    labels = (f"{sizes[0]:,} delayed", f"{sizes[1]:,} delayed")
    return compare(plan, "By length of the delayed lane", labels, [delayed(n) for n in sizes])


def by_failed(plan: Plan, sizes: tuple[int, int]) -> Table:
    def failing(size: int) -> Callable[[Stage], Cycle]:
        def setup(stage: Stage) -> Cycle:
            failed: deque[str] = deque()
            for _ in range(size // BATCH):
                stage.fill(BATCH)
                leased = stage.reserve(BATCH, BATCH)
                stage.settle(leased, Outcome.FAIL, BATCH)
                failed.extendleft(job.job_id for job in leased)
            return lambda each: cycle_of_failed(each, failed)

        return setup

    labels = (f"{sizes[0]:,} failed", f"{sizes[1]:,} failed")
    return compare(plan, "By length of the failed lane", labels, [failing(n) for n in sizes])


def memory(plan: Plan) -> list[tuple[str, int, float]]:
    """(kind of job, hash-max-listpack-value, bytes of server memory per waiting job)."""
    found = []
    for kind, side in (("plain", {}), ("typed message", TYPED)):
        for listpack in (64, 1024):
            with stage(plan, hash_max_listpack_value=listpack) as one:
                client = one.transport.client
                one.fill(1)  # scripts and the lanes themselves
                before = client.info("memory")["used_memory"]
                one.fill(plan.memory_jobs, side=side)
                after = client.info("memory")["used_memory"]
                found.append((kind, listpack, (after - before) / plan.memory_jobs))
    return found


def life(plan: Plan) -> dict[int, Sample]:
    """By batch: what a job costs from publish to acknowledgement."""
    found = {}
    with stage(plan) as one:
        for batch in (1, BATCH):
            one.publish(one.new_jobs(JOBS), BATCH)
            one.work_off(BATCH)
            for _ in range(plan.rounds):
                jobs = one.new_jobs(JOBS, side=TYPED)
                with one.meter.window(str(batch), JOBS):
                    one.publish(jobs, batch)
                    one.work_off(batch)
            found[batch] = _median(one.meter.samples[str(batch)])
    return found


def _median(samples: Sequence[Sample]) -> Sample:
    fields = Sample.__dataclass_fields__
    return Sample(
        **{name: Spread.of([getattr(s, name) for s in samples]).median for name in fields}
    )


def memory_table(found: Sequence[tuple[str, int, float]]) -> str:
    rows = [[kind, str(listpack), brief(size)] for kind, listpack, size in found]
    size = len(payload(0))
    title = f"### Memory of a waiting job (payload of {size} bytes)"
    header = ["job", "hash-max-listpack-value", "bytes per job"]
    return f"{title}\n\n{markdown(header, rows)}\n"


def life_table(found: dict[int, Sample]) -> str:
    rows = [
        [
            str(batch),
            brief(each.calls),
            brief(each.script_us),
            brief(each.cpu_us),
            brief(each.bytes_in),
            brief(each.bytes_out),
        ]
        for batch, each in found.items()
    ]
    header = ["batch", "round trips", "script µs", "CPU µs", "bytes in", "bytes out"]
    title = "### A job's whole life: publish, reserve, acknowledge (typed message)"
    return f"{title}\n\n{markdown(header, rows)}\n"


def two_sizes(text: str) -> tuple[int, int]:
    """`1000,1000000` → (1000, 1000000)."""
    try:
        small, big = sorted(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no pair such as 1000,1000000") from None
    if small < 1:
        raise argparse.ArgumentTypeError("sizes start at 1")
    return small, big


SIZES = {
    "waiting": "jobs in the waiting lane (1000,1000000; quick: 1000,10000)",
    "groups": "groups of the waiting jobs (1,10000; quick: 1,1000)",
    "delayed": "jobs in the delayed lane (1000,100000; quick: 1000,10000)",
    "failed": "jobs in the failed lane (1000,100000; quick: 1000,10000)",
}


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.operation_cost",
        description="Measures the server's time per operation at two sizes of a queue. Starts"
        " its own servers. Prints markdown; progress goes to stderr. Times are medians over the"
        " rounds, with quartiles: run time of the scripts, and processor time of the server with"
        " reading and answering. Ratios above 1.5 are in bold.",
    )
    for name, what in SIZES.items():
        parser.add_argument(f"--{name}", type=two_sizes, metavar="SMALL,BIG", help=what)
    parser.add_argument(
        "--rounds",
        type=int,
        metavar="N",
        help=f"rounds that count, {JOBS} jobs per operation each (10; quick: 3)",
    )
    parser.add_argument("--engine", choices=("redis", "valkey"), default="redis")
    parser.add_argument("--quick", action="store_true", help="small sizes, few rounds: under 30 s")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the result here")
    return parser.parse_args()


def main() -> None:
    given = parse_arguments()
    quick = given.quick
    plan = Plan(given.engine, given.rounds or (3 if quick else 10), 10_000 if quick else 100_000)
    started = time.monotonic()
    tables = [
        by_waiting(plan, given.waiting or (1000, 10_000 if quick else 1_000_000)),
        by_groups(plan, given.groups or (1, 1000 if quick else 10_000)),
        by_delayed(plan, given.delayed or (1000, 10_000 if quick else 100_000)),
        by_failed(plan, given.failed or (1000, 10_000 if quick else 100_000)),
    ]
    for table in tables:
        print(table)
    in_memory = memory(plan)
    print(memory_table(in_memory))
    lives = life(plan)
    print(life_table(lives))
    say(f"{time.monotonic() - started:.0f} s in all")
    write_json(
        given.json,
        {"engine": plan.engine, "tables": tables, "memory": in_memory, "life": lives},
    )


if __name__ == "__main__":
    main()
