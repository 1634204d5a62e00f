"""Which edits of Python files ask for a restart (--reload), by the package watchfiles."""

from __future__ import annotations

import importlib
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click

_OURS = Path(__file__).parents[2]
_STDLIB = Path(os.__file__).parent


class Watcher:
    """Watches in a thread of its own. Edits are gathered until `edited` is asked."""

    def __init__(self, wake: Callable[[], None]) -> None:
        """`wake`: called, in that thread, when there is an edit. Raises click.ClickException where
        watchfiles is missing."""
        self._watch = _watchfiles()
        self._wake = wake
        self._edited: deque[str] = deque()
        self._folders: frozenset[str] = frozenset()
        self._end = threading.Event()

    def watch(self, folders: Iterable[str]) -> None:
        """These folders, and all that were ever watched: a program that cannot be imported any
        more still is to be. With none at all, the current one."""
        wanted = self._folders | frozenset(folders)
        wanted = _outermost(wanted or {os.getcwd()})
        if wanted == self._folders:
            return
        self._end.set()
        self._folders, self._end = wanted, threading.Event()
        thread = threading.Thread(
            target=self._run, args=(wanted, self._end), name="omniq-reload", daemon=True
        )
        thread.start()

    def edited(self) -> tuple[str, ...]:
        """The files that were edited since the last look, each once."""
        found: dict[str, None] = {}
        while self._edited:
            found[self._edited.popleft()] = None
        return tuple(found)

    def close(self) -> None:
        """Ends the thread soon."""
        self._end.set()

    def _run(self, folders: frozenset[str], end: threading.Event) -> None:
        changes = self._watch.watch(
            *sorted(folders),
            watch_filter=self._watch.PythonFilter(),
            stop_event=end,
            rust_timeout=500,
            debounce=400,
            raise_interrupt=False,
        )
        for found in changes:
            self._edited.extend(sorted(_shown(path) for _, path in found))
            self._wake()


def folders_of_the_program() -> tuple[str, ...]:
    """Where the modules lie that this process has imported and that somebody may edit: neither
    Python's, nor ours, nor installed ones."""
    tops = {name.partition(".")[0] for name in sys.modules} - {"__main__"}
    found = set()
    for top in tops:
        module = sys.modules.get(top)
        places = [getattr(module, "__file__", None), *getattr(module, "__path__", ())]
        for place in (Path(each).absolute() for each in places if isinstance(each, str)):
            installed = {"site-packages", "dist-packages"} & set(place.parts)
            if not installed and not any(place.is_relative_to(it) for it in (_OURS, _STDLIB)):
                found.add(str(place if place.is_dir() else place.parent))
    return tuple(sorted(_outermost(found)))


def _outermost(folders: Iterable[str]) -> frozenset[str]:
    known = [Path(each) for each in folders]
    return frozenset(str(each) for each in known if not set(each.parents) & set(known))


def _shown(path: str) -> str:
    here = Path.cwd()
    return str(Path(path).relative_to(here)) if Path(path).is_relative_to(here) else path


def _watchfiles() -> Any:
    try:
        return importlib.import_module("watchfiles")
    except ImportError:
        raise click.ClickException(
            "--reload needs the package watchfiles: pip install 'omniq-typed[reload]'"
        ) from None
