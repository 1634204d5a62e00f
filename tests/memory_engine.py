"""The memory server as a kind of server for the tests that were written for Redis and Valkey, and
what of those it cannot run."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from omniq_typed import AsyncBus, Bus
from omniq_typed.testing import AsyncMemoryBus, MemoryBus
from omniq_typed.transport.memory import MemoryServer
from tests.servers import started

LACKS = {
    "access control": (
        "test_a_missing_command_changes_nothing",
        "test_a_worker_ends_with_the_exception_when_a_right_is_missing",
        "test_counters_out_of_reach_are_permission_denied",
        "test_keys_out_of_reach_are_permission_denied",
        "test_one_fault_is_raised_as_itself_and_ends_all_queues",
        "test_scanning_for_queues_needs_the_right_that_is_documented",
        "test_the_documented_user_can_do_all_that_a_program_does",
        "test_the_documented_user_can_run_a_worker",
        "test_a_user_who_may_only_read_can_check_read_and_list",
        "test_who_may_only_read_can_use_what_is_registered",
        "test_who_may_only_read_is_told_what_to_grant_where_there_is_something_to_write",
        "test_the_users_stop_event_is_only_read",
    ),
    "counts of commands and connections": (
        "test_a_batch_of_big_messages_is_split",
        "test_a_call_is_one_script_and_one_round_trip",
        "test_big_messages_share_no_more_than_a_call_may_hold",
        "test_one_call_does_it_on_a_cluster_too",
        "test_it_costs_one_round_trip_where_nothing_changed",
        "test_many_of_mixed_types_and_queues_take_a_call_per_queue_and_hundred",
        "test_no_step_looks_at_many_more_than_500_jobs",
        "test_one_alone_is_sent_as_it_comes",
        "test_row_09_remove_searches_only_its_own_lane",
        "test_row_09_retry_searches_only_the_failed_lane",
        "test_row_09_the_waiting_lane_is_never_searched_for_a_failed_job",
        "test_row_11_a_job_costs_one_round_trip",
        "test_row_11_a_publish_wakes_the_idle_worker_at_once",
        "test_row_11_an_idle_worker_blocks",
        "test_row_11_several_jobs_and_their_settlement_share_a_round_trip",
        "test_stats_of_many_queues_are_one_round_trip",
        "test_tasks_that_publish_again_and_again_go_on_together",
        "test_the_worker_leaves_no_thread_and_no_connection",
        "test_what_comes_while_a_call_is_under_way_goes_together",
    ),
    "a life of its own: it cannot go away, hang, or be reached by host and port": (
        "test_a_clients_own_redis_client_gets_a_heartbeat_and_stays_open",
        "test_a_server_that_went_away_is_an_error_until_it_is_back",
        "test_cancelled_with_the_server_away_it_leaves_all_the_same",
    ),
    "a server's speed": (
        "test_20000_jobs_are_counted_while_others_come_and_go",
        "test_queue_at_length",
        "test_what_a_type_does_not_allow_fails_with_its_reason_and_reaches_no_handler",
    ),
    "a clock of its own": ("test_row_07_time_is_the_servers",),
}
"""What a memory server lacks, and the tests that need it. The docs tell the user the same."""

IN_OTHER_PROCESSES = ("tests/chaos/", "tests/interop/", "tests/other_languages/")
"""Whose tests start programs that use the server; no other process reaches a memory server."""

QUICK = (
    "tests/conformance/test_operations.py",
    "tests/conformance/test_typed_publish.py",
)
"""The files that run on a memory server in the default tier too."""


class MemoryEngine:
    """A server within this process that passes for a single one. Its time runs."""

    kind = "memory"
    is_cluster = False

    def __init__(self) -> None:
        self._server = MemoryServer()
        started.add(self)

    @property
    def url(self) -> str:
        return self._server.url

    def client(self, **options: Any) -> Any:
        return self._server.client(**options)

    def kept(self) -> Any:
        """As of a server, where it stays open; to make one costs nothing here."""
        return self.client()

    def command(self, *words: str | int) -> Any:
        """One command and its reply; of INFO, how many clients are blocked."""
        if words == ("INFO", "clients"):
            return {"blocked_clients": len(self._blocked())}
        client: Any = self.client()
        with contextlib.closing(client):
            return client.execute_command(*words)

    def end_waiting(self) -> None:
        """Who waits in a blocking command gets the answer as if its time were over."""
        for client_id in self._blocked():
            self.command("CLIENT", "UNBLOCK", client_id)

    def _blocked(self) -> list[int]:
        """The clients that wait in a blocking command."""
        sockets = list(self._server._server.sockets)
        return [int(each._client_info["id"]) for each in sockets if each._blocked]

    def flushall(self) -> None:
        self.command("FLUSHALL")
        self._server.stage.published.clear()

    def ensure_running(self) -> None:
        """It cannot be killed."""

    def close(self) -> None:
        """It ends with its last user."""


def bus_at(url: str, **options: Any) -> Bus:
    """A bus on the server under test: on a memory server, a MemoryBus whose time runs."""
    if url.startswith("memory://"):
        options.setdefault("register", "strict")
        return MemoryBus(url, time_runs=True, **options)
    return Bus(url, **options)


def async_bus_at(url: str, **options: Any) -> AsyncBus:
    """The asyncio twin of `bus_at`."""
    if url.startswith("memory://"):
        options.setdefault("register", "strict")
        return AsyncMemoryBus(url, time_runs=True, **options)
    return AsyncBus(url, **options)


def is_on_memory(item: pytest.Item) -> bool:
    """Whether a test runs on a memory server."""
    call = getattr(item, "callspec", None)
    return call is not None and "memory" in (
        call.params.get("server"),
        call.params.get("any_server"),
    )


def lack_of(item: pytest.Item) -> str:
    """What a memory server lacks for a test, '' = nothing."""
    if item.nodeid.startswith(IN_OTHER_PROCESSES):
        return "being reached by other processes"
    name = getattr(item, "originalname", item.name)
    return next((lack for lack, names in LACKS.items() if name in names), "")


def sort_out(items: list[pytest.Item]) -> list[pytest.Item]:
    """Takes the tests out that a memory server cannot run; of the others most become slow ones."""
    out = [item for item in items if is_on_memory(item) and lack_of(item)]
    items[:] = [item for item in items if item not in out]
    for item in items:
        if is_on_memory(item) and not item.nodeid.startswith(QUICK):
            item.add_marker(pytest.mark.slow)
    return out
