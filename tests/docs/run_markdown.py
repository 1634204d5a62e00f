"""Runs the Python blocks of one Markdown file: `python -m tests.docs.run_markdown FILE URL`.

A reader pastes the blocks one after another into one program; so they run here, in order and in
one namespace, `__main__`. What differs from what he does:

- `localhost:6379` and `port=6379` in the text of a block, and the variable OMNIQ_URL, mean the
  server of URL. A block that could reach another server on the network is refused.
- `run` and `consume` end by themselves where the block passes no `stop`: when their queues have
  nothing left that could run now. Jobs that are due later are not waited for.
- `await` outside of a function works, as in a notebook.
- Functions `test_...` without parameters run behind their block, as pytest would run them.

A block is left out only where the line above its fence is `<!-- not run: REASON -->`. The exit
status is 0, or 1 with a traceback that names the file and the line of the file.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import os
import re
import sys
import threading
import types
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from omniq_typed import AsyncBus, AsyncOmniqClient, Bus, OmniqClient, QueueMonitor
from omniq_typed.transport.sync import SyncTransport

_FENCE = re.compile(r"^ {0,3}(?P<ticks>`{3,}|~{3,})(?P<info>.*)$")
_SKIP = re.compile(r"<!-- not run: (?P<reason>.*\S) *-->\Z")
_LOOK_INTERVAL_S = 0.02


class BadBlock(Exception):
    """A block that cannot be run as it stands."""


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and the number of the line where the text starts."""

    language: str
    text: str
    line: int
    above: str
    """The line above the fence, without white space around it."""

    @property
    def skip_reason(self) -> str:
        """Why the block is not run, '' = it is."""
        found = _SKIP.match(self.above)
        return found["reason"] if found else ""


def blocks_of(markdown: str) -> list[Block]:
    """All fenced blocks. Raises BadBlock where one is never closed."""
    lines = markdown.splitlines()
    found = []
    at = 0
    while at < len(lines):
        opening = _FENCE.match(lines[at])
        if opening is None:
            at += 1
            continue
        closing = re.compile(rf"^ {{0,3}}{opening['ticks'][0]}{{{len(opening['ticks'])},}} *$")
        end = next((n for n in range(at + 1, len(lines)) if closing.match(lines[n])), None)
        if end is None:
            raise BadBlock(f"line {at + 1}: the block is never closed")
        above = lines[at - 1].strip() if at else ""
        language = opening["info"].strip().split(" ")[0]
        found.append(Block(language, "\n".join(lines[at + 1 : end]) + "\n", at + 2, above))
        at = end + 1
    return found


def python_blocks(markdown: str) -> list[Block]:
    """The blocks marked `python`. Raises BadBlock for those that look like Python under another
    name, which nobody would run."""
    blocks = blocks_of(markdown)
    for block in blocks:
        if block.language.lower().startswith("py") and block.language != "python":
            raise BadBlock(f"line {block.line - 1}: write python, not {block.language}")
        if block.above.startswith("<!-- not run") and not block.skip_reason:
            raise BadBlock(f"line {block.line - 2}: write <!-- not run: REASON -->")
    return [block for block in blocks if block.language == "python"]


def on_test_server(text: str, url: str) -> str:
    """The text of a block with the server of `url` in place of the one on port 6379."""
    server = urlsplit(url)
    text = text.replace("localhost:6379", f"{server.hostname}:{server.port}")
    text = re.sub(r"\bport=6379\b", f"port={server.port}", text)
    hosts = set(re.findall(r"(?:redis|rediss)://(?:[^@/\s\"']*@)?([^/\s\"']+)", text))
    if strange := hosts - {f"{server.hostname}:{server.port}"}:
        raise BadBlock(f"names another server than localhost:6379: {', '.join(sorted(strange))}")
    if re.search(r"\bhost=", text) and f"port={server.port}" not in text:
        raise BadBlock("passes host= without port=6379, so that it cannot be sent elsewhere")
    return text


