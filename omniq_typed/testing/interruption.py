"""Interrupts a function before one of its lines, as a crash or a stall of its process would."""

from __future__ import annotations

import inspect
import linecache
import sys
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any, TypeAlias

from omniq_typed.signatures import code_of

Tracer: TypeAlias = Callable[[FrameType, str, Any], Any]


class WorkerDied(BaseException):
    """Raised where a worker is to die. No Exception, so that a handler's `except Exception` does
    not survive it; its `finally` still runs, which it would not in a process that is killed."""


class InjectedFailure(RuntimeError):
    """Raised where a line of a handler is to fail."""


def lines_in(handler: Callable[..., Any]) -> int:
    """How many lines a handler has, without the one of its `def`."""
    code = _code(handler)
    if code is None:
        return 0
    return len({line for *_, line in code.co_lines() if line} - {code.co_firstlineno})


def _code(handler: Callable[..., Any] | None) -> CodeType | None:
    """Of the user's own function, behind partials, methods and decorators."""
    if handler is None:
        return None
    function = inspect.unwrap(code_of(handler))
    return function.__code__ if isinstance(function, FunctionType) else None


class Interruption:
    """Within it, `act(where)` is called before the line that is executed as number `at` (0 = the
    first) of `handler` (None: of nothing); `where` tells file, line and text. `reached`: whether
    it came to that.

    Other tracers (of debuggers, of coverage before Python 3.12) see nothing meanwhile.
    """

    def __init__(
        self, handler: Callable[..., Any] | None, at: int, act: Callable[[str], None]
    ) -> None:
        self.reached = False
        self._code = _code(handler)
        self._left = at
        self._act = act
        self._before: Any = None

    def __enter__(self) -> Interruption:
        self._before = sys.gettrace()
        sys.settrace(self._on_call)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._before)

    def _on_call(self, frame: FrameType, event: str, arg: Any) -> Tracer | None:
        return self._on_line if frame.f_code is self._code and not self.reached else None

    def _on_line(self, frame: FrameType, event: str, arg: Any) -> Tracer | None:
        if event != "line" or self.reached:
            return self._on_line
        if self._left == 0:
            self.reached = True
            self._act(_place(frame))
        self._left -= 1
        return self._on_line


def _place(frame: FrameType) -> str:
    name, line = frame.f_code.co_filename, frame.f_lineno
    text = linecache.getline(name, line, frame.f_globals).strip()
    return f"{Path(name).name}:{line}" + (f": {text}" if text else "")
