"""Consumers register as readers, and may do so by classes of their own; publishers say what is
written."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import replace
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, computed_field

from omniq_typed import Registry, SafeInt, upcast
from omniq_typed.errors import IncompatibleSchema, PermissionDenied
from omniq_typed.models import Compatibility
from omniq_typed.schema.stored import Origin
from omniq_typed.schema.versions import Waiver, version_of
from tests.conformance.doors import (
    Face,
    command_counts,
    contents,
    forget_command_counts,
    open_bus,
    server_of_face,
)
from tests.conformance.test_bad_input import acl_user
from tests.conformance.test_schema_registry import (
    BROKEN,
    BROKEN_V2,
    ONE_FACE,
    ORDER,
    READ_ONLY,
    V1,
    WithAmount,
    WithNote,
    code,
    costs_nothing,
    history_of,
    limited,
    register,
    rights,
    store_of,
    taking,
    versions_of,
)
from tests.servers import AnyServer, Server, wait_until
from tests.workers import Program, Seen, bus_at_work


@pytest.fixture
def server(request: pytest.FixtureRequest, face: Face) -> Server:
    """One kind of server for each face."""
    return server_of_face(request, face)


class BillingOrder(BaseModel):
    """`ShopOrder`, as one who only reads it knows it."""

    order_id: str
    amount: SafeInt


class ShippingOrder(BaseModel):
    """As another one does."""

    order_id: str
    address: str


class ShopOrder(BaseModel):
    order_id: str
    amount: SafeInt
    address: str


class FreeOrder(BaseModel):
    """Writes no amount, and so cannot be billed."""

    order_id: str
    address: str = ""


class Summed(BaseModel):
    """Refuses the total that it writes."""

    model_config = ConfigDict(extra="forbid")
    order_id: str

    @computed_field
    def total(self) -> SafeInt:
        return 0


SHOP = code({1: ShopOrder})
BILLING = code({1: BillingOrder})
SHIPPING = code({1: ShippingOrder})
FREE = code({1: FreeOrder})
SOLD = ShopOrder(order_id="A-1", amount=5, address="here")


def consume(face: Face, url: str, registry: Registry, **options: Any) -> None:
    """Starts a worker that takes one order, published by somebody who does not register."""
    (message_type,) = registry.types()
    with open_bus(face, url, registry=SHOP, register="off") as bus:
        bus.publish_json(SOLD)
    seen = Seen()
    set_up = taking(face, seen, message_type.cls)
    with bus_at_work(face, url, set_up, registry=registry, **options):
        order = seen.next()
    assert type(order) is message_type.cls and order.order_id == "A-1"


def refuses_to_consume(face: Face, url: str, registry: Registry, **options: Any) -> Any:
    """The error with which a worker does not start."""
    (message_type,) = registry.types()
    set_up = taking(face, Seen(), message_type.cls)
    with (
        pytest.raises(IncompatibleSchema) as refused,
        bus_at_work(face, url, set_up, registry=registry, **options) as worker,
    ):
        worker.wait()
    return refused.value


def roles_of(url: str) -> dict[int, str]:
    with store_of(url) as store:
        return {it.version: it.role for entry in store.list() for it in entry.records}


def is_as_in(url: str, registry: Registry) -> bool:
    found = history_of(url)
    return found is not None and found.versions[1] == version_of(registry.types()[0])


@pytest.mark.parametrize("how", ["strict", "check"])
def test_a_consumer_may_read_by_a_class_of_its_own(
    server: Server, face: Face, how: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "omniq_typed.schemas")
    register(server.url, SHOP)
    before = history_of(server.url)
    consume(face, server.url, BILLING, register=how)
    consume(face, server.url, SHIPPING, register=how)
    assert "order v1 is read by a schema of its own, which takes what is published" in caplog.text
    assert history_of(server.url) == before


@ONE_FACE
def test_it_needs_no_right_to_write_either(server: Server, face: Face) -> None:
    register(server.url, SHOP)
    before = history_of(server.url)
    with acl_user(server, *rights(server, READ_ONLY)) as user:
        consume(face, limited(user), BILLING)
    assert history_of(server.url) == before


@pytest.mark.parametrize("how", ["strict", "check"])
def test_a_consumer_that_cannot_read_what_is_published_is_refused(
    server: Server, face: Face, how: Any
) -> None:
    register(server.url, FREE)
    before = contents(server)
    error = refuses_to_consume(face, server.url, BILLING, register=how)
    (found,) = error.breaks
    assert (found.new_version, found.old_version, found.direction) == (1, 1, "backward")
    assert (found.found.rule, found.found.pointer) == ("field_required", "/amount")
    assert "order v1 does not read what its registered writers write" in str(error)
    assert "@upcast" not in str(error)
    assert contents(server) == before


@ONE_FACE
def test_a_waiver_lets_it_read_all_the_same(server: Server, face: Face) -> None:
    register(server.url, FREE)
    with store_of(server.url) as store:
        waiver = Waiver(1, "field_required", "orders without an amount are not billed")
        store.push({"order": replace(store.histories()["order"], waivers=(waiver,))})
    consume(face, server.url, BILLING)


@ONE_FACE
def test_a_consumer_has_to_read_the_earlier_versions_too(server: Server, face: Face) -> None:
    """By the mode, as before: v1 has no amount."""
    register(server.url, V1, code({2: ShopOrder}, compatibility="NONE"))
    with store_of(server.url) as store:
        known = store.histories()["order"]
        mode = Compatibility.BACKWARD_TRANSITIVE
        store.push({"order": replace(known, mode=mode)}, force=True)
    error = refuses_to_consume(face, server.url, code({2: BillingOrder}))
    assert {(it.old_version, it.direction) for it in error.breaks} == {(1, "backward")}
    mended = code({2: BillingOrder})
    upcast(BillingOrder, from_version=1, registry=mended)(costs_nothing)
    seen = Seen()
    with open_bus(face, server.url, registry=V1) as bus:
        bus.publish_json(ORDER)
    with bus_at_work(face, server.url, taking(face, seen, BillingOrder), registry=mended):
        assert seen.next() == BillingOrder(order_id="A-1", amount=0)


def test_what_a_consumer_registers_is_provisional_until_it_is_published(
    any_server: AnyServer, face: Face
) -> None:
    """The shop's version takes its place, and then it is as firm as any."""
    consume(face, any_server.url, BILLING, source="billing")
    assert roles_of(any_server.url) == {1: "reader"}
    found = history_of(any_server.url)
    assert found is not None and found.provisional == {1: "billing"}
    with open_bus(face, any_server.url, registry=SHOP, source="shop") as bus:
        bus.publish_json(SOLD)
    assert roles_of(any_server.url) == {1: "writer"}
    assert is_as_in(any_server.url, SHOP)
    with store_of(any_server.url) as store:
        assert store.origins("order") == {1: Origin("orders", "shop")}
    with (
        open_bus(face, any_server.url, registry=FREE) as bus,
        pytest.raises(IncompatibleSchema, match="versions do not change"),
    ):
        bus.publish_json(FreeOrder(order_id="A"))
    consume(face, any_server.url, BILLING)
    assert is_as_in(any_server.url, SHOP)


