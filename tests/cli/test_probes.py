"""The health endpoint by itself: what it answers, and that no client can hold it up."""

from __future__ import annotations

import json
import math
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest

from omniq_typed.cli.processes.probes import MOST_AT_ONCE, Probes, State

TIMEOUT_S = 60.0
FINE = State(True, True, {"live": True, "since_answered_s": math.inf, "lanes": [{"a": 1.23456}]})


class Seat:
    """A worker to ask: what it says can be changed."""

    def __init__(self) -> None:
        self.state = FINE
        self.probes = Probes("127.0.0.1", 0, lambda: self.state)

    def status(self, path: str) -> int:
        try:
            with urllib.request.urlopen(self.probes.url + path, timeout=TIMEOUT_S) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code


@pytest.fixture
def seat() -> Iterator[Seat]:
    found = Seat()
    with closing(found.probes):
        yield found


@pytest.mark.parametrize(
    ("live", "ready", "livez", "readyz"),
    [(True, True, 200, 200), (True, False, 200, 503), (False, False, 503, 503)],
)
def test_each_path_answers_one_question(
    seat: Seat, live: bool, ready: bool, livez: int, readyz: int
) -> None:
    seat.state = State(live, ready, {})
    assert (seat.status("/livez"), seat.status("/readyz?verbose")) == (livez, readyz)


def test_the_body_is_json_in_every_language(seat: Seat) -> None:
    with urllib.request.urlopen(f"{seat.probes.url}/livez", timeout=TIMEOUT_S) as answer:
        assert answer.headers["Content-Type"] == "application/json"
        assert json.loads(answer.read()) == {
            "live": True,
            "since_answered_s": None,  # JSON has no infinity
            "lanes": [{"a": 1.235}],
        }


@pytest.mark.slow
def test_clients_that_ask_nothing_do_not_hold_up_others_for_long(seat: Seat) -> None:
    host, port = seat.probes.url.removeprefix("http://").split(":")
    idle = [socket.create_connection((host, int(port))) for _ in range(MOST_AT_ONCE - 1)]
    try:
        assert seat.status("/livez") == 200
        more = [socket.create_connection((host, int(port))) for _ in range(8)]
        idle += more
        for each in more:  # one took the last place, the others are sent away
            each.settimeout(TIMEOUT_S)
        gone = 0
        for each in more[1:]:
            with suppress(ConnectionError):
                gone += each.recv(1) == b""
        assert gone == len(more) - 1
        # Those that hold a place lose it after a while.
        assert more[0].recv(1) == b""
        assert seat.status("/livez") == 200
    finally:
        for each in idle:
            each.close()


def test_a_fault_of_ours_is_no_answer() -> None:
    def fail() -> State:
        raise RuntimeError("no health")

    probes = Probes("127.0.0.1", 0, fail)
    with closing(probes), pytest.raises((urllib.error.URLError, ConnectionError)):
        urllib.request.urlopen(f"{probes.url}/livez", timeout=TIMEOUT_S)


def test_an_address_of_ipv6() -> None:
    try:
        probes = Probes("::1", 0, lambda: FINE)
    except OSError:
        pytest.skip("no IPv6 here")
    with closing(probes), urllib.request.urlopen(f"{probes.url}/readyz", timeout=TIMEOUT_S) as got:
        assert probes.url.startswith("http://[::1]:") and got.status == 200
