"""`omniq-typed schema list|show|pull`: what the registry of schemas in Redis has."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from omniq_typed.cli.sources import Recorded, dir_option, opened, url_option, version_in
from omniq_typed.core.schema_records import SchemaEntry
from omniq_typed.schema import files
from omniq_typed.schema.versions import TypeHistory
from omniq_typed.schema_registry import SchemaStore

_COLUMNS = ("NAME", "VERSION", "MODE", "WRITER", "READER", "REGISTERED", "BY")


@click.command("list", short_help="List what is registered in Redis.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
@url_option
def list_registered(form: str, url: str) -> None:
    """List the types and versions that are registered in Redis, what the versions of a type owe to
    one another, and the fingerprints of their schemas. What only a consumer has registered, by a
    reader, is provisional: the first publisher may have another schema.

    \b
    Examples:
      omniq-typed schema list --url redis://localhost:6379/0
      OMNIQ_URL=redis://localhost:6379/0 omniq-typed schema list --format json
    """
    with opened(url) as transport:
        entries = SchemaStore(transport).list()
    if form == "json":
        click.echo(json.dumps([_as_json(each) for each in entries], indent=2))
    elif entries:
        click.echo("\n".join(_table([_COLUMNS, *(row for it in entries for row in _rows(it))])))
    else:
        click.echo("nothing is registered", err=True)


@click.command(short_help="Print a schema that is registered in Redis.")
@click.argument("name")
@click.argument("version", required=False, type=click.IntRange(min=1))
@click.option("--reader", is_flag=True, help="What a reader takes, not what a writer emits.")
@url_option
def show(name: str, version: int | None, reader: bool, url: str) -> None:
    """Print the JSON Schema of a registered type: of its newest version, if none is given.

    \b
    Examples:
      omniq-typed schema show orders.created
      omniq-typed schema show orders.created 1 --reader
    """
    with opened(url) as transport:
        history = registered(SchemaStore(transport), name)
    found = version_in(history, version or max(history.versions))
    if found.version in history.provisional:
        click.echo(f"note: {_provisional(history, found.version)}", err=True)
    click.echo(json.dumps(found.reader if reader else found.writer, indent=2, ensure_ascii=False))


@click.command(short_help="Write what is registered in Redis into the folder.")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@dir_option
@url_option
def pull(names: tuple[str, ...], directory: Path, url: str) -> None:
    """Write registered versions, with modes and waivers, into the folder of schemas: of all types,
    or of those that are named. What else is in the folder stays. Left out, and told, are versions
    that only a consumer has registered.

    \b
    Examples:
      omniq-typed schema pull
      omniq-typed schema pull orders.created --dir contracts
    """
    with opened(url) as transport:
        store = SchemaStore(transport)
        histories = [registered(store, name) for name in names] or list(store.histories().values())
    for each in histories:
        for number in sorted(each.provisional):
            click.echo(f"left out: {_provisional(each, number)}", err=True)
    histories = [firm for it in histories if (firm := it.without_provisional()).versions]
    changed = files.write_histories(directory, histories)
    for path in changed:
        click.echo(f"written: {path}")
    click.echo(
        f"{len(histories)} types pulled, {len(changed)} files changed in {directory}", err=True
    )


def registered(store: SchemaStore, name: str) -> TypeHistory:
    """What Redis has of a type. Raises NotRecorded."""
    histories = store.histories([name])
    if name not in histories:
        histories = store.histories()  # for the names that are near
    return Recorded("Redis", histories).history(name)


def _provisional(history: TypeHistory, number: int) -> str:
    source = history.provisional[number]
    by = f", {source}," if source else ""
    return f"{history.name} v{number} is provisional, only a consumer{by} has registered it"


def _rows(entry: SchemaEntry) -> Iterator[tuple[str, ...]]:
    for each in entry.records:
        at = datetime.fromtimestamp(each.registered_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        version, fingerprints = f"v{each.version}", (each.fingerprint, each.reader_fingerprint)
        yield entry.name, version, entry.mode, *fingerprints, at, each.role


def _table(rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    known = list(rows)
    widths = [max(map(len, column)) for column in zip(*known, strict=True)]
    for row in known:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        yield "  ".join(cells).rstrip()


def _as_json(entry: SchemaEntry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "mode": entry.mode,
        "versions": [
            {
                "version": each.version,
                "fingerprint": each.fingerprint,
                "reader_fingerprint": each.reader_fingerprint,
                "registered_ms": each.registered_ms,
                "role": each.role,
            }
            for each in entry.records
        ],
    }
