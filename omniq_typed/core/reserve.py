"""The command that workers live on. Script: lua/commands/reserve.lua."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from secrets import token_urlsafe
from typing import Any

from omniq_typed.core.arguments import check_int, check_token
from omniq_typed.core.command import CHECK, Arg, Command
from omniq_typed.core.keys import queue_keys
from omniq_typed.core.replies import number, text
from omniq_typed.core.scripts import script
from omniq_typed.core.settle import DEFAULT_KEEP_COMPLETED, parse_settled, settlement_records
from omniq_typed.models import Reservation, Reserved, ReserveJob, ReservePaused, Settlement

MAX_JOBS_PER_RESERVE = 1000
DEFAULT_UPKEEP = 100
"""Leases reaped and due jobs promoted in passing, at most, by one reserve."""
_BATCH_PREFIX = "batch."


def new_token_prefix(*, is_batch: bool = False) -> str:
    """For one call of `reserve`. `is_batch`: its jobs wait for each other in the worker, so that it
    may not have started all of them if it dies: lua/lib/reap_leases.lua."""
    return (_BATCH_PREFIX if is_batch else "") + token_urlsafe(12)


def is_of_batch(token_prefix: str) -> bool:
    """Whether it was made for a batch."""
    return token_prefix.startswith(_BATCH_PREFIX)


def reserve(
    queue: str,
    *,
    limit: int,
    token_prefix: str,
    settlements: Sequence[Settlement] = (),
    now_ms: int = 0,
    keep_completed: int = DEFAULT_KEEP_COMPLETED,
    upkeep: int = DEFAULT_UPKEEP,
    lost_prefix: str = "",
) -> Command[Reservation]:
    """Settles, reaps, promotes, and leases up to `limit` jobs (0: none), in one round trip.

    `token_prefix` must be new for each call: it makes the lease tokens of the jobs. `lost_prefix`:
    that of a call whose reply was lost; the jobs that it leased, if it was run at all, go back to
    the head of their lanes first, in their order and the attempt not counted.
    """
    args: list[Arg] = [
        check_int("now_ms_override", now_ms, 0),
        CHECK,
        check_int("limit", limit, 0, MAX_JOBS_PER_RESERVE),
        check_token(token_prefix),
        check_int("keep_completed", keep_completed, 0),
        check_int("upkeep", upkeep, 0),
        check_token(lost_prefix),
        len(settlements),
    ]
    args += settlement_records(settlements)
    parse = partial(_parse, token_prefix, settlements)
    return Command(script("reserve"), queue_keys(queue), args, parse, repeatable=False)


def reserve_one(
    queue: str, token_prefix: str, *, now_ms: int = 0
) -> Command[ReserveJob | ReservePaused | None]:
    """One job under OmniQ's names; None where there is none."""
    command = reserve(queue, limit=1, token_prefix=token_prefix, now_ms=now_ms)

    def parse(reply: Any) -> ReserveJob | ReservePaused | None:
        reservation = command.parse(reply)
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


def _parse(token_prefix: str, settlements: Sequence[Settlement], reply: Any) -> Reservation:
    status, now_ms, next_due_ms, promoted, reaped, settled, kinds, sides, jobs = reply
    return Reservation(
        paused=status == b"PAUSED",
        now_ms=now_ms,
        next_due_ms=next_due_ms,
        promoted=promoted,
        reaped=reaped,
        settled=tuple(parse_settled(settlements, settled)),
        jobs=_jobs(token_prefix, [_kind(row) for row in kinds], _sides(sides), jobs),
    )


def _kind(row: list[Any]) -> tuple[Any, ...]:
    """What jobs have in common, in the order of Reserved's fields. The first, lock_until_ms, is
    another each time, the others mostly are not."""
    return (int(row[0]), *_read_kind(*row[1:]))


@lru_cache(maxsize=1024)
def _read_kind(*row: Any) -> tuple[Any, ...]:
    return tuple(read(each) for read, each in zip(_KIND, row, strict=True))


_KIND: tuple[Callable[[Any], Any], ...] = (
    *(int, number, text, number),  # attempt, max_attempts, gid, timeout_ms
    *(text, text, text, text, number),  # msg_type, msg_version, msg_schema, msg_source, deferrals
)


def _sides(flat: list[Any]) -> list[tuple[str, str, str, str]]:
    """By the number that a job names: 0 for one that has nothing beside its payload."""
    words = map(text, flat)
    return [("", "", "", ""), *zip(words, words, words, words, strict=True)]


def _jobs(
    token_prefix: str,
    kinds: list[tuple[Any, ...]],
    sides: list[tuple[str, str, str, str]],
    flat: list[Any],
) -> tuple[Reserved, ...]:
    jobs: list[Reserved] = []
    rows = zip(*[iter(flat)] * 5, strict=True)
    for nth, (job_id, payload, kind, created, side) in enumerate(rows, 1):
        until, attempt, most, gid, timeout, name, version, schema, source, deferrals = kinds[
            kind - 1
        ]
        correlation, causation, parent, state = sides[side]
        jobs.append(
            Reserved(
                *(text(job_id), payload, until, attempt, most, gid, f"{token_prefix}-{nth}"),
                *(timeout, number(created), name, version, schema, source),
                *(correlation, causation, parent, state, deferrals),
            )
        )
    return tuple(jobs)
