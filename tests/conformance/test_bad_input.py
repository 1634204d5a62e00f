"""Arguments that could never work, and servers that cannot be used: each is an exception of our
own that names what is at fault, and none leaves a key behind."""

from __future__ import annotations

import contextlib
import math
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from omniq_typed import NewJob, OmniqClient
from omniq_typed.errors import (
    AuthenticationFailed,
    BatchTooLarge,
    ConnectionLost,
    InvalidArgument,
    InvalidPayload,
    OmniqError,
    PayloadTooLarge,
    PermissionDenied,
    ReadOnlyServer,
    ServerLoading,
    ServerOutOfMemory,
)
from tests.conformance.doors import (
    Doors,
    Face,
    contents,
    dump,
    fail,
    handler_for,
    nodes,
    open_doors,
    take,
)
from tests.servers import AnyServer, Cluster, Kind, Server, free_port, wait_until

Q = "orders"
MIB = 1024 * 1024
Call = Callable[[Doors], object]


# Arguments


@dataclass
class Order:
    order_id: str
    amount: int = field(default=1)


BAD_QUEUES: list[Any] = [
    "", " ", "a b", "a:b", "{a}", "a{b", "a\n", "\n", "a\x00", "é", "a/b", "a*", "a" * 129,
    None, 5, b"orders", ["orders"],
]  # fmt: skip
BAD_IDS: list[Any] = [
    "", "a{b", "a}b", "{a}", "a\nb", "a\n", "\r", "a\x00", "\x1f", "\x7f", "a" * 257, "\ud800",
    5, 0, False, b"a", ["a"], [],
]  # fmt: skip
BAD_TIMES: list[Any] = [-1, 10**14, 1.5, "1", True]

ON_A_QUEUE: dict[str, Callable[[Doors, Any], object]] = {
    "publish": lambda d, q: d.client.publish(queue=q, payload={}),
    "publish_json": lambda d, q: d.client.publish_json(queue=q, payload=Order("A")),
    "publish_raw": lambda d, q: d.client.publish_raw(queue=q, payload=b"{}"),
    "publish_batch": lambda d, q: d.client.publish_batch(queue=q, jobs=[NewJob("j", b"{}")]),
    "reserve": lambda d, q: d.client.reserve(queue=q),
    "heartbeat": lambda d, q: d.client.heartbeat(queue=q, job_id="j", lease_token="t"),
    "ack_success": lambda d, q: d.client.ack_success(queue=q, job_id="j", lease_token="t"),
    "ack_fail": lambda d, q: d.client.ack_fail(queue=q, job_id="j", lease_token="t"),
    "promote_delayed": lambda d, q: d.client.promote_delayed(queue=q),
    "reap_expired": lambda d, q: d.client.reap_expired(queue=q),
    "pause": lambda d, q: d.client.pause(queue=q),
    "resume": lambda d, q: d.client.resume(queue=q),
    "is_paused": lambda d, q: d.client.is_paused(queue=q),
    "retry_failed": lambda d, q: d.client.retry_failed(queue=q, job_id="j"),
    "retry_failed_batch": lambda d, q: d.client.retry_failed_batch(queue=q, job_ids=["j"]),
    "remove_job": lambda d, q: d.client.remove_job(queue=q, job_id="j", lane="wait"),
    "remove_jobs_batch": lambda d, q: d.client.remove_jobs_batch(
        queue=q, lane="wait", job_ids=["j"]
    ),
    "set_group_limit": lambda d, q: d.client.set_group_limit(queue=q, gid="g", limit=1),
    "set_rate_limit": lambda d, q: d.client.set_rate_limit(queue=q, per_s=1),
    "set_concurrency_limit": lambda d, q: d.client.set_concurrency_limit(queue=q, limit=1),
    "limits": lambda d, q: d.monitor.limits(q),
    "consume": lambda d, q: d.client.consume(queue=q, handler=handler_for(d.face, print)),
    "stats": lambda d, q: d.monitor.stats(q),
    "stats_many": lambda d, q: d.monitor.stats_many([q]),
    "groups_ready": lambda d, q: d.monitor.groups_ready(q),
    "group_status": lambda d, q: d.monitor.group_status(q, ["g"]),
    "lane_page": lambda d, q: d.monitor.lane_page(q, "wait"),
    "get_job": lambda d, q: d.monitor.get_job(q, "j"),
    "find_jobs": lambda d, q: d.monitor.find_jobs(q, "wait", ["j"]),
    "overview": lambda d, q: d.monitor.overview(q),
}

ON_A_JOB: dict[str, Callable[[Doors, Any], object]] = {
    "publish": lambda d, j: d.client.publish(queue=Q, payload={}, job_id=j),
    "publish_json": lambda d, j: d.client.publish_json(queue=Q, payload=Order("A"), job_id=j),
    "publish_raw": lambda d, j: d.client.publish_raw(queue=Q, payload=b"{}", job_id=j),
    "publish_batch": lambda d, j: d.client.publish_batch(
        queue=Q, jobs=[NewJob("fine", b"{}"), NewJob(j, b"{}")]
    ),
    "heartbeat": lambda d, j: d.client.heartbeat(queue=Q, job_id=j, lease_token="t"),
    "ack_success": lambda d, j: d.client.ack_success(queue=Q, job_id=j, lease_token="t"),
    "ack_fail": lambda d, j: d.client.ack_fail(queue=Q, job_id=j, lease_token="t"),
    "retry_failed": lambda d, j: d.client.retry_failed(queue=Q, job_id=j),
    "retry_failed_batch": lambda d, j: d.client.retry_failed_batch(queue=Q, job_ids=["fine", j]),
    "remove_job": lambda d, j: d.client.remove_job(queue=Q, job_id=j, lane="wait"),
    "remove_jobs_batch": lambda d, j: d.client.remove_jobs_batch(
        queue=Q, lane="wait", job_ids=["fine", j]
    ),
    "get_job": lambda d, j: d.monitor.get_job(Q, j),
    "find_jobs": lambda d, j: d.monitor.find_jobs(Q, "wait", ["fine", j]),
}

