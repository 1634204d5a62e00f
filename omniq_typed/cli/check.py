"""`omniq-typed schema check`: whether the message types of the code keep to what is recorded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import click

from omniq_typed.cli import sources
from omniq_typed.cli.apps import App, apps_argument, load, registries_of, types_of
from omniq_typed.cli.reports import Format, Outcome, written
from omniq_typed.cli.sources import dir_option, optional_url_option
from omniq_typed.schema.compatibility.check import Report
from omniq_typed.schema.compatibility.check import check as check_types
from omniq_typed.schema.versions import Compatibility, TypeHistory


@click.command(short_help="Say whether the code keeps to the recorded schemas.")
@apps_argument
@click.option(
    "--against",
    metavar="SOURCE",
    default="",
    help="What is recorded: a folder, git:REV or git:REV:DIR, redis, or a server's URL."
    "  [default: the folder of --dir]",
)
@dir_option
@click.option(
    "--mode",
    type=click.Choice([each.value for each in Compatibility], case_sensitive=False),
    metavar="MODE",
    help="Instead of the modes of the types.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice([each.value for each in Format]),
    default=Format.TEXT.value,
    show_default=True,
    help="For people, for programs, or annotations for a GitHub workflow.",
)
@optional_url_option
def check(
    apps: tuple[str, ...], against: str, directory: Path, mode: str | None, form: str, url: str
) -> None:
    """Say whether readers and writers of all versions of a message type still understand one
    another, as far as the mode of the type asks for: BACKWARD (new readers take what old writers
    wrote), FORWARD (old readers take what new writers write) or FULL, of the version before or
    _TRANSITIVE of all; or NONE. A backward break is answered by an @upcast. A break that is wanted
    is waived in index.json, for its version and rule, with a reason.

    With git and Redis, modes and waivers are those of the index in --dir, where the change that is
    checked can add them.

    \b
    Exit codes: 0 compatible; 1 not; 2 an error.

    \b
    Examples:
      omniq-typed schema check app:bus
      omniq-typed schema check app:bus --against git:origin/main --format github
      omniq-typed schema check app:bus --against redis
    """
    loaded = load(apps)
    recorded = sources.read(against or str(directory), directory, url)
    if not recorded.histories:
        click.echo(f"note: nothing is recorded in {recorded.where}, so that all is new", err=True)
    override = None if mode is None else Compatibility(mode.upper())
    report = report_of(loaded, recorded.histories, override)
    outcome = Outcome(report, types_of(loaded), recorded.where)
    click.echo(written(outcome, Format(form)))
    raise click.exceptions.Exit(0 if report.ok else 1)


def report_of(
    apps: Iterable[App], histories: Mapping[str, TypeHistory], mode: Compatibility | None = None
) -> Report:
    """How the types of all apps keep to recorded versions. `mode`: instead of the types' own."""
    reports = [
        check_types(registry.types(), registry, histories, mode=mode)
        for registry in registries_of(apps)
    ]
    return Report(
        tuple(finding for each in reports for finding in each.findings),
        tuple(note for each in reports for note in each.notes),
        sum(each.compared for each in reports),
    )
