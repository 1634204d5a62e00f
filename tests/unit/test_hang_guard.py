"""A run of pytest with a test that no exception ends."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.workers import LONG_S, ROOT

TESTS = """
import threading
import pytest

@pytest.mark.timeout(0.2)
def test_hangs():
    never = threading.Event()
    try:
        never.wait()
    finally:
        never.wait()

def test_next():
    pass
"""
CONFTEST = """
import pytest
from tests import hang_guard

hang_guard.CLEANING_UP_S = 0.3
pytest_configure = hang_guard.keep_stderr

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item):
    with hang_guard.guarded(item):
        return (yield)
"""
SETTINGS = """
[pytest]
addopts = -p no:valkey
asyncio_default_fixture_loop_scope = function
timeout = 60
"""


def test_a_test_that_never_ends_is_told_with_its_stack_and_the_next_one_runs(
    tmp_path: Path,
) -> None:
    files = {"pytest.ini": SETTINGS, "conftest.py": CONFTEST, "test_some.py": TESTS}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-n", "1"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=LONG_S,
    )
    assert done.returncode == 1, done.stdout
    assert "crashed while running 'test_some.py::test_hangs'" in done.stdout
    assert "1 failed, 1 passed" in done.stdout
    assert 'test_some.py", line 11 in test_hangs' in done.stderr
