"""Connections of our own under the blocking transport: what they promise when something breaks."""

from __future__ import annotations

import contextlib
import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
import redis

from omniq_typed.core.command import CHECK, Command
from omniq_typed.core.keys import queue_keys, wake_key
from omniq_typed.core.scripts import Script
from omniq_typed.errors import ClusterUnavailable, ConnectionLost, PermissionDenied, UnexpectedReply
from omniq_typed.transport import lines
from omniq_typed.transport.checks import PermissionChecks
from omniq_typed.transport.connect import connect
from omniq_typed.transport.sync import SyncTransport
from tests.chaos.proxy import proxy_to
from tests.conformance.doors import command_counts, forget_command_counts, nodes
from tests.servers import AnyServer, Cluster, Server, wait_until
from tests.workers import LONG_S, Program

QUEUE = "orders"
KEYS = queue_keys(QUEUE)
WAKE = wake_key(QUEUE)
WAIT_S = 0.3


def script(text: str) -> Script:
    return Script("of a test", text, hashlib.sha1(text.encode()).hexdigest())


COUNTED = script("redis.call('INCR', KEYS[1]); return ARGV[1]")


def echo(word: str = "word", *, repeatable: bool = False) -> Command[bytes]:
    """Answers its word; the first key of the queue counts how often it has run."""
    return Command(COUNTED, KEYS, [word], lambda reply: reply, repeatable)


def times_run(server: AnyServer) -> int:
    client: Any = server.client()
    with client:
        return int(client.get(KEYS[0]) or 0)


def connections_made(server: AnyServer) -> int:
    """So far; each look makes one more for each node."""
    stats = [node.command("INFO", "stats") for node in nodes(server)]
    return sum(int(each["total_connections_received"]) for each in stats)


def kill_connections(server: AnyServer) -> None:
    """All but that of the one who asks."""
    for node in nodes(server):
        node.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")


