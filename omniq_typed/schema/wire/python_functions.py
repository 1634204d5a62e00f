"""What a schema says of the user's Python functions that check messages."""

from __future__ import annotations

import functools
import re
import types
from collections.abc import Iterator
from typing import Any

from omniq_typed.schema.wire.function_digest import UNKNOWN, content_of, digest

_PHRASE = "a Python function"
_SAID = re.compile(rf"{_PHRASE} \S+ (?:[0-9a-f]{{8}}|{UNKNOWN}) \([a-z_]+\)")

_WHEN = {
    "function-before": "before",
    "function-after": "after",
    "function-wrap": "wrap",
    "function-plain": "plain",
}
"""Core schema that calls a function → when it does."""
_PYDANTICS = {
    "fraction_validator": "a fraction",
    "import_string": "the name of an object",
    "decode_str": "UTF-8 in base64",
    "_validate": "a size with its unit",
}
"""Functions of Pydantic that check more than the schemas of their types say."""
_KINDS = {"fraction": "a fraction", "complex": "a complex number", "json": "JSON in a text"}
"""Core schemas that do."""
_NAMED = frozenset({"model", "dataclass", "typed-dict", "enum", "definition-ref"})
_THROUGH = frozenset({*_WHEN, "default", "definitions", "lax-or-strict", "json-or-python"})
_INNER = ("schema", "strict_schema", "json_schema", "items_schema", "keys_schema", "values_schema")


def checks_of(schema: Any, *, hidden: bool) -> str:
    """The user's functions that a core schema of Pydantic calls by itself, the inner ones first, as
    a comment says them. `hidden`: also those inside of it that its serializer passes over."""
    found: list[str] = []
    while isinstance(schema, dict):
        found = [*_checks_at(schema), *found]
        if not hidden or "serialization" not in schema:
            break
        schema = schema.get("schema")
    return ", ".join(found)


def _checks_at(schema: dict[str, Any]) -> Iterator[str]:
    kind = schema.get("type")
    called: list[tuple[Any, str]] = []
    if kind in _WHEN:
        called.append((schema["function"]["function"], _WHEN[kind]))
    elif kind == "tagged-union" and callable(schema["discriminator"]):
        called.append((schema["discriminator"], "discriminator"))
    elif kind == "model":
        if schema.get("custom_init"):
            called.append((schema["cls"].__init__, "init"))
        if schema.get("post_init"):
            called.append((getattr(schema["cls"], schema["post_init"]), "post_init"))
    elif kind == "dataclass" and schema.get("post_init"):
        called.append((schema["cls"].__post_init__, "post_init"))
    if kind in _KINDS:
        yield _KINDS[kind]
    for function, when in called:
        users = users_function(function)
        if users is not None:
            inner = _shape(schema.get("schema", {})) if kind in _WHEN else ""
            yield f"{_PHRASE} {_name(users)} {digest(users, inner)} ({when})"
        elif getattr(function, "__name__", "") in _PYDANTICS:
            yield _PYDANTICS[function.__name__]


def _shape(schema: dict[str, Any]) -> str:
    """Which Python types a function meets: it may do another thing with those of another type."""
    kind = str(schema.get("type", ""))
    if kind in _NAMED:
        return "named"
    inner = [schema[key] for key in _INNER if isinstance(schema.get(key), dict)]
    for key in ("items_schema", "choices"):
        if isinstance(schema.get(key), list):
            inner += (each[0] if isinstance(each, tuple) else each for each in schema[key])
    shapes = ", ".join(map(_shape, inner))
    return shapes if kind in _THROUGH else f"{kind}({shapes})"


def users_function(function: Any) -> Any:
    """The function, or the user's that Pydantic wrapped in one of its own; None where all of it is
    Pydantic's."""
    if not _is_pydantics(function):
        return function
    inner = [content_of(cell) for cell in getattr(function, "__closure__", None) or ()]
    functions = (each for each in inner if isinstance(each, (types.FunctionType, types.MethodType)))
    return next((each for each in functions if not _is_pydantics(each)), None)


def _is_pydantics(function: Any) -> bool:
    while isinstance(function, functools.partial):
        function = function.func
    # A wrapper claims to be of the module of what it wraps; its code knows better.
    own = getattr(function, "__globals__", {}).get("__name__")
    module = str(own or getattr(function, "__module__", ""))
    ours = module == "pydantic" or module.startswith(("pydantic.", "pydantic_core"))
    return ours and module != "pydantic.functional_serializers"


def _name(function: Any) -> str:
    """Without its class: that of the next version has another name."""
    while isinstance(function, functools.partial):
        function = function.func
    return str(getattr(function, "__name__", None) or type(function).__name__)


def split_comment(text: str) -> tuple[tuple[str, ...], str]:
    """The functions that a comment names, in order; and what else it says."""
    rest = [part for part in _SAID.sub("", text).split(", ") if part.strip()]
    return tuple(_SAID.findall(text)), ", ".join(rest)
