"""Commands of completion counters. Scripts: lua/commands/childs_init.lua, child_ack.lua."""

from __future__ import annotations

from typing import Any

from omniq_typed.core.arguments import check_int
from omniq_typed.core.command import CHECK, Arg, Command
from omniq_typed.core.keys import check_child_id, counter_keys
from omniq_typed.core.replies import refuse, text
from omniq_typed.core.scripts import script
from omniq_typed.models import ChildAck

DEFAULT_REMEMBER_MS = 24 * 60 * 60 * 1000


def childs_init(key: str, expected: int) -> Command[None]:
    """Starts a counter of `expected` children. Raises CounterExists."""
    args: list[Arg] = [check_int("expected", expected, 1, 10**12)]

    def parse(reply: Any) -> None:
        if reply[0] == b"ERR":
            refuse("childs_init", text(reply[1]), key)

    return Command(script("childs_init"), counter_keys(key), args, parse, repeatable=False)


def child_ack(key: str, child_id: str, *, remember_ms: int = DEFAULT_REMEMBER_MS) -> Command[int]:
    """Counts a child as done; answers the number still to finish, or a negative `ChildAck`."""
    args: list[Arg] = [check_child_id(child_id), CHECK, check_int("remember_ms", remember_ms, 1)]

    def parse(reply: Any) -> int:
        if reply[0] == b"OK":
            return int(reply[1])
        if reply[1] == b"ALREADY_FINISHED":
            return ChildAck.ALREADY_FINISHED
        return ChildAck.NO_COUNTER

    return Command(script("child_ack"), counter_keys(key), args, parse, repeatable=True)
