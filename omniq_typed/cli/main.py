"""The program `omniq-typed`: its groups of commands, and how every one of them ends.

Exit codes: 0 done; 1 what was asked for does not hold (stale files, an incompatible change);
2 a wrong call, or an environment in which it cannot be answered; 130 Ctrl-C; 141 nobody reads on.
Those of a worker: processes/exits.py.
"""

from __future__ import annotations

import os
import sys
from typing import Any, NoReturn

import click

from omniq_typed import __version__
from omniq_typed.cli.asyncapi import asyncapi
from omniq_typed.cli.lua import lua
from omniq_typed.cli.schema import schema
from omniq_typed.cli.worker import worker
from omniq_typed.errors import OmniqError

NAME = "omniq-typed"
FAILED, INTERRUPTED, PIPE_CLOSED = 2, 130, 141


class _PipeClosed(Exception):
    """Whoever read our output has gone."""

    # Not a BrokenPipeError: what click makes of that differs between its releases.


class Program(click.Group):
    """A group of commands that ends with our exit codes, and never with a traceback for an error
    that says itself what to do."""

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
            return result
        except BrokenPipeError as error:
            raise _PipeClosed from error

    def main(self, *args: Any, **extra: Any) -> NoReturn:
        """Runs the command of the arguments, and exits."""
        try:
            code = super().main(*args, **{**extra, "standalone_mode": False})
        except click.UsageError as error:
            error.show()
            code = FAILED
        except click.ClickException as error:
            code = _failed(error.format_message())
        except (click.Abort, KeyboardInterrupt):
            code = INTERRUPTED
        except _PipeClosed:
            # So that the flush at the end of the interpreter has nowhere to fail.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = PIPE_CLOSED
        except (OmniqError, OSError) as error:
            code = _failed(str(error))
        sys.exit(code or 0)


def _failed(message: str) -> int:
    click.echo(f"{click.style('error:', fg='red', bold=True)} {message}", err=True)
    return FAILED


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name=NAME, message="%(prog)s %(version)s")
@click.pass_context
def cli(context: click.Context) -> None:
    """Run workers, and look after message types: their schemas for other languages, and what a
    change to them would break.

    \b
    Examples:
      omniq-typed worker app:bus
      omniq-typed schema export app:bus
      omniq-typed schema check app:bus --against git:origin/main
      omniq-typed asyncapi app:bus --out asyncapi.json
      omniq-typed lua export --out lua-export
    """
    if os.environ.get("NO_COLOR"):
        context.color = False


for group in (worker, schema, asyncapi, lua):
    cli.add_command(group)


def main() -> NoReturn:
    """What the console script calls."""
    cli.main(prog_name=NAME)
