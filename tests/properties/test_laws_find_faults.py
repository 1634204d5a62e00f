"""The laws find what they are there to find: each fault here is put into the scripts on purpose."""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass, replace
from typing import TypeVar

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from omniq_typed.core.command import Command
from omniq_typed.core.scripts import Script, script
from omniq_typed.transport.address import from_url
from omniq_typed.transport.sync import SyncTransport
from tests.properties.queue_laws import LawBroken
from tests.properties.queue_machine import queue_machine
from tests.properties.test_queue_laws import QUICK, owner_of
from tests.servers import Server

R = TypeVar("R")

SEARCH = settings(
    QUICK,
    max_examples=2000,
    stateful_step_count=50,
    derandomize=True,
    database=None,
    phases=[Phase.generate],  # a failure is enough; nobody reads the smallest one
)


@dataclass(frozen=True)
class Fault:
    """In these scripts, `text` is replaced by `by`, in each block that includes it. `law`: what
    must notice it."""

    scripts: tuple[str, ...]
    text: str
    by: str
    law: str

    def broken(self, name: str) -> Script:
        whole = script(name).text
        assert self.text in whole, f"{name} does not hold {self.text!r}"
        text = whole.replace(self.text, self.by)
        assert text != whole
        return Script(name, text, hashlib.sha1(text.encode()).hexdigest())


class FaultyTransport:
    """Runs the broken scripts in place of those of the same name."""

    def __init__(self, transport: SyncTransport, fault: Fault) -> None:
        self._transport = transport
        self._broken = {name: fault.broken(name) for name in fault.scripts}

    def run(self, command: Command[R]) -> R:
        name = command.script.name
        return self._transport.run(replace(command, script=self._broken.get(name, command.script)))


