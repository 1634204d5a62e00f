"""Every script that writes asks for all its commands first, so that a user with few rights can
never be stopped halfway through moving a job."""

from __future__ import annotations

import re

import pytest

from omniq_typed.core.scripts import script, script_names

_CALL = re.compile(r"redis\.call\('([A-Z]+)'")
_CHECK = re.compile(r"require_commands\((?:q\.stats|KEYS\[1\]|names), \{(.*?)\}\)", re.DOTALL)
# The command is a variable where either end of a list or of an index may be meant.
_CHOSEN = {
    "redis.call(push,": {"LPUSH", "RPUSH"},
    "redis.call(command, index,": {"ZRANGE", "ZREVRANGE"},
}
# Writes one key per call, so that there is no halfway.
_SINGLE_WRITE = {"pause"}
# Writes keys that its ACL pattern covers as one; a denial of the first leaves all as it was, and
# no job is involved.
_COUNTERS = {"childs_init", "child_ack"}
# Renewing a lease half leaves the zset, which decides, or the hash behind: both are still a lease.
_HARMLESS = {"heartbeat", "resume"}
_WRITING = {"HSET", "RPUSH", "LPUSH", "LPOP", "ZADD", "ZREM", "SET", "DEL", "INCR", "LREM"}
_WRITING |= {"HDEL", "SADD", "SREM"}


def _commands(text: str) -> set[str]:
    used = set(_CALL.findall(text)) - {"TIME"}  # no key, and called before any write
    for call, commands in _CHOSEN.items():
        if call in text:
            used |= commands
    return used


@pytest.mark.parametrize("name", script_names())
def test_a_script_that_writes_asks_for_exactly_its_commands(name: str) -> None:
    text = script(name).text
    used = _commands(text)
    asked = _CHECK.search(text)
    if asked is not None:
        assert set(re.findall(r"'([A-Z]+)'", asked[1])) == used
    elif name not in _SINGLE_WRITE | _COUNTERS | _HARMLESS:
        assert not used & _WRITING
