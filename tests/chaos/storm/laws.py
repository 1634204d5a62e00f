"""What must hold whatever happened. Each law answers what breaks it; nothing, if all is well."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.chaos.storm.jobs import QUEUES, SIDE_LIMIT, Spec, limit_of, number_of
from tests.chaos.storm.look import Picture
from tests.chaos.storm.runs import FOREVER, Excuses, Run


class Breach(NamedTuple):
    """`job_id`: the job whose history may tell why, if it is one job."""

    job_id: str
    what: str


@dataclass(frozen=True)
class Final:
    """A job as it lies on the server in the end."""

    state: str
    attempt: int
    reason: str


@dataclass(frozen=True)
class Evidence:
    """All that is known of a storm."""

    acked: set[int]
    finals: Mapping[int, Final | None]
    runs: Mapping[str, list[Run]]
    excuses: Excuses
    spec: Callable[[int], Spec]
    pictures: list[Picture]
    health: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """What each worker said of itself, whenever that changed."""
    alive: Collection[str] = ()
    """The workers that were there when the storm was over."""

    def held_to_its_end(self, run: Run) -> bool:
        """Whether the run's result was taken, so that it had its lease all the time."""
        final = self.finals.get(number_of(run.job_id))
        # A lease that ended before its job was begun does not count as an attempt.
        same = [each for each in self.runs[run.job_id] if each.attempt == run.attempt]
        return (
            run.how in ("ok", "rejected")
            and same == [run]
            and final is not None
            and final.attempt == run.attempt
            and final.reason != "lease_expired"
        )

    def surely_until(self, run: Run) -> float:
        """Until when the run surely had its lease."""
        end = min(run.end, self.excuses.killed_at(run.who))
        if self.held_to_its_end(run):
            return end
        trouble = self.excuses.between(run, end)
        return end if trouble is None else min(end, max(run.start, trouble.begun))


def nothing_lost(evidence: Evidence) -> list[Breach]:
    """Every acknowledged job is completed, or failed with a reason."""
    found = []
    for number in sorted(evidence.acked):
        job_id, final = f"j{number}", evidence.finals.get(number)
        if final is None:
            found.append(Breach(job_id, "was acknowledged, and is not there"))
        elif final.state not in ("completed", "failed"):
            found.append(Breach(job_id, f"is {final.state} in the end"))
        elif final.state == "failed" and not final.reason:
            found.append(Breach(job_id, "failed without a reason"))
    return found


def as_published(evidence: Evidence) -> list[Breach]:
    """A job ends as it was to end: completed only after a handler that returned, failed only if it
    always fails, was rejected, or its workers died."""
    found = []
    for number, final in evidence.finals.items():
        if final is None:
            continue
        job_id, spec = f"j{number}", evidence.spec(number)
        runs = evidence.runs.get(job_id, [])
        if final.state == "completed" and all(run.how != "ok" for run in runs):
            found.append(Breach(job_id, "is completed, and no handler returned"))
        if final.state == "completed" and not spec.may_complete:
            found.append(Breach(job_id, "is completed, and was to fail"))
        if final.state == "failed" and final.reason not in {*spec.reasons, "lease_expired"}:
            found.append(Breach(job_id, f"failed with {final.reason}, and was not to"))
        if len(runs) > 0 and max(run.attempt for run in runs) > spec.max_attempts:
            found.append(Breach(job_id, f"had more than {spec.max_attempts} attempts"))
    return found


def runs_once(evidence: Evidence) -> list[Breach]:
    """No job runs again unless it failed, or its worker died, stalled or lost its lease to an
    outage; and no attempt runs twice."""
    found = []
    for job_id, runs in evidence.runs.items():
        for before, after in itertools.pairwise(runs):
            again = before.how in ("raised", "hung") and after.attempt > before.attempt
            if not again and not _excused(evidence, before, after):
                found.append(Breach(job_id, "ran again though nothing had happened to its worker"))
            if before.attempt == after.attempt and before.token == after.token:
                found.append(Breach(job_id, f"attempt {after.attempt} ran twice on one lease"))
    return found


def _excused(evidence: Evidence, before: Run, after: Run) -> bool:
    """Whether the first run's lease may have been lost; or the second one's before it began, by a
    worker that stalled and did not know."""
    between = evidence.excuses.between
    return bool(between(before, after.start) or between(after, after.start))


def all_ended(evidence: Evidence) -> list[Breach]:
    """A handler that began comes to an end, unless its process was killed."""
    return [
        Breach(job_id, f"a handler never ended: {run}")
        for job_id, runs in evidence.runs.items()
        for run in runs
        if run.end == FOREVER and evidence.excuses.killed_at(run.who) == FOREVER
    ]