WITH_A_GROUP: dict[str, Callable[[Doors, Any], object]] = {
    "publish": lambda d, g: d.client.publish(queue=Q, payload={}, gid=g),
    "set_group_limit": lambda d, g: d.client.set_group_limit(queue=Q, gid=g, limit=1),
    "set_rate_limit": lambda d, g: d.client.set_rate_limit(queue=Q, per_s=1, gid=g),
    "group_status": lambda d, g: d.monitor.group_status(Q, [g]),
}

AT_A_TIME: dict[tuple[str, str], Callable[[Doors, Any], object]] = {
    ("publish", "due_ms"): lambda d, t: d.client.publish(queue=Q, payload={}, due_ms=t),
    ("publish", "timeout_ms"): lambda d, t: d.client.publish(queue=Q, payload={}, timeout_ms=t),
    ("publish", "backoff_ms"): lambda d, t: d.client.publish(queue=Q, payload={}, backoff_ms=t),
    ("publish", "now_ms_override"): lambda d, t: d.client.publish(
        queue=Q, payload={}, now_ms_override=t
    ),
    ("publish_batch", "due_ms"): lambda d, t: d.client.publish_batch(
        queue=Q, jobs=[NewJob("fine", b"{}"), NewJob("j", b"{}", due_ms=t)]
    ),
    ("publish_batch", "now_ms_override"): lambda d, t: d.client.publish_batch(
        queue=Q, jobs=[NewJob("j", b"{}")], now_ms_override=t
    ),
    ("reserve", "now_ms_override"): lambda d, t: d.client.reserve(queue=Q, now_ms_override=t),
    ("heartbeat", "now_ms_override"): lambda d, t: d.client.heartbeat(
        queue=Q, job_id="j", lease_token="t", now_ms_override=t
    ),
    ("ack_success", "now_ms_override"): lambda d, t: d.client.ack_success(
        queue=Q, job_id="j", lease_token="t", now_ms_override=t
    ),
    ("ack_fail", "delay_ms"): lambda d, t: d.client.ack_fail(
        queue=Q, job_id="j", lease_token="t", delay_ms=t
    ),
    ("ack_fail", "now_ms_override"): lambda d, t: d.client.ack_fail(
        queue=Q, job_id="j", lease_token="t", now_ms_override=t
    ),
    ("promote_delayed", "now_ms_override"): lambda d, t: d.client.promote_delayed(
        queue=Q, now_ms_override=t
    ),
    ("reap_expired", "now_ms_override"): lambda d, t: d.client.reap_expired(
        queue=Q, now_ms_override=t
    ),
    ("retry_failed", "now_ms_override"): lambda d, t: d.client.retry_failed(
        queue=Q, job_id="j", now_ms_override=t
    ),
    ("retry_failed_batch", "now_ms_override"): lambda d, t: d.client.retry_failed_batch(
        queue=Q, job_ids=["j"], now_ms_override=t
    ),
}

NOT_JSON: list[Any] = [
    b"", b" ", b"{", b"{}{}", b"{'a': 1}", b"not json", b"\xff\xfe", b'{"a": NaN}', b'"text"',
    b"1", b"null", b"true", "{}", None, {}, bytearray(b"{}"),
]  # fmt: skip
UNSTRUCTURED: list[Any] = ["text", b"{}", 5, 1.5, None, True, ("a",), {"a"}]
UNWRITABLE: list[Any] = [
    {"a": object()}, {1: 2}, {"a": {1, 2}}, {"a": 2**70}, {"a": "\ud800"},
    {"a": math.nan}, [[math.inf]], {"a": None, "b": [{"c": -math.inf}]},
]  # fmt: skip


def _nested(depth: int) -> dict[str, Any]:
    payload: dict[str, Any] = {}
    for _ in range(depth):
        payload = {"in": payload}
    return payload


BAD_LANES: list[Any] = ["", "waiting", "WAIT", "wait\n", None, 5, ["wait"]]
BAD_COUNTS: list[Any] = [0, -1, 1.5, "3", None, True]
BAD_INTERVALS: list[Any] = [0, -1, 0.0001, math.nan, math.inf, "1", True]
BAD_TOKENS: list[Any] = [None, 5, b"t", "\ud800"]
BAD_SIDES: list[Any] = [
    {"state": "active"}, {"msg_type": 5}, {"msg_\n": "a"}, {5: "a"}, {"msg_type": "\ud800"},
]  # fmt: skip

