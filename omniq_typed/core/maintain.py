"""Commands that keep the house by hand; reserve does the same in passing.
Scripts: lua/commands/promote_delayed.lua, reap_expired.lua."""

from __future__ import annotations

from omniq_typed.core.arguments import check_int
from omniq_typed.core.command import CHECK, Arg, Command
from omniq_typed.core.keys import queue_keys
from omniq_typed.core.replies import number
from omniq_typed.core.scripts import script

MAX_MOVES = 100_000


def promote_delayed(queue: str, limit: int, *, now_ms: int = 0) -> Command[int]:
    """Moves at most `limit` due jobs to their lanes; answers how many."""
    args: list[Arg] = [
        check_int("now_ms_override", now_ms, 0),
        CHECK,
        check_int("max_promote", limit, 1, MAX_MOVES),
    ]
    return Command(script("promote_delayed"), queue_keys(queue), args, number, repeatable=True)


def reap_expired(queue: str, limit: int, *, now_ms: int = 0) -> Command[int]:
    """Fails the attempts of at most `limit` jobs whose lease has ended; answers how many."""
    args: list[Arg] = [
        check_int("now_ms_override", now_ms, 0),
        CHECK,
        check_int("max_reap", limit, 1, MAX_MOVES),
    ]
    return Command(script("reap_expired"), queue_keys(queue), args, number, repeatable=True)
