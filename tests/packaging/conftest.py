"""The wheel, built once for all tests that install it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.packaging.programs import ROOT, run


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source archive. Without isolation: the dev extra brings what
    the build needs."""
    folder = tmp_path_factory.mktemp("dist")
    options = ("--no-isolation", "--wheel", "--sdist", "--outdir", folder)
    run(sys.executable, "-m", "build", *options, ROOT, cwd=folder)
    return folder


@pytest.fixture(scope="session")
def wheel(built: Path) -> Path:
    (found,) = built.glob("*.whl")
    return found
