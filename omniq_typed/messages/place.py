"""Where in the user's code something is defined."""

from __future__ import annotations

import inspect
from typing import Any


def place_of(defined: Any) -> str:
    """file:line of a class or function, or its dotted name where there is no source."""
    try:
        path = inspect.getsourcefile(defined)
        line = inspect.getsourcelines(defined)[1]
    except (OSError, TypeError, SyntaxError):  # no file, or none of Python
        module = getattr(defined, "__module__", "")
        return f"{module}.{getattr(defined, '__qualname__', repr(defined))}"
    return f"{path}:{line}"


def place_of_frame(depth: int) -> str:
    """file:line of the code that calls, `depth` frames above the caller of this function."""
    frame = inspect.currentframe()
    for _ in range(depth + 1):
        frame = None if frame is None else frame.f_back
    return "" if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}"