OTHERS: list[tuple[str, str, list[Any], Callable[[Doors, Any], object]]] = [
    (
        "remove_job",
        "lane",
        ["active", *BAD_LANES],
        lambda d, v: d.client.remove_job(queue=Q, job_id="j", lane=v),
    ),
    (
        "remove_jobs_batch",
        "lane",
        ["active", *BAD_LANES],
        lambda d, v: d.client.remove_jobs_batch(queue=Q, lane=v, job_ids=["j"]),
    ),
    ("lane_page", "lane", BAD_LANES, lambda d, v: d.monitor.lane_page(Q, v)),
    ("find_jobs", "lane", BAD_LANES, lambda d, v: d.monitor.find_jobs(Q, v, ["j"])),
    (
        "retry_failed_batch",
        "job_ids",
        ["j", b"j", 5, None],
        lambda d, v: d.client.retry_failed_batch(queue=Q, job_ids=v),
    ),
    (
        "remove_jobs_batch",
        "job_ids",
        ["j", b"j", 5, None],
        lambda d, v: d.client.remove_jobs_batch(queue=Q, lane="wait", job_ids=v),
    ),
    (
        "publish",
        "max_attempts",
        BAD_COUNTS,
        lambda d, v: d.client.publish(queue=Q, payload={}, max_attempts=v),
    ),
    (
        "publish",
        "group_limit",
        [-1, 1.5, "3", None, True],
        lambda d, v: d.client.publish(queue=Q, payload={}, gid="g", group_limit=v),
    ),
    (
        "publish-strict",
        "group_limit",
        [2],
        lambda d, v: d.client.publish(
            queue=Q, payload={}, gid="g", ordering="strict", group_limit=v
        ),
    ),
    (
        "publish",
        "ordering",
        ["", "fifo", None],
        lambda d, v: d.client.publish(queue=Q, payload={}, gid="g", ordering=v),
    ),
    (
        "publish-ungrouped",
        "ordering",
        ["strict"],
        lambda d, v: d.client.publish(queue=Q, payload={}, ordering=v),
    ),
    (
        "publish_batch",
        "side",
        BAD_SIDES,
        lambda d, v: d.client.publish_batch(
            queue=Q, jobs=[NewJob("fine", b"{}"), NewJob("j", b"{}", side=v)]
        ),
    ),
    (
        "set_group_limit",
        "limit",
        BAD_COUNTS,
        lambda d, v: d.client.set_group_limit(queue=Q, gid="g", limit=v),
    ),
    (
        "set_rate_limit",
        "per_s",
        ["1", True, -1, 1e-9, float("nan"), float("inf"), 2_000_000],
        lambda d, v: d.client.set_rate_limit(queue=Q, per_s=v),
    ),
    (
        "set_rate_limit-burst",
        "burst",
        [0, -1, 1.5, True, "1"],
        lambda d, v: d.client.set_rate_limit(queue=Q, per_s=1, burst=v),
    ),
    (
        "set_concurrency_limit",
        "limit",
        [-1, 1.5, True, "1"],
        lambda d, v: d.client.set_concurrency_limit(queue=Q, limit=v),
    ),
    (
        "promote_delayed",
        "max_promote",
        BAD_COUNTS,
        lambda d, v: d.client.promote_delayed(queue=Q, max_promote=v),
    ),
    (
        "reap_expired",
        "max_reap",
        BAD_COUNTS,
        lambda d, v: d.client.reap_expired(queue=Q, max_reap=v),
    ),
    ("childs_init", "expected", BAD_COUNTS, lambda d, v: d.client.childs_init(key="k", expected=v)),
    (
        "childs_init",
        "key",
        [*BAD_IDS, "a" * 129],
        lambda d, v: d.client.childs_init(key=v, expected=1),
    ),
    (
        "child_ack",
        "key",
        [*BAD_IDS, "a" * 129],
        lambda d, v: d.client.child_ack(key=v, child_id="c"),
    ),
    (
        "child_ack",
        "child_id",
        [*BAD_IDS, None],
        lambda d, v: d.client.child_ack(key="k", child_id=v),
    ),
    (
        "heartbeat",
        "lease_token",
        BAD_TOKENS,
        lambda d, v: d.client.heartbeat(queue=Q, job_id="j", lease_token=v),
    ),
    (
        "ack_success",
        "lease_token",
        BAD_TOKENS,
        lambda d, v: d.client.ack_success(queue=Q, job_id="j", lease_token=v),
    ),
    (
        "ack_fail",
        "lease_token",
        BAD_TOKENS,
        lambda d, v: d.client.ack_fail(queue=Q, job_id="j", lease_token=v),
    ),
    (
        "ack_fail",
        "error",
        [5, b"why", ValueError("why")],
        lambda d, v: d.client.ack_fail(queue=Q, job_id="j", lease_token="t", error=v),
    ),
    (
        "consume",
        "poll_interval_s",
        [None, *BAD_INTERVALS],
        lambda d, v: d.client.consume(
            queue=Q, handler=handler_for(d.face, print), poll_interval_s=v
        ),
    ),
    (
        "consume",
        "heartbeat_interval_s",
        BAD_INTERVALS,
        lambda d, v: d.client.consume(
            queue=Q, handler=handler_for(d.face, print), heartbeat_interval_s=v
        ),
    ),
    (
        "publish_batch",
        "jobs",
        [
            None,
            5,
            "jobs",
            b"jobs",
            iter([]),
            [{}],
            [NewJob("fine", b"{}"), b"{}"],
            NewJob("j", b"{}"),
        ],
        lambda d, v: d.client.publish_batch(queue=Q, jobs=v),
    ),
    ("publish_raw", "payload", NOT_JSON, lambda d, v: d.client.publish_raw(queue=Q, payload=v)),
    (
        "publish_batch",
        "payload",
        NOT_JSON,
        lambda d, v: d.client.publish_batch(queue=Q, jobs=[NewJob("fine", b"{}"), NewJob("j", v)]),
    ),
    (
        "publish",
        "payload",
        [*UNSTRUCTURED, *UNWRITABLE, _nested(2000)],
        lambda d, v: d.client.publish(queue=Q, payload=v),
    ),
]
"""(call, the argument at fault, values that it cannot have, the call with one of them)"""


