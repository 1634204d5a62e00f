"""What many tasks publish at the same time through one AsyncBus goes in few calls, and nobody's end
is another's."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from omniq_typed import AsyncBus, OmniqClient, QueueMonitor, Registry, message
from omniq_typed.core.scripts import script
from omniq_typed.errors import DuplicateJob, InvalidPayload, PayloadTooLarge, ServerError
from tests.chaos.proxy import proxy_to
from tests.conformance.doors import (
    command_counts,
    forget_command_counts,
    nodes,
    scripts_called,
    take_all,
)
from tests.memory_engine import async_bus_at
from tests.servers import AnyServer, Server

REGISTRY = Registry(strict_types=True)


@message("note", queue="notes", registry=REGISTRY)
@dataclass
class Note:
    text: str


@pytest.fixture
async def bus(any_server: AnyServer) -> AsyncIterator[AsyncBus]:
    """Connected, and its types registered."""
    async with async_bus_at(any_server.url, registry=REGISTRY) as opened:
        await opened.publish_json(Note("first"), queue="other")
        yield opened


def started(bus: AsyncBus, count: int, **options: Any) -> list[asyncio.Task[str]]:
    """Publishes of notes 0, 1, ..., with these ids, as tasks."""
    return [
        asyncio.create_task(bus.publish_json(Note(str(n)), job_id=str(n), **options))
        for n in range(count)
    ]


def count_from_now(server: AnyServer) -> None:
    """Starts counting script calls, none of which has to be sent again for want of the script."""
    for node in nodes(server):
        node.command("SCRIPT", "LOAD", script("enqueue").text)
    forget_command_counts(server)


def waiting_ids(server: AnyServer, queue: str = "notes") -> list[str]:
    """In order."""
    with OmniqClient(url=server.url) as client:
        return take_all(client, queue)


async def test_what_comes_while_a_call_is_under_way_goes_together(
    bus: AsyncBus, any_server: AnyServer
) -> None:
    count_from_now(any_server)
    ids = await asyncio.gather(*started(bus, 250))
    assert ids == [str(n) for n in range(250)]
    assert scripts_called(command_counts(any_server)) <= 5, "1, 16, 100, 100 and 33"
    assert waiting_ids(any_server) == ids


async def test_tasks_that_publish_again_and_again_go_on_together(
    bus: AsyncBus, any_server: AnyServer
) -> None:
    async def publish_some() -> list[str]:
        return [await bus.publish_json(Note(str(n))) for n in range(20)]

    count_from_now(any_server)
    ids = await asyncio.gather(*(publish_some() for _ in range(20)))
    calls = scripts_called(command_counts(any_server))
    assert 20 <= calls <= 30, "a call for each would be 400"
    order = {job_id: n for n, job_id in enumerate(waiting_ids(any_server))}
    assert len(order) == 400
    for own in ids:
        assert sorted(own, key=order.__getitem__) == own, "those of one task keep their order"


async def test_one_alone_is_sent_as_it_comes(bus: AsyncBus, any_server: AnyServer) -> None:
    count_from_now(any_server)
    for n in range(3):
        await bus.publish_json(Note(str(n)))
    assert scripts_called(command_counts(any_server)) == 3


async def test_each_gets_its_own_error(bus: AsyncBus, any_server: AnyServer) -> None:
    await bus.publish_json(Note("another"), job_id="3")
    wrong: Any = 5
    found = await asyncio.gather(
        *started(bus, 5),
        bus.publish_json(Note(wrong)),
        bus.publish_json(Note("x" * 2_000_000)),
        bus.publish_json(Note("last"), job_id="last"),
        return_exceptions=True,
    )
    assert [*found[:3], found[4], found[7]] == ["0", "1", "2", "4", "last"]
    duplicate = found[3]
    assert isinstance(duplicate, DuplicateJob) and duplicate.job_id == "3"
    assert isinstance(found[5], InvalidPayload) and isinstance(found[6], PayloadTooLarge)
    assert waiting_ids(any_server) == ["3", "0", "1", "2", "4", "last"]


async def test_the_same_message_twice_is_the_same_job(bus: AsyncBus, any_server: AnyServer) -> None:
    same = [bus.publish_json(Note("a"), job_id="a") for _ in range(5)]
    assert await asyncio.gather(*same) == ["a"] * 5
    assert waiting_ids(any_server) == ["a"]


async def test_who_is_cancelled_harms_no_other(bus: AsyncBus, any_server: AnyServer) -> None:
    """The first one's call is under way: its job may be published. The others wait."""
    tasks = started(bus, 6)
    await asyncio.sleep(0)
    for n in (0, 2, 5):
        tasks[n].cancel()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert [found[1], found[3], found[4]] == ["1", "3", "4"]
    assert all(isinstance(found[n], asyncio.CancelledError) for n in (2, 5))
    ids = waiting_ids(any_server)
    assert set(ids) - {"0"} == {"1", "3", "4"}
    assert await bus.publish_json(Note("next"), job_id="next") == "next"


