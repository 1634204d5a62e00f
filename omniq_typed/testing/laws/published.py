"""What laws do to every value: make it, and publish it."""

from __future__ import annotations

from typing import Any

from hypothesis.strategies import SearchStrategy

from omniq_typed.errors import InvalidPayload
from omniq_typed.messages.codec import encode
from omniq_typed.messages.message_type import MessageType
from omniq_typed.testing.laws.search import Fault
from omniq_typed.testing.payloads import payloads


def values_of(
    message_type: MessageType[Any], given: SearchStrategy[Any] | None
) -> SearchStrategy[Any]:
    """The values that are given, or else all that there are."""
    return payloads(message_type) if given is None else given


def published(message_type: MessageType[Any], value: Any) -> bytes:
    """The payload of a value. Raises Fault where it cannot be published."""
    try:
        return encode(message_type, value)
    except InvalidPayload as error:
        rows = (f"{it.path or 'the whole'}: {it.message} ({it.code})" for it in error.faults)
        why = "; ".join(rows)
        raise Fault("a message cannot be published", value=repr(value), why=why) from error


def fault_of(problem: str, value: Any, written: bytes, why: str) -> Fault:
    """What is wrong with a value that was published."""
    return Fault(problem, value=repr(value), written=written.decode(), why=why)
