"""Publishing typed messages: what their types say about it, once for each id, many in a call."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import orjson
import pytest
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from omniq_typed import (
    AsyncMiddleware,
    Bus,
    Envelope,
    Middleware,
    NewJob,
    OmniqClient,
    QueueMonitor,
    Registry,
    message,
    message_type,
)
from omniq_typed.core.enqueue import enqueue
from omniq_typed.core.scripts import script
from omniq_typed.errors import (
    BatchInterrupted,
    DuplicateJob,
    InvalidArgument,
    InvalidBatch,
    InvalidMessageType,
    InvalidPayload,
    PayloadTooLarge,
    ServerError,
)
from tests.chaos.proxy import proxy_to
from tests.conformance.doors import (
    Face,
    command_counts,
    contents,
    forget_command_counts,
    nodes,
    open_bus,
    scripts_called,
    take_all,
)
from tests.servers import AnyServer, Server

REGISTRY = Registry(strict_types=False)


def customer_of(order: Order) -> str:
    return f"customer:{order.customer}"


@message(
    "order",
    queue="orders",
    max_attempts=7,
    timeout_ms=1_000,
    backoff_ms=20,
    gid=customer_of,
    group_limit=2,
    dedup_key=lambda order: order.order_id,
    registry=REGISTRY,
)
@dataclass
class Order:
    order_id: str
    customer: int
    tags: frozenset[str] = frozenset()


@message("note", queue="notes", gid=lambda note: note.about, registry=REGISTRY)
class Note(BaseModel):
    text: str
    about: str | None = None


@message("place", queue="places", registry=REGISTRY)
class Place(TypedDict):
    city: str


@dataclass
class Opened:
    kind: Literal["opened"]


@dataclass
class Closed:
    kind: Literal["closed"]


Event = message_type(
    Annotated[Opened | Closed, Field(discriminator="kind")],
    name="event",
    queue="events",
    registry=REGISTRY,
)


@pytest.fixture
def bus(any_server: AnyServer, face: Face) -> Iterator[Bus]:
    with open_bus(face, any_server.url, registry=REGISTRY, source="tests") as opened:
        yield opened


@pytest.fixture
def look(any_server: AnyServer) -> Iterator[QueueMonitor]:
    with Bus(any_server.url) as plain:
        yield QueueMonitor(plain)


def stored(look: QueueMonitor, queue: str, job_id: str) -> Any:
    job = look.get_job(queue, job_id)
    assert job is not None
    return job


# What the type says.


def test_the_type_says_how_its_messages_are_published(bus: Bus, look: QueueMonitor) -> None:
    job_id = bus.publish_json(Order("A-1", 9))
    job = stored(look, "orders", job_id)
    assert job_id == "order:A-1"
    assert (job.max_attempts, job.timeout_ms, job.backoff_ms) == (7, 1_000, 20)
    assert job.gid == "customer:9"
    (group,) = look.group_status("orders", ["customer:9"])
    assert group.limit == 2
    assert job.side["msg_type"] == "order"
    assert job.side["msg_source"] == "tests"


def test_the_publisher_may_say_otherwise(bus: Bus, look: QueueMonitor) -> None:
    job_id = bus.publish_json(
        Order("A-1", 9), queue="others", job_id="mine", gid="", max_attempts=1, backoff_ms=5
    )
    job = stored(look, "others", job_id)
    assert (job_id, job.gid, job.max_attempts, job.backoff_ms) == ("mine", "", 1, 5)


def test_a_type_may_put_a_message_in_no_group(bus: Bus, look: QueueMonitor) -> None:
    assert stored(look, "notes", bus.publish_json(Note(text="a"))).gid == ""
    assert stored(look, "notes", bus.publish_json(Note(text="a", about="b"))).gid == "b"


def test_a_conversation_begun_by_the_publisher_travels(bus: Bus, look: QueueMonitor) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    job_id = bus.publish_json(
        Note(text="a"), correlation_id="request-7", traceparent=trace, tracestate="a=b"
    )
    side = stored(look, "notes", job_id).side
    assert side["msg_correlation_id"] == "request-7"
    assert (side["msg_traceparent"], side["msg_tracestate"]) == (trace, "a=b")
    assert "msg_causation_id" not in side


def test_dicts_and_members_of_unions_are_published_too(bus: Bus, look: QueueMonitor) -> None:
    place = stored(look, "places", bus.publish_json(Place(city="Rome"), message_type=Place))
    assert (place.payload, place.side["msg_type"]) == ('{"city":"Rome"}', "place")
    event = stored(look, "events", bus.publish_json(Closed("closed")))
    assert (event.payload, event.side["msg_type"]) == ('{"kind":"closed"}', "event")
    event = stored(look, "events", bus.publish_json(Opened("opened"), message_type=Event))
    assert event.payload == '{"kind":"opened"}'


@pytest.mark.parametrize("wrong", [{"city": 1}, {}, {"city": "Rome", "zip": 1}, Opened("opened")])
def test_a_dict_that_is_none_of_its_type_is_refused(
    bus: Bus, any_server: AnyServer, wrong: Any
) -> None:
    with pytest.raises(InvalidPayload):
        bus.publish_json(wrong, message_type=Place)
    assert contents(any_server) == {}


def broken(_: object) -> str:
    raise LookupError("no customer")


@pytest.mark.parametrize(
    ("options", "field_name", "said"),
    [
        ({"gid": broken}, "gid", "LookupError: no customer"),
        ({"gid": lambda _: 5}, "gid", "gave 5"),
        ({"gid": lambda _: "a{b}"}, "gid", ""),
        ({"dedup_key": broken}, "dedup_key", "LookupError: no customer"),
        ({"dedup_key": lambda _: None}, "dedup_key", "gave None"),
        ({"dedup_key": lambda _: ""}, "dedup_key", "gave ''"),
    ],
)
def test_a_function_of_a_type_that_fails_is_an_error_that_names_it(
    any_server: AnyServer, face: Face, options: dict[str, Any], field_name: str, said: str
) -> None:
    own = Registry(strict_types=False)
    message("bad", queue="bad", registry=own, **options)(Note)
    with (
        open_bus(face, any_server.url, registry=own) as bus,
        pytest.raises(InvalidArgument) as caught,
    ):
        bus.publish_json(Note(text="a"))
    assert caught.value.field == field_name
    assert said in str(caught.value)
    assert contents(any_server) == {}


# Once for each id.


def test_the_same_message_again_is_the_same_job(
    bus: Bus, any_server: AnyServer, look: QueueMonitor
) -> None:
    first = bus.publish_json(Order("A-1", 9))
    before = contents(any_server)
    assert bus.publish_json(Order("A-1", 9)) == first
    assert contents(any_server) == before
    assert look.stats("orders").waiting_total == 1


def test_a_set_is_the_same_in_any_order(bus: Bus, any_server: AnyServer) -> None:
    """Another process may write the same set in another order."""
    tags = [f"tag-{n}" for n in range(20)]
    order = Order("A-1", 9, frozenset(tags))
    with Bus(any_server.url) as other:
        for stored_tags in (tags, tags[::-1]):
            any_server.flushall()
            bus.register_schemas()
            payload = orjson.dumps({"order_id": "A-1", "customer": 9, "tags": stored_tags})
            job = NewJob("order:A-1", payload, gid="customer:9", side={"msg_type": "order"})
            other.transport.run(enqueue("orders", [job]))
            before = contents(any_server)
            assert bus.publish_json(order) == "order:A-1"
            (result,) = bus.publish_many([order])
            assert result.duplicate and result.ok
            assert contents(any_server) == before


def test_other_content_under_the_same_id_names_both(bus: Bus, any_server: AnyServer) -> None:
    job_id = bus.publish_json(Order("A-1", 9))
    before = contents(any_server)
    with pytest.raises(DuplicateJob) as caught:
        bus.publish_json(Order("A-1", 10))
    error = caught.value
    assert (error.job_id, error.state) == (job_id, "wait")
    assert len(error.stored_fingerprint) == len(error.new_fingerprint) == 16
    assert error.stored_fingerprint != error.new_fingerprint
    assert error.stored_fingerprint in str(error) and error.new_fingerprint in str(error)
    assert contents(any_server) == before


def test_another_type_with_the_same_payload_is_other_content(
    any_server: AnyServer, face: Face
) -> None:
    own = Registry(strict_types=False)

    @dataclass
    class Twin:
        text: str
        about: None = None

    message("twin", queue="notes", registry=own)(Twin)
    message("note", queue="notes", registry=own)(Note)
    with open_bus(face, any_server.url, registry=own) as bus:
        bus.publish_json(Note(text="a"), job_id="1")
        with pytest.raises(DuplicateJob):
            bus.publish_json(Twin("a"), job_id="1")


# Many in a call.


def test_many_of_mixed_types_and_queues_take_a_call_per_queue_and_hundred(
    bus: Bus, any_server: AnyServer, look: QueueMonitor
) -> None:
    messages: list[object] = []
    for n in range(130):
        messages += [Note(text=str(n)), Envelope(Place(city=str(n)), message_type=Place)]
    messages.append(Envelope(Note(text="late"), due_ms=4_000_000_000_000, gid="g", job_id="late"))
    bus.register_schemas()
    for node in nodes(any_server):
        node.command("SCRIPT", "LOAD", script("enqueue").text)
    forget_command_counts(any_server)
    results = bus.publish_many(messages)
    assert scripts_called(command_counts(any_server)) == 4
    assert all(result.ok and not result.duplicate for result in results)
    assert [result.queue for result in results[:3]] == ["notes", "places", "notes"]
    assert len({result.job_id for result in results}) == 261
    assert results[-1].job_id == "late" and results[-1].state == "delayed"
    assert look.stats("notes").waiting == 130
    assert look.stats("places").waiting == 130
    for n in (0, 129):
        payload = stored(look, "notes", results[2 * n].job_id).payload
        assert payload == f'{{"text":"{n}","about":null}}'


def test_many_keep_their_order(bus: Bus, any_server: AnyServer) -> None:
    results = bus.publish_many(Note(text=str(n)) for n in range(250))
    with OmniqClient(url=any_server.url) as client:
        assert take_all(client, "notes") == [result.job_id for result in results]


many_or_each = pytest.mark.parametrize("how", ["publish_many", "publish_each"])


@many_or_each
@pytest.mark.parametrize("about", [None, "one"])
def test_many_keep_their_order_at_a_server_that_knows_no_script(
    bus: Bus, any_server: AnyServer, about: str | None, how: str
) -> None:
    """The first two calls are under way before it is known that they have to be sent again."""
    bus.publish_json(Note(text="registers"), queue="other")
    for node in nodes(any_server):
        node.command("SCRIPT", "FLUSH")
    publish = getattr(bus, how)
    results = list(publish(Note(text=str(n), about=about) for n in range(450)))
    assert lane(any_server, about) == [result.job_id for result in results]


@many_or_each
@pytest.mark.parametrize("about", [None, "one"])
def test_many_keep_their_order_though_a_call_is_lost(
    redis_server: Server, face: Face, about: str | None, how: str
) -> None:
    """The connection breaks before the server has read the call, while the next is under way."""
    redis_server.ensure_running()
    redis_server.flushall()
    with proxy_to(redis_server.port) as proxy:
        with open_bus(face, proxy.url, registry=REGISTRY) as bus:
            bus.publish_many([Note(text="opened", about="another")])
            proxy.cut_request("EVALSHA")
            publish = getattr(bus, how)
            results = list(publish(Note(text=str(n), about=about) for n in range(450)))
        assert proxy.cut.is_set()
    assert all(result.ok for result in results)
    assert lane(redis_server, about) == [result.job_id for result in results]


@many_or_each
def test_a_group_keeps_its_order_whatever_happens_between_two_calls(
    redis_server: Server, face: Face, how: str
) -> None:
    """The first call fails for want of the script, which another client loads before the second
    call arrives."""
    redis_server.ensure_running()
    redis_server.flushall()

    def load() -> None:
        redis_server.command("SCRIPT", "LOAD", script("enqueue").text)

    with (
        proxy_to(redis_server.port) as proxy,
        open_bus(face, proxy.url, registry=REGISTRY) as bus,
    ):
        bus.publish_many([Note(text="registers", about="another")])
        redis_server.command("SCRIPT", "FLUSH")
        proxy.before_request("EVALSHA", load, nth=2)
        results = list(getattr(bus, how)(Note(text=str(n), about="one") for n in range(450)))
    assert lane(redis_server, "one") == [result.job_id for result in results]


def lane(server: AnyServer, gid: str | None) -> list[str]:
    """The ids that wait in the queue `notes`: in a group of it, or in none."""
    key = "{notes}:wait" if gid is None else f"{{notes}}:g:{gid}:wait"
    with OmniqClient(url=server.url) as client:
        raw: Any = client.transport.client
        return [each.decode() for each in raw.lrange(key, 0, -1)]


def test_none_is_nothing(bus: Bus, any_server: AnyServer) -> None:
    assert bus.publish_many([]) == []
    assert contents(any_server) == {}


def test_results_say_which_ids_were_taken(bus: Bus, any_server: AnyServer) -> None:
    bus.publish_json(Order("A-1", 1))
    results = bus.publish_many([Order("A-0", 1), Order("A-1", 1), Order("A-1", 2)])
    new, same, other = results
    assert new.ok and not new.duplicate
    assert same.ok and same.duplicate and same.state == "wait"
    assert not other.ok and isinstance(other.error, DuplicateJob)
    assert other.error.job_id == "order:A-1"
    before = contents(any_server)
    assert [result.duplicate for result in bus.publish_many([Order("A-0", 1)])] == [True]
    assert contents(any_server) == before


def test_what_could_never_be_published_is_told_at_once_and_nothing_is_published(
    bus: Bus, any_server: AnyServer
) -> None:
    wrong: Any = "nine"
    batch = [
        Note(text="a"),
        Order("A-1", wrong),
        Note.model_construct(text=5),
        Envelope(Note(text="a"), job_id=""),
        Opened("opened"),
        object(),
        Note(text="x" * 2_000_000),
    ]
    with pytest.raises(InvalidBatch) as caught:
        bus.publish_many(batch)
    errors = caught.value.errors
    assert list(errors) == [1, 2, 3, 5, 6]
    assert isinstance(errors[1], InvalidPayload) and errors[1].faults[0].path == "/customer"
    assert errors[3].field == "job_id"
    assert isinstance(errors[5], InvalidMessageType)
    assert isinstance(errors[6], PayloadTooLarge)
    assert "[1]" in str(caught.value) and "nothing was published" in str(caught.value)
    assert contents(any_server) == {}


def test_a_batch_of_which_all_is_wrong_is_told_in_a_few_lines(bus: Bus) -> None:
    with pytest.raises(InvalidBatch, match=r"1000 cannot be.*and 980 more") as caught:
        bus.publish_many([object()] * 1000)
    assert len(caught.value.errors) == 1000
    assert len(str(caught.value)) < 20_000


def test_a_batch_of_big_messages_is_split(bus: Bus, any_server: AnyServer) -> None:
    bus.publish_json(Note(text="scripts are loaded"), queue="other")
    forget_command_counts(any_server)
    results = bus.publish_many(Note(text="x" * 400_000) for _ in range(5))
    assert all(result.ok for result in results)
    assert scripts_called(command_counts(any_server)) == 3


class Tag(Middleware, AsyncMiddleware):
    """Marks what is published, and keeps back what says so."""

    def publish(self, envelope: Envelope[Any], call_next: Any) -> str:
        if envelope.message.text == "keep":
            return "kept"
        result: str = call_next(Envelope(Note(text=envelope.message.text + "!")))
        return result

    async def publish_async(self, envelope: Envelope[Any], call_next: Any) -> str:
        if envelope.message.text == "keep":
            return "kept"
        result: str = await call_next(Envelope(Note(text=envelope.message.text + "!")))
        return result


def test_middleware_is_around_each_of_many(
    any_server: AnyServer, face: Face, look: QueueMonitor
) -> None:
    with open_bus(face, any_server.url, registry=REGISTRY, middleware=[Tag()]) as bus:
        results = bus.publish_many([Note(text="a"), Note(text="keep"), Note(text="b")])
    assert results[1].job_id == "kept" and results[1].state == ""
    payloads = [stored(look, "notes", results[n].job_id).payload for n in (0, 2)]
    assert payloads == ['{"text":"a!","about":null}', '{"text":"b!","about":null}']
    assert look.stats("notes").waiting == 2


def break_places(server: AnyServer) -> None:
    """The queue `places` holds a key of a type that no queue has."""
    with Bus(server.url) as other:
        client: Any = other.transport.client
        client.set("{places}:wait", "no list")


def test_a_failing_server_is_told_with_what_was_published(
    bus: Bus, any_server: AnyServer, look: QueueMonitor
) -> None:
    """The second queue holds a key of a type that no queue has."""
    break_places(any_server)
    with pytest.raises(BatchInterrupted) as caught:
        bus.publish_many([Note(text="a"), Envelope(Place(city="b"), message_type=Place)])
    done, unknown = caught.value.results
    assert done is not None and stored(look, "notes", done.job_id).state == "wait"
    assert unknown is None
    assert isinstance(caught.value.__cause__, ServerError)
    with pytest.raises(ServerError) as first:
        bus.publish_many([Envelope(Place(city="b"), message_type=Place)])
    assert not isinstance(first.value, BatchInterrupted), "nothing else was published"


def test_what_was_under_way_behind_a_call_that_failed_is_told_too(
    bus: Bus, any_server: AnyServer, look: QueueMonitor
) -> None:
    break_places(any_server)
    bus.publish_many([Note(text="connects")])
    broken = Envelope(Place(city="b"), message_type=Place)
    with pytest.raises(ServerError) as caught:
        bus.publish_many([broken, Note(text="a")])
    told = caught.value.results if isinstance(caught.value, BatchInterrupted) else [None, None]
    assert told[0] is None
    assert look.stats("notes").waiting == 1 + (told[1] is not None)
    if told[1] is not None:
        assert stored(look, "notes", told[1].job_id).payload == '{"text":"a","about":null}'
    assert bus.publish_many([Note(text="next")])[0].ok


@many_or_each
def test_many_keep_their_order_though_the_connection_breaks(
    redis_server: Server, face: Face, how: str
) -> None:
    """A reply does not come, while the next call is under way."""
    redis_server.ensure_running()
    redis_server.flushall()
    with proxy_to(redis_server.port) as proxy:
        with open_bus(face, proxy.url, registry=REGISTRY) as bus:
            bus.publish_json(Opened("opened"), message_type=Event)
            proxy.cut_reply("*0")
            results = list(getattr(bus, how)(Note(text=str(n)) for n in range(450)))
        assert proxy.cut.is_set()
    assert all(result.ok for result in results)
    with OmniqClient(url=redis_server.url) as client:
        assert take_all(client, "notes") == [result.job_id for result in results]
