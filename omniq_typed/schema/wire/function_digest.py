"""A short hash of what a Python function does, the same on every machine and in every release of
Python: of its source, and of what it refers to."""

from __future__ import annotations

import ast
import functools
import hashlib
import inspect
import linecache
import re
import sys
import textwrap
import types
from collections.abc import Iterable, Iterator
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any
from uuid import UUID

UNKNOWN = "unknown"
"""Instead of the hash, where a function has no source, or holds something that has no lasting name.
It may be another function the next time."""

_PLAIN = (
    *(type(None), bool, int, float, complex, str, bytes),
    *(Decimal, date, time, timedelta, UUID, PurePath, range),
)
_MEANINGLESS = frozenset({"ctx", "kind", "type_comment", "type_ignores"})


class _Unknown(Exception):
    """Nothing lasting can be said of a value."""


def digest(function: Any, besides: str = "") -> str:
    """8 hex digits of what a function does: its source without comments, docstrings and layout,
    its defaults, what it closes over, and the constants and functions of its package that it
    names; and of what is to be known `besides`. UNKNOWN where that cannot be told."""
    try:
        is_class = isinstance(function, type)
        text = _source_of_class(function) if is_class else _meaning(function, frozenset())
    except (_Unknown, RecursionError):
        return UNKNOWN
    whole = f"{text} {besides}".encode("utf-8", "backslashreplace")
    return hashlib.sha256(whole).hexdigest()[:8]


def _meaning(value: Any, seen: frozenset[int]) -> str:
    """A text of a value that another value, or the same one on another day, does not have."""
    if isinstance(value, _PLAIN) and _is_stdlib(type(value)):
        return repr(value)
    if id(value) in seen:
        return "itself"
    inside = seen | {id(value)}
    if isinstance(value, Enum):
        return f"{type(value).__qualname__}.{value.name}"
    if isinstance(value, re.Pattern):
        return f"re({value.pattern!r}, {value.flags})"
    if isinstance(value, (list, tuple, set, frozenset, dict)):
        return _meaning_of_container(value, inside)
    if isinstance(value, types.ModuleType):
        return value.__name__
    if isinstance(value, functools.partial):
        return _parts((value.func, value.args, value.keywords), inside)
    if isinstance(value, types.MethodType):
        owner = None if isinstance(value.__self__, type) else value.__self__
        return _parts((value.__func__, owner), inside)
    if isinstance(value, types.FunctionType):
        return _meaning_of_function(value, inside)
    return _meaning_of_object(value, inside)


def _meaning_of_container(value: Any, seen: frozenset[int]) -> str:
    items: Iterable[Any] = value.items() if isinstance(value, dict) else value
    texts = [_meaning(each, seen) for each in items]
    ordered = sorted(texts) if isinstance(value, (set, frozenset)) else texts
    return f"{type(value).__qualname__}({', '.join(ordered)})"


def _meaning_of_function(function: types.FunctionType, seen: frozenset[int]) -> str:
    if _is_stdlib(function):
        return f"{function.__module__}.{function.__qualname__}"
    captured = [content_of(cell) for cell in function.__closure__ or ()]
    defaults = (function.__defaults__, function.__kwdefaults__)
    named = list(_named_globals(function))
    return _source(function.__code__, function.__globals__) + _parts(
        (defaults, captured, named), seen
    )


def _meaning_of_object(value: Any, seen: frozenset[int]) -> str:
    """A class by its name; a function of C; of any other object its class and what it holds."""
    if isinstance(value, type):
        return f"class {value.__qualname__}"
    if isinstance(value, types.BuiltinFunctionType | types.MethodDescriptorType):
        owner = getattr(value, "__objclass__", None) or getattr(value, "__self__", None)
        if owner is None or isinstance(owner, (type, types.ModuleType)):
            return f"{getattr(value, '__module__', '')} {value.__qualname__}"
        return _parts((value.__qualname__, owner), seen)
    cached = getattr(value, "__wrapped__", None)
    if isinstance(cached, types.FunctionType):
        return _meaning(cached, seen)
    if not hasattr(value, "__dict__"):
        raise _Unknown
    calls = type(value).__call__ if callable(value) else None
    return _parts((type(value), calls, vars(value)), seen)


def _parts(values: Iterable[Any], seen: frozenset[int]) -> str:
    return f"({', '.join(_meaning(each, seen) for each in values)})"


def content_of(cell: Any) -> Any:
    """What a function closes over, in one of its cells."""
    try:
        return cell.cell_contents
    except ValueError:  # not yet assigned
        return None


def _is_stdlib(function: Any) -> bool:
    return _package(function.__module__) in sys.stdlib_module_names - {"__main__"}


def _package(module: str | None) -> str:
    return (module or "").partition(".")[0]


def _named_globals(function: types.FunctionType) -> Iterator[tuple[str, Any]]:
    """The constants and the functions of its own package that a function names."""
    for name in sorted(_names(function.__code__)):
        value = function.__globals__.get(name)
        if isinstance(value, types.FunctionType):
            if _package(value.__module__) == _package(function.__module__):
                yield name, value
        elif value is not None and _is_constant(value):
            yield name, value


def _names(code: types.CodeType) -> set[str]:
    inner = [each for each in code.co_consts if isinstance(each, types.CodeType)]
    return set(code.co_names).union(*(_names(each) for each in inner))


def _is_constant(value: Any) -> bool:
    if isinstance(value, (tuple, list, set, frozenset)):
        return all(_is_constant(each) for each in value)
    if isinstance(value, dict):
        return all(_is_constant(each) for each in value.items())
    return isinstance(value, (*_PLAIN, re.Pattern, Enum))


def _source(code: types.CodeType, variables: dict[str, Any]) -> str:
    """What stands in the function's source; where several lambdas begin on a line, all of them."""
    text = "".join(linecache.getlines(code.co_filename, variables))
    found = _functions_of(text).get((code.co_firstlineno, code.co_name), [])
    if not found:
        raise _Unknown
    return " ".join(found)


@functools.lru_cache(maxsize=64)
def _functions_of(text: str) -> dict[tuple[int, str], list[str]]:
    """The functions of a module's source, by first line and name."""
    found: dict[tuple[int, str], list[str]] = {}
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return found
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            decorators = getattr(node, "decorator_list", [])
            line = min(each.lineno for each in (node, *decorators))
            name = getattr(node, "name", "<lambda>")
            body = node.body if isinstance(node, ast.Lambda) else _without_docstring(node.body)
            found.setdefault((line, name), []).append(_dump([node.args, body]))
    return found


def _source_of_class(cls: type) -> str:
    if _is_stdlib(cls):
        return f"{cls.__module__}.{cls.__qualname__}"
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    except (OSError, TypeError, SyntaxError) as error:
        raise _Unknown from error
    return _dump(tree.body)


def _dump(node: Any) -> str:
    """`ast.dump` and `ast.unparse` differ from one release of Python to the next."""
    if isinstance(node, list):
        return f"[{', '.join(_dump(each) for each in node)}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = {key: value for key, value in ast.iter_fields(node) if key not in _MEANINGLESS}
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        fields["body"] = _without_docstring(node.body)
    kept = [f"{key}={_dump(value)}" for key, value in fields.items() if value not in (None, [])]
    return f"{type(node).__name__}({', '.join(kept)})"


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    match body:
        case [ast.Expr(ast.Constant(str())), *rest]:
            return rest
    return body
