"""`omniq-typed lua`: the scripts that are the protocol, for clients in other languages."""

from __future__ import annotations

from pathlib import Path

import click

from omniq_typed import __version__
from omniq_typed.core.lua_manifest import exported


@click.group(short_help="The Lua scripts, for clients in other languages.")
def lua() -> None:
    """The Lua scripts that are the protocol, for clients in other languages."""


@lua.command(short_help="Write the scripts and a manifest of how they are called.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("lua-export"),
    show_default=True,
    metavar="DIR",
    help="The folder to write.",
)
@click.option("--check", is_flag=True, help="Write nothing, only say what is not current.")
def export(out: Path, check: bool) -> None:
    """Write each script of this release as one file, exactly the text whose SHA-1 is its name in
    Redis, and manifest.json: keys, arguments, replies and error codes of each. The same release
    writes the same bytes.

    \b
    Exit codes: 0 written, or current; 1 --check found files that are not; 2 an error.

    \b
    Examples:
      omniq-typed lua export --out client/lua
      omniq-typed lua export --out client/lua --check
    """
    files = exported(__version__)
    stale = [name for name, text in files.items() if _text_of(out / name) != text]
    others = sorted(path.name for path in out.glob("*.lua") if path.name not in files)
    if others:
        click.echo(
            f"note: no scripts of this release, and left alone: {', '.join(others)}", err=True
        )
    if check:
        for name in stale:
            click.echo(f"stale: {out / name}")
        raise click.exceptions.Exit(1 if stale else 0)
    out.mkdir(parents=True, exist_ok=True)
    for name in stale:  # the manifest last: what it names is there
        (out / name).write_bytes(files[name].encode())
    click.echo(f"{len(files) - 1} scripts and a manifest, {len(stale)} files written in {out}")


def _text_of(path: Path) -> str | None:
    try:
        return path.read_bytes().decode("utf-8", "replace")
    except FileNotFoundError:
        return None