@contextlib.contextmanager
def moved(cluster: Cluster, *, half: bool = False) -> Iterator[None]:
    """The queue, emptied, is on another node for a while; `half`: on its way there, so that its old
    node says ASK where it otherwise says MOVED."""
    client: Any = cluster.client()
    with client:
        slot, at = client.keyslot(KEYS[0]), client.get_node_from_key(KEYS[0]).port
        client.delete(KEYS[0])
    old = next(node for node in cluster.nodes if node.port == at)
    new = next(node for node in cluster.nodes if node.port != at)
    ids = {node.port: node.command("CLUSTER", "MYID").decode() for node in cluster.nodes}
    new.command("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[old.port])
    old.command("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[new.port])
    if not half:
        for node in (new, *(node for node in cluster.nodes if node is not new)):
            node.command("CLUSTER", "SETSLOT", slot, "NODE", ids[new.port])
    try:
        yield
    finally:
        new.flushall()
        for node in (old, *(node for node in cluster.nodes if node is not old)):
            node.command("CLUSTER", "SETSLOT", slot, "NODE", ids[old.port])


@pytest.fixture(
    params=[
        "redis_server",
        pytest.param("valkey_server", marks=pytest.mark.slow),
        "redis_cluster",
    ]
)
def place(request: pytest.FixtureRequest) -> AnyServer:
    """A server with real sockets, empty: Redis, Valkey, and a cluster."""
    found: AnyServer = request.getfixturevalue(request.param)
    found.ensure_running()
    found.flushall()
    return found


@pytest.fixture
def single(redis_server: Server) -> Server:
    redis_server.ensure_running()
    redis_server.flushall()
    return redis_server


@pytest.fixture
def transport(place: AnyServer) -> Iterator[SyncTransport]:
    opened = connect(place.url)
    yield opened
    opened.close()


Run = Callable[[SyncTransport, Command[bytes]], bytes]


def by_run(transport: SyncTransport, command: Command[bytes]) -> bytes:
    return transport.run(command)


def by_start(transport: SyncTransport, command: Command[bytes]) -> bytes:
    return transport.start(command).result()


def when_woken(transport: SyncTransport, command: Command[bytes]) -> bytes:
    return transport.run_when_woken(QUEUE, 0.05, command)


@pytest.fixture(params=[by_run, by_start, when_woken])
def run(request: pytest.FixtureRequest) -> Run:
    """Every way to run a command."""
    found: Run = request.param
    return found


def test_a_script_that_the_server_forgot_is_loaded_and_not_sent_as_text(
    place: AnyServer, transport: SyncTransport, run: Run
) -> None:
    assert run(transport, echo("before")) == b"before"
    for node in nodes(place):
        node.command("SCRIPT", "FLUSH")
    forget_command_counts(place)
    assert run(transport, echo("after")) == b"after"
    assert times_run(place) == 2
    assert "eval" not in command_counts(place)


def test_a_connection_that_the_server_ended_costs_no_command(
    place: AnyServer, transport: SyncTransport, run: Run
) -> None:
    """Idle connections are looked at before they are used: what may run once only is not lost."""
    for n in range(5):
        assert run(transport, echo(str(n))) == str(n).encode()
        kill_connections(place)
    assert times_run(place) == 5


def test_after_a_restart_the_next_command_runs(single: Server, run: Run) -> None:
    with ThreadPoolExecutor(8) as threads:
        transport = connect(single.url)
        together = threading.Barrier(8)
        list(threads.map(lambda _: (together.wait(), transport.run(echo())), range(8)))
        single.restart()
        assert run(transport, echo("again")) == b"again"
        transport.close()


def test_replies_belong_to_their_threads(place: AnyServer, transport: SyncTransport) -> None:
    def many(thread: int) -> int:
        return sum(
            transport.run(echo(f"{thread}-{n}")) == f"{thread}-{n}".encode() for n in range(200)
        )

    with ThreadPoolExecutor(12) as threads:
        assert list(threads.map(many, range(12))) == [200] * 12
    assert times_run(place) == 2400


def test_connections_that_are_not_needed_any_more_are_closed(
    single: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def connected() -> int:
        return int(single.command("INFO", "clients")["connected_clients"])

    before = connected()
    transport = connect(single.url)
    with ThreadPoolExecutor(10) as threads:
        together = threading.Barrier(10)
        list(
            threads.map(
                lambda _: (together.wait(), transport.run_when_woken(QUEUE, 0.1, echo())), range(10)
            )
        )
    assert connected() >= before + 10
    monkeypatch.setattr(lines, "SPARE_S", 0.0)
    for _ in range(20):
        transport.run(echo())
    wait_until(lambda: connected() <= before + 2, "spare connections are closed", LONG_S)
    transport.close()
    wait_until(lambda: connected() <= before, "all are closed", LONG_S)


def test_close_ends_a_call_in_another_thread(place: AnyServer) -> None:
    transport = connect(place.url)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(transport.wait_for_wake, QUEUE, LONG_S)
        wait_until(lambda: blocked(place) == 1, "it waits", LONG_S)
        transport.close()
        with pytest.raises(ConnectionLost):
            waiting.result(LONG_S / 4)
    wait_until(lambda: blocked(place) == 0, "nobody waits", LONG_S)


def blocked(server: AnyServer) -> int:
    return sum(int(node.command("INFO", "clients")["blocked_clients"]) for node in nodes(server))


def test_started_commands_answer_in_any_order_or_to_nobody(
    place: AnyServer, transport: SyncTransport
) -> None:
    first, second = transport.start(echo("1")), transport.start(echo("2"))
    assert transport.run(echo("3")) == b"3"
    for _ in range(5):
        transport.start(echo("ignored"))
    assert second.result() == b"2"
    assert first.result() == b"1"
    assert transport.run(echo("4")) == b"4"
    with pytest.raises(RuntimeError, match="before"):
        first.result()
    wait_until(lambda: times_run(place) == 9, "all have run", LONG_S)


def test_commands_sent_behind_one_another_run_in_that_order(
    place: AnyServer, transport: SyncTransport
) -> None:
    """Each answers how many there were before it. On one connection, which serves others then."""
    counting = script("return redis.call('RPUSH', KEYS[2], ARGV[1])")

    def counted(word: str) -> Command[int]:
        return Command(counting, KEYS, [word], lambda reply: reply, False)

    third = transport.start(counted("before all"))
    assert third.result() == 1
    made = connections_made(place)
    for n in range(2, 300, 3):
        first = transport.start(counted("a"))
        second = transport.start(counted("b"), behind=first)
        third = transport.start(counted("c"), behind=second)
        # Whoever asks first: all have their own.
        asked = [first, second, third] if n % 2 else [third, first, second]
        found = {id(each): each.result() for each in asked}
        assert [found[id(each)] for each in (first, second, third)] == [n, n + 1, n + 2]
    assert transport.start(counted("late"), behind=third).result() == 302
    assert connections_made(place) == made + len(nodes(place))


def test_two_threads_take_the_replies_of_one_connection(
    place: AnyServer, transport: SyncTransport
) -> None:
    with ThreadPoolExecutor(1) as other:
        for n in range(300):
            first = transport.start(echo(f"first {n}"))
            second = transport.start(echo(f"second {n}"), behind=first)
            theirs = other.submit(first.result)
            assert second.result() == f"second {n}".encode()
            assert theirs.result(LONG_S) == f"first {n}".encode()


@pytest.mark.parametrize("lost", ["first", "second"])
def test_a_lost_reply_loses_those_behind_it(single: Server, lost: str) -> None:
    with proxy_to(single.port) as proxy:
        transport = connect(proxy.url)
        transport.run(echo("before"))
        proxy.cut_reply(lost)
        first = transport.start(echo("first"))
        second = transport.start(echo("second"), behind=first)
        if lost == "second":
            with contextlib.suppress(ConnectionLost):  # it may have come in the same piece
                assert first.result() == b"first"
        else:
            with pytest.raises(ConnectionLost):
                first.result()
        with pytest.raises(ConnectionLost):
            second.result()
        behind_nothing = transport.start(echo("after"), behind=second)
        assert behind_nothing.result() == b"after"
        transport.close()


def test_a_started_command_raises_with_its_result(single: Server) -> None:
    transport = connect(single.url)
    wrong = script("return redis.call('LPOP', KEYS[1])")
    transport.run(echo())
    reply = transport.start(Command(wrong, KEYS, [], lambda reply: reply, False))
    with pytest.raises(UnexpectedReply, match="WRONGTYPE"):
        reply.result()
    single.stop()
    for repeatable in (False, True):
        reply = transport.start(echo(repeatable=repeatable))
        with pytest.raises(ConnectionLost):
            reply.result()
    transport.close()


@pytest.mark.parametrize("repeatable", [False, True])
def test_a_lost_reply(single: Server, run: Run, repeatable: bool) -> None:
    """What may be repeated is, and nothing else."""
    with proxy_to(single.port) as proxy:
        transport = connect(proxy.url)
        assert run(transport, echo("before")) == b"before"
        proxy.cut_reply("marked")
        if repeatable:
            assert run(transport, echo("marked", repeatable=True)) == b"marked"
        else:
            with pytest.raises(ConnectionLost):
                run(transport, echo("marked"))
        assert proxy.cut.is_set()
        assert run(transport, echo("after")) == b"after"
        transport.close()
    assert times_run(single) == 3 + repeatable


def test_a_server_that_hangs_is_noticed(single: Server, run: Run) -> None:
    url = f"{single.url}?socket_timeout=0.3"
    transport = connect(url)
    run(transport, echo())
    single.pause()
    try:
        started = time.monotonic()
        with pytest.raises(ConnectionLost, match="within"):
            run(transport, echo())
        assert 0.25 < time.monotonic() - started < 10
    finally:
        single.resume()
    assert run(transport, echo("back")) == b"back"
    transport.close()


def test_a_call_may_be_less_patient_than_others(single: Server) -> None:
    transport = connect(single.url)
    transport.run(echo())
    single.pause()
    try:
        for _ in range(2):  # on a connection that there is, and on one to be opened
            started = time.monotonic()
            with pytest.raises(ConnectionLost):
                transport.run(echo(), within_s=0.2)
            assert time.monotonic() - started < 10
    finally:
        single.resume()
    assert transport.run(echo("back"), within_s=5.0) == b"back"
    transport.close()


def test_a_token_runs_the_command_at_once(place: AnyServer, transport: SyncTransport) -> None:
    transport.run(echo())
    pushing: Any = place.client()
    for n in range(5):
        with ThreadPoolExecutor(1) as threads:
            forget_command_counts(place)
            running = threads.submit(transport.run_when_woken, QUEUE, LONG_S / 2, echo(str(n)))
            wait_until(lambda: blocked(place) == 1, "it waits", LONG_S)
            pushed_at = time.monotonic()
            pushing.rpush(WAKE, "token")
            assert running.result(LONG_S / 4) == str(n).encode()
            assert time.monotonic() - pushed_at < LONG_S / 4
            counts = command_counts(place)
            assert (counts["blpop"], counts["evalsha"]) == (1, 1)
    assert pushing.llen(WAKE) == 0
    pushing.close()


def test_without_a_token_the_command_runs_after_the_wait(
    place: AnyServer, transport: SyncTransport
) -> None:
    transport.run(echo())
    started = time.monotonic()
    assert transport.run_when_woken(QUEUE, WAIT_S, echo("late")) == b"late"
    assert WAIT_S - 0.05 < time.monotonic() - started < 10


def test_a_connection_that_ends_in_the_wait_is_told(
    place: AnyServer, transport: SyncTransport
) -> None:
    transport.run(echo())
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(transport.run_when_woken, QUEUE, LONG_S / 2, echo("lost"))
        wait_until(lambda: blocked(place) == 1, "it waits", LONG_S)
        kill_connections(place)
        with pytest.raises(ConnectionLost):
            running.result(LONG_S / 4)
    assert transport.run(echo("after")) == b"after"
    assert times_run(place) == 2


def test_who_may_not_wait_is_told_before_the_second_command(single: Server) -> None:
    """The first has run when the refusal of its wait arrives: its answer must not be lost."""
    single.command("ACL", "SETUSER", "deaf", "on", ">pw", "~*", "+@all", "-blpop")
    transport = connect(single.url.replace("://", "://deaf:pw@"))
    try:
        assert transport.run_when_woken(QUEUE, WAIT_S, echo("ran")) == b"ran"
        for _ in range(2):
            with pytest.raises(PermissionDenied):
                transport.run_when_woken(QUEUE, WAIT_S, echo("refused"))
        assert times_run(single) == 1
        single.command("ACL", "SETUSER", "deaf", "+blpop")
        assert transport.run_when_woken(QUEUE, WAIT_S, echo("ran")) == b"ran"
        assert transport.run_when_woken(QUEUE, WAIT_S, echo("ran")) == b"ran"
    finally:
        transport.close()
        single.command("ACL", "DELUSER", "deaf")


def test_a_client_that_was_passed_in_is_used_as_it_is_set_up(place: AnyServer, run: Run) -> None:
    """Its replies decoded, its protocol 3; and it works on when the transport is closed."""
    with place.client(decode_responses=True, protocol=3) as client:
        transport = SyncTransport(client=client)
        assert run(transport, echo("ü")) == "ü".encode()
        transport.close()
        assert run(transport, echo("again")) == b"again"
        transport.close()
        assert client.get(KEYS[0]) == "2"


def test_a_client_with_a_pool_of_its_own_kind_runs_the_calls_itself(
    single: Server, run: Run
) -> None:
    class Special(redis.ConnectionPool):
        pass

    pool = Special(host=single.host, port=single.port)
    with redis.Redis(connection_pool=pool) as client:
        transport = SyncTransport(client=client, owns_client=True)
        assert run(transport, echo("special")) == b"special"
        assert transport._routes is not None
        assert transport._routes.lines(KEYS[0]) is None
        transport.close()
    pool.disconnect()


def test_a_queue_that_moves_within_the_cluster(redis_cluster: Cluster, run: Run) -> None:
    redis_cluster.ensure_running()
    redis_cluster.flushall()
    transport = connect(redis_cluster.url)
    assert run(transport, echo("before")) == b"before"
    with moved(redis_cluster):
        for n in range(3):
            assert run(transport, echo(str(n))) == str(n).encode()
    for n in range(3):
        assert run(transport, echo(str(n))) == str(n).encode()
    assert times_run(redis_cluster) == 3
    transport.close()


def test_while_a_queue_moves_within_the_cluster_it_is_not_there(redis_cluster: Cluster) -> None:
    """No node takes commands of several keys then, of which only some are there."""
    redis_cluster.ensure_running()
    redis_cluster.flushall()
    transport = connect(redis_cluster.url)
    assert transport.run(echo("before")) == b"before"
    with moved(redis_cluster, half=True), pytest.raises(ClusterUnavailable):
        transport.run(echo())
    assert transport.run(echo("after")) == b"after"
    transport.close()


def test_big_commands_and_replies(place: AnyServer, transport: SyncTransport) -> None:
    big = "x" * 20_000_000
    assert transport.run(echo(big)) == big.encode()


ASKED = Script(
    "of a test",
    """
    if ARGV[1] == '1' and not redis.acl_check_cmd('SET', KEYS[2]) then
      return redis.error_reply('NOPERM the user may not run SET')
    end
    redis.call('INCR', KEYS[1])
    redis.call('SET', KEYS[2], '')
    return ARGV[1]
    """,
    "",
    checks_permissions=True,
)
ASKED = replace(ASKED, sha=hashlib.sha1(ASKED.text.encode()).hexdigest())


def test_a_script_asks_for_permissions_now_and_then(single: Server) -> None:
    """At first, after an error, on a new connection, and every ten seconds. So a right that was
    taken away goes unnoticed for so long at most, and then nothing is done by half."""
    single.command("ACL", "SETUSER", "few", "on", ">pw", "~*", "+@all")
    transport = connect(single.url.replace("://", "://few:pw@"))
    now = 0.0
    transport._checks = PermissionChecks(lambda: now)

    def ask(by: Run = by_run) -> bytes:
        return by(transport, Command(ASKED, KEYS, [CHECK], lambda reply: reply, False))

    try:
        assert [ask() for _ in range(3)] == [b"1", b"0", b"0"]
        now = 9.9
        assert ask(by=by_start) == b"0"
        assert ask(by=when_woken) == b"0"
        now = 10.0
        assert [ask(by=when_woken), ask(by=by_start)] == [b"1", b"0"]
        kill_connections(single)
        assert [ask(), ask()] == [b"1", b"0"]
        single.command("ACL", "SETUSER", "few", "-set")
        done = times_run(single)
        with pytest.raises(PermissionDenied):  # by half: this is what the first call asks for
            ask()
        for _ in range(2):
            with pytest.raises(PermissionDenied, match="may not run SET"):
                ask()
        assert times_run(single) == done + 1
        single.command("ACL", "SETUSER", "few", "+set")
        assert [ask(), ask()] == [b"1", b"0"]
        single.command("ACL", "SETUSER", "few", "-set")
        now = 20.0
        with pytest.raises(PermissionDenied, match="may not run SET"):
            ask()
        assert times_run(single) == done + 3
    finally:
        transport.close()
        single.command("ACL", "DELUSER", "few")


FORKING = """
import os, sys
from tests.conformance.test_transport import echo
from omniq_typed.errors import ConnectionLost
from omniq_typed.transport.connect import connect

transport = connect(sys.argv[1])
under_way = transport.start(echo("parent's"))
transport.run(echo())  # on another connection, which is idle now
child = os.fork()
if child == 0:
    try:
        for n in range(500):
            if transport.run(echo(f"child {n}")) != f"child {n}".encode():
                os._exit(2)
        transport.close()
        try:
            under_way.result()
            os._exit(3)
        except ConnectionLost:
            os._exit(0)
    except BaseException:
        import traceback
        traceback.print_exc()
        os._exit(4)
_, status = os.waitpid(child, 0)
print("child", os.waitstatus_to_exitcode(status), flush=True)
for n in range(500):  # the child has closed what was its own, and no more
    assert transport.run(echo(f"parent {n}")) == f"parent {n}".encode()
assert under_way.result() == b"parent's"
transport.close()
print("done", flush=True)
"""


def test_a_forked_child_has_connections_of_its_own(place: AnyServer) -> None:
    with Program(FORKING, place.url) as program:
        assert program.wait_for("child") == "child 0"
        program.wait_for("done")
        assert program.exit_code() == 0
    assert times_run(place) == 1 + 1 + 500 + 500


CLOSING = """
import os, signal, sys
from tests.conformance.test_transport import echo
from omniq_typed.transport.connect import connect

transport = connect(sys.argv[1])
transport.run(echo())
os.kill(int(sys.argv[2]), signal.SIGSTOP)
under_way = transport.start(echo("parent's"))
child = os.fork()
if child == 0:
    transport.close()
    os._exit(0)
os.waitpid(child, 0)
os.kill(int(sys.argv[2]), signal.SIGCONT)
assert under_way.result() == b"parent's"
print("done", flush=True)
"""


def test_a_child_that_closes_does_not_end_a_call_of_its_parent(single: Server) -> None:
    """The server owes the reply until the child is gone."""
    try:
        with Program(CLOSING, single.url, str(single.pid)) as program:
            program.wait_for("done")
            assert program.exit_code() == 0
    finally:
        single.resume()
