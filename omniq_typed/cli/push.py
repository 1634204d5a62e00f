"""`omniq-typed schema push`: types of the code, or of the folder, registered in Redis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import click

from omniq_typed.cli.apps import App, load, types_of
from omniq_typed.cli.check import report_of
from omniq_typed.cli.reports import Format, Outcome, written
from omniq_typed.cli.sources import dir_option, opened, read_folder, url_option
from omniq_typed.errors import IncompatibleSchema
from omniq_typed.schema.compatibility.check import Report
from omniq_typed.schema.history import with_index_of
from omniq_typed.schema.versions import (
    DEFAULT_COMPATIBILITY,
    TypeHistory,
    declared_mode,
    version_of,
)
from omniq_typed.schema_registry import Pushed, SchemaStore

Histories = Mapping[str, TypeHistory]


@click.command(short_help="Register versions in Redis.")
@click.argument("apps", nargs=-1, metavar="[APP]...")
@dir_option
@click.option("--force", is_flag=True, help="Also what is incompatible.")
@url_option
def push(apps: tuple[str, ...], directory: Path, force: bool, url: str) -> None:
    """Register the versions of all message types of APP in Redis, or, without one, those of the
    folder of schemas; with the modes and waivers of the folder's index. What is not compatible with
    the registered versions is refused, and nothing is written. Other versions stay. All are
    registered as a publisher registers them: leave out an APP that reads types of others by classes
    of its own.

    Only an APP has the upcasts that answer a break.

    \b
    Exit codes: 0 registered; 1 refused; 2 an error.

    \b
    Examples:
      omniq-typed schema push app:bus --url redis://localhost:6379/0
      omniq-typed schema push --dir contracts
    """
    loaded = load(apps) if apps else []
    folder = {} if apps else read_folder(directory)
    with opened(url) as transport:
        store = SchemaStore(transport)
        try:
            if loaded:
                done = _push_types(store, loaded, directory, force)
            else:
                done = store.push(folder, force=force)
        except IncompatibleSchema as error:
            outcome = Outcome(Report(error.breaks), types_of(loaded), "Redis")
            click.echo(written(outcome, Format.TEXT), err=True)
            raise click.exceptions.Exit(1) from None
    _tell(done)


def _push_types(store: SchemaStore, apps: Sequence[App], directory: Path, force: bool) -> Pushed:
    types = types_of(apps)
    names = dict.fromkeys(each.name for each in types)
    new = {name: TypeHistory(name, DEFAULT_COMPATIBILITY, {}) for name in names}
    settings = with_index_of(directory, {**new, **store.histories(names)})
    histories = {}
    for name in names:
        own = [each for each in types if each.name == name]
        mode = declared_mode(own) or settings[name].mode
        versions = {each.version: version_of(each) for each in own}
        histories[name] = TypeHistory(name, mode, versions, settings[name].waivers)

    def check(new: Histories, there: Histories) -> Report:
        known = {
            name: replace(it, mode=new[name].mode, waivers=new[name].waivers)
            for name, it in there.items()
        }
        return report_of(apps, known)

    return store.push(histories, force=force, check=check)


def _tell(done: Pushed) -> None:
    for each in done.versions:
        click.echo(f"registered: {each}")
    for each in done.settings:
        click.echo(f"mode and waivers: {each}")
    if not done.versions and not done.settings:
        click.echo("nothing is new", err=True)