def _bound(call: Callable[[Doors, Any], object], value: Any) -> Call:
    return lambda doors: call(doors, value)


def _calls() -> Iterator[tuple[str, str, Call]]:
    """(name, the field at fault, the call)."""
    table = [(name, "queue", BAD_QUEUES, call) for name, call in ON_A_QUEUE.items()]
    table += [(name, "job_id", BAD_IDS, call) for name, call in ON_A_JOB.items()]
    # An empty gid is none.
    table += [(name, "gid", BAD_IDS[1:], call) for name, call in WITH_A_GROUP.items()]
    table += [(name, argument, BAD_TIMES, call) for (name, argument), call in AT_A_TIME.items()]
    for name, argument, values, call in table + OTHERS:
        for number, value in enumerate(values):
            yield f"{name}-{argument}-{number}", argument, _bound(call, value)


CALLS = list(_calls())


def fault_of(doors: Doors, call: Call) -> str:
    """The field that the call is refused for, or what happened instead."""
    try:
        answer = call(doors)
    except InvalidArgument as refused:
        described = refused.problem and str(refused) == f"{refused.field}: {refused.problem}"
        return refused.field if described else f"no description: {refused}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return f"answered {answer!r}"


def test_a_call_that_cannot_work_names_the_field_and_asks_no_server(face: Face) -> None:
    """Nothing listens there: what asked the server would be ConnectionLost."""
    with open_doors(face, host="127.0.0.1", port=free_port()) as doors:
        wrong = {
            name: found
            for name, argument, call in CALLS
            if (found := fault_of(doors, call)) != argument
        }
    assert wrong == {}


def test_a_call_that_cannot_work_leaves_no_key(server: Server, face: Face) -> None:
    with open_doors(face, url=server.url) as doors:
        for _, _, call in CALLS:
            with contextlib.suppress(OmniqError, TypeError):
                call(doors)
        assert dump(server) == {}
        doors.client.publish(queue=Q, payload={})
        assert dump(server) != {}


@pytest.mark.parametrize("options", [{}, {"host": "h", "url": "redis://h"}, {"url": "http://h"}])
def test_a_client_without_a_clear_address_is_refused(face: Face, options: dict[str, str]) -> None:
    with pytest.raises(InvalidArgument) as refused, open_doors(face, **options):
        pass
    assert refused.value.field == ("url" if options == {"url": "http://h"} else "host")


@pytest.mark.parametrize("option", ["max_payload_bytes", "keep_completed", "child_memory_ms"])
def test_an_option_out_of_range_is_refused(face: Face, option: str) -> None:
    wrong: dict[str, Any] = {option: -1}
    with pytest.raises(InvalidArgument) as refused, open_doors(face, host="h", **wrong):
        pass
    assert refused.value.field == option


# Payloads


@pytest.mark.parametrize("text", ["", "text", '{"n": 1}'])
def test_a_str_payload_is_a_type_error_that_says_how_to_wrap(
    server: Server, face: Face, text: Any
) -> None:
    with open_doors(face, url=server.url) as doors:
        with pytest.raises(TypeError, match="wrap it") as refused:
            doors.client.publish(queue=Q, payload=text)
        assert isinstance(refused.value, InvalidArgument) and refused.value.field == "payload"
        with pytest.raises(OmniqError):
            doors.client.publish_json(queue=Q, payload=text)
    assert dump(server) == {}


def test_a_value_that_its_own_type_does_not_allow_names_the_path(
    server: Server, face: Face
) -> None:
    bad: Any = "many"
    with (
        open_doors(face, url=server.url) as doors,
        pytest.raises(InvalidPayload) as refused,
    ):
        doors.client.publish_json(queue=Q, payload=Order("A", bad))
    assert refused.value.field == "payload"
    assert [fault.path for fault in refused.value.faults] == ["/amount"]
    assert dump(server) == {}


def payload_of(size: int) -> dict[str, str]:
    return {"a": "x" * (size - len('{"a":""}'))}


@pytest.mark.parametrize("limit", [MIB, 100])
def test_a_payload_may_have_the_limit_and_not_a_byte_more(
    server: Server, face: Face, limit: int
) -> None:
    options = {} if limit == MIB else {"max_payload_bytes": limit}
    raw = b'{"a":"' + b"x" * (limit - 8) + b'"}'
    with open_doors(face, url=server.url, **options) as doors:
        client = doors.client
        too_large: list[Call] = [
            lambda d: d.client.publish(queue=Q, payload=payload_of(limit + 1)),
            lambda d: d.client.publish_json(queue=Q, payload=payload_of(limit + 1)),
            lambda d: d.client.publish_raw(queue=Q, payload=raw + b" "),
            lambda d: d.client.publish_batch(
                queue=Q, jobs=[NewJob("fine", b"{}"), NewJob("j", raw + b" ")]
            ),
        ]
        for call in too_large:
            with pytest.raises(PayloadTooLarge) as refused:
                call(doors)
            found = refused.value
            assert (found.size, found.limit, found.field) == (limit + 1, limit, "payload")
        assert dump(server) == {}

        client.publish(queue=Q, payload=payload_of(limit))
        client.publish_json(queue=Q, payload=payload_of(limit))
        client.publish_raw(queue=Q, payload=raw)
        client.publish_batch(queue=Q, jobs=[NewJob("j", raw)])
        for _ in range(4):
            assert take(client, Q, now_ms=0).payload.encode() == raw


def test_the_size_of_a_payload_is_counted_in_bytes(server: Server, face: Face) -> None:
    with open_doors(face, url=server.url, max_payload_bytes=10) as doors:
        with pytest.raises(PayloadTooLarge) as refused:
            doors.client.publish(queue=Q, payload=["€€€"])
        assert refused.value.size == 13
        doors.client.publish(queue=Q, payload=["€€"])