def run_file(path: Path, url: str) -> int:
    """Runs all blocks of a file; how many those were. Raises what a block raises."""
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    os.environ["OMNIQ_URL"] = url
    ran = 0
    with _ending_workers(), asyncio.Runner() as runner:
        for block in python_blocks(path.read_text(encoding="utf-8")):
            if block.skip_reason:
                print(f"{path}:{block.line}: not run: {block.skip_reason}")
                continue
            try:
                text = on_test_server(block.text, url)
            except BadBlock as error:
                raise BadBlock(f"{path}:{block.line}: the block {error}") from None
            before = dict(module.__dict__)
            result = eval(_compiled(text, block.line, path), module.__dict__)
            for each in (result, *_tested(module.__dict__, before)):
                if inspect.iscoroutine(each):
                    runner.run(each)
            ran += 1
    return ran


def _tested(namespace: dict[str, Any], before: dict[str, Any]) -> Iterator[Any]:
    """What the new tests of a block answer."""
    for name, value in list(namespace.items()):
        is_new = before.get(name) is not value
        is_test = name.startswith("test_") and inspect.isfunction(value)
        if is_new and is_test and not inspect.signature(value).parameters:
            yield value()


def _compiled(text: str, line: int, path: Path) -> types.CodeType:
    placed = "\n" * (line - 1) + text  # so that a traceback shows the line of the document
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    code: types.CodeType = compile(placed, str(path), "exec", flags=flags, dont_inherit=True)
    return code


@contextmanager
def _ending_workers() -> Generator[None]:
    """Within, workers that nobody else could stop end when there is nothing left to do."""
    run, consume = Bus.run, OmniqClient.consume
    run_async, consume_async = AsyncBus.run, AsyncOmniqClient.consume

    def ending_run(bus: Bus, **options: Any) -> None:
        with _stop_when_idle(bus.transport, _queues_of(bus, options), options):
            run(bus, **options)

    def ending_consume(client: OmniqClient, **options: Any) -> None:
        with _stop_when_idle(client.transport, [options["queue"]], options):
            consume(client, **options)

    async def ending_run_async(bus: AsyncBus, **options: Any) -> None:
        await bus.transport.client()
        queues = _queues_of(bus, options)
        with (
            closing(bus.transport.blocking_twin()) as twin,
            _stop_when_idle(twin, queues, options),
        ):
            await run_async(bus, **options)

    async def ending_consume_async(client: AsyncOmniqClient, **options: Any) -> None:
        await client.transport.client()
        with (
            closing(client.transport.blocking_twin()) as twin,
            _stop_when_idle(twin, [options["queue"]], options),
        ):
            await consume_async(client, **options)

    patched: list[tuple[type, str, Any, Any]] = [
        (Bus, "run", run, ending_run),
        (OmniqClient, "consume", consume, ending_consume),
        (AsyncBus, "run", run_async, ending_run_async),
        (AsyncOmniqClient, "consume", consume_async, ending_consume_async),
    ]
    for cls, name, _, ending in patched:
        setattr(cls, name, ending)
    try:
        yield
    finally:
        for cls, name, original, _ in patched:
            setattr(cls, name, original)


def _queues_of(bus: Bus | AsyncBus, options: dict[str, Any]) -> list[str]:
    return [route.queue for route in bus._consumers.routes(options.get("queues"))]


@contextmanager
def _stop_when_idle(
    transport: SyncTransport, queues: list[str], options: dict[str, Any]
) -> Generator[None]:
    if options.get("stop") is not None:
        yield
        return
    stop = options["stop"] = threading.Event()
    watcher = threading.Thread(target=_watch, args=(transport, queues, stop), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        stop.set()
        watcher.join()


@dataclass(frozen=True)
class _Connected:
    transport: SyncTransport


def _watch(transport: SyncTransport, queues: list[str], stop: threading.Event) -> None:
    """Sets `stop` when two looks in a row find the same: nothing waiting, nothing running."""
    monitor = QueueMonitor(_Connected(transport))
    before = None
    try:
        while not stop.wait(_LOOK_INTERVAL_S):
            seen = monitor.stats_many(queues)
            busy = any(stats.waiting_total + stats.active for stats in seen)
            if not busy and seen == before:
                return
            before = seen
    finally:
        stop.set()


if __name__ == "__main__":
    print(f"{run_file(Path(sys.argv[1]), sys.argv[2])} blocks ran")
