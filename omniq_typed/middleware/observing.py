"""What the built-in middleware that only watches has in common."""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Any, Literal, TypeAlias

from omniq_typed.errors import Reject, Retry
from omniq_typed.messages.envelope import Envelope
from omniq_typed.messages.message_type import MessageType

log = logging.getLogger("omniq_typed.middleware")

OutcomeName: TypeAlias = Literal["done", "retry", "rejected", "error", "interrupted"]
"""How a handler or a publish ended: returned, raised Retry, raised Reject, raised anything else, or
was broken off from outside: cancelled, or by the worker's stop."""


def outcome_of(error: BaseException | None) -> OutcomeName:
    """The name for what was raised; None: it returned."""
    if error is None:
        return "done"
    if isinstance(error, Retry):
        return "retry"
    if isinstance(error, Reject):
        return "rejected"
    # A worker stops a handler by an exception that is no Exception; SystemExit is the handler's.
    return "error" if isinstance(error, (Exception, SystemExit)) else "interrupted"


def addressed_to(envelope: Envelope[Any]) -> tuple[str, str, int]:
    """Queue, name and version of the message type; '' and 0 where the bus does not know them."""
    message_type = envelope.message_type
    queue = envelope.queue or ""
    if not isinstance(message_type, MessageType):
        return queue, "", 0
    return queue, message_type.name, message_type.version


@contextmanager
def harmless(what: str) -> Generator[None]:
    """A fault in here is logged and goes no further: watching a job must not change how it ends."""
    try:
        yield
    except Exception:
        with suppress(Exception):  # it may be the logging that fails
            log.exception("%s failed", what)
