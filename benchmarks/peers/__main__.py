"""Ours beside its peers: `python -m benchmarks.peers`; see `--help`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.measuring import say, start_server
from benchmarks.peers.environments import ROOT, Program, Unavailable, program
from benchmarks.peers.known import BY_KEY, PEERS, Peer
from benchmarks.peers.processes import PeerFailed
from benchmarks.peers.results import Results
from benchmarks.peers.scenarios import SCENARIOS
from benchmarks.peers.stand import Stand


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=SCENARIOS, metavar="SCENARIO")
    parser.add_argument("--peers", nargs="+", choices=BY_KEY, metavar="PEER")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one short round")
    parser.add_argument("--home", type=Path, default=ROOT / ".venv-peers-queues")
    parser.add_argument("--json", type=Path, default=ROOT / "docs/benchmarks/peers.json")
    return parser.parse_args()


def available(peers: list[Peer], home: Path, results: Results) -> dict[str, Program]:
    found: dict[str, Program] = {}
    for peer in peers:
        try:
            found[peer.key] = program(peer, home)
        except Unavailable as error:
            say(f"{peer.name} is left out: {error}")
            results.skip(peer, str(error))
    return found


def main() -> None:
    asked = options()
    results = Results.load(asked.json)
    peers = [BY_KEY[key] for key in asked.peers] if asked.peers else list(PEERS)
    programs = available(peers, asked.home, results)
    seconds = 0.3 if asked.quick else 0.8
    rounds = 1 if asked.quick else asked.rounds
    server = start_server("redis")
    stand = Stand(server, seconds)
    try:
        for number in range(rounds):
            for name in asked.only or SCENARIOS:
                for peer in peers:
                    if peer.key not in programs:
                        continue
                    try:
                        values = SCENARIOS[name](stand, peer, programs[peer.key])
                    except PeerFailed as error:
                        say(f"{peer.name}, {name}: {error}")
                        continue
                    shown = ", ".join(f"{k} {v:,.1f}" for k, v in values.items())
                    say(f"{number + 1} {name:8} {peer.name:20} {shown}")
                    results.add(peer, programs[peer.key], values)
    except KeyboardInterrupt:
        say("interrupted")
    finally:
        server.close()
    results.save(asked.json)


if __name__ == "__main__":
    sys.exit(main())