async def test_a_failing_server_is_told_to_all_of_a_call_and_to_no_other(
    bus: AsyncBus, any_server: AnyServer
) -> None:
    """One queue holds a key of a type that no queue has."""
    with OmniqClient(url=any_server.url) as other:
        blocked: Any = other.transport.client
        blocked.set("{blocked}:wait", "no list")
    found = await asyncio.gather(
        *started(bus, 5, queue="blocked"), *started(bus, 5), return_exceptions=True
    )
    errors = found[:5]
    assert all(isinstance(each, ServerError) for each in errors)
    assert len({id(each) for each in errors}) == 5, "each has its own, with its own traceback"
    assert len({str(each) for each in errors}) == 1
    assert found[5:] == [str(n) for n in range(5)]
    with pytest.raises(ServerError):
        await bus.publish_json(Note("again"), queue="blocked")


async def test_big_messages_share_no_more_than_a_call_may_hold(
    bus: AsyncBus, any_server: AnyServer
) -> None:
    count_from_now(any_server)
    await asyncio.gather(*(bus.publish_json(Note("x" * 400_000)) for _ in range(5)))
    assert scripts_called(command_counts(any_server)) == 3, "1, 2 and 2"


async def test_a_lost_connection_changes_no_order(redis_server: Server) -> None:
    """Two calls are under way when the reply to the first does not come."""
    redis_server.ensure_running()
    redis_server.flushall()
    with proxy_to(redis_server.port) as proxy:
        async with AsyncBus(proxy.url, registry=REGISTRY) as bus:
            await bus.publish_json(Note("first"), queue="other")
            proxy.cut_reply("*0")
            ids = await asyncio.gather(*started(bus, 250))
    assert proxy.cut.is_set()
    assert waiting_ids(redis_server) == ids == [str(n) for n in range(250)]


async def test_a_server_that_knows_only_the_script_of_batches_changes_no_order(
    bus: AsyncBus, any_server: AnyServer
) -> None:
    """One message goes alone, and a batch follows before its answer is there."""
    await bus.publish_json(Note("registers"), queue="other")
    for node in nodes(any_server):
        node.command("SCRIPT", "FLUSH")
        node.command("SCRIPT", "LOAD", script("enqueue").text)
    ids = await asyncio.gather(*started(bus, 350))
    assert waiting_ids(any_server) == ids == [str(n) for n in range(350)]


@pytest.mark.parametrize("nth", [2, 3])
async def test_a_group_keeps_its_order_whatever_happens_between_two_calls(
    redis_server: Server, nth: int
) -> None:
    """A call fails for want of the script, which another client loads before the next arrives."""
    redis_server.ensure_running()
    redis_server.flushall()
    with proxy_to(redis_server.port) as proxy:
        async with AsyncBus(proxy.url, registry=REGISTRY) as bus:
            await asyncio.gather(*started(bus, 250, queue="other"))

            def flush() -> None:
                redis_server.command("SCRIPT", "FLUSH")
                proxy.before_request("EVALSHA", load)

            def load() -> None:
                redis_server.command("SCRIPT", "LOAD", script("enqueue").text)

            proxy.before_request("EVALSHA", flush, nth=nth - 1)
            ids = await asyncio.gather(*started(bus, 250, gid="one"))
    with OmniqClient(url=redis_server.url) as client:
        raw: Any = client.transport.client
        waiting = [each.decode() for each in raw.lrange("{notes}:g:one:wait", 0, -1)]
    assert waiting == ids == [str(n) for n in range(250)]


async def test_who_publishes_and_is_cancelled_leaves_nothing_behind(
    bus: AsyncBus, any_server: AnyServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Also the one who sends for the others, while two calls are under way."""
    await asyncio.gather(*started(bus, 3))
    tasks = started(bus, 100)
    await asyncio.sleep(0)
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    gc.collect()
    assert not caplog.records
    ids = await asyncio.gather(*started(bus, 100))
    assert sorted(waiting_ids(any_server)) == sorted(ids)


# The connections of a closed loop can only be forgotten.
@pytest.mark.filterwarnings("ignore:[Uu]nclosed:ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_loops_one_after_another_share_a_bus(any_server: AnyServer) -> None:
    """The first one ends while publishes are under way and wait."""
    bus = async_bus_at(any_server.url, registry=REGISTRY)

    async def leave_some() -> None:
        await bus.publish_json(Note("first"), job_id="first")
        started(bus, 5)
        await asyncio.sleep(0)

    async def publish_all() -> list[str]:
        ids = await asyncio.gather(*started(bus, 5))
        await bus.close()
        return ids

    asyncio.run(leave_some())
    assert asyncio.run(publish_all()) == ["0", "1", "2", "3", "4"]
    with OmniqClient(url=any_server.url) as client:
        assert QueueMonitor(client).stats("notes").waiting == 6
    gc.collect()  # warn now, not in the next test
