"""Runs programs as they run outside of this checkout."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 110


def run(*arguments: str | Path, cwd: Path) -> str:
    """What a program says that sees nothing of this checkout and its environment. It has to end
    well."""
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
