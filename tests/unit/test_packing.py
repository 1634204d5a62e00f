"""The bytes of a command are those that redis-py would send."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from omniq_typed.core.command import CHECK, Arg, Command
from omniq_typed.core.keys import queue_keys
from omniq_typed.core.scripts import Script
from omniq_typed.transport.calls import call_args
from omniq_typed.transport.packing import pack, pack_words

ARGS: list[list[Arg]] = [
    [],
    [0, -1, 10**15, "", b"", "ü\r\n$3", b"\xff\r\n", "x" * 10_000],
    [CHECK, 1],
    [7, CHECK, "check", CHECK],
]


@pytest.mark.parametrize("args", ARGS)
@pytest.mark.parametrize("as_reader", [False, True])
@pytest.mark.parametrize("checks", [False, True])
def test_a_command(args: list[Arg], as_reader: bool, checks: bool) -> None:
    script = Script("of a test", "return 1", "0" * 40, checks_permissions=checks)
    connection: Any = redis.Connection()  # type: ignore[no-untyped-call]
    for same in {0, *range(2, len(args) + 1)}:
        command = Command(script, queue_keys("orders"), args, repr, False, as_reader, same)
        expected = b"".join(connection.pack_command(*call_args(command)))
        for _ in range(2):  # the second time with the head of the first
            assert pack(command, check=True) == expected
        asks_nothing = pack(command, check=False)
        assert (asks_nothing == expected) == (not checks or CHECK not in args[:2])


def test_the_check_is_the_first_or_the_second_argument() -> None:
    script = Script("of a test", "return 1", "0" * 40, checks_permissions=True)
    for args, sent in (
        ([CHECK, "x"], (0, "x")),
        (["x", CHECK], ("x", 0)),
        (["x", "y", CHECK], ("x", "y", CHECK)),
    ):
        command = Command(script, [b"k"], args, repr, False)
        assert pack(command, check=False) == pack_words("EVALSHA", script.sha, 1, b"k", *sent)
