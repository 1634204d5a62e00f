"""A storm's verdict for people: what is printed where a law is broken, and docs/chaos.md."""

from __future__ import annotations

import os
import statistics
import textwrap
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from tests.chaos.storm.laws import Breach
from tests.chaos.storm.storm import Verdict

SHOWN = 5
"""Breaches of a law whose story is told."""
AROUND_S = 3.0
SAME = 40
"""Lines one after the other that begin with so many same characters are told once."""


def complaint(verdict: Verdict) -> str:
    """The seed, what is broken, and what happened around."""
    seed, server = verdict.seed, verdict.server
    command = f"python -m tests.chaos.storm --seed {seed} --server {server.split()[0].lower()}"
    lines = [f"seed {seed}, {server}; {command}"]
    for law, breaches in verdict.breaches.items():
        if not breaches:
            continue
        lines.append(f"\nBROKEN: {law} ({len(breaches)})")
        for breach in breaches[:SHOWN]:
            lines.append(f"- {breach.job_id} {breach.what}")
            if breach.job_id:
                lines += [f"    {line}" for line in story(verdict, breach)]
    return "\n".join(lines)


def story(verdict: Verdict, breach: Breach) -> Iterator[str]:
    """The history of a job, in order: who did what with it, and what happened at these times."""
    number = int(breach.job_id.removeprefix("j"))
    yield f"{verdict.evidence.spec(number)}"
    yield f"in the end {verdict.evidence.finals.get(number)}"
    runs = verdict.evidence.runs.get(breach.job_id, [])
    entries = verdict.field.ledgers.entries
    events = [(run.start, str(run)) for run in runs]
    events += [(each.at, f"{each.who} {each.kind}") for each in entries if number in each.jobs]
    if not events:
        return
    since = min(at for at, _ in events) - AROUND_S
    until = max(at for at, _ in events) + AROUND_S
    # A job that waited long has a long story: the part around its last two runs tells it.
    since = max(since, (runs[-2].start if len(runs) > 1 else until) - 2 * AROUND_S)
    names = {run.who for run in runs}
    events += [
        (each.begun, f"{each.kind} {each.who}, {each.ended - each.begun:.3f} s")
        for each in verdict.field.history
    ]
    events += [
        (each.at, f"{each.who} {each.kind} {each.lane}: {each.text}")
        for each in entries
        if each.kind in ("log", "stall") and (breach.job_id in each.text or each.who in names)
    ]
    last = ""
    for at, what in sorted(events):
        if since <= at <= until and what[:SAME] != last:
            yield f"{at:.3f} {what}"
            last = what[:SAME]


def markdown(verdict: Verdict, command: str) -> str:
    """docs/chaos.md."""
    return "\n".join(
        [*_head(verdict, command), *_faults(verdict), *_laws(verdict), *_figures(verdict)]
    )


def _head(verdict: Verdict, command: str) -> list[str]:
    size = verdict.size
    told = (
        f"{len(verdict.evidence.acked):,} jobs on three queues of one {verdict.server}"
        f" (`appendfsync always`), leases of {size.lease_ms / 1000} s, {size.workers} worker"
        " processes (every second one asyncio, two with a clock that is an hour off, two behind a"
        " proxy) and four publishers. One queue has a limit; a third of all jobs are in groups with"
        " limits, an eighth in"
        " strictly ordered ones; some are delayed, fail first, always, or hang, or are rejected;"
        " some take longer than their lease, and some no time at all, which come in floods."
        f" Seed {verdict.seed}, {os.cpu_count()} processors, {verdict.lasted_s / 60:.1f} minutes."
    )
    written = "a report, written by the program in `tests/chaos/storm/`"
    return [
        "# Chaos",
        "",
        f"What `{command}` did and found: {written}.",
        "",
        textwrap.fill(told, 118),
        "",
    ]


def _faults(verdict: Verdict) -> list[str]:
    told = {
        "kill_worker": "`kill -9` of a worker",
        "kill_publisher": "`kill -9` of a publisher",
        "stop_worker": "SIGTERM to a worker, and another one",
        "kill_connections": "`CLIENT KILL TYPE normal`",
        "flush_scripts": "`SCRIPT FLUSH`",
        "cut_reply": "a connection cut in the middle of a reply",
        "stall_worker": "SIGSTOP of a worker for longer than its leases",
        "kill_server": "`kill -9` of the server, and restart¹",
        "stall_server": "SIGSTOP of the server for longer than the leases",
        "out_of_memory": f"the server out of memory for {verdict.size.refusal_s:.0f} s",
        "too_few_replicas": f"no writes for {verdict.size.refusal_s:.0f} s: too few replicas",
        "replica_role": f"no writes for {verdict.size.refusal_s:.0f} s: it became a replica",
    }
    rows = [f"| {told[kind]} | {count} |" for kind, count in verdict.size.faults.items()]
    torn = (
        "¹ Its file was mended first, as [operations.md](operations.md#after-a-crash-of-the-server)"
        f" says; a write had been torn {verdict.field.torn} times."
    )
    return ["| what happened | times |", "|---|---|", *rows, "", torn, ""]


def _laws(verdict: Verdict) -> list[str]:
    rows = [
        f"| {law} | {'holds' if not found else f'**broken {len(found)} times**'} |"
        for law, found in verdict.breaches.items()
    ]
    return [
        "Judged by what publishers and handlers wrote into files of their own, beside the server:",
        "",
        "| law | |",
        "|---|---|",
        *rows,
        "",
    ]


def _figures(verdict: Verdict) -> list[str]:
    evidence = verdict.evidence
    finals = [each for each in evidence.finals.values() if each is not None]
    runs = [run for each in evidence.runs.values() for run in each]
    reasons = Counter(each.reason for each in finals if each.state == "failed")
    told = ", ".join(f"{count} `{reason}`" for reason, count in sorted(reasons.items()))
    again = [before.how for each in evidence.runs.values() for before, _ in pairwise(each)]
    failed_first = sum(how in ("raised", "hung") for how in again)
    attempts = sum(each.attempt for each in finals)
    seen = len({(run.job_id, run.attempt) for run in runs})
    lines = [
        "| figure | |",
        "|---|---|",
        f"| completed | {sum(each.state == 'completed' for each in finals):,} |",
        f"| failed, by reason | {told or 'none'} |",
        f"| runs of handlers | {len(runs):,} |",
        f"| of these, again because the handler had failed | {failed_first:,} |",
        f"| of these, again after a kill, a stall or an outage | {len(again) - failed_first:,} |",
        f"| attempts that no handler saw | {attempts - seen} |",
        f"| looks at lanes and counters | {len(evidence.pictures)} |",
    ]
    return [*lines, *_recoveries(verdict)]


def _recoveries(verdict: Verdict) -> list[str]:
    lines = ["", "From the server's return until a worker began a job again, in seconds:", ""]
    lines += ["| outage | workers asked | median | last |", "|---|---|---|---|"]
    for kind in dict.fromkeys(each.kind for each in verdict.recoveries):
        times = [
            t for each in verdict.recoveries if each.kind == kind for t in each.after_s.values()
        ]
        if times:
            median = statistics.median(times)
            lines.append(f"| {kind} | {len(times)} | {median:.2f} | {max(times):.2f} |")
    return [*lines, ""]
