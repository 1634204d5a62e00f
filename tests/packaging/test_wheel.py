"""The wheel is complete: built from the checkout, installed into an empty environment elsewhere,
it runs a typed message through its own embedded server."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import venv
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

import omniq_typed

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 110
PROGRAM = """
import importlib.metadata
import threading
from dataclasses import dataclass
from importlib.resources import files

import omniq_typed
from omniq_typed import Bus, Ctx, SafeInt, message


@message("wheel.tried", queue="wheels")
@dataclass
class WheelTried:
    spokes: SafeInt


stop = threading.Event()
bus = Bus.embedded()


@bus.consumer(WheelTried)
def on_tried(ctx: Ctx[WheelTried]) -> None:
    print("handled", ctx.payload)
    stop.set()


bus.publish_json(WheelTried(36))
bus.run(stop=stop)
bus.close()
assert omniq_typed.__version__ == importlib.metadata.version("omniq-typed")
print("from", files("omniq_typed"))
"""

pytestmark = pytest.mark.slow


def run(*arguments: str | Path, cwd: Path) -> str:
    """Runs a program that sees nothing of this checkout and its environment."""
    hidden = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "OMNIQ_URL")
    done = subprocess.run(
        [str(each) for each in arguments],
        cwd=cwd,
        env={name: value for name, value in os.environ.items() if name not in hidden},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source archive. Without isolation: the dev extra brings what
    the build needs."""
    folder = tmp_path_factory.mktemp("dist")
    options = ("--no-isolation", "--wheel", "--sdist", "--outdir", folder)
    run(sys.executable, "-m", "build", *options, ROOT, cwd=folder)
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (found,) = built.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that holds the wheel, its extra and nothing else."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=True)
    interpreter = folder / "bin" / "python"
    requirement = f"omniq-typed[embedded] @ {wheel.as_uri()}"
    quiet = ("--quiet", "--disable-pip-version-check")
    run(interpreter, "-m", "pip", "install", *quiet, requirement, cwd=folder)
    return interpreter


def names_in(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def metadata_of(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [each for each in archive.namelist() if each.endswith(".dist-info/METADATA")]
        return Parser().parsestr(archive.read(name).decode())


def test_the_wheel_carries_every_module_script_and_the_mark_of_types(wheel: Path) -> None:
    package = ROOT / "omniq_typed"
    modules = {f"omniq_typed/{path.relative_to(package)}" for path in package.rglob("*.py")}
    scripts = {f"omniq_typed/{path.relative_to(ROOT)}" for path in ROOT.glob("lua/**/*.lua")}
    names = names_in(wheel)
    assert len(scripts) > 20
    assert modules | scripts | {"omniq_typed/py.typed"} <= names


def test_the_wheel_carries_nothing_else(wheel: Path) -> None:
    for name in names_in(wheel):
        assert re.match(r"omniq_typed/|omniq_typed-[^/]+\.dist-info/", name), name
        assert "__pycache__" not in name and "tests/" not in name


def test_the_metadata(wheel: Path) -> None:
    metadata = metadata_of(wheel)
    assert metadata["Name"] == "omniq-typed"
    assert metadata["Version"] == omniq_typed.__version__
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Requires-Python"] == ">=3.11"
    assert {"embedded", "demo"} <= set(metadata.get_all("Provides-Extra", []))


def test_the_source_archive_can_build_the_wheel(built: Path, tmp_path: Path, wheel: Path) -> None:
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        # Early releases of Python 3.11 do not know the filter, later ones warn without it.
        if hasattr(tarfile, "data_filter"):
            packed.extraction_filter = tarfile.data_filter
        packed.extractall(tmp_path / "source")
    (source,) = (tmp_path / "source").iterdir()
    options = ("--no-isolation", "--wheel", "--outdir", tmp_path)
    run(sys.executable, "-m", "build", *options, source, cwd=tmp_path)
    (again,) = tmp_path.glob("*.whl")
    assert names_in(again) == names_in(wheel)


def test_an_installed_wheel_runs_a_typed_message(python: Path, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    said = run(python, "-W", "error", program, cwd=tmp_path)
    assert "handled WheelTried(spokes=36)" in said
    # Not from this checkout, in whatever way it might be on the path.
    assert f"from {python.parents[1]}/lib" in said


def test_every_module_of_an_installed_wheel_can_be_imported(python: Path, tmp_path: Path) -> None:
    """None needs a package of the extras `demo` and `dev`, which are not there."""
    program = (
        "import importlib, pkgutil, omniq_typed\n"
        "for found in pkgutil.walk_packages(omniq_typed.__path__, 'omniq_typed.'):\n"
        "    if not found.name.endswith('__main__'):\n"
        "        importlib.import_module(found.name)\n"
    )
    run(python, "-W", "error", "-c", program, cwd=tmp_path)


def test_the_command_is_installed_and_finds_programs_beside_it(
    python: Path, tmp_path: Path
) -> None:
    command = python.with_name("omniq-typed")
    assert run(command, "--version", cwd=tmp_path) == f"omniq-typed {omniq_typed.__version__}\n"
    program = PROGRAM.partition("stop = ")[0]
    (tmp_path / "program.py").write_text(program)
    said = run(command, "schema", "export", "program", cwd=tmp_path)
    assert said == "1 message type, 3 files written in schemas\n"
