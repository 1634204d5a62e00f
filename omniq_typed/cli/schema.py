"""`omniq-typed schema`: the group; its commands have modules of their own."""

from __future__ import annotations

import click

from omniq_typed.cli.check import check
from omniq_typed.cli.diff import diff
from omniq_typed.cli.export import export
from omniq_typed.cli.prune import prune
from omniq_typed.cli.push import push
from omniq_typed.cli.registry import list_registered, pull, show


@click.group(short_help="Export, compare and register the schemas of message types.")
def schema() -> None:
    """The schemas of message types: exported into a folder, compared between versions, and kept in
    Redis."""


for command in (export, check, diff, list_registered, show, pull, push, prune):
    schema.add_command(command)
