"""CI's options, as `.ci/run` has them, on a few tests that fail once."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.second_chance import SEARCHES
from tests.workers import ROOT

# Each fails when it is run for the first time; `test_hangs` whenever it is.
TESTS = """
import time
from pathlib import Path
import pytest
from hypothesis import given, strategies

def fail_once(name):
    mark = Path(__file__).with_name(name)
    if not mark.exists():
        mark.touch()
        raise AssertionError("for want of time")

def test_in_haste():
    fail_once("in_haste")

def test_always():
    assert False

@pytest.mark.timeout(0.2)
def test_hangs():
    time.sleep(60)

@given(strategies.just(1))
def test_by_hypothesis(number):
    fail_once("by_hypothesis")
"""
LAW = "from test_ordinary import fail_once\n\ndef test_law():\n    fail_once('law')\n"
CONFTEST = """
from tests.second_chance import deny_to_searches

def pytest_collection_modifyitems(config, items):
    deny_to_searches(config, items)
"""
SETTINGS = """
[pytest]
addopts = -p no:valkey
asyncio_default_fixture_loop_scope = function
"""


def ci_options() -> list[str]:
    found = re.search(r'^again="(.*)"$', (ROOT / ".ci" / "run").read_text(), re.MULTILINE)
    assert found
    return shlex.split(found[1])


@pytest.mark.slow
def test_a_failed_test_is_run_once_more_and_named_and_a_search_is_not(tmp_path: Path) -> None:
    for name, text in {
        "pytest.ini": SETTINGS,
        "conftest.py": CONFTEST,
        "test_ordinary.py": TESTS,
        "tests/properties/test_law.py": LAW,
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    path = os.pathsep.join([str(ROOT), str(tmp_path), os.environ.get("PYTHONPATH", "")])
    parallel = ["-n", "2", "--dist", "loadfile"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *parallel, *ci_options()],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    assert set(re.findall(r"^RERUN .*::(\w+)", said, re.MULTILINE)) == {
        "test_in_haste",
        "test_always",
    }, said
    assert set(re.findall(r"^FAILED .*::(\w+)", said, re.MULTILINE)) == {
        "test_always",
        "test_hangs",
        "test_by_hypothesis",
        "test_law",
    }, said
    assert "4 failed, 1 passed, 2 rerun" in said


def test_the_places_of_searches_are_there() -> None:
    for start in SEARCHES:
        assert list(ROOT.glob(f"{start}*")), start
