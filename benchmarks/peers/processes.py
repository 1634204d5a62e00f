"""Processes of the adapters: publishers that take orders, workers that report."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, Self

from benchmarks.peers.environments import ROOT, Program

START_TIMEOUT_S = 20.0
ORDER_TIMEOUT_S = 120.0
Kind = Literal["quick", "async", "wait"]


LAST_WORDS_S = 2.0
"""How long the last words of a process may take to arrive, where its children hold the pipe."""


class PeerFailed(Exception):
    """A peer's process ended, or did not do what it was to do; the text says what it printed."""


class _Process:
    """One adapter, in a process group of its own; its lines are read by a thread."""

    def __init__(self, program: Program, *words: str) -> None:
        self._process = subprocess.Popen(
            [*program.command, *words],
            cwd=ROOT,
            env=program.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._news = threading.Condition()
        self._errors: list[str] = []
        self._ended = False
        self._hearing = threading.Thread(target=self._read_errors, daemon=True)
        self._hearing.start()
        threading.Thread(target=self._read, daemon=True).start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def take(self, said: dict[str, Any]) -> None:
        raise NotImplementedError

    def wait_for(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Whether it came true in time. Raises PeerFailed if the process ends before."""
        with self._news:
            self._news.wait_for(lambda: condition() or self._ended, timeout_s)
            if condition():
                return True
            if self._ended:
                said = [line.strip() for line in self._errors if line.strip()]
                raise PeerFailed(f"it ended: {said[-1] if said else 'silently'}")
            return False

    def close(self) -> None:
        """Ends it and its children, however they are."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def say(self, order: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # `wait_for` says what its last words were

    def _read(self) -> None:
        assert self._process.stdout is not None
        try:
            for line in self._process.stdout:
                said = json.loads(line)
                with self._news:
                    self.take(said)
                    self._news.notify_all()
        except ValueError:
            pass  # closed under it, or killed in the middle of a line
        self._process.wait()
        self._hearing.join(LAST_WORDS_S)
        with self._news:
            self._ended = True
            self._news.notify_all()

    def _read_errors(self) -> None:
        assert self._process.stderr is not None
        try:
            for line in self._process.stderr:
                self._errors.append(line)
                del self._errors[:-50]
        except ValueError:
            pass


class Publisher(_Process):
    """Publishes as it is told."""

    def __init__(self, program: Program, url: str) -> None:
        self._answers: list[dict[str, Any]] = []
        super().__init__(program, "publisher", url)
        try:
            self._answer(START_TIMEOUT_S)
        except BaseException:
            self.close()
            raise

    def take(self, said: dict[str, Any]) -> None:
        self._answers.append(said)

    def do(self, what: str, count: int, **more: float) -> float | None:
        """Seconds that it took; None: this peer has no such way. Raises PeerFailed."""
        self.say({"do": what, "count": count, **more})
        seconds: float | None = self._answer(ORDER_TIMEOUT_S)["seconds"]
        return seconds

    def _answer(self, timeout_s: float) -> dict[str, Any]:
        if not self.wait_for(lambda: bool(self._answers), timeout_s):
            raise PeerFailed(f"no answer within {timeout_s:.0f} s")
        return self._answers.pop(0)


class Worker(_Process):
    """Handles jobs until it is closed. Fields: count (handled so far); first_us, last_us (moments
    of the first and the last); delays_us (how late each came, if asked for); cpu_us (its processor
    time of a job, of those between start_clock and stop_clock)."""

    def __init__(
        self,
        program: Program,
        url: str,
        kind: Kind,
        at_once: int = 0,
        *,
        delays: bool = False,
        waits: bool = False,
    ) -> None:
        """`waits`: until `begin`."""
        self._ready = False
        self.count = self.first_us = self.last_us = 0
        self.cpu_us = 0.0
        self._clock = (0, 0.0)
        self.delays_us: list[int] = []
        super().__init__(
            program, "worker", url, kind, str(at_once), "delays" if delays else "count"
        )
        try:
            if not self.wait_for(lambda: self._ready, START_TIMEOUT_S):
                raise PeerFailed(f"did not start within {START_TIMEOUT_S:.0f} s")
        except BaseException:
            self.close()
            raise
        if not waits:
            self.begin()

    def begin(self) -> None:
        self.say({})

    def take(self, said: dict[str, Any]) -> None:
        if "ready" in said:
            self._ready = True
            return
        self.count, self.first_us, self.last_us = said["count"], said["first_us"], said["last_us"]
        self.delays_us += said["delays_us"]

    def handled(self, count: int, timeout_s: float) -> bool:
        """Waits until it has handled so many; whether it has."""
        return self.wait_for(lambda: self.count >= count, timeout_s)

    def forget_delays(self) -> None:
        with self._news:
            self.delays_us = []

    def start_clock(self) -> None:
        """`cpu_us` counts from here."""
        self._clock = self.count, processor_us(self.pid)

    def stop_clock(self) -> None:
        """And to here."""
        count, before = self._clock
        if self.count > count:
            self.cpu_us = (processor_us(self.pid) - before) / (self.count - count)

    @property
    def per_s(self) -> float:
        """Jobs a second, from the first to the last."""
        if self.count < 2 or self.last_us <= self.first_us:
            raise PeerFailed(f"handled {self.count} jobs")
        return (self.count - 1) / (self.last_us - self.first_us) * 1e6


def resident_bytes(pid: int) -> int:
    """Resident memory of a process and all below it."""
    total, todo = 0, [pid]
    while todo:
        each = todo.pop()
        total += _rss(each)
        todo += _children(each)
    return total


def processor_us(pid: int) -> float:
    """Processor time of a process so far; 0 where the system does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") * 1e6


def _rss(pid: int) -> int:
    status = Path(f"/proc/{pid}/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        return 0
    said = subprocess.run(
        ["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return int(said.stdout.strip() or 0) * 1024


def _children(pid: int) -> list[int]:
    if not Path("/proc").exists():
        said = subprocess.run(
            ["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False
        )
        return [int(each) for each in said.stdout.split()]
    children: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):  # it may just have ended
            children += [int(each) for each in task.read_text().split()]
    return children


def _said(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()
