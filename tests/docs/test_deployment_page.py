"""docs/deployment.md: every command that it shows is one, and its exit codes are ours."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

from omniq_typed.cli.processes import process, supervisor
from omniq_typed.cli.processes.exits import Exit
from omniq_typed.cli.processes.options import WorkerOptions
from omniq_typed.cli.worker import worker
from tests.docs.run_markdown import blocks_of

PAGE = Path(__file__).resolve().parents[2] / "docs" / "deployment.md"
TEXT = PAGE.read_text(encoding="utf-8")


def commands() -> list[tuple[str, list[str]]]:
    """The language of the block that shows it, and the arguments of each worker."""
    found = []
    for block in blocks_of(TEXT):
        for line in block.text.splitlines():
            words: list[str] = []
            if listed := re.search(r"(?:CMD|command:) *(\[.*\])", line):
                quoted = re.sub(r'(?<=[\[ ])([^", \[\]]+)(?=[,\]])', r'"\1"', listed[1])
                words = json.loads(quoted)
            elif "omniq-typed worker" in line:
                words = shlex.split(line.removeprefix("ExecStart="), comments=True)
            if words:
                assert words[0].endswith("omniq-typed") and words[1] == "worker", line
                found.append((block.language, words[2:]))
    return found


def parsed(arguments: list[str]) -> WorkerOptions:
    # click remembers them with the command, for all tests of this process.
    helping = ["-h", "--help"]
    context = worker.make_context("worker", list(arguments), help_option_names=helping)
    return WorkerOptions(**context.params)


def test_every_command_can_be_run() -> None:
    shown = [(language, parsed(arguments)) for language, arguments in commands()]
    assert {language for language, _ in shown} == {"sh", "ini", "dockerfile", "yaml"}
    assert {options.app for _, options in shown} == {"app:bus"}


def test_whoever_ends_a_worker_waits_longer_than_it_takes() -> None:
    patience = {
        "ini": r"TimeoutStopSec=(\d+)",
        "yaml": r"terminationGracePeriodSeconds: (\d+)",
        "dockerfile": r"--stop-timeout (\d+)",
    }
    options = {language: parsed(arguments) for language, arguments in commands()}
    for language, pattern in patience.items():
        found = re.search(pattern, TEXT)
        assert found is not None
        assert int(found[1]) > options[language].grace_s + supervisor.END_PATIENCE_S, language


def test_the_exit_codes_are_those_of_the_program() -> None:
    rows = re.findall(r"^\| (\d+|128 \+ N) \| ", TEXT, re.MULTILINE)
    assert rows == [*map(str, map(int, Exit)), "128 + N"]
    for owner in (process, supervisor):
        assert f"{owner.END_PATIENCE_S:.0f} seconds after the grace" in TEXT
    assert f"RestartPreventExitStatus={Exit.MEND:d}" in TEXT
