"""`@message`: gives a class a stable name and version, under which it travels."""

from __future__ import annotations

import hashlib
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, is_dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

import orjson
from pydantic import BaseModel, TypeAdapter
from pydantic.errors import PydanticInvalidForJsonSchema

from omniq_typed.core.arguments import check_int, check_ordering
from omniq_typed.core.enqueue import MAX_ATTEMPTS
from omniq_typed.core.keys import check_queue
from omniq_typed.errors import InvalidMessageType
from omniq_typed.models import Ordering

T = TypeVar("T")

_NAME = re.compile(r"[A-Za-z0-9._-]{1,128}\Z")


@dataclass(frozen=True)
class MessageType(Generic[T]):
    """A registered type. Times in ms; `queue` None: the publisher names one."""

    name: str
    version: int
    cls: type[T]
    queue: str | None = None
    max_attempts: int = 3
    timeout_ms: int = 30_000
    backoff_ms: int = 5_000
    ordering: Ordering = "relaxed"
    defined_at: str = ""

    @cached_property
    def adapter(self) -> TypeAdapter[T]:
        """Built at first use: by then the names that annotations refer to exist."""
        return TypeAdapter(self.cls)

    @cached_property
    def fingerprint(self) -> str:
        """16 hex digits of the schema that a writer of this type keeps to; '' where the type has
        no JSON Schema."""
        try:
            schema = self.adapter.json_schema(mode="serialization")
        except PydanticInvalidForJsonSchema:
            return ""
        canonical = orjson.dumps(schema, option=orjson.OPT_SORT_KEYS)
        return hashlib.sha256(canonical).hexdigest()[:16]

    @property
    def label(self) -> str:
        """For messages: `orders.created v1`."""
        return f"{self.name} v{self.version}"


class Registry:
    """Message types by name and version, and by class."""

    def __init__(self) -> None:
        self._by_name: dict[tuple[str, int], MessageType[Any]] = {}
        self._by_class: dict[type, MessageType[Any]] = {}

    def add(self, message_type: MessageType[Any]) -> None:
        """Registers a type. Raises InvalidMessageType, naming both places, where the name and
        version or the class are taken."""
        key = (message_type.name, message_type.version)
        for other in (self._by_name.get(key), self._by_class.get(message_type.cls)):
            if other is not None and not _is_reload(other, message_type):
                raise InvalidMessageType(
                    "message",
                    f"{message_type.label} at {message_type.defined_at} collides with"
                    f" {other.label} at {other.defined_at}; give one another name or version",
                )
        self._by_name[key] = message_type
        self._by_class[message_type.cls] = message_type

    def of_class(self, cls: type[T]) -> MessageType[T]:
        """The type of a decorated class. Raises InvalidMessageType for any other."""
        found = self._by_class.get(cls)
        if found is None:
            raise InvalidMessageType(
                "message",
                f"{getattr(cls, '__qualname__', cls)!r} is no message type; decorate it with"
                " @message('a.stable.name')",
            )
        return found

    def types(self) -> list[MessageType[Any]]:
        """All types, by name and version."""
        return [self._by_name[key] for key in sorted(self._by_name)]


default_registry = Registry()


def message(
    name: str,
    *,
    version: int = 1,
    queue: str | None = None,
    max_attempts: int = 3,
    timeout_ms: int = 30_000,
    backoff_ms: int = 5_000,
    ordering: Ordering = "relaxed",
    registry: Registry | None = None,
) -> Callable[[type[T]], type[T]]:
    """Makes a Pydantic model or a dataclass a message type.

    `name` is what travels, never the Python path: 1 to 128 letters, digits, '.', '_' or '-'.
    The rest are defaults for publishing. Raises InvalidMessageType, InvalidArgument.
    """
    _check_name(name)
    check_int("version", version, 1, 10**9)
    check_int("max_attempts", max_attempts, 1, MAX_ATTEMPTS)
    check_int("timeout_ms", timeout_ms, 0)
    check_int("backoff_ms", backoff_ms, 0)
    check_ordering(ordering)
    if queue is not None:
        check_queue(queue)

    def register(cls: type[T]) -> type[T]:
        if not _is_structured(cls):
            raise InvalidMessageType(
                "message",
                f"{cls!r} is neither a Pydantic model nor a dataclass; put @message above"
                " @dataclass",
            )
        (default_registry if registry is None else registry).add(
            MessageType(
                name=name,
                version=version,
                cls=cls,
                queue=queue,
                max_attempts=max_attempts,
                timeout_ms=timeout_ms,
                backoff_ms=backoff_ms,
                ordering=ordering,
                defined_at=_place(cls),
            )
        )
        return cls

    return register


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not _NAME.match(name):
        raise InvalidMessageType(
            "name", f"{name!r} is none; use 1 to 128 letters, digits, '.', '_' or '-'"
        )


def _is_structured(cls: object) -> bool:
    return isinstance(cls, type) and (is_dataclass(cls) or issubclass(cls, BaseModel))


def _is_reload(old: MessageType[Any], new: MessageType[Any]) -> bool:
    """The same source executed again: a module reloaded, or run as __main__ and imported."""
    same_name = (old.name, old.version) == (new.name, new.version)
    return same_name and old.cls is not new.cls and old.defined_at == new.defined_at


def _place(cls: type) -> str:
    """file:line of a class, or its dotted name where there is no source."""
    try:
        path = inspect.getsourcefile(cls)
        line = inspect.getsourcelines(cls)[1]
    except (OSError, TypeError, SyntaxError):  # no file, or none of Python
        return f"{cls.__module__}.{cls.__qualname__}"
    return f"{path}:{line}"
