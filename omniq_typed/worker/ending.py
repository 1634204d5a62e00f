"""What the two kinds of lanes share around a handler, and around the round trip that settles its
result. A fault in a user's retry policy, error text or logger must not end the worker."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from omniq_typed.context import Lease
from omniq_typed.core.arguments import check_int
from omniq_typed.core.command import Command
from omniq_typed.core.reserve import new_token_prefix, reserve
from omniq_typed.core.retry import failed
from omniq_typed.errors import Fault, Reject, Retry, UndecodableJob
from omniq_typed.models import Outcome, Reservation, Reserved, Settled, Settlement
from omniq_typed.publishing import Settings
from omniq_typed.worker.routing import Consumer, Route

log = logging.getLogger("omniq_typed.worker")

Ended: TypeAlias = tuple[Lease, Settlement]
"""A lease, and how its job ended."""


def open_job(route: Route, job: Reserved) -> tuple[Consumer, Any]:
    """The consumer of a job and the value it is given. Raises UndecodableJob and nothing else."""
    try:
        return route.open(job)
    except UndecodableJob:
        raise
    except Exception as error:
        log.exception("job %s in queue %s could not be decoded", job.job_id, route.queue)
        fault = Fault("", "validator_failed", described(error))
        raise UndecodableJob(
            "invalid_payload", "a validator of the type failed", (fault,)
        ) from error


def failure(consumer: Consumer, lease: Lease, error: BaseException) -> Settlement:
    """The settlement for what a handler raised; by the job's own backoff where the policy fails."""
    job = lease.job
    _log_failure(lease, error)
    try:
        settlement = failed(job, error, consumer.retry, random.random())
        if settlement.delay_ms is not None:
            check_int("delay_ms", settlement.delay_ms, 0)
        return settlement
    except Exception:
        log.exception(
            "retry policy %r failed; job %s takes its own backoff_ms", consumer.retry, job.job_id
        )
        return Settlement(job.job_id, job.lease_token, Outcome.RETRY, message=described(error))


def _log_failure(lease: Lease, error: BaseException) -> None:
    """With a traceback, unless the handler chose this end itself."""
    names = (lease.job.job_id, lease.queue)
    if isinstance(error, Retry):
        log.info("job %s in queue %s is to run again: %s", *names, described(error))
    elif isinstance(error, Reject):
        log.warning("job %s in queue %s rejected: %s", *names, described(error))
    else:
        log.error("job %s in queue %s failed", *names, exc_info=error)


def described(error: BaseException) -> str:
    """Class and text of an exception, also of one whose text fails."""
    name = type(error).__name__
    try:
        return f"{name}: {error}"
    except Exception:
        return f"{name} (its text could not be read)"


def tell(say: Callable[[str], None], event: str) -> None:
    """One line for people, if their logger takes it."""
    try:
        say(event)
    except Exception:
        log.exception("the logger failed at: %s", event)


def release_last(settlements: list[Settlement]) -> list[Settlement]:
    """Jobs that are given back go last and in reverse, so that they keep their order at the head
    of the lane."""
    released = [each for each in settlements if each.outcome is Outcome.RELEASE]
    others = [each for each in settlements if each.outcome is not Outcome.RELEASE]
    return others + released[::-1]


def settle_and_reserve(
    queue: str, settings: Settings, wanted: int, unsettled: list[Ended]
) -> Command[Reservation]:
    """The round trip of a lane whose jobs a test works off by hand."""
    return reserve(
        queue,
        limit=wanted,
        token_prefix=new_token_prefix(),
        settlements=release_last([settlement for _, settlement in unsettled]),
        keep_completed=settings.keep_completed,
    )


def warn_of_lost(leases: Iterable[Lease]) -> None:
    """Tells of results that are dropped."""
    for lease in leases:
        log.warning(
            "result of job %s in queue %s dropped: lease lost (%s)",
            lease.job.job_id,
            lease.queue,
            lease.lost_because,
        )


def warn_refused(queue: str, batch: list[Ended], settled: Iterable[Settled]) -> None:
    """Tells of results that the server refused, but for those whose loss was told already. Where a
    result was sent before in a call whose reply was lost, a refusal only says that it was taken
    then."""
    refused = [each for each in settled if each.status == "ERR"]
    if not refused:
        return
    leases = {lease.job.job_id: lease for lease, _ in batch}
    for each in refused:
        lease = leases.get(each.job_id)
        if lease is not None and lease.lost:
            continue
        told_before = lease is not None and lease.told_before
        log.log(
            logging.DEBUG if told_before else logging.WARNING,
            "result of job %s in queue %s not taken: %s",
            each.job_id,
            queue,
            each.detail,
        )
