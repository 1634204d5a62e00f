"""The registry of schemas for tools: listed, read, pushed and pruned through `SchemaStore`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

import pytest
from pydantic import BaseModel

from omniq_typed import AsyncBus, Bus, Registry, SafeInt, message
from omniq_typed.errors import IncompatibleSchema, InvalidArgument, PermissionDenied
from omniq_typed.models import Compatibility
from omniq_typed.schema import files
from omniq_typed.schema.compatibility.report import Report
from omniq_typed.schema.history import read_history
from omniq_typed.schema.stored import Origin
from omniq_typed.schema.versions import (
    DEFAULT_COMPATIBILITY,
    TypeHistory,
    Waiver,
    schema_version,
    version_of,
)
from omniq_typed.schema_registry import AsyncSchemaStore, Pushed, SchemaStore
from tests.conformance.doors import (
    Face,
    _Blocking,
    command_counts,
    dump,
    forget_command_counts,
    server_of_face,
)
from tests.conformance.test_bad_input import acl_user
from tests.conformance.test_schema_registry import limited
from tests.servers import AnyServer, Server


class Order(BaseModel):
    order_id: str


class WithNote(BaseModel):
    order_id: str
    note: str = ""


class WithAmount(BaseModel):
    order_id: str
    amount: SafeInt


class AllOfIt(BaseModel):
    order_id: str
    amount: SafeInt
    note: str


@pytest.fixture
def server(request: pytest.FixtureRequest, face: Face) -> Server:
    """One kind of server for each face."""
    return server_of_face(request, face)


@contextlib.contextmanager
def open_store(face: Face, url: str) -> Iterator[SchemaStore]:
    """A store of either face, to be called as a blocking one."""
    if face == "sync":
        with Bus(url) as bus:
            yield SchemaStore(bus.transport)
        return
    with asyncio.Runner() as runner:
        inner = AsyncBus(url)
        try:
            yield cast(SchemaStore, _Blocking(AsyncSchemaStore(inner.transport), runner))
        finally:
            runner.run(inner.close())


def history(
    versions: dict[int, type[BaseModel]],
    name: str = "order",
    mode: Compatibility = DEFAULT_COMPATIBILITY,
    *waivers: Waiver,
) -> TypeHistory:
    registry = Registry(strict_types=True)
    for number, cls in versions.items():
        message(name, version=number, registry=registry)(cls)
    found = {each.version: version_of(each) for each in registry.types()}
    return TypeHistory(name, mode, found, waivers)


def named(name: str, like: TypeHistory) -> TypeHistory:
    """The history of another type with the same schemas."""
    versions = {number: replace(each, name=name) for number, each in like.versions.items()}
    return replace(like, name=name, versions=versions)


def nothing_is_wrong(*_: Any) -> Report:
    return Report(())


def push(store: SchemaStore, *histories: TypeHistory, **options: Any) -> Pushed:
    return store.push({each.name: each for each in histories}, **options)


def test_what_is_pushed_is_read_as_it_was(any_server: AnyServer, face: Face) -> None:
    waiver = Waiver(2, "some_rule", "nobody uses it", "/a")
    order = history({1: Order, 2: WithNote}, "order", Compatibility.FULL, waiver)
    other = history({3: Order}, "other")
    with open_store(face, any_server.url) as store:
        pushed = push(store, order, other)
        assert pushed == Pushed(("order v1", "order v2", "other v3"), ("order", "other"))
        assert store.histories() == {"order": order, "other": other}
        assert store.histories(["other", "none"]) == {"other": other}
        assert store.histories([]) == {}


def test_the_keys_of_a_schema_keep_their_order(server: Server, face: Face) -> None:
    """So that a folder which is pulled has the bytes of one which is exported."""
    order = history({1: WithNote})
    with open_store(face, server.url) as store:
        push(store, order)
        found = store.histories()["order"].versions[1]
    ours = order.versions[1]
    assert (str(found.writer), str(found.reader)) == (str(ours.writer), str(ours.reader))


def test_pushing_again_changes_nothing(any_server: AnyServer, face: Face) -> None:
    order = history({1: Order})
    with open_store(face, any_server.url) as store:
        push(store, order)
        before = dump(any_server)
        assert push(store, order) == Pushed((), ())
    assert dump(any_server) == before


def test_versions_that_are_not_pushed_stay(server: Server, face: Face) -> None:
    with open_store(face, server.url) as store:
        push(store, history({1: Order}))
        assert push(store, history({2: WithNote})) == Pushed(("order v2",), ())
        assert store.histories()["order"] == history({1: Order, 2: WithNote})


def test_mode_and_waivers_are_those_that_are_pushed(server: Server, face: Face) -> None:
    waiver = Waiver(1, "some_rule", "nobody uses it")
    order = history({1: Order}, "order", DEFAULT_COMPATIBILITY, waiver)
    with open_store(face, server.url) as store:
        push(store, order)
        changed = replace(order, mode=Compatibility.NONE, waivers=())
        assert push(store, changed) == Pushed((), ("order",))
        assert store.histories()["order"] == changed


def test_what_is_incompatible_is_refused_with_nothing_written(server: Server, face: Face) -> None:
    with open_store(face, server.url) as store:
        push(store, history({1: Order}))
        before = dump(server)
        with pytest.raises(IncompatibleSchema) as refused:
            push(store, history({1: Order}, "another"), history({2: WithAmount}))
        assert (refused.value.name, refused.value.version) == ("order", 2)
        with pytest.raises(IncompatibleSchema, match="versions do not change"):
            push(store, history({1: WithAmount}))
        assert dump(server) == before


def test_a_waiver_that_is_pushed_along_accepts_it(server: Server, face: Face) -> None:
    waiver = Waiver(2, "field_required", "v1 was never published", "/amount")
    with open_store(face, server.url) as store:
        push(store, history({1: Order}))
        push(store, history({2: WithAmount}, "order", DEFAULT_COMPATIBILITY, waiver))
        assert list(store.histories()["order"].versions) == [1, 2]


def test_what_a_consumer_has_registered_is_replaced_if_it_reads_that(
    server: Server, face: Face
) -> None:
    provisional = replace(history({1: WithAmount}), provisional={1: "billing"})
    with open_store(face, server.url) as store:
        push(store, provisional)
        assert store.histories()["order"] == provisional
        with pytest.raises(IncompatibleSchema, match="registered by a consumer, billing"):
            push(store, history({1: Order}))
        assert push(store, history({1: AllOfIt})) == Pushed(("order v1",), ())
        assert store.histories()["order"] == history({1: AllOfIt})


def test_what_is_firm_stays_so(server: Server, face: Face) -> None:
    order = history({1: Order})
    with open_store(face, server.url) as store:
        push(store, order)
        assert push(store, replace(order, provisional={1: "billing"})) == Pushed((), ())
        assert store.histories()["order"] == order


@pytest.mark.parametrize("cls", [WithAmount, WithNote])
def test_a_consumers_schema_never_takes_the_place_of_what_is_published(
    server: Server, face: Face, cls: type[BaseModel]
) -> None:
    published = history({1: AllOfIt})
    with open_store(face, server.url) as store:
        push(store, published)
        assert push(store, replace(history({1: cls}), provisional={1: "a"})) == Pushed((), ())
        assert store.histories()["order"] == published


def test_a_waiver_lets_a_version_be_replaced(server: Server, face: Face) -> None:
    waiver = Waiver(1, "version_changed", "v1 was never published")
    changed = history({1: WithAmount}, "order", DEFAULT_COMPATIBILITY, waiver)
    with open_store(face, server.url) as store:
        push(store, history({1: Order}))
        assert push(store, changed) == Pushed(("order v1",), ("order",))
        assert store.histories()["order"] == changed


def test_the_same_in_other_words_is_pushed(server: Server, face: Face) -> None:
    """As another release of this library may export it."""
    ours = history({1: Order})
    writer, reader = (
        {**each, "properties": {"order_id": {"type": "string", "minLength": 0}}}
        for each in (ours.versions[1].writer, ours.versions[1].reader)
    )
    theirs = replace(ours, versions={1: schema_version("order", 1, writer, reader)})
    with open_store(face, server.url) as store:
        push(store, theirs)
        assert push(store, ours) == Pushed(("order v1",), ())
        assert store.histories()["order"] == ours


def test_a_user_without_rights_is_told_what_to_grant(server: Server, face: Face) -> None:
    order = history({1: Order})
    with (
        acl_user(server, "+@all", "~{orders}:*") as user,
        open_store(face, limited(user)) as store,
    ):
        with pytest.raises(PermissionDenied, match=r"grant %R~\{omniq:schemas\}:\* .* \+zrange"):
            store.list()
        with pytest.raises(PermissionDenied, match=r"grant %R~\{omniq:schemas\}:\*"):
            store.origins("order")
    with (
        acl_user(server, "+@all", "%R~{omniq:schemas}:*") as user,
        open_store(face, limited(user)) as store,
    ):
        with pytest.raises(PermissionDenied, match=r"grant ~\{omniq:schemas\}:\* .* \+hset"):
            push(store, order)
        with pytest.raises(PermissionDenied, match=r"grant ~\{omniq:schemas\}:\* .* \+hdel"):
            store.forget("order")


def test_force_writes_it_all_the_same(server: Server, face: Face) -> None:
    changed = history({1: WithAmount, 2: Order})
    with open_store(face, server.url) as store:
        push(store, history({1: Order}))
        assert push(store, changed, force=True) == Pushed(("order v1", "order v2"), ())
        assert store.histories()["order"] == changed


def test_who_knows_more_may_check_instead(server: Server, face: Face) -> None:
    seen: list[tuple[list[int], list[int]]] = []

    def agree(new: Any, known: Any) -> Report:
        seen.append(([*new["order"].versions], [*known["order"].versions]))
        return Report(())

    with open_store(face, server.url) as store:
        push(store, history({1: Order}))
        push(store, history({2: WithAmount}), check=agree)
    assert seen == [([2], [1])]


def test_all_types_are_listed_by_name_without_their_schemas(server: Server, face: Face) -> None:
    with open_store(face, server.url) as store:
        assert store.list() == ()
        one = history({1: Order})
        push(store, *(named(f"t{number}", one) for number in range(205)), check=nothing_is_wrong)
        listed = store.list()
        assert [each.name for each in listed] == sorted(f"t{number}" for number in range(205))
        assert {record.content for each in listed for record in each.records} == {b""}
        assert listed[0].mode == DEFAULT_COMPATIBILITY
        assert len(store.histories()) == 205


def test_long_schemas_are_read_and_written_in_several_calls(
    server: Server, face: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("omniq_typed.schema_registry.BYTES_PER_CALL", 500)
    histories = [named(f"t{number}", history({1: Order, 2: WithNote})) for number in range(5)]
    with open_store(face, server.url) as store:
        push(store, named("loads-the-scripts", histories[0]))
        store.forget("loads-the-scripts")
        assert store.histories() == {}
        forget_command_counts(server)
        push(store, *histories)
        assert command_counts(server)["evalsha"] == 5
        forget_command_counts(server)
        assert store.histories() == {each.name: each for each in histories}
        assert command_counts(server)["evalsha_ro"] == 1 + 5


def test_forgetting_is_of_versions_or_of_all(server: Server, face: Face) -> None:
    with open_store(face, server.url) as store:
        three = history({1: Order, 2: WithNote, 3: WithAmount})
        push(store, three, history({1: Order}, "other"), force=True)
        assert store.forget("order", [2, 9]) == 1
        assert list(store.histories()["order"].versions) == [1, 3]
        assert store.forget("order") == 2
        assert store.forget("order") == 0
        assert list(store.histories()) == ["other"]
        with pytest.raises(InvalidArgument):
            store.forget("or der")


def test_where_a_version_came_from_is_told(server: Server, face: Face) -> None:
    registry = Registry(strict_types=True)
    message("order", queue="orders", registry=registry)(Order)
    with Bus(server.url, registry=registry, source="shop") as bus:
        bus.register_schemas()
    with open_store(face, server.url) as store:
        push(store, history({2: WithNote}))
        assert store.origins("order") == {1: Origin("orders", "shop"), 2: Origin()}
        assert store.origins("none") == {}


def test_a_folder_goes_there_and_back(server: Server, face: Face, tmp_path: Any) -> None:
    registry = Registry(strict_types=True)
    message("order", registry=registry)(Order)
    message("order", version=2, registry=registry)(WithNote)
    files.write(tmp_path, registry.types())
    with open_store(face, server.url) as store:
        store.push(read_history(tmp_path))
        assert store.histories() == read_history(tmp_path)
