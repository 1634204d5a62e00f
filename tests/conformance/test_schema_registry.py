"""What a bus does about the schemas of its message types: registers what is new, refuses what does
not keep to it, before anything is published or consumed."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from omniq_typed import Bus, QueueMonitor, Registry, SafeInt, message, upcast
from omniq_typed.core.command import Command
from omniq_typed.core.schema_records import SchemaRole
from omniq_typed.errors import (
    ConnectionLost,
    IncompatibleSchema,
    InvalidArgument,
    PermissionDenied,
    UnexpectedReply,
)
from omniq_typed.models import Compatibility
from omniq_typed.registration import Registration
from omniq_typed.schema.stored import Origin
from omniq_typed.schema.versions import TypeHistory, Waiver, schema_version, version_of
from omniq_typed.schema_registry import SchemaStore
from tests.conformance.doors import (
    Face,
    command_counts,
    contents,
    forget_command_counts,
    handler_for,
    open_bus,
    server_of_face,
)
from tests.conformance.test_bad_input import acl_user, needed_rules
from tests.servers import AnyServer, Server, free_port, wait_until
from tests.workers import Seen, bus_at_work

READ_ONLY = "%R~{omniq:schemas}:*"

ONE_FACE = pytest.mark.parametrize("face", ["sync"])
"""For rules: both faces have them from the same code, and reach it in the other tests."""


class Order(BaseModel):
    order_id: str


class WithNote(BaseModel):
    """Old and new readers take it."""

    order_id: str
    note: str = ""


class WithRequiredNote(BaseModel):
    """Written as `WithNote` is, read otherwise."""

    order_id: str
    note: str


class WithAmount(BaseModel):
    """Cannot read what `Order` wrote."""

    order_id: str
    amount: SafeInt


class Numbered(BaseModel):
    """Writes what no reader of `Order` takes."""

    order_id: SafeInt


def code(versions: dict[int, type[BaseModel]], name: str = "order", **options: Any) -> Registry:
    """The message types of a program."""
    registry = Registry(strict_types=True)
    for version, cls in versions.items():
        message(name, version=version, queue="orders", registry=registry, **options)(cls)
    return registry


V1 = code({1: Order})
V1_OTHER = code({1: Numbered})
V2 = code({2: WithNote})
BROKEN_V2 = code({2: WithAmount})
MENDED_V2 = code({2: WithAmount})


@upcast(WithAmount, from_version=1, registry=MENDED_V2)
def costs_nothing(order: dict[str, Any]) -> dict[str, Any]:
    return {**order, "amount": 0}


ORDER = Order(order_id="A-1")
BROKEN = WithAmount(order_id="A-1", amount=1)


@pytest.fixture
def server(request: pytest.FixtureRequest, face: Face) -> Server:
    """One kind of server for each face."""
    return server_of_face(request, face)


@contextlib.contextmanager
def store_of(url: str) -> Iterator[SchemaStore]:
    with Bus(url, register="off") as bus:
        yield SchemaStore(bus.transport)


def history_of(url: str, name: str = "order") -> TypeHistory | None:
    with store_of(url) as store:
        return store.histories([name]).get(name)


def versions_of(url: str, name: str = "order") -> list[int]:
    found = history_of(url, name)
    return [] if found is None else list(found.versions)


def register(url: str, *registries: Registry) -> None:
    for each in registries:
        with Bus(url, registry=each) as bus:
            bus.register_schemas()


def waiting_in(url: str, queue: str = "orders") -> int:
    with Bus(url, register="off") as bus:
        return QueueMonitor(bus).stats(queue).waiting_total


def taking(face: Face, seen: Seen, *classes: type[BaseModel]) -> Callable[[Any], None]:
    def set_up(bus: Any) -> None:
        for cls in classes:
            bus.consumer(cls)(handler_for(face, lambda ctx: seen.add(ctx.payload)))

    return set_up


# Registering.


def test_a_type_is_registered_before_its_first_message_is_published(
    any_server: AnyServer, face: Face
) -> None:
    with open_bus(face, any_server.url, registry=V1, source="shop") as bus:
        assert versions_of(any_server.url) == []
        bus.publish_json(ORDER)
    found = history_of(any_server.url)
    (message_type,) = V1.types()
    assert found == TypeHistory(
        "order", Compatibility.BACKWARD_TRANSITIVE, {1: version_of(message_type)}
    )
    with store_of(any_server.url) as store:
        assert store.origins("order") == {1: Origin("orders", "shop")}
        (entry,) = store.list()
        assert entry.records[0].registered_ms > 1_700_000_000_000


def test_publish_many_registers_all_its_types_first(server: Server, face: Face) -> None:
    registry = code({1: Order, 2: WithNote})
    with open_bus(face, server.url, registry=registry) as bus:
        forget_command_counts(server)
        bus.publish_many([ORDER, WithNote(order_id="A-2"), ORDER])
        # Asked, read, written.
        counts = command_counts(server)
        assert (counts["evalsha_ro"], counts["evalsha"]) >= (2, 2)
    assert versions_of(server.url) == [1, 2]


def test_what_a_handler_publishes_is_registered_too(server: Server, face: Face) -> None:
    registry = code({1: Order})
    message("note", queue="notes", registry=registry)(WithNote)
    seen = Seen()

    def on_order(ctx: Any) -> None:
        ctx.exec.publish_json(WithNote(order_id=ctx.payload.order_id))
        seen.add(versions_of(server.url, "note"))

    async def on_order_async(ctx: Any) -> None:
        await ctx.exec.publish_many([WithNote(order_id=ctx.payload.order_id)])
        seen.add(versions_of(server.url, "note"))

    handler: Any = on_order if face == "sync" else on_order_async
    with open_bus(face, server.url, registry=registry) as bus:
        bus.publish_json(ORDER)
    with bus_at_work(face, server.url, lambda bus: bus.consumer(Order)(handler), registry=registry):
        assert seen.next() == [1]


def test_a_worker_registers_its_types_before_its_first_job(server: Server, face: Face) -> None:
    seen = Seen()
    with open_bus(face, server.url, registry=V1, register="off") as bus:
        bus.publish_json(ORDER)
    assert versions_of(server.url) == []
    with bus_at_work(
        face,
        server.url,
        lambda bus: bus.consumer(Order)(
            handler_for(face, lambda ctx: seen.add(versions_of(server.url)))
        ),
        registry=V1,
    ):
        assert seen.next() == [1]


def test_all_can_be_registered_at_once(server: Server, face: Face) -> None:
    registry = code({1: Order, 2: WithNote})
    message("note", registry=registry)(WithRequiredNote)
    for options in ({}, {"register": "off"}):
        server.flushall()
        with open_bus(face, server.url, registry=registry, **options) as bus:
            assert bus.register_schemas() == ("note v1", "order v1", "order v2")
            assert bus.register_schemas() == ()
        assert versions_of(server.url) == [1, 2]


def test_it_costs_one_round_trip_where_nothing_changed(any_server: AnyServer, face: Face) -> None:
    register(any_server.url, V1, V2)
    registry = code({1: Order, 2: WithNote})
    with open_bus(face, any_server.url, registry=registry) as bus:
        before = contents(any_server)
        forget_command_counts(any_server)
        assert bus.register_schemas() == ()
        counts = command_counts(any_server)
        assert counts["evalsha_ro"] == 1
        # Whatever else is counted belongs to opening a connection, or to counting.
        connecting = {"hello", "client|setinfo", "cluster|slots", "cluster|shards", "command"}
        looking = {"info", "config|resetstat", "scan", "contents", "cluster|myid"}
        assert set(counts) <= {"evalsha_ro", "hmget"} | connecting | looking
    assert contents(any_server) == before


def test_publishing_asks_once_for_each_type(server: Server, face: Face) -> None:
    register(server.url, V1)
    with open_bus(face, server.url, registry=V1) as bus:
        bus.publish_json(ORDER)
        forget_command_counts(server)
        for _ in range(5):
            bus.publish_json(ORDER)
            bus.publish_many([ORDER, ORDER])
        counts = command_counts(server)
    assert (counts.get("evalsha_ro", 0), counts["evalsha"]) == (0, 10)


def test_a_worker_asks_once_for_all_its_types(server: Server, face: Face) -> None:
    registry = code({1: Order, 2: WithNote})
    register(server.url, registry)
    with open_bus(face, server.url, registry=registry) as bus:
        bus.publish_json(ORDER)
    forget_command_counts(server)
    seen = Seen()
    with bus_at_work(face, server.url, taking(face, seen, Order, WithNote), registry=registry):
        seen.next()
    assert command_counts(server)["evalsha_ro"] == 1


@ONE_FACE
def test_registered_schemas_outlive_flushed_scripts(server: Server, face: Face) -> None:
    with open_bus(face, server.url, registry=V1) as bus:
        bus.register_schemas()
        server.command("SCRIPT", "FLUSH")
        assert bus.register_schemas() == ()
    assert versions_of(server.url) == [1]


def test_a_type_without_a_schema_is_told_of_once_and_its_messages_flow(
    server: Server, face: Face, caplog: pytest.LogCaptureFixture
) -> None:
    registry = Registry(strict_types=False)

    class Odd(BaseModel):
        # Has no JSON Schema in either view.
        model_config = {"arbitrary_types_allowed": True}
        when: Any = None

        @classmethod
        def __get_pydantic_json_schema__(cls, *_: Any) -> Any:
            from pydantic.errors import PydanticInvalidForJsonSchema

            raise PydanticInvalidForJsonSchema("no schema for this one")

    message("odd", queue="orders", registry=registry)(Odd)
    seen = Seen()
    with open_bus(face, server.url, registry=registry) as bus:
        bus.publish_json(Odd())
        bus.publish_json(Odd())
    assert caplog.text.count("odd v1 is not registered") == 1
    assert versions_of(server.url, "odd") == []
    with bus_at_work(face, server.url, taking(face, seen, Odd), registry=registry):
        assert seen.next() == Odd()


# Refusing.


def test_a_version_that_cannot_read_the_old_ones_is_refused_before_it_is_published(
    server: Server, face: Face
) -> None:
    register(server.url, V1)
    before = contents(server)
    with open_bus(face, server.url, registry=BROKEN_V2) as bus:
        with pytest.raises(IncompatibleSchema):
            bus.register_schemas()
        with pytest.raises(IncompatibleSchema):
            bus.publish_many([BROKEN])
        with pytest.raises(IncompatibleSchema) as refused:
            bus.publish_json(BROKEN)
    error = refused.value
    assert (error.name, error.version) == ("order", 2)
    (found,) = error.breaks
    assert (found.new_version, found.old_version, found.direction) == (2, 1, "backward")
    assert found.found.pointer == "/amount"
    for part in ("order v2", "v1", "/amount", found.found.rule, "@upcast", 'register="off"'):
        assert part in str(error)
    assert isinstance(error, InvalidArgument)
    assert contents(server) == before


def test_a_worker_with_such_a_version_takes_no_job(server: Server, face: Face) -> None:
    with open_bus(face, server.url, registry=V1) as bus:
        bus.publish_json(ORDER)
    seen = Seen()
    with (
        pytest.raises(IncompatibleSchema),
        bus_at_work(face, server.url, taking(face, seen, WithAmount), registry=BROKEN_V2) as worker,
    ):
        worker.wait()
    assert seen.nothing_more()
    assert waiting_in(server.url) == 1


@ONE_FACE
def test_an_example_is_told_that_would_be_refused(server: Server, face: Face) -> None:
    register(server.url, V1)
    with (
        open_bus(face, server.url, registry=BROKEN_V2) as bus,
        pytest.raises(IncompatibleSchema) as refused,
    ):
        bus.register_schemas()
    (found,) = refused.value.breaks
    assert found.found.has_example
    with pytest.raises(ValueError, match="amount"):
        WithAmount.model_validate(found.found.example)


@ONE_FACE
def test_all_that_is_wrong_is_told_at_once_and_nothing_is_registered(
    server: Server, face: Face
) -> None:
    register(server.url, V1, code({1: Order}, name="other"))
    before = contents(server)
    registry = code({2: WithAmount})
    message("other", version=2, registry=registry)(Numbered)
    message("fine", registry=registry)(Order)
    with (
        open_bus(face, server.url, registry=registry) as bus,
        pytest.raises(IncompatibleSchema) as refused,
    ):
        bus.register_schemas()
    assert {each.name for each in refused.value.breaks} == {"order", "other"}
    assert contents(server) == before


@ONE_FACE
def test_an_upcast_answers_for_a_version(server: Server, face: Face) -> None:
    register(server.url, V1)
    with open_bus(face, server.url, registry=MENDED_V2) as bus:
        bus.publish_json(BROKEN)
    assert versions_of(server.url) == [1, 2]


@ONE_FACE
def test_an_older_version_may_come_after_a_newer_one_that_has_an_upcast(
    server: Server, face: Face, caplog: pytest.LogCaptureFixture
) -> None:
    """Consumers are deployed first, and where nothing was registered yet, their version is the
    first. The upcast is in their code, where the old version's program cannot see it."""
    register(server.url, MENDED_V2)
    seen = Seen()
    with open_bus(face, server.url, registry=V1) as bus:
        bus.publish_json(ORDER)
    assert versions_of(server.url) == [1, 2]
    assert "order v2 is registered already, and reads v1 through an upcast" in caplog.text
    with bus_at_work(face, server.url, taking(face, seen, WithAmount), registry=MENDED_V2):
        assert seen.next() == WithAmount(order_id="A-1", amount=0)


