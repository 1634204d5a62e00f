"""Where recorded schemas are read from: a folder, the folder at a git revision, or Redis."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import click

from omniq_typed.consumers import URL_VARIABLE
from omniq_typed.schema.files import INDEX
from omniq_typed.schema.history import from_git, read_history, with_index_of
from omniq_typed.schema.versions import SchemaVersion, TypeHistory
from omniq_typed.schema_registry import SchemaStore
from omniq_typed.transport.connect import connect
from omniq_typed.transport.sync import SyncTransport

F = TypeVar("F", bound=Callable[..., Any])

FOLDER = Path("schemas")
_GIT, _REDIS = "git:", "redis"
_URLS = ("redis://", "rediss://", "unix://", "embedded://")


class BadSource(click.ClickException):
    """Recorded schemas that cannot be found."""

    exit_code = 2


class NotRecorded(click.ClickException):
    """A type or version that is not recorded."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Recorded:
    """Recorded versions by type, and where they were read, for messages."""

    where: str
    histories: dict[str, TypeHistory]

    def history(self, name: str) -> TypeHistory:
        """Of one type. Raises NotRecorded."""
        found = self.histories.get(name)
        if found is None or not found.versions:
            raise not_recorded(name, self.where, self.histories)
        return found


def not_recorded(name: str, where: str, names: Iterable[str]) -> NotRecorded:
    """The error for a type, with those names that are near."""
    near = get_close_matches(name, list(names), n=3, cutoff=0.5)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    return NotRecorded(f"{name} is not recorded in {where}{hint}")


def version_in(history: TypeHistory, number: int) -> SchemaVersion:
    """Raises NotRecorded."""
    check_version(history.name, number, history.versions)
    return history.versions[number]


def check_version(name: str, number: int, numbers: Collection[int]) -> None:
    """Raises NotRecorded for a version that is none of a type's."""
    if number not in numbers:
        known = ", ".join(f"v{each}" for each in sorted(numbers))
        raise NotRecorded(f"{name} v{number} is not recorded; there are {known}")


def dir_option(function: F) -> F:
    """--dir, the folder of schemas in the working tree."""
    return click.option(
        "--dir",
        "directory",
        type=click.Path(file_okay=False, path_type=Path),
        default=FOLDER,
        show_default=True,
        metavar="DIR",
        help="The folder of schemas.",
    )(function)


def url_option(function: F) -> F:
    """--url, the server of a command that cannot do without."""
    return _url(required=True)(function)


def optional_url_option(function: F) -> F:
    """--url, the server that the source `redis` means; '' = none."""
    return _url(default="")(function)


def _url(**how: Any) -> Callable[[F], F]:
    return click.option(
        "--url",
        envvar=URL_VARIABLE,
        show_envvar=True,
        metavar="URL",
        help="The server, redis://HOST:PORT/DB.",
        **how,
    )


def is_source(text: str) -> bool:
    """Whether it names recorded schemas, and not an APP."""
    return text == _REDIS or text.startswith((_GIT, *_URLS)) or (Path(text) / INDEX).is_file()


def read(source: str, directory: Path, url: str) -> Recorded:
    """The versions that a source has: a folder, git:REV or git:REV:DIR, redis, or a server's URL.

    Those of git and Redis have the modes and waivers of the index in `directory`. Raises BadSource
    and the errors of omniq_typed/schema/history.py.
    """
    if source.startswith(_GIT):
        return Recorded(source, with_index_of(directory, _from_git(source, directory)))
    if source == _REDIS and not url:
        raise BadSource(f"which Redis? Set {URL_VARIABLE}, or pass --url or the URL itself")
    if source == _REDIS or source.startswith(_URLS):
        with opened(url if source == _REDIS else source) as transport:
            histories = SchemaStore(transport).histories()
        return Recorded("redis", with_index_of(directory, histories))
    return Recorded(source, read_folder(Path(source)))


def read_folder(folder: Path) -> dict[str, TypeHistory]:
    """Raises BadSource where there is no index."""
    if not (folder / INDEX).is_file():
        raise BadSource(f"there is no {folder / INDEX}; `omniq-typed schema export` writes it")
    return read_history(folder)


@contextmanager
def opened(url: str) -> Iterator[SyncTransport]:
    """A transport that is closed afterwards."""
    with closing(connect(url)) as transport:
        yield transport


def _from_git(source: str, directory: Path) -> dict[str, TypeHistory]:
    revision, _, path = source.removeprefix(_GIT).partition(":")
    folder = Path(path) if path else directory
    histories = from_git(revision, folder)
    if not histories and not (folder / INDEX).is_file():
        raise BadSource(f"there is no {folder / INDEX}, neither at {revision} nor now")
    return histories
