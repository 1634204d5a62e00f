"""How the TypeScript worker treats what a worker meets: payloads that are none, handlers that
fail, long jobs, a stop, a server that forgets its scripts and connections."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from examples.other_languages.messages import Address, ParcelOrdered, ParcelPacked
from omniq_typed import Bus
from omniq_typed.core.enqueue import enqueue
from omniq_typed.messages.codec import encode
from omniq_typed.messages.registry import default_registry
from omniq_typed.models import NewJob
from tests.other_languages.warehouse import Warehouse
from tests.servers import Server
from tests.workers import LONG_S, ROOT, Watch, watching

pytestmark = pytest.mark.slow

QUEUE = "warehouse"
ORDERED = default_registry.of_type(ParcelOrdered)
SIDE = {"msg_type": "parcels.ordered", "msg_version": "1"}


@pytest.fixture
def url(valkey_server: Server) -> str:
    valkey_server.ensure_running()
    valkey_server.flushall()
    valkey_server.command("SCRIPT", "FLUSH")
    return valkey_server.url


@pytest.fixture
def watch(url: str) -> Iterator[Watch]:
    with watching(url) as watch:
        yield watch


def an_order(order_id: str = "ORD-1", weight_grams: int = 100) -> ParcelOrdered:
    ada = Address("Ada ✨", "12 St James's Square", "SW1Y", "GB")
    return ParcelOrdered(
        order_id=order_id,
        weight_grams=weight_grams,
        value=Decimal("119.90"),
        ship_to=ada,
        ordered_at=datetime.now(UTC),
    )


def publish(url: str, *jobs: NewJob) -> None:
    with Bus(url) as bus:
        bus.transport.run(enqueue(QUEUE, jobs))


def a_job(job_id: str, payload: bytes = b"", **side: str) -> NewJob:
    return NewJob(job_id, payload or encode(ORDERED, an_order()), backoff_ms=1, side=SIDE | side)


def test_the_shop_of_the_example_gets_all_its_parcels(example: Path, url: str) -> None:
    command = [sys.executable, "-W", "error", "-m", "examples.other_languages.shop"]
    with Warehouse(example, url):
        done = subprocess.run(
            [*command, "--orders", "20"],
            cwd=ROOT,
            env={**os.environ, "OMNIQ_URL": url},
            capture_output=True,
            text=True,
            timeout=LONG_S,
        )
    assert done.returncode == 0, done.stderr
    first, *rows = done.stdout.splitlines()
    assert first == "20 parcels ordered; waiting for the warehouse (Ctrl-C ends)"
    told = [re.fullmatch(r"ORD-\w{6}-(\d+): box [SML](, insured)?, GB\d{8}", row) for row in rows]
    assert sorted(int(row[1]) for row in told if row) == [*range(1, 21)]


def test_what_it_sends_back_is_a_message_of_ours(example: Path, url: str, watch: Watch) -> None:
    with Bus(url) as bus, Warehouse(example, url):
        bus.publish_json(an_order(), job_id="a", correlation_id="talk", traceparent="00-1-2-01")
        watch.reaches(QUEUE, "a", "completed")
        packed = watch.job("shop", "a:packed")
    written = json.loads(packed.payload_raw)
    assert written.keys() == {"order_id", "tracking_code", "box", "insured", "packed_at"}
    assert (written["order_id"], written["box"], written["insured"]) == ("ORD-1", "S", True)
    assert packed.side == {
        "msg_type": "parcels.packed",
        "msg_version": "1",
        "msg_schema": default_registry.of_type(ParcelPacked).fingerprint,
        "msg_source": "warehouse",
        "msg_correlation_id": "talk",
        "msg_causation_id": "a",
        "msg_traceparent": "00-1-2-01",
    }


INVALID = [
    (b"{", "", "json_invalid"),
    (b'{"order_id": "\xff"}', "", "json_invalid"),
    (b"[]", "", "type"),
    (b'{"order_id":""', "", "json_invalid"),
    (b'{"order_id":"","weight_grams":5,"value":"1"}', "/order_id", "minLength"),
    (b'{"order_id":"1","weight_grams":5,"value":"1"}', "/ship_to", "missing"),
    (b'{"order_id":"1","weight_grams":0.5,"value":"1"}', "/weight_grams", "type"),
    (b'{"ship_to":{"country":"Gb"}}', "/ship_to/country", "pattern"),
    (b'{"ordered_at":"yesterday"}', "/ordered_at", "format"),
    (b'{"speed":"slow"}', "/speed", "enum"),
]


def test_invalid_payloads_fail_at_once_with_where_and_why(
    example: Path, url: str, watch: Watch
) -> None:
    publish(url, *(a_job(f"job-{n}", payload) for n, (payload, _, _) in enumerate(INVALID)))
    with Warehouse(example, url) as worker:
        for number, (payload, path, code) in enumerate(INVALID):
            job = watch.reaches(QUEUE, f"job-{number}", "failed")
            failure = json.loads(job.failure)
            assert failure["reason"] == "invalid_payload"
            assert (path, code) in {(each["path"], each["code"]) for each in failure["errors"]}
            assert failure["message"].startswith("no parcels.ordered.v1: ")
            assert (job.attempt, job.payload_raw) == (0, payload)
    assert [line for line in worker.lines if line.startswith("packing")] == []


def test_types_and_versions_that_it_does_not_know_fail_at_once(
    example: Path, url: str, watch: Watch
) -> None:
    publish(url, a_job("other", msg_type="parcels.lost"), a_job("newer", msg_version="2"))
    with Warehouse(example, url):
        for job_id, label in (("other", "parcels.lost.v1"), ("newer", "parcels.ordered.v2")):
            failure = json.loads(watch.reaches(QUEUE, job_id, "failed").failure)
            assert failure["reason"] == "unknown_type"
            assert failure["message"] == (
                f"no handler on queue warehouse for {label}; it takes parcels.ordered.v1"
            )


def test_a_job_without_a_type_is_what_the_queue_expects(
    example: Path, url: str, watch: Watch
) -> None:
    publish(url, NewJob("plain", encode(ORDERED, an_order())))
    with Warehouse(example, url):
        watch.reaches(QUEUE, "plain", "completed")


def test_a_handler_that_fails_is_tried_again_and_then_given_up(
    example: Path, url: str, watch: Watch
) -> None:
    with Bus(url) as bus, Warehouse(example, url) as worker:
        heavy = an_order(weight_grams=30_000)
        bus.publish_json(heavy, job_id="heavy", max_attempts=3, backoff_ms=20)
        job = watch.reaches(QUEUE, "heavy", "failed")
        failure = json.loads(job.failure)
        said = [line for line in worker.lines if line.startswith("packing")]
    assert (failure["reason"], failure["attempt"], job.attempt) == ("handler_error", 3, 3)
    assert failure["message"] == job.last_error == "RangeError: no box holds 30000 g"
    assert said == [f"packing ORD-1 for GB, attempt {n}" for n in (1, 2, 3)]


def test_a_job_that_is_longer_than_its_lease_keeps_it(
    example: Path, url: str, watch: Watch
) -> None:
    """Also beside one that has a longer lease, and was there before."""
    with Bus(url) as bus, Warehouse(example, url, "--packing-ms", "2500") as worker:
        bus.publish_json(an_order("ORD-0"), job_id="patient", timeout_ms=60_000)
        worker.wait_for("packing ORD-0")
        bus.publish_json(an_order("ORD-1"), job_id="long", timeout_ms=900)
        assert watch.reaches(QUEUE, "long", "completed").attempt == 1
        assert watch.reaches(QUEUE, "patient", "completed").attempt == 1
        assert sum(line.startswith("packing") for line in worker.lines) == 2


def test_a_lease_that_is_lost_is_not_settled(example: Path, url: str, watch: Watch) -> None:
    with Bus(url) as bus, Warehouse(example, url, "--packing-ms", "900") as worker:
        bus.publish_json(an_order(), job_id="a", timeout_ms=300, backoff_ms=60_000)
        worker.wait_for("packing")
        token = watch.job(QUEUE, "a").lease_token
        watch.client.ack_fail(queue=QUEUE, job_id="a", lease_token=token, error="taken away")
        bus.publish_json(an_order("ORD-2"), job_id="b")
        watch.reaches(QUEUE, "b", "completed")
    job = watch.job(QUEUE, "a")
    assert (job.state, job.last_error) == ("delayed", "taken away")


def test_a_stop_finishes_what_has_begun_and_leaves_the_rest(
    example: Path, url: str, watch: Watch
) -> None:
    options = ("--packing-ms", "700", "--concurrency", "1")
    with Bus(url) as bus, Warehouse(example, url, *options) as worker:
        for number in range(2):
            bus.publish_json(an_order(f"ORD-{number}"), job_id=f"job-{number}")
        worker.wait_for("packing ORD-0")
        worker.signal(signal.SIGTERM)
        worker.wait_for("stopped")
        assert worker.exit_code() == 0
    assert watch.job(QUEUE, "job-0").state == "completed"
    assert watch.job("shop", "job-0:packed").state == "wait"
    assert (watch.job(QUEUE, "job-1").state, watch.job(QUEUE, "job-1").attempt) == ("wait", 0)


def test_a_server_that_forgets_scripts_and_connections_is_told_again(
    example: Path, valkey_server: Server, url: str, watch: Watch
) -> None:
    with Bus(url) as bus, Warehouse(example, url, "--packing-ms", "400") as worker:
        for number in range(3):
            bus.publish_json(an_order(f"ORD-{number}"), job_id=f"job-{number}")
            worker.wait_for(f"packing ORD-{number}")
            valkey_server.command("SCRIPT", "FLUSH")
            valkey_server.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            assert watch.reaches(QUEUE, f"job-{number}", "completed").attempt == 1
            assert watch.job("shop", f"job-{number}:packed").state == "wait"


def test_a_user_whom_the_server_refuses_ends_the_program(example: Path, url: str) -> None:
    refused = url.replace("redis://", "redis://nobody:wrong@")
    with Warehouse(example, refused) as worker:
        assert worker.exit_code() == 1
    assert "WRONGPASS" in "".join(worker.errors)