@ONE_FACE
def test_a_version_does_not_change(server: Server, face: Face) -> None:
    register(server.url, V1)
    before = contents(server)
    with (
        open_bus(face, server.url, registry=V1_OTHER) as bus,
        pytest.raises(IncompatibleSchema) as refused,
    ):
        bus.publish_json(Numbered(order_id=1))
    assert {each.direction for each in refused.value.breaks} == {"version"}
    assert "omniq-typed schema prune order --version 1" in str(refused.value)
    assert contents(server) == before


@ONE_FACE
def test_unless_its_mode_is_none_and_then_it_is_replaced(server: Server, face: Face) -> None:
    register(server.url, code({1: Order}, compatibility="NONE"))
    with open_bus(face, server.url, registry=V1_OTHER) as bus:
        bus.publish_json(Numbered(order_id=1))
    found = history_of(server.url)
    assert found is not None and found.mode is Compatibility.NONE
    assert found.versions[1].writer["properties"]["order_id"]["type"] == "integer"


@ONE_FACE
def test_once_forgotten_a_version_may_be_another(server: Server, face: Face) -> None:
    register(server.url, V1)
    with store_of(server.url) as store:
        assert store.forget("order", [1]) == 1
    with open_bus(face, server.url, registry=V1_OTHER) as bus:
        bus.publish_json(Numbered(order_id=1))
    assert versions_of(server.url) == [1]


