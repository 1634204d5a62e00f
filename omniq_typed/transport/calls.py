"""What both transports share: the words of a script call, and when to send one again."""

from __future__ import annotations

import random
from typing import Any

import redis
import redis.asyncio
from redis.client import NEVER_DECODE

from omniq_typed.core.command import Command
from omniq_typed.core.scripts import Script
from omniq_typed.transport.clients import AnyAsyncClient, AnyClient
from omniq_typed.transport.packing import words_of

# Payloads are bytes to us whatever the client was configured for.
RAW: dict[str, Any] = {NEVER_DECODE: True}
REPEATS = 3
"""How often a repeatable command is sent at most when the connection breaks."""

ELSEWHERE = ("MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN")
"""What a node of a cluster answers when it did not run a call. redis-py knows what to do: it learns
the new order of the cluster and asks another node."""


def call_args(command: Command[Any]) -> tuple[Any, ...]:
    """The command as redis-py takes it."""
    call, keys = "EVALSHA_RO" if command.as_reader else "EVALSHA", command.keys
    return (call, command.script.sha, len(keys), *keys, *words_of(command, check=True))


def call_options(client: AnyClient | AnyAsyncClient, command: Command[Any]) -> dict[str, Any]:
    """How redis-py is to run the command."""
    if command.as_reader and isinstance(client, (redis.RedisCluster, redis.asyncio.RedisCluster)):
        # It would ask the server, in two calls more, where the keys of an EVALSHA_RO stand.
        node = client.get_node_from_key(command.keys[0])  # type: ignore[arg-type]
        return {**RAW, "target_nodes": node}
    return RAW


def load_words(script: Script) -> tuple[str, ...]:
    """What makes the server know a script."""
    return ("SCRIPT", "LOAD", script.text)


def wake_args(key: bytes, timeout_s: float) -> tuple[Any, ...]:
    """A blocking wait for a wake token; the server takes the timeout in seconds."""
    return ("BLPOP", key, f"{timeout_s:.3f}")


def repeat_delay_s(attempt: int) -> float:
    """How long to wait before sending a repeatable command again: 50, 100, 200 ms, jittered."""
    return 0.05 * float(2**attempt) * (0.5 + random.random() / 2)
