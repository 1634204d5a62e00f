"""The registry of schemas, script by script: what is written, what is refused, what is read."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from omniq_typed.core.command import Command
from omniq_typed.core.schema_records import (
    SchemaChange,
    SchemaEntry,
    SchemaRecord,
    SchemaRole,
    SchemaStatus,
)
from omniq_typed.core.schemas import (
    TYPES_PER_PAGE,
    check_schemas,
    forget_schemas,
    list_schemas,
    read_schemas,
    register_schemas,
)
from omniq_typed.errors import InvalidArgument, OperationRefused, PermissionDenied
from tests.conformance.doors import (
    T0,
    Doors,
    Face,
    command_counts,
    contents,
    forget_command_counts,
    open_doors,
    server_of_face,
)
from tests.conformance.test_bad_input import acl_user
from tests.servers import AnyServer, Server

MODE = "BACKWARD_TRANSITIVE"
READER = ["%R~{omniq:schemas}:*", "+evalsha_ro", "+script|load", "+hmget", "+zrange"]
WRITER = ["~{omniq:schemas}:*", "+evalsha_ro", "+evalsha", "+script|load", "+time"]
WRITER += ["+hmget", "+hset", "+hdel", "+del", "+zadd", "+zrem", "+zrange"]
CLUSTER = ["+cluster|slots", "+cluster|shards", "+command"]


@pytest.fixture
def server(request: pytest.FixtureRequest, face: Face) -> Server:
    """One kind of server for each face."""
    return server_of_face(request, face)


def record(
    version: int,
    writer: int = 1,
    reader: int = 1,
    content: bytes = b"{}",
    role: SchemaRole = SchemaRole.WRITER,
) -> SchemaRecord:
    return SchemaRecord(version, f"{writer:016x}", f"{reader:016x}", content, role=role)


def change(name: str, *records: SchemaRecord, revision: int = 0, **given: Any) -> SchemaChange:
    return SchemaChange(name, revision, **{"mode": MODE, "records": records, **given})


def register(doors: Doors, *changes: SchemaChange, now_ms: int = T0) -> bool:
    return doors.run(register_schemas(changes, now_ms=now_ms))


def entry(doors: Doors, name: str) -> SchemaEntry:
    (found,) = doors.run(read_schemas([name]))
    return found


def statuses(doors: Doors, name: str, *records: SchemaRecord) -> list[str]:
    return [each.status for each in doors.run(check_schemas((name, each) for each in records))]


def test_what_is_registered_is_read_as_it_was(doors: Doors) -> None:
    content = b'{"writer":{"type":"object"},"text":"\xc3\xa4"}'
    waivers = '[{"version":2}]'
    assert register(doors, change("a", record(2, 7, 8, content), record(1), waivers=waivers))
    found = entry(doors, "a")
    assert (found.name, found.mode, found.waivers, found.revision) == ("a", MODE, waivers, T0)
    assert found.records == (
        SchemaRecord(1, f"{1:016x}", f"{1:016x}", b"{}", T0),
        SchemaRecord(2, f"{7:016x}", f"{8:016x}", content, T0),
    )


def test_versions_are_in_the_order_of_their_numbers(doors: Doors) -> None:
    for number, version in enumerate((10, 2, 1_000_000_000, 1)):
        revision = entry(doors, "a").revision
        assert register(doors, change("a", record(version), revision=revision), now_ms=T0 + number)
    assert [each.version for each in entry(doors, "a").records] == [1, 2, 10, 1_000_000_000]


def test_a_type_that_is_not_there_is_told_as_such(doors: Doors) -> None:
    assert entry(doors, "a") == SchemaEntry("a", "", 0, "", ())
    assert doors.run(list_schemas()) == []
    (verdict,) = doors.run(check_schemas([("a", record(1))]))
    assert (verdict.status, verdict.mode, verdict.revision) == (SchemaStatus.UNKNOWN, "", 0)
    assert doors.run(check_schemas([])) == []
    assert doors.run(read_schemas([])) == []


def test_fingerprints_are_compared_one_by_one(doors: Doors) -> None:
    register(doors, change("a", record(1, 7, 8)))
    assert statuses(
        doors, "a", record(1, 7, 8), record(2, 7, 8), record(1, 6, 8), record(1, 7, 9)
    ) == ["SAME", "UNKNOWN", "OTHER_WRITER", "OTHER_READER"]
    (verdict,) = doors.run(check_schemas([("a", record(1, 7, 8))]))
    assert (verdict.mode, verdict.revision) == (MODE, T0)


def test_registering_again_changes_nothing_whatever_the_revision(
    doors: Doors, any_server: AnyServer
) -> None:
    register(doors, change("a", record(1)))
    before = contents(any_server)
    assert register(doors, change("a", record(1)), now_ms=T0 + 5)
    assert register(doors, change("a", record(1), revision=3), now_ms=T0 + 5)
    assert contents(any_server) == before


def test_a_decision_on_another_revision_is_stale_and_nothing_is_written(
    doors: Doors, any_server: AnyServer
) -> None:
    register(doors, change("b", record(1)))
    before = contents(any_server)
    stale = change("b", record(2), revision=T0 - 1)
    assert not register(doors, change("a", record(1)), stale, change("c", record(1)))
    assert not register(doors, change("b", record(2)))
    assert contents(any_server) == before


def test_every_change_gives_another_revision_also_within_one_ms(doors: Doors) -> None:
    register(doors, change("a", record(1)))
    register(doors, change("a", record(2), revision=T0))
    assert entry(doors, "a").revision == T0 + 1
    doors.run(forget_schemas("a", [1], now_ms=T0 - 100))
    assert entry(doors, "a").revision == T0 + 2


def test_a_type_that_was_forgotten_and_came_back_has_another_revision(doors: Doors) -> None:
    """So that what was decided before is not done to what came after."""
    register(doors, change("a", record(1)))
    decided_on = entry(doors, "a").revision
    doors.run(forget_schemas("a", []))
    register(doors, change("a", record(1, 5)), now_ms=0)
    assert not register(doors, change("a", record(2), revision=decided_on))


def test_another_writer_is_a_conflict_unless_it_is_to_be_replaced(
    doors: Doors, any_server: AnyServer
) -> None:
    register(doors, change("a", record(1), record(2)))
    before = contents(any_server)
    with pytest.raises(OperationRefused) as refused:
        register(doors, change("b", record(1)), change("a", record(2, 5), revision=T0))
    assert (refused.value.code, refused.value.subject) == ("CONFLICT", "a v2")
    assert contents(any_server) == before
    assert register(doors, change("a", record(2, 5), revision=T0, replace=True), now_ms=T0 + 9)
    assert [each.fingerprint for each in entry(doors, "a").records] == [f"{1:016x}", f"{5:016x}"]
    assert [each.registered_ms for each in entry(doors, "a").records] == [T0, T0 + 9]


def test_another_reader_takes_the_place_of_the_old_one(doors: Doors) -> None:
    register(doors, change("a", record(1, 1, 1, b"old")))
    assert register(doors, change("a", record(1, 1, 2, b"new"), revision=T0))
    (found,) = entry(doors, "a").records
    assert (found.reader_fingerprint, found.content) == (f"{2:016x}", b"new")


def test_mode_and_waivers_can_be_changed_alone_and_stay_otherwise(doors: Doors) -> None:
    register(doors, change("a", record(1), waivers="[1]"))
    register(doors, change("a", revision=T0, mode="FULL"))
    found = entry(doors, "a")
    assert (found.mode, found.waivers, len(found.records)) == ("FULL", "[1]", 1)
    register(doors, change("a", revision=found.revision, mode="", waivers="[]"))
    found = entry(doors, "a")
    assert (found.mode, found.waivers, len(found.records)) == ("FULL", "[]", 1)


def test_what_a_reader_has_registered_a_writer_may_replace(doors: Doors) -> None:
    read = record(1, 7, 8, role=SchemaRole.READER)
    assert register(doors, change("a", read))
    (verdict,) = doors.run(check_schemas([("a", read)]))
    assert (verdict.status, verdict.role) == (SchemaStatus.SAME, SchemaRole.READER)
    assert doors.run(list_schemas())[0].records[0].role is SchemaRole.READER
    assert not register(doors, change("a", record(1, 9)))  # of another revision
    assert register(doors, change("a", record(1, 9), revision=T0))
    (found,) = entry(doors, "a").records
    assert (found.role, found.fingerprint) == (SchemaRole.WRITER, f"{9:016x}")


def test_a_writer_may_say_the_same_and_from_then_on_it_is_firm(
    doors: Doors, any_server: AnyServer
) -> None:
    read = record(1, 7, 8, role=SchemaRole.READER)
    register(doors, change("a", read))
    assert register(doors, change("a", record(1, 7, 8), revision=T0))
    (verdict,) = doors.run(check_schemas([("a", read)]))
    assert (verdict.role, verdict.revision) == (SchemaRole.WRITER, T0 + 1)
    before = contents(any_server)
    assert register(doors, change("a", read))
    assert contents(any_server) == before
    with pytest.raises(OperationRefused) as refused:
        register(doors, change("a", record(1, 9), revision=T0 + 1))
    assert refused.value.code == "CONFLICT"
    replaced = record(1, 9, role=SchemaRole.READER)
    assert register(doors, change("a", replaced, revision=T0 + 1, replace=True))
    assert entry(doors, "a").records[0].role is SchemaRole.WRITER


def test_a_record_without_a_role_is_a_writers(doors: Doors, any_server: AnyServer) -> None:
    register(doors, change("a", record(1, role=SchemaRole.READER)))
    with contextlib.closing(any_server.client()) as client:
        client.hdel("{omniq:schemas}:type:a", "1:role")
    (verdict,) = doors.run(check_schemas([("a", record(1))]))
    assert verdict.role is entry(doors, "a").records[0].role is SchemaRole.WRITER


def test_forgetting_deletes_versions_and_with_the_last_one_all(
    doors: Doors, any_server: AnyServer
) -> None:
    register(doors, change("a", record(1), record(2), record(30)), change("b", record(1)))
    assert doors.run(forget_schemas("a", [30, 1, 99])) == 2
    assert [each.version for each in entry(doors, "a").records] == [2]
    assert statuses(doors, "a", record(1), record(2)) == ["UNKNOWN", "SAME"]
    assert doors.run(forget_schemas("a", [30])) == 0
    assert doors.run(forget_schemas("a", [2])) == 1
    assert [each.name for each in doors.run(list_schemas())] == ["b"]
    assert doors.run(forget_schemas("a", [])) == 0
    register(doors, change("b", record(2), revision=T0))
    assert doors.run(forget_schemas("b", [])) == 2
    assert contents(any_server) == {}


def test_all_types_are_listed_in_pages_without_what_is_long(doors: Doors) -> None:
    names = sorted(f"t{number}" for number in range(TYPES_PER_PAGE + 3))
    long = b"x" * 1000
    register(doors, *(change(name, record(1, content=long), waivers="[1]") for name in names))
    first = doors.run(list_schemas())
    rest = doors.run(list_schemas(first[-1].name))
    assert [each.name for each in first] == names[:TYPES_PER_PAGE]
    assert [each.name for each in rest] == names[TYPES_PER_PAGE:]
    assert (first[0].mode, first[0].revision, first[0].waivers) == (MODE, T0, "")
    assert first[0].records == (SchemaRecord(1, f"{1:016x}", f"{1:016x}", b"", T0),)


def test_reading_stops_where_the_reply_grows_long_but_never_at_once(doors: Doors) -> None:
    register(doors, *(change(name, record(1, content=b"x" * 50)) for name in "abc"))
    assert [each.name for each in doors.run(read_schemas("abc", max_bytes=60))] == ["a", "b"]
    assert [each.name for each in doors.run(read_schemas("abc", max_bytes=1))] == ["a"]
    assert [each.name for each in doors.run(read_schemas("abc"))] == ["a", "b", "c"]


@pytest.mark.parametrize(
    "make",
    [
        lambda: check_schemas([("a b", record(1))]),
        lambda: check_schemas([("a", record(0))]),
        lambda: check_schemas([("a", SchemaRecord(1, "", "0" * 16))]),
        lambda: check_schemas([("a", SchemaRecord(1, "0" * 16, "g" * 16))]),
        lambda: read_schemas(["{a}"]),
        lambda: forget_schemas("", []),
        lambda: forget_schemas("a", [0]),
        lambda: register_schemas([change("a", record(1), mode="")]),
        lambda: register_schemas([change("a", record(1), mode="backward")]),
        lambda: register_schemas([change("a", record(1), revision=-1)]),
    ],
)
def test_what_could_never_work_is_refused_before_the_server_is_asked(make: Any) -> None:
    with pytest.raises(InvalidArgument):
        make()


# Rights.


def rules(server: AnyServer, wanted: list[str]) -> list[str]:
    return wanted + (CLUSTER if server.is_cluster else [])


def test_a_user_who_may_only_read_can_check_read_and_list(
    any_server: AnyServer, doors: Doors
) -> None:
    register(doors, change("a", record(1)))
    before = contents(any_server)
    with (
        acl_user(any_server, *rules(any_server, READER)) as user,
        open_doors(doors.face, **user) as limited,
    ):
        assert statuses(limited, "a", record(1)) == ["SAME"]
        assert entry(limited, "a").records
        assert [each.name for each in limited.run(list_schemas())] == ["a"]
        with pytest.raises(PermissionDenied):
            register(limited, change("b", record(1)))
        with pytest.raises(PermissionDenied):
            limited.run(forget_schemas("a", []))
    assert contents(any_server) == before


NEEDED = {
    "register": ["+evalsha", "+hmget", "+hset", "+zadd", "+time"],
    "forget": ["+evalsha", "+hmget", "+hset", "+hdel", "+del", "+zrem", "+time"],
}


@pytest.mark.parametrize(
    ("action", "missing"), [(action, each) for action in NEEDED for each in NEEDED[action]]
)
def test_a_missing_command_changes_nothing(
    server: Server, face: Face, action: str, missing: str
) -> None:
    with open_doors(face, url=server.url) as doors:
        register(doors, change("a", record(1), record(2)))
    before = contents(server)
    command: Command[Any] = forget_schemas("a", [1])
    if action == "register":
        command = register_schemas([change("b", record(1)), change("a", record(3), revision=T0)])
    with (
        acl_user(server, *(each for each in WRITER if each != missing)) as user,
        open_doors(face, **user) as limited,
        pytest.raises(PermissionDenied),
    ):
        limited.run(command)
    assert contents(server) == before
    with acl_user(server, *WRITER) as user, open_doors(face, **user) as allowed:
        allowed.run(command)
    assert contents(server) != before


def test_one_call_does_it_on_a_cluster_too(any_server: AnyServer, doors: Doors) -> None:
    doors.run(check_schemas([("a", record(1))]))
    forget_command_counts(any_server)
    doors.run(check_schemas([("a", record(1)), ("b", record(1))]))
    asked = {"info", "config|resetstat", "evalsha_ro", "hmget"}
    counts = {name: calls for name, calls in command_counts(any_server).items() if calls}
    assert counts["evalsha_ro"] == 1
    assert counts.keys() <= asked | {"client|setinfo", "hello", "ping", "cluster|myid"}


def test_scripts_that_were_flushed_are_loaded_again(server: Server, face: Face) -> None:
    with open_doors(face, url=server.url) as doors:
        register(doors, change("a", record(1)))
        server.command("SCRIPT", "FLUSH")
        assert statuses(doors, "a", record(1)) == ["SAME"]
        server.command("SCRIPT", "FLUSH")
        assert register(doors, change("a", record(2), revision=T0))