@ONE_FACE
def test_another_reader_of_the_same_writer_takes_its_place(server: Server, face: Face) -> None:
    register(server.url, code({1: WithNote}))
    strict = code({1: WithRequiredNote})
    with open_bus(face, server.url, registry=strict, register="check") as bus:
        bus.publish_json(WithRequiredNote(order_id="A", note=""))
    found = history_of(server.url)
    assert found is not None and found.versions[1].reader["required"] == ["order_id"]
    with open_bus(face, server.url, registry=strict) as bus:
        bus.publish_json(WithRequiredNote(order_id="A", note=""))
    found = history_of(server.url)
    assert found is not None and found.versions[1].reader["required"] == ["order_id", "note"]


@ONE_FACE
def test_another_reader_is_checked_as_well(server: Server, face: Face) -> None:
    """That of v2 took what v1 wrote, and shall not any more."""
    register(server.url, V1, V2)
    with (
        open_bus(face, server.url, registry=code({2: WithRequiredNote})) as bus,
        pytest.raises(IncompatibleSchema) as refused,
    ):
        bus.publish_json(WithRequiredNote(order_id="A", note=""))
    assert {each.direction for each in refused.value.breaks} == {"backward"}


# The same in other words.


def in_other_words(url: str) -> TypeHistory:
    """Registers v1 as another release of this library might have."""
    (message_type,) = V1.types()
    ours = version_of(message_type)
    writer, reader = (
        {**each, "properties": {"order_id": {"type": "string", "minLength": 0}}}
        for each in (ours.writer, ours.reader)
    )
    theirs = schema_version("order", 1, writer, reader)
    assert theirs.fingerprint != ours.fingerprint
    history = TypeHistory("order", Compatibility.BACKWARD_TRANSITIVE, {1: theirs})
    with store_of(url) as store:
        store.push({"order": history})
    return history


