"""Workers for tests: in a thread of the test process, blocking or asyncio; and as processes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from omniq_typed import (
    AsyncOmniqClient,
    OmniqClient,
    QueueMonitor,
    Registry,
    message,
)
from omniq_typed.models import JobInfo, QueueStats
from tests.memory_engine import async_bus_at, bus_at
from tests.servers import end_all_waiting, wait_until

Face = Literal["sync", "async"]
FACES: tuple[Face, ...] = ("sync", "async")

LONG_S = 60.0
"""Longer than anything takes on the busiest machine; reaching it is a failure."""
LONG_POLL_S = 90.0
"""A poll interval within which nothing happens by polling."""
ROOT = Path(__file__).parents[1]

REGISTRY = Registry(strict_types=False)


@message("test.order", queue="orders", backoff_ms=1, registry=REGISTRY)
@dataclass
class Order:
    """A message."""

    number: int


@message("test.invoice", queue="orders", backoff_ms=1, registry=REGISTRY)
@dataclass
class Invoice:
    """Another on the same queue."""

    text: str


@dataclass
class Running:
    """A worker in a thread. `stop` ends it as Ctrl-C would; leaving the context does so too."""

    stop: threading.Event
    thread: threading.Thread
    errors: list[BaseException]

    def finish(self) -> None:
        """Stops it and waits; raises what its run raised."""
        self.stop.set()
        self.wait()

    def wait(self) -> None:
        """Waits until it has ended by itself; raises what its run raised."""
        self.thread.join(LONG_S)
        assert not self.thread.is_alive(), "the worker does not end"
        if self.errors:
            raise self.errors[0]


@contextlib.contextmanager
def running(run: Callable[[threading.Event], None]) -> Iterator[Running]:
    """`run(stop)` in a thread, for as long as the context lasts. At its end an idle worker need not
    wait for the end of its blocking call to hear of the stop."""
    stop = threading.Event()
    errors: list[BaseException] = []

    def target() -> None:
        try:
            run(stop)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=target, name="test-worker")
    thread.start()
    worker = Running(stop, thread, errors)
    try:
        yield worker
    finally:
        stop.set()
        pause_s, ends_at = 0.001, time.monotonic() + LONG_S
        while thread.is_alive() and time.monotonic() < ends_at:
            end_all_waiting()
            thread.join(pause_s)
            pause_s = min(2 * pause_s, 0.05)
    worker.finish()


@contextlib.contextmanager
def heard_at_once(stop: threading.Event) -> Iterator[None]:
    """A worker that runs within need not wait for the end of its blocking call to hear of the stop,
    whoever sets it."""
    over = threading.Event()

    def tell() -> None:
        stop.wait()
        while not over.is_set():
            end_all_waiting()
            over.wait(0.01)

    teller = threading.Thread(target=tell, name="test-teller")
    teller.start()
    try:
        yield
    finally:
        over.set()
        stop.set()
        teller.join()


Consumers = list[tuple[type[Any], Callable[[Any], Any], dict[str, Any]]]


def bus_worker(
    face: Face, url: str, consumers: Consumers, **options: Any
) -> contextlib.AbstractContextManager[Running]:
    """A typed worker. Handlers are plain functions; the asyncio one runs them in threads."""

    def run(stop: threading.Event) -> None:
        with bus_at(url, registry=REGISTRY) as bus:
            for cls, handler, given in consumers:
                bus.consumer(cls, **given)(handler)
            bus.run(stop=stop, **options)

    async def run_async(stop: threading.Event) -> None:
        async with async_bus_at(url, registry=REGISTRY) as bus:
            for cls, handler, given in consumers:
                bus.consumer(cls, **given)(as_async(handler))
            await bus.run(stop=stop, **options)

    return running(run if face == "sync" else on_loop(run_async))


def bus_at_work(
    face: Face, url: str, set_up: Callable[[Any], None], **options: Any
) -> contextlib.AbstractContextManager[Running]:
    """A bus of either face that works on what `set_up` registers, in a thread."""

    def run(stop: threading.Event) -> None:
        with bus_at(url, **options) as bus:
            set_up(bus)
            bus.run(stop=stop)

    async def run_async(stop: threading.Event) -> None:
        async with async_bus_at(url, **options) as bus:
            set_up(bus)
            await bus.run(stop=stop)

    return running(run if face == "sync" else on_loop(run_async))


def client_worker(
    face: Face, url: str, queue: str, handler: Callable[[Any], Any], **options: Any
) -> contextlib.AbstractContextManager[Running]:
    """An untyped worker, as `consume`."""

    def run(stop: threading.Event) -> None:
        with OmniqClient(url=url) as client:
            client.consume(queue=queue, handler=handler, stop=stop, **options)

    async def run_async(stop: threading.Event) -> None:
        async with AsyncOmniqClient(url=url) as client:
            await client.consume(queue=queue, handler=as_async(handler), stop=stop, **options)

    return running(run if face == "sync" else on_loop(run_async))


def as_async(handler: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A plain handler for an asyncio worker, in a thread, so that it may block."""

    async def handle(ctx: Any) -> Any:
        return await asyncio.to_thread(handler, ctx)

    return handle


