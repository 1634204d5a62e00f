"""What a pair of types is: one before and one after a change, with what the change means for those
who still have the other."""

import ast
import inspect
import re
import textwrap
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from omniq_typed import MessageType

Verdict = Literal["ok", "break", "unknown"]
Types: TypeAlias = tuple[Any, Any]
"""Before and after."""
Side = Literal["Old", "New"]


@dataclass(frozen=True, eq=False)
class Pair:
    """`backward`: whether the new type reads what the old one wrote; `forward`: whether the old
    one reads what the new one writes. `unknown`: nobody can prove it, so it counts as a break.
    `before`, `after`: the lines of source that are not in the other."""

    name: str
    title: str
    old: MessageType[Any]
    new: MessageType[Any]
    backward: Verdict
    forward: Verdict
    before: tuple[str, ...]
    after: tuple[str, ...]

    @property
    def label(self) -> str:
        """For names of tests."""
        return self.name


def pair(
    title: str, *, backward: Verdict, forward: Verdict
) -> Callable[[Callable[[], Types]], Pair]:
    """A function that defines an old and a new type, both with all they need, as a pair. Names
    begin with Old and New where the two have a class of their own each."""

    def made(function: Callable[[], Types]) -> Pair:
        name = function.__name__
        old, new = function()
        before, after = _lines(function, "Old"), _lines(function, "New")
        return Pair(
            name,
            title,
            MessageType(f"pairs.{name}", 1, old, strict_types=False),
            MessageType(f"pairs.{name}", 2, new, strict_types=False),
            backward,
            forward,
            _without(before, after),
            _without(after, before),
        )

    return made


def _lines(function: Callable[[], Any], side: Side) -> list[str]:
    """The source of one side, its classes under the names that they have in both."""
    source = textwrap.dedent(inspect.getsource(function))
    body = ast.parse(source).body[0]
    assert isinstance(body, ast.FunctionDef)
    lines = source.splitlines()
    found: list[str] = []
    for statement in body.body:
        if side not in _defined(statement):
            continue
        decorators = statement.decorator_list if isinstance(statement, ast.ClassDef) else []
        first = min([statement.lineno, *(each.lineno for each in decorators)])
        found += lines[first - 1 : statement.end_lineno]
    return [_bare(line, side) for line in found]


def _bare(line: str, side: Side) -> str:
    line = re.sub(r"  # (?:type|pyright):.*", "", line)
    line = re.sub(rf"\b{side}\b", "Message", line)
    return re.sub(rf"\b{side}(?=[A-Z])", "", line).strip()


def _defined(statement: ast.stmt) -> str:
    """Old or New, if that is how the name begins that a statement defines."""
    match statement:
        case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
            pass
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            pass
        case _:
            return ""
    return name[:3]


def _without(lines: Iterable[str], others: Iterable[str]) -> tuple[str, ...]:
    left = Counter(others)
    found = []
    for line in lines:
        if left[line]:
            left[line] -= 1
        elif line:
            found.append(line)
    return tuple(found)
