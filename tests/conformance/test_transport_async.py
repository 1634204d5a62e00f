"""The connections under the asyncio transport: what they promise when something breaks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import pytest
import uvloop

from omniq_typed.core.command import Command
from omniq_typed.errors import ConnectionLost, PermissionDenied
from omniq_typed.transport.aio import AsyncTransport
from omniq_typed.transport.connect import connect_async
from tests.chaos.proxy import proxy_to
from tests.conformance.doors import command_counts, forget_command_counts, nodes
from tests.conformance.test_transport import (
    QUEUE,
    WAIT_S,
    WAKE,
    blocked,
    echo,
    kill_connections,
    moved,
    times_run,
)
from tests.conformance.test_transport import place as place
from tests.conformance.test_transport import single as single
from tests.servers import AnyServer, Cluster, Server, wait_until
from tests.workers import LONG_S, Program

T = TypeVar("T")
Play = Callable[[Coroutine[Any, Any, T]], T]


@pytest.fixture(
    params=[
        pytest.param(asyncio.new_event_loop, id="asyncio"),
        pytest.param(uvloop.new_event_loop, id="uvloop", marks=pytest.mark.slow),
    ]
)
def play(request: pytest.FixtureRequest) -> Play[Any]:
    """Runs a coroutine on a loop of each kind."""

    def run(coroutine: Coroutine[Any, Any, T]) -> T:
        with asyncio.Runner(loop_factory=request.param) as runner:
            return runner.run(coroutine)

    return run


@asynccontextmanager
async def transport_to(url: str) -> AsyncIterator[AsyncTransport]:
    transport = connect_async(url)
    try:
        yield transport
    finally:
        await transport.close()


Run = Callable[[AsyncTransport, Command[bytes]], Coroutine[Any, Any, bytes]]


async def by_run(transport: AsyncTransport, command: Command[bytes]) -> bytes:
    return await transport.run(command)


async def when_woken(transport: AsyncTransport, command: Command[bytes]) -> bytes:
    return await transport.run_when_woken(QUEUE, 0.05, command)


@pytest.fixture(params=[by_run, when_woken])
def run(request: pytest.FixtureRequest) -> Run:
    """Both ways to run a command."""
    found: Run = request.param
    return found


async def until_blocked(place: AnyServer, count: int) -> None:
    async with asyncio.timeout(LONG_S):
        while await asyncio.to_thread(blocked, place) != count:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def test_replies_belong_to_their_tasks_also_where_some_are_cancelled(
    place: AnyServer, play: Play[Any]
) -> None:
    async def main() -> None:
        async with transport_to(place.url) as transport:
            await transport.run(echo())
            tasks = [asyncio.create_task(transport.run(echo(str(n)))) for n in range(1000)]
            await asyncio.sleep(0)
            for task in tasks[::3]:
                task.cancel()
            replies = await asyncio.gather(*tasks, return_exceptions=True)
            assert [each for each in replies if isinstance(each, bytes)] == [
                str(n).encode() for n in range(1000) if n % 3
            ]
            assert await transport.run(echo("after")) == b"after"

    play(main())


def test_calls_of_a_loop_share_a_connection(single: Server, play: Play[Any]) -> None:
    def connected() -> int:
        return int(single.command("INFO", "clients")["connected_clients"])

    before = connected()

    async def main() -> None:
        async with transport_to(single.url) as transport:
            await asyncio.gather(*(transport.run(echo(str(n))) for n in range(100)))
            assert connected() <= before + 1

    play(main())
    assert connected() == before


def test_a_script_that_the_server_forgot_is_loaded_and_not_sent_as_text(
    place: AnyServer, play: Play[Any], run: Run
) -> None:
    async def main() -> None:
        async with transport_to(place.url) as transport:
            assert await run(transport, echo("before")) == b"before"
            for node in nodes(place):
                node.command("SCRIPT", "FLUSH")
            forget_command_counts(place)
            assert await run(transport, echo("after")) == b"after"
            assert "eval" not in command_counts(place)

    play(main())
    assert times_run(place) == 2


def test_a_connection_that_the_server_ended_costs_no_command(
    place: AnyServer, play: Play[Any], run: Run
) -> None:
    """The loop has had no chance to hear of it: it is blocked meanwhile."""

    async def main() -> None:
        async with transport_to(place.url) as transport:
            for n in range(5):
                assert await run(transport, echo(str(n))) == str(n).encode()
                kill_connections(place)

    play(main())
    assert times_run(place) == 5


@pytest.mark.parametrize("repeatable", [False, True])
def test_a_lost_reply(single: Server, play: Play[Any], run: Run, repeatable: bool) -> None:
    """What may be repeated is, and nothing else; all that were under way are told."""

    async def main() -> None:
        with proxy_to(single.port) as proxy:
            async with transport_to(proxy.url) as transport:
                assert await run(transport, echo("before")) == b"before"
                proxy.cut_reply("marked")
                if repeatable:
                    assert await run(transport, echo("marked", repeatable=True)) == b"marked"
                else:
                    calls = [run(transport, echo("marked")) for _ in range(3)]
                    replies = await asyncio.gather(*calls, return_exceptions=True)
                    assert any(isinstance(each, ConnectionLost) for each in replies)
                    assert all(isinstance(each, (bytes, ConnectionLost)) for each in replies)
                assert proxy.cut.is_set()
                assert await run(transport, echo("after")) == b"after"

    play(main())


def test_a_server_that_hangs_is_noticed(single: Server, play: Play[Any], run: Run) -> None:
    async def main() -> None:
        async with transport_to(f"{single.url}?socket_timeout=0.3") as transport:
            await run(transport, echo())
            single.pause()
            try:
                started = time.monotonic()
                with pytest.raises(ConnectionLost, match="within"):
                    await run(transport, echo())
                assert 0.25 < time.monotonic() - started < 10
            finally:
                single.resume()
            assert await run(transport, echo("back")) == b"back"

    play(main())


def test_a_silent_connection_is_given_up_with_its_idle_neighbours(
    single: Server, play: Play[Any]
) -> None:
    """As where a gateway forgot them all: the next call must not wait for an answer once more."""

    def connections() -> set[bytes]:
        listed: bytes = single.command("CLIENT", "LIST", "TYPE", "normal")
        return {line.split()[0] for line in listed.splitlines()}

    async def main() -> None:
        async with transport_to(f"{single.url}?socket_timeout=0.3") as transport:
            before = await asyncio.to_thread(connections)
            await by_run(transport, echo())
            await when_woken(transport, echo())
            ours = await asyncio.to_thread(connections) - before
            single.pause()
            try:
                with pytest.raises(ConnectionLost, match="within"):
                    await when_woken(transport, echo())
            finally:
                single.resume()
            assert await by_run(transport, echo("back")) == b"back"
            assert not ours & await asyncio.to_thread(connections)

    play(main())


def test_a_loop_that_is_held_up_takes_no_server_for_dead(
    single: Server, play: Play[Any], run: Run
) -> None:
    async def main() -> None:
        async with transport_to(f"{single.url}?socket_timeout=0.2") as transport:
            await run(transport, echo())
            for n in range(3):
                running = asyncio.create_task(run(transport, echo(str(n))))
                await asyncio.sleep(0)  # it has been sent
                time.sleep(0.4)  # noqa: ASYNC251
                assert await running == str(n).encode()

    play(main())


def test_a_reply_that_the_loop_has_not_come_to_read_has_come(
    single: Server, play: Play[Any], run: Run
) -> None:
    """It comes while the loop is held up, and between the loop's last look at its connections and
    the end of the time that the server had."""

    async def main() -> None:
        async with transport_to(f"{single.url}?socket_timeout=0.2") as transport:
            await run(transport, echo())
            single.pause()

            def let_it_answer() -> None:
                single.resume()
                wait_until(lambda: times_run(single) == 2, "the server has answered", LONG_S)

            running = asyncio.create_task(run(transport, echo("late")))
            await asyncio.sleep(0)  # it has been sent
            asyncio.get_running_loop().call_later(0.1, let_it_answer)
            time.sleep(0.5)  # noqa: ASYNC251  # the time is up in the turn in which it answers
            assert await running == b"late"

    try:
        play(main())
    finally:
        single.resume()


def test_it_is_known_whether_a_command_runs_before_what_is_sent_now(
    single: Server, play: Play[Any]
) -> None:
    """Not where it was not sent yet, nor where it has to be sent again; it is answered all the
    same."""

    async def main() -> None:
        async with transport_to(proxy.url) as transport:
            connects = transport.start(echo("connects"))
            assert not connects.is_ahead
            assert await connects.result() == b"connects"
            ahead = transport.start(echo("ahead"))
            assert ahead.is_ahead
            await transport.run(echo("behind"))
            assert ahead.is_ahead
            assert await ahead.result() == b"ahead"
            single.command("SCRIPT", "FLUSH")
            unknown = transport.start(echo("unknown"))
            assert await transport.run(echo("behind")) == b"behind"
            assert not unknown.is_ahead
            assert await unknown.result() == b"unknown"
            proxy.cut_reply("lost")
            lost = transport.start(echo("lost", repeatable=True))
            assert await transport.run(echo("behind", repeatable=True)) == b"behind"
            assert not lost.is_ahead
            assert await lost.result() == b"lost"

    with proxy_to(single.port) as proxy:
        play(main())


def test_a_token_runs_the_command_at_once(place: AnyServer, play: Play[Any]) -> None:
    pushing: Any = place.client()

    async def main() -> None:
        async with transport_to(place.url) as transport:
            await transport.run(echo())
            waits = transport.run_when_woken(QUEUE, LONG_S, echo("woken"))
            running = asyncio.create_task(waits)
            await until_blocked(place, 1)
            assert await transport.run(echo("meanwhile")) == b"meanwhile"
            pushed_at = time.monotonic()
            pushing.rpush(WAKE, "token")
            assert await running == b"woken"
            assert time.monotonic() - pushed_at < LONG_S / 4
            started = time.monotonic()
            assert await transport.run_when_woken(QUEUE, WAIT_S, echo("late")) == b"late"
            assert WAIT_S - 0.05 < time.monotonic() - started < 10

    play(main())
    pushing.close()


def test_a_cancelled_wait_ends_on_the_server(place: AnyServer, play: Play[Any]) -> None:
    """Its command does not run, and its token is there for others."""
    pushing: Any = place.client()

    async def main() -> None:
        async with transport_to(place.url) as transport:
            await transport.run(echo())
            waits = transport.run_when_woken(QUEUE, LONG_S, echo("cancelled"))
            running = asyncio.create_task(waits)
            await until_blocked(place, 1)
            running.cancel()
            await until_blocked(place, 0)
            pushing.rpush(WAKE, "token")
            assert await transport.run(echo("after")) == b"after"

    play(main())
    assert pushing.llen(WAKE) == 1
    assert times_run(place) == 2
    pushing.close()


def test_who_may_not_wait_is_told_before_the_second_command(
    single: Server, play: Play[Any]
) -> None:
    single.command("ACL", "SETUSER", "deaf", "on", ">pw", "~*", "+@all", "-blpop")

    async def main() -> None:
        async with transport_to(single.url.replace("://", "://deaf:pw@")) as transport:
            assert await transport.run_when_woken(QUEUE, WAIT_S, echo("ran")) == b"ran"
            for _ in range(2):
                with pytest.raises(PermissionDenied):
                    await transport.run_when_woken(QUEUE, WAIT_S, echo("refused"))

    try:
        play(main())
    finally:
        single.command("ACL", "DELUSER", "deaf")
    assert times_run(single) == 1


def test_a_transport_serves_one_loop_after_the_other(place: AnyServer, play: Play[Any]) -> None:
    transport = connect_async(place.url)

    async def main() -> None:
        assert await transport.run(echo("word")) == b"word"
        await transport.close()

    play(main())
    play(main())
    assert times_run(place) == 2


def test_a_queue_that_moves_within_the_cluster(
    redis_cluster: Cluster, play: Play[Any], run: Run
) -> None:
    redis_cluster.ensure_running()
    redis_cluster.flushall()

    async def main() -> None:
        async with transport_to(redis_cluster.url) as transport:
            assert await run(transport, echo("before")) == b"before"
            with moved(redis_cluster):
                for n in range(3):
                    assert await run(transport, echo(str(n))) == str(n).encode()
            for n in range(3):
                assert await run(transport, echo(str(n))) == str(n).encode()

    play(main())


FORKING = """
import asyncio, os, sys
from tests.conformance.test_transport import echo
from omniq_typed.transport.connect import connect_async

transport = connect_async(sys.argv[1])

async def ask(word, close=False):
    assert await transport.run(echo(word)) == word.encode()
    if close:
        await transport.close()

async def main():
    await ask("parent")
    child = os.fork()
    if child == 0:
        try:
            asyncio._set_running_loop(None)
            asyncio.run(ask("child", close=True))
            os._exit(0)
        except BaseException:
            import traceback
            traceback.print_exc()
            os._exit(4)
    _, status = await asyncio.to_thread(os.waitpid, child, 0)
    print("child", os.waitstatus_to_exitcode(status), flush=True)
    await ask("parent again", close=True)

asyncio.run(main())
"""


def test_a_forked_child_has_connections_of_its_own(single: Server) -> None:
    with Program(FORKING, single.url) as program:
        assert program.wait_for("child") == "child 0"
        assert program.exit_code() == 0
    assert times_run(single) == 3


def test_big_commands_and_replies(place: AnyServer, play: Play[Any]) -> None:
    async def main() -> None:
        async with transport_to(place.url) as transport:
            words = [chr(ord("a") + n) * 5_000_000 for n in range(8)]
            replies = await asyncio.gather(*(transport.run(echo(word)) for word in words))
            assert replies == [word.encode() for word in words]

    play(main())
