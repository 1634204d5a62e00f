"""`@message` and `message_type`: give a Python type a stable name, under which it travels."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import is_dataclass
from typing import Any, TypeVar

from pydantic import BaseModel
from typing_extensions import TypeForm, is_typeddict

from omniq_typed.core.arguments import check_int, check_ordering
from omniq_typed.core.enqueue import MAX_ATTEMPTS
from omniq_typed.core.keys import check_queue
from omniq_typed.errors import InvalidMessageType
from omniq_typed.messages.message_type import MessageType, try_adapter
from omniq_typed.messages.place import place_of, place_of_frame
from omniq_typed.messages.registry import Registry, default_registry
from omniq_typed.models import Compatibility, CompatibilityName, Ordering
from omniq_typed.protocols import RetryPolicy

T = TypeVar("T")

_NAME = re.compile(r"[A-Za-z0-9._-]{1,128}\Z")


def message(
    name: str,
    *,
    version: int = 1,
    queue: str | None = None,
    max_attempts: int = 3,
    timeout_ms: int = 30_000,
    backoff_ms: int = 5_000,
    retry: RetryPolicy | None = None,
    ordering: Ordering = "relaxed",
    gid: Callable[[Any], str | None] | None = None,
    group_limit: int = 0,
    dedup_key: Callable[[Any], str] | None = None,
    strict_types: bool | None = None,
    shared: bool = False,
    compatibility: Compatibility | CompatibilityName | None = None,
    registry: Registry | None = None,
) -> Callable[[type[T]], type[T]]:
    """Makes a Pydantic model, a dataclass or a TypedDict a message type.

    `name` is what travels, never the Python path: 1 to 128 letters, digits, '.', '_' or '-'.
    The rest are defaults for publishing and consuming. `gid` and `dedup_key` are functions of the
    payload: the group, and what makes a message the same when published again (its job id is then
    the name and this key). `strict_types`: whether a type whose JSON other languages, or its own
    schema, read differently is an error (True), a PortabilityWarning (None) or neither (False:
    Python alone reads it). `compatibility`: what versions of this name owe to one another when
    their schemas are compared; None leaves it to the index of the exported schemas, or, where the
    type is `shared` between teams or languages, is FULL_TRANSITIVE. Raises InvalidMessageType,
    InvalidArgument.
    """
    known = default_registry if registry is None else registry
    options = _checked(
        name=name,
        version=version,
        queue=queue,
        max_attempts=max_attempts,
        timeout_ms=timeout_ms,
        backoff_ms=backoff_ms,
        retry=retry,
        ordering=ordering,
        gid=gid,
        group_limit=group_limit,
        dedup_key=dedup_key,
        strict_types=known.strict_types if strict_types is None else strict_types,
        shared=shared,
        compatibility=compatibility,
    )

    def register(cls: type[T]) -> type[T]:
        if not _is_structured(cls):
            raise InvalidMessageType(
                "message",
                f"{cls!r} is neither a Pydantic model nor a dataclass nor a TypedDict; put @message"
                " above @dataclass, and use message_type(...) for unions and the like",
            )
        adapter = try_adapter(cls, depth=1)
        _add(MessageType(cls=cls, defined_at=place_of(cls), built=adapter, **options), known)
        return cls

    return register


def message_type(
    declared: TypeForm[T],
    *,
    name: str,
    version: int = 1,
    queue: str | None = None,
    max_attempts: int = 3,
    timeout_ms: int = 30_000,
    backoff_ms: int = 5_000,
    retry: RetryPolicy | None = None,
    ordering: Ordering = "relaxed",
    gid: Callable[[Any], str | None] | None = None,
    group_limit: int = 0,
    dedup_key: Callable[[Any], str] | None = None,
    strict_types: bool | None = None,
    shared: bool = False,
    compatibility: Compatibility | CompatibilityName | None = None,
    registry: Registry | None = None,
) -> MessageType[T]:
    """Makes any type a message type that no decorator can stand on: a union with a discriminator,
    a generic model or dataclass with its arguments, a class of another package.

    `Event = message_type(Annotated[Created | Cancelled, Field(discriminator="kind")],
    name="orders.event")`; what it gives is taken wherever a class is: `@bus.consumer(Event)`,
    `publish_json(value, message_type=Event)`, which a member of one union alone does not need.
    The options are those of `@message`. Raises InvalidMessageType, InvalidArgument.
    """
    known = default_registry if registry is None else registry
    options = _checked(
        name=name,
        version=version,
        queue=queue,
        max_attempts=max_attempts,
        timeout_ms=timeout_ms,
        backoff_ms=backoff_ms,
        retry=retry,
        ordering=ordering,
        gid=gid,
        group_limit=group_limit,
        dedup_key=dedup_key,
        strict_types=known.strict_types if strict_types is None else strict_types,
        shared=shared,
        compatibility=compatibility,
    )
    made: MessageType[T] = MessageType(
        cls=declared,
        defined_at=place_of_frame(1),
        built=try_adapter(declared, depth=1),
        **options,
    )
    _add(made, known)
    return made


def _checked(**options: Any) -> dict[str, Any]:
    _check_name(options["name"])
    check_int("version", options["version"], 1, 10**9)
    check_int("max_attempts", options["max_attempts"], 1, MAX_ATTEMPTS)
    check_int("timeout_ms", options["timeout_ms"], 0)
    check_int("backoff_ms", options["backoff_ms"], 0)
    check_int("group_limit", options["group_limit"], 0, MAX_ATTEMPTS)
    check_ordering(options["ordering"])
    if options["queue"] is not None:
        check_queue(options["queue"])
    for function in ("gid", "dedup_key"):
        if options[function] is not None and not callable(options[function]):
            raise InvalidMessageType(
                function, f"{options[function]!r} is no function of the payload"
            )
    retry = options["retry"]
    if retry is not None and not callable(getattr(retry, "delay_ms", None)):
        raise InvalidMessageType("retry", f"{retry!r} is no retry policy: it has no delay_ms")
    if not isinstance(options["shared"], bool):
        raise InvalidMessageType("shared", f"{options['shared']!r} is neither True nor False")
    return {**options, "compatibility": _checked_mode(options["compatibility"])}


def _checked_mode(mode: object) -> Compatibility | None:
    if mode is None:
        return None
    if not isinstance(mode, str) or mode not in list(Compatibility):
        raise InvalidMessageType(
            "compatibility", f"{mode!r} is none; use one of {', '.join(Compatibility)}"
        )
    return Compatibility(mode)


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not _NAME.match(name):
        raise InvalidMessageType(
            "name", f"{name!r} is none; use 1 to 128 letters, digits, '.', '_' or '-'"
        )


def _is_structured(cls: object) -> bool:
    if not isinstance(cls, type):
        return False
    return is_dataclass(cls) or is_typeddict(cls) or issubclass(cls, BaseModel)


def _add(made: MessageType[Any], registry: Registry) -> None:
    if made.built is not None:
        made.check_portability()  # else when its adapter can be built
    registry.add(made)
