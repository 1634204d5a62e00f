"""The message type that a test names: registered, or made for the occasion."""

from __future__ import annotations

import re
from typing import Any, TypeVar

from typing_extensions import TypeForm

from omniq_typed.errors import InvalidMessageType
from omniq_typed.messages.message_type import MessageType, try_adapter
from omniq_typed.messages.registry import Registry, default_registry

T = TypeVar("T")


def message_type_of(
    declared: TypeForm[T] | MessageType[T], registry: Registry | None = None, depth: int = 0
) -> MessageType[T]:
    """The message type itself, or that of a class in the registry (default: the default one), or
    version 1 of a type that has no name. `depth`: of the frame whose local names annotations may
    use, counted from the caller's. Raises InvalidMessageType for what can be no message."""
    if isinstance(declared, MessageType):
        return declared
    known = default_registry if registry is None else registry
    try:
        return known.of_type(declared)
    except (InvalidMessageType, TypeError):  # unknown there, or not even hashable
        return _unregistered(declared, depth + 1)


def _unregistered(declared: Any, depth: int) -> MessageType[Any]:
    name = getattr(declared, "__qualname__", None) or repr(declared)
    return MessageType(
        name=re.sub(r"[^A-Za-z0-9._-]+", "-", name.rpartition("<locals>.")[2])[:128],
        version=1,
        cls=declared,
        strict_types=False,
        built=try_adapter(declared, depth),
    )
