"""A job as a CloudEvent, and back."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniq_typed import Bus, QueueMonitor, Registry, message
from omniq_typed.errors import InvalidArgument
from omniq_typed.models import JobInfo, NewJob
from omniq_typed.schema.cloudevents import from_cloudevent, to_cloudevent
from tests.servers import Server

REGISTRY = Registry(strict_types=False)


@message("orders.created", queue="orders", registry=REGISTRY)
@dataclass
class Order:
    number: int


@pytest.fixture
def bus(valkey_server: Server) -> Iterator[Bus]:
    valkey_server.flushall()
    with Bus(valkey_server.url, registry=REGISTRY, source="shop") as opened:
        yield opened


def published(bus: Bus, **options: Any) -> JobInfo:
    job = QueueMonitor(bus).get_job("orders", bus.publish_json(Order(7), **options))
    assert job is not None
    return job


def test_a_published_message_is_an_event(bus: Bus) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    job = published(bus, job_id="1", gid="c:9", correlation_id="r-1", traceparent=trace)
    event = to_cloudevent(job)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", event.pop("time"))
    assert re.fullmatch(r"urn:omniq:schema:orders.created:1:[0-9a-f]{16}", event.pop("dataschema"))
    assert event == {
        "specversion": "1.0",
        "id": "1",
        "source": "shop",
        "type": "orders.created",
        "subject": "c:9",
        "msgversion": "1",
        "correlationid": "r-1",
        "traceparent": trace,
        "datacontenttype": "application/json",
        "data": {"number": 7},
    }


def test_an_event_comes_back_as_the_same_job(bus: Bus) -> None:
    job = published(bus, gid="c:9", correlation_id="r-1")
    event = json.loads(json.dumps(to_cloudevent(job)))
    assert from_cloudevent(event) == NewJob(
        job.job_id, job.payload_raw, gid="c:9", side=dict(job.side)
    )


text = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
)
side_names = ["msg_type", "msg_version", "msg_source", "msg_correlation_id", "msg_causation_id"]


@given(
    job_id=text,
    gid=st.text(st.characters(codec="utf-8"), max_size=10),
    side=st.dictionaries(st.sampled_from(side_names), text),
    payload=st.one_of(
        st.binary(max_size=30).filter(lambda it: it != b"null"),
        st.one_of(st.lists(values, max_size=3), st.dictionaries(text, values, max_size=3)).map(
            lambda it: json.dumps(it, ensure_ascii=False, separators=(",", ":")).encode()
        ),
    ),
)
def test_there_and_back_is_the_law(
    job_id: str, gid: str, side: dict[str, str], payload: bytes
) -> None:
    times = dict.fromkeys(
        [*("lock_until_ms", "due_ms", "last_error_ms", "updated_ms", "queued_ms"),
         *("first_started_ms", "last_started_ms", "completed_ms", "failed_ms")], 0
    )  # fmt: skip
    job = JobInfo(
        job_id=job_id,
        state="wait",
        gid=gid,
        attempt=0,
        max_attempts=3,
        timeout_ms=0,
        backoff_ms=0,
        lease_token="",
        payload="",
        payload_raw=payload,
        last_error="",
        created_ms=1_700_000_000_000,
        failure="",
        side=side,
        **times,
    )
    event = json.loads(json.dumps(to_cloudevent(job)))
    back = from_cloudevent(event)
    assert (back.job_id, back.gid, dict(back.side)) == (job_id, gid, side)
    if "data_base64" in event:
        assert back.payload == payload
    else:
        assert json.loads(back.payload) == json.loads(payload)


NAMED = {"specversion": "1.0", "type": "a", "source": "b", "id": "1"}


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({}, "specversion"),
        ({"specversion": "0.3"}, "specversion"),
        ({"specversion": "1.0", "type": "a", "source": "b"}, "id"),
        (NAMED, "no JSON"),
        ({**NAMED, "data_base64": "?"}, "base64"),
        ({**NAMED, "source": 5, "data": {}}, "source"),
    ],
)  # fmt: skip
def test_what_is_no_event_is_refused(event: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidArgument, match=said):
        from_cloudevent(event)
