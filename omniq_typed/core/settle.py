"""Commands that end or renew leases. Scripts: lua/commands/settle.lua, heartbeat.lua."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from omniq_typed.core.arguments import check_int, check_token, clip_error
from omniq_typed.core.command import CHECK, Arg, Command
from omniq_typed.core.keys import check_job_id, queue_keys
from omniq_typed.core.replies import refuse, text
from omniq_typed.core.scripts import script
from omniq_typed.models import HeartbeatResult, Outcome, Settled, Settlement

DEFAULT_KEEP_COMPLETED = 100


def settle(
    queue: str,
    settlements: Sequence[Settlement],
    *,
    now_ms: int = 0,
    keep_completed: int = DEFAULT_KEEP_COMPLETED,
) -> Command[list[Settled]]:
    """Ends leases; one result per settlement. Give jobs back (RELEASE) in the reverse order of
    their reservation, so that they keep their order at the head of the lane."""
    args: list[Arg] = [
        check_int("now_ms_override", now_ms, 0),
        CHECK,
        check_int("keep_completed", keep_completed, 0),
        len(settlements),
    ]
    args += settlement_records(settlements)
    parse = partial(parse_settled, settlements)
    return Command(script("settle"), queue_keys(queue), args, parse, repeatable=False)


def settlement_records(settlements: Iterable[Settlement]) -> list[Arg]:
    """The flat records of lua/lib/settle_batch.lua. Ids and tokens are as reserve gave them."""
    args: list[Arg] = []
    for s in settlements:
        args += (s.job_id, s.lease_token, s.outcome.value)
        if s.outcome not in (Outcome.ACK, Outcome.RELEASE):
            delay = "" if s.delay_ms is None else check_int("delay_ms", s.delay_ms, 0)
            args += (delay, s.reason, clip_error(s.message), s.errors_json)
    return args


def parse_settled(settlements: Sequence[Settlement], reply: Any) -> list[Settled]:
    """One Settled per settlement; the reply tells only of those that are not acknowledged."""
    found = [Settled(each.job_id, "OK", "") for each in settlements]
    for nth, status, detail in reply:
        found[nth - 1] = Settled(settlements[nth - 1].job_id, text(status), text(detail))
    return found


def ack_success(
    queue: str, job_id: str, lease_token: str, *, now_ms: int = 0, keep_completed: int
) -> Command[None]:
    """Acknowledges one job. Raises LeaseLost."""
    one = Settlement(check_job_id(job_id), check_token(lease_token), Outcome.ACK)
    command = settle(queue, [one], now_ms=now_ms, keep_completed=keep_completed)

    def parse(reply: Any) -> None:
        (settled,) = command.parse(reply)
        if settled.status == "ERR":
            refuse("ack_success", settled.detail, job_id)

    return Command(command.script, command.keys, command.args, parse, repeatable=False)


def ack_fail(
    queue: str,
    job_id: str,
    lease_token: str,
    error: str | None,
    *,
    delay_ms: int | None = None,
    permanent: bool = False,
    now_ms: int = 0,
) -> Command[tuple[str, int | None]]:
    """Fails one attempt. Answers ('RETRY', due_ms) or ('FAILED', None). Raises LeaseLost."""
    outcome = Outcome.FAIL if permanent else Outcome.RETRY
    one = Settlement(
        check_job_id(job_id), check_token(lease_token), outcome, delay_ms, message=error or ""
    )
    command = settle(queue, [one], now_ms=now_ms)

    def parse(reply: Any) -> tuple[str, int | None]:
        (settled,) = command.parse(reply)
        if settled.status == "ERR":
            refuse("ack_fail", settled.detail, job_id)
        return settled.status, int(settled.detail) if settled.status == "RETRY" else None

    return Command(command.script, command.keys, command.args, parse, repeatable=False)


def heartbeat_one(queue: str, job_id: str, lease_token: str, *, now_ms: int = 0) -> Command[int]:
    """Renews one lease; answers its new end in ms. Raises LeaseLost."""
    command = heartbeat(queue, [(job_id, lease_token)], now_ms=now_ms)

    def parse(reply: Any) -> int:
        (result,) = _parse_beats(reply)
        if result.lock_until_ms is None:
            refuse("heartbeat", result.error, job_id)
        return result.lock_until_ms

    return Command(command.script, command.keys, command.args, parse, repeatable=True)


def heartbeat(
    queue: str, leases: Sequence[tuple[str, str]], *, now_ms: int = 0
) -> Command[list[HeartbeatResult]]:
    """Renews leases given as (job_id, lease_token), each to now + the job's timeout."""
    args: list[Arg] = [check_int("now_ms_override", now_ms, 0), CHECK, len(leases)]
    for job_id, lease_token in leases:
        args += (check_job_id(job_id), check_token(lease_token))
    return Command(script("heartbeat"), queue_keys(queue), args, _parse_beats, repeatable=True)


def _parse_beats(reply: Any) -> list[HeartbeatResult]:
    return [
        HeartbeatResult(text(job_id), int(detail), "")
        if status == b"OK"
        else HeartbeatResult(text(job_id), None, text(detail))
        for job_id, status, detail in reply
    ]
