"""What becomes of a job that cannot be decoded: policies, and the user's own handler."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from omniq_typed.core.arguments import check_int
from omniq_typed.core.replies import number
from omniq_typed.core.retry import left_for_others, succeeded, undecodable
from omniq_typed.errors import Fault, InvalidArgument, Retry, UndecodableJob
from omniq_typed.models import Reserved, Settlement

log = logging.getLogger("omniq_typed.worker")

REASONS = ("invalid_payload", "unknown_type", "upcast_failed")
LEAVE_PAUSE_MS = 5_000


class InvalidPolicy(Protocol):
    """How an undecodable job ends. See `DeadLetter` and `LeaveForOthers`."""

    def wait_ms(self, reason: str, deferrals: int) -> int | None:
        """Milliseconds for which the job is left for other workers, or None: to the failed lane.

        `reason` as in UndecodableJob; `deferrals`: how often it was left already.
        """


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """To the failed lane at once, with its bytes and the reason."""

    def wait_ms(self, reason: str, deferrals: int) -> int | None:
        """None."""
        return None


@dataclass(frozen=True, slots=True)
class LeaveForOthers:
    """For rolling deployments, where an older worker meets a newer type or version: the job waits
    `pause_ms` and is offered again, to any worker, at most `times`; then to the failed lane. No
    attempt is burned. `reasons`: of UndecodableJob; a payload that breaks its own type
    ('invalid_payload') is broken for the others too, and so is not among them unless you say so.
    """

    times: int = 120
    pause_ms: int = LEAVE_PAUSE_MS
    reasons: tuple[str, ...] = ("unknown_type",)

    def __post_init__(self) -> None:
        check_int("times", self.times, 1, 10**9)
        check_int("pause_ms", self.pause_ms, 0)
        for reason in self.reasons:
            if reason not in REASONS:
                raise InvalidArgument("reasons", f"{reason!r} is none; use {', '.join(REASONS)}")

    def wait_ms(self, reason: str, deferrals: int) -> int | None:
        """`pause_ms`, or None where the reason is another or `times` is reached."""
        return self.pause_ms if reason in self.reasons and deferrals < self.times else None


class InvalidOutcome(StrEnum):
    """What an `on_invalid` handler may return; None is DEAD_LETTER."""

    DEAD_LETTER = "dead_letter"
    """To the failed lane, with its bytes and the reason."""
    HANDLED = "handled"
    """The job is completed: the handler has done what there was to do."""


@dataclass(frozen=True, slots=True)
class InvalidJob:
    """A job that no consumer can be given.

    `reason`, `message`, `faults` as in UndecodableJob; `msg_version` 0: no number; `deferrals`:
    how often workers left it for others.
    """

    queue: str
    job_id: str
    payload: bytes
    msg_type: str
    msg_version: int
    reason: str
    message: str
    faults: tuple[Fault, ...]
    deferrals: int
    created_ms: int
    gid: str
    source: str
    correlation_id: str


def invalid_job(queue: str, job: Reserved, error: UndecodableJob) -> InvalidJob:
    """What the user's handler is given."""
    return InvalidJob(
        queue=queue,
        job_id=job.job_id,
        payload=job.payload,
        msg_type=job.msg_type,
        msg_version=number(job.msg_version or 1),
        reason=error.reason,
        message=error.message,
        faults=error.faults,
        deferrals=job.deferrals,
        created_ms=job.created_ms,
        gid=job.gid,
        source=job.msg_source,
        correlation_id=job.msg_correlation_id or job.job_id,
    )


def settle_by_policy(
    queue: str, job: Reserved, error: UndecodableJob, policy: InvalidPolicy
) -> Settlement:
    """The settlement that a policy chooses; the failed lane where the policy itself fails."""
    try:
        pause = policy.wait_ms(error.reason, job.deferrals)
        if pause is not None:
            check_int("pause_ms", pause, 0)
    except Exception:
        log.exception("policy %r for undecodable jobs failed", policy)
        pause = None
    if pause is None:
        log.error("job %s in queue %s is undecodable: %s", job.job_id, queue, error)
        return undecodable(job, error)
    log.info("job %s in queue %s is left for other workers: %s", job.job_id, queue, error)
    return left_for_others(job, error, pause)


def settle_as_told(queue: str, job: Reserved, error: UndecodableJob, told: object) -> Settlement:
    """The settlement for what the user's handler returned or raised."""
    if isinstance(told, Retry):
        pause = LEAVE_PAUSE_MS if told.after_s is None else int(told.after_s * 1000)
        log.info("job %s in queue %s is left for other workers: %s", job.job_id, queue, error)
        return left_for_others(job, error, pause)
    if told is InvalidOutcome.HANDLED:
        return succeeded(job)
    if isinstance(told, BaseException):
        log.error("on_invalid of queue %s failed at job %s", queue, job.job_id, exc_info=told)
    elif told not in (None, InvalidOutcome.DEAD_LETTER):
        log.error("on_invalid of queue %s gave %r, no InvalidOutcome", queue, told)
    log.error("job %s in queue %s is undecodable: %s", job.job_id, queue, error)
    return undecodable(job, error)
