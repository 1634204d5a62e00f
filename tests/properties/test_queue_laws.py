"""The laws of the queue, on every kind of server: see queue_laws.py for what they say."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from omniq_typed.transport.address import from_url
from omniq_typed.transport.sync import SyncTransport
from tests.properties.queue_machine import children_machine, queue_machine
from tests.servers import AnyServer

QUICK = settings(
    max_examples=30,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
LONG = settings(QUICK, max_examples=300, stateful_step_count=60)


@pytest.fixture
def transport(any_server: AnyServer) -> Iterator[SyncTransport]:
    with contextlib.closing(SyncTransport(from_url(any_server.url))) as opened:
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


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_queue_at_length(transport: SyncTransport) -> None:
    machine = queue_machine(transport, owner_of(transport))
    run_state_machine_as_test(machine, settings=LONG)
    assert not REACHED - set(machine.replies), "replies that no example has seen"


REACHED = {
    *(f"enqueue: {kind}" for kind in ("wait", "delayed", "DUPLICATE")),
    *(f"reserve: {kind}" for kind in ("0 jobs", "1 jobs", "2 jobs", "PAUSED")),
    *(f"settle: {kind}" for kind in ("OK", "RETRY", "FAILED", "RELEASED")),
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
