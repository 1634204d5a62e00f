"""Runs operations of several commands on a transport of either kind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from omniq_typed.core.command import Command, Steps

R = TypeVar("R")
X = TypeVar("X")


class Runner(Protocol):
    """A blocking transport."""

    def run(self, command: Command[X]) -> X:
        """Runs one command."""
        ...


class AsyncRunner(Protocol):
    """An asyncio transport."""

    async def run(self, command: Command[X]) -> X:
        """Runs one command."""
        ...


def run_steps(transport: Runner, steps: Steps[R]) -> R:
    """Runs the commands of an operation one after another. Raises what the operation raises: for
    the error of a command, which it may catch, that one."""
    take: Callable[[Any], Command[Any]] = steps.send
    given: Any = None
    while True:
        try:
            command = take(given)
        except StopIteration as end:
            result: R = end.value
            return result
        try:
            take, given = steps.send, transport.run(command)
        except Exception as error:
            take, given = steps.throw, error


async def run_steps_async(transport: AsyncRunner, steps: Steps[R], *, in_thread: bool = False) -> R:
    """The asyncio twin of `run_steps`. `in_thread`: what lies between the commands is reckoned in
    threads, for operations that would keep the event loop waiting."""
    take: Callable[[Any], Command[Any]] = steps.send
    given: Any = None
    while True:
        try:
            if in_thread:
                command = await asyncio.to_thread(_taken, take, given)
            else:
                command = take(given)
        except (StopIteration, _StepsEnded) as end:
            result: R = end.value
            return result
        try:
            take, given = steps.send, await transport.run(command)
        except Exception as error:
            take, given = steps.throw, error


class _StepsEnded(Exception):
    """A StopIteration that may pass through a future, which that one may not."""

    def __init__(self, value: Any) -> None:
        self.value = value


def _taken(take: Callable[[Any], Command[Any]], given: object) -> Command[Any]:
    try:
        return take(given)
    except StopIteration as end:
        raise _StepsEnded(end.value) from None
