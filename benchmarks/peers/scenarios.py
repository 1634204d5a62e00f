"""What is measured: each scenario takes a stand, a peer and its program, and answers values by
metric. What a peer has no way to do is left out."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from benchmarks.measuring import percentile
from benchmarks.peers.environments import Program
from benchmarks.peers.known import OURS, Peer
from benchmarks.peers.processes import Kind, PeerFailed, Publisher, Worker, resident_bytes
from benchmarks.peers.proxy import delayed
from benchmarks.peers.stand import Stand, counted_commands

Values: TypeAlias = dict[str, float]
Scenario: TypeAlias = Callable[[Stand, Peer, Program], Values]

IN_FLIGHT = 100
WARM_UP = 5
MOST_LATENCIES = 300
LATENCY_PAUSE_S = 0.004
LATE_JOBS, LATE_FIRST_MS, LATE_EVERY_MS = 40, 300, 30
ONE_WAY_MS = 1.0
WAITING_AT_ONCE = 1000
ROUND_TRIP_JOBS = 15_000


def publishing(stand: Stand, peer: Peer, program: Program) -> Values:
    """Jobs published a second: one by one, in bulk, and with 100 in flight."""
    values: Values = {}
    with Publisher(program, stand.url) as publisher:
        for what, metric in WAYS_TO_PUBLISH.items():
            stand.fresh()
            more = {"at_once": IN_FLIGHT} if what == "in_flight" else {}
            if publisher.do(what, 20, **more) is None:
                continue
            count = stand.jobs(peer, metric, peer.published_per_s)
            seconds = publisher.do(what, count, **more)
            assert seconds is not None
            values[metric] = count / seconds
            stand.learn(peer, metric, values[metric])
    return values


WAYS_TO_PUBLISH = {"one": "publish_one", "bulk": "publish_bulk", "in_flight": "publish_in_flight"}


def draining(stand: Stand, peer: Peer, program: Program) -> Values:
    """Jobs a second of one worker with a full queue; the server's processor time of a job from
    publishing to completed, and its memory of a waiting one."""
    count = stand.jobs(peer, "drain", peer.jobs_per_s)
    started_us = stand.cpu_us()
    memory = stand.fill(peer, program, count)
    filled_us = stand.cpu_us()
    worker = stand.drain(program, count)
    drained_us = stand.cpu_us()
    values = {
        "drain": worker.per_s,
        "memory": memory,
        "worker_cpu_us": worker.cpu_us,
        "server_cpu_us": (filled_us - started_us) / count + (drained_us - filled_us) / worker.count,
    }
    stand.learn(peer, "drain", worker.per_s)
    if peer.is_async:
        values["drain_async"] = worker.per_s
    return values


def draining_async(stand: Stand, peer: Peer, program: Program) -> Values:
    """Async handlers that do nothing, where plain ones are another thing."""
    if peer.is_async or not peer.takes_async:
        return {}
    return {"drain_async": _drain(stand, peer, program, "drain_async", "async")}


def waiting_handlers(stand: Stand, peer: Peer, program: Program) -> Values:
    """Async handlers that wait 10 ms, 1,000 at once."""
    if not peer.takes_async:
        return {}
    return {"drain_waiting": _drain(stand, peer, program, "drain_waiting", "wait", WAITING_AT_ONCE)}


def far_away(stand: Stand, peer: Peer, program: Program) -> Values:
    """A worker 2 ms away from its server."""
    count = stand.jobs(peer, "drain_far", peer.jobs_per_s / 4, ROUND_TRIP_JOBS)
    stand.fill(peer, program, count)
    with delayed(stand.server.port, ONE_WAY_MS) as port:
        worker = stand.drain(program, count, url=f"redis://127.0.0.1:{port}/0")
    stand.learn(peer, "drain_far", worker.per_s)
    return {"drain_far": worker.per_s}


def two_workers(stand: Stand, peer: Peer, program: Program) -> Values:
    """Two worker processes on one queue, which begin together."""
    count = 2 * stand.jobs(peer, "drain", peer.jobs_per_s)
    stand.fill(peer, program, count)
    with (
        Worker(program, stand.url, "quick", waits=True) as first,
        Worker(program, stand.url, "quick", waits=True) as second,
    ):
        both = (first, second)
        for each in both:
            each.begin()
        first.handled(1, 20.0)
        deadline = time.monotonic() + 2.5 * stand.seconds + 1.0
        while sum(each.count for each in both) < count and time.monotonic() < deadline:
            time.sleep(0.02)
    if not all(each.count for each in both):
        raise PeerFailed("one of two workers did nothing")
    span_us = max(each.last_us for each in both) - min(each.first_us for each in both)
    return {"drain_two": sum(each.count for each in both) / span_us * 1e6}


def idling(stand: Stand, peer: Peer, program: Program) -> Values:
    """A worker with little to do: what it holds and asks, and how soon it handles what comes."""
    stand.fresh()
    with (
        Publisher(program, stand.url) as publisher,
        Worker(program, stand.url, "quick", delays=True) as worker,
    ):
        publisher.do("one", WARM_UP)
        if not worker.handled(WARM_UP, 20.0):
            raise PeerFailed("did not handle its first jobs within 20 s")
        time.sleep(0.5)
        values = _idle_commands(stand)
        values["idle_rss"] = resident_bytes(worker.pid)
        values |= _idle_latency(stand, publisher, worker)
        values |= _half_load(stand, peer, publisher, worker)
        values |= _lateness(publisher, worker)
    return values


def on_embedded(stand: Stand, peer: Peer, program: Program) -> Values:
    """The memory of a waiting job on the embedded server; of ours also with all side fields."""
    if stand.embedded is None:
        return {}
    there = Stand(stand.embedded, stand.seconds, rates=stand.rates)
    count = there.jobs(peer, "memory", peer.published_per_s, 10_000)
    values = {"memory_embedded": there.fill(peer, program, count)}
    if peer is OURS:
        variables = {**program.environment, "BENCH_SIDE_FIELDS": "1"}
        full = replace(program, environment=variables)
        values["memory_side_fields"] = there.fill(peer, full, count)
    return values


def _drain(
    stand: Stand, peer: Peer, program: Program, metric: str, kind: Kind, at_once: int = 0
) -> float:
    count = stand.jobs(peer, metric, peer.jobs_per_s / 2)
    stand.fill(peer, program, count)
    worker = stand.drain(program, count, kind, at_once)
    stand.learn(peer, metric, worker.per_s)
    return worker.per_s


def _idle_commands(stand: Stand) -> Values:
    window_s = 2.0 * stand.seconds
    with counted_commands(stand.server) as counted:
        before, started = counted(), time.monotonic()
        time.sleep(window_s)
        return {"idle_commands": (counted() - before) / (time.monotonic() - started)}


def _idle_latency(stand: Stand, publisher: Publisher, worker: Worker) -> Values:
    """One job at a time, each published a little after the last was handled."""
    worker.forget_delays()
    deadline = time.monotonic() + 1.5 * stand.seconds
    taken = worker.count
    while time.monotonic() < deadline and len(worker.delays_us) < MOST_LATENCIES:
        time.sleep(LATENCY_PAUSE_S)
        publisher.do("one", 1)
        taken += 1
        if not worker.handled(taken, 10.0):
            raise PeerFailed("did not handle a job within 10 s")
    return _percentiles("idle_latency", worker.delays_us)


def _half_load(stand: Stand, peer: Peer, publisher: Publisher, worker: Worker) -> Values:
    """Jobs that come at half the rate that the peer's publisher and worker can keep up with."""
    slower = min(
        stand.rate(peer, "drain", peer.jobs_per_s),
        stand.rate(peer, "publish_one", peer.published_per_s),
    )
    count = max(int(slower / 2 * stand.seconds), 50)
    worker.forget_delays()
    done = worker.count
    publisher.do("paced", count, rate=slower / 2)
    worker.handled(done + count, 5.0)
    return {"half_load_rate": slower / 2, **_percentiles("half_load", worker.delays_us)}


def _lateness(publisher: Publisher, worker: Worker) -> Values:
    """How late delayed jobs start."""
    worker.forget_delays()
    done = worker.count
    more = {"first_ms": LATE_FIRST_MS, "every_ms": LATE_EVERY_MS}
    if publisher.do("later", LATE_JOBS, **more) is None:
        return {}
    last_s = (LATE_FIRST_MS + LATE_JOBS * LATE_EVERY_MS) / 1e3
    if not worker.handled(done + LATE_JOBS, last_s + 6.0) and not worker.delays_us:
        return {}
    return _percentiles("lateness", worker.delays_us)


def _percentiles(metric: str, us: list[int]) -> Values:
    if not us:
        raise PeerFailed(f"no job was handled: {metric}")
    return {f"{metric}_p50": percentile(us, 50), f"{metric}_p99": percentile(us, 99)}


SCENARIOS: dict[str, Scenario] = {
    "publish": publishing,
    "drain": draining,
    "async": draining_async,
    "waiting": waiting_handlers,
    "far": far_away,
    "two": two_workers,
    "idle": idling,
    "embedded": on_embedded,
}