@ONE_FACE
@pytest.mark.parametrize("how", ["strict", "check"])
def test_a_publisher_whose_messages_the_consumer_would_refuse_is_told_whose_it_is(
    server: Server, face: Face, how: Any
) -> None:
    consume(face, server.url, BILLING, source="billing")
    before = contents(server)
    with (
        open_bus(face, server.url, registry=FREE, register=how) as bus,
        pytest.raises(IncompatibleSchema) as refused,
    ):
        bus.publish_json(FreeOrder(order_id="A"))
    (found,) = refused.value.breaks
    assert (found.new_version, found.old_version, found.direction) == (1, 1, "forward")
    assert (found.found.rule, found.found.pointer) == ("field_required", "/amount")
    for part in ("v1 was registered by a consumer, billing", "schema prune order --version 1"):
        assert part in str(refused.value)
    assert contents(server) == before


@ONE_FACE
def test_a_worker_asks_once_about_what_it_has_registered(server: Server, face: Face) -> None:
    consume(face, server.url, SHOP)
    for options in ({}, {"compatibility": "FULL"}):
        forget_command_counts(server)
        consume(face, server.url, code({1: ShopOrder}, **options))
        assert command_counts(server)["evalsha_ro"] == 1
    assert roles_of(server.url) == {1: "reader"}


