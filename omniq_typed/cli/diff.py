"""`omniq-typed schema diff`: what changed between two versions, for reading."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from omniq_typed.cli import sources
from omniq_typed.cli.apps import App, load, types_of
from omniq_typed.cli.reports import break_lines
from omniq_typed.cli.sources import NotRecorded, dir_option, optional_url_option, version_in
from omniq_typed.schema.compatibility.compare import Break, compare
from omniq_typed.schema.difference import Change, differences
from omniq_typed.schema.versions import SchemaVersion, TypeHistory, version_of

_PARTS = ("field", "choice", "value", "item")
"""What of a schema comes and goes; all else is another than it was."""
_COLOURS = {"+": "green", "-": "red", "~": "yellow"}


@dataclass(frozen=True, slots=True)
class Side:
    """A version, and where it is from."""

    version: SchemaVersion
    where: str

    def __str__(self) -> str:
        return f"v{self.version.version} ({self.where})"


@click.command(short_help="Show what changed between two versions of a type.")
@click.argument("source")
@click.argument("name")
@click.argument("old", required=False, type=click.IntRange(min=1), metavar="[FROM]")
@click.argument("new", required=False, type=click.IntRange(min=1), metavar="[TO]")
@click.option(
    "--against",
    metavar="SOURCE",
    default="",
    help="What an APP is compared with: a folder, git:REV, redis, or a server's URL."
    "  [default: the folder of --dir]",
)
@dir_option
@optional_url_option
def diff(
    source: str,
    name: str,
    old: int | None,
    new: int | None,
    against: str,
    directory: Path,
    url: str,
) -> None:
    """Show what changed in the schema of a type, place by place, and whether both versions read
    one another.

    SOURCE is an APP, whose types are compared with what is recorded; or a folder, git:REV, redis or
    a server's URL, two recorded versions of which are compared: the newest ones, or FROM and TO.

    \b
    Examples:
      omniq-typed schema diff app:bus orders.created
      omniq-typed schema diff app:bus orders.created 1 --against git:v2.0.0
      omniq-typed schema diff schemas orders.created 1 2
    """
    apps: list[App] = []
    if sources.is_source(source):
        recorded = sources.read(source, directory, url)
        known = recorded.history(name).versions
    else:
        apps = load([source])
        known = {it.version: version_of(it) for it in types_of(apps) if it.name == name}
        recorded = sources.read(against or str(directory), directory, url)
        if not known:
            raise NotRecorded(f"{source} has no type {name}")
    after = Side(_chosen(known, new, name, source), source)
    before = Side(_before(recorded.history(name), old, after.version), recorded.where)
    for line in _lines(before, after):
        click.echo(line)
    steps = [it.registry.steps(name, before.version.version, after.version.version) for it in apps]
    if any(steps):
        click.echo(f"  upcasts lead {before} to {after}: `omniq-typed schema check` tries them out")


def _chosen(
    versions: Mapping[int, SchemaVersion], number: int | None, name: str, where: str
) -> SchemaVersion:
    """The version of a number, or the newest."""
    found = versions.get(number or max(versions))
    if found is None:
        known = ", ".join(f"v{each}" for each in sorted(versions))
        raise NotRecorded(f"{where} has no {name} v{number}; it has {known}")
    return found


def _before(history: TypeHistory, number: int | None, after: SchemaVersion) -> SchemaVersion:
    """The version of a number; else what is recorded of the same version, if it is another; else
    the newest that is older."""
    if number is not None:
        return version_in(history, number)
    same = history.versions.get(after.version)
    if same is not None and _identity(same) != _identity(after):
        return same
    older = [each for each in history.versions if each < after.version]
    return history.versions[max(older)] if older else version_in(history, after.version)


def _identity(version: SchemaVersion) -> tuple[str, str]:
    return version.fingerprint, version.reader_fingerprint


def _lines(before: Side, after: Side) -> Iterator[str]:
    old, new = before.version, after.version
    yield click.style(f"{new.name} {before} -> {after}", bold=True)
    written = differences(old.writer, new.writer)
    read = [each for each in differences(old.reader, new.reader) if each not in written]
    yield from _changes("what is written", written)
    yield from _changes("what is read, besides" if written else "what is read", read)
    if not written and not read:
        yield "  nothing changed"
    older, newer = (f"v{each.version}" for each in (old, new))
    if older == newer:
        older, newer = f"the {older} of {before.where}", f"the {newer} of {after.where}"
    yield from _verdict(f"{newer} reads what {older} wrote", compare(new.reader, old.writer))
    yield from _verdict(f"{older} reads what {newer} writes", compare(old.reader, new.writer))


def _changes(title: str, changes: Sequence[Change]) -> Iterator[str]:
    if changes:
        yield f"  {title}:"
    for each in changes:
        sign = _sign(each)
        place = each.pointer or "the whole payload"
        yield f"    {click.style(sign, fg=_COLOURS[sign])} {place}  {_said(each)}"


def _sign(change: Change) -> str:
    if change.what in _PARTS and not (change.old and change.new):
        return "+" if change.new else "-"
    return "~"


def _said(change: Change) -> str:
    what = "" if change.what == "field" else f"{change.what}: "
    if _sign(change) == "~":
        return f"{what}{change.old or '(none)'} -> {change.new or '(none)'}"
    return what + (change.old or change.new)


def _verdict(question: str, breaks: Sequence[Break]) -> Iterator[str]:
    answer = click.style("no", fg="red") if breaks else click.style("yes", fg="green")
    yield f"  {question}: {answer}"
    for each in breaks:
        yield from (f"    {line}" for line in break_lines(each))
