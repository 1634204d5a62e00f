"""`omniq-typed schema export`: the folder of schemas, written or looked at."""

from __future__ import annotations

from pathlib import Path

import click

from omniq_typed.cli.apps import apps_argument, load, types_of
from omniq_typed.schema import files
from omniq_typed.schema.files import Dialect, Problem

_WHAT_TO_DO = {
    Problem.STALE: "stale files are not what the code says: export again, and look at what changed",
    Problem.MISSING: "missing files belong to types that were never exported: export again",
    Problem.FOREIGN: "foreign files belong to types or versions that the code does not have: name"
    " the APP that has them too, or delete the files and their entries in index.json",
}


@click.command(short_help="Write the folder of schemas, or check that it is current.")
@apps_argument
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("schemas"),
    show_default=True,
    metavar="DIR",
    help="The folder to write.",
)
@click.option("--check", is_flag=True, help="Write nothing, only say what is not current.")
@click.option(
    "--dialect",
    type=click.Choice([each.value for each in Dialect]),
    default=Dialect.DRAFT_2020_12.value,
    show_default=True,
    help="The words of the schemas; `schema check` needs 2020-12.",
)
def export(apps: tuple[str, ...], out: Path, check: bool, dialect: str) -> None:
    """Export the JSON Schemas of all message types of APP: NAME/vN.json is what a writer emits,
    NAME/vN.reader.json what a reader takes, index.json has fingerprints, modes and waivers.

    APP is module:attribute (a bus, a registry, or a function that makes one), or a module, which
    is imported for the types that it registers. The folder belongs into version control.

    \b
    Exit codes: 0 written, or current; 1 --check found files that are not; 2 an error.

    \b
    Examples:
      omniq-typed schema export app:bus
      omniq-typed schema export shop.messages billing:make_bus --out contracts
      omniq-typed schema export app:bus --check
    """
    types = types_of(load(apps))
    if check:
        findings = files.check(out, types, dialect=Dialect(dialect))
        for each in findings:
            click.echo(f"{each.problem}: {out / each.path}")
        for problem in sorted({each.problem for each in findings}):
            click.echo(_WHAT_TO_DO[problem], err=True)
        raise click.exceptions.Exit(1 if findings else 0)
    for known in files.rewritten(out, types):
        click.echo(
            f"note: {known.label} changes under the same version; once it has been published, a"
            f" change is v{known.version + 1}",
            err=True,
        )
    changed = files.write(out, types, dialect=Dialect(dialect))
    click.echo(
        f"{_count(len(types), 'message type')}, {_count(len(changed), 'file')} written in {out}"
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
