"""`omniq-typed schema prune`: versions that no job needs any more, deleted from Redis."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import click

from omniq_typed.cli.sources import check_version, not_recorded, opened, url_option
from omniq_typed.core.schema_records import SchemaEntry
from omniq_typed.errors import PermissionDenied
from omniq_typed.monitor import QueueMonitor
from omniq_typed.schema_registry import SchemaStore
from omniq_typed.transport.sync import SyncTransport


@click.command(short_help="Delete versions from Redis that no job needs any more.")
@click.argument("name")
@click.option(
    "--version",
    "versions",
    type=click.IntRange(min=1),
    multiple=True,
    metavar="N",
    help="A version to delete; may be given several times.",
)
@click.option(
    "--keep", type=click.IntRange(min=1), metavar="N", help="Delete all but the newest N."
)
@click.option("--force", is_flag=True, help="Also those of which there are jobs.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@url_option
def prune(
    name: str, versions: tuple[int, ...], keep: int | None, force: bool, yes: bool, url: str
) -> None:
    """Delete versions of a type from the registry in Redis: without --version and --keep, all of
    them. What would go is shown, and asked for.

    Versions of which jobs wait, are delayed, active or failed, in any queue of the server, stay:
    who takes those jobs may need the schema.

    \b
    Exit codes: 0 what was asked for is gone; 1 something stayed; 2 an error.

    \b
    Examples:
      omniq-typed schema prune orders.created --version 1 --version 2
      omniq-typed schema prune orders.created --keep 2 --yes
    """
    if versions and keep:
        raise click.UsageError("--version and --keep exclude each other")
    with opened(url) as transport:
        store = SchemaStore(transport)
        entry = _entry(store, name)
        wanted = _wanted(entry, versions, keep)
        jobs = Counter[int]() if force else _jobs_in_flight(transport, name)
        goes = [each for each in wanted if not jobs[each]]
        for each in wanted:
            stays = f"stays, {jobs[each]} jobs in flight" if jobs[each] else "goes"
            click.echo(f"{name} v{each}: {stays}")
        if goes and not yes and not _agreed(f"Delete {len(goes)} of {len(entry.records)}?"):
            raise click.exceptions.Exit(1)
        gone = store.forget(name, goes) if goes else 0
    click.echo(f"{gone} deleted")
    raise click.exceptions.Exit(0 if goes == wanted else 1)


def _entry(store: SchemaStore, name: str) -> SchemaEntry:
    """Without its schemas: one that cannot be read has to go, too. Raises NotRecorded."""
    entries = {each.name: each for each in store.list()}
    if name not in entries:
        raise not_recorded(name, "Redis", entries)
    return entries[name]


def _wanted(entry: SchemaEntry, versions: Sequence[int], keep: int | None) -> list[int]:
    known = [each.version for each in entry.records]
    for number in versions:
        check_version(entry.name, number, known)
    if versions:
        return sorted(set(versions))
    return known if keep is None else known[:-keep]


@dataclass(frozen=True, slots=True)
class _Connected:
    transport: SyncTransport


def _jobs_in_flight(transport: SyncTransport, name: str) -> Counter[int]:
    """As `_counted`. Raises PermissionDenied that says what to do."""
    try:
        return _counted(transport, name)
    except PermissionDenied as error:
        raise PermissionDenied(
            "the user may not look for jobs in all queues; grant +scan and ~*, or pass --force,"
            " which does not look",
            error.server_message,
        ) from error


def _counted(transport: SyncTransport, name: str) -> Counter[int]:
    """Jobs by version, in all queues. One that names no type is version 1 of what its queue's
    consumer takes: it counts for the type that names the queue."""
    monitor = QueueMonitor(_Connected(transport))
    first = SchemaStore(transport).origins(name).get(1)
    found = Counter[int]()
    for queue in monitor.scan_queues():
        untyped_too = first is not None and first.queue == queue
        for row in monitor.versions_in_flight(queue):
            if row.msg_type == name or (not row.msg_type and untyped_too):
                found[row.version] += row.total
    return found


def _agreed(question: str) -> bool:
    click.echo(f"{question} [y/N] ", nl=False, err=True)
    answer = sys.stdin.readline()
    if not answer:
        click.echo(err=True)
        raise click.UsageError("nobody answered; pass --yes")
    return answer.strip().lower() in ("y", "yes")