def on_loop(run: Callable[[threading.Event], Any]) -> Callable[[threading.Event], None]:
    """A coroutine function as a thread's target."""

    async def main(stop: threading.Event) -> None:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(32))
        await run(stop)

    def target(stop: threading.Event) -> None:
        asyncio.run(main(stop))

    return target


class Seen:
    """What handlers met, in order, to wait for."""

    def __init__(self) -> None:
        self._items: queue.Queue[Any] = queue.Queue()

    def add(self, item: Any) -> None:
        self._items.put(item)

    def next(self, timeout_s: float = LONG_S) -> Any:
        """The next item; AssertionError where none comes."""
        try:
            return self._items.get(timeout=timeout_s)
        except queue.Empty:
            raise AssertionError(f"nothing seen within {timeout_s} s") from None

    def nothing_more(self) -> bool:
        return self._items.empty()


class Watch:
    """Looks at the jobs of one server, from outside the worker."""

    def __init__(self, url: str) -> None:
        self.client = OmniqClient(url=url)
        self.bus = bus_at(url, registry=REGISTRY)
        self._monitor = QueueMonitor(self.client)

    def job(self, queue: str, job_id: str) -> JobInfo:
        found = self._monitor.get_job(queue, job_id)
        assert found is not None, f"no job {job_id}"
        return found

    def stats(self, queue: str) -> QueueStats:
        return self._monitor.stats(queue)

    def reaches(self, queue: str, job_id: str, state: str, timeout_s: float = LONG_S) -> JobInfo:
        """Waits until the job is in a state."""
        last = ""

        def there() -> bool:
            nonlocal last
            last = self.job(queue, job_id).state
            return last == state

        try:
            wait_until(there, f"{job_id} is {state}", timeout_s)
        except TimeoutError as error:
            raise AssertionError(f"{error}; it is {last}") from None
        return self.job(queue, job_id)

    def until(self, queue: str, job_id: str, there: Callable[[JobInfo], bool]) -> JobInfo:
        """Waits until something is true of the job."""
        wait_until(lambda: there(self.job(queue, job_id)), f"{job_id} is as awaited", LONG_S)
        return self.job(queue, job_id)

    def close(self) -> None:
        self.client.close()
        self.bus.close()


@contextlib.contextmanager
def watching(url: str) -> Iterator[Watch]:
    watch = Watch(url)
    try:
        yield watch
    finally:
        watch.close()


class Process:
    """A program as a process. Its lines are what a test waits for; `lines`: all of them so far."""

    def __init__(self, command: list[str], cwd: Path, env: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            command,
            cwd=cwd,
            env={**os.environ, **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.lines: list[str] = []
        self._lines: queue.Queue[str] = queue.Queue()
        self.errors: list[str] = []
        self._readers = [
            threading.Thread(target=self._read_lines),
            threading.Thread(target=self._read_errors),
        ]
        for reader in self._readers:
            reader.start()

    def _read_lines(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.strip())
            self._lines.put(line.strip())

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.errors.append(line)

    def wait_for(self, word: str, timeout_s: float = LONG_S) -> str:
        """The next line that starts with a word."""
        while True:
            try:
                line = self._lines.get(timeout=timeout_s)
            except queue.Empty:
                raise AssertionError(f"no {word!r}; stderr: {''.join(self.errors)}") from None
            if line.startswith(word):
                return line

    def signal(self, signum: signal.Signals) -> None:
        self.process.send_signal(signum)

    def exit_code(self, timeout_s: float = LONG_S) -> int:
        """Waits for its end."""
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still runs after {timeout_s} s") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)  # its children too
        self.process.wait()
        for reader in self._readers:
            reader.join()
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()


class Program(Process):
    """A Python program, by its source."""

    def __init__(self, source: str, *args: str) -> None:
        command = [sys.executable, "-u", "-c", source, *args]
        super().__init__(command, ROOT, {"PYTHONPATH": str(ROOT)})
