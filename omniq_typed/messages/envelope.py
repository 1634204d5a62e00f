"""What travels beside a payload: type, version, and which conversation it belongs to."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any, TypeVar

from omniq_typed.errors import InvalidArgument
from omniq_typed.messages.codec import encode
from omniq_typed.messages.message import MessageType
from omniq_typed.models import NewJob, Ordering, Reserved

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Cause:
    """The job out of which another is published."""

    job_id: str
    correlation_id: str
    traceparent: str
    tracestate: str

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
class PublishOptions:
    """What a publisher may choose per message; None: as the message type says. Times in ms."""

    queue: str | None = None
    job_id: str | None = None
    max_attempts: int | None = None
    timeout_ms: int | None = None
    backoff_ms: int | None = None
    due_ms: int = 0
    gid: str | None = None
    group_limit: int = 0
    ordering: Ordering | None = None


def new_job_id() -> str:
    """32 hex digits, random."""
    return uuid.uuid4().hex


def address_and_job(
    message_type: MessageType[Any],
    value: Any,
    options: PublishOptions,
    source: str = "",
    cause: Cause | None = None,
) -> tuple[str, NewJob]:
    """The queue and the job for an instance of a message type. Raises InvalidPayload, and
    InvalidArgument where no queue is named."""
    queue = message_type.queue if options.queue is None else options.queue
    if queue is None:
        raise InvalidArgument(
            "queue", f"{message_type.label} names none; pass queue= or set it in @message"
        )
    job = NewJob(
        job_id=new_job_id() if options.job_id is None else options.job_id,
        payload=encode(message_type, value),
        max_attempts=_chosen(options.max_attempts, message_type.max_attempts),
        timeout_ms=_chosen(options.timeout_ms, message_type.timeout_ms),
        backoff_ms=_chosen(options.backoff_ms, message_type.backoff_ms),
        due_ms=options.due_ms,
        gid="" if options.gid is None else options.gid,
        group_limit=options.group_limit,
        ordering=_ordering(message_type, options),
        side=_side_fields(message_type, source, cause),
    )
    return queue, job


def _chosen(choice: int | None, default: int) -> int:
    return default if choice is None else choice


def _ordering(message_type: MessageType[Any], options: PublishOptions) -> Ordering:
    """A strict type is strict within groups; published without one it has no order to keep."""
    if options.ordering is not None:
        return options.ordering
    return message_type.ordering if options.gid else "relaxed"


def _side_fields(
    message_type: MessageType[Any], source: str, cause: Cause | None
) -> dict[str, str]:
    fields = {
        "msg_type": message_type.name,
        "msg_version": str(message_type.version),
        "msg_schema": message_type.fingerprint,
        "msg_source": source,
    }
    if cause is not None:
        fields |= {
            "msg_correlation_id": cause.correlation_id,
            "msg_causation_id": cause.job_id,
            "msg_traceparent": cause.traceparent,
            "msg_tracestate": cause.tracestate,
        }
    return {name: text for name, text in fields.items() if text}
