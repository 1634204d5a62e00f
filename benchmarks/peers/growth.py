"""How ours grows: with waiting jobs, and with groups."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.measuring import say
from benchmarks.peers.environments import Program
from benchmarks.peers.known import OURS
from benchmarks.peers.processes import Publisher
from benchmarks.peers.stand import Stand

WAITING = (1_000, 10_000, 100_000, 1_000_000)
GROUPS = (1, 10, 100, 1_000, 10_000)
GROUPED_JOBS = 10_000
SAMPLE = 5_000
MOST_S = 60.0
"""A size that would take longer to publish is left out."""

Points = dict[str, dict[str, float]]


def with_waiting(stand: Stand, program: Program, sizes: tuple[int, ...] = WAITING) -> Points:
    """Bulk publishing onto so many waiting jobs, draining from among them, and their memory."""
    points: Points = {}
    per_s = OURS.published_per_s * 1.0
    for size in sizes:
        if size / per_s > MOST_S:
            say(f"{size:,} waiting jobs are left out: they would take over {MOST_S:.0f} s")
            break
        # What the worker before had leased when it was killed would come back in the middle of
        # this, and as any of those may have killed it, one by one.
        stand.fresh()
        before = stand.memory()
        with Publisher(program, stand.url) as publisher:
            publisher.do("bulk", size)
            stand.wait_until_alone()
            memory = (stand.memory() - before) / size
            per_s = SAMPLE / (publisher.do("bulk", SAMPLE) or 1.0)
        worker = stand.drain(program, SAMPLE)
        points[str(size)] = {"publish_bulk": per_s, "drain": worker.per_s, "memory": memory}
        say(f"{size:,} waiting: {points[str(size)]}")
    return points


def with_groups(stand: Stand, program: Program, counts: tuple[int, ...] = GROUPS) -> Points:
    """Draining jobs that are spread over so many groups, each of which runs one at a time."""
    points: Points = {}
    for count in counts:
        variables = {**program.environment, "BENCH_GROUPS": str(count)}
        grouped = replace(program, environment=variables)
        stand.fresh()
        with Publisher(grouped, stand.url) as publisher:
            per_s = GROUPED_JOBS / (publisher.do("bulk", GROUPED_JOBS) or 1.0)
        worker = stand.drain(program, GROUPED_JOBS)
        points[str(count)] = {"publish_bulk": per_s, "drain": worker.per_s}
        say(f"{count:,} groups: {points[str(count)]}")
    return points
