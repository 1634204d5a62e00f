"""The results as Markdown, written between markers of a page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.measuring import brief, markdown
from benchmarks.peers.known import BY_KEY, OURS, Peer
from benchmarks.peers.metrics import METRICS
from benchmarks.peers.results import Results
from benchmarks.peers.targets import verdicts

BEGIN, END = "<!-- {name}: written by `python -m {program}` -->", "<!-- end of {name} -->"
PROGRAMS = {"benchmarks": "benchmarks.peers", "profile": "benchmarks.profile_job"}

TABLES = {
    "Publishing and draining, jobs a second": (
        *("publish_one", "publish_in_flight", "publish_bulk"),
        *("drain", "drain_two", "drain_far", "drain_async", "drain_waiting"),
    ),
    "Latency, ms": (
        *("idle_latency_p50", "idle_latency_p99"),
        *("half_load_rate", "half_load_p50", "half_load_p99"),
        *("lateness_p50", "lateness_p99"),
    ),
    "Cost": (
        *("server_cpu_us", "worker_cpu_us", "memory", "memory_embedded"),
        *("idle_rss", "idle_commands"),
    ),
}
README_METRICS = (
    *("drain", "publish_one", "publish_bulk"),
    *("idle_latency_p50", "idle_latency_p99", "server_cpu_us"),
)
UNACKNOWLEDGED = "¹ Takes jobs off the server before it runs them: lost if the worker dies."
REACHED = {True: "yes", False: "**no**", None: "–"}


def write_pages(results: Results, performance: Path, readme: Path) -> None:
    """Both tables, in the pages that have the markers."""
    replace_between(performance, "benchmarks", full(results))
    replace_between(readme, "benchmarks", small(results))


def replace_between(page: Path, name: str, text: str) -> bool:
    """Whether the page has the markers."""
    begin, end = BEGIN.format(name=name, program=PROGRAMS[name]), END.format(name=name)
    old = page.read_text("utf-8") if page.exists() else ""
    if begin not in old or end not in old:
        return False
    head, _, rest = old.partition(begin)
    tail = rest.partition(end)[2]
    page.write_text(f"{head}{begin}\n\n{text}\n\n{end}{tail}", encoding="utf-8")
    return True


def full(results: Results) -> str:
    """Targets, all tables and the growth of ours."""
    parts = [_conditions(results), "### Targets", targets(results)]
    for title, metrics in TABLES.items():
        parts += [f"### {title}", table(results, metrics)]
    if results.growth:
        parts += ["### Growth of ours", growth(results)]
    return "\n\n".join([*parts, _notes(results)])


def small(results: Results) -> str:
    """Medians of what matters most, the quickest first."""
    peers = sorted(results.peers(), key=lambda peer: -(results.median(peer.key, "drain") or 0))
    header = ["", *(f"{METRICS[name].label}, {METRICS[name].unit}" for name in README_METRICS)]
    rows = [
        [_name(peer), *(_cell(results, peer, name, spread=False) for name in README_METRICS)]
        for peer in peers
    ]
    return f"{markdown(header, rows)}\n\n{UNACKNOWLEDGED}"


def table(results: Results, metrics: Sequence[str]) -> str:
    """Median and quartiles of each peer."""
    header = ["", *(_heading(name) for name in metrics)]
    rows = [
        [_name(peer), *(_cell(results, peer, name) for name in metrics)] for peer in results.peers()
    ]
    return markdown(header, rows)


def targets(results: Results) -> str:
    header = ["", "target", "seen", "reached"]
    rows = [[v.what, v.wanted, v.seen, REACHED[v.reached]] for v in verdicts(results)]
    return markdown(header, rows)


def growth(results: Results) -> str:
    """One table for each thing that grows."""
    tables = []
    for what, points in results.growth.items():
        metrics = list(dict.fromkeys(name for point in points.values() for name in point))
        rows = [
            [f"{int(size):,}", *(brief(point[m]) if m in point else "–" for m in metrics)]
            for size, point in sorted(points.items(), key=lambda each: int(each[0]))
        ]
        tables.append(markdown([what, *(_heading(name) for name in metrics)], rows))
    return "\n\n".join(tables)


def _heading(metric: str) -> str:
    known = METRICS[metric]
    return known.label if known.unit in ("jobs/s", "ms") else f"{known.label}, {known.unit}"


def _name(peer: Peer) -> str:
    name = f"**{peer.name}**" if peer is OURS else peer.name
    return name if peer.acknowledges else f"{name} ¹"


def _cell(results: Results, peer: Peer, metric: str, *, spread: bool = True) -> str:
    found = results.of(peer.key, metric)
    if found is None:
        return "–"
    show = METRICS[metric].show
    if not spread or found.low == found.high:
        return show(found.median)
    return f"{show(found.median)} ({show(found.low)}–{show(found.high)})"


def _conditions(results: Results) -> str:
    facts = results.machine
    loads = [run["load"] for run in results.runs.values()]
    rounds = sorted({run["rounds"] for run in results.runs.values()})
    days = sorted({str(run["at"])[:10] for run in results.runs.values()})
    return (
        f"{facts.get('processor')}, {facts.get('cores')} cores, {facts.get('system')}; "
        f"Redis {facts.get('redis')}, Valkey {facts.get('valkey')}, Python {facts.get('python')}; "
        f"{' to '.join(days[:1] + days[1:][-1:])}; rounds: {', '.join(map(str, rounds))}; "
        f"load average when a scenario began: {min(loads, default=0):.1f} to "
        f"{max(loads, default=0):.1f}. Median and quartiles."
    )


def _notes(results: Results) -> str:
    versions = ", ".join(
        f"{BY_KEY[key].name} {version}" for key, version in results.versions.items()
    )
    notes = [
        f"Versions: {versions}.",
        UNACKNOWLEDGED,
        "– The peer has no such way, or did not do it in time.",
    ]
    notes += [f"{BY_KEY[key].name} was left out: {why}." for key, why in results.skipped.items()]
    for place, why in results.failed.items():
        key, _, scenario = place.partition("/")
        notes.append(f"{BY_KEY[key].name} failed in '{scenario}': {why}.")
    return "\n".join(f"- {note}" for note in notes)
