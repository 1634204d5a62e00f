"""OmniQ 4.0.0 and ours, each as a process of its own, spoken to in one way.

OmniQ is under the GPL: it is started, never imported.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.servers import Server

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
ANSWER_TIMEOUT_S = 30.0
PYTHON_VARIABLE = "OMNIQ_INTEROP_PYTHON"
REQUIRE_VARIABLE = "OMNIQ_REQUIRE_INTEROP"
PEER_VERSION = "4.0.0"


class CallFailed(Exception):
    """The call raised in the other process: the exception's class, and its text."""

    def __init__(self, error: str, message: str) -> None:
        super().__init__(f"{error}: {message}")
        self.error = error


def start(
    python: str, program: Path | str, *arguments: str, **options: Any
) -> subprocess.Popen[str]:
    """Start a program that ends when its stdin is closed, and so with the tests.

    Ours is found in the checkout; `-P` keeps the program's own directory out of the path.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        [python, "-P", str(program), *arguments],
        stdin=subprocess.PIPE,
        text=True,
        env=environment,
        **options,
    )


class Driver:
    """A running driver.py."""

    def __init__(self, python: str, package: str) -> None:
        self.package = package
        self._process = start(python, HERE / "driver.py", package, stdout=subprocess.PIPE)

    @property
    def version(self) -> str:
        return str(self.ask([self.call(0, "", "version")])[0])

    def names(self) -> set[str]:
        """Of OmniqClient and QueueMonitor: `Class.method.` and `Class.method.parameter`."""
        return set(self.ask([self.call(0, "", "names")])[0])

    @staticmethod
    def call(port: int, on: str, method: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return {"port": port, "on": on, "method": method, "args": args, "kwargs": kwargs}

    def ask(self, calls: Sequence[dict[str, Any]]) -> list[Any]:
        """The results. Raises CallFailed for the first call that raised; the others were made."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None
        stdin.write(json.dumps(calls) + "\n")
        stdin.flush()
        # One line is answered by one, so nothing of an earlier one lies in the reader's buffer.
        if not select.select([stdout], [], [], ANSWER_TIMEOUT_S)[0]:
            raise TimeoutError(f"{self.package} does not answer {calls}")
        line = stdout.readline()
        if not line:
            raise RuntimeError(f"{self.package} ended with {self._process.wait()} on {calls}")
        answers = json.loads(line)
        for answer in answers:
            if "error" in answer:
                raise CallFailed(answer["error"], answer["message"])
        return [answer["result"] for answer in answers]

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


class Side:
    """One of the two, on one server. Results as JSON has them: dataclasses are dicts."""

    def __init__(self, driver: Driver, port: int) -> None:
        self._driver = driver
        self._port = port
        self.package = driver.package

    def __repr__(self) -> str:
        return self.package

    def call(self, method: str, **kwargs: Any) -> Any:
        """A method of OmniqClient. Raises CallFailed."""
        return self.call_many(method, [kwargs])[0]

    def call_many(self, method: str, arguments: Sequence[dict[str, Any]]) -> list[Any]:
        """The same method again and again. Raises CallFailed."""
        make = self._driver.call
        return self._driver.ask([make(self._port, "client", method, **each) for each in arguments])

    def look(self, method: str, *args: Any) -> Any:
        """A method of QueueMonitor. Raises CallFailed."""
        return self.look_many([(method, *args)])[0]

    def look_many(self, looks: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Several, each (method, *args). Raises CallFailed."""
        return self._driver.ask([self._driver.call(self._port, "monitor", *each) for each in looks])


@dataclass(frozen=True)
class Sides:
    """Both kinds on one server."""

    server: Server
    ours: Side
    omniq: Side
