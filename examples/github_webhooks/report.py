"""What the demo shows at its end."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from rich.columns import Columns
from rich.console import Console
from rich.table import Table

from examples.github_webhooks.digest import Digest

MOST = 8


@dataclass
class Summary:
    """What was done. `known`: published under an id that the server had already."""

    server: str
    published: int = 0
    known: int = 0
    handled: int = 0
    failed: int = 0
    undecodable: int = 0
    seconds: float = 0.0
    skipped: Counter[str] = field(default_factory=Counter)
    invalid: list[str] = field(default_factory=list)
    interrupted: bool = False


def show(console: Console, digest: Digest, summary: Summary) -> None:
    if digest.handled:
        _show_digest(console, digest)
    if summary.skipped:
        names = ", ".join(f"{name} {count}" for name, count in sorted(summary.skipped.items()))
        console.print(f"skipped, no message type: {names}")
    for problem in summary.invalid[:MOST]:
        console.print(f"not published, invalid: {problem}", markup=False)
    if len(summary.invalid) > MOST:
        console.print(f"… and {len(summary.invalid) - MOST} more invalid deliveries")
    if summary.known:
        console.print(f"known already and not handled again: {summary.known}")
    speed = summary.handled / summary.seconds if summary.seconds else 0.0
    console.print(
        f"[bold]{summary.published} published, {summary.handled} handled,"
        f" {summary.failed} failed, {summary.undecodable} undecodable[/]"
        f" in {summary.seconds:.2f} s: {speed:,.0f} jobs/s on {summary.server}",
        highlight=False,
        soft_wrap=True,
    )
    if summary.interrupted:
        console.print("interrupted before everything was handled")


def _show_digest(console: Console, digest: Digest) -> None:
    actions = Table(title="what happened", title_justify="left")
    actions.add_column("event")
    actions.add_column("actions")
    actions.add_column("total", justify="right")
    for event, counts in sorted(digest.actions_by_event.items()):
        told = ", ".join(f"{action} {count}" for action, count in counts.most_common())
        actions.add_row(event, told, str(counts.total()))
    console.print(actions)
    console.print(
        Columns(
            [
                _ranking("events by repository", digest.events_by_repository),
                _ranking("most active people", digest.events_by_person),
                _ranking("in numbers", +digest.happenings),
            ]
        )
    )


def _ranking(title: str, counts: Counter[str]) -> Table:
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, count in counts.most_common(MOST):
        table.add_row(name, f"{count:,}")
    return table