@ONE_FACE
def test_a_schema_in_other_words_is_the_same_version(server: Server, face: Face) -> None:
    """Else a new release of the library, or of Pydantic, could stop all programs."""
    registered = in_other_words(server.url)
    with open_bus(face, server.url, registry=V1, register="check") as bus:
        bus.publish_json(ORDER)
    assert history_of(server.url) == registered
    with open_bus(face, server.url, registry=V1) as bus:
        assert bus.register_schemas() == ("order v1",)
        assert bus.register_schemas() == ()
    found = history_of(server.url)
    assert found is not None and found.versions[1] == version_of(V1.types()[0])


@ONE_FACE
def test_it_needs_no_right_to_write(server: Server, face: Face) -> None:
    registered = in_other_words(server.url)
    with (
        acl_user(server, *rights(server, READ_ONLY)) as user,
        open_bus(face, limited(user), registry=V1) as bus,
    ):
        bus.publish_json(ORDER)
    assert history_of(server.url) == registered


# Modes and waivers.


@ONE_FACE
def test_the_mode_is_that_of_the_code_and_stays_where_the_code_says_none(
    server: Server, face: Face
) -> None:
    said: list[tuple[dict[str, Any], Compatibility]] = [
        ({}, Compatibility.BACKWARD_TRANSITIVE),
        ({"compatibility": "BACKWARD"}, Compatibility.BACKWARD),
        ({}, Compatibility.BACKWARD),
        ({"shared": True}, Compatibility.FULL_TRANSITIVE),
    ]
    for options, expected in said:
        with open_bus(face, server.url, registry=code({1: Order}, **options)) as bus:
            bus.publish_json(ORDER)
        found = history_of(server.url)
        assert found is not None and found.mode is expected


