"""Writes the help of all commands into docs/cli.md: `python -m tests.docs.cli_page`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from omniq_typed.cli.main import NAME, cli

PAGE = Path(__file__).resolve().parents[2] / "docs" / "cli.md"
HEADING = "## Commands\n"
WIDTH = 90


def commands(group: click.Group, *words: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """The words of all commands that are no groups, in order of the alphabet."""
    for name, each in sorted(group.commands.items()):
        if isinstance(each, click.Group):
            yield from commands(each, *words, name)
        else:
            yield (*words, name), each


def help_of(words: tuple[str, ...], command: click.Command) -> str:
    context = click.Context(
        command,
        info_name=" ".join([NAME, *words]),
        max_content_width=WIDTH,
        terminal_width=WIDTH,
        help_option_names=["-h", "--help"],
    )
    return command.get_help(context)


def page() -> str:
    """The page as it should be."""
    written, _, _ = PAGE.read_text(encoding="utf-8").partition(HEADING)
    parts = [
        f"### {' '.join(words)}\n\n```text\n{help_of(words, command)}\n```\n"
        for words, command in commands(cli)
    ]
    return "\n".join([written + HEADING, *parts])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
