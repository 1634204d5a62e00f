"""The judge of storms sees what breaks a law: made-up ledgers, each with one fault."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from tests.chaos.storm.cutting_proxy import SERVER
from tests.chaos.storm.field import Done
from tests.chaos.storm.jobs import Spec
from tests.chaos.storm.laws import LAWS, Evidence, Final
from tests.chaos.storm.ledger import Entry
from tests.chaos.storm.look import Picture
from tests.chaos.storm.runs import Excuses, runs_of

LEASE_S = 1.5
SPECS: Mapping[int, Spec] = {
    0: Spec(0, "storm", 10),
    1: Spec(1, "storm", 10, fail_times=1),
    2: Spec(2, "storm", 10, gid="g0", group_limit=1),
    3: Spec(3, "storm", 10, gid="g0", group_limit=1),
    4: Spec(4, "storm", 10, gid="strict-0-0", ordering="strict"),
    5: Spec(5, "storm", 10, gid="strict-0-0", ordering="strict"),
    6: Spec(6, "storm", 10, rejected=True),
    **{n: Spec(n, "storm.side", 10) for n in range(7, 14)},
}


def run(
    number: int, at: float, who: str = "w0.1", how: str = "ok", attempt: int = 1
) -> list[Entry]:
    """A handler that takes half a second; `how` "": that never ends."""
    facts = {"job_id": f"j{number}", "attempt": attempt, "token": f"t{number}-{attempt}-{who}"}
    start = Entry(at, who, "start", lane="storm/a", **facts)  # type: ignore[arg-type]
    end = Entry(at + 0.5, who, "end", text=how, **facts)  # type: ignore[arg-type]
    return [start, end] if how else [start]


GOOD: list[Entry] = [
    Entry(1.0, "p0.1", "ack", jobs=list(range(7))),
    *run(0, 10.0),
    *run(1, 20.0, how="raised"),
    *run(1, 21.0, who="w1.1", attempt=2),
    *run(2, 30.0),
    *run(3, 30.6, who="w1.1"),
    *run(4, 40.0),
    *run(5, 41.0, who="w1.1"),
    *run(6, 50.0, how="rejected"),
]
FINALS: Mapping[int, Final | None] = {
    0: Final("completed", 1, ""),
    1: Final("completed", 2, ""),
    2: Final("completed", 1, ""),
    3: Final("completed", 1, ""),
    4: Final("completed", 1, ""),
    5: Final("completed", 1, ""),
    6: Final("failed", 1, "rejected"),
}
LANES = {"wait": ["j0"], "delayed": [], "active": ["j2"], "failed": [], "completed": []}
PICTURE = Picture(
    "storm",
    {**LANES, "group_wait": ["j3"]},
    {"waiting": 1, "group_waiting": 1, "waiting_total": 2, "active": 1},
    groups_ready=0,
    completed=0,
    inflight={"g0": 1},
    indexes={"wait": {"j0", "j3"}, "active": {"j2"}},
)


def evidence(
    entries: list[Entry],
    finals: Mapping[int, Final | None] = FINALS,
    history: tuple[Done, ...] = (),
    picture: Picture = PICTURE,
) -> Evidence:
    return Evidence(
        acked={number for each in entries if each.kind == "ack" for number in each.jobs},
        finals=finals,
        runs=runs_of(entries),
        excuses=Excuses.of(history, entries, LEASE_S),
        spec=SPECS.__getitem__,
        pictures=[picture],
    )


def broken(found: Evidence) -> list[str]:
    return [name for name, law in LAWS.items() if law(found)]


def without(number: int) -> list[Entry]:
    return [each for each in GOOD if each.job_id != f"j{number}"]


def test_a_calm_day_breaks_no_law() -> None:
    assert broken(evidence(GOOD)) == []


CASES: dict[str, tuple[Callable[[], Evidence], str]] = {
    "a job is gone": (
        lambda: evidence(GOOD, {**FINALS, 0: None}),
        "every acknowledged job is completed, or failed with a reason",
    ),
    "a job still waits": (
        lambda: evidence(GOOD, {**FINALS, 0: Final("wait", 1, "")}),
        "every acknowledged job is completed, or failed with a reason",
    ),
    "a job failed and nobody says why": (
        lambda: evidence(GOOD, {**FINALS, 6: Final("failed", 1, "")}),
        "every acknowledged job is completed, or failed with a reason",
    ),
    "nobody did it": (lambda: evidence(without(0)), "a job ends as it was to end"),
    "a good job failed": (
        lambda: evidence(GOOD, {**FINALS, 0: Final("failed", 1, "handler_error")}),
        "a job ends as it was to end",
    ),
    "a rejected one is completed": (
        lambda: evidence(GOOD, {**FINALS, 6: Final("completed", 1, "")}),
        "a job ends as it was to end",
    ),
    "done, and done again": (
        lambda: evidence([*GOOD, *run(0, 12.0, "w1.1", attempt=2)]),
        "no job runs again without a reason",
    ),
    "done again, and the trouble was another worker's": (
        lambda: evidence(
            [*GOOD, *run(0, 12.0, "w1.1", attempt=2)],
            history=(Done("stall", "w2.1", 10.1, 11.9),),
        ),
        "no job runs again without a reason",
    ),
    "failed, and its attempt runs again": (
        lambda: evidence([*GOOD, *run(1, 20.7, "w2.1", attempt=1)]),
        "no job runs again without a reason",
    ),
    "a handler that never ends": (
        lambda: evidence([*without(0), *run(0, 10.0, how="")], {**FINALS, 0: None}),
        "every handler ends",
    ),
    "two of a group at once": (
        lambda: evidence([*without(3), *run(3, 30.3, "w1.1")]),
        "group limits are kept",
    ),
    "too many of a queue at once": (
        lambda: evidence(
            [*GOOD, *(each for n in range(7, 14) for each in run(n, 60.0, f"w{n}.1"))]
        ),
        "the limit of a queue is kept",
    ),
    "the second of a strict group before the first": (
        lambda: evidence([*without(5), *run(5, 39.0, "w1.1")]),
        "strict groups keep their order",
    ),
    "in two lanes": (
        lambda: evidence(
            GOOD, picture=replace(PICTURE, lanes={**PICTURE.lanes, "delayed": ["j0"]})
        ),
        "one lane per job, counters are lengths",
    ),
    "a counter is off": (
        lambda: evidence(GOOD, picture=replace(PICTURE, stats={**PICTURE.stats, "active": 2})),
        "one lane per job, counters are lengths",
    ),
    "a worker thinks that it is lost": (
        lambda: replace(evidence(GOOD), health={"w0.1": ["ready=True live=True", "live=False"]}),
        "workers tell the truth about their health",
    ),
    "a worker thinks that the server is still away": (
        lambda: replace(evidence(GOOD), health={"w0.1": ["ready=False"]}, alive={"w0.1"}),
        "workers tell the truth about their health",
    ),
    "a group counts a lease that is not there": (
        lambda: evidence(GOOD, picture=replace(PICTURE, inflight={"g0": 0})),
        "one lane per job, counters are lengths",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_breaks_a_law_is_seen(name: str) -> None:
    make, law = CASES[name]
    assert law in broken(make())


@pytest.mark.parametrize(
    "trouble",
    [
        Done("kill", "w0.1", 10.3, 10.4),
        Done("stall", "w0.1", 10.2, 11.9),
        Done("kill", SERVER, 10.2, 11.9),
    ],
    ids=str,
)
def test_a_job_may_run_again_after_its_worker_or_the_server_was_in_trouble(trouble: Done) -> None:
    entries = [*GOOD, *run(0, 12.0, "w1.1", attempt=2)]
    finals = {**FINALS, 0: Final("completed", 2, "")}
    assert broken(evidence(entries, finals, (trouble,))) == []


def test_a_stalled_worker_may_begin_a_job_that_another_one_has_done() -> None:
    entries = [*GOOD, *run(0, 13.0, "w1.1", how="lost", attempt=0)]
    stalled = Done("stall", "w1.1", 9.0, 12.9)
    assert broken(evidence(entries, history=(stalled,))) == []


def test_a_worker_that_lost_its_lease_does_not_count_for_its_group() -> None:
    entries = [*without(2), *run(2, 29.9, how="lost"), *run(2, 31.2, "w1.1", attempt=2)]
    finals = {**FINALS, 2: Final("completed", 2, "")}
    assert broken(evidence(entries, finals)) != []
    entries = [*without(2), *run(2, 29.0, how=""), *run(2, 31.2, "w1.1", attempt=2)]
    killed = Done("kill", "w0.1", 29.2, 29.3)
    assert broken(evidence(entries, finals, (killed,))) == []
