"""Every key name, and the rules for the names that go into them. Nowhere else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from omniq_typed.errors import InvalidArgument

_QUEUE_NAME = re.compile(r"[A-Za-z0-9._-]{1,128}\Z")
_ID = re.compile(r"[^{}\x00-\x1f\x7f]{1,256}\Z")
_COUNTER_NAME = re.compile(r"[^{}\x00-\x1f\x7f]{1,128}\Z")

# The order is part of the protocol between the commands and lua/lib/queue_keys.lua.
_FIXED = (
    "meta",
    "wait",
    "delayed",
    "active",
    "failed",
    "completed",
    "groups:ready",
    "groups:held",
    "has_groups",
    "lane:rr",
    "paused",
    "stats",
    "idx:wait",
    "idx:active",
    "idx:delayed",
    "idx:failed",
    "idx:completed",
    "wake",
)

STATS_SUFFIX = ":stats"
_SCHEMAS = "{omniq:schemas}"
SCHEMA_KEYS_PATTERN = f"~{_SCHEMAS}:*"
"""What a user's ACL has to grant to register schemas; `%R` in front, to read them."""


def check_queue(queue: object) -> str:
    """The queue name, or InvalidArgument: 1 to 128 of `A-Z a-z 0-9 . _ -`."""
    if not isinstance(queue, str) or not _QUEUE_NAME.match(queue):
        raise InvalidArgument(
            "queue",
            f"{queue!r} is no queue name; use 1 to 128 letters, digits, '.', '_' or '-'",
        )
    return queue


def _check_id(field: str, value: object, pattern: re.Pattern[str], length: int) -> str:
    if (
        not isinstance(value, str)
        or not pattern.match(value)
        or not (value.isascii() or is_utf8(value))
    ):
        raise InvalidArgument(
            field,
            f"{value!r} cannot be used; use 1 to {length} characters without braces and control"
            " characters",
        )
    return value


def is_utf8(value: str) -> bool:
    """Whether it can be sent: a lone surrogate cannot."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def check_job_id(job_id: str) -> str:
    """The job id, or InvalidArgument: 1 to 256 characters, no braces, no control characters."""
    return _check_id("job_id", job_id, _ID, 256)


def check_gid(gid: str) -> str:
    """The group id, or InvalidArgument: the rule of job ids."""
    return _check_id("gid", gid, _ID, 256)


def queue_keys(queue: str) -> tuple[bytes, ...]:
    """The 18 fixed keys of a queue, in the order of lua/lib/queue_keys.lua."""
    try:
        return _queue_keys(queue)
    except TypeError:  # what cannot be hashed
        return _queue_keys(check_queue(queue))


@lru_cache(maxsize=4096)
def _queue_keys(queue: str) -> tuple[bytes, ...]:
    check_queue(queue)
    return tuple(f"{{{queue}}}:{name}".encode() for name in _FIXED)


def entry_keys(queue: str) -> tuple[bytes, ...]:
    """Those of them that a job without a group touches where it enters: wait, idx:wait, stats,
    wake."""
    try:
        return _entry_keys(queue)
    except TypeError:  # as above
        return _entry_keys(check_queue(queue))


@lru_cache(maxsize=4096)
def _entry_keys(queue: str) -> tuple[bytes, ...]:
    keys = queue_keys(queue)
    return tuple(keys[_FIXED.index(name)] for name in ("wait", "idx:wait", "stats", "wake"))


def queue_of_keys(keys: Sequence[bytes]) -> str:
    """The queue that the keys of a command belong to."""
    return keys[0].decode().partition("}")[0].removeprefix("{")


def check_child_id(child_id: str) -> str:
    """The id of a child of a completion counter, or InvalidArgument: the rule of job ids."""
    return _check_id("child_id", child_id, _ID, 256)


def wake_key(queue: str) -> bytes:
    """The list on which idle workers of the queue block."""
    return queue_keys(queue)[_FIXED.index("wake")]


def counter_keys(key: str) -> tuple[bytes, bytes, bytes]:
    """The keys of a completion counter: count, done, finished."""
    _check_id("key", key, _COUNTER_NAME, 128)
    base = f"{{cc:{key}}}"
    return (f"{base}:count".encode(), f"{base}:done".encode(), f"{base}:finished".encode())


def schema_keys() -> tuple[bytes, ...]:
    """The key that lists all message types in the registry of schemas; those of the types are
    built from it, lua/lib/type_key.lua."""
    return (f"{_SCHEMAS}:types".encode(),)


def check_type_name(name: object) -> str:
    """The name of a message type, or InvalidArgument: the rule of queue names."""
    if not isinstance(name, str) or not _QUEUE_NAME.match(name):
        raise InvalidArgument(
            "name", f"{name!r} is none; use 1 to 128 letters, digits, '.', '_' or '-'"
        )
    return name


def stats_pattern() -> str:
    """What SCAN has to match to find every queue: each has a stats hash."""
    return "{*}" + STATS_SUFFIX


def expiring_pattern() -> str:
    """What SCAN has to match to find every key that expires by itself: finished counters."""
    return "{cc:*}:finished"


def queue_of_stats_key(key: str) -> str | None:
    """`{orders}:stats` → `orders`; None where the key is another's."""
    if not (key.startswith("{") and key.endswith("}" + STATS_SUFFIX)):
        return None
    name = key[1 : -len("}" + STATS_SUFFIX)]
    return name if _QUEUE_NAME.match(name) else None
