"""The manifest tells the truth: our own calls are read by it, real replies are of its shapes."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from omniq_typed.core import (
    admin,
    children,
    enqueue,
    limits,
    maintain,
    observe,
    reserve,
    schemas,
    settle,
)
from omniq_typed.core.command import Arg, Command
from omniq_typed.core.lua_manifest import MANIFEST, PLACEHOLDERS, exported
from omniq_typed.core.schema_records import SchemaChange, SchemaRecord, SchemaRole
from omniq_typed.core.scripts import script_names
from omniq_typed.models import Lane, NewJob, Outcome, Settlement
from tests.servers import Server
from tests.unit.lua_calls import SCRIPTS, arguments_of, fits, options_of

JOB = NewJob(
    *("an-id", b'{"a":1}', 7, 11_000, 12_000, 13_000),
    gid="a-gid",
    group_limit=5,
    side={"msg_type": "t", "msg_correlation_id": "talk", "msg_version": "2"},
)
OWN_SIDE = {"side_count": 1, "side": [{"field": "msg_correlation_id", "value": "talk"}]}
SETTLED = [
    Settlement("one", "token-1", Outcome.ACK),
    Settlement("two", "token-2", Outcome.RETRY, 21, "a reason", "a message", '["errors"]'),
    Settlement("three", "token-3", Outcome.RELEASE),
    Settlement("four", "token-4", Outcome.INVALID, None, "r", "m", "[]"),
]
SETTLED_ROWS = [
    {"id": "one", "token": "token-1", "outcome": "ack"},
    {
        "id": "two",
        "token": "token-2",
        "outcome": "retry",
        "delay_ms": 21,
        "reason": "a reason",
        "message": "a message",
        "errors_json": '["errors"]',
    },
    {"id": "three", "token": "token-3", "outcome": "release"},
    {
        "id": "four",
        "token": "token-4",
        "outcome": "invalid",
        "delay_ms": "",
        "reason": "r",
        "message": "m",
        "errors_json": "[]",
    },
]
CHECKED = {"check": "1"}
NOW = {"now_ms": 9, **CHECKED}
V1 = SchemaRecord(1, "1" * 16, "1" * 16, b"{}")
V2 = SchemaRecord(2, "2" * 16, "3" * 16, b"[]", role=SchemaRole.READER)
V1_NAMED = {"version": 1, "writer": "1" * 16, "reader": "1" * 16}
V2_NAMED = {"version": 2, "writer": "2" * 16, "reader": "3" * 16}
CALLS: list[tuple[Command[Any], dict[str, Any]]] = [
    (children.childs_init("set", 3), {"expected": 3}),
    (children.child_ack("set", "c", remember_ms=8), {"child_id": "c", **CHECKED, "remember_ms": 8}),
    (
        enqueue.enqueue(
            "q",
            [JOB, NewJob("b", b"[]", gid="g", ordering="strict"), replace(JOB, job_id="c")],
            now_ms=9,
        ),
        {
            **NOW,
            "kind_count": 2,
            "kinds": [
                {
                    "max_attempts": 7,
                    "timeout_ms": 11_000,
                    "backoff_ms": 12_000,
                    "due_ms": 13_000,
                    "gid": "a-gid",
                    "group_limit": 5,
                    "ordering": "",
                    "side_count": 2,
                    "side": [
                        {"field": "msg_type", "value": "t"},
                        {"field": "msg_version", "value": "2"},
                    ],
                },
                {
                    "max_attempts": 3,
                    "timeout_ms": 30_000,
                    "backoff_ms": 5_000,
                    "due_ms": 0,
                    "gid": "g",
                    "group_limit": 0,
                    "ordering": "strict",
                    "side_count": 0,
                    "side": [],
                },
            ],
            "count": 3,
            "jobs": [
                {"id": "an-id", "payload": b'{"a":1}', "kind": 1, **OWN_SIDE},
                {"id": "b", "payload": b"[]", "kind": 2, "side_count": 0, "side": []},
                {"id": "c", "payload": b'{"a":1}', "kind": 1, **OWN_SIDE},
            ],
        },
    ),
    (
        enqueue.publish_one("q", replace(JOB, due_ms=0, gid="", group_limit=0), now_ms=9),
        {
            **NOW,
            "max_attempts": 7,
            "timeout_ms": 11_000,
            "backoff_ms": 12_000,
            "side_count": 2,
            "side": [
                {"field": "msg_type", "value": "t"},
                {"field": "msg_version", "value": "2"},
            ],
            "id": "an-id",
            "payload": b'{"a":1}',
            "more": OWN_SIDE["side"],
        },
    ),
    (
        reserve.reserve(
            "q",
            limit=4,
            token_prefix="p",
            settlements=SETTLED,
            now_ms=9,
            keep_completed=5,
            upkeep=6,
            lost_prefix="o",
        ),
        {
            **NOW,
            "limit": 4,
            "token_prefix": "p",
            "keep_completed": 5,
            "upkeep": 6,
            "lost_prefix": "o",
            "settle_count": 4,
            "settlements": SETTLED_ROWS,
        },
    ),
    (
        settle.settle("q", SETTLED, now_ms=9, keep_completed=5),
        {**NOW, "keep_completed": 5, "count": 4, "settlements": SETTLED_ROWS},
    ),
    (
        settle.heartbeat("q", [("a", "x-1"), ("b", "x-2")], now_ms=9),
        {
            **NOW,
            "count": 2,
            "leases": [{"id": "a", "token": "x-1"}, {"id": "b", "token": "x-2"}],
        },
    ),
    (maintain.promote_delayed("q", 3, now_ms=9), {**NOW, "limit": 3}),
    (maintain.reap_expired("q", 3, now_ms=9), {**NOW, "limit": 3}),
    (admin.pause("q"), {}),
    (admin.resume("q"), {}),
    (admin.is_paused("q"), {}),
    (admin.set_group_limit("q", "g", 4, now_ms=9), {**NOW, "gid": "g", "limit": 4}),
    (
        limits.set_rate_limit("q", 2.5, burst=4, gid="g", now_ms=9),
        {**NOW, "gid": "g", "per_s": 2.5, "burst": 4},
    ),
    (limits.set_concurrency_limit("q", 4), {"limit": 4, **CHECKED}),
    (limits.read_limits("q"), {}),
    (
        admin.retry_failed_batch("q", ["a", "b"], now_ms=9),
        {**NOW, "ids": [{"id": "a"}, {"id": "b"}]},
    ),
    (
        admin.remove_jobs_batch("q", "gwait", ["a"], now_ms=9),
        {**NOW, "lane": "gwait", "ids": [{"id": "a"}]},
    ),
    (observe.read_stats("q"), {}),
    (
        observe.lane_page("q", "failed", 2, 3, True),
        {"lane": "failed", "offset": 2, "limit": 3, "reverse": "1"},
    ),
    (
        observe.find_jobs("q", "wait", ["a", "b"]),
        {"lane": "wait", "ids": [{"id": "a"}, {"id": "b"}]},
    ),
    (observe.read_job("q", "a"), {"id": "a"}),
    (observe.groups_ready("q", 2, 3), {"offset": 2, "limit": 3}),
    (observe.group_status("q", ["g", "h"]), {"groups": [{"gid": "g"}, {"gid": "h"}]}),
    (observe.overview("q", 4), {"samples": 4}),
    (
        observe.count_versions("q", "active", 17),
        {"lane": "active", "cursor": 17, "count": observe.JOBS_PER_COUNT},
    ),
    (
        schemas.check_schemas([("t", V1), ("t", V2)]),
        {"schemas": [{"name": "t", **V1_NAMED}, {"name": "t", **V2_NAMED}]},
    ),
    (
        schemas.register_schemas([SchemaChange("t", 3, "FULL", "[]", (V1, V2))], now_ms=9),
        {
            **NOW,
            "count": 1,
            "types": [
                {
                    "name": "t",
                    "revision": 3,
                    "mode": "FULL",
                    "waivers": "[]",
                    "version_count": 2,
                    "versions": [
                        {**V1_NAMED, "role": "writer", "content": b"{}", "replace": "0"},
                        {**V2_NAMED, "role": "reader", "content": b"[]", "replace": "0"},
                    ],
                }
            ],
        },
    ),
    (schemas.list_schemas("t"), {"after": "t", "limit": schemas.TYPES_PER_PAGE}),
    (
        schemas.read_schemas(["t", "u"], max_bytes=5),
        {"max_bytes": 5, "names": [{"name": "t"}, {"name": "u"}]},
    ),
    (
        schemas.forget_schemas("t", [1, 2], now_ms=9),
        {**NOW, "name": "t", "versions": [{"version": 1}, {"version": 2}]},
    ),
]

each_call = pytest.mark.parametrize(
    ("command", "named"), CALLS, ids=[command.script.name for command, _ in CALLS]
)


@each_call
def test_our_own_arguments_are_read_by_the_manifest(
    command: Command[Any], named: dict[str, Any]
) -> None:
    assert arguments_of(command) == named


@each_call
def test_our_own_keys_are_those_of_the_manifest(
    command: Command[Any], named: dict[str, Any]
) -> None:
    patterns = SCRIPTS[command.script.name]["keys"]
    filled = [pattern.replace("QUEUE", "q").replace("KEY", "set") for pattern in patterns]
    assert filled == [key.decode() for key in command.keys]


@each_call
def test_what_may_be_repeated_is_what_we_repeat(
    command: Command[Any], named: dict[str, Any]
) -> None:
    assert SCRIPTS[command.script.name]["repeatable"] == command.repeatable


def test_every_script_is_among_these_calls() -> None:
    assert {command.script.name for command, _ in CALLS} == set(script_names())


def raw(command: Command[Any], *args: Arg) -> Command[Any]:
    """With arguments that we would refuse to send."""
    return Command(command.script, command.keys, args, command.parse, command.repeatable)


def scene() -> Iterator[Command[Any]]:
    """Calls one after the other, of all scripts, with all replies that there are."""
    yield children.child_ack("set", "c")
    yield raw(children.childs_init("set", 1), 0)
    yield from [children.childs_init("set", 2)] * 2
    yield from [children.child_ack("set", child) for child in ("a", "b", "a")]
    jobs = [NewJob(f"job-{n}", b"{}", max_attempts=2) for n in range(8)]
    strict = NewJob("strict", b"{}", gid="g", ordering="strict")
    late = NewJob("late", b"{}", due_ms=10**13)
    typed = NewJob("typed", b"{}", side={"msg_type": "t", "msg_version": "2"})
    yield enqueue.enqueue("q", [*jobs, strict, late, typed])
    yield enqueue.enqueue("q", [jobs[0], NewJob("job-1", b"[]")])
    for job in (NewJob("one", b"{}"), NewJob("one", b"{}"), NewJob("one", b"[]")):
        # As the script answers: publish_one raises for the last of them.
        yield replace(enqueue.publish_one("q", job), parse=str)
    yield observe.groups_ready("q", 0, 9)
    yield admin.pause("q")
    yield admin.is_paused("q")
    yield reserve.reserve("q", limit=1, token_prefix="p")
    yield admin.resume("q")
    yield reserve.reserve("q", limit=6, token_prefix="p")  # job-0 to job-4, and one of the group
    yield from ends_of_leases()
    yield from reads()
    yield from moves_by_hand()
    yield from schemas_come_and_go()


def schemas_come_and_go() -> Iterator[Command[Any]]:
    others = (SchemaRecord(1, "2" * 16, "1" * 16), SchemaRecord(1, "1" * 16, "2" * 16))
    yield schemas.register_schemas([SchemaChange("t", 0, "FULL", "[1]", (V1,))], now_ms=7)
    yield schemas.register_schemas([SchemaChange("t", 1, "NONE")])  # STALE
    yield schemas.register_schemas([SchemaChange("t", 7, "FULL", "", others[:1])])  # CONFLICT
    yield schemas.register_schemas([SchemaChange("t", 7, "FULL", "", (V2,))], now_ms=8)
    yield schemas.check_schemas([("u", V1), *(("t", each) for each in (V1, V2, *others))])
    yield schemas.read_schemas(["t", "u"])
    yield schemas.list_schemas()
    yield schemas.forget_schemas("t", [])


def ends_of_leases() -> Iterator[Command[Any]]:
    # The group has its turn first, then every second one as long as it has jobs.
    tokens = {"strict": "p-1", **{f"job-{n}": f"p-{n + 2}" for n in range(5)}}
    yield settle.heartbeat("q", [("job-0", "p-2"), ("job-0", "x"), ("job-0", ""), ("late", "x")])
    outcomes = zip(tokens.items(), [*Outcome][:5], strict=False)
    ended = [Settlement(job_id, token, outcome) for (job_id, token), outcome in outcomes]
    refused = [Settlement(*each, Outcome.ACK) for each in (("job-4", "x"), ("job-4", ""))]
    yield settle.settle("q", [*ended, *refused, Settlement("late", "x", Outcome.ACK)])
    yield settle.settle("q", [Settlement("job-4", tokens["job-4"], Outcome.DEFER, 10**12)])
    yield reserve.reserve("q", limit=1, token_prefix="r")
    yield maintain.reap_expired("q", 9)
    yield maintain.promote_delayed("q", 9)


def reads() -> Iterator[Command[Any]]:
    for lane in Lane:
        yield observe.lane_page("q", lane, 0, 9, False)
        yield observe.find_jobs("q", lane, ["late", "typed"])
    for lane in observe.COUNTED_LANES:
        yield observe.count_versions("q", lane, 0)
    yield observe.read_job("q", "typed")
    yield observe.read_job("q", "nobody")
    yield observe.read_stats("q")
    yield observe.overview("q", 9)
    yield observe.group_status("q", ["g", "nobody"])


def moves_by_hand() -> Iterator[Command[Any]]:
    yield admin.retry_failed_batch("q", ["job-1", "late", "nobody"])
    yield admin.remove_jobs_batch("q", "wait", ["job-1", "job-7", "late", "nobody", "job-3"])
    yield from (too_many(name) for name in LIMITED)
    yield from [admin.set_group_limit("q", "g", limit) for limit in (1, 2)]
    yield limits.read_limits("q")
    yield limits.set_rate_limit("q", 0.5)
    yield limits.set_concurrency_limit("q", 3)
    yield limits.read_limits("q")


LIMITED = {
    "retry_failed": admin.retry_failed_batch("q", ["a"]),
    "remove_jobs": admin.remove_jobs_batch("q", "wait", ["a"]),
}


def too_many(name: str, more: int = 1) -> Command[Any]:
    """A call with one id more than the manifest allows."""
    *_, ids = SCRIPTS[name]["arguments"]
    command = LIMITED[name]
    return raw(command, *command.args[:-1], *["nobody"] * (ids["times"]["max"] + more))


@pytest.mark.parametrize("name", LIMITED)
def test_the_bound_of_the_manifest_is_that_of_the_script(server: Server, name: str) -> None:
    with contextlib.closing(server.client()) as client:
        replies = [run(client, too_many(name, more)) for more in (0, 1)]
    assert [each[0] for each in replies] == [[b"nobody", b"ERR", b"NO_JOB"], b"ERR"]


def run(client: Any, command: Command[Any]) -> Any:
    return client.eval(command.script.text, len(command.keys), *command.keys, *command.args)


def test_real_replies_are_of_the_shapes_of_the_manifest(server: Server) -> None:
    met: set[str] = set()
    called: set[str] = set()
    with contextlib.closing(server.client()) as client:
        for command in scene():
            name = command.script.name
            client.lrem("{q}:wait", 0, "job-7")  # as another program might: NOT_IN_LANE
            reply = client.eval(
                command.script.text, len(command.keys), *command.keys, *command.args
            )
            assert fits(SCRIPTS[name]["reply"], reply, met), (name, reply)
            called.add(name)
    assert called == set(script_names())
    never = {name: options_of(entry["reply"]) - met for name, entry in SCRIPTS.items()}
    assert {name: options for name, options in never.items() if options} == {}


def test_the_files_are_what_the_manifest_says() -> None:
    files = exported("1.2.3")
    written = json.loads(files[MANIFEST])
    assert (written["format"], written["package_version"]) == (1, "1.2.3")
    assert files.keys() == {MANIFEST, *(entry["file"] for entry in written["scripts"].values())}
    for entry in written["scripts"].values():
        assert hashlib.sha1(files[entry["file"]].encode()).hexdigest() == entry["sha1"]
    assert exported("1.2.3") == files


def test_the_manifest_explains_every_placeholder() -> None:
    patterns = [
        pattern for entry in SCRIPTS.values() for pattern in entry["keys"] + entry["derived_keys"]
    ]
    assert set(re.findall(r"[A-Z]+", " ".join(patterns))) == set(PLACEHOLDERS)
