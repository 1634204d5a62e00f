"""The command that workers live on. Script: lua/commands/reserve.lua."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from omniq_typed.core.arguments import check_int
from omniq_typed.core.command import Arg, Command
from omniq_typed.core.keys import queue_keys
from omniq_typed.core.replies import number, text
from omniq_typed.core.scripts import script
from omniq_typed.core.settle import DEFAULT_KEEP_COMPLETED, parse_settled, settlement_records
from omniq_typed.models import Reservation, Reserved, ReserveJob, ReservePaused, Settlement

MAX_JOBS_PER_RESERVE = 1000
DEFAULT_UPKEEP = 100
"""Leases reaped and due jobs promoted in passing, at most, by one reserve."""


def reserve(
    queue: str,
    *,
    limit: int,
    token_prefix: str,
    settlements: Sequence[Settlement] = (),
    now_ms: int = 0,
    keep_completed: int = DEFAULT_KEEP_COMPLETED,
    upkeep: int = DEFAULT_UPKEEP,
) -> Command[Reservation]:
    """Settles, reaps, promotes, and leases up to `limit` jobs (0: none), in one round trip.

    `token_prefix` must be new for each call: it makes the lease tokens of the jobs.
    """
    args: list[Arg] = [
        check_int("now_ms_override", now_ms, 0),
        check_int("limit", limit, 0, MAX_JOBS_PER_RESERVE),
        token_prefix,
        check_int("keep_completed", keep_completed, 0),
        check_int("upkeep", upkeep, 0),
        len(settlements),
    ]
    args += settlement_records(settlements)
    return Command(script("reserve"), queue_keys(queue), args, _parse, repeatable=False)


def reserve_one(
    queue: str, token_prefix: str, *, now_ms: int = 0
) -> Command[ReserveJob | ReservePaused | None]:
    """One job under OmniQ's names; None where there is none."""
    command = reserve(queue, limit=1, token_prefix=token_prefix, now_ms=now_ms)

    def parse(reply: Any) -> ReserveJob | ReservePaused | None:
        reservation = _parse(reply)
        if reservation.paused:
            return ReservePaused()
        for job in reservation.jobs:
            return ReserveJob(
                job_id=job.job_id,
                payload=text(job.payload),
                lock_until_ms=job.lock_until_ms,
                attempt=job.attempt,
                max_attempts=job.max_attempts,
                gid=job.gid,
                lease_token=job.lease_token,
            )
        return None

    return Command(command.script, command.keys, command.args, parse, repeatable=False)


def _parse(reply: Any) -> Reservation:
    status, now_ms, next_due_ms, promoted, reaped, settled, jobs = reply
    return Reservation(
        paused=status == b"PAUSED",
        now_ms=now_ms,
        next_due_ms=next_due_ms,
        promoted=promoted,
        reaped=reaped,
        settled=tuple(parse_settled(settled)),
        jobs=tuple(map(_reserved, jobs)),
    )


def _reserved(entry: list[bytes]) -> Reserved:
    # Reserved's fields stand in the order of lua/lib/lease_job.lua.
    return Reserved(
        text(entry[0]),
        entry[1],
        int(entry[2]),
        int(entry[3]),
        number(entry[4]),
        text(entry[5]),
        text(entry[6]),
        number(entry[7]),
        number(entry[8]),
        number(entry[9]),
        text(entry[10]),
        text(entry[11]),
        text(entry[12]),
        text(entry[13]),
        text(entry[14]),
        text(entry[15]),
        text(entry[16]),
        text(entry[17]),
        number(entry[18]),
    )
