"""Alternating rounds of the scenarios: every peer once, then every peer again."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measuring import say
from benchmarks.peers import growth
from benchmarks.peers.environments import Program, Unavailable, program
from benchmarks.peers.known import OURS, Peer
from benchmarks.peers.metrics import METRICS
from benchmarks.peers.processes import PeerFailed
from benchmarks.peers.results import Results
from benchmarks.peers.scenarios import SCENARIOS
from benchmarks.peers.stand import Stand

GROWTH = "growth"
NAMES = (*SCENARIOS, GROWTH)
# What hardly varies needs no third round.
MOST_ROUNDS = {"embedded": 1, "waiting": 2, "far": 2, "two": 2, GROWTH: 1}


def programs_of(peers: Sequence[Peer], home: Path, results: Results) -> dict[str, Program]:
    """Those that can run here, installed; why others cannot is said and noted."""
    found: dict[str, Program] = {}
    for peer in peers:
        try:
            found[peer.key] = program(peer, home)
        except Unavailable as error:
            say(f"{peer.name} is left out: {error}")
            results.skip(peer, str(error))
    return found


def run(
    stand: Stand,
    names: Sequence[str],
    peers: Sequence[Peer],
    programs: dict[str, Program],
    results: Results,
    rounds: int,
    minutes: float,
) -> None:
    """All scenarios of `names`, so many rounds; what was measured is in `results` at any time.
    After `minutes` no further round of a scenario is begun, except its first."""
    present = [peer for peer in peers if peer.key in programs]
    ends_at = time.monotonic() + 60 * minutes
    for number in range(1, rounds + 1):
        for name in names:
            if number > MOST_ROUNDS.get(name, rounds):
                continue
            if number > 1 and time.monotonic() > ends_at:
                say(f"{minutes:g} minutes are over: round {number} is cut short")
                return
            if name == GROWTH:
                results.begin(GROWTH)
                _grow(stand, programs, results)
                continue
            results.begin(name)
            started = time.monotonic()
            for peer in present:
                _measure(stand, name, peer, programs[peer.key], results)
            say(f"round {number}, {name}: {time.monotonic() - started:.0f} s")


def _measure(stand: Stand, name: str, peer: Peer, program: Program, results: Results) -> None:
    try:
        values = SCENARIOS[name](stand, peer, program)
    except PeerFailed as error:
        say(f"{peer.name}: {error}")
        results.fail(peer, name, " ".join(str(error).split())[:200])
        return
    results.add(peer, program, name, values)
    shown = [f"{METRICS[each].label} {METRICS[each].show(value)}" for each, value in values.items()]
    say(f"  {peer.name}: {', '.join(shown) or 'has no such way'}")


def _grow(stand: Stand, programs: dict[str, Program], results: Results) -> None:
    program = programs.get(OURS.key)
    if program is None:
        return
    small = stand.seconds < 0.5
    try:
        sizes, counts = (growth.WAITING[:2], growth.GROUPS[:3]) if small else (None, None)
        results.growth = {
            "waiting jobs": growth.with_waiting(stand, program, sizes or growth.WAITING),
            "groups": growth.with_groups(stand, program, counts or growth.GROUPS),
        }
    except PeerFailed as error:
        say(f"growth: {error}")
        results.fail(OURS, GROWTH, str(error))
