"""`publish_each`: any number of messages, published while they are being made."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from omniq_typed import (
    AsyncMiddleware,
    Bus,
    Envelope,
    Middleware,
    OmniqClient,
    QueueMonitor,
    Registry,
    message,
)
from omniq_typed.errors import (
    BatchInterrupted,
    DuplicateJob,
    IncompatibleSchema,
    InvalidArgument,
    InvalidMessageType,
    InvalidPayload,
    PayloadTooLarge,
    ServerError,
)
from omniq_typed.models import PublishResult
from tests.conformance.doors import Face, contents, open_bus, take_all
from tests.memory_engine import async_bus_at
from tests.servers import AnyServer, Server
from tests.workers import bus_at_work, watching

REGISTRY = Registry(strict_types=False)


@message("note", queue="notes", registry=REGISTRY)
@dataclass
class Note:
    number: int


@message("key", queue="keys", dedup_key=lambda key: key.name, registry=REGISTRY)
@dataclass
class Key:
    name: str
    number: int


@message("paper", registry=REGISTRY)
@dataclass
class Paper:
    text: str


@pytest.fixture
def bus(any_server: AnyServer, face: Face) -> Iterator[Bus]:
    with open_bus(face, any_server.url, registry=REGISTRY) as opened:
        yield opened


@pytest.fixture
def look(any_server: AnyServer) -> Iterator[QueueMonitor]:
    with Bus(any_server.url) as plain:
        yield QueueMonitor(plain)


class Taken:
    """Notes 0, 1, ..., and how many were taken. `fails_at`: the number that cannot be made."""

    def __init__(self, count: int, fails_at: int = -1) -> None:
        self.number = 0
        self._count = count
        self._fails_at = fails_at

    def __iter__(self) -> Iterator[Note]:
        for number in range(self._count):
            if number == self._fails_at:
                raise LookupError("no such row")
            self.number += 1
            yield Note(number)


def test_one_result_per_message_in_order(bus: Bus, any_server: AnyServer) -> None:
    """Of several queues, whose calls fill at different rates."""
    queues = ["notes", "notes", "others", "notes", "third"]
    messages = [Envelope(Note(n), queue=queues[n % 5], job_id=f"n{n}") for n in range(730)]
    results = list(bus.publish_each(messages))
    assert [result.job_id for result in results] == [f"n{n}" for n in range(730)]
    assert all(result.ok and result.state == "wait" for result in results)
    with OmniqClient(url=any_server.url) as client:
        for queue in set(queues):
            expected = [result.job_id for result in results if result.queue == queue]
            assert take_all(client, queue) == expected


@pytest.mark.parametrize("count", [1, 99, 100, 101, 200])
def test_a_hundred_is_no_border(bus: Bus, any_server: AnyServer, count: int) -> None:
    results = list(bus.publish_each(Taken(count)))
    with OmniqClient(url=any_server.url) as client:
        assert take_all(client, "notes") == [result.job_id for result in results]
    assert len(results) == count


def test_none_is_nothing(bus: Bus, any_server: AnyServer) -> None:
    assert list(bus.publish_each([])) == []
    assert contents(any_server) == {}


def test_messages_are_taken_as_results_are(bus: Bus, look: QueueMonitor) -> None:
    """However many there are, only some hundreds are in memory."""
    taken = Taken(1_000_000)
    results = bus.publish_each(taken)
    assert taken.number == 0
    for count, result in enumerate(results, 1):
        assert result.ok
        assert count <= taken.number <= count + 300
        if count == 1_000:
            break
    assert look.stats("notes").waiting >= 1_000


def test_who_stops_early_can_go_on_publishing(bus: Bus, look: QueueMonitor) -> None:
    taken = Taken(1_000)
    for _ in range(3):
        results: Any = bus.publish_each(taken)
        assert next(results).ok
        results.close()
    assert bus.publish_json(Note(1), job_id="last") == "last"
    assert look.stats("notes").waiting >= 3 * 100 + 1


def test_who_asks_for_no_result_is_warned(bus: Bus, any_server: AnyServer) -> None:
    def forget() -> None:
        bus.publish_each(Taken(10))
        gc.collect()

    with pytest.warns(RuntimeWarning, match="published nothing"):
        forget()
    assert contents(any_server) == {}


def test_a_message_that_could_never_be_published_stops_no_other(
    bus: Bus, look: QueueMonitor
) -> None:
    wrong: Any = "seven"
    bad: dict[int, tuple[object, type[Exception]]] = {
        3: (Note(wrong), InvalidPayload),
        99: (Paper("no queue"), InvalidArgument),
        100: (object(), InvalidMessageType),
        150: (Envelope(Note(1), job_id="no id:\n"), InvalidArgument),
        201: (Envelope(Paper("x" * 2_000_000), queue="papers"), PayloadTooLarge),
    }
    results = list(bus.publish_each(bad[n][0] if n in bad else Note(n) for n in range(210)))
    assert len(results) == 210
    for n, result in enumerate(results):
        if n in bad:
            assert isinstance(result.error, bad[n][1]), n
            assert (result.ok, result.job_id, result.queue, result.state) == (False, "", "", "")
        else:
            assert result.ok, n
    assert look.stats("notes").waiting == 205


def test_only_bad_ones_reach_no_server(bus: Bus, any_server: AnyServer) -> None:
    results = list(bus.publish_each([object()] * 250))
    assert len(results) == 250 and not any(result.ok for result in results)
    assert contents(any_server) == {}


def test_ids_that_were_taken_are_told(bus: Bus) -> None:
    bus.publish_json(Key("a", 1))
    first, again, other = bus.publish_each([Key("b", 1), Key("a", 1), Key("a", 2)])
    assert first.ok and not first.duplicate
    assert again.ok and again.duplicate
    assert isinstance(other.error, DuplicateJob)


@pytest.mark.parametrize("at", [0, 50, 100, 250, 399])
def test_what_was_taken_before_the_source_failed_is_published(
    bus: Bus, look: QueueMonitor, at: int
) -> None:
    seen: list[PublishResult] = []
    with pytest.raises(LookupError, match="no such row"):
        for result in bus.publish_each(Taken(400, fails_at=at)):
            seen.append(result)
    assert len(seen) == at and all(result.ok for result in seen)
    assert look.stats("notes").waiting == at


class Tag(Middleware, AsyncMiddleware):
    """Adds 1,000, keeps 5 back and cannot bear 150."""

    def publish(self, envelope: Envelope[Any], call_next: Any) -> str:
        return str(self._kept(envelope) or call_next(self._tagged(envelope)))

    async def publish_async(self, envelope: Envelope[Any], call_next: Any) -> str:
        return str(self._kept(envelope) or await call_next(self._tagged(envelope)))

    def _kept(self, envelope: Envelope[Any]) -> str | None:
        return "kept" if envelope.message.number == 5 else None

    def _tagged(self, envelope: Envelope[Any]) -> Envelope[Any]:
        if envelope.message.number == 150:
            raise RuntimeError("not this one")
        return Envelope(Note(envelope.message.number + 1_000))


def test_middleware_is_around_each(any_server: AnyServer, face: Face, look: QueueMonitor) -> None:
    """Where it fails, what came before is published and told."""
    seen: list[PublishResult] = []
    with (
        open_bus(face, any_server.url, registry=REGISTRY, middleware=[Tag()]) as bus,
        pytest.raises(RuntimeError, match="not this one"),
    ):
        for result in bus.publish_each(Taken(400)):
            seen.append(result)
    assert len(seen) == 150
    assert (seen[5].job_id, seen[5].state) == ("kept", "")
    assert look.stats("notes").waiting == 149
    job = look.get_job("notes", seen[149].job_id)
    assert job is not None and job.payload == '{"number":1149}'


def test_a_failing_server_is_told_with_what_it_did(
    bus: Bus, any_server: AnyServer, look: QueueMonitor
) -> None:
    """One queue holds a key of a type that no queue has."""
    with Bus(any_server.url) as other:
        client: Any = other.transport.client
        client.set("{broken}:wait", "no list")
    messages = [Envelope(Note(n), queue="broken" if n == 220 else None) for n in range(600)]
    seen: list[PublishResult] = []
    with pytest.raises(BatchInterrupted) as caught:
        for result in bus.publish_each(messages):
            seen.append(result)
    assert all(result.ok for result in seen)
    told = caught.value.results
    assert len(seen) % 100 == 0 and len(seen) <= 200
    assert told[220 - len(seen)] is None
    published = len(seen) + sum(result is not None for result in told)
    assert look.stats("notes").waiting == published >= 299
    with pytest.raises(ServerError) as first:
        list(bus.publish_each([Envelope(Note(1), queue="broken")]))
    assert not isinstance(first.value, BatchInterrupted), "nothing else was published"


def test_a_type_that_breaks_its_versions_is_refused_behind_what_was_published(
    redis_server: Server, face: Face
) -> None:
    redis_server.ensure_running()
    redis_server.flushall()
    older, newer = Registry(), Registry()

    @message("page", queue="pages", registry=older)
    @dataclass
    class Page:
        text: str

    @message("page", queue="pages", registry=newer)
    @dataclass
    class OtherPage:
        text: list[str]

    message("note", queue="notes", registry=newer)(Note)
    with open_bus(face, redis_server.url, registry=older) as bus:
        bus.publish_json(Page("a"))
    seen: list[PublishResult] = []
    with (
        open_bus(face, redis_server.url, registry=newer) as bus,
        pytest.raises(IncompatibleSchema),
    ):
        for result in bus.publish_each([*Taken(200), OtherPage(["b"]), Note(1)]):
            seen.append(result)
    assert len(seen) == 200 and all(result.ok for result in seen)
    with watching(redis_server.url) as watch:
        assert watch.stats("notes").waiting == 200
        assert watch.stats("pages").waiting == 1


async def test_messages_may_come_asynchronously(any_server: AnyServer) -> None:
    async def rows(count: int) -> AsyncIterator[Note]:
        for note in Taken(count):
            await asyncio.sleep(0)
            yield note
        raise LookupError("no more")

    seen: list[PublishResult] = []
    async with async_bus_at(any_server.url, registry=REGISTRY) as bus:
        with pytest.raises(LookupError, match="no more"):
            async for result in bus.publish_each(rows(330)):
                seen.append(result)
    assert len(seen) == 330 and all(result.ok for result in seen)
    with OmniqClient(url=any_server.url) as client:
        assert take_all(client, "notes") == [result.job_id for result in seen]


def test_a_handler_publishes_each_with_its_cause(server: Server, face: Face) -> None:
    def on_paper(ctx: Any) -> None:
        assert len([*ctx.exec.publish_each(Taken(150))]) == 150

    async def on_paper_async(ctx: Any) -> None:
        async def rows() -> AsyncIterator[Note]:
            for note in Taken(75):
                yield note

        assert len([each async for each in ctx.exec.publish_each(rows())]) == 75
        assert len([each async for each in ctx.exec.publish_each(Taken(75))]) == 75

    handler: Any = on_paper if face == "sync" else on_paper_async
    with open_bus(face, server.url, registry=REGISTRY) as bus:
        job_id = bus.publish_json(Paper("a"), queue="papers", correlation_id="talk")
    with (
        watching(server.url) as watch,
        bus_at_work(
            face,
            server.url,
            lambda bus: bus.consumer(Paper, queue="papers")(handler),
            registry=REGISTRY,
        ),
    ):
        watch.reaches("papers", job_id, "completed")
        assert watch.stats("notes").waiting == 150
        raw: Any = watch.client.transport.client
        job = watch.job("notes", raw.lindex("{notes}:wait", -1).decode())
    assert job.side["msg_correlation_id"] == "talk"
    assert job.side["msg_causation_id"] == job_id
