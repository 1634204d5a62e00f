"""The chart of the README: bars of all peers, ours in colour; SVG and PNG.

The background is transparent and the text of a grey that reads on white and on black, so that one
file serves light and dark pages.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from benchmarks.peers.known import OURS, Peer
from benchmarks.peers.metrics import METRICS
from benchmarks.peers.results import Results

PANELS = (
    *("drain", "publish_one", "publish_bulk"),
    *("idle_latency_p99", "server_cpu_us", "drain_far"),
)
COLUMNS, HEIGHT = 3, 3.6
INK, OTHERS, MINE = "#7d8590", "#9aa4af", "#2f81f7"
PIXELS_PER_INCH = 160


class NoMatplotlib(Exception):
    """The extra `bench` is not installed."""


def draw(results: Results, folder: Path) -> list[Path]:
    """Writes peers.svg and peers.png into a folder. Raises NoMatplotlib."""
    try:
        matplotlib: Any = importlib.import_module("matplotlib")
        matplotlib.use("agg")
        pyplot: Any = importlib.import_module("matplotlib.pyplot")
    except ImportError as error:
        raise NoMatplotlib(
            "the chart needs matplotlib: pip install 'omniq-typed[bench]'"
        ) from error
    # The same results make the same files.
    settings = {"svg.hashsalt": "omniq_typed", "font.size": 9, "font.family": "sans-serif"}
    with matplotlib.rc_context(settings):
        rows = -(-len(PANELS) // COLUMNS)
        figure, axes = pyplot.subplots(rows, COLUMNS, figsize=(12, HEIGHT * rows))
        for axis, metric in zip(axes.flat, PANELS, strict=True):
            _panel(axis, results, metric)
        figure.tight_layout(w_pad=2.0, h_pad=2.0)
        paths = [folder / "peers.svg", folder / "peers.png"]
        folder.mkdir(parents=True, exist_ok=True)
        for path in paths:
            metadata = {"Date": None} if path.suffix == ".svg" else {}
            figure.savefig(path, transparent=True, dpi=PIXELS_PER_INCH, metadata=metadata)
        pyplot.close(figure)
    return paths


def _panel(axis: Any, results: Results, metric: str) -> None:
    """Bars of the peers that have this metric, the best at the top, with whiskers of quartiles."""
    known = METRICS[metric]
    better = "less" if known.lower_is_better else "more"
    axis.set_title(f"{known.label}\n{known.unit}, {better} is better", color=INK, loc="left")
    bars = _bars(results, metric)
    for place, (peer, _) in enumerate(bars):
        spread = results.of(peer.key, metric)
        assert spread is not None
        value, low, high = (each / known.scale for each in (spread.median, spread.low, spread.high))
        axis.barh(place, value, height=0.66, color=MINE if peer is OURS else OTHERS)
        axis.hlines(place, low, high, color=INK, linewidth=1)
        axis.annotate(
            known.show(spread.median),
            (max(value, high), place),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            color=MINE if peer is OURS else INK,
            fontweight="bold" if peer is OURS else "normal",
        )
    axis.set_yticks(range(len(bars)), [peer.name for peer, _ in bars], color=INK)
    for label, (peer, _) in zip(axis.get_yticklabels(), bars, strict=True):
        if peer is OURS:
            label.set(color=MINE, fontweight="bold")
    # Bars are as thick in a panel with few.
    axis.set_ylim(max(len(results.peers()), 1) - 0.4, -0.6)
    axis.margins(x=0.18)
    axis.set_xticks([])
    axis.tick_params(length=0)
    for side in axis.spines.values():
        side.set_visible(False)


def _bars(results: Results, metric: str) -> list[tuple[Peer, float]]:
    bars = [
        (peer, value)
        for peer in results.peers()
        if (value := results.median(peer.key, metric)) is not None
    ]
    return sorted(bars, key=lambda bar: bar[1], reverse=not METRICS[metric].lower_is_better)
