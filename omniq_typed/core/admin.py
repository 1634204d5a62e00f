"""Commands for operators. Scripts: lua/commands/pause.lua, resume.lua, is_paused.lua,
retry_failed.lua, remove_jobs.lua, set_group_limit.lua."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from omniq_typed.core.arguments import check_ids, check_int
from omniq_typed.core.command import CHECK, Arg, Command
from omniq_typed.core.keys import check_gid, check_job_id, queue_keys
from omniq_typed.core.replies import number, refuse, text
from omniq_typed.core.scripts import script
from omniq_typed.errors import InvalidArgument
from omniq_typed.models import BatchResult

REMOVABLE_LANES = ("wait", "delayed", "failed", "completed", "gwait")


def pause(queue: str) -> Command[str]:
    """Stops leasing; answers 'OK'. Running jobs go on."""
    return Command(script("pause"), queue_keys(queue), (), text, repeatable=True)


def resume(queue: str) -> Command[int]:
    """Leases again; answers 1 when the queue was paused, else 0."""
    return Command(script("resume"), queue_keys(queue), (), number, repeatable=False)


def is_paused(queue: str) -> Command[bool]:
    """Whether the queue is paused."""
    return Command(script("is_paused"), queue_keys(queue), (), bool, repeatable=True)


def set_group_limit(queue: str, gid: str, limit: int, *, now_ms: int = 0) -> Command[None]:
    """Changes a group's concurrency limit. Raises StrictGroup."""
    args: list[Arg] = [
        check_int("now_ms_override", now_ms, 0),
        CHECK,
        check_gid(gid),
        check_int("limit", limit, 1, 10**9),
    ]

    def parse(reply: Any) -> None:
        if reply[0] == b"ERR":
            refuse("set_group_limit", text(reply[1]), gid)

    return Command(script("set_group_limit"), queue_keys(queue), args, parse, repeatable=True)


def retry_failed(queue: str, job_id: str, *, now_ms: int = 0) -> Command[None]:
    """Gives one failed job its attempts back. Raises JobNotFound, WrongLane."""
    command = retry_failed_batch(queue, [check_job_id(job_id)], now_ms=now_ms)
    parse = _single("retry_failed", command.parse)
    return Command(command.script, command.keys, command.args, parse, repeatable=False)


def retry_failed_batch(
    queue: str, job_ids: Sequence[str], *, now_ms: int = 0
) -> Command[list[BatchResult]]:
    """At most 100 at once, atomic, one result per id."""
    args: list[Arg] = [check_int("now_ms_override", now_ms, 0), CHECK, *check_ids(job_ids)]
    parse = _batch("retry_failed_batch")
    return Command(script("retry_failed"), queue_keys(queue), args, parse, repeatable=False)


def remove_job(queue: str, job_id: str, lane: str, *, now_ms: int = 0) -> Command[None]:
    """Deletes one job from the lane it is in. Raises JobNotFound, WrongLane."""
    command = remove_jobs_batch(queue, lane, [check_job_id(job_id)], now_ms=now_ms)
    parse = _single("remove_job", command.parse)
    return Command(command.script, command.keys, command.args, parse, repeatable=False)


def remove_jobs_batch(
    queue: str, lane: str, job_ids: Sequence[str], *, now_ms: int = 0
) -> Command[list[BatchResult]]:
    """At most 100 at once, atomic, one result per id."""
    if lane not in REMOVABLE_LANES:
        raise InvalidArgument("lane", f"{lane!r} is none; use {', '.join(REMOVABLE_LANES)}")
    args: list[Arg] = [check_int("now_ms_override", now_ms, 0), CHECK, str(lane)]
    args += check_ids(job_ids)
    parse = _batch("remove_jobs_batch")
    return Command(script("remove_jobs"), queue_keys(queue), args, parse, repeatable=False)


def _batch(operation: str) -> Callable[[Any], list[BatchResult]]:
    def parse(reply: Any) -> list[BatchResult]:
        if reply and reply[0] == b"ERR":
            refuse(operation, text(reply[1]), "job_ids")
        return [
            BatchResult(text(job_id), text(status), text(reason) or None)
            for job_id, status, reason in reply
        ]

    return parse


def _single(
    operation: str, parse_batch: Callable[[Any], list[BatchResult]]
) -> Callable[[Any], None]:
    def parse(reply: Any) -> None:
        (result,) = parse_batch(reply)
        if result.reason is not None:
            refuse(operation, result.reason, result.job_id)

    return parse