@ONE_FACE
def test_a_mode_that_the_registered_versions_break_is_refused(server: Server, face: Face) -> None:
    register(server.url, code({1: WithAmount}), code({2: Order}))
    with (
        open_bus(face, server.url, registry=code({2: Order}, compatibility="FULL")) as bus,
        pytest.raises(IncompatibleSchema) as refused,
    ):
        bus.publish_json(ORDER)
    assert {each.direction for each in refused.value.breaks} == {"forward"}
    found = history_of(server.url)
    assert found is not None and found.mode is Compatibility.BACKWARD_TRANSITIVE


@ONE_FACE
def test_a_waiver_accepts_a_break(server: Server, face: Face) -> None:
    register(server.url, V1)
    with (
        open_bus(face, server.url, registry=BROKEN_V2) as bus,
        store_of(server.url) as store,
    ):
        with pytest.raises(IncompatibleSchema) as refused:
            bus.register_schemas()
        rule = refused.value.breaks[0].found.rule
        known = store.histories()["order"]
        waiver = Waiver(2, rule, "nobody published v1 yet")
        store.push({"order": TypeHistory("order", known.mode, known.versions, (waiver,))})
        bus.publish_json(BROKEN)
    found = history_of(server.url)
    assert found is not None and list(found.versions) == [1, 2] and found.waivers == (waiver,)


@ONE_FACE
def test_a_waiver_accepts_even_that_a_version_changes(server: Server, face: Face) -> None:
    register(server.url, V1)
    with store_of(server.url) as store:
        known = store.histories()["order"]
        waiver = Waiver(1, "version_changed", "v1 was never published")
        store.push({"order": TypeHistory("order", known.mode, known.versions, (waiver,))})
    with open_bus(face, server.url, registry=V1_OTHER) as bus:
        bus.publish_json(Numbered(order_id=1))
    found = history_of(server.url)
    assert found is not None
    assert found.versions[1].writer["properties"]["order_id"]["type"] == "integer"


