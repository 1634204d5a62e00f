"""`omniq-typed schema`: the group; each of its commands has a module of its own."""

from __future__ import annotations

import click

from omniq_typed.cli.export import export


@click.group(short_help="Export, compare and register the schemas of message types.")
def schema() -> None:
    """The schemas of message types: exported, compared, and kept in Redis."""


schema.add_command(export)
