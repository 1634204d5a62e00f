"""A published job as a test looks at it: typed, and with what has become of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import orjson

from omniq_typed.core.payloads import decode_untyped
from omniq_typed.core.replies import number
from omniq_typed.errors import Fault, UndecodableJob
from omniq_typed.messages.codec import decode
from omniq_typed.messages.message_type import MessageType
from omniq_typed.messages.registry import Registry
from omniq_typed.models import JobInfo, NewJob
from omniq_typed.transport.stage import StagedJob

T = TypeVar("T")

REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class JobRecord(Generic[T]):
    """A job that was published, and its state now.

    `decoded`: the message as its own type reads it, a dict or list where it has none, None where
    it cannot be decoded; `message` is the same, and raises then. `state`: wait, delayed, active,
    failed, completed, or 'removed': it is no longer kept. `reason`, `error`, `faults`: of its last
    failure, '' and () = none. Times in ms; `due_ms`: when it falls due, 0 = at once.
    """

    queue: str
    job_id: str
    msg_type: str
    msg_version: int
    decoded: T | None
    payload: bytes
    state: str
    attempt: int
    max_attempts: int
    gid: str
    due_ms: int
    published_ms: int
    correlation_id: str
    causation_id: str
    reason: str = ""
    error: str = ""
    faults: tuple[Fault, ...] = ()

    @property
    def message(self) -> T:
        """What was published. Raises UndecodableJob where that is no message of its type, or the
        bus does not know the type."""
        if self.decoded is None:
            label = f"{self.msg_type} v{self.msg_version}"
            raise UndecodableJob(
                self.reason or "unknown_type",
                f"job {self.job_id} cannot be read as {label}; `payload` has its bytes",
                self.faults,
            )
        return self.decoded

    def __str__(self) -> str:
        """For people, on one line."""
        shown = self.payload if self.decoded is None else self.decoded
        why = f": {self.error}" if self.error else ""
        return (
            f"{shown!r} (job {self.job_id}, queue {self.queue}, {self.state},"
            f" attempt {self.attempt} of {self.max_attempts}{why})"
        )


def record_of(staged: StagedJob, info: JobInfo | None, decoded: Any) -> JobRecord[Any]:
    """`info`: what the server holds of the job now."""
    job = staged.job
    reason, faults = _failure(info)
    return JobRecord(
        queue=staged.queue,
        job_id=job.job_id,
        msg_type=job.side.get("msg_type", ""),
        msg_version=number(job.side.get("msg_version", 1)),
        decoded=decoded,
        payload=job.payload,
        state=REMOVED if info is None else info.state,
        attempt=0 if info is None else info.attempt,
        max_attempts=job.max_attempts,
        gid=job.gid,
        due_ms=job.due_ms if info is None else info.due_ms,
        published_ms=staged.at_ms,
        correlation_id=job.side.get("msg_correlation_id", job.job_id),
        causation_id=job.side.get("msg_causation_id", ""),
        reason=reason,
        error="" if info is None else info.last_error,
        faults=faults,
    )


def _failure(info: JobInfo | None) -> tuple[str, tuple[Fault, ...]]:
    if info is None or not info.failure:
        return "", ()
    told = orjson.loads(info.failure)
    faults = (Fault(each["path"], each["code"], each["message"]) for each in told["errors"])
    return told["reason"], tuple(faults)


def message_of(job: NewJob, registry: Registry) -> Any:
    """The message of a job by its own type; None where the registry does not know it, or it does
    not decode."""
    try:
        if "msg_type" not in job.side:
            return decode_untyped(job.payload)
        for message_type in registry.types():
            if is_of(job, message_type):
                return decode(message_type, job.payload)
    except UndecodableJob:
        return None
    return None


def is_of(job: NewJob, message_type: MessageType[Any]) -> bool:
    """Whether the job was published as this type, in this version."""
    side = job.side
    return side.get("msg_type") == message_type.name and side.get("msg_version", "1") == str(
        message_type.version
    )
