"""What a type does not allow never reaches a handler, whoever published it; what it allows does.

Payloads one step away from a valid one are published as a foreign program would: past our check.
"""

from __future__ import annotations

import logging
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import orjson
import pytest

from omniq_typed import Bus, QueueMonitor
from omniq_typed.core import enqueue as publishing
from omniq_typed.core.observe import read_job
from omniq_typed.models import JobInfo, NewJob
from tests.catalogue import FORMS, REGISTRY
from tests.catalogue.exactness import differences
from tests.catalogue.near_misses import Case, collect, is_allowed, near_misses, read
from tests.conformance.catalogue_worker import QUEUES, Handled, catalogue_worker
from tests.servers import Server, wait_until
from tests.workers import LONG_S, Face

BATCH = 100
REFUSED = 10_000
SEED = 17


@dataclass(frozen=True, eq=False)
class Sent:
    """A case and the job that carries it."""

    job_id: str
    case: Case

    @property
    def queue(self) -> str:
        return self.case.form.message_type.queue or ""

    def new_job(self) -> NewJob:
        message_type = self.case.form.message_type
        side = {"msg_type": message_type.name, "msg_version": str(message_type.version)}
        return NewJob(self.job_id, self.case.near_miss.payload, side=side)


@pytest.mark.slow
def test_what_a_type_does_not_allow_fails_with_its_reason_and_reaches_no_handler(
    server: Server,
    face: Face,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.CRITICAL, "omniq_typed.worker")  # else a line for every job
    sent = [Sent(str(n), case) for n, case in enumerate(collect(FORMS, REFUSED, SEED))]
    expected = Counter("completed" if each.case.allowed else "failed" for each in sent)
    handled = Handled(expected["completed"])
    with Bus(server.url, registry=REGISTRY) as bus:
        publish_unchecked(bus, sent, monkeypatch)
        with catalogue_worker(face, server.url, handled):
            wait_until(lambda: is_quiet(bus), "all jobs are settled", LONG_S)
        jobs = stored_jobs(bus, sent)
    assert expected["failed"] >= REFUSED and expected["completed"] > REFUSED // 10
    pairs = zip(sent, jobs, strict=True)
    found = [fault for each, job in pairs for fault in faults(each, job, handled)]
    assert not found, "\n".join(found[:50])


def publish_unchecked(bus: Bus, sent: list[Sent], monkeypatch: pytest.MonkeyPatch) -> None:
    """As a program that checks nothing, not even whether a payload is JSON."""
    with monkeypatch.context() as patch:
        patch.setattr(publishing, "check_payload", lambda payload, limit: payload)
        for queue in QUEUES:
            for batch in batches([each.new_job() for each in sent if each.queue == queue]):
                bus.transport.run(publishing.enqueue(queue, batch))


def is_quiet(bus: Bus) -> bool:
    stats = QueueMonitor(bus).stats_many(QUEUES)
    return not any(it.waiting_total + it.active + it.delayed for it in stats)


def stored_jobs(bus: Bus, sent: list[Sent]) -> list[JobInfo | None]:
    return [
        job
        for batch in batches(sent)
        for job in bus.transport.run_all([read_job(each.queue, each.job_id) for each in batch])
    ]


def batches(items: list[Any]) -> Iterator[list[Any]]:
    for begin in range(0, len(items), BATCH):
        yield items[begin : begin + BATCH]


def faults(sent: Sent, job: JobInfo | None, handled: Handled) -> Iterator[str]:
    """What is not as it should be with one job."""
    near_miss = sent.case.near_miss
    place = f"{sent.case.form.label}, {near_miss.why}, {near_miss.payload!r:.200}"
    arrived = handled.by_id.get(sent.job_id, [])
    if job is None or job.payload_raw != near_miss.payload:
        yield f"{place}: not kept as it was"
    elif sent.case.allowed:
        if job.state != "completed":
            yield f"{place}: {job.state}, {job.failure}"
        yield from (f"{place}: {it}" for it in faults_of_arrival(sent, arrived))
    elif arrived:
        yield f"{place}: reached a handler as {[value for _, value in arrived]!r:.200}"
    elif (job.state, job.attempt) != ("failed", 0):
        yield f"{place}: {job.state} in attempt {job.attempt}"
    elif not is_structured(orjson.loads(job.failure)):
        yield f"{place}: failed with {job.failure}"


def faults_of_arrival(sent: Sent, arrived: list[tuple[Any, Any]]) -> Iterator[str]:
    form = sent.case.form
    if [handler for handler, _ in arrived] != [form]:
        yield f"handled by {[handler.label for handler, _ in arrived]}"
    for _, value in arrived:
        yield from differences(value, read(form, sent.case.near_miss.payload))


def is_structured(failure: dict[str, Any]) -> bool:
    """Whether a failure says what is wrong, and where, for programs and for people."""
    errors = failure["errors"]
    pointers = [it["path"] for it in errors]
    return (
        failure["reason"] == "invalid_payload"
        and bool(failure["message"])
        and len(errors) > 0
        and all(it["code"] and it["message"] for it in errors)
        and all(path == "" or path.startswith("/") for path in pointers)
    )


# The near misses themselves.


def test_near_misses_are_spread_over_all_forms_and_kinds_of_damage() -> None:
    refused = [case for case in collect(FORMS, REFUSED, SEED) if not case.allowed]
    by_form = Counter(case.form.label for case in refused)
    assert len(refused) >= REFUSED and len(by_form) == len(FORMS)
    assert max(by_form.values()) - min(by_form.values()) <= 1
    by_damage = Counter(case.near_miss.why.rpartition(": ")[2] for case in refused)
    assert len(by_damage) > 40 and max(by_damage.values()) < len(refused) / 10
    payloads = {(case.form.label, case.near_miss.payload) for case in refused}
    assert len(payloads) == len(refused), "each another one"


def test_near_misses_are_the_same_for_the_same_seed() -> None:
    def payloads(seed: int) -> list[bytes]:
        return [case.near_miss.payload for case in collect(FORMS[:4], 100, seed)]

    assert payloads(1) == payloads(1) != payloads(2)


def test_what_is_no_json_is_allowed_by_no_type() -> None:
    for form in FORMS:
        for near_miss in islice(near_misses(form, random.Random(SEED)), 100):
            if near_miss.breaks:
                assert not is_allowed(form, near_miss.payload), (form.label, near_miss)


def test_samples_are_allowed() -> None:
    for case in collect(FORMS, 1, SEED):
        if case.near_miss.why == "a sample":
            assert case.allowed and is_allowed(case.form, case.near_miss.payload)
