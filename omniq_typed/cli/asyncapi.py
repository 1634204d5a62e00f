"""`omniq-typed asyncapi`: the document of what a program sends and receives."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import click

from omniq_typed.cli.apps import App, apps_argument, load, types_of
from omniq_typed.schema.asyncapi import Route, asyncapi_document, made_up_examples

_STDOUT = "-"


@click.command(short_help="Write an AsyncAPI document.")
@apps_argument
@click.option("--title", default="", help="Of the program.  [default: the first APP]")
@click.option("--version", default="1.0.0", show_default=True, help="Of the program.")
@click.option("--description", default="", help="Of the program.")
@click.option("--server", default="", metavar="HOST:PORT", help="The server to name, if any.")
@click.option(
    "--out",
    default=_STDOUT,
    show_default=True,
    metavar="FILE",
    help="Where to write the JSON; - is the standard output.",
)
def asyncapi(
    apps: tuple[str, ...], title: str, version: str, description: str, server: str, out: str
) -> None:
    """Write an AsyncAPI 3.0 document of APP as JSON: its queues are channels. What its consumers
    take is received; every message type that names a queue is sent there. Each message has an
    example, made up from its schema.

    \b
    Examples:
      omniq-typed asyncapi app:bus --title Shop --version 2.3.0
      omniq-typed asyncapi app:bus --server redis.internal:6379 --out asyncapi.json
    """
    routes = _routes(load(apps))
    document = asyncapi_document(
        routes,
        title=title or apps[0],
        version=version,
        description=description,
        server=server,
        examples=made_up_examples(routes),
    )
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    if out == _STDOUT:
        click.echo(text, nl=False)
        return
    Path(out).write_text(text, encoding="utf-8")
    click.echo(f"{len(document['channels'])} channels written to {out}")


def _routes(apps: Iterable[App]) -> list[Route]:
    known = list(apps)
    received = [
        Route("receive", queue, message_type)
        for app in known
        if app.bus is not None
        for queue, message_type in app.bus.consumed()
    ]
    sent = [Route("send", each.queue, each) for each in types_of(known) if each.queue is not None]
    return [*sent, *received]
