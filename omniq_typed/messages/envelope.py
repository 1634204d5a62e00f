"""What a publish is made of: a message, where it goes, and which conversation it belongs to."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from omniq_typed.errors import InvalidArgument
from omniq_typed.messages.codec import encode, same_message
from omniq_typed.messages.message_type import MessageType
from omniq_typed.messages.registry import Registry
from omniq_typed.models import NewJob, Ordering, Reserved

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True)
class Envelope(Generic[T_co]):
    """A message and how it is to be published. None, 0 and '': as its message type says.

    `message_type`: for values whose class does not tell it, as TypedDicts; `due_ms`: absolute
    time in ms, 0 = now; `correlation_id` and the trace context: of the conversation, else new.
    """

    message: T_co
    message_type: Any = field(default=None, kw_only=True)
    queue: str | None = field(default=None, kw_only=True)
    job_id: str | None = field(default=None, kw_only=True)
    max_attempts: int | None = field(default=None, kw_only=True)
    timeout_ms: int | None = field(default=None, kw_only=True)
    backoff_ms: int | None = field(default=None, kw_only=True)
    due_ms: int = field(default=0, kw_only=True)
    gid: str | None = field(default=None, kw_only=True)
    group_limit: int = field(default=0, kw_only=True)
    ordering: Ordering | None = field(default=None, kw_only=True)
    correlation_id: str | None = field(default=None, kw_only=True)
    causation_id: str | None = field(default=None, kw_only=True)
    traceparent: str | None = field(default=None, kw_only=True)
    tracestate: str | None = field(default=None, kw_only=True)

    def caused_by(self, cause: Cause) -> Envelope[T_co]:
        """In the conversation of `cause`, where the envelope names none of its own."""
        trace = self.traceparent is None and self.tracestate is None
        return replace(
            self,
            correlation_id=self.correlation_id or cause.correlation_id,
            causation_id=self.causation_id or cause.job_id,
            traceparent=cause.traceparent if trace else self.traceparent,
            tracestate=cause.tracestate if trace else self.tracestate,
        )


@dataclass(frozen=True, slots=True)
class Cause:
    """The job out of which another is published."""

    job_id: str
    correlation_id: str
    traceparent: str = ""
    tracestate: str = ""

    @classmethod
    def of(cls, job: Reserved) -> Cause:
        """A job without a conversation starts one under its own id."""
        return cls(
            job.job_id,
            job.msg_correlation_id or job.job_id,
            job.msg_traceparent,
            job.msg_tracestate,
        )


@dataclass(frozen=True, slots=True)
class Addressed:
    """An envelope made ready: the job, and the queue that it goes to."""

    queue: str
    job: NewJob
    message_type: MessageType[Any]

    def is_same(self, stored_payload: bytes) -> bool:
        """Whether another payload of the same message type is the same message."""
        return same_message(self.message_type, self.job.payload, stored_payload)


def new_job_id() -> str:
    """32 hex digits, random."""
    return uuid.uuid4().hex


def address(envelope: Envelope[Any], registry: Registry, source: str = "") -> Addressed:
    """Checks and encodes a message, and fills in what its type says. Raises InvalidPayload,
    InvalidMessageType, and InvalidArgument where no queue is named."""
    message_type = registry.of_value(envelope.message, envelope.message_type)
    queue = message_type.queue if envelope.queue is None else envelope.queue
    if queue is None:
        raise InvalidArgument(
            "queue", f"{message_type.label} names none; pass queue= or set it in @message"
        )
    # Encoded first: the functions of the type see valid messages only.
    payload = encode(message_type, envelope.message)
    gid = _gid(message_type, envelope)
    job = NewJob(
        job_id=_job_id(message_type, envelope),
        payload=payload,
        max_attempts=_chosen(envelope.max_attempts, message_type.max_attempts),
        timeout_ms=_chosen(envelope.timeout_ms, message_type.timeout_ms),
        backoff_ms=_chosen(envelope.backoff_ms, message_type.backoff_ms),
        due_ms=envelope.due_ms,
        gid=gid,
        group_limit=envelope.group_limit or (message_type.group_limit if gid else 0),
        # A strict type is strict within groups; published without one it has no order to keep.
        ordering=envelope.ordering or (message_type.ordering if gid else "relaxed"),
        side=_side_fields(message_type, envelope, source),
    )
    return Addressed(queue, job, message_type)


def _chosen(choice: int | None, default: int) -> int:
    return default if choice is None else choice


def _gid(message_type: MessageType[Any], envelope: Envelope[Any]) -> str:
    if envelope.gid is not None or message_type.gid is None:
        return "" if envelope.gid is None else envelope.gid
    gid: object = _told("gid", message_type, message_type.gid, envelope.message)
    if gid is not None and not isinstance(gid, str):
        raise InvalidArgument("gid", f"the function of {message_type.label} gave {gid!r}, no str")
    return gid or ""


def _job_id(message_type: MessageType[Any], envelope: Envelope[Any]) -> str:
    if envelope.job_id is not None or message_type.dedup_key is None:
        return new_job_id() if envelope.job_id is None else envelope.job_id
    key: object = _told("dedup_key", message_type, message_type.dedup_key, envelope.message)
    if not isinstance(key, str) or not key:
        raise InvalidArgument(
            "dedup_key", f"the function of {message_type.label} gave {key!r}; it must give a str"
        )
    # With the type's name: an order and its invoice may both be called after the order.
    return f"{message_type.name}:{key}"


def _told(
    field_name: str, message_type: MessageType[Any], function: Callable[[Any], Any], message: Any
) -> Any:
    try:
        return function(message)
    except Exception as error:
        raise InvalidArgument(
            field_name,
            f"the function of {message_type.label} failed with {type(error).__name__}: {error}",
        ) from error


def _side_fields(
    message_type: MessageType[Any], envelope: Envelope[Any], source: str
) -> dict[str, str]:
    fields = {
        "msg_type": message_type.name,
        "msg_version": str(message_type.version),
        "msg_schema": message_type.fingerprint,
        "msg_source": source,
        "msg_correlation_id": envelope.correlation_id,
        "msg_causation_id": envelope.causation_id,
        "msg_traceparent": envelope.traceparent,
        "msg_tracestate": envelope.tracestate,
    }
    return {name: text for name, text in fields.items() if text}