# What lies there in another shape.


@ONE_FACE
def test_what_nobody_of_us_wrote_is_told_as_such(server: Server, face: Face) -> None:
    register(server.url, V1)
    server.command("HSET", "{omniq:schemas}:type:order", "1:content", "[]")
    with open_bus(face, server.url, registry=V1) as bus:
        bus.publish_json(ORDER)  # whose fingerprints are as they were
    with (
        open_bus(face, server.url, registry=V2) as bus,
        pytest.raises(UnexpectedReply, match=r"cannot be read at order; .*prune order"),
    ):
        bus.publish_json(WithNote(order_id="A"))


# check and off.


def test_checking_never_writes(server: Server, face: Face, caplog: Any) -> None:
    caplog.set_level(logging.INFO, "omniq_typed.schemas")
    with open_bus(face, server.url, registry=V1, register="check") as bus:
        bus.publish_json(ORDER)
        assert bus.register_schemas() == ()
    assert versions_of(server.url) == []
    assert "not registered, but compatible: order v1" in caplog.text


def test_checking_refuses_as_registering_does(server: Server, face: Face) -> None:
    register(server.url, V1)
    before = contents(server)
    with open_bus(face, server.url, registry=BROKEN_V2, register="check") as bus:
        with pytest.raises(IncompatibleSchema):
            bus.publish_json(BROKEN)
        with pytest.raises(IncompatibleSchema):
            bus.register_schemas()
    assert contents(server) == before


def test_off_does_not_ask(server: Server, face: Face) -> None:
    register(server.url, V1)
    seen = Seen()
    forget_command_counts(server)
    with open_bus(face, server.url, registry=BROKEN_V2, register="off") as bus:
        bus.publish_json(BROKEN)
        bus.publish_many([BROKEN])
    with bus_at_work(
        face, server.url, taking(face, seen, WithAmount), registry=BROKEN_V2, register="off"
    ):
        assert [seen.next(), seen.next()] == [BROKEN, BROKEN]
    assert "evalsha_ro" not in command_counts(server)
    assert versions_of(server.url) == [1]


@pytest.mark.parametrize("register", ["", "STRICT", None, True])
def test_what_register_cannot_be_is_refused(face: Face, register: Any) -> None:
    with (
        pytest.raises(InvalidArgument) as refused,
        open_bus(face, "embedded://", register=register),
    ):
        pass
    assert refused.value.field == "register"


# Rights.


def limited(user: dict[str, Any]) -> str:
    return f"redis://{user['username']}:{user['password']}@{user['host']}:{user['port']}/0"


def rights(server: AnyServer, *schemas: str) -> list[str]:
    return [*(rule for rule in needed_rules(server) if "schemas" not in rule), *schemas]


def test_the_documented_user_can_register(server: Server, face: Face) -> None:
    with (
        acl_user(server, *needed_rules(server)) as user,
        open_bus(face, limited(user), registry=V1) as bus,
    ):
        bus.publish_json(ORDER)
    assert versions_of(server.url) == [1]


def test_who_may_only_read_can_use_what_is_registered(any_server: AnyServer, face: Face) -> None:
    register(any_server.url, V1)
    before = contents(any_server)
    seen = Seen()
    with acl_user(any_server, *rights(any_server, READ_ONLY)) as user:
        with open_bus(face, limited(user), registry=V1) as bus:
            bus.publish_json(ORDER)
        with bus_at_work(face, limited(user), taking(face, seen, Order), registry=V1):
            assert seen.next() == ORDER
    assert {
        key: value for key, value in contents(any_server).items() if b"schemas" in key
    } == before


def test_who_may_only_read_is_told_what_to_grant_where_there_is_something_to_write(
    server: Server, face: Face
) -> None:
    register(server.url, V1)
    before = contents(server)
    with acl_user(server, *rights(server, READ_ONLY)) as user:
        with open_bus(face, limited(user), registry=V2) as bus:
            with pytest.raises(PermissionDenied) as refused:
                bus.publish_json(WithNote(order_id="A"))
            for part in ("order v2", "grant ~{omniq:schemas}:*", 'register="check"'):
                assert part in str(refused.value)
            assert refused.value.server_message
        assert contents(server) == before
        with open_bus(face, limited(user), registry=V2, register="check") as bus:
            bus.publish_json(WithNote(order_id="A"))
    assert versions_of(server.url) == [1]


