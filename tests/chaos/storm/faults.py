"""What happens in a storm, each under the name that a plan gives it."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable

import redis

from tests.chaos.storm.cutting_proxy import PROBE_KEY, SERVER
from tests.chaos.storm.field import Field, Life, ask_to_end
from tests.chaos.storm.plan import Fault
from tests.chaos.storm.torn_file import mend
from tests.chaos.storm.waiting import wait_until

ANSWER_S = 30.0
ENDS_WITHIN_S = 30.0
CUT_WITHIN_S = 10.0
NOWHERE = ("127.0.0.1", 1)
"""A primary that cannot be reached: a replica of it keeps what it has, and takes no writes."""


def kill_worker(field: Field, fault: Fault) -> None:
    life = _chosen(field.workers, fault.unit)
    field.kill(life)
    field.start_again(life)


def kill_publisher(field: Field, fault: Fault) -> None:
    life = _chosen(field.publishers, fault.unit)
    field.kill(life)
    field.start_again(life)


def stop_worker(field: Field, fault: Fault) -> None:
    """SIGTERM, as in a deployment: it finishes its jobs, gives back what it has not begun, and ends
    with 0. That is no excuse for a job that runs twice."""
    life = _chosen(field.workers, fault.unit)
    # Before it works, SIGTERM ends it as it ends any program.
    wait_until(lambda: field.works(life), f"{life.who} works", ENDS_WITHIN_S)
    ask_to_end(life)
    try:
        code = life.process.wait(ENDS_WITHIN_S)
    except Exception:
        field.broken.append(f"{life.who} did not end within {ENDS_WITHIN_S:.0f} s of SIGTERM")
        field.kill(life)
    else:
        life.killed = True
        if code != 0:
            field.broken.append(f"{life.who} ended with {code}:\n{field.said_by(life)}")
    field.start_again(life)


def stall_worker(field: Field, fault: Fault) -> None:
    """SIGSTOP for longer than its leases last."""
    life = _chosen(field.workers, fault.unit)
    with field.doing("stall", life.who):
        os.kill(life.process.pid, signal.SIGSTOP)
        time.sleep(_longer_than_a_lease(field, fault))
        os.kill(life.process.pid, signal.SIGCONT)


def kill_connections(field: Field, fault: Fault) -> None:
    field.server.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")


def flush_scripts(field: Field, fault: Fault) -> None:
    field.server.command("SCRIPT", "FLUSH")


def cut_reply(field: Field, fault: Fault) -> None:
    if not field.proxy.cut_next(CUT_WITHIN_S):
        field.broken.append(f"nobody got a reply through the proxy within {CUT_WITHIN_S:.0f} s")


def kill_server(field: Field, fault: Fault) -> None:
    """kill -9, and back after a while with what it had written whole."""
    with field.doing("kill", SERVER):
        field.server.kill()
        time.sleep(0.1 + 1.5 * fault.unit)
        field.torn += mend(field.server)
        field.server.restart()
        _until_written(field)  # it answers before it has read all of its data


def stall_server(field: Field, fault: Fault) -> None:
    """SIGSTOP for longer than a lease lasts."""
    with field.doing("stall", SERVER):
        field.server.pause()
        time.sleep(_longer_than_a_lease(field, fault))
        field.server.resume()
        _until_written(field)


def out_of_memory(field: Field, fault: Fault) -> None:
    _refusing(field, "out_of_memory", ("CONFIG", "SET", "maxmemory", 1))


def too_few_replicas(field: Field, fault: Fault) -> None:
    _refusing(field, "too_few_replicas", ("CONFIG", "SET", "min-replicas-to-write", 1))


def replica_role(field: Field, fault: Fault) -> None:
    """As after a failover that its clients have not heard of: it became a replica."""
    _refusing(field, "replica_role", ("REPLICAOF", *NOWHERE))


_BACK: dict[str, tuple[str | int, ...]] = {
    "out_of_memory": ("CONFIG", "SET", "maxmemory", 0),
    "too_few_replicas": ("CONFIG", "SET", "min-replicas-to-write", 0),
    "replica_role": ("REPLICAOF", "NO", "ONE"),
}

FAULTS: dict[str, Callable[[Field, Fault], None]] = {
    each.__name__: each
    for each in (
        kill_worker,
        kill_publisher,
        stop_worker,
        stall_worker,
        kill_connections,
        flush_scripts,
        cut_reply,
        kill_server,
        stall_server,
        out_of_memory,
        too_few_replicas,
        replica_role,
    )
}
OUTAGES = ("kill_server", "stall_server", *_BACK)
"""After these, all workers have to take jobs again."""


def _refusing(field: Field, kind: str, words: tuple[str | int, ...]) -> None:
    """The server refuses all writes for a while."""
    with field.doing(kind, SERVER):
        field.server.command(*words)
        time.sleep(field.size.refusal_s)
        field.server.command(*_BACK[kind])
        _until_written(field)


def _until_written(field: Field) -> None:
    """Until the server takes writes again."""

    def is_written() -> bool:
        with contextlib.suppress(redis.RedisError):
            return field.server.command("SET", PROBE_KEY, "1") is not None
        return False

    wait_until(is_written, "the server takes writes", ANSWER_S)


def _chosen(lives: list[Life], unit: float) -> Life:
    return lives[int(unit * len(lives))]


def _longer_than_a_lease(field: Field, fault: Fault) -> float:
    return field.size.lease_ms / 1000 * (1.3 + 0.7 * fault.unit)
