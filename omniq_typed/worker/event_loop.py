"""Which event loop a program's workers run on."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

R = TypeVar("R")


def run_async(main: Coroutine[Any, Any, R]) -> R:
    """`asyncio.run`, on uvloop where that is installed (the extra `omniq-typed[uvloop]`)."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(main)
    return uvloop.run(main)
