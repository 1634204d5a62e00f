"""docs/cli.md has the help of the commands as they are now."""

from __future__ import annotations

from omniq_typed.cli.main import cli
from tests.docs.cli_page import PAGE, commands, page


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tests.docs.cli_page"


def test_every_command_is_on_the_page() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for words, _ in commands(cli):
        assert f"\n### {' '.join(words)}\n" in text
