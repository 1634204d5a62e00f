"""`omniq-typed worker`: runs the consumers of a bus, in this process or in several."""

from __future__ import annotations

from typing import Any

import click

from omniq_typed.cli.processes.options import WorkerOptions
from omniq_typed.cli.processes.starting import LEVELS, started
from omniq_typed.core.prefetch import MAX_PREFETCH
from omniq_typed.core.waiting import POLL_INTERVAL_S

SECONDS = click.FloatRange(min=0)
DEFAULTS = WorkerOptions("")


@click.command(short_help="Run the consumers of a bus.")
@click.argument("app", metavar="APP")
@click.option(
    "--queue",
    "queues",
    multiple=True,
    metavar="NAME",
    help="A queue to work on; may be given several times.  [default: all that have consumers]",
)
@click.option(
    "--processes",
    type=click.IntRange(min=1),
    default=DEFAULTS.processes,
    show_default=True,
    metavar="N",
    help="Worker processes. Each has as many lanes as the consumers' concurrency says.",
)
@click.option(
    "--max-prefetch",
    type=click.IntRange(min=1),
    default=MAX_PREFETCH,
    show_default=True,
    metavar="N",
    help="Jobs that a lane takes in one round trip at most.",
)
@click.option(
    "--poll-interval",
    "poll_interval_s",
    type=click.FloatRange(min=0, min_open=True),
    default=POLL_INTERVAL_S,
    show_default=True,
    metavar="SECONDS",
    help="How often an idle worker looks by itself, for jobs of foreign publishers.",
)
@click.option(
    "--drain/--no-drain",
    default=DEFAULTS.drain,
    show_default=True,
    help="At the end, let running jobs finish, or give them back at once.",
)
@click.option(
    "--grace",
    "grace_s",
    type=SECONDS,
    default=DEFAULTS.grace_s,
    show_default=True,
    metavar="SECONDS",
    help="How long they may take; then they are given back, without losing an attempt.",
)
@click.option(
    "--stuck-after",
    "stuck_after_s",
    type=SECONDS,
    default=DEFAULTS.stuck_after_s,
    show_default=True,
    metavar="SECONDS",
    help="How long a lane may be stuck before the worker ends with code 3; 0 is for ever.",
)
@click.option(
    "--health-port",
    type=click.IntRange(0, 65535),
    metavar="PORT",
    help="Answer /livez and /readyz over HTTP; 0 takes any free port, and says which.",
)
@click.option(
    "--health-host",
    default=DEFAULTS.health_host,
    show_default=True,
    metavar="ADDRESS",
    help="Who may ask: 0.0.0.0 or :: for other machines, as in a container.",
)
@click.option(
    "--reload", is_flag=True, help="Start anew when the program is edited. Not to deploy."
)
@click.option(
    "--log-level",
    type=click.Choice(LEVELS, case_sensitive=False),
    default=DEFAULTS.log_level,
    show_default=True,
    help="What is told, on stderr.",
)
def worker(**given: Any) -> None:
    """Run the consumers of APP, a Bus or an AsyncBus, until SIGTERM or Ctrl-C.

    The first signal ends it gently, as --drain and --grace say; the second at once. A Redis that
    is away is waited for. With --processes, one that dies is replaced.

    \b
    Exit codes:
      0      stopped by a signal, and nothing was lost
      1      a fault of the worker itself
      2      a wrong call, or what an operator has to mend: the app, a password, a port
      3      a lane was stuck; the others were drained. Start it again
      128+N  ended by a second signal N, or processes had to be killed by it

    \b
    Examples:
      omniq-typed worker app:bus
      omniq-typed worker app:bus --queue orders --processes 4 --grace 20
      omniq-typed worker app:bus --health-host 0.0.0.0 --health-port 8080
      omniq-typed worker app:bus --reload
    """
    raise click.exceptions.Exit(started(WorkerOptions(**given)))
