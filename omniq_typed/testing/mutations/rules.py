"""What a payload can break, and a change that breaks it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

Path: TypeAlias = tuple[str | int, ...]
"""Keys and indexes that lead to a value in a JSON tree."""
Values: TypeAlias = Callable[[], SearchStrategy[Any]]
"""Of the many ways to break a payload one is chosen: the strategies of the others are not made."""


def among(*values: Any) -> Values:
    """One of these."""
    return lambda: st.sampled_from(values)


class Rule(StrEnum):
    """A kind of rule that a type may have."""

    TYPE = "type"
    """Number, text, object ..."""
    REQUIRED = "required"
    """A field has to be there."""
    EXTRA = "extra"
    """There may be no other fields."""
    BOUND = "bound"
    """ge, gt, le, lt; in the past or in the future."""
    MULTIPLE = "multiple_of"
    DIGITS = "digits"
    """max_digits, decimal_places."""
    LENGTH = "length"
    """Of a text, an array or a mapping."""
    PATTERN = "pattern"
    FORMAT = "format"
    """What a text looks like: a date, a UUID, a URL, base64 ..."""
    TIMEZONE = "timezone"
    """With or without."""
    ENUM = "enum"
    """One of a few values."""
    TAG = "discriminator"
    """Which choice of a union it is."""
    KEY = "key"
    """What a key of a mapping looks like."""
    VALIDATOR = "validator"
    """A function of the user's."""


@dataclass(frozen=True, slots=True)
class Change:
    """A way to break one rule. `values`: makes what may stand at `path` afterwards; `subject`: the
    path of what is wrong then, also of a missing field; `detail`: the rule in full: `ge=0`."""

    path: Path
    rule: Rule
    detail: str
    values: Values
    subject: Path


def changed(tree: Any, path: Path, value: Any) -> Any:
    """A copy of a JSON tree with another value at a path."""
    if not path:
        return value
    step, *rest = path
    if isinstance(tree, dict):
        return {
            key: changed(each, tuple(rest), value) if key == step else each
            for key, each in tree.items()
        }
    return [
        changed(each, tuple(rest), value) if index == step else each
        for index, each in enumerate(tree)
    ]
