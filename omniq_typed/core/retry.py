"""How a handler's end becomes a settlement. Pure; the retry policies are in backoff.py."""

from __future__ import annotations

import orjson

from omniq_typed.core.arguments import check_int
from omniq_typed.errors import Fault, HandlerTimeout, Reject, Retry, UndecodableJob
from omniq_typed.models import Outcome, Reserved, Settlement
from omniq_typed.protocols import NEVER, RetryPolicy


def succeeded(job: Reserved) -> Settlement:
    """The handler returned."""
    return Settlement(job.job_id, job.lease_token, Outcome.ACK)


def given_back(job: Reserved) -> Settlement:
    """The handler was never started, or was interrupted by the worker's stop."""
    return Settlement(job.job_id, job.lease_token, Outcome.RELEASE)


def undecodable(job: Reserved, error: UndecodableJob) -> Settlement:
    """No handler may see the job: it fails at once, with where and why."""
    return _unseen(job, Outcome.INVALID, error, None)


def left_for_others(job: Reserved, error: UndecodableJob, pause_ms: int) -> Settlement:
    """This worker cannot decode the job, a newer one may: it comes back after `pause_ms`, with
    where and why, no attempt burned. How often is too often is the caller's: `job.deferrals`."""
    return _unseen(job, Outcome.DEFER, error, pause_ms)


def _unseen(
    job: Reserved, outcome: Outcome, error: UndecodableJob, delay_ms: int | None
) -> Settlement:
    return Settlement(
        job.job_id,
        job.lease_token,
        outcome,
        delay_ms,
        reason=error.reason,
        message=str(error),
        errors_json=_faults_json(error.faults),
    )


def failed(job: Reserved, error: BaseException, policy: RetryPolicy, unit: float) -> Settlement:
    """The handler raised: rejected, or again by the policy. The server counts the attempts.

    Raises what the policy raises, and InvalidArgument where it answers no time.
    """
    if isinstance(error, Reject):
        return Settlement(
            job.job_id, job.lease_token, Outcome.FAIL, reason="rejected", message=str(error)
        )
    said = str(error) if isinstance(error, Retry) else f"{type(error).__name__}: {error}"
    reason = "timeout" if isinstance(error, HandlerTimeout) else "handler_error"
    delay_ms = _delay_ms(job, error, policy, unit)
    if delay_ms == NEVER:
        return Settlement(job.job_id, job.lease_token, Outcome.FAIL, reason=reason, message=said)
    return Settlement(
        job.job_id, job.lease_token, Outcome.RETRY, delay_ms, reason=reason, message=said
    )


def _delay_ms(job: Reserved, error: BaseException, policy: RetryPolicy, unit: float) -> int | None:
    if isinstance(error, Retry) and error.after_s is not None:
        return int(error.after_s * 1000)
    delay_ms = policy.delay_ms(job.attempt, error, unit)
    if delay_ms is None:
        return None
    check_int("delay_ms", delay_ms, NEVER)
    if delay_ms == NEVER and isinstance(error, Retry):
        return None  # a handler that asks for another attempt knows better than its policy
    return delay_ms


def _faults_json(faults: tuple[Fault, ...]) -> str:
    rows = [{"path": f.path, "code": f.code, "message": f.message} for f in faults]
    return orjson.dumps(rows).decode()