def group_limits_kept(evidence: Evidence) -> list[Breach]:
    """Never more jobs of a group at once than its limit, by what the handlers wrote."""
    by_group: dict[tuple[str, str], list[Run]] = defaultdict(list)
    for job_id, runs in evidence.runs.items():
        spec = evidence.spec(number_of(job_id))
        if spec.gid:
            by_group[spec.queue, spec.gid] += runs
    found = []
    for (_, gid), group_runs in by_group.items():
        found += _overlaps(evidence, f"group {gid}", limit_of(gid), group_runs)
    return found


def queue_limit_kept(evidence: Evidence) -> list[Breach]:
    """Never more jobs of the second queue at once than were allowed for it."""
    runs = [
        run
        for job_id, each in evidence.runs.items()
        if evidence.spec(number_of(job_id)).queue == QUEUES[1]
        for run in each
    ]
    return _overlaps(evidence, f"queue {QUEUES[1]}", SIDE_LIMIT, runs)


def _overlaps(evidence: Evidence, whose: str, limit: int, runs: Iterable[Run]) -> list[Breach]:
    events: list[tuple[float, int, Run]] = []
    for run in runs:
        until = evidence.surely_until(run)
        if until > run.start:
            events += [(run.start, 1, run), (until, 0, run)]
    events.sort(key=lambda event: event[:2])
    at_once: list[Run] = []
    found = []
    for _, begins, run in events:
        if begins:
            at_once.append(run)
        elif run in at_once:
            at_once.remove(run)
        if begins and len(at_once) > limit:
            names = ", ".join(each.job_id for each in at_once)
            found.append(Breach(run.job_id, f"{len(at_once)} of {whose} at once: {names}"))
    return found


def strict_order_kept(evidence: Evidence) -> list[Breach]:
    """In a strict group no job begins before the one published before it has begun for the last
    time; but for handlers of workers that did not know of their lost lease."""
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for number in sorted(evidence.acked):
        spec = evidence.spec(number)
        if spec.ordering == "strict":
            groups[spec.queue, spec.gid].append(number)
    found = []
    for (_, gid), numbers in groups.items():
        latest, latest_id = 0.0, ""
        for number in numbers:
            runs = evidence.runs.get(f"j{number}", [])
            early = [run for run in runs if run.start < latest]
            if early:
                what = f"ran before {latest_id} of the strict group {gid} was done: {early[0]}"
                found.append(Breach(f"j{number}", what))
            known = [run.start for run in runs if _knew(evidence, run)]
            if known and max(known) > latest:
                latest, latest_id = max(known), f"j{number}"
    return found


def _knew(evidence: Evidence, run: Run) -> bool:
    """Whether the run had its lease when it began."""
    if evidence.held_to_its_end(run):
        return True
    trouble = evidence.excuses.between(run, run.start)
    return trouble is None


def lanes_and_counters(evidence: Evidence) -> list[Breach]:
    """At every look an id lay in one lane, and every counter was the length of what it counts; no
    group and no queue had more leases than it may."""
    found = [Breach("", fault) for picture in evidence.pictures for fault in picture.faults()]
    for picture in evidence.pictures:
        active = Counter(evidence.spec(number_of(each)).gid for each in picture.lanes["active"])
        for gid, inflight in picture.inflight.items():
            if active[gid] != inflight:
                what = f"group {gid} counts {inflight} leases, there are {active[gid]}"
                found.append(Breach("", f"{picture.queue}: {what}"))
            if inflight > limit_of(gid):
                found.append(Breach("", f"{picture.queue}: group {gid} has {inflight} leases"))
        leases = active.total()
        if picture.queue == QUEUES[1] and leases > SIDE_LIMIT:
            found.append(Breach("", f"{picture.queue} has {leases} leases"))
    return found


def health_is_true(evidence: Evidence) -> list[Breach]:
    """No worker ever says that only a restart could mend it: none of these faults is of that kind;
    and after the storm each says that it takes jobs."""
    found = []
    for who, said in evidence.health.items():
        found += [Breach("", f"{who} said {each}") for each in said if "live=False" in each]
        if who in evidence.alive and "ready=True" not in said[-1]:
            found.append(Breach("", f"{who} said in the end {said[-1]}"))
    return found


LAWS: Mapping[str, Callable[[Evidence], list[Breach]]] = {
    "every acknowledged job is completed, or failed with a reason": nothing_lost,
    "a job ends as it was to end": as_published,
    "no job runs again without a reason": runs_once,
    "every handler ends": all_ended,
    "group limits are kept": group_limits_kept,
    "the limit of a queue is kept": queue_limit_kept,
    "strict groups keep their order": strict_order_kept,
    "one lane per job, counters are lengths": lanes_and_counters,
    "workers tell the truth about their health": health_is_true,
}