@pytest.mark.parametrize("payload", [{}, []])
def test_the_smallest_payloads_pass(server: Server, face: Face, payload: Any) -> None:
    with open_doors(face, url=server.url) as doors:
        doors.client.publish(queue=Q, payload=payload)
        assert take(doors.client, Q, now_ms=0).payload == str(payload)


# Batches


def test_a_batch_of_101_is_refused_and_changes_nothing(server: Server, face: Face) -> None:
    with open_doors(face, url=server.url) as doors:
        client = doors.client
        fail(client, Q, "0")
        client.publish(queue=Q, payload={}, job_id="1")
        before = contents(server)
        ids = [str(n) for n in range(101)]
        calls: list[Call] = [
            lambda d: d.client.retry_failed_batch(queue=Q, job_ids=ids),
            lambda d: d.client.remove_jobs_batch(queue=Q, lane="wait", job_ids=ids),
        ]
        for call in calls:
            with pytest.raises(BatchTooLarge) as refused:
                call(doors)
            found = refused.value
            assert (found.field, found.size, found.limit) == ("job_ids", 101, 100)
        assert contents(server) == before
        assert client.retry_failed_batch(queue=Q, job_ids=ids[:100])[0].status == "OK"


# Permissions

PASSWORD = "s3cret"
OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"


@contextlib.contextmanager
def acl_user(server: AnyServer, *rules: str) -> Iterator[dict[str, Any]]:
    """A user `limited` with these rules; the options with which a client is it."""
    for node in nodes(server):
        words = ["SETUSER", "limited", "reset", "on", f">{PASSWORD}", *rules]
        node.kept().execute_command("ACL", *words)
    first = nodes(server)[0]
    try:
        yield {
            "host": first.host,
            "port": first.port,
            "username": "limited",
            "password": PASSWORD,
        }
    finally:
        for node in nodes(server):
            node.kept().execute_command("ACL", "DELUSER", "limited")


def documented_acl() -> list[str]:
    """The rules of the user in docs/operations.md, without its name and switch."""
    found = re.search(r"^ACL SETUSER (.*?)^```", OPERATIONS.read_text(), re.DOTALL | re.MULTILINE)
    assert found is not None
    name, on, password, *rules = found[1].split()
    assert (name, on, password) == (Q, "on", ">password")
    return rules


def documented_extras() -> tuple[list[str], list[str]]:
    """What the text below adds, for scanning and for a cluster."""
    found = re.search(
        r"`QueueMonitor\.scan_queues` needs(.*?), and a cluster(.*?)\.",
        OPERATIONS.read_text(),
        re.DOTALL,
    )
    assert found is not None
    scan, cluster = (
        [str(rule) for rule in re.findall(r"\+[^`\s]+", part)] for part in found.groups()
    )
    assert scan and cluster
    return scan, cluster


def needed_rules(server: AnyServer) -> list[str]:
    _, cluster = documented_extras()
    return documented_acl() + (cluster if isinstance(server, Cluster) else [])


def test_the_documented_user_can_do_all_that_a_program_does(
    any_server: AnyServer, face: Face
) -> None:
    with (
        acl_user(any_server, *needed_rules(any_server)) as user,
        open_doors(face, **user) as doors,
    ):
        client, monitor = doors.client, doors.monitor
        client.publish(queue=Q, payload={}, job_id="done")
        client.publish(queue=Q, payload={}, job_id="bad", max_attempts=1)
        client.publish(queue=Q, payload={}, job_id="late", due_ms=10**13)
        client.publish(queue=Q, payload={}, job_id="g", gid="g", group_limit=2)
        client.publish(queue=Q, payload={}, job_id="s", gid="s", ordering="strict")
        tokens = {}
        for _ in range(4):
            job = take(client, Q, now_ms=0)
            tokens[job.job_id] = job.lease_token
            client.heartbeat(queue=Q, job_id=job.job_id, lease_token=job.lease_token)
        client.ack_success(queue=Q, job_id="done", lease_token=tokens["done"])
        client.ack_fail(queue=Q, job_id="bad", lease_token=tokens["bad"], error="no")
        client.ack_fail(queue=Q, job_id="s", lease_token=tokens["s"], error="no")
        client.set_group_limit(queue=Q, gid="g", limit=3)
        client.set_rate_limit(queue=Q, per_s=9, gid="g")
        client.set_concurrency_limit(queue=Q, limit=None)
        client.reap_expired(queue=Q, now_ms_override=10**12 * 9)
        client.promote_delayed(queue=Q, now_ms_override=10**13)
        client.retry_failed(queue=Q, job_id="bad")
        client.remove_job(queue=Q, job_id="bad", lane="wait")
        client.remove_job(queue=Q, job_id="done", lane="completed")
        client.pause(queue=Q)
        assert client.is_paused(queue=Q)
        client.resume(queue=Q)
        client.childs_init(key="set", expected=2)
        assert [client.child_ack(key="set", child_id=child) for child in "abb"] == [1, 0, 0]

        assert monitor.stats(Q).waiting_total == 3
        assert [stats.queue for stats in monitor.stats_many([Q])] == [Q]
        assert len(monitor.groups_ready(Q)) == 2
        assert monitor.group_status(Q, ["g"])[0].limit == 3
        assert len(monitor.lane_page(Q, "wait")) == 3
        assert [job.job_id for job in monitor.find_jobs(Q, "wait", ["late", "no"])] == ["late"]
        assert monitor.overview(Q).stats.queue == Q
        found = monitor.get_job(Q, "late")
        assert found is not None and found.state == "wait"


