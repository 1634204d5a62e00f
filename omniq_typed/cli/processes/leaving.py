"""The end of a process, which nothing can hold up."""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import suppress
from typing import NoReturn

import click

LEAVE_WITHIN_S = 5.0
"""How long what the program left behind (its threads, its atexit) may hold up the end."""


def leave(code: int) -> NoReturn:
    """Ends the process at once, whatever its threads do."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def leave_soon(code: int) -> None:
    """Ends the process in time even where a thread or an atexit function of the program hangs."""

    def watch() -> None:
        time.sleep(LEAVE_WITHIN_S)
        click.echo("what the program left running does not end: leaving", err=True)
        leave(code)

    threading.Thread(target=watch, name="omniq-leaving", daemon=True).start()
