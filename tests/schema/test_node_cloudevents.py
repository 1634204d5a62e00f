"""What the CloudEvents project's own SDK for JavaScript says of our events, and we of its."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from omniq_typed import Bus, QueueMonitor
from omniq_typed.errors import InvalidArgument
from omniq_typed.models import JobInfo
from omniq_typed.schema.cloudevents import from_cloudevent, to_cloudevent
from tests import node
from tests.catalogue import FORMS, REGISTRY
from tests.servers import Server

pytestmark = pytest.mark.slow
HERE = Path(__file__).parent
EVENT = {"specversion": "1.0", "id": "1", "source": "shop", "type": "t", "data": {}}


def judged(folder: Path, events: list[Any]) -> tuple[list[str], list[dict[str, Any]]]:
    """Events that the SDK made, and what it says of these."""
    given = "".join(json.dumps(event) + "\n" for event in events).encode()
    made, *verdicts = node.run(HERE / "cloudevents.cjs", folder, given).splitlines()
    return json.loads(made), [json.loads(verdict) for verdict in verdicts]


@pytest.fixture
def jobs(valkey_server: Server) -> list[JobInfo]:
    """A published job of every sample of the catalogue."""
    valkey_server.ensure_running()
    valkey_server.flushall()
    found = []
    with Bus(valkey_server.url, registry=REGISTRY, source="https://shop.example/a") as bus:
        monitor = QueueMonitor(bus)
        for form in FORMS:
            queue = form.message_type.queue or "queue"
            for sample in form.samples:
                job_id = bus.publish_json(
                    sample,
                    message_type=form.message_type,
                    queue=queue,
                    correlation_id="talk é",
                    traceparent="00-1-2-01",
                )
                job = monitor.get_job(queue, job_id)
                assert job is not None
                found.append(job)
    return found


def test_every_sample_of_the_catalogue_is_an_event(
    node_packages: Path, jobs: list[JobInfo]
) -> None:
    assert len(jobs) > 100
    _, verdicts = judged(node_packages, [to_cloudevent(job) for job in jobs])
    for job, verdict in zip(jobs, verdicts, strict=True):
        assert (verdict["schema"], verdict["sdk"]) == ([], None), job
        back = from_cloudevent(json.loads(verdict["json"]))
        assert (back.job_id, back.gid, back.side) == (job.job_id, job.gid, job.side)
        assert as_javascript_reads(back.payload) == as_javascript_reads(job.payload_raw)


def as_javascript_reads(payload: bytes) -> Any:
    return json.loads(payload, parse_int=float)


def test_events_that_the_sdk_made_are_jobs(node_packages: Path) -> None:
    made, _ = judged(node_packages, [])
    plain, extended, binary = (from_cloudevent(json.loads(text)) for text in made)
    assert plain.side == {"msg_type": "orders.created", "msg_source": "/shop"}
    assert json.loads(plain.payload) == {"number": 7, "note": "é✨"}
    assert (extended.job_id, extended.gid, extended.payload) == ("1", "group", b"[1,null]")
    assert extended.side == {"msg_type": "a", "msg_source": "urn:x", "msg_version": "2"}
    assert binary.payload == b'{"number": 8}'


@pytest.mark.parametrize(
    "change",
    [
        {"id": None},
        {"id": ""},
        {"id": 5},
        {"source": ""},
        {"type": None},
        {"type": ""},
        {"type": 1},
        {"subject": 5},
        {"dataschema": []},
        {"data_base64": 5},
        {"datacontenttype": 5},
    ],
)
def test_what_the_official_schema_refuses_we_refuse(
    node_packages: Path, change: dict[str, Any]
) -> None:
    event = {name: value for name, value in (EVENT | change).items() if value is not None}
    _, (whole, broken) = judged(node_packages, [EVENT, event])
    assert whole["schema"] == [] and broken["schema"] != []
    from_cloudevent(EVENT)
    with pytest.raises(InvalidArgument):
        from_cloudevent(event)
