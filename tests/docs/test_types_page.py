"""docs/types.md is what the catalogue says now, and its Python is in the catalogue's source."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.catalogue import CATALOGUE, Kind
from tests.catalogue.page import PAGE, page

SOURCES = Path(__file__).resolve().parents[1] / "catalogue"


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tests.catalogue.page"


@pytest.fixture(scope="module")
def source() -> str:
    paths = sorted(SOURCES.glob("*.py"))
    return "\n".join(bare(without_entries(path.read_text(encoding="utf-8"))) for path in paths)


@pytest.mark.parametrize("kind", CATALOGUE, ids=lambda kind: kind.name)
def test_what_the_page_shows_as_python_is_source(kind: Kind, source: str) -> None:
    for line in kind.python:
        assert bare(line) in source


def without_entries(source: str) -> str:
    """A module without its `kind(...)` entries, which quote what is to be found in the rest."""
    lines = source.splitlines()
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.Assign) and "kind(" in lines[statement.lineno - 1]:
            for at in range(statement.lineno - 1, statement.end_lineno or 0):
                lines[at] = ""
    return "\n".join(lines)


def bare(source: str) -> str:
    """Without what the formatter decides: white space and trailing commas."""
    return re.sub(r",(?=[)\]}])", "", re.sub(r"\s", "", source))
