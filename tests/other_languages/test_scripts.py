"""Calls and replies of scripts in TypeScript, through the manifest alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from tests import node
from tests.servers import Server

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
Call = tuple[str, dict[str, Any]]
DIFFERENT = ("different", "{}", "t")


@pytest.fixture
def call(example: Path, valkey_server: Server) -> Any:
    """Answers of the scripts, called one after the other on an empty server."""
    valkey_server.ensure_running()
    valkey_server.flushall()

    def answers(*calls: Call) -> list[Any]:
        keys = {"QUEUE": "q", "KEY": "set"}
        rows = [{"name": name, "keys": keys, "given": given} for name, given in calls]
        question = orjson.dumps({"url": valkey_server.url, "calls": rows})
        found = orjson.loads(node.run(HERE / "call_scripts.mjs", example, question))
        return [each.get("reply", each) for each in found]

    return answers


def a_job(job_id: str, gid: str = "", **side: str) -> dict[str, Any]:
    """A job, with the kind that it is."""
    numbers = {"max_attempts": 2, "timeout_ms": 1000, "backoff_ms": 5, "due_ms": 0}
    pairs = [{"field": field, "value": value} for field, value in side.items()]
    grouped = {"gid": gid, "group_limit": 2, "ordering": ""}
    kind = {**numbers, **grouped, "side": pairs}
    return {"id": job_id, "payload": "{}", "kind": kind, "side": []}


def enqueue(*jobs: dict[str, Any]) -> Call:
    kinds = [job["kind"] for job in jobs]
    numbered = [{**job, "kind": nth} for nth, job in enumerate(jobs, 1)]
    return "enqueue", {"now_ms": 5_000, "check": "1", "kinds": kinds, "jobs": numbered}


def test_tuples_with_literals_stay_lists_and_all_others_become_objects(call: Any) -> None:
    a, b = a_job("a", msg_type="t", msg_version="2"), a_job("b", gid="g")
    published, again, status, counts, found = call(
        enqueue(a, b),
        enqueue(a_job("c"), b, {**a, "payload": "[]"}),
        ("group_status", {"groups": [{"gid": "g"}, {"gid": "h"}]}),
        ("count_versions", {"lane": "wait", "cursor": 0, "count": 10}),
        ("find_jobs", {"lane": "wait", "ids": [{"id": "a"}, {"id": "nobody"}]}),
    )
    assert published == []
    assert again == [[2, "DUPLICATE", "wait", "same"], [3, "DUPLICATE", "wait", *DIFFERENT]]
    full = {
        "inflight": 0,
        "limit": 2,
        "ready": 1,
        "waiting": 1,
        "ordering": "",
        "held": "",
        "rate": "",
    }
    empty = {
        "inflight": 0,
        "limit": 1,
        "ready": 0,
        "waiting": 0,
        "ordering": "",
        "held": "",
        "rate": "",
    }
    assert status == [{"gid": "g", **full}, {"gid": "h", **empty}]
    cursor, *rows = counts
    assert cursor == 0
    assert sorted((row["msg_type"], row["jobs"]) for row in rows) == [("", 2), ("t", 1)]
    assert [(row["id"], row["entered_ms"]) for row in found] == [("a", 5_000)]
    assert (found[0]["fields"]["msg_version"], found[0]["fields"]["due_ms"]) == (2, 0)


def test_flat_lists_become_rows(call: Any) -> None:
    _, stored, nobody, ready = call(
        enqueue(a_job("a", gid="g")),
        ("read_job", {"id": "a"}),
        ("read_job", {"id": "nobody"}),
        ("groups_ready", {"offset": 0, "limit": 9}),
    )
    assert {row["field"]: row["value"] for row in stored}["payload"] == "{}"
    assert nobody == []
    assert [row["gid"] for row in ready] == ["g"] and int(ready[0]["ready_ms"]) == 5_000


def test_records_that_are_not_all_alike(call: Any) -> None:
    """A settlement has more arguments with some outcomes than with others."""
    ids = [{"id": "a"}, {"id": "b"}]
    now = {"now_ms": 5_000, "check": "1"}
    keep = {"keep_completed": 9, "upkeep": 9}
    reserve = {**now, "limit": 2, "token_prefix": "p", "lost_prefix": "", **keep}
    done = {"id": "a", "token": "p-1", "outcome": "ack"}
    failed = {"id": "b", "token": "p-2", "outcome": "fail", "delay_ms": "", "reason": "why"}
    refused = {"id": "b", "token": "x", "outcome": "release"}
    settlements = [done, {**failed, "message": "no", "errors_json": ""}, refused]
    _, reserved, settled, retried, overview, error = call(
        enqueue(a_job("a"), a_job("b")),
        ("reserve", {**reserve, "settlements": []}),
        ("settle", {**now, "keep_completed": 9, "settlements": settlements}),
        ("retry_failed", {**now, "ids": ids}),
        ("overview", {"samples": 1}),
        ("retry_failed", {**now, "ids": [{"id": str(n)} for n in range(101)]}),
    )
    assert (reserved["status"], reserved["next_due_ms"]) == ("OK", 6_000)
    assert [(job["id"], job["kind"]) for job in reserved["jobs"]] == [("a", 1), ("b", 1)]
    (kind,) = reserved["kinds"]
    assert (kind["lock_until_ms"], kind["attempt"], kind["msg_type"]) == (6_000, 1, "")
    assert settled == [[2, "FAILED", ""], [3, "ERR", "NOT_ACTIVE"]]
    assert retried == [["a", "ERR", "NOT_FAILED"], ["b", "OK", ""]]
    assert overview["counters"]["completed_kept"] == overview["counters"]["waiting"] == 1
    assert [row["id"] for row in overview["wait"] + overview["completed"]] == ["b", "a"]
    assert error == ["ERR", "BATCH_TOO_LARGE"]


def test_counters_have_keys_of_their_own(call: Any) -> None:
    assert call(
        ("childs_init", {"expected": 1}),
        ("child_ack", {"child_id": "c", "check": "1", "remember_ms": 1000}),
        ("child_ack", {"child_id": "d", "check": "1", "remember_ms": 1000}),
    ) == [["OK"], ["OK", 0], ["ERR", "ALREADY_FINISHED"]]


def test_calls_that_cannot_be_made(call: Any) -> None:
    no_list, no_value, no_script = call(
        ("enqueue", {"now_ms": 0, "check": "0"}), ("read_job", {}), ("no_such", {})
    )
    assert no_list == {"error": "kinds must be a list"}
    assert no_value == {"error": "id is missing"}
    assert no_script == {"error": "the exported scripts have no no_such"}
