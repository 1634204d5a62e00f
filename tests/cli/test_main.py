"""How the program ends: exit codes, errors in one line, Ctrl-C, a reader that goes away."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest

import omniq_typed
from omniq_typed.cli.main import cli
from omniq_typed.errors import ConnectionLost, InvalidArgument
from tests.cli.conftest import Project

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 60


def started(*arguments: str, cwd: Path) -> subprocess.Popen[str]:
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    # Unbuffered, Python drops the rest of a long write that a closed pipe cut short.
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": ""}
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "omniq_typed", *arguments],
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_it_runs_as_a_module_and_imports_from_the_current_directory(project: Project) -> None:
    project.write_orders("number: int")
    process = started("schema", "export", "app:bus", cwd=project.root)
    out, err = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, out) == (0, "1 message type, 3 files written in schemas\n"), err


def test_the_version(project: Project) -> None:
    assert project.run("--version").stdout == f"omniq-typed {omniq_typed.__version__}\n"


def test_ctrl_c_ends_it_without_a_traceback(project: Project) -> None:
    # A shell that starts a program in the background has it ignore Ctrl-C.
    heeding = "import signal, time\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    # No import after that: Python drops what is raised while it tidies up behind one.
    project.write("app.py", f"{heeding}print('importing', flush=True)\ntime.sleep(60)\n")
    process = started("schema", "export", "app", cwd=project.root)
    assert process.stderr is not None
    assert process.stderr.readline() == "importing\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, out, err.strip()) == (130, "", "")


def test_a_reader_that_goes_away_is_no_error(project: Project) -> None:
    # More than any pipe holds.
    project.write_orders("number: Annotated[int, Field(description='x' * 10_000_000)]")
    with started("asyncapi", "app:bus", cwd=project.root) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline() == "{\n"
        process.stdout.close()
        assert process.wait(TIMEOUT_S) == 141
        assert process.stderr.read() == ""


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (ConnectionLost("no connection to the server"), 2, "error: no connection to the server\n"),
        (InvalidArgument("url", "'x' is none"), 2, "error: url: 'x' is none\n"),
        (PermissionError(13, "Permission denied", "schemas"), 2, "error: [Errno 13] Permission"),
        (click.ClickException("it is not"), 2, "error: it is not\n"),
        (click.exceptions.Exit(1), 1, ""),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_errors_end_it_in_one_line(
    project: Project, monkeypatch: pytest.MonkeyPatch, error: BaseException, status: int, said: str
) -> None:
    @click.command()
    def fail() -> None:
        raise error

    monkeypatch.setitem(cli.commands, "fail", fail)
    result = project.run("fail", status=status)
    assert result.stderr.strip().startswith(said.strip())
    assert "Traceback" not in result.output


def test_a_fault_of_ours_is_not_hidden(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def fail() -> None:
        raise AssertionError("a bug")

    monkeypatch.setitem(cli.commands, "fail", fail)
    result = project.run("fail", status=1)
    assert isinstance(result.exception, AssertionError)


def every_command(group: click.Command, *path: str) -> list[tuple[str, ...]]:
    """The words of all groups and commands."""
    inner = group.commands if isinstance(group, click.Group) else {}
    return [path, *(it for name, each in inner.items() for it in every_command(each, *path, name))]


@pytest.mark.parametrize("words", every_command(cli), ids=" ".join)
def test_every_command_has_help_with_examples(project: Project, words: tuple[str, ...]) -> None:
    said = project.run(*words, "--help").stdout
    assert said == project.run(*words, "-h").stdout
    assert said.startswith(f"Usage: {' '.join(['omniq-typed', *words])} ")
    assert max(map(len, said.splitlines())) <= 90
    is_group = "COMMAND" in said.splitlines()[0]
    assert is_group or f"  Examples:\n    omniq-typed {' '.join(words)}" in said


@pytest.mark.parametrize("arguments", [["nonsense"], ["schema", "export"], ["schema", "--x"]])
def test_a_wrong_call_is_told_with_the_usage(project: Project, arguments: list[str]) -> None:
    result = project.run(*arguments, status=2)
    assert result.stderr.startswith("Usage: omniq-typed") and result.stdout == ""


def test_no_colours_where_nobody_sees_them(project: Project) -> None:
    assert "\x1b" not in project.run("schema", "export", "nowhere", status=2).stderr
