"""The TypeScript example, built once for the tests of this directory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests import node
from tests.other_languages.warehouse import copy_of_example


@pytest.fixture(scope="session")
def example(node_packages: Path) -> Path:
    """The built example. Its packages lie in the folder above, where Node looks too."""
    folder = copy_of_example(node_packages / f"example-{os.getpid()}")
    built = node.npm(folder, "run", "build")
    assert built.returncode == 0, built.stdout + built.stderr
    return folder