def test_the_documented_user_can_run_a_worker(any_server: AnyServer, face: Face) -> None:
    stop = threading.Event()
    with (
        acl_user(any_server, *needed_rules(any_server)) as user,
        open_doors(face, **user) as doors,
    ):
        for n in range(3):
            doors.client.publish(queue=Q, payload={}, job_id=str(n), gid="g" if n == 1 else None)
        seen: list[str] = []

        def work(ctx: Any) -> None:
            seen.append(ctx.job_id)
            if len(seen) == 3:
                # The worker goes on to wait for work, which needs BLPOP, and is stopped there.
                threading.Thread(target=stop_when_blocked).start()

        def stop_when_blocked() -> None:
            try:
                wait_until(lambda: is_blocked(any_server), "the worker waits", 10)
            finally:
                stop.set()

        doors.client.consume(queue=Q, handler=handler_for(face, work), stop=stop)
        assert sorted(seen) == ["0", "1", "2"]
        assert doors.monitor.stats(Q).completed_kept == 3


def is_blocked(server: AnyServer) -> bool:
    for node in nodes(server):
        with contextlib.closing(node.client()) as client:
            if any(each["cmd"] == "blpop" for each in client.client_list()):
                return True
    return False


def test_scanning_for_queues_needs_the_right_that_is_documented(
    any_server: AnyServer, face: Face
) -> None:
    with open_doors(face, url=any_server.url) as doors:
        doors.client.publish(queue=Q, payload={})
    rules = needed_rules(any_server)
    with (
        acl_user(any_server, *rules) as user,
        open_doors(face, **user) as doors,
        pytest.raises(PermissionDenied),
    ):
        doors.monitor.scan_queues()
    scan, _ = documented_extras()
    with acl_user(any_server, *rules, *scan) as user, open_doors(face, **user) as doors:
        assert doors.monitor.scan_queues() == [Q]


@dataclass(frozen=True)
class Busy:
    """A server with jobs for `ACTIONS`, and the token of the job `leased`."""

    server: Server
    token: str


@pytest.fixture
def busy(server: Server) -> Busy:
    """Two jobs waiting ungrouped and grouped, one leased, one failed, one expired, one delayed."""
    with open_doors("sync", url=server.url) as doors:
        client = doors.client
        fail(client, Q, "failed")
        client.publish(queue=Q, payload={}, job_id="expired", timeout_ms=1, gid="x")
        take(client, Q, now_ms=1000)
        client.publish(queue=Q, payload={}, job_id="leased", gid="g", timeout_ms=10**12)
        token = take(client, Q, now_ms=1000).lease_token
        client.publish(queue=Q, payload={}, job_id="delayed", due_ms=10**13 - 1)
        for n in range(2):
            client.publish(queue=Q, payload={}, job_id=f"wait{n}")
            client.publish(queue=Q, payload={}, job_id=f"gwait{n}", gid="g")
        client.childs_init(key="set", expected=2)
        client.childs_init(key="single", expected=1)
    return Busy(server, token)


ACTIONS: dict[str, Callable[[OmniqClient, str], object]] = {
    "publish": lambda c, _: c.publish(queue=Q, payload={}),
    "publish-to-a-group": lambda c, _: c.publish(queue=Q, payload={}, gid="n", group_limit=2),
    "publish-strict": lambda c, _: c.publish(queue=Q, payload={}, gid="n", ordering="strict"),
    "publish-delayed": lambda c, _: c.publish(queue=Q, payload={}, due_ms=10**13),
    "reserve": lambda c, _: c.reserve(queue=Q),
    "ack_success": lambda c, t: c.ack_success(queue=Q, job_id="leased", lease_token=t),
    "ack_fail": lambda c, t: c.ack_fail(queue=Q, job_id="leased", lease_token=t),
    "ack_fail-permanent": lambda c, t: c.ack_fail(
        queue=Q, job_id="leased", lease_token=t, permanent=True
    ),
    "retry_failed": lambda c, _: c.retry_failed(queue=Q, job_id="failed"),
    "remove-wait": lambda c, _: c.remove_job(queue=Q, job_id="wait0", lane="wait"),
    "remove-gwait": lambda c, _: c.remove_job(queue=Q, job_id="gwait0", lane="gwait"),
    "remove-failed": lambda c, _: c.remove_job(queue=Q, job_id="failed", lane="failed"),
    "reap_expired": lambda c, _: c.reap_expired(queue=Q),
    "promote_delayed": lambda c, _: c.promote_delayed(queue=Q, now_ms_override=10**13),
    "heartbeat": lambda c, t: c.heartbeat(queue=Q, job_id="leased", lease_token=t),
    "set_group_limit": lambda c, _: c.set_group_limit(queue=Q, gid="g", limit=2),
    "set_rate_limit": lambda c, _: c.set_rate_limit(queue=Q, per_s=2, gid="g"),
    "set_concurrency_limit": lambda c, _: c.set_concurrency_limit(queue=Q, limit=2),
    "child_ack": lambda c, _: c.child_ack(key="set", child_id="a"),
    "child_ack-last": lambda c, _: c.child_ack(key="single", child_id="a"),
}