NAMED = {
    "heartbeat adds to the old end": Fault(
        ("heartbeat",),
        "lease_end(now, job.timeout_ms)",
        "lease_end(redis.call('ZSCORE', q.active, id), job.timeout_ms)",
        law="lease_end",
    ),
    "no duplicate check": Fault(
        ("enqueue",), "  if state then\n", "  if false then\n", law="one_lane"
    ),
    "slot not freed on reap": Fault(
        ("reap_expired", "reserve"),
        "gid = v[2], attempt = attempt, max_attempts",
        "gid = false, attempt = attempt, max_attempts",
        law="group_slots",
    ),
    "deferral burns the attempt": Fault(
        ("settle", "reserve"),
        "if outcome == 'invalid' or outcome == 'defer' then",
        "if outcome == 'invalid' then",
        law="deferral",
    ),
}
FURTHER = {
    "no duplicate check of one": Fault(
        ("enqueue_one",), "if redis.call('EXISTS', key) == 1 then", "if false then", law="one_lane"
    ),
    "slot not freed on ack": Fault(
        ("settle", "reserve"),
        "          gids[#gids + 1] = gid\n",
        "",
        law="group_slots",
    ),
    "nobody asks whether there are groups": Fault(
        ("settle", "reserve"),
        "count > 0 and redis.call('EXISTS', q.has_groups) == 1",
        "false",
        law="group_slots",
    ),
    "of a job that was leased before no more is asked": Fault(
        ("reserve",), "if v[3] and v[3] ~= '' or v[7] then", "if v[7] then", law="model|deferral"
    ),
    "any token will do": Fault(
        ("settle", "heartbeat", "reserve"),
        "if state == 'active' and held == token and token ~= '' then",
        "if state == 'active' and token ~= '' then",
        law="refused_changes_nothing|model",
    ),
    "stale settlement counts as activity": Fault(
        ("settle",), "if ended > 0 then", "if true then", law="refused_changes_nothing"
    ),
    "full group stays ready": Fault(
        ("reserve",), "if held or inflight >= limit or", "if held or", law="groups_ready"
    ),
    "new limit forgets the waiting": Fault(
        ("set_group_limit",), "wake_workers(q, group_refresh(q, gid, now))", "", law="groups_ready"
    ),
    "two groups share a place": Fault(
        ("reserve", "enqueue"),
        "score = tonumber(last[2]) + 0.001",
        "score = tonumber(last[2])",
        law="groups_ready|model",
    ),
    "failed head of a strict group goes to the tail": Fault(
        ("reserve", "promote_delayed"),
        "available = available + lane_enter(q, id, v[2], now, at_head)",
        "available = available + lane_enter(q, id, v[2], now, false)",
        law="strict_order|model",
    ),
    "deferral is not counted": Fault(
        ("settle", "reserve"), "(tonumber(before or '0') or 0) + 1", "0", law="model"
    ),
    "last attempt cannot be deferred": Fault(
        ("settle", "reserve"),
        "if outcome == 'defer' or (outcome == 'retry' and attempt < job.max_attempts) then",
        "if job.attempt < job.max_attempts and (outcome == 'defer' or outcome == 'retry') then",
        law="model",
    ),
    "retried by an operator without its deferrals": Fault(
        ("retry_failed",), "'deferrals', '0', ", "", law="model|strict_order"
    ),
    "strict group does not wait": Fault(
        ("settle", "reserve", "reap_expired"),
        "if strict then",
        "if false then",
        law="strict_order|model",
    ),
    "last in, first out": Fault(
        ("enqueue",),
        "redis.call('RPUSH', list, unpack(",
        "redis.call('LPUSH', list, unpack(",
        law="fifo|model",
    ),
    "released job goes to the tail": Fault(
        ("settle", "reserve"),
        "return lane_enter(q, id, nil, now, true)",
        "return lane_enter(q, id, nil, now, false)",
        law="model",
    ),
    "released attempt counts": Fault(
        ("settle", "reserve"),
        "'state', 'wait', 'attempt', math.max(attempt - 1, 0)",
        "'state', 'wait', 'attempt', attempt",
        law="strict_order|model",
    ),
    "groups and ungrouped take no turns": Fault(
        ("reserve",), "turn = turn == '0' and '1' or '0'", "", law="model"
    ),
    "trimmed job stays": Fault(
        ("settle", "reserve"), "  delete_keys(keys)\nend", "end", law="one_lane"
    ),
    "index of active forgotten": Fault(
        ("settle", "reserve", "reap_expired"),
        "redis.call('ZREM', q.idx_active, id)",
        "",
        law="one_lane",
    ),
    "index of completed jobs forgotten": Fault(
        ("settle", "reserve"), "index_remove(q.idx_active, ids)", "", law="one_lane"
    ),
    "a passing job stays": Fault(
        ("settle", "reserve"), "delete_keys(unwanted)", "", law="one_lane"
    ),
    "acknowledged twice in one call": Fault(
        ("settle", "reserve"),
        "is_acknowledged[id] and 'completed' or v[1]",
        "v[1]",
        law="group_slots|one_lane|counters|model",
    ),
    "acknowledged and retried in one call": Fault(
        ("settle", "reserve"),
        "if is_acknowledged and token ~= '' then",
        "if false then",
        law="group_slots|one_lane|counters|model",
    ),
    "jobs of other attempts are of one kind": Fault(
        ("reserve",), "if o[8] == v[8] and ", "if ", law="model|attempts|lease_end"
    ),
    "lost leases go back in the wrong order": Fault(
        ("reserve",), "for i = #numbers, 1, -1 do", "for i = 1, #numbers do", law="fifo|model"
    ),
    "lost attempt counts": Fault(
        ("reserve",),
        "local job = found[numbers[i]]\n",
        "local job = found[numbers[i]]\n    job.attempt = job.attempt + 1\n",
        law="strict_order|model",
    ),
    "slots of one call not counted": Fault(
        ("reserve",),
        "        if group.inflight + group.granted < group.limit and",
        "        if group.inflight < group.limit and",
        law="groups_ready",
    ),
    "groups that had their turn are left out": Fault(
        ("reserve",), "groups_enter(q, ready, now)", "", law="groups_ready"
    ),
    "rate of the queue costs nothing": Fault(
        ("reserve",), "bucket.tokens = bucket.tokens - count", "", law="rate|model"
    ),
    "rate of a group costs nothing": Fault(
        ("reserve",), "          bucket.tokens = bucket.tokens - 1\n", "", law="rate|model"
    ),
    "a token comes back long after": Fault(
        ("settle", "reserve"),
        "credit = credit + math.max(1 - passed * bucket.per_s / 1000, 0)",
        "credit = credit + 1",
        law="rate|model",
    ),
    "concurrency of the queue counts the leases of one call only": Fault(
        ("reserve",),
        "most and most - redis.call('ZCARD', q.active)",
        "most",
        law="concurrency",
    ),
    "a freed slot wakes nobody": Fault(("settle",), "wakes_by_slots(q, ended)", "0", law="wake"),
    "a group waits for its token for ever": Fault(
        ("reserve",),
        "redis.call('ZADD', q.groups_held, next_token_ms(bucket, now), gid)",
        "",
        law="groups_held|model",
    ),
    "wake token not passed on": Fault(
        ("reserve",), "elseif redis.call('EXISTS', q.wake) == 0 then", "elseif false then", "wake"
    ),
}


def find(fault: Fault, server: Server, how: settings = SEARCH) -> list[str]:
    """The steps that led to it. Fails when no example does."""
    server.ensure_running()
    with contextlib.closing(SyncTransport(from_url(server.url))) as transport:
        machine = queue_machine(FaultyTransport(transport, fault), owner_of(transport))
        with pytest.raises(LawBroken, match=f"^({fault.law}): "):
            run_state_machine_as_test(machine, settings=how)
        return machine.last_steps


@pytest.mark.parametrize("name", NAMED)
def test_named_fault_is_found(redis_server: Server, name: str) -> None:
    assert find(NAMED[name], redis_server)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", FURTHER)
def test_further_fault_is_found(redis_server: Server, name: str) -> None:
    assert find(FURTHER[name], redis_server)
