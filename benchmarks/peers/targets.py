"""What ours is to reach, as ratios within one run, and whether it does."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks.measuring import brief
from benchmarks.peers.known import OURS, Peer
from benchmarks.peers.metrics import METRICS
from benchmarks.peers.results import Results

OMNIQ, NODE = "omniq", "bullmq-node"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Fields: what; wanted; seen; reached (None: not measured)."""

    what: str
    wanted: str
    seen: str
    reached: bool | None


def verdicts(results: Results) -> list[Verdict]:
    """In the order of the table."""
    judge = _Judge(results)
    python = [peer for peer in results.peers() if peer.language == "python"]
    asynchronous = [peer for peer in results.peers() if peer.takes_async and peer.key != NODE]
    return [
        judge.times("drain", 25, OMNIQ),
        judge.times_fastest("drain", 8, python, "the fastest Python peer"),
        judge.times("drain", 2, NODE),
        judge.times("publish_bulk", 3, NODE),
        judge.times_fastest("publish_one", 1.3, python, "the fastest Python peer"),
        judge.times_fastest("publish_in_flight", 3, python, "the fastest Python peer"),
        judge.times_fastest("drain_async", 4, asynchronous, "the fastest async Python peer"),
        judge.quickest("idle_latency_p50"),
        judge.quickest("idle_latency_p99"),
        judge.at_most("lateness_p99", 20_000),
        judge.at_most("server_cpu_us", 40),
        judge.share("server_cpu_us", 5, OMNIQ),
        judge.at_most("memory_side_fields", 900),
        judge.share("memory", 1, OMNIQ),
        judge.at_most("idle_commands", 5),
        judge.at_least("drain_far", 10_000),
    ]


class _Judge:
    def __init__(self, results: Results) -> None:
        self._results = results

    def times(self, metric: str, factor: float, key: str) -> Verdict:
        """≥ factor × that peer."""
        theirs = self._results.median(key, metric)
        name = _name(self._results.peers(), key)
        return self._ratio(metric, f"≥ {factor:g} × {name}", factor, theirs)

    def times_fastest(self, metric: str, factor: float, among: list[Peer], called: str) -> Verdict:
        """≥ factor × the fastest."""
        fastest = self._results.fastest(metric, among)
        wanted = f"≥ {factor:g} × {called}" + (f" ({fastest[0].name})" if fastest else "")
        return self._ratio(metric, wanted, factor, fastest and fastest[1])

    def quickest(self, metric: str) -> Verdict:
        """≤ every peer's."""
        best = self._results.smallest(metric, self._results.peers())
        mine = self._results.median(OURS.key, metric)
        if best is None or mine is None:
            return _unknown(metric, "≤ the fastest peer's")
        wanted = f"≤ the fastest peer's ({best[0].name}: {_shown(metric, best[1])})"
        return Verdict(METRICS[metric].label, wanted, _shown(metric, mine), mine <= best[1])

    def at_most(self, metric: str, limit: float) -> Verdict:
        mine = self._results.median(OURS.key, metric)
        wanted = f"≤ {_shown(metric, limit)}"
        if mine is None:
            return _unknown(metric, wanted)
        return Verdict(METRICS[metric].label, wanted, _shown(metric, mine), mine <= limit)

    def at_least(self, metric: str, limit: float) -> Verdict:
        mine = self._results.median(OURS.key, metric)
        wanted = f"≥ {_shown(metric, limit)}"
        if mine is None:
            return _unknown(metric, wanted)
        return Verdict(METRICS[metric].label, wanted, _shown(metric, mine), mine >= limit)

    def share(self, metric: str, parts: float, key: str) -> Verdict:
        """≤ 1/parts of that peer's."""
        theirs = self._results.median(key, metric)
        mine = self._results.median(OURS.key, metric)
        name = _name(self._results.peers(), key)
        wanted = f"≤ 1/{parts:g} of {name}'s" if parts != 1 else f"≤ {name}'s"
        if mine is None or theirs is None:
            return _unknown(metric, wanted)
        seen = f"{_shown(metric, mine)}, {mine / theirs:.2f} × {_shown(metric, theirs)}"
        return Verdict(METRICS[metric].label, wanted, seen, mine <= theirs / parts)

    def _ratio(self, metric: str, wanted: str, factor: float, theirs: float | None) -> Verdict:
        mine = self._results.median(OURS.key, metric)
        if mine is None or theirs is None:
            return _unknown(metric, wanted)
        ratio = mine / theirs
        seen = f"{brief(ratio)} × ({_shown(metric, mine)} to {brief(theirs)})"
        return Verdict(METRICS[metric].label, wanted, seen, ratio >= factor)


def _unknown(metric: str, wanted: str) -> Verdict:
    return Verdict(METRICS[metric].label, wanted, "not measured", None)


def _shown(metric: str, value: float) -> str:
    return f"{METRICS[metric].show(value)} {METRICS[metric].unit}"


def _name(peers: Iterable[Peer], key: str) -> str:
    return next((peer.name for peer in peers if peer.key == key), key)