DENIED: dict[str, set[str]] = {
    "publish": {"evalsha", "rpush", "hset", "zadd", "time"},
    "publish-to-a-group": {"evalsha", "rpush", "hset", "zadd", "set", "time"},
    "reserve": {"evalsha", "lpop", "hset", "zadd", "zrem", "lpush", "time"},
    "ack_success": {"evalsha", "lpush", "hset", "zadd", "zrem", "del", "ltrim", "time"},
    "ack_fail": {"evalsha", "lpush", "hset", "zadd", "zrem", "del", "time"},
    "retry_failed": {"evalsha", "rpush", "lrem", "hset", "zadd", "zrem", "time"},
    "remove-wait": {"evalsha", "lrem", "del", "hset", "zrem", "time"},
    "heartbeat": {"evalsha", "hset", "hmget", "zadd", "time"},
    "child_ack": {"evalsha", "get", "decr", "sadd"},
    "child_ack-last": {"evalsha", "get", "set", "del"},
}
"""Commands without which the action cannot do its work, so that it must be refused."""


@pytest.mark.parametrize("action", ACTIONS)
def test_a_missing_command_changes_nothing(busy: Busy, face: Face, action: str) -> None:
    """Every command of the documented user in turn is taken away."""
    rules = documented_acl()
    commands = [rule for rule in rules if rule.startswith("+")]
    server, token = busy.server, busy.token
    # The scripts are known, so that none of the denials is that of SCRIPT LOAD.
    with open_doors("sync", url=server.url) as doors:
        saved, before = dump(server), contents(server)
        ACTIONS[action](doors.client, token)
        assert contents(server) != before
        restore(server, saved)
    denied = set()
    for command in commands:
        with (
            acl_user(server, *(rule for rule in rules if rule != command)) as user,
            open_doors(face, **user) as doors,
        ):
            try:
                ACTIONS[action](doors.client, token)
            except PermissionDenied as refused:
                denied.add(command.removeprefix("+"))
                unexplained = not refused.server_message
                changed = contents(server) != before
                assert (command, unexplained, changed) == (command, False, False)
            else:
                restore(server, saved)
    assert DENIED.get(action, {"evalsha"}) <= denied < {c.removeprefix("+") for c in commands}


def restore(server: Server, wanted: dict[str, bytes | None]) -> None:
    """Makes the server hold what `dump` gave."""
    server.flushall()
    with server.kept().pipeline() as pipeline:
        for key, value in wanted.items():
            assert value is not None
            pipeline.restore(key, 0, value)
        pipeline.execute()


@pytest.mark.parametrize(
    "pattern", ["~{others}:*", "~orders:*", "~{orders}:job:*", "%R~{orders}:*"]
)
@pytest.mark.parametrize("action", ["publish", "reserve", "ack_success", "remove-wait"])
def test_keys_out_of_reach_are_permission_denied(
    busy: Busy, face: Face, action: str, pattern: str
) -> None:
    before = contents(busy.server)
    rules = [rule for rule in documented_acl() if not rule.startswith("~")]
    with (
        acl_user(busy.server, *rules, pattern) as user,
        open_doors(face, **user) as doors,
        pytest.raises(PermissionDenied) as refused,
    ):
        ACTIONS[action](doors.client, busy.token)
    assert refused.value.server_message
    assert contents(busy.server) == before


def test_counters_out_of_reach_are_permission_denied(server: Server, face: Face) -> None:
    rules = [rule for rule in documented_acl() if rule != "~{cc:*"]
    with acl_user(server, *rules) as user, open_doors(face, **user) as doors:
        with pytest.raises(PermissionDenied):
            doors.client.childs_init(key="set", expected=1)
        with pytest.raises(PermissionDenied):
            doors.client.child_ack(key="set", child_id="c")
    assert dump(server) == {}


def test_a_worker_ends_with_the_exception_when_a_right_is_missing(
    server: Server, face: Face
) -> None:
    rules = [rule for rule in documented_acl() if rule != "+blpop"]
    with (
        acl_user(server, *rules) as user,
        open_doors(face, **user) as doors,
        pytest.raises(PermissionDenied),
    ):
        doors.client.consume(queue=Q, handler=handler_for(face, print))
    assert dump(server) == {}


# Logging in


@pytest.mark.parametrize(
    "login",
    [
        {},
        {"password": "wrong"},
        {"username": "nobody", "password": PASSWORD},
    ],
    ids=["none", "wrong", "unknown-user"],
)
def test_a_wrong_login_is_authentication_failed(
    guarded: Server, face: Face, login: dict[str, str]
) -> None:
    with open_doors(face, host=guarded.host, port=guarded.port, **login) as doors:
        calls: list[Call] = [
            lambda d: d.client.publish(queue=Q, payload={}),
            lambda d: d.client.reserve(queue=Q),
            lambda d: d.monitor.stats(Q),
            lambda d: d.client.consume(queue=Q, handler=handler_for(face, print)),
        ]
        for call in calls:
            with pytest.raises(AuthenticationFailed) as refused:
                call(doors)
            assert refused.value.server_message
            assert PASSWORD not in str(refused.value)
    assert dump(guarded) == {}


@pytest.fixture(params=["redis", "valkey"])
def kind(request: pytest.FixtureRequest) -> Kind:
    """The kind of a server that the test starts; skips, or fails in CI, as `server` does."""
    found: Kind = request.param
    request.getfixturevalue(f"{found}_server")
    return found


@pytest.fixture
def guarded(kind: Kind) -> Iterator[Server]:
    """A server that wants a password."""
    with Server(kind, requirepass=PASSWORD) as server:
        yield server


def test_the_right_password_is_taken(guarded: Server, face: Face) -> None:
    with open_doors(face, url=guarded.url) as doors:
        doors.client.publish(queue=Q, payload={})
    assert dump(guarded) != {}


