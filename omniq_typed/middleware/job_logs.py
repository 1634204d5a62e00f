"""Log records with the fields of the job they are about: `LogJobs`, and `JobFields` for the records
that handlers write themselves."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from omniq_typed.context import AsyncCtx, Ctx
from omniq_typed.errors import InvalidArgument
from omniq_typed.messages.envelope import Envelope
from omniq_typed.middleware.chain import (
    AsyncHandle,
    AsyncPublish,
    ForBothBuses,
    Handle,
    Publish,
)
from omniq_typed.middleware.observing import addressed_to, harmless, outcome_of
from omniq_typed.middleware.scoped import scoped

JOBS_LOGGER = logging.getLogger("omniq_typed.jobs")

LOG_FIELDS = (
    "kind",
    "job_id",
    "queue",
    "msg_type",
    "msg_version",
    "attempt",
    "max_attempts",
    "correlation_id",
    "causation_id",
    "duration_ms",
    "outcome",
    "error_type",
)
"""All attributes that `LogJobs` gives to log records: for formatters that want to be told."""

_at_hand: ContextVar[Mapping[str, object] | None] = ContextVar("omniq_typed_job", default=None)
"""The fields of the job that is being handled."""


class LogJobs(ForBothBuses):
    """One record when a job starts (DEBUG), one when it ends and one for each publish (`level`;
    WARNING where it ended by an exception), with the job's fields as attributes of the record.

    Fields: kind ('handle' or 'publish'), job_id, queue, msg_type, msg_version, correlation_id and
    causation_id ('' = none); of a handled job attempt and max_attempts; at the end duration_ms,
    outcome (see `OutcomeName`) and error_type, the exception's class, '' = none.
    """

    def __init__(self, logger: logging.Logger = JOBS_LOGGER, level: int = logging.INFO) -> None:
        """Raises InvalidArgument."""
        given: tuple[object, object] = (logger, level)
        if not isinstance(given[0], logging.Logger):
            raise InvalidArgument("logger", f"{logger!r} is none; use logging.getLogger(name)")
        if not isinstance(given[1], int) or isinstance(given[1], bool):
            raise InvalidArgument("level", f"{level!r} is none; use logging.INFO or another number")
        self._logger = logger
        self._level = level

    def handle(self, ctx: Ctx[Any], call_next: Handle) -> None:
        """Logs the start and the end of one attempt."""
        with self._handling(ctx):
            call_next(ctx)

    async def handle_async(self, ctx: AsyncCtx[Any], call_next: AsyncHandle) -> None:
        """As `handle`."""
        with self._handling(ctx):
            await call_next(ctx)

    def publish(self, envelope: Envelope[Any], call_next: Publish) -> str:
        """Logs the message and the id of its job."""
        with self._publishing(envelope) as fields:
            job_id = call_next(envelope)
            fields["job_id"] = job_id
        return job_id

    async def publish_async(self, envelope: Envelope[Any], call_next: AsyncPublish) -> str:
        """As `publish`."""
        with self._publishing(envelope) as fields:
            job_id = await call_next(envelope)
            fields["job_id"] = job_id
        return job_id

    @contextmanager
    def _handling(self, ctx: Ctx[Any] | AsyncCtx[Any]) -> Generator[None]:
        fields = _handling_fields(ctx)
        self._log(logging.DEBUG, "started", fields)
        with scoped(_at_hand, fields), self._logged_end(fields):
            yield

    @contextmanager
    def _publishing(self, envelope: Envelope[Any]) -> Generator[dict[str, object]]:
        fields = _publishing_fields(envelope)
        with self._logged_end(fields):
            yield fields

    @contextmanager
    def _logged_end(self, fields: Mapping[str, object]) -> Generator[None]:
        started = time.perf_counter()
        try:
            yield
        except BaseException as error:
            self._log_end(fields, started, error)
            raise
        self._log_end(fields, started, None)

    def _log_end(
        self, fields: Mapping[str, object], started: float, error: BaseException | None
    ) -> None:
        duration_ms = round((time.perf_counter() - started) * 1000, 3)
        outcome = outcome_of(error)
        error_type = "" if error is None else type(error).__name__
        level = self._level if error is None else logging.WARNING
        end = {"duration_ms": duration_ms, "outcome": outcome, "error_type": error_type}
        ended = f"{outcome} ({error_type})" if outcome == "error" else outcome
        self._log(level, f"{ended} after {duration_ms:.1f} ms", {**fields, **end})

    def _log(self, level: int, event: str, fields: Mapping[str, object]) -> None:
        with harmless("logging a job"):
            self._logger.log(
                level,
                "%s %s of %s v%s, queue %s: %s",
                fields["kind"],
                fields["job_id"] or "(no id)",
                fields["msg_type"] or "(no type)",
                fields["msg_version"],
                fields["queue"] or "(none)",
                event,
                extra=fields,
            )


class JobFields(logging.Filter):
    """Adds the fields of the job at hand, as `LogJobs` says them, to the records that its handler
    and everything that this calls emit. Add it to a logging handler; a logger would apply it to
    none but its own records. Records that have a `job_id` already are left alone."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Drops no record, but those that the filter's `name` does not allow."""
        fields = _at_hand.get()
        if fields is not None and not hasattr(record, "job_id"):
            for name, value in fields.items():
                record.__dict__.setdefault(name, value)
        return bool(super().filter(record))


def _handling_fields(ctx: Ctx[Any] | AsyncCtx[Any]) -> dict[str, object]:
    return {
        "kind": "handle",
        "job_id": ctx.job_id,
        "queue": ctx.queue,
        "msg_type": ctx.msg_type,
        "msg_version": ctx.msg_version,
        "attempt": ctx.attempt,
        "max_attempts": ctx.max_attempts,
        "correlation_id": ctx.correlation_id,
        "causation_id": ctx.causation_id,
    }


def _publishing_fields(envelope: Envelope[Any]) -> dict[str, object]:
    queue, msg_type, msg_version = addressed_to(envelope)
    return {
        "kind": "publish",
        "job_id": envelope.job_id or "",
        "queue": queue,
        "msg_type": msg_type,
        "msg_version": msg_version,
        "correlation_id": envelope.correlation_id or "",
        "causation_id": envelope.causation_id or "",
    }
