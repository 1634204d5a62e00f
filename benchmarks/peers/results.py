"""Raw results."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.peers.environments import Program
from benchmarks.peers.known import Peer


@dataclass
class Results:
    """Values of each round, by peer and metric."""

    values: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> Results:
        return cls()

    def add(self, peer: Peer, program: Program, values: dict[str, float]) -> None:
        self.versions[peer.key] = program.version
        mine = self.values.setdefault(peer.key, {})
        for metric, value in values.items():
            mine.setdefault(metric, []).append(value)

    def skip(self, peer: Peer, why: str) -> None:
        self.skipped[peer.key] = why

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")
