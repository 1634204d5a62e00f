"""From a command to the bytes that the server reads, in RESP: each word behind its length."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import hiredis

from omniq_typed.core.command import CHECK, Arg, Command


def pack(command: Command[Any], check: bool) -> bytes:
    """A script call. `check`: what stands in the place of CHECK."""
    script, keys, args, same = command.script, command.keys, command.args, command.same_args
    size = 3 + len(keys) + len(args)
    if same:
        place = int(check) if script.checks_permissions else None
        first = tuple(args[:same])
        head = _counted_head(command.as_reader, script.sha, tuple(keys), first, place, size)
        return head + _without_count(tuple(args[same:]))
    head = _head(command.as_reader, script.sha, tuple(keys))
    return b"*%d\r\n%b%b" % (size, head, _without_count(tuple(words_of(command, check))))


def pack_words(*words: Arg) -> bytes:
    """Any command, given as its words."""
    packed: bytes = hiredis.pack_command(words)  # type: ignore[arg-type]
    return packed


def words_of(command: Command[Any], check: bool) -> Sequence[Arg]:
    """The arguments, with 0 or 1 in the place of CHECK: the first or the second."""
    return _checked(command.args, int(check)) if command.script.checks_permissions else command.args


def _checked(args: Sequence[Arg], check: int) -> Sequence[Arg]:
    for place in range(min(2, len(args))):
        if args[place] is CHECK:
            return (*args[:place], check, *args[place + 1 :])
    return args


@lru_cache(maxsize=4096)
def _head(as_reader: bool, sha: str, keys: tuple[bytes, ...]) -> bytes:
    """The words up to the arguments: most of the work, and the same for all calls of a script on
    a queue."""
    call = b"EVALSHA_RO" if as_reader else b"EVALSHA"
    return _without_count((call, sha, len(keys), *keys))


@lru_cache(maxsize=4096)
def _counted_head(
    as_reader: bool,
    sha: str,
    keys: tuple[bytes, ...],
    first: tuple[Arg, ...],
    check: int | None,
    size: int,
) -> bytes:
    """How many words there are, and those up to the arguments that are a call's own."""
    words = first if check is None else _checked(first, check)
    return b"*%d\r\n%b%b" % (size, _head(as_reader, sha, keys), _without_count(tuple(words)))


def _without_count(words: tuple[Arg, ...]) -> bytes:
    """Packed words, without how many they are."""
    packed = pack_words(*words)
    return packed[packed.index(b"\n") + 1 :]
