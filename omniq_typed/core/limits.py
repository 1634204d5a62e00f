"""Commands for the limits of a queue. Scripts: lua/commands/set_rate_limit.lua,
set_concurrency_limit.lua, read_limits.lua; a group's limit of running jobs is in core/admin.py."""

from __future__ import annotations

import math
from typing import Any

from omniq_typed.core.arguments import check_int
from omniq_typed.core.command import CHECK, Arg, Command
from omniq_typed.core.keys import check_gid, queue_keys
from omniq_typed.core.replies import number, text
from omniq_typed.core.scripts import script
from omniq_typed.errors import InvalidArgument
from omniq_typed.models import QueueLimits, RateLimit

MOST_PER_S = 1_000_000
LEAST_PER_S = 0.0001
MAX_LIMIT = 10**9


def set_rate_limit(
    queue: str,
    per_s: float | None,
    *,
    burst: int | None = None,
    gid: str | None = None,
    now_ms: int = 0,
) -> Command[None]:
    """How many jobs of the queue, or of one of its groups, may start per second; None or 0: any
    number.

    `burst`: how many may start at once after a time in which fewer did; None: those of one second,
    at least 1. Raises InvalidArgument.
    """
    rate = _check_per_s(per_s)
    if burst is None:
        burst = max(math.ceil(rate), 1)
    args: list[Arg] = [
        check_int("now_ms_override", now_ms, 0),
        CHECK,
        "" if gid is None else check_gid(gid),
        repr(rate),
        check_int("burst", burst, 1, MAX_LIMIT),
    ]
    return Command(script("set_rate_limit"), queue_keys(queue), args, _nothing, repeatable=True)


def set_concurrency_limit(queue: str, limit: int | None) -> Command[None]:
    """How many jobs of the queue may be leased at once; None or 0: any number. Raises
    InvalidArgument."""
    args: list[Arg] = [0 if limit is None else check_int("limit", limit, 0, MAX_LIMIT), CHECK]
    keys = queue_keys(queue)
    return Command(script("set_concurrency_limit"), keys, args, _nothing, repeatable=True)


def read_limits(queue: str) -> Command[QueueLimits]:
    """The limits of the queue as a whole; those of groups: core/observe.py, group_status."""
    return Command(script("read_limits"), queue_keys(queue), (), _parse_limits, repeatable=True)


def parse_rate(stored: Any) -> RateLimit | None:
    """A rate limit as it is stored; None for '' and for what is none."""
    words = text(stored).split()
    try:
        return RateLimit(float(words[0]), int(words[1]))
    except (IndexError, ValueError):
        return None


def _parse_limits(reply: Any) -> QueueLimits:
    concurrency, rate = reply
    return QueueLimits(number(concurrency) or None, parse_rate(rate))


def _nothing(_reply: Any) -> None:
    return None


def _check_per_s(per_s: object) -> float:
    if per_s is None:
        return 0.0
    if not isinstance(per_s, (int, float)) or isinstance(per_s, bool):
        raise InvalidArgument("per_s", f"{per_s!r} is no number of jobs per second")
    if per_s != 0 and not LEAST_PER_S <= per_s <= MOST_PER_S:
        raise InvalidArgument(
            "per_s", f"{per_s} is out of range; use {LEAST_PER_S} to {MOST_PER_S}, or None for any"
        )
    return float(per_s)
