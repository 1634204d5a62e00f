"""How the TypeScript worker treats what a worker meets: payloads that are none, handlers that
fail, long jobs, a stop, a server that forgets its scripts and connections."""

from __future__ import annotations

import json
import signal
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
from tests.workers import Watch, watching

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
    with Bus(url) as bus, Warehouse(example, url, "--packing-ms", "2500") as worker:
        bus.publish_json(an_order(), job_id="long", timeout_ms=900)
        assert watch.reaches(QUEUE, "long", "completed").attempt == 1
        assert sum(line.startswith("packing") for line in worker.lines) == 1


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
