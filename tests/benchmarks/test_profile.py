"""Whose processor time a job is."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from benchmarks.peers.environments import ROOT
from benchmarks.profiling import (
    LAYERS,
    LIBRARY,
    MESSAGES,
    PYDANTIC,
    SOCKET,
    TRANSPORT,
    Place,
    attribute,
    layer_of,
)

ENCODE: Place = ("/x/omniq_typed/messages/codec.py", 1, "encode")
SEND: Place = ("/x/omniq_typed/transport/line.py", 1, "send")
WRITE: Place = ("~", 0, "<method 'to_json' of 'pydantic_core._pydantic_core.SchemaSerializer'>")
LEN: Place = ("~", 0, "<built-in method builtins.len>")
SENDALL: Place = ("~", 0, "<method 'sendall' of '_socket.socket' objects>")


@pytest.mark.parametrize(
    ("place", "layer"),
    [
        (ENCODE, MESSAGES),
        (SEND, TRANSPORT),
        (WRITE, PYDANTIC),
        (SENDALL, SOCKET),
        (LEN, None),
        (("/usr/lib/python3/uuid.py", 1, "uuid4"), LIBRARY),
        (("/x/site-packages/pydantic/main.py", 1, "__init__"), PYDANTIC),
    ],
)
def test_each_place_belongs_to_a_layer_or_to_its_caller(place: Place, layer: str | None) -> None:
    assert layer_of(place) == layer


def entry(calls: int, own: float, callers: dict[Place, tuple[int, int, float, float]]) -> Any:
    return calls, calls, own, own, callers


def test_built_in_functions_count_for_their_caller_and_the_overhead_is_taken_off() -> None:
    stats = {
        ENCODE: entry(1, 2.0, {}),
        WRITE: entry(10, 4.0, {ENCODE: (10, 10, 4.0, 4.0)}),
        LEN: entry(9, 1.0, {ENCODE: (9, 9, 1.0, 1.0)}),
    }
    plain = attribute(stats, real_s=7.0)
    assert (plain[MESSAGES], plain[PYDANTIC]) == pytest.approx((3.0, 4.0))
    # 2 s of overhead over 20 calls, a half to either side.
    freed = attribute(stats, real_s=5.0)
    assert freed[PYDANTIC] == pytest.approx(4.0 - 10 * 0.05)
    assert freed[MESSAGES] == pytest.approx(3.0 - 10 * 0.05 - 9 * 0.1)


@pytest.mark.slow
@pytest.mark.usefixtures("redis_server")
def test_the_profile_has_every_layer_and_its_floor() -> None:
    words = [sys.executable, "-m", "benchmarks.profile_job", "--jobs", "400"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = {line.split("|")[1].strip(): line.split("|")[2:-1] for line in done.stdout.splitlines()}
    assert set(LAYERS) <= set(rows)
    for row in (PYDANTIC, SOCKET, "**Python, in all**", "**server, in all**"):
        for cell in rows[row]:
            measured, _, floor = cell.strip(" )").partition(" (")
            assert float(measured) >= 0 and float(floor) >= 0
    published = [float(rows[name][0].split()[0]) for name in LAYERS]
    in_all = float(rows["**Python, in all**"][0].split()[0])
    assert 0.6 * in_all < sum(published) < 1.6 * in_all
