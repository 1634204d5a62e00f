"""mypy --strict and pyright accept what is right and refuse what is wrong, at the same lines.

A snippet `*.py.txt` says with `# wrong: …` in which lines both checkers have to find a fault; they
may find none elsewhere. Each checker runs once, over the snippets and the right use in api.py,
contracts.py and schemas.py.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
SNIPPETS = sorted(HERE.glob("wrong_*.py.txt"))
RIGHT = [HERE / f"{name}.py" for name in ("api", "contracts", "schemas", "stepped")]
TIMEOUT_S = 110


@dataclass(frozen=True)
class Finding:
    file: str
    line: int
    text: str


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files to check, in a folder of their own where no other settings are in force."""
    folder = tmp_path_factory.mktemp("types")
    for snippet in SNIPPETS:
        (folder / snippet.name.removesuffix(".txt")).write_text(snippet.read_text("utf-8"))
    for right in RIGHT:
        (folder / right.name).write_text(right.read_text("utf-8"))
    return folder


@pytest.fixture(scope="module")
def mypy_findings(folder: Path) -> list[Finding]:
    done = _run(folder, "mypy", "--strict", "--output=json", "--cache-dir=.cache", ".")
    assert done.returncode in (0, 1), done.stdout + done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return [
        Finding(Path(each["file"]).name, each["line"], each["message"])
        for each in found
        if each["severity"] == "error"
    ]


@pytest.fixture(scope="module")
def pyright_findings(folder: Path) -> list[Finding]:
    settings = {"typeCheckingMode": "standard", "extraPaths": [str(ROOT)], "include": ["."]}
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    done = _run(folder, "pyright", "--outputjson", "--pythonpath", sys.executable)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return [
        Finding(Path(each["file"]).name, each["range"]["start"]["line"] + 1, each["message"])
        for each in report["generalDiagnostics"]
        if each["severity"] == "error"
    ]


@pytest.fixture(params=["mypy", "pyright"])
def findings(request: pytest.FixtureRequest) -> list[Finding]:
    found: list[Finding] = request.getfixturevalue(f"{request.param}_findings")
    return found


def test_right_use_is_accepted(findings: list[Finding]) -> None:
    names = {path.name for path in RIGHT}
    assert [finding for finding in findings if finding.file in names] == []


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda path: path.name)
def test_wrong_use_is_refused_where_it_is_wrong(snippet: Path, findings: list[Finding]) -> None:
    name = snippet.name.removesuffix(".txt")
    wrong = lines_marked_wrong(snippet)
    found = {finding.line: finding.text for finding in findings if finding.file == name}
    assert len(wrong) > 5
    assert {n: text for n, text in found.items() if n not in wrong} == {}, "refused, but right"
    assert {n: text for n, text in wrong.items() if n not in found} == {}, "wrong, but accepted"


@pytest.mark.parametrize(
    "snippet",
    [path for path in SNIPPETS if "another message" in path.read_text("utf-8")],
    ids=lambda path: path.name,
)
def test_a_handler_of_another_message_type_is_an_error(
    snippet: Path, findings: list[Finding]
) -> None:
    """mypy --strict and pyright pass; a handler annotated `Ctx[Other]` on
    `@bus.consumer(OrderCreated)` is an error in both."""
    name = snippet.name.removesuffix(".txt")
    (line,) = [n for n, text in lines_marked_wrong(snippet).items() if "another message" in text]
    errors = [each.text for each in findings if (each.file, each.line) == (name, line)]
    assert any("Ctx[Other]" in text and "OrderCreated" in text for text in errors), errors


def lines_marked_wrong(snippet: Path) -> dict[int, str]:
    lines = enumerate(snippet.read_text("utf-8").splitlines(), 1)
    return {n: found[1] for n, line in lines if (found := re.search(r"# wrong: (.+)", line))}


def _run(folder: Path, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=folder,
        env={**os.environ, "MYPYPATH": str(ROOT), "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
