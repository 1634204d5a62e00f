"""`@upcast`: how a message of an older version becomes one of the next."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from pydantic_core import PydanticSerializationError, from_json, to_json
from typing_extensions import TypeForm

from omniq_typed.core.arguments import check_int
from omniq_typed.errors import Fault, InvalidMessageType, UndecodableJob
from omniq_typed.messages.message_type import MessageType
from omniq_typed.messages.place import place_of
from omniq_typed.messages.registry import Registry, Upcast, UpcastFunction, default_registry


def upcast(
    message_type: TypeForm[Any] | MessageType[Any],
    *,
    from_version: int,
    registry: Registry | None = None,
) -> Callable[[UpcastFunction], UpcastFunction]:
    """Makes a function the step from `from_version` to the next version of a message type's name.

    The function takes the JSON object of a message (a dict that it may change) and gives that of
    the next version; it should do nothing else. Steps are chained up to the version that a
    consumer takes, and the result is checked once, at the end. `message_type` is any version
    above `from_version`. Raises InvalidMessageType, also for a second step from one version.
    """
    known = default_registry if registry is None else registry
    target = known.of_type(message_type)
    check_int("from_version", from_version, 1)
    if from_version >= target.version:
        raise InvalidMessageType(
            "from_version",
            f"an upcast leads to newer versions, and {target.label} is none of v{from_version};"
            f" use 1 to {target.version - 1}"
            if target.version > 1
            else f"{target.label} is the first version: there is nothing to lead to it",
        )

    def register(function: UpcastFunction) -> UpcastFunction:
        given: object = function
        if not callable(given) or inspect.iscoroutinefunction(given):
            raise InvalidMessageType("upcast", f"{given!r} is no plain function of a dict")
        known.add_upcast(Upcast(target.name, from_version, function, place_of(function)))
        return function

    return register


def apply_upcasts(payload: bytes, steps: Sequence[Upcast]) -> bytes:
    """The payload of an older version, as the newer one is written. Raises UndecodableJob."""
    try:
        # Not by orjson, which makes floats of integers beyond 64 bits.
        content = from_json(payload, allow_inf_nan=False)
    except ValueError as error:
        raise UndecodableJob("invalid_payload", f"the payload is not JSON: {error}") from error
    for step in steps:
        content = _apply(step, content)
    try:
        return to_json(content)
    except (PydanticSerializationError, ValueError, RecursionError) as error:
        raise _failed(steps[-1], f"its result cannot be written as JSON: {error}") from error


def _apply(step: Upcast, content: object) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise UndecodableJob(
            "invalid_payload", f"{step.name} v{step.from_version} is no JSON object"
        )
    try:
        result: object = step.function(content)
    except Exception as error:
        raise _failed(step, f"{type(error).__name__}: {error}") from error
    if not isinstance(result, dict):
        raise _failed(step, f"it gave a {type(result).__name__}, not a dict; return the new object")
    return result


def _failed(step: Upcast, what: str) -> UndecodableJob:
    return UndecodableJob(
        "upcast_failed",
        f"the upcast of {step.name} from v{step.from_version} at {step.defined_at} failed",
        (Fault("", "upcast_failed", what),),
    )
