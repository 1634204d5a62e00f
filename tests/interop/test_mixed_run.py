"""Workers and publishers of both kinds on one queue at once, with groups, retries, delays, and a
killed worker of each kind. At the end nothing is lost, doubled or stuck.
"""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from omniq_typed import Bus, message
from omniq_typed.messages.registry import Registry
from tests.interop.peer import HERE, Side, Sides, start
from tests.interop.shared_laws import check, now_ms
from tests.interop.worker import LOG, QUEUE
from tests.servers import Server, wait_until

pytestmark = pytest.mark.interop

JOBS_PER_PUBLISHER = 280
TIMEOUT_MS, BACKOFF_MS = 2000, 200
GIDS = [f"g{n}" for n in range(8)]
NEVER = 99
DRAIN_TIMEOUT_S = 60.0

registry = Registry()


@message("interop.task", version=1, queue=QUEUE, registry=registry)
@dataclass
class Task:
    n: int
    fail_first: int


@dataclass(frozen=True)
class Plan:
    """One job. `fail_first`: so many attempts fail."""

    job_id: str
    n: int

    @property
    def gid(self) -> str:
        return GIDS[self.n // 3 % 8] if self.n % 5 < 3 else ""

    @property
    def group_limit(self) -> int:
        return limit_of(self.gid) if self.gid else 0

    @property
    def fail_first(self) -> int:
        return {3: 1, 6: 2, 9: NEVER}.get(self.n % 10, 0)

    @property
    def max_attempts(self) -> int:
        return 2 if self.fail_first == NEVER else 6

    @property
    def due_ms(self) -> int:
        return now_ms() + 200 + self.n * 37 % 800 if self.n % 7 == 0 else 0

    @property
    def options(self) -> dict[str, Any]:
        return {
            "job_id": self.job_id,
            "max_attempts": self.max_attempts,
            "timeout_ms": TIMEOUT_MS,
            "backoff_ms": BACKOFF_MS,
            "due_ms": self.due_ms,
            "gid": self.gid or None,
            "group_limit": self.group_limit,
        }


def limit_of(gid: str) -> int:
    return 1 + GIDS.index(gid) % 2


class Workers:
    """The running workers, by name. What they say on stderr is in `directory`."""

    def __init__(self, server: Server, omniq_python: str, directory: Path) -> None:
        self._server = server
        self._omniq_python = omniq_python
        self._directory = directory
        self._running: dict[str, subprocess.Popen[str]] = {}

    def start(self, kind: str, name: str) -> None:
        python = self._omniq_python if kind == "omniq" else sys.executable
        port = str(self._server.port)
        with open(self._directory / f"{name}.err", "wb") as err:
            process = start(python, HERE / "worker.py", kind, port, name, stderr=err)
        self._running[name] = process

    def kill(self, name: str) -> None:
        """SIGKILL, and wait for its end."""
        process = self._running.pop(name)
        process.kill()
        assert process.wait(60) == -signal.SIGKILL
        self._close(process)

    def stop(self) -> None:
        """SIGTERM; each ends by itself and well."""
        for process in self._running.values():
            process.terminate()
        codes = {name: process.wait(60) for name, process in self._running.items()}
        assert set(codes.values()) == {0}, (codes, self.said())

    def said(self) -> str:
        files = sorted(self._directory.glob("*.err"))
        return "\n".join(f"{file.stem}: {file.read_text()[-1500:]}" for file in files)

    def close(self) -> None:
        for process in self._running.values():
            process.kill()
            process.wait()
            self._close(process)

    @staticmethod
    def _close(process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture
def workers(server: Server, omniq_python: str, tmp_path: Path) -> Iterator[Workers]:
    with contextlib.closing(Workers(server, omniq_python, tmp_path)) as started:
        yield started


def test_mixed_workers_lose_nothing(sides: Sides, workers: Workers, record_property: Any) -> None:
    began = time.monotonic()
    raw: Any = sides.server.client(decode_responses=True)
    plans = {name: plans_of(name) for name in ("omniq", "ours", "typed")}
    kinds = {"omniq-1": "omniq", "omniq-2": "omniq", "ours-1": "omniq_typed", "typed-1": "bus"}
    for name, kind in kinds.items():
        workers.start(kind, name)
    wait_until(lambda: raw.llen(LOG) == len(kinds), "all workers are up", 20)

    with ThreadPoolExecutor(max_workers=3) as pool:
        publishing = [
            pool.submit(publish_by, sides.omniq, plans["omniq"]),
            pool.submit(publish_by, sides.ours, plans["ours"]),
            pool.submit(publish_typed, sides.server, plans["typed"]),
        ]
        killed = [kill_in_a_job(raw, workers, name) for name in ("omniq-1", "ours-1")]
        for each in publishing:
            each.result(60)

    every = [plan for planned in plans.values() for plan in planned]
    try:
        wait_until(lambda: is_drained(sides.ours), "the queue is worked off", DRAIN_TIMEOUT_S)
    except TimeoutError as error:
        error.add_note(f"{sides.ours.look('stats', QUEUE)}\n{workers.said()}")
        raise
    workers.stop()

    log = [json.loads(entry) for entry in raw.lrange(LOG, 0, -1)]
    check_outcomes(every, log, killed)
    check_group_limits(log)
    check_shares(log, kinds)
    check_what_is_left(sides, raw, every)
    took_s = time.monotonic() - began
    delivered = sum(entry["event"] == "start" for entry in log)
    figures = f"{len(every)} jobs, {delivered} deliveries, {len(killed)} kills, {took_s:.1f} s"
    record_property("figures", figures)
    print(f"{sides.server.kind}: {figures}; {dict(done_by(log))}")
    raw.close()


def plans_of(publisher: str) -> list[Plan]:
    return [Plan(f"{publisher}-{n}", n) for n in range(JOBS_PER_PUBLISHER)]


def publish_by(side: Side, plans: list[Plan]) -> None:
    for at in range(0, len(plans), 20):
        jobs = [
            {
                "queue": QUEUE,
                "payload": {"n": plan.n, "fail_first": plan.fail_first},
                **plan.options,
            }
            for plan in plans[at : at + 20]
        ]
        assert side.call_many("publish", jobs) == [plan.job_id for plan in plans[at : at + 20]]


def publish_typed(server: Server, plans: list[Plan]) -> None:
    with Bus(server.url, registry=registry) as bus:
        for plan in plans:
            task = Task(plan.n, plan.fail_first)
            assert bus.publish_json(task, **plan.options) == plan.job_id


def kill_in_a_job(raw: Any, workers: Workers, name: str) -> str:
    """Let a worker hang in a job, and kill it there. Answers the job's id."""
    wait_until(lambda: raw.llen(LOG) > 300, "work is under way", 30)
    raw.set(f"hang:{name}", "1")
    hanging = raw.blpop(f"hanging:{name}", timeout=9)
    assert hanging is not None, f"{name} got no fit job: {workers.said()}"
    job_id = str(hanging[1])
    assert raw.hget(f"{{{QUEUE}}}:job:{job_id}", "state") == "active"
    workers.kill(name)
    raw.rpush(LOG, json.dumps({"event": "killed", "worker": name, "job_id": job_id}))
    return job_id


def is_drained(side: Side) -> bool:
    stats = side.look("stats", QUEUE)
    return not (stats["waiting_total"] or stats["active"] or stats["delayed"])


def check_outcomes(plans: list[Plan], log: list[dict[str, Any]], killed: list[str]) -> None:
    """Each job succeeded once or failed for good as planned, after as many attempts as planned."""
    attempts: dict[tuple[str, str], list[int]] = defaultdict(list)
    for entry in log:
        if entry["event"] in ("start", "fail", "done"):
            attempts[entry["event"], entry["job_id"]].append(entry["attempt"])
    for plan in plans:
        by_plan = 2 if plan.fail_first == NEVER else plan.fail_first
        lost = 1 if plan.job_id in killed else 0
        succeeds = plan.fail_first != NEVER
        expected = {
            "start": list(range(1, by_plan + lost + succeeds + 1)),
            "fail": list(range(1, by_plan + 1)),
            "done": [by_plan + lost + 1] if succeeds else [],
        }
        found = {event: attempts[event, plan.job_id] for event in expected}
        assert found == expected, plan
    assert {job_id for _, job_id in attempts} == {plan.job_id for plan in plans}


def check_group_limits(log: list[dict[str, Any]]) -> None:
    """As the handlers saw it. A killed worker's job runs no more."""
    running: dict[str, set[str]] = {gid: set() for gid in GIDS}
    most: Counter[str] = Counter()
    for entry in log:
        if entry["event"] == "killed":
            for ids in running.values():
                ids.discard(entry["job_id"])
        elif gid := entry.get("gid"):
            if entry["event"] == "start":
                running[gid].add(entry["job_id"])
            else:
                running[gid].discard(entry["job_id"])
            most[gid] = max(most[gid], len(running[gid]))
    assert all(most[gid] <= limit_of(gid) for gid in GIDS), most
    assert all(most.values()), most


def done_by(log: list[dict[str, Any]]) -> Counter[str]:
    return Counter(entry["worker"] for entry in log if entry["event"] == "done")


def check_shares(log: list[dict[str, Any]], kinds: dict[str, str]) -> None:
    """Every worker worked, and on jobs of every publisher while it lived."""
    shares = {(e["worker"], e["job_id"].partition("-")[0]) for e in log if e["event"] == "done"}
    survivors = ("omniq-2", "typed-1")
    assert {(name, who) for name in survivors for who in ("omniq", "ours", "typed")} <= shares
    assert set(kinds) == {name for name, _ in shares}


def check_what_is_left(sides: Sides, raw: Any, plans: list[Plan]) -> None:
    """In Redis: the failed jobs and the last 100 completed ones, no slot taken, counters true."""
    found = check(sides, QUEUE, [plan.job_id for plan in plans], GIDS)
    failed = {plan.job_id for plan in plans if plan.fail_first == NEVER}
    assert sorted(found.failed) == sorted(failed)
    assert len(found.completed) == 100
    assert set(found.jobs) == failed | set(found.completed)
    assert not found.groups_ready
    for gid, group in found.groups.items():
        assert not group.inflight and not group.waiting, gid
        assert group.limit == limit_of(gid)
    assert raw.exists(f"{{{QUEUE}}}:paused") == 0