def test_who_may_not_even_read_is_told_what_to_grant(server: Server, face: Face) -> None:
    register(server.url, V1)
    before = contents(server)
    with acl_user(server, *rights(server)) as user:
        url = limited(user)
        with open_bus(face, url, registry=V1) as bus:
            with pytest.raises(PermissionDenied) as refused:
                bus.publish_json(ORDER)
            for part in ("grant %R~{omniq:schemas}:*", "+evalsha_ro", 'register="off"'):
                assert part in str(refused.value)
        with (
            pytest.raises(PermissionDenied),
            bus_at_work(face, url, taking(face, Seen(), Order), registry=V1) as worker,
        ):
            worker.wait()
        assert contents(server) == before
        with open_bus(face, url, registry=V1, register="off") as bus:
            bus.publish_json(ORDER)


# Others at the same time, and a server that is away.


def test_what_others_registered_meanwhile_is_looked_at_again(server: Server) -> None:
    """v2 was found to be compatible with nothing, and has to be with v1."""
    with Bus(server.url, registry=V1) as other, Bus(server.url, registry=BROKEN_V2) as bus:

        def interfere(command: Command[Any]) -> None:
            if command.script.name == "register_schemas":
                other.register_schemas()

        with pytest.raises(IncompatibleSchema):
            settle(bus, BROKEN_V2, interfere)
        assert versions_of(server.url) == [1]
        with Bus(server.url, registry=V2) as third:
            settle(third, V2, interfere)
    assert versions_of(server.url) == [1, 2]


def test_who_is_late_finds_all_done(server: Server) -> None:
    with Bus(server.url, registry=V1) as other, Bus(server.url, registry=V1) as bus:
        register_calls: list[str] = []

        def interfere(command: Command[Any]) -> None:
            if command.script.name == "register_schemas" and not register_calls:
                other.register_schemas()
            register_calls.append(command.script.name)

        settle(bus, V1, interfere)
    assert versions_of(server.url) == [1]
    assert register_calls == ["check_schemas", "read_schemas", "register_schemas"]


def settle(bus: Bus, registry: Registry, before: Callable[[Command[Any]], None]) -> None:
    """Registers step by step; `before` each command something else may happen."""
    steps = Registration(registry, "strict", "").settling(registry.types(), SchemaRole.WRITER)
    command = next(steps)
    with contextlib.suppress(StopIteration):
        while True:
            before(command)
            command = steps.send(bus.transport.run(command))


def test_a_publisher_is_told_that_the_server_is_away(face: Face) -> None:
    with (
        open_bus(face, f"redis://127.0.0.1:{free_port()}/0", registry=V1) as bus,
        pytest.raises(ConnectionLost),
    ):
        bus.publish_json(ORDER)


def test_a_worker_waits_for_a_server_that_is_away(
    server: Server, face: Face, caplog: pytest.LogCaptureFixture
) -> None:
    seen = Seen()
    server.stop()
    with bus_at_work(face, server.url, taking(face, seen, Order), registry=V1):
        wait_for_text(caplog, "trying again in")
        server.restart()
        with open_bus(face, server.url, registry=V1, register="off") as bus:
            bus.publish_json(ORDER)
        assert seen.next() == ORDER
    assert versions_of(server.url) == [1]


def test_a_worker_that_waits_can_be_stopped(
    server: Server, face: Face, caplog: pytest.LogCaptureFixture
) -> None:
    server.stop()
    with bus_at_work(face, server.url, taking(face, Seen(), Order), registry=V1) as worker:
        wait_for_text(caplog, "trying again in")
        worker.finish()


def wait_for_text(caplog: pytest.LogCaptureFixture, text: str) -> None:
    wait_until(lambda: text in caplog.text, f"{text!r} is logged", 60)
