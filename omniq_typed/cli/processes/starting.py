"""Starts what the options ask for: a worker in this process, a supervisor, or one of its
processes."""

from __future__ import annotations

import logging
import signal
import sys
from collections import defaultdict
from collections.abc import Callable, Generator
from contextlib import contextmanager

import click

from omniq_typed import __version__
from omniq_typed.async_bus import AsyncBus
from omniq_typed.bus import Bus
from omniq_typed.cli.apps import BadApp, load_bus
from omniq_typed.cli.processes.exits import Exit, of_signal
from omniq_typed.cli.processes.leaving import leave
from omniq_typed.cli.processes.link import Link, Message
from omniq_typed.cli.processes.options import WorkerOptions
from omniq_typed.cli.processes.probes import Probes, State
from omniq_typed.cli.processes.process import WorkerProcess
from omniq_typed.cli.processes.signals import stop_signals
from omniq_typed.cli.processes.supervisor import Supervisor
from omniq_typed.cli.processes.watching import folders_of_the_program
from omniq_typed.errors import OmniqError
from omniq_typed.models import HandlerInfo

log = logging.getLogger("omniq_typed.worker")

LEVELS = ("debug", "info", "warning", "error")
LOG_FORMAT = "%(asctime)s %(levelname)-7s [%(process)d] %(message)s"


def started(options: WorkerOptions) -> int:
    """Works until the end. Answers the exit code; raises click.ClickException, OmniqError,
    OSError."""
    link = Link.from_environment()
    if link is not None:
        return _work_supervised(options, link)
    return _supervise(options) if options.supervised else _work_alone(options)


def _work_alone(options: WorkerOptions) -> int:
    # As the first process of a container we would be deaf to it without a handler.
    before = signal.signal(signal.SIGTERM, lambda signum, frame: leave(of_signal(signum)))
    try:
        bus = load_bus(options.app)
        _set_up_logging(options.log_level)
        process = WorkerProcess(bus, options, None)
        with _probes(options, process.look):
            return process.run(lambda: _tell(_described(bus, options)))
    finally:
        signal.signal(signal.SIGTERM, before)


def _supervise(options: WorkerOptions) -> int:
    _set_up_logging(options.log_level)
    supervisor = Supervisor(options)
    with _probes(options, supervisor.look):
        return supervisor.run()


def _work_supervised(options: WorkerOptions, link: Link) -> int:
    """What an operator has to mend is told by the supervisor, once for all processes."""
    try:
        bus = load_bus(options.app)
        _check_shareable(bus, options)
        _set_up_logging(options.log_level)
        lines, folders = _described(bus, options), folders_of_the_program()
        loaded = Message("loaded", lines=lines, folders=folders)
        return WorkerProcess(bus, options, link).run(lambda: link.tell(loaded))
    except click.ClickException as error:
        link.tell(Message("failed", error=error.format_message()))
    except (OmniqError, OSError) as error:
        link.tell(Message("failed", error=str(error)))
    finally:
        # Its code is said, and a signal that meets the interpreter at its end would change it.
        for signum in stop_signals():
            signal.signal(signum, signal.SIG_IGN)
    return int(Exit.MEND)


def _described(bus: Bus | AsyncBus, options: WorkerOptions) -> tuple[str, ...]:
    """What is consumed, for people: a line a queue."""
    by_queue: dict[str, list[HandlerInfo]] = defaultdict(list)
    for each in bus.handlers():
        if not options.queues or each.queue in options.queues:
            by_queue[each.queue].append(each)
    kind = f"{options.processes} processes" if options.processes > 1 else "one process"
    first = f"omniq-typed {__version__}: {options.app} on {_server(bus)}, {kind}"
    lines = []
    for queue, handlers in by_queue.items():
        at_once = max(each.concurrency for each in handlers)
        takes = ", ".join(f"{each.message} by {each.handler}" for each in handlers)
        lines.append(f"queue {queue} ({at_once} at once): {takes}")
    return (first, *lines)


def _tell(lines: tuple[str, ...]) -> None:
    for line in lines:
        log.info("%s", line)


def _server(bus: Bus | AsyncBus) -> str:
    address = bus.transport.address
    return "memory://" if address is None or address.memory is not None else str(address)


def _check_shareable(bus: Bus | AsyncBus, options: WorkerOptions) -> None:
    """Raises BadApp for a server that is within each process."""
    if options.processes > 1 and _server(bus) in ("memory://", "embedded://"):
        raise BadApp(
            f"{_server(bus)} is within one process, and each of {options.processes} would have its"
            " own; use embedded:///path or a Redis"
        )


@contextmanager
def _probes(options: WorkerOptions, look: Callable[[], State]) -> Generator[None]:
    """Raises click.ClickException where the port cannot be had."""
    if options.health_port is None:
        yield
        return
    try:
        probes = Probes(options.health_host, options.health_port, look)
    except OSError as error:
        where = f"{options.health_host}:{options.health_port}"
        raise click.ClickException(f"no health endpoint on {where}: {error.strerror}") from None
    log.info("health: %s/livez and /readyz", probes.url)
    try:
        yield
    finally:
        probes.close()


def _set_up_logging(level: str) -> None:
    """The program's own logging stays, where it has one."""
    if not logging.getLogger().handlers:
        logging.basicConfig(stream=sys.stderr, format=LOG_FORMAT, level=level.upper())
    logging.getLogger("omniq_typed").setLevel(level.upper())
    logging.getLogger("watchfiles").setLevel(logging.WARNING)  # it tells every edit once more
