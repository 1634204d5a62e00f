"""Ours beside its peers, on one server in alternating rounds: `make bench`.

Results are written into docs/benchmarks (JSON and charts) and, between markers, into
docs/performance.md and README.md; --quick writes nothing. Peers are installed into environments of
their own; one that cannot be is left out. Ctrl-C keeps what was measured.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from benchmarks.measuring import say, start_server
from benchmarks.peers import runs
from benchmarks.peers.chart import NoMatplotlib, draw
from benchmarks.peers.environments import ROOT
from benchmarks.peers.known import BY_KEY, PEERS
from benchmarks.peers.results import Results, machine
from benchmarks.peers.stand import Stand
from benchmarks.peers.tables import full, write_pages

DOCS = ROOT / "docs"
SECONDS, QUICK_SECONDS = 0.8, 0.25
# As the embedded server has it: jobs with payloads over 64 bytes keep the small form.
EMBEDDED = {"hash_max_listpack_value": 1024}


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--only",
        nargs="+",
        choices=runs.NAMES,
        metavar="SCENARIO",
        help=f"of {', '.join(runs.NAMES)}; results of the others stay as they are",
    )
    parser.add_argument(
        "--peers", nargs="+", choices=BY_KEY, metavar="PEER", help=f"of {', '.join(BY_KEY)}"
    )
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    parser.add_argument(
        "--minutes", type=float, default=18.0, metavar="N", help="then no further round begins"
    )
    parser.add_argument("--quick", action="store_true", help="one short round, printed only")
    parser.add_argument("--render", action="store_true", help="only write pages and charts anew")
    parser.add_argument(
        "--home", type=Path, default=ROOT / ".venv-peers-queues", help="environments of the peers"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="raw results: read and written")
    asked = parser.parse_args()
    if asked.rounds < 1:
        parser.error("--rounds: at least 1")
    if asked.render and asked.quick:
        parser.error("--render and --quick exclude each other")
    return asked


def measure(asked: argparse.Namespace, results: Results, raw: Path | None) -> bool:
    """Whether it was done to the end."""
    peers = [BY_KEY[key] for key in asked.peers] if asked.peers else list(PEERS)
    programs = runs.programs_of(peers, asked.home, results)
    rounds, seconds = (1, QUICK_SECONDS) if asked.quick else (asked.rounds, SECONDS)
    started = time.monotonic()
    with start_server("redis") as redis, start_server("valkey", **EMBEDDED) as valkey:
        results.machine = machine(
            redis=redis.client().info("server")["redis_version"],
            valkey=valkey.client().info("server")["valkey_version"],
        )
        stand = Stand(redis, seconds, embedded=valkey)
        try:
            names = asked.only or runs.NAMES
            runs.run(stand, names, peers, programs, results, rounds, asked.minutes)
        except KeyboardInterrupt:
            say("interrupted: what was measured is kept")
            return False
        finally:
            if raw is not None:
                results.save(raw)
    say(f"took {time.monotonic() - started:.0f} s")
    return True


def main() -> int:
    """0: done; 1: the chart could not be drawn; 130: interrupted."""
    asked = options()
    raw = asked.json or (None if asked.quick else DOCS / "benchmarks" / "peers.json")
    if asked.render and (raw is None or not raw.exists()):
        say(f"no results: {raw}")
        return 1
    results = Results() if raw is None else Results.load(raw)
    done = asked.render or measure(asked, results, raw)
    print(full(results))
    if raw is not None and raw.parent == DOCS / "benchmarks":
        write_pages(results, DOCS / "performance.md", ROOT / "README.md")
        try:
            draw(results, raw.parent)
        except NoMatplotlib as error:
            say(str(error))
            return 1
    return 0 if done else 130


if __name__ == "__main__":
    sys.exit(main())