@ONE_FACE
def test_its_own_publisher_makes_a_version_firm_with_one_write(server: Server, face: Face) -> None:
    consume(face, server.url, SHOP)
    assert roles_of(server.url) == {1: "reader"}
    with open_bus(face, server.url, registry=SHOP) as bus:
        assert bus.register_schemas() == ("order v1",)
    assert roles_of(server.url) == {1: "writer"}
    with open_bus(face, server.url, registry=SHOP) as bus:
        forget_command_counts(server)
        assert bus.register_schemas() == ()
        counts = command_counts(server)
    assert (counts["evalsha_ro"], counts.get("evalsha", 0)) == (1, 0)


@ONE_FACE
def test_a_publisher_without_the_right_to_write_is_told_what_to_grant(
    server: Server, face: Face
) -> None:
    consume(face, server.url, SHOP)
    with acl_user(server, *rights(server, READ_ONLY)) as user:
        consume(face, limited(user), SHOP)
        with (
            open_bus(face, limited(user), registry=SHOP) as bus,
            pytest.raises(PermissionDenied, match=r"may not register order v1; grant"),
        ):
            bus.publish_json(SOLD)
    assert roles_of(server.url) == {1: "reader"}


@ONE_FACE
def test_consumers_with_classes_of_their_own_may_all_come_first(
    server: Server, face: Face, caplog: pytest.LogCaptureFixture
) -> None:
    """What one of them reads says nothing of what is written."""
    caplog.set_level(logging.INFO, "omniq_typed.schemas")
    consume(face, server.url, BILLING, source="billing")
    consume(face, server.url, SHIPPING)
    assert "schema of its own; only another consumer has registered it (billing)" in caplog.text
    assert roles_of(server.url) == {1: "reader"} and is_as_in(server.url, BILLING)
    with open_bus(face, server.url, registry=SHOP) as bus:
        bus.publish_json(SOLD)
    assert is_as_in(server.url, SHOP)


@ONE_FACE
def test_a_later_version_owes_nothing_to_what_nobody_publishes(server: Server, face: Face) -> None:
    consume(face, server.url, SHIPPING)
    both = code({1: ShippingOrder, 2: WithAmount})
    with open_bus(face, server.url, registry=both) as bus:
        bus.publish_json(BROKEN)
    assert roles_of(server.url) == {1: "reader", 2: "writer"}


@ONE_FACE
def test_it_is_told_of_it_when_somebody_does(
    server: Server, face: Face, caplog: pytest.LogCaptureFixture
) -> None:
    consume(face, server.url, V1)
    register(server.url, BROKEN_V2)
    assert "order v2 is registered already" not in caplog.text
    register(server.url, V1)
    assert "order v2 is registered already, and reads v1 through an upcast" in caplog.text
    assert roles_of(server.url) == {1: "writer", 2: "writer"}


@ONE_FACE
def test_a_class_that_does_not_read_what_it_writes_is_nobodys_but_its_own(
    server: Server, face: Face
) -> None:
    odd = code({1: Summed}, strict_types=False)
    with bus_at_work(face, server.url, taking(face, Seen(), Summed), registry=odd):
        wait_until(lambda: roles_of(server.url) == {1: "reader"}, "it is registered", 10)
    register(server.url, odd)
    assert roles_of(server.url) == {1: "writer"}


