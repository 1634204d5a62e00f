"""What the benchmarks share: the server's own account of its time, spreads, tables.

Wall time on a busy machine says little, so the server is asked: how long its scripts ran (`INFO
commandstats`) and how much processor time it took in all (`INFO cpu`).
"""

from __future__ import annotations

import itertools
import json
import math
import statistics
import sys
from collections import defaultdict
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.servers import Kind, Server, ServerUnavailable, start_redis, start_valkey

SCRIPT_CALLS = ("cmdstat_evalsha", "cmdstat_eval", "cmdstat_fcall")


@dataclass(frozen=True, slots=True)
class Counters:
    """The server's totals at one moment."""

    script_us: int
    script_calls: int
    cpu_us: float
    reads: int
    bytes_in: int
    bytes_out: int


@dataclass(frozen=True, slots=True)
class Sample:
    """What one window cost, per operation.

    `script_us`: run time of scripts; `cpu_us`: processor time of the server, with reading and
    answering; `calls`: script calls; `reads`: requests read from sockets (round trips, for a
    client that does not pipeline).
    """

    script_us: float
    cpu_us: float
    calls: float
    reads: float
    bytes_in: float
    bytes_out: float


@dataclass(frozen=True, slots=True)
class Spread:
    """Median and quartiles."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        if len(values) < 2:
            return cls(values[0], values[0], values[0])
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(median, low, high)

    def __str__(self) -> str:
        return f"{brief(self.median)} ({brief(self.low)}–{brief(self.high)})"


@dataclass
class Meter:
    """Takes samples of one server, by name of the operation."""

    client: Any
    samples: dict[str, list[Sample]] = field(default_factory=lambda: defaultdict(list))
    _own: Counters | None = None

    @contextmanager
    def window(self, operation: str, ops: int) -> Generator[None]:
        """Measures the body, which performs the operation `ops` times."""
        own = self._own or self._measure_itself()
        before = self._read()
        yield
        self.samples[operation].append(_per_op(before, self._read(), own, ops))

    def forget(self) -> None:
        """Drops the samples so far: they were the warm-up."""
        self.samples.clear()

    def _measure_itself(self) -> Counters:
        """The cost of a window with nothing in it."""
        moments = [self._read() for _ in range(21)]
        steps = list(itertools.pairwise(moments))
        self._own = Counters(
            script_us=0,
            script_calls=0,
            cpu_us=statistics.median(b.cpu_us - a.cpu_us for a, b in steps),
            reads=1,
            bytes_in=statistics.median_low([b.bytes_in - a.bytes_in for a, b in steps]),
            bytes_out=statistics.median_low([b.bytes_out - a.bytes_out for a, b in steps]),
        )
        return self._own

    def _read(self) -> Counters:
        info = self.client.info("commandstats", "cpu", "stats")
        scripts = [info[name] for name in SCRIPT_CALLS if name in info]
        return Counters(
            script_us=sum(each["usec"] for each in scripts),
            script_calls=sum(each["calls"] for each in scripts),
            cpu_us=(info["used_cpu_user"] + info["used_cpu_sys"]) * 1e6,
            reads=info["total_reads_processed"],
            bytes_in=info["total_net_input_bytes"],
            bytes_out=info["total_net_output_bytes"],
        )


def _per_op(before: Counters, after: Counters, own: Counters, ops: int) -> Sample:
    return Sample(
        script_us=(after.script_us - before.script_us) / ops,
        cpu_us=max(after.cpu_us - before.cpu_us - own.cpu_us, 0.0) / ops,
        calls=(after.script_calls - before.script_calls) / ops,
        reads=(after.reads - before.reads - own.reads) / ops,
        bytes_in=(after.bytes_in - before.bytes_in - own.bytes_in) / ops,
        bytes_out=(after.bytes_out - before.bytes_out - own.bytes_out) / ops,
    )


def start_server(engine: Kind, **config: str | int) -> Server:
    """A server of its own for a benchmark; ends the program where there is no such server."""
    try:
        return start_redis(**config) if engine == "redis" else start_valkey(**config)
    except ServerUnavailable as error:
        sys.exit(str(error))


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest of the values that so many percent do not exceed."""
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]


def brief(value: float) -> str:
    """Three digits are more than a benchmark knows."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table, columns aligned."""
    table = [list(header), *map(list, rows)]
    widths = [max(len(row[i]) for row in table) for i in range(len(header))]
    lines = ["| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in table]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def say(text: str) -> None:
    """Progress, apart from the result."""
    print(text, file=sys.stderr, flush=True)


def write_json(path: Path | None, result: dict[str, Any]) -> None:
    """The result for programs, where one was asked for."""
    if path is not None:
        path.write_text(json.dumps(result, indent=2, default=asdict) + "\n", encoding="utf-8")