def test_nothing_listening_is_connection_lost(face: Face) -> None:
    with open_doors(face, host="127.0.0.1", port=free_port()) as doors:
        calls: list[Call] = [
            lambda d: d.client.publish(queue=Q, payload={}),
            lambda d: d.client.reserve(queue=Q),
            lambda d: d.monitor.stats(Q),
        ]
        for call in calls:
            with pytest.raises(ConnectionLost) as refused:
                call(doors)
            assert isinstance(refused.value, ConnectionError)


# Servers that cannot take the call


@pytest.mark.slow
def test_a_loading_server_is_server_loading(kind: Kind, face: Face, tmp_path: Path) -> None:
    with (
        Server(kind, dir=str(tmp_path), rdbcompression="no") as first,
        open_doors(face, url=first.url) as doors,
    ):
        for n in range(64):
            doors.client.publish(queue=Q, payload=payload_of(2048), job_id=str(n))
        before = contents(first)
        first.command("SAVE")
    slow: dict[str, str | int] = {
        "dir": str(tmp_path),
        "key-load-delay": 200_000,  # microseconds a key
        "loading-process-events-interval-bytes": 1024,
    }
    with Server(kind, **slow) as server, open_doors(face, url=server.url) as doors:
        calls: list[Call] = [
            lambda d: d.client.publish(queue=Q, payload={}),
            lambda d: d.client.reserve(queue=Q),
            lambda d: d.client.retry_failed(queue=Q, job_id="0"),
            lambda d: d.monitor.stats(Q),
        ]
        for call in calls:
            with pytest.raises(ServerLoading) as refused:
                call(doors)
            assert refused.value.server_message
        server.command("CONFIG", "SET", "key-load-delay", 0)
        wait_until(lambda: not is_loading(server), "the data are loaded", 20)
        assert contents(server) == before
        doors.client.publish(queue=Q, payload={})


def is_loading(server: Server) -> bool:
    with contextlib.closing(server.client()) as client:
        return bool(client.info("persistence")["loading"])


def test_a_replica_is_read_only_and_can_be_looked_at(kind: Kind, face: Face) -> None:
    # A primary waits for 5 s for more replicas to serve at once, unless told otherwise.
    with Server(kind, repl_diskless_sync_delay=0) as primary, Server(kind) as replica:
        with open_doors(face, url=primary.url) as doors:
            doors.client.publish(queue=Q, payload={}, job_id="j")
            token = take(doors.client, Q, now_ms=0).lease_token
            doors.client.publish(queue=Q, payload={}, job_id="k")
        replica.command("REPLICAOF", primary.host, primary.port)
        wait_until(lambda: is_in_step(replica), "the replica has the data", 20)
        before = contents(replica)
        assert before == contents(primary)
        with open_doors(face, url=replica.url) as doors:
            calls: list[Call] = [
                lambda d: d.client.publish(queue=Q, payload={}),
                lambda d: d.client.publish(queue=Q, payload={}, due_ms=10**13),
                lambda d: d.client.reserve(queue=Q),
                lambda d: d.client.heartbeat(queue=Q, job_id="j", lease_token=token),
                lambda d: d.client.ack_success(queue=Q, job_id="j", lease_token=token),
                lambda d: d.client.remove_job(queue=Q, job_id="k", lane="wait"),
                lambda d: d.client.pause(queue=Q),
                lambda d: d.client.childs_init(key="set", expected=1),
            ]
            for call in calls:
                with pytest.raises(ReadOnlyServer) as refused:
                    call(doors)
                assert refused.value.server_message
            assert doors.monitor.stats(Q).waiting == 1
        assert contents(replica) == before


def is_in_step(replica: Server) -> bool:
    with contextlib.closing(replica.client()) as client:
        return bool(client.info("replication")["master_link_status"] == "up")


def test_a_full_server_takes_no_jobs_and_lets_the_old_ones_be_finished(
    kind: Kind, face: Face
) -> None:
    with Server(kind) as server, open_doors(face, url=server.url) as doors:
        client = doors.client
        for job_id in ("leased", "bad", "waiting", "delayed", "extra"):
            client.publish(queue=Q, payload={}, job_id=job_id, gid="g", group_limit=9)
        leased, bad = take(client, Q, now_ms=0), take(client, Q, now_ms=0)
        before = contents(server)
        server.command("CONFIG", "SET", "maxmemory", 1)

        calls: list[Call] = [
            lambda d: d.client.publish(queue=Q, payload={}),
            lambda d: d.client.publish(queue=Q, payload={}, due_ms=10**13),
            lambda d: d.client.publish(queue="others", payload={}, gid="g", ordering="strict"),
            lambda d: d.client.publish_batch(
                queue=Q, jobs=[NewJob("a", b"{}"), NewJob("b", b"[]")]
            ),
        ]
        for call in calls:
            with pytest.raises(ServerOutOfMemory) as refused:
                call(doors)
            assert refused.value.server_message
        assert contents(server) == before

        assert take(client, Q, now_ms=0).job_id == "waiting"
        client.heartbeat(queue=Q, job_id="leased", lease_token=leased.lease_token)
        client.ack_success(queue=Q, job_id="leased", lease_token=leased.lease_token)
        client.ack_fail(queue=Q, job_id="bad", lease_token=bad.lease_token, permanent=True)
        client.retry_failed(queue=Q, job_id="bad")
        client.remove_job(queue=Q, job_id="extra", lane="gwait")
        stats = doors.monitor.stats(Q)
        assert (stats.waiting_total, stats.active, stats.completed_kept) == (2, 1, 1)
        assert {job.job_id for job in doors.monitor.lane_page(Q, "wait")} == {"bad", "delayed"}
