"""Consumers of message types that have no Python class here: dicts, checked against the registered
schemas."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from pydantic import AwareDatetime, BaseModel

from omniq_typed import (
    AsyncMiddleware,
    Bus,
    Fixed,
    InvalidJob,
    InvalidOutcome,
    LeaveForOthers,
    Middleware,
    NewJob,
    Registry,
    SafeInt,
    message,
    message_type,
)
from omniq_typed.core.enqueue import enqueue
from omniq_typed.core.schema_records import SchemaChange, SchemaRecord
from omniq_typed.core.schemas import read_schemas, register_schemas
from omniq_typed.errors import InvalidArgument, InvalidMessageType, PermissionDenied
from omniq_typed.models import JobInfo
from omniq_typed.schema.payload_check import PayloadCheck
from omniq_typed.worker.registered import JobSchema, RegisteredSchemas
from tests.conformance.doors import (
    Face,
    command_counts,
    forget_command_counts,
    handler_for,
    open_bus,
    server_of_face,
)
from tests.conformance.test_bad_input import acl_user, documented_acl
from tests.servers import AnyServer, Server
from tests.workers import Seen, Watch, bus_at_work

TYPES = Registry(strict_types=False)
NEWER = Registry(strict_types=False)
NOTHING = Registry()


class Line(BaseModel):
    sku: str
    amount: SafeInt


@message("orders.created", version=1, queue="orders", registry=TYPES)
class OrderCreated(BaseModel):
    order_id: str
    lines: list[Line]
    placed_at: AwareDatetime | None = None


@message("orders.created", version=2, queue="orders", registry=NEWER)
class OrderCreated2(BaseModel):
    order_id: str
    lines: list[Line]
    placed_at: AwareDatetime | None = None
    coupon: str = ""


@message("orders.paid", queue="orders", registry=TYPES)
@dataclass
class OrderPaid:
    order_id: str


Tags = message_type(list[str], name="tags", queue="orders", registry=TYPES)

GOOD: dict[str, Any] = {"order_id": "A-1", "lines": [{"sku": "x", "amount": 2}], "placed_at": None}


@pytest.fixture
def server(request: pytest.FixtureRequest, face: Face) -> Server:
    """One kind of server for each face."""
    return server_of_face(request, face)


def registered(face: Face, url: str, *registries: Registry) -> None:
    for each in registries or (TYPES,):
        with open_bus(face, url, registry=each) as bus:
            bus.register_schemas()


def working(face: Face, url: str, set_up: Callable[[Any], None]) -> Any:
    """A worker that has no Python class of the messages."""
    return bus_at_work(face, url, set_up, registry=NOTHING)


def taking(face: Face, seen: Seen, *names: str, **options: Any) -> Callable[[Any], None]:
    def set_up(bus: Any) -> None:
        for name in names or ("orders.created",):
            handler = handler_for(face, lambda ctx: seen.add((ctx.msg_version, ctx.payload)))
            bus.raw_consumer(name, queue="orders", **options)(handler)

    return set_up


def publish_raw(watch: Watch, payload: bytes, job_id: str = "raw", **side: str) -> str:
    named = {f"msg_{name}": text for name, text in side.items()}
    job = NewJob(job_id, payload, max_attempts=2, side=named)
    watch.bus.transport.run(enqueue("orders", [job]))
    return job_id


def failure_of(job: JobInfo) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(job.failure)
    return found


def test_a_handler_gets_the_dict_of_a_message_whose_class_is_elsewhere(
    any_server: AnyServer, face: Face
) -> None:
    seen = Seen()
    with open_bus(face, any_server.url, registry=TYPES) as bus:
        bus.publish_json(OrderCreated(order_id="A-1", lines=[Line(sku="x", amount=2)]))
    with working(face, any_server.url, taking(face, seen)):
        assert seen.next() == (1, GOOD)


def test_a_handler_may_take_the_dict_alone(server: Server, face: Face, watch: Watch) -> None:
    registered(face, server.url)
    seen = Seen()

    def on_order(order: dict[str, Any]) -> None:
        seen.add(order)

    async def on_order_async(order: dict[str, Any]) -> None:
        seen.add(order)

    handler: Any = on_order if face == "sync" else on_order_async
    watch.client.publish(queue="orders", payload=GOOD)
    with working(
        face,
        server.url,
        lambda bus: bus.raw_consumer("orders.created", queue="orders")(handler),
    ):
        assert seen.next() == GOOD


def test_fields_that_the_schema_does_not_know_come_along(
    server: Server, face: Face, watch: Watch
) -> None:
    registered(face, server.url)
    seen = Seen()
    payload = {"order_id": "A-1", "lines": [], "extra": {"n": [1.5, 2**63]}}
    publish_raw(watch, orjson.dumps(payload), type="orders.created", version="1")
    with working(face, server.url, taking(face, seen)):
        assert seen.next() == (1, payload)


def test_a_payload_that_breaks_its_schema_is_told_field_by_field(
    server: Server, face: Face, watch: Watch
) -> None:
    """As of a typed consumer: the same reason, the same places."""
    registered(face, server.url)
    seen = Seen()
    broken = b'{"lines":[{"sku":5,"amount":9007199254740993}],"placed_at":"yesterday"}'
    raw = publish_raw(watch, broken, type="orders.created", version="1")
    good = watch.client.publish(queue="orders", payload=GOOD)
    with working(face, server.url, taking(face, seen)):
        failed = watch.reaches("orders", raw, "failed")
        assert seen.next() == (1, GOOD)
        watch.reaches("orders", good, "completed")
    failure = failure_of(failed)
    assert failure["reason"] == "invalid_payload"
    assert {(each["path"], each["code"]) for each in failure["errors"]} == {
        ("/order_id", "required"),
        ("/lines/0/sku", "type"),
        ("/lines/0/amount", "maximum"),
        ("/placed_at", "anyOf"),
    }
    assert "orders.created v1" in failure["message"]
    assert (failed.attempt, failed.payload_raw) == (0, broken)


def test_what_is_no_json_goes_to_the_failed_lane(server: Server, face: Face, watch: Watch) -> None:
    registered(face, server.url)
    payloads = (b"{", b"", b'{"order_id":NaN}', b"\xff", b'{"a":"\\ud800"}')
    for number, payload in enumerate(payloads):
        publish_raw(watch, b"{}", str(number), type="orders.created")
        put_payload: Any = server.command
        put_payload("HSET", f"{{orders}}:job:{number}", "payload", payload)
    with working(face, server.url, taking(face, Seen())):
        for number, payload in enumerate(payloads):
            failed = watch.reaches("orders", str(number), "failed")
            failure = failure_of(failed)
            assert failure["reason"] == "invalid_payload"
            assert [each["code"] for each in failure["errors"]] == ["json_invalid"]
            assert failed.payload_raw == payload


# Versions and types.


def test_each_version_is_checked_by_its_own_schema(
    server: Server, face: Face, watch: Watch
) -> None:
    registered(face, server.url, TYPES, NEWER)
    seen = Seen()
    both = {**GOOD, "coupon": 5}
    publish_raw(watch, orjson.dumps(both), "one", type="orders.created", version="1")
    publish_raw(watch, orjson.dumps(both), "two", type="orders.created", version="2")
    with working(face, server.url, taking(face, seen)):
        failed = watch.reaches("orders", "two", "failed")
        assert seen.next() == (1, both)
    assert [each["path"] for each in failure_of(failed)["errors"]] == ["/coupon"]


def test_a_job_without_a_type_is_version_1_of_the_queues_only_one(
    server: Server, face: Face, watch: Watch
) -> None:
    registered(face, server.url, TYPES, NEWER)
    seen = Seen()
    watch.client.publish(queue="orders", payload=GOOD)
    with working(face, server.url, taking(face, seen)):
        assert seen.next() == (1, GOOD)


def test_unknown_types_and_versions_are_told_as_such(
    server: Server, face: Face, watch: Watch
) -> None:
    """The job without a type could be of either."""
    registered(face, server.url)
    sides: dict[str, dict[str, str]] = {
        "no schema of orders.created v3 is registered; there is v1": {
            "type": "orders.created",
            "version": "3",
        },
        "msg_version 'x' is no number": {"type": "orders.created", "version": "x"},
        "no handler on queue 'orders' for orders.other v1": {"type": "orders.other"},
        "has handlers for several: orders.created, orders.paid": {},
    }
    for number, side in enumerate(sides.values()):
        publish_raw(watch, orjson.dumps(GOOD), str(number), **side)
    with working(face, server.url, taking(face, Seen(), "orders.created", "orders.paid")):
        for number, message in enumerate(sides):
            failure = failure_of(watch.reaches("orders", str(number), "failed"))
            assert failure["reason"] == "unknown_type"
            assert message in failure["message"]


def test_a_version_that_is_registered_later_is_found(
    server: Server, face: Face, watch: Watch
) -> None:
    registered(face, server.url)
    seen = Seen()
    newer = {**GOOD, "coupon": "X"}
    watch.client.publish(queue="orders", payload=GOOD)
    with working(face, server.url, taking(face, seen)):
        assert seen.next() == (1, GOOD)
        registered(face, server.url, NEWER)
        publish_raw(watch, orjson.dumps(newer), type="orders.created", version="2")
        assert seen.next() == (2, newer)


def test_a_type_that_is_registered_later_is_found(server: Server, face: Face, watch: Watch) -> None:
    seen = Seen()
    leave = LeaveForOthers(pause_ms=20)
    early = publish_raw(watch, orjson.dumps(GOOD), "early", type="orders.created", version="1")
    with working(face, server.url, taking(face, seen, on_invalid=leave)):
        watch.until("orders", early, lambda job: int(job.deferrals) >= 1)
        registered(face, server.url)
        # Another schema than the early job speaks of, so that it is asked for at once.
        with open_bus(face, server.url, registry=TYPES) as bus:
            bus.publish_json(OrderCreated(order_id="late", lines=[]))
        first, second = seen.next(), seen.next()
    assert {first[1]["order_id"], second[1]["order_id"]} == {"A-1", "late"}


def test_a_version_that_became_another_is_read_again(
    server: Server, face: Face, watch: Watch
) -> None:
    """Which only mode NONE allows; the job says by which schema it was written."""
    seen = Seen()
    put(watch, "1" * 16, {"type": "object", "required": ["a"]})
    publish_raw(watch, b'{"a":1}', "one", type="draft", schema="1" * 16)
    with working(face, server.url, taking(face, seen, "draft")):
        assert seen.next() == (1, {"a": 1})
        put(watch, "2" * 16, {"type": "object", "required": ["b"]})
        publish_raw(watch, b'{"b":1}', "two", type="draft", schema="2" * 16)
        assert seen.next() == (1, {"b": 1})


def put(watch: Watch, fingerprint: str, reader: Any) -> None:
    """Makes a schema that of draft v1."""
    content = orjson.dumps({"writer": {}, "reader": reader})
    record = SchemaRecord(1, fingerprint, fingerprint, content)
    (entry,) = watch.bus.transport.run(read_schemas(["draft"]))
    change = SchemaChange("draft", entry.revision, "NONE", "", (record,), replace=True)
    assert watch.bus.transport.run(register_schemas([change]))


def test_a_schema_that_cannot_be_used_is_told_and_stops_nothing_else(
    server: Server, face: Face, watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    """A reference to another server is not followed."""
    registered(face, server.url)
    seen = Seen()
    put(watch, "1" * 16, {"$ref": "http://127.0.0.1:1/schema.json"})
    raw = publish_raw(watch, b"{}", type="draft", version="1")
    good = publish_raw(watch, orjson.dumps(GOOD), "good", type="orders.created")
    with working(face, server.url, taking(face, seen, "draft", "orders.created")):
        failed = watch.reaches("orders", raw, "failed")
        assert seen.next() == (1, GOOD)
        watch.reaches("orders", good, "completed")
    failure = failure_of(failed)
    assert failure["reason"] == "unknown_type"
    assert "cannot be used" in failure["message"] and "not fetched" in failure["message"]
    assert "schema of draft v1 cannot be used" in caplog.text


def test_what_lies_there_in_another_shape_is_told_and_stops_nothing_else(
    server: Server, face: Face, watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    registered(face, server.url)
    seen = Seen()
    put(watch, "1" * 16, {})
    server.command("HSET", "{omniq:schemas}:type:draft", "1:content", "no json")
    raw = publish_raw(watch, b"{}", type="draft", version="1")
    publish_raw(watch, orjson.dumps(GOOD), "good", type="orders.created")
    with working(face, server.url, taking(face, seen, "draft", "orders.created")):
        failed = watch.reaches("orders", raw, "failed")
        assert seen.next() == (1, GOOD)
    assert failure_of(failed)["reason"] == "unknown_type"
    assert "cannot be read at draft" in caplog.text


def test_types_that_are_lists_come_as_lists(server: Server, face: Face, watch: Watch) -> None:
    registered(face, server.url)
    seen = Seen()
    with open_bus(face, server.url, registry=TYPES) as bus:
        bus.publish_json(["a", "b"], message_type=Tags)
    with working(face, server.url, taking(face, seen, "tags")):
        assert seen.next() == (1, ["a", "b"])


# Policies, retries, middleware.


def test_a_version_that_is_not_registered_may_be_left_for_others(
    server: Server, face: Face, watch: Watch
) -> None:
    registered(face, server.url)
    raw = publish_raw(watch, orjson.dumps(GOOD), type="orders.created", version="9")
    leave = LeaveForOthers(times=3, pause_ms=1)
    with working(face, server.url, taking(face, Seen(), on_invalid=leave)):
        failed = watch.reaches("orders", raw, "failed")
    assert (failed.deferrals, failed.attempt) == (3, 0)


def test_the_users_handler_for_invalid_jobs_is_asked(
    server: Server, face: Face, watch: Watch
) -> None:
    registered(face, server.url)
    asked: list[InvalidJob] = []

    def decide(job: InvalidJob) -> InvalidOutcome:
        asked.append(job)
        return InvalidOutcome.HANDLED

    def set_up(bus: Any) -> None:
        taking(face, Seen())(bus)
        bus.on_invalid("orders")(handler_for(face, decide))

    raw = publish_raw(watch, b'{"order_id":5,"lines":[]}', type="orders.created")
    with working(face, server.url, set_up):
        watch.reaches("orders", raw, "completed")
    (job,) = asked
    assert job.reason == "invalid_payload"
    assert [fault.path for fault in job.faults] == ["/order_id"]


def test_failures_are_retried_by_the_policy(server: Server, face: Face, watch: Watch) -> None:
    registered(face, server.url)
    seen = Seen()

    def fail_once(ctx: Any) -> None:
        seen.add(ctx.attempt)
        if ctx.attempt == 1:
            raise ValueError("no")

    raw = publish_raw(watch, orjson.dumps(GOOD), type="orders.created")
    with working(
        face,
        server.url,
        lambda bus: bus.raw_consumer("orders.created", queue="orders", retry=Fixed(1))(
            handler_for(face, fail_once)
        ),
    ):
        watch.reaches("orders", raw, "completed")
    assert (seen.next(), seen.next()) == (1, 2)


def test_middleware_stands_around_it(server: Server, face: Face, watch: Watch) -> None:
    registered(face, server.url)
    seen = Seen()

    class Tell(Middleware, AsyncMiddleware):
        def handle(self, ctx: Any, call_next: Any) -> None:
            seen.add("before")
            call_next(ctx)

        async def handle_async(self, ctx: Any, call_next: Any) -> None:
            seen.add("before")
            await call_next(ctx)

    publish_raw(watch, orjson.dumps(GOOD), type="orders.created")
    with working(face, server.url, taking(face, seen, middleware=[Tell()])):
        assert (seen.next(), seen.next()) == ("before", (1, GOOD))


def test_typed_and_raw_consumers_share_a_queue(server: Server, face: Face, watch: Watch) -> None:
    seen = Seen()

    def set_up(bus: Any) -> None:
        taking(face, seen)(bus)
        bus.consumer(OrderPaid)(handler_for(face, lambda ctx: seen.add(ctx.payload)))

    registered(face, server.url)
    publish_raw(watch, orjson.dumps(GOOD), "one", type="orders.created")
    publish_raw(watch, b'{"order_id":"A"}', "two", type="orders.paid")
    with bus_at_work(face, server.url, set_up, registry=TYPES):
        assert seen.next() == (1, GOOD)
        assert seen.next() == OrderPaid("A")


# What is refused.


@pytest.mark.parametrize("name", ["", "a b", "{x}", None])
def test_a_name_that_can_be_none_is_refused(face: Face, name: Any) -> None:
    with (
        open_bus(face, "embedded://", registry=NOTHING) as bus,
        pytest.raises(InvalidArgument) as refused,
    ):
        bus.raw_consumer(name, queue="orders")(handler_for(face, print))
    assert refused.value.field == "name"


def test_a_second_handler_for_a_type_of_a_queue_is_refused(face: Face) -> None:
    with open_bus(face, "embedded://", registry=TYPES) as bus:
        bus.raw_consumer("orders.created", queue="orders")(handler_for(face, print))
        with pytest.raises(InvalidMessageType, match="has a handler on queue 'orders' already"):
            bus.raw_consumer("orders.created", queue="orders")(handler_for(face, print))
        with pytest.raises(InvalidMessageType, match=r"orders\.created v1 has a handler"):
            bus.consumer(OrderCreated)(handler_for(face, print))
        bus.consumer(OrderPaid)(handler_for(face, print))
        with pytest.raises(InvalidMessageType, match=r"orders\.paid has a handler"):
            bus.raw_consumer("orders.paid", queue="orders")(handler_for(face, print))
        bus.raw_consumer("orders.created", queue="others")(handler_for(face, print))


def test_a_handler_of_another_payload_is_refused() -> None:
    def wrong(order: OrderCreated) -> None: ...

    with (
        Bus("embedded://", registry=TYPES) as bus,
        pytest.raises(InvalidMessageType, match="but the consumer is for dict"),
    ):
        bus.raw_consumer("orders.created", queue="orders")(wrong)  # type: ignore[arg-type]


# What it costs, and what it may do.


def test_schemas_are_read_once_at_the_start(server: Server, face: Face, watch: Watch) -> None:
    registered(face, server.url)
    seen = Seen()
    forget_command_counts(server)
    for number in range(5):
        publish_raw(watch, orjson.dumps(GOOD), str(number), type="orders.created")
    with working(face, server.url, taking(face, seen)):
        for _ in range(5):
            seen.next()
    assert command_counts(server)["evalsha_ro"] == 1


def test_a_version_that_stays_unknown_is_not_asked_for_again_and_again(
    server: Server, face: Face, watch: Watch
) -> None:
    registered(face, server.url)
    forget_command_counts(server)
    for number in range(5):
        publish_raw(watch, b"{}", str(number), type="orders.created", version="9")
    with working(face, server.url, taking(face, Seen())):
        for number in range(5):
            watch.reaches("orders", str(number), "failed")
    assert command_counts(server)["evalsha_ro"] == 2


def test_an_unknown_version_is_asked_for_again_after_a_while() -> None:
    now = [0.0]
    schemas = RegisteredSchemas(clock=lambda: now[0])
    job = JobSchema("orders.created", 9)

    def ask() -> bool:
        steps = schemas.learning([job])
        if steps is None:
            return False
        with pytest.raises(StopIteration):
            command = next(steps)
            steps.send(command.parse([[b"orders.created", b"", b"0", b"", []]]))
        return True

    assert ask()
    assert not ask()
    now[0] = 2.9
    assert not ask()
    now[0] = 3.1
    assert ask()


def test_reading_rights_are_enough(server: Server, face: Face, watch: Watch) -> None:
    """`register` is strict, but there is nothing to register."""
    registered(face, server.url)
    seen = Seen()
    rules = [rule for rule in documented_acl() if "schemas" not in rule]
    publish_raw(watch, orjson.dumps(GOOD), type="orders.created")
    with acl_user(server, *rules, "%R~{omniq:schemas}:*") as user:
        url = f"redis://{user['username']}:{user['password']}@{user['host']}:{user['port']}/0"
        with working(face, url, taking(face, seen)):
            assert seen.next() == (1, GOOD)


def test_without_reading_rights_the_worker_says_what_to_grant(server: Server, face: Face) -> None:
    rules = [rule for rule in documented_acl() if "schemas" not in rule]
    with acl_user(server, *rules) as user:
        url = f"redis://{user['username']}:{user['password']}@{user['host']}:{user['port']}/0"
        with (
            pytest.raises(PermissionDenied, match=r"grant %R~\{omniq:schemas\}:\*"),
            working(face, url, taking(face, Seen())) as worker,
        ):
            worker.wait()


def test_a_type_of_which_nothing_is_registered_is_warned_of(
    server: Server, face: Face, watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    raw = publish_raw(watch, orjson.dumps(GOOD), type="orders.created")
    with working(face, server.url, taking(face, Seen())):
        watch.reaches("orders", raw, "failed")
    assert "no schema of orders.created is registered yet" in caplog.text


# The check itself.


def test_formats_count() -> None:
    check = PayloadCheck({"properties": {"at": {"type": "string", "format": "date-time"}}})
    assert check.faults({"at": "2026-11-26T12:00:00Z"}) == ()
    (fault,) = check.faults({"at": "12 o'clock"})
    assert (fault.path, fault.code) == ("/at", "format")


def test_faults_point_at_what_is_missing_or_too_much() -> None:
    check = PayloadCheck(
        {
            "required": ["a/b"],
            "properties": {"~": {"type": "integer"}},
            "additionalProperties": False,
        }
    )
    found = {(each.path, each.code) for each in check.faults({"~": "x", "more": 1, "most": 2})}
    assert found == {
        ("/a~1b", "required"),
        ("/~0", "type"),
        ("/more", "additionalProperties"),
        ("/most", "additionalProperties"),
    }


def test_a_payload_nested_deeper_than_the_check_goes_is_refused() -> None:
    payload = orjson.loads(b'{"x":' + b"[" * 400 + b"]" * 400 + b"}")
    (fault,) = PayloadCheck({"required": ["a"]}).faults(payload)
    assert fault.code == "nesting"


def test_faults_and_their_texts_are_bounded() -> None:
    check = PayloadCheck({"items": {"type": "integer"}})
    faults = check.faults(["x" * 10_000] * 1_000)
    assert len(faults) == 100
    assert max(len(each.message) for each in faults) < 600


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "nothing"},
        {"pattern": "("},
        {"$ref": "file:///etc/hostname"},
        {"$ref": "#/$defs/missing"},
        {"$schema": "https://example.com/unknown"},
    ],
)
def test_a_schema_that_cannot_be_used_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument, match="cannot be used"):
        PayloadCheck(schema)
