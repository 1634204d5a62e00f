"""A user's project in a folder of its own, and the command line run in it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest
from click.testing import CliRunner, Result

from omniq_typed import Bus
from omniq_typed.cli.main import NAME, cli
from tests.cli.worker_program import PROGRAM, REGISTRY, Publish, Start, Task, Worker
from tests.servers import Server
from tests.workers import Watch, watching


class Project:
    """A folder that is the current directory. Its modules register their types in a `Registry` of
    their own, since all tests share one process."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, name: str, text: str) -> Path:
        """A file, its text dedented."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), encoding="utf-8")
        return path

    def write_orders(self, fields: str, *, version: int = 1, more: str = "") -> None:
        """The module `app` with orders.created of these fields ("a: int; b: str"), and a bus."""
        body = "\n".join(f"    {each.strip()}" for each in fields.split(";"))
        self.write("app.py", ORDERS.format(version=version, fields=body) + dedent(more))

    def run(self, *arguments: str, status: int = 0, given: str | None = None) -> Result:
        """What a command says; it ends with `status`."""
        forget_modules(self.root)
        result = CliRunner().invoke(cli, arguments, input=given, prog_name=NAME)
        assert result.exit_code == status, result.output
        return result


ORDERS = """\
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from omniq_typed import Bus, Registry, message, upcast

registry = Registry(strict_types=False)
bus = Bus("redis://localhost:1/0", registry=registry)


@message("orders.created", version={version}, queue="orders", registry=registry)
class OrderCreated(BaseModel):
{fields}
"""


def forget_modules(root: Path) -> None:
    """As a new process would know none of them."""
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None) or "").startswith(str(root)):
            del sys.modules[name]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    # Two versions of a file within a second would share one .pyc.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.delenv("OMNIQ_URL", raising=False)
    yield Project(tmp_path)
    forget_modules(tmp_path)


@pytest.fixture
def watch(redis_server: Server) -> Iterator[Watch]:
    redis_server.ensure_running()
    redis_server.flushall()
    with watching(redis_server.url) as found:
        yield found


@pytest.fixture
def start(redis_server: Server, tmp_path: Path) -> Start:
    """Starts the command on the server."""
    (tmp_path / "app.py").write_text(PROGRAM)
    return lambda *arguments: Worker(tmp_path, redis_server.url, *arguments)


@pytest.fixture
def publish(redis_server: Server, watch: Watch) -> Iterator[Publish]:
    """Publishes a Task."""
    with Bus(redis_server.url, registry=REGISTRY) as bus:
        yield lambda do, seconds=0.0: bus.publish_json(Task(do, seconds))
