"""What really happened, written by those to whom it happened: each process appends to a file of
its own, and asks no server. Times are of the monotonic clock, which all processes share."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

SUFFIX = ".ledger"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line. `who`: the process, as `w3.7` (the seventh life of worker 3). `kind`:

    up        it is ready                     log      a warning of the library: `text`
    start     a handler begins                health   what bus.health() says, when it changes
    end       it ends: `text` is ok, raised, rejected, hung, lost, cancelled
    intend    a publisher is about to publish `jobs`; ack: they were acknowledged
    stall     the process got no time of the processor for `text` seconds before this
    """

    at: float
    who: str
    kind: str
    job_id: str = ""
    attempt: int = 0
    token: str = ""
    lane: str = ""
    text: str = ""
    jobs: Sequence[int] = ()


class Ledger:
    """The file of one process. Thread-safe; what `write` was called with survives a kill -9."""

    def __init__(self, folder: Path, who: str, *, durable: bool = False) -> None:
        """`durable`: on the disk when `write` returns."""
        self.who = who
        self._durable = durable
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self._file = os.open(folder / f"{who}{SUFFIX}", flags, 0o644)

    def write(
        self,
        kind: str,
        *,
        job_id: str = "",
        attempt: int = 0,
        token: str = "",
        lane: str = "",
        text: str = "",
        jobs: Sequence[int] = (),
    ) -> None:
        """One line, by one call of the system: it is there as a whole or not at all."""
        row = [time.monotonic(), kind, job_id, attempt, token, lane, text, jobs]
        os.write(self._file, orjson.dumps(row) + b"\n")
        if self._durable:
            os.fsync(self._file)


class StallWatch(threading.Thread):
    """Notes when this process did not get to run: such a one may lose its leases without fault."""

    STEP_S = 0.1

    def __init__(self, ledger: Ledger, longest_s: float) -> None:
        super().__init__(name="stall-watch", daemon=True)
        self._ledger = ledger
        self._longest_s = longest_s

    def run(self) -> None:
        before = time.monotonic()
        while True:
            time.sleep(self.STEP_S)
            now = time.monotonic()
            if now - before > self._longest_s:
                self._ledger.write("stall", text=f"{now - before:.3f}")
            before = now


class Ledgers:
    """All files of a folder, read on as they grow; of processes whose names begin with `whose`.
    Without `keep` it counts only."""

    def __init__(self, folder: Path, whose: str = "", *, keep: bool = True) -> None:
        self._keep = keep
        self._folder = folder
        self._pattern = f"{whose}*{SUFFIX}"
        self._read: dict[Path, int] = defaultdict(int)
        self.entries: list[Entry] = []
        self.last_start: dict[tuple[str, str], float] = {}
        """When a lane of a process last began a job, by (who, lane)."""
        self.batches: dict[str, dict[str, float]] = defaultdict(dict)
        """By process: when it began the first job of each batch that it had reserved."""
        self.ups: dict[str, float] = {}
        self.started: Counter[str] = Counter()
        """Runs, by queue."""
        self.intended: set[int] = set()
        """Numbers of the jobs that publishers were about to publish."""

    def refresh(self) -> None:
        """Takes in what was written since."""
        for path in sorted(self._folder.glob(self._pattern)):
            if path.stat().st_size == self._read[path]:
                continue
            with path.open("rb") as file:
                file.seek(self._read[path])
                data = file.read()
            whole = data[: data.rfind(b"\n") + 1]
            self._read[path] += len(whole)
            for line in whole.splitlines():
                self._add(Entry(*_row(path.name.removesuffix(SUFFIX), line)))

    def took_jobs_at(self, who: str, since: float) -> float | None:
        """When a process began a job that it has surely reserved after `since`: the first batch it
        begins after that may have lain there before, the second cannot."""
        begun = sorted(at for at in self.batches[who].values() if at > since)
        return begun[1] if len(begun) > 1 else None

    def _add(self, entry: Entry) -> None:
        if self._keep:
            self.entries.append(entry)
        if entry.kind == "start":
            self.started[entry.lane.partition("/")[0]] += 1
            self.last_start[entry.who, entry.lane] = entry.at
            # All leases of one reserve share the head of their token; docs/wire.md, section 5.
            self.batches[entry.who].setdefault(entry.token.rpartition("-")[0], entry.at)
        elif entry.kind == "intend":
            self.intended.update(entry.jobs)
        elif entry.kind == "up":
            self.ups[entry.who] = entry.at


def _row(who: str, line: bytes) -> tuple[float, str, str, str, int, str, str, str, list[int]]:
    at, kind, job_id, attempt, token, lane, text, jobs = orjson.loads(line)
    return at, who, kind, job_id, attempt, token, lane, text, jobs
