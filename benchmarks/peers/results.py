"""Raw results: every value of every round, with the machine and the versions, as JSON."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from benchmarks.measuring import Spread
from benchmarks.peers.environments import Program
from benchmarks.peers.known import OURS, PEERS, Peer


@dataclass
class Results:
    """Of one run, and of earlier ones where this one has measured nothing new.

    Fields: values (each round's, by peer and metric); versions (by peer); skipped (peers that could
    not be installed, and why); failed (what a peer could not do, by "peer/scenario"); runs (when
    each scenario was last run, for how many rounds, at which load of the machine); growth (by what
    grows, then by how far, then by metric); machine.
    """

    values: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    growth: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    machine: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._renewed: set[tuple[str, str]] = set()

    @classmethod
    def load(cls, path: Path) -> Self:
        """Those of a file, or none where there is no such file."""
        return cls(**json.loads(path.read_text("utf-8"))) if path.exists() else cls()

    def save(self, path: Path) -> None:
        """In one step: whoever interrupts it leaves the old ones."""
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_suffix(".new")
        new.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")
        new.replace(path)

    def begin(self, scenario: str) -> None:
        """A round of it."""
        run = self.runs.get(scenario)
        if run is None or ("", scenario) not in self._renewed:
            self._renewed.add(("", scenario))
            at = datetime.now(UTC).isoformat(timespec="seconds")
            run = self.runs[scenario] = {"at": at, "rounds": 0, "load": os.getloadavg()[0]}
        run["rounds"] += 1

    def add(self, peer: Peer, program: Program, scenario: str, values: dict[str, float]) -> None:
        """One round's values; the first of this run take the place of earlier runs'."""
        self.versions[peer.key] = program.version
        self.skipped.pop(peer.key, None)
        self.failed.pop(f"{peer.key}/{scenario}", None)
        mine = self.values.setdefault(peer.key, {})
        for metric, value in values.items():
            if (peer.key, metric) not in self._renewed:
                self._renewed.add((peer.key, metric))
                mine[metric] = []
            mine[metric].append(value)

    def fail(self, peer: Peer, scenario: str, why: str) -> None:
        self.failed[f"{peer.key}/{scenario}"] = why

    def skip(self, peer: Peer, why: str) -> None:
        self.skipped[peer.key] = why

    def of(self, key: str, metric: str) -> Spread | None:
        values = self.values.get(key, {}).get(metric)
        return Spread.of(values) if values else None

    def median(self, key: str, metric: str) -> float | None:
        spread = self.of(key, metric)
        return None if spread is None else spread.median

    def peers(self) -> list[Peer]:
        """Those with results."""
        return [peer for peer in PEERS if self.values.get(peer.key)]

    def fastest(self, metric: str, among: list[Peer]) -> tuple[Peer, float] | None:
        """The peer (never ours) with the highest median."""
        return max(self._medians(metric, among), key=lambda each: each[1], default=None)

    def smallest(self, metric: str, among: list[Peer]) -> tuple[Peer, float] | None:
        """The peer (never ours) with the lowest median."""
        return min(self._medians(metric, among), key=lambda each: each[1], default=None)

    def _medians(self, metric: str, among: list[Peer]) -> list[tuple[Peer, float]]:
        found = [(peer, self.median(peer.key, metric)) for peer in among if peer is not OURS]
        return [(peer, value) for peer, value in found if value is not None]


def machine(**servers: str) -> dict[str, Any]:
    """Facts of this machine, and the versions of its servers."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "system": f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}",
        "python": platform.python_version(),
        **servers,
    }


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    if path.exists():
        for line in path.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
