"""Handlers that kill their process cost one attempt of their own job, and none of those that shared
a batch with it. Each worker is a process of its own."""

from __future__ import annotations

import signal
import time

import pytest

from omniq_typed import Envelope
from tests.servers import Server, wait_until
from tests.workers import LONG_S, Order, Program, Watch

WORKER = """
import os, signal, sys
from omniq_typed import Bus
from tests.workers import REGISTRY, Order

url, how = sys.argv[1:3]
KILLER = 25

with Bus(url, registry=REGISTRY, keep_completed=1000) as bus:
    @bus.consumer(Order)
    def handler(ctx):
        os.write(1, f"run {ctx.payload.number} {ctx.attempt}\\n".encode())
        if ctx.payload.number == KILLER:
            os.kill(os.getpid(), signal.SIGSEGV if how == "segfaults" else signal.SIGKILL)
    os.write(1, b"ready\\n")
    bus.run(poll_interval_s=0.05)
"""
KILLER = 25
LEASE_MS = 300


def publish_quick(watch: Watch) -> None:
    """Jobs after which a lane takes batches."""
    watch.bus.publish_many(Envelope(Order(n), timeout_ms=LEASE_MS) for n in range(100, 400))


@pytest.mark.slow
def test_a_job_that_kills_its_worker_costs_the_others_of_its_batch_no_attempt(
    redis_server: Server, watch: Watch
) -> None:
    publish_quick(watch)
    ids = [watch.bus.publish_json(Order(n), timeout_ms=LEASE_MS, max_attempts=3) for n in range(51)]
    runs: list[str] = []
    deaths = 0

    def is_over() -> bool:
        stats = watch.stats("orders")
        return stats.failed == 1 and stats.active + stats.waiting_total + stats.delayed == 0

    ends_at = time.monotonic() + 2 * LONG_S
    while not is_over():
        assert time.monotonic() < ends_at, watch.stats("orders")
        with Program(WORKER, redis_server.url, "segfaults") as worker:
            wait_until(lambda: worker.process.poll() is not None or is_over(), "it dies", LONG_S)
            deaths += worker.process.poll() is not None
        runs += [line for line in worker.lines if line.startswith("run")]
    killer = watch.job("orders", ids[KILLER])
    assert (killer.state, killer.attempt) == ("failed", 3)
    assert '"reason":"lease_expired"' in killer.failure
    # Once within a batch, where nobody knows who was running; then alone, each time counted.
    assert runs.count(f"run {KILLER} 1") == 2
    assert runs.count(f"run {KILLER} 2") == runs.count(f"run {KILLER} 3") == 1
    assert deaths == 4
    assert not [each for each in runs if each.endswith((" 2", " 3")) and f" {KILLER} " not in each]
    assert {watch.job("orders", each).state for each in ids} == {"completed", "failed"}


def test_a_job_on_its_last_attempt_is_never_started_again(
    redis_server: Server, watch: Watch
) -> None:
    """At most once: it is not known whether it was started, so it fails with the reason."""
    publish_quick(watch)
    kill = watch.bus.publish_json(Order(KILLER), timeout_ms=LEASE_MS, max_attempts=1)
    with Program(WORKER, redis_server.url, "killed") as worker:
        assert worker.exit_code() == -signal.SIGKILL
    with Program(WORKER, redis_server.url, "killed") as worker:
        worker.wait_for("ready")
        failed = watch.reaches("orders", kill, "failed")
    assert f"run {KILLER} 1" not in worker.lines
    assert failed.attempt == 1
    assert failed.last_error.endswith("maybe before it started the job")
