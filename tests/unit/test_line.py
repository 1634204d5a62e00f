"""How a connection waits for a reply: awake where the last one was quick, asleep else."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from omniq_typed.errors import ConnectionLost
from omniq_typed.transport import line as module
from omniq_typed.transport.line import Line
from omniq_typed.transport.opening import Opening
from omniq_typed.transport.processors import processors

LONG_S = 30.0


class Connection:
    """Of redis-py, as far as a line knows it. `peer`: the server's end."""

    def __init__(self) -> None:
        self._sock, self.peer = socket.socketpair()

    def connect(self) -> None:
        pass

    def disconnect(self) -> None:
        self._sock.close()


class Sleep:
    """Counts how often a line goes to sleep."""

    def __init__(self, line: Line) -> None:
        self.count = 0
        self._poll = line._readable.poll
        patched: Any = line
        patched._readable = self

    def poll(self, timeout_ms: float) -> Any:
        self.count += 1
        return self._poll(timeout_ms)


@pytest.fixture
def connection() -> Iterator[Connection]:
    made = Connection()
    yield made
    made.peer.close()
    made.disconnect()


def line_of(connection: Connection, monkeypatch: pytest.MonkeyPatch, *, spare: bool = True) -> Line:
    monkeypatch.setattr(module, "has_processors_to_spare", lambda: spare)
    return Line(Opening(lambda: connection, {}, LONG_S))


def answer(connection: Connection, *parts: bytes, go: threading.Event | None = None) -> None:
    """Sends a reply, in parts; not before `go`."""

    def send() -> None:
        if go is not None:
            go.wait(LONG_S)
        for part in parts:
            connection.peer.sendall(part)

    threading.Thread(target=send).start()


def test_where_the_last_reply_was_quick_the_next_is_awaited_awake(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "NEAR_S", LONG_S)
    line = line_of(connection, monkeypatch)
    sleep = Sleep(line)
    for number in range(3):
        answer(connection, b":", b"%d\r" % number, b"\n")
        assert line.receive(LONG_S) == number
    slept_for_the_first = sleep.count
    answer(connection, b"$3\r\nab", b"c\r\n", b"+OK\r\n")
    assert (line.receive(LONG_S), line.receive(LONG_S)) == (b"abc", b"OK")
    assert 1 <= sleep.count == slept_for_the_first


def test_a_server_that_is_not_quick_is_awaited_asleep(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "NEAR_S", 0.0)
    line = line_of(connection, monkeypatch)
    sleep = Sleep(line)
    for number in range(3):
        before = sleep.count
        answer(connection, b":%d\r\n" % number)
        assert line.receive(LONG_S) == number
        assert sleep.count > before


def test_one_that_was_quick_and_is_not_any_more_costs_one_look(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "NEAR_S", LONG_S)
    line = line_of(connection, monkeypatch)
    answer(connection, b":1\r\n")
    line.receive(LONG_S)
    monkeypatch.setattr(module, "NEAR_S", 0.01)
    sleep, go = Sleep(line), threading.Event()
    asleep = line._asleep_for

    def at_last(patience_s: float) -> Any:
        go.set()
        return asleep(patience_s)

    monkeypatch.setattr(line, "_asleep_for", at_last)
    answer(connection, b":2\r\n", go=go)
    assert line.receive(LONG_S) == 2
    assert sleep.count
    monkeypatch.setattr(line, "_awake_for", None)  # would fail if it were called
    answer(connection, b":3\r\n")
    assert line.receive(LONG_S) == 3


def test_without_a_processor_to_spare_nobody_waits_awake(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "NEAR_S", LONG_S)
    line = line_of(connection, monkeypatch, spare=False)
    monkeypatch.setattr(line, "_awake_for", None)
    for number in range(2):
        answer(connection, b":%d\r\n" % number)
        assert line.receive(LONG_S) == number


@pytest.mark.parametrize("near_s", [0.0, 0.01, LONG_S])
def test_awake_or_asleep_an_end_is_told(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, near_s: float
) -> None:
    monkeypatch.setattr(module, "NEAR_S", near_s)
    line = line_of(connection, monkeypatch)
    answer(connection, b":1\r\n")
    line.receive(LONG_S)
    connection.peer.close()
    with pytest.raises(ConnectionLost):
        line.receive(LONG_S)


def test_awake_or_asleep_silence_is_told(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "NEAR_S", 0.01)
    line = line_of(connection, monkeypatch)
    for near in (False, True):
        monkeypatch.setattr(line, "_is_near", near)
        with pytest.raises(ConnectionLost, match=r"nothing from it within 0.02 s"):
            line.receive(0.02)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("max 100000\n", None),
        ("50000 100000\n", 0.5),
        ("9900000 100000\n", None),
        ("nonsense", None),
        ("1 0", None),
        (None, None),
    ],
)
def test_a_container_has_the_processors_that_its_limit_leaves(
    tmp_path: Path, text: str | None, expected: float | None
) -> None:
    """None: those of the machine."""
    limit = tmp_path / "cpu.max"
    of_machine = processors(limit)
    assert of_machine >= 1
    if text is not None:
        limit.write_text(text)
    assert processors(limit) == (of_machine if expected is None else expected)
