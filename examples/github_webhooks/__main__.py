"""Sends GitHub's webhooks over a typed bus and adds up a digest. See --help."""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from examples.github_webhooks.deliveries import Delivery, read_deliveries
from examples.github_webhooks.digest import Digest
from examples.github_webhooks.messages import (
    QUEUE,
    IssueChanged,
    IssueCommented,
    PullRequestChanged,
    Pushed,
    ReleaseChanged,
    StarChanged,
)
from omniq_typed import Bus, Ctx, OmniqError, QueueMonitor

try:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from examples.github_webhooks.report import Summary, show
except ModuleNotFoundError as missing:
    if missing.name is None or missing.name.partition(".")[0] != "rich":
        raise
    sys.exit("the demo draws with the package rich: pip install 'omniq-typed[demo]'")

DELIVERIES = Path(__file__).with_name("deliveries.jsonl")
LOOK_INTERVAL_S = 0.05


def add_consumers(bus: Bus, digest: Digest, count: Callable[[], None]) -> None:
    """A consumer for each message type; all of them share one queue."""

    @bus.consumer(Pushed)
    def on_push(ctx: Ctx[Pushed]) -> None:
        digest.add_push(ctx.payload)
        count()

    @bus.consumer(IssueChanged)
    def on_issue(ctx: Ctx[IssueChanged]) -> None:
        digest.add_issue(ctx.payload)
        count()

    @bus.consumer(IssueCommented)
    def on_comment(ctx: Ctx[IssueCommented]) -> None:
        digest.add_comment(ctx.payload)
        count()

    @bus.consumer(PullRequestChanged)
    def on_pull_request(ctx: Ctx[PullRequestChanged]) -> None:
        digest.add_pull_request(ctx.payload)
        count()

    @bus.consumer(ReleaseChanged)
    def on_release(ctx: Ctx[ReleaseChanged]) -> None:
        digest.add_release(ctx.payload)
        count()

    @bus.consumer(StarChanged)
    def on_star(ctx: Ctx[StarChanged]) -> None:
        digest.add_star(ctx.payload)
        count()


class Publisher(threading.Thread):
    """Publishes all deliveries, waits until nothing is left to handle, and stops the worker.

    After `join`: `published`; `finished`, False after an interruption; `error`, what went wrong.
    """

    def __init__(
        self,
        bus: Bus,
        deliveries: list[Delivery],
        copies: int,
        stop: threading.Event,
        count: Callable[[], None],
    ) -> None:
        super().__init__(name="publisher")
        self.published = 0
        self.finished = False
        self.error: Exception | None = None
        self._bus = bus
        self._deliveries = deliveries
        self._copies = copies
        self._stop_worker = stop
        self._count = count

    def run(self) -> None:
        try:
            self._publish()
            self._wait_until_handled()
        except Exception as error:
            self.error = error
        finally:
            self._stop_worker.set()

    def _publish(self) -> None:
        for copy in range(self._copies):
            for delivery in self._deliveries:
                if self._stop_worker.is_set():
                    return
                if delivery.message is not None:
                    self._bus.publish_json(delivery.message, job_id=delivery.job_id(copy))
                    self.published += 1
                    self._count()

    def _wait_until_handled(self) -> None:
        monitor = QueueMonitor(self._bus)
        while not self._stop_worker.wait(LOOK_INTERVAL_S):
            stats = monitor.stats(QUEUE)
            if stats.waiting_total + stats.active + stats.delayed == 0:
                self.finished = True
                return


def run_demo(console: Console, bus: Bus, deliveries: list[Delivery], copies: int) -> Summary:
    """All of it: publish and handle at the same time, then report."""
    summary = Summary(server_name(bus))
    for delivery in deliveries:
        if delivery.problem:
            summary.invalid.append(f"{delivery.event}: {delivery.problem}")
        elif delivery.message is None:
            summary.skipped[delivery.event] += 1
    failed_before = failures(bus)
    expected = copies * sum(delivery.message is not None for delivery in deliveries)
    digest = Digest()
    stop = threading.Event()
    columns = (TextColumn("{task.description:<9}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console) as progress:
        publishing = progress.add_task("published", total=expected)
        handling = progress.add_task("handled", total=expected)
        last_handled_at = time.perf_counter()

        def count_handled() -> None:
            nonlocal last_handled_at
            last_handled_at = time.perf_counter()
            progress.advance(handling)

        add_consumers(bus, digest, count_handled)
        publisher = Publisher(bus, deliveries, copies, stop, lambda: progress.advance(publishing))
        started = time.perf_counter()
        publisher.start()
        try:
            bus.run(stop=stop)
        finally:
            stop.set()
            publisher.join()
        # Not the worker's end, which may come half a second later: until then it waits for more.
        summary.seconds = max(last_handled_at - started, 0.0)
        if publisher.error is not None:
            raise publisher.error
        progress.update(handling, total=digest.handled if publisher.finished else expected)
    failed = failures(bus) - failed_before
    summary.undecodable = failed["invalid_payload"] + failed["unknown_type"]
    summary.failed = failed.total() - summary.undecodable
    summary.published = publisher.published
    summary.handled = digest.handled
    summary.interrupted = not publisher.finished
    if publisher.finished:
        summary.known = summary.published - summary.handled - failed.total()
    show(console, digest, summary)
    return summary


def failures(bus: Bus) -> Counter[str]:
    """The jobs in the failed lane, by reason."""
    monitor = QueueMonitor(bus)
    reasons: Counter[str] = Counter()
    page, size = 0, 1000
    while jobs := monitor.lane_page(QUEUE, "failed", offset=page * size, limit=size):
        reasons.update(json.loads(job.failure)["reason"] for job in jobs if job.failure)
        page += 1
    return reasons


def server_name(bus: Bus) -> str:
    """For people: `Valkey 9.1.2, embedded://`."""
    info = bus.transport.client.info("server")
    first = next(iter(info.values())) if bus.transport.is_cluster else info
    name = "Valkey" if "valkey_version" in first else "Redis"
    version = first.get("valkey_version") or first["redis_version"]
    return f"{name} {version}, {bus.transport.address}"


def at_least_one(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m examples.github_webhooks",
        description="Publishes GitHub's webhooks as typed messages, handles them, and prints a"
        " digest. Ctrl-C stops it after the jobs at hand.",
    )
    parser.add_argument(
        "--file",
        type=Path,
        default=DELIVERIES,
        metavar="PATH",
        help='deliveries, one {"event": NAME, "payload": {...}} a line (default: those that come'
        " with the example)",
    )
    parser.add_argument(
        "--copies",
        type=at_least_one,
        default=1,
        metavar="N",
        help="publish every delivery N times, under N job ids (default: 1)",
    )
    parser.add_argument(
        "--url",
        default="embedded://",
        help="the server: redis://, rediss://, unix://, or embedded:// for one that lasts as long"
        " as the demo (the default)",
    )
    return parser.parse_args()


def main() -> int:
    options = arguments()
    console = Console()
    try:
        deliveries = read_deliveries(options.file)
        with Bus(options.url, source="examples.github_webhooks") as bus:
            summary = run_demo(console, bus, deliveries, options.copies)
    except (OmniqError, OSError, ValueError) as error:
        print(f"github_webhooks: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    if summary.interrupted:
        return 130
    return 1 if summary.failed or summary.undecodable else 0


if __name__ == "__main__":
    sys.exit(main())
