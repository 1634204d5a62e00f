"""A context variable that has a value for the length of a block."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import TypeVar

T = TypeVar("T")


@contextmanager
def scoped(variable: ContextVar[T], value: T) -> Generator[None]:
    """Within the block, and in the tasks that it starts, the variable has this value."""
    outside = variable.set(value)
    try:
        yield
    finally:
        # A coroutine that nobody awaits any more is closed from another context, and a web
        # framework may end a block in another than it began in: there is nothing to restore there.
        with suppress(ValueError):
            variable.reset(outside)
