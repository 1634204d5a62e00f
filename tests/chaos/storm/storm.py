"""One storm from its beginning to the verdict."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import orjson
import redis

from omniq_typed import OmniqClient
from tests.chaos.storm.cutting_proxy import SERVER, cutting_proxy
from tests.chaos.storm.faults import ENDS_WITHIN_S, FAULTS, OUTAGES
from tests.chaos.storm.field import Done, Field, ask_to_end
from tests.chaos.storm.jobs import QUEUES, SIDE_LIMIT, Spec, all_groups, spec
from tests.chaos.storm.laws import LAWS, Breach, Evidence, Final
from tests.chaos.storm.ledger import Ledgers
from tests.chaos.storm.look import Picture, look
from tests.chaos.storm.plan import PUBLISHERS, Fault, Size, fault_plan
from tests.chaos.storm.publisher import write_quota
from tests.chaos.storm.runs import Excuses, health_of, runs_of
from tests.chaos.storm.waiting import wait_until
from tests.servers import Kind, Server

LOOK_EVERY_S = 1.0
AHEAD = 250
"""So many jobs are published ahead of those that have begun: there is always work."""
LATEST_RECOVERY_S = 40.0


@dataclass
class Recovery:
    """How long after an outage each worker took until it began a job, in seconds; inf: not at all
    within LATEST_RECOVERY_S."""

    kind: str
    back_at: float
    after_s: dict[str, float]

    def too_late(self, limit_s: float, stalls: Sequence[Done]) -> dict[str, float]:
        """The workers that took longer than they may, not counting the time for which the machine
        gave themselves or the server no processor."""
        found = {}
        for who, after in self.after_s.items():
            lost = sum(
                each.ended - max(each.begun, self.back_at)
                for each in stalls
                if each.who in (who, SERVER) and self.back_at < each.ended <= self.back_at + after
            )
            if after - lost > limit_s:
                found[who] = after
        return found


@dataclass
class Verdict:
    """What came of a storm."""

    seed: int
    size: Size
    server: str
    lasted_s: float
    evidence: Evidence
    field: Field
    recoveries: list[Recovery]
    breaches: dict[str, list[Breach]] = dataclasses.field(default_factory=dict)

    @property
    def holds(self) -> bool:
        return not any(self.breaches.values())


class Quota(threading.Thread):
    """Lets the publishers go on as the storm does: always a little ahead of the workers, and all
    jobs have been published when the last fault is over. Looks at the queues in passing."""

    def __init__(self, field: Field) -> None:
        super().__init__(name="quota", daemon=True)
        self._field = field
        self.progress = 0.0
        self.given = 0
        self.pictures: list[Picture] = []
        self._ends = threading.Event()
        self._ledgers = Ledgers(field.folder, keep=False)

    def run(self) -> None:
        next_look = 0.0
        while not self._ends.wait(0.1):
            self._ledgers.refresh()
            wanted = int(self._field.size.jobs * self.progress)
            self._give(max(self.given, wanted, self._runs_begun() + AHEAD))
            if time.monotonic() > next_look:
                self._look()
                next_look = time.monotonic() + LOOK_EVERY_S

    def _runs_begun(self) -> int:
        """Runs of the jobs that the quota is for; floods go by their own clock."""
        return sum(self._ledgers.started[queue] for queue in QUEUES[:2])

    def finish(self) -> int:
        """No more; answers how many there are."""
        self._ends.set()
        self.join()
        self.given = max(self.given, self._field.size.jobs)
        write_quota(self._field.folder, self.given, final=True)
        return self.given

    def _give(self, number: int) -> None:
        if number != self.given:
            self.given = number
            write_quota(self._field.folder, number)

    def _look(self) -> None:
        with contextlib.suppress(redis.RedisError):
            for picture in pictures(self._field, whole=False):
                # Only those that show something are kept.
                if picture.faults() or picture.lanes["active"]:
                    self.pictures.append(picture)


def pictures(field: Field, *, whole: bool) -> list[Picture]:
    """Of both queues. Raises redis.RedisError."""
    with contextlib.closing(field.server.client(socket_timeout=5.0)) as client:
        return [look(client, each, all_groups(PUBLISHERS), whole=whole) for each in QUEUES]


@contextlib.contextmanager
def stage(seed: int, size: Size, folder: Path, kind: Kind) -> Iterator[Field]:
    """A server, a proxy and the processes."""
    write_quota(folder, 0)
    with (
        Server(kind, appendonly="yes", appendfsync="always") as server,
        cutting_proxy(server.port, folder, size.lease_ms / 3000) as proxy,
    ):
        with OmniqClient(url=server.url) as client:
            client.set_concurrency_limit(queue=QUEUES[1], limit=SIDE_LIMIT)
        field = Field(seed, size, folder, server, proxy, Ledgers(folder))
        try:
            field.start()
            yield field
        finally:
            field.close()


def run_storm(
    seed: int, size: Size, folder: Path, kind: Kind = "redis", say: bool = False
) -> Verdict:
    """Everything; the laws are judged in `breaches`."""
    with stage(seed, size, folder, kind) as field:
        begun = time.monotonic()
        quota = Quota(field)
        quota.start()
        recoveries = _rage(field, quota, fault_plan(seed, size.faults), say)
        _roll_call(field)
        calm_at, alive = time.monotonic(), {each.who for each in field.workers}
        total = quota.finish()
        _work_off(field)
        quota.pictures += pictures(field, whole=True)
        field.ledgers.refresh()
        intended = field.ledgers.intended
        finals = _finals(field, sorted(intended))
        _end_workers(field)
        lasted_s = time.monotonic() - begun
        field.ledgers.refresh()
        version = _version(field)
    entries = field.ledgers.entries
    evidence = Evidence(
        acked={number for each in entries if each.kind == "ack" for number in each.jobs},
        finals=finals,
        runs=runs_of(entries),
        excuses=Excuses.of(field.history, entries, size.lease_ms / 1000),
        spec=partial(_spec, seed, size.lease_ms),
        pictures=quota.pictures,
        health=health_of(entries, calm_at),
        alive=alive,
    )
    verdict = Verdict(seed, size, version, lasted_s, evidence, field, recoveries)
    _judge(verdict, {*intended, *range(total)})
    return verdict


def _spec(seed: int, lease_ms: int, number: int) -> Spec:
    return spec(seed, number, PUBLISHERS, lease_ms)


def _rage(field: Field, quota: Quota, plan: Sequence[Fault], say: bool) -> list[Recovery]:
    recoveries = []
    for n, fault in enumerate(plan):
        time.sleep(fault.pause_s)
        if say:
            print(f"{n + 1}/{len(plan)} {fault.kind}", flush=True)
        FAULTS[fault.kind](field, fault)
        if fault.kind in OUTAGES:
            recoveries.append(_recovery(field, fault.kind))
        field.watch_ends()
        quota.progress = (n + 1) / len(plan)
    return recoveries


def _recovery(field: Field, kind: str) -> Recovery:
    """Waits until every worker that was up has taken jobs since the server is back."""
    back_at = time.monotonic()
    field.ledgers.refresh()
    names = [each.who for each in field.workers if each.who in field.ledgers.ups]
    after_s: dict[str, float] = {}

    def all_began() -> bool:
        field.ledgers.refresh()
        for who in names:
            at = field.ledgers.took_jobs_at(who, back_at)
            if at is not None:
                after_s[who] = at - back_at
        return len(after_s) == len(names)

    with contextlib.suppress(TimeoutError):
        wait_until(all_began, f"all workers take jobs after {kind}", LATEST_RECOVERY_S)
    return Recovery(kind, back_at, {who: after_s.get(who, float("inf")) for who in names})


def _roll_call(field: Field) -> None:
    """In the calm after the storm every lane that ever began a job begins another one."""
    wait_until(lambda: all(map(field.is_up, field.workers)), "all workers are up", 60.0)
    since = time.monotonic()
    alive = {life.who for life in field.workers}

    def silent() -> list[str]:
        field.ledgers.refresh()
        lanes = field.ledgers.last_start.items()
        missing = [f"{who} {lane}" for (who, lane), at in lanes if who in alive and at <= since]
        never = [who for who in alive if not field.ledgers.batches[who]]
        return missing + never

    try:
        wait_until(lambda: not silent(), "all lanes take jobs", LATEST_RECOVERY_S)
    except TimeoutError:
        field.broken.append(f"take no jobs after the storm: {', '.join(silent())}")


def _work_off(field: Field) -> None:
    for life in field.publishers:
        life.process.wait(field.size.patience_s)
        if life.process.returncode:
            field.broken.append(f"{life.who} ended with {life.process.returncode}")
        life.killed = True

    def is_done() -> bool:
        return not sum(each.unfinished for each in pictures(field, whole=False))

    try:
        wait_until(is_done, "all jobs are done", field.size.patience_s)
    except TimeoutError as error:
        field.broken.append(str(error))


def _finals(field: Field, all_numbers: Sequence[int]) -> dict[int, Final | None]:
    found: dict[int, Final | None] = {}
    with contextlib.closing(field.server.client()) as client:
        for first in range(0, len(all_numbers), 500):
            numbers = all_numbers[first : first + 500]
            pipe = client.pipeline(transaction=False)
            for number in numbers:
                queue = spec(field.seed, number, PUBLISHERS, field.size.lease_ms).queue
                pipe.hmget(f"{{{queue}}}:job:j{number}", "state", "attempt", "failure")
            found |= zip(numbers, map(_final, pipe.execute()), strict=True)
    return found


def _final(row: list[bytes | None]) -> Final | None:
    state, attempt, failure = row
    if state is None:
        return None
    reason = orjson.loads(failure)["reason"] if failure and state == b"failed" else ""
    return Final(state.decode(), int(attempt or 0), reason)


def _end_workers(field: Field) -> None:
    for life in field.workers:
        ask_to_end(life)
    for life in field.workers:
        try:
            code = life.process.wait(ENDS_WITHIN_S)
        except Exception:
            field.broken.append(f"{life.who} does not end")
            continue
        if code != 0:
            field.broken.append(f"{life.who} ended with {code}:\n{field.said_by(life)}")


def _version(field: Field) -> str:
    with contextlib.closing(field.server.client()) as client:
        info = client.info("server")
    name = "Valkey" if "valkey_version" in info else "Redis"
    return f"{name} {info.get('valkey_version', info['redis_version'])}"


def _judge(verdict: Verdict, wanted: set[int]) -> None:
    breaches = verdict.breaches
    for name, law in LAWS.items():
        breaches[name] = law(verdict.evidence)
    unsent = sorted(wanted - verdict.evidence.acked)
    breaches["every job gets published"] = [
        Breach(f"j{each}", "never acknowledged") for each in unsent
    ]
    limit_s = verdict.size.recovery_s
    breaches[f"workers take jobs within {limit_s:.0f} s of the server's return"] = [
        Breach("", f"{who} took {after:.1f} s after {each.kind}")
        for each in verdict.recoveries
        for who, after in each.too_late(limit_s, verdict.evidence.excuses.stalls).items()
    ]
    breaches["processes run, and end when told to"] = [
        Breach("", each) for each in verdict.field.broken
    ]
