"""The TypeScript example for tests: its sources with contracts, and the program at work."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests import node
from tests.workers import ROOT, Process

SOURCES = ("package.json", "tsconfig.json", "generate", "src")
MESSAGES = "examples.other_languages.messages"


def copy_of_example(folder: Path) -> Path:
    """The sources in a new folder, with contracts exported for them as README.md says."""
    folder.mkdir()
    for name in SOURCES:
        source = node.EXAMPLE / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("generated"))
        else:
            shutil.copy(source, folder)
    contracts = folder / "contracts"
    omniq_typed("schema", "export", MESSAGES, "--out", contracts / "schemas")
    omniq_typed("lua", "export", "--out", contracts / "lua")
    return folder


def omniq_typed(*arguments: str | Path) -> None:
    """Our own command line."""
    command = [sys.executable, "-m", "omniq_typed", *map(str, arguments)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=node.TIMEOUT_S)


class Warehouse(Process):
    """The program in TypeScript, at work."""

    def __init__(self, example: Path, url: str, *options: str) -> None:
        command = [str(node.BINARIES / "node"), "dist/src/warehouse.js", *options]
        super().__init__(command, example, {"OMNIQ_URL": url})
        self.wait_for("working on")
