"""A program for `omniq-typed worker` to run, and the command as a process, for tests."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from omniq_typed import Registry, message
from tests.servers import wait_until
from tests.workers import ROOT, Process

LONG_S = 60.0
"""Starting three processes on a busy machine takes long; reaching it is a failure."""
REGISTRY = Registry(strict_types=False)


@message(
    "test.task", queue="tasks", max_attempts=2, backoff_ms=1, timeout_ms=1500, registry=REGISTRY
)
@dataclass
class Task:
    """`do`: what the handler does, for `seconds`; 'crash' and 'kill' at the first attempt only."""

    do: str
    seconds: float = 0.0


PROGRAM = """
import asyncio
import ctypes
import multiprocessing
import os
import signal
import time

from omniq_typed import AsyncBus, Bus, Registry
from tests.cli.worker_program import REGISTRY, Task

nothing = Registry()
bus = Bus.from_env(registry=REGISTRY)
async_bus = AsyncBus.from_env(registry=REGISTRY)
empty = Bus.from_env(registry=REGISTRY)
local = Bus("memory://", registry=REGISTRY)
timed = Bus.from_env(registry=REGISTRY)


def say(*words):
    # One write per line, also where several processes speak.
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())


def work(ctx):
    task = ctx.payload
    say(task.do, ctx.job_id, os.getpid())
    if task.do == "block":
        time.sleep(task.seconds)  # one call, which nothing can cut off from inside
    if task.do == "crash" and ctx.attempt == 1:
        ctypes.string_at(0)
    if task.do == "kill" and ctx.attempt == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    if task.do == "fork":
        say("forked", fork_and_terminate())
    ends_at = time.monotonic() + task.seconds
    while time.monotonic() < ends_at:
        time.sleep(0.01)
    say("done", ctx.job_id)


def fork_and_terminate():
    fork = multiprocessing.get_context("fork")
    ready = fork.Event()
    child = fork.Process(target=sleep, args=(ready,))
    child.start()
    ready.wait(60)  # Python drops signals that come while it forks
    child.terminate()
    child.join(60)
    return child.exitcode


def sleep(ready):
    ready.set()
    time.sleep(60)


async def work_async(ctx):
    say(ctx.payload.do, ctx.job_id, os.getpid())
    await asyncio.sleep(ctx.payload.seconds)
    say("done", ctx.job_id)


bus.consumer(Task)(work)
local.consumer(Task)(work)
async_bus.consumer(Task, concurrency=2)(work_async)
timed.consumer(Task, concurrency=2, timeout_s=0.3)(work)
"""


class Worker(Process):
    """`omniq-typed worker` in a folder that has PROGRAM as app.py."""

    def __init__(self, folder: Path, url: str, *arguments: str) -> None:
        super().__init__(
            [sys.executable, "-m", "omniq_typed", "worker", *arguments],
            folder,
            {"PYTHONPATH": str(ROOT), "OMNIQ_URL": url, "PYTHONFAULTHANDLER": ""},
        )

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        if error[0] is not None:
            sys.stderr.write(self.said())

    def said(self) -> str:
        """Its standard error so far."""
        return "".join(self.errors)

    def wait_for(self, word: str, timeout_s: float = LONG_S) -> str:
        return super().wait_for(word, timeout_s)

    def exit_code(self, timeout_s: float = LONG_S) -> int:
        return super().exit_code(timeout_s)

    def says(self, words: str) -> None:
        """Waits until its standard error has these words."""
        try:
            wait_until(lambda: words in self.said(), words, LONG_S)
        except TimeoutError:
            raise AssertionError(f"no {words!r} in: {self.said()}") from None

    def signal_all(self, signum: signal.Signals) -> None:
        """As a terminal does it, or systemd: to the command and all its processes."""
        os.killpg(self.process.pid, signum)

    def probe(self, path: str, method: str = "GET") -> tuple[int, Any]:
        """Status and JSON of the health endpoint."""
        self.says("health: ")
        found = re.search(r"health: (http\S+)/livez", self.said())
        assert found is not None
        request = urllib.request.Request(found[1] + path, method=method)
        try:
            with urllib.request.urlopen(request, timeout=LONG_S) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read() or b"null")

    def becomes(self, path: str, status: HTTPStatus) -> Any:
        """Waits until a probe is answered so, and gives the JSON."""
        wait_until(lambda: self.probe(path)[0] == status, f"{path} is {status}", LONG_S)
        return self.probe(path)[1]

    def pids(self) -> list[int]:
        """Of its processes, once all are at work."""
        state = self.becomes("/readyz", HTTPStatus.OK)
        return [each["pid"] for each in state["processes"]]


def runs(pid: int) -> bool:
    """Whether there is such a process, and it is no zombie, which in a container may wait for ever
    for a parent."""
    listed = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return listed.stdout.strip()[:1] not in ("", "Z")


Start = Callable[..., Worker]
"""Starts the command with arguments."""
Publish = Callable[..., str]
"""Publishes a Task of these fields, and gives its id."""
