"""The laws of the queue, on every kind of server: see queue_laws.py for what they say."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from omniq_typed.transport.connect import connect
from omniq_typed.transport.sync import SyncTransport
from tests.properties.children_machine import children_machine
from tests.properties.queue_machine import QueueMachine, queue_machine
from tests.properties.queue_plans import JobPlan
from tests.servers import AnyServer, Server

QUICK = settings(
    max_examples=30,
    stateful_step_count=40,
    deadline=None,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),  # pyright: ignore[reportArgumentType]
)
LONG = settings(QUICK, max_examples=300, stateful_step_count=60)


@pytest.fixture
def transport(any_server: AnyServer) -> Iterator[SyncTransport]:
    with contextlib.closing(connect(any_server.url)) as opened:
        yield opened


def owner_of(transport: SyncTransport) -> Callable[[bytes], Any]:
    """Finds a client of the node that owns a key."""
    client: Any = transport.client
    if not transport.is_cluster:
        return lambda _key: client
    return lambda key: client.get_redis_connection(client.get_node_from_key(key))


def test_queue(transport: SyncTransport) -> None:
    machine = queue_machine(transport, owner_of(transport))
    run_state_machine_as_test(machine, settings=QUICK)


def test_completion_counter(transport: SyncTransport) -> None:
    machine = children_machine(transport, owner_of(transport))
    run_state_machine_as_test(machine, settings=settings(QUICK, stateful_step_count=20))


def plan(
    job_id: str, gid: str, limit: int = 0, due_in_ms: int = 0, strict: bool = False
) -> JobPlan:
    return JobPlan(job_id, False, b"{}", gid, 3, 1000, 0, due_in_ms, limit, strict)


def test_a_delayed_job_that_brings_a_limit(transport: SyncTransport) -> None:
    """Found by the laws: a waiting job may start by the new limit, and its group was not ready."""
    with example_by_hand(transport) as example:
        example.enqueue([plan("j0", "g0"), plan("j1", "g0")])
        example.do_reserve("reserve", 1, [], 100, 100)
        example.enqueue([plan("j2", "g0", limit=2, due_in_ms=500)])
        example.do_reserve("reserve", 1, [], 100, 100)
        assert set(example.before.active) == {"j0", "j1"}


def test_a_delayed_job_that_makes_its_group_strict(transport: SyncTransport) -> None:
    """Found by the laws: the group had no free slot any more, and stayed ready."""
    with example_by_hand(transport) as example:
        example.enqueue([plan("j0", "g1", limit=2), plan("j1", "g1")])
        example.do_reserve("reserve", 1, [], 100, 100)
        example.enqueue([plan("j2", "g1", due_in_ms=500, strict=True)])
        assert not example.before.groups_ready


def test_a_worker_that_leaves_work_wakes_the_next(transport: SyncTransport) -> None:
    """Found by the laws: a group becomes ready once for two jobs, and one token woke one worker."""
    with example_by_hand(transport) as example:
        example.enqueue([plan("j0", "g0", limit=2), plan("j1", "g0")])
        example.wake_and_reserve(limit=1)
        assert example.before.wake == 1


@contextlib.contextmanager
def example_by_hand(transport: SyncTransport) -> Iterator[QueueMachine]:
    example = queue_machine(transport, owner_of(transport))()
    yield example
    example.teardown()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_queue_at_length(transport: SyncTransport) -> None:
    machine = queue_machine(transport, owner_of(transport))
    run_state_machine_as_test(machine, settings=LONG)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_reply_is_reached(redis_server: Server) -> None:
    """By the same examples each time, so that chance does not decide it."""
    redis_server.ensure_running()
    with contextlib.closing(connect(redis_server.url)) as transport:
        machine = queue_machine(transport, owner_of(transport))
        fixed = settings(LONG, max_examples=500, derandomize=True, database=None)
        run_state_machine_as_test(machine, settings=fixed)
    assert not REACHED - set(machine.replies), "replies that no example has seen"


REACHED = {
    *(f"enqueue: {kind}" for kind in ("wait", "delayed", "DUPLICATE")),
    *(f"reserve: {kind}" for kind in ("0 jobs", "1 jobs", "2 jobs", "PAUSED")),
    *(f"settle: {kind}" for kind in ("OK", "RETRY", "DEFERRED", "FAILED", "RELEASED")),
    *(f"settle: {kind}" for kind in ("TOKEN_REQUIRED", "TOKEN_MISMATCH", "NOT_ACTIVE")),
    *(f"heartbeat: {kind}" for kind in ("OK", "TOKEN_REQUIRED", "TOKEN_MISMATCH", "NOT_ACTIVE")),
    *(f"use_stale_token: {kind}" for kind in ("TOKEN_MISMATCH", "NOT_ACTIVE")),
    *(f"promote_delayed: {kind}" for kind in ("some", "none")),
    *(f"reap_expired: {kind}" for kind in ("some", "none")),
    *(f"retry_failed: {kind}" for kind in ("OK", "NO_JOB", "NOT_FAILED")),
    *(f"remove_jobs: {kind}" for kind in ("NO_JOB", "ACTIVE", "LANE_MISMATCH")),
    *(f"remove_jobs: {lane}" for lane in ("wait", "gwait", "delayed", "failed", "completed")),
    *(f"set_group_limit: {kind}" for kind in ("OK", "STRICT_GROUP")),
}