@ONE_FACE
def test_but_to_those_who_read_it_where_its_mode_says_so(server: Server, face: Face) -> None:
    consume(face, server.url, code({1: BillingOrder}, compatibility="FULL"), source="billing")
    with (
        open_bus(face, server.url, registry=code({2: FreeOrder})) as bus,
        pytest.raises(IncompatibleSchema, match="registered by a consumer, billing") as refused,
    ):
        bus.publish_json(FreeOrder(order_id="A"))
    assert {(it.old_version, it.direction) for it in refused.value.breaks} == {(1, "forward")}


def test_who_reads_by_a_class_of_its_own_may_not_publish_it(server: Server, face: Face) -> None:
    register(server.url, SHOP)
    before = history_of(server.url)
    seen = Seen()

    def on_order(ctx: Any) -> None:
        with pytest.raises(IncompatibleSchema, match="versions do not change"):
            ctx.exec.publish_json(ctx.payload)
        seen.add(ctx.payload)

    async def on_order_async(ctx: Any) -> None:
        with pytest.raises(IncompatibleSchema, match="versions do not change"):
            await ctx.exec.publish_json(ctx.payload)
        seen.add(ctx.payload)

    handler: Any = on_order if face == "sync" else on_order_async
    with open_bus(face, server.url, registry=SHOP) as bus:
        bus.publish_json(SOLD)

    def set_up(bus: Any) -> None:
        bus.consumer(BillingOrder)(handler)

    with bus_at_work(face, server.url, set_up, registry=BILLING):
        assert seen.next() == BillingOrder(order_id="A-1", amount=5)
    assert history_of(server.url) == before


@ONE_FACE
def test_a_consumer_does_not_change_the_mode_of_what_is_there(server: Server, face: Face) -> None:
    register(server.url, V1)
    consume_nothing = taking(face, Seen(), WithNote)
    with bus_at_work(
        face, server.url, consume_nothing, registry=code({2: WithNote}, compatibility="NONE")
    ):
        wait_until(lambda: versions_of(server.url) == [1, 2], "v2 is registered", 10)
    found = history_of(server.url)
    assert found is not None and found.mode is Compatibility.BACKWARD_TRANSITIVE


@pytest.mark.slow
def test_twenty_processes_at_once_end_in_one_record(valkey_server: Server) -> None:
    server = valkey_server
    server.ensure_running()
    server.flushall()
    roles = [("publishes",), *(("consumes", f"q{number}") for number in range(10))]
    programs = [Program(REGISTER, server.url, *role) for role in (roles[:1] * 9 + roles)]
    with contextlib.ExitStack() as stack:
        for each in programs:
            stack.enter_context(each)
        for each in programs:
            each.wait_for("ready")
        forget_command_counts(server)
        server.command("RPUSH", "go", *range(20))
        for each in programs:
            each.wait_for("registered")
        assert [each.exit_code() for each in programs] == [0] * 20
    with store_of(server.url) as store:
        (entry,) = store.list()
    # Who consumed first has written before, but what is published stays.
    (record,) = entry.records
    assert record.role == "writer"
    assert record.fingerprint == version_of(SHOP.types()[0]).fingerprint


REGISTER = """
import sys, threading
from dataclasses import dataclass
import redis
from omniq_typed import Bus, Ctx, Registry, SafeInt, message

url, how, *queues = sys.argv[1:]
registry = Registry()

if how == "publishes":
    @message("order", queue="orders", registry=registry)
    @dataclass
    class Order:
        order_id: str
        amount: SafeInt
        address: str

    order = Order("A", 1, "here")
else:
    @message("order", registry=registry)
    @dataclass
    class Order:
        order_id: str
        amount: SafeInt

    order = Order("A", 1)
    with Bus(url, registry=registry, register="off") as other:
        other.publish_json(order, queue=queues[0])

with Bus(url, registry=registry) as bus:
    stop = threading.Event()
    print("ready")
    redis.Redis.from_url(url).blpop("go", 60)
    if how == "publishes":
        bus.publish_json(order)
    else:
        @bus.consumer(Order, queue=queues[0])
        def on_order(ctx: Ctx[Order]) -> None:
            stop.set()

        bus.run(stop=stop)
    print("registered")
"""
