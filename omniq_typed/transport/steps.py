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
        if in_thread:
            over, told = await asyncio.to_thread(_next_step, take, given)
        else:
            over, told = _next_step(take, given)
        if over:
            result: R = told
            return result
        try:
            take, given = steps.send, await transport.run(told)
        except Exception as error:
            take, given = steps.throw, error


def _next_step(take: Callable[[Any], Command[Any]], given: object) -> tuple[bool, Any]:
    """False and the next command; or, for no StopIteration may leave a thread, True and what the
    operation answers."""
    try:
        return False, take(given)
    except StopIteration as end:
        return True, end.value
