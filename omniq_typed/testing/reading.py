"""Reading a payload as a worker does."""

from __future__ import annotations

from typing import TypeVar

from omniq_typed.errors import Fault, UndecodableJob
from omniq_typed.messages.codec import decode
from omniq_typed.messages.message_type import MessageType

T = TypeVar("T")


def read(message_type: MessageType[T], payload: bytes) -> T:
    """The value of a payload. Raises UndecodableJob and nothing else: a validator of the user's may
    raise anything."""
    try:
        return decode(message_type, payload)
    except UndecodableJob:
        raise
    except Exception as error:
        fault = Fault("", "validator_failed", f"{type(error).__name__}: {error}")
        raise UndecodableJob(
            "invalid_payload", "a validator of the type failed", (fault,)
        ) from error


def described(error: UndecodableJob) -> str:
    """Its faults in a line."""
    rows = (f"{it.path or 'the whole'}: {it.message} ({it.code})" for it in error.faults)
    return "; ".join(rows) or str(error)
