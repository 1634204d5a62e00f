"""From a command to the bytes that the server reads, in RESP: each word behind its length."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import hiredis

from omniq_typed.core.command import CHECK, Arg, Command


def pack(command: Command[Any], check: bool) -> bytes:
    """A script call. `check`: what stands in the place of CHECK."""
    head = _head(command.as_reader, command.script.sha, tuple(command.keys))
    args = tuple(words_of(command, check))
    count = 3 + len(command.keys) + len(args)
    return b"*%d\r\n%b%b" % (count, head, _without_count(args))


def pack_words(*words: Arg) -> bytes:
    """Any command, given as its words."""
    packed: bytes = hiredis.pack_command(words)  # type: ignore[arg-type]
    return packed


def words_of(command: Command[Any], check: bool) -> Sequence[Arg]:
    """The arguments, with 0 or 1 in the place of CHECK: the first or the second."""
    args = command.args
    if command.script.checks_permissions:
        for place in range(min(2, len(args))):
            if args[place] is CHECK:
                return (*args[:place], int(check), *args[place + 1 :])
    return args


@lru_cache(maxsize=4096)
def _head(as_reader: bool, sha: str, keys: tuple[bytes, ...]) -> bytes:
    """The words in front of the arguments: half of the work, and the same for all calls of a script
    on a queue."""
    call = b"EVALSHA_RO" if as_reader else b"EVALSHA"
    return _without_count((call, sha, len(keys), *keys))


def _without_count(words: tuple[Arg, ...]) -> bytes:
    """Packed words, without how many they are."""
    packed = pack_words(*words)
    return packed[packed.index(b"\n") + 1 :]
