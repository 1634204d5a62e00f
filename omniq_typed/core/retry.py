"""When a failed job runs again, and how a handler's end becomes a settlement. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from omniq_typed.core.arguments import check_int
from omniq_typed.errors import Fault, InvalidArgument, Reject, Retry, UndecodableJob
from omniq_typed.models import Outcome, Reserved, Settlement
from omniq_typed.protocols import RetryPolicy


@dataclass(frozen=True, slots=True)
class JobBackoff:
    """The backoff_ms that the job was published with."""

    def delay_ms(self, attempt: int, error: BaseException, unit: float) -> int | None:
        """None: the server takes the job's own."""
        return None


@dataclass(frozen=True, slots=True)
class Fixed:
    """The same pause before every attempt."""

    pause_ms: int

    def __post_init__(self) -> None:
        check_int("pause_ms", self.pause_ms, 0)

    def delay_ms(self, attempt: int, error: BaseException, unit: float) -> int | None:
        """`pause_ms`."""
        return self.pause_ms


@dataclass(frozen=True, slots=True)
class Exponential:
    """first_ms, then `factor` times as long each time, at most max_ms; with full jitter (a random
    part of that) so that jobs that failed together do not come back together."""

    first_ms: int = 1_000
    factor: float = 2.0
    max_ms: int = 3_600_000
    jitter: bool = True

    def __post_init__(self) -> None:
        check_int("first_ms", self.first_ms, 0)
        check_int("max_ms", self.max_ms, 0)
        factor: object = self.factor
        if not isinstance(factor, (int, float)) or not 1 <= factor <= 1000:
            raise InvalidArgument("factor", f"{factor!r} is out of range; use 1 to 1000")

    def delay_ms(self, attempt: int, error: BaseException, unit: float) -> int | None:
        """0 to min(max_ms, first_ms * factor ** (attempt - 1))."""
        # 2 ** 1024 overflows a float; any bound is reached long before.
        exponent = min(max(attempt - 1, 0), 64)
        bound = min(float(self.max_ms), self.first_ms * self.factor**exponent)
        return int(bound * unit) if self.jitter else int(bound)


def succeeded(job: Reserved) -> Settlement:
    """The handler returned."""
    return Settlement(job.job_id, job.lease_token, Outcome.ACK)


def given_back(job: Reserved) -> Settlement:
    """The handler was never started, or was interrupted by the worker's stop."""
    return Settlement(job.job_id, job.lease_token, Outcome.RELEASE)


def undecodable(job: Reserved, error: UndecodableJob) -> Settlement:
    """No handler may see the job: it fails at once, with where and why."""
    return Settlement(
        job.job_id,
        job.lease_token,
        Outcome.INVALID,
        reason=error.reason,
        message=str(error),
        errors_json=_faults_json(error.faults),
    )


def failed(job: Reserved, error: BaseException, policy: RetryPolicy, unit: float) -> Settlement:
    """The handler raised: rejected, or again by the policy. The server counts the attempts."""
    if isinstance(error, Reject):
        return Settlement(
            job.job_id, job.lease_token, Outcome.FAIL, reason="rejected", message=str(error)
        )
    if isinstance(error, Retry) and error.after_s is not None:
        delay = int(error.after_s * 1000)
    else:
        delay_or_none = policy.delay_ms(job.attempt, error, unit)
        delay = -1 if delay_or_none is None else max(delay_or_none, 0)
    said = str(error) if isinstance(error, Retry) else f"{type(error).__name__}: {error}"
    return Settlement(
        job.job_id,
        job.lease_token,
        Outcome.RETRY,
        delay_ms=None if delay < 0 else delay,
        message=said,
    )


def _faults_json(faults: tuple[Fault, ...]) -> str:
    rows = [{"path": f.path, "code": f.code, "message": f.message} for f in faults]
    return orjson.dumps(rows).decode()
