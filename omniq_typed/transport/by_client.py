"""Calls by a redis-py client itself: one that was passed in, or of a special kind (opening.py), or
where a node of a cluster sends us elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis.exceptions import NoScriptError

from omniq_typed.core.command import Command
from omniq_typed.transport.calls import (
    RAW,
    REPEATS,
    call_args,
    call_options,
    load_words,
    wake_args,
)
from omniq_typed.transport.clients import AnyAsyncClient, AnyClient
from omniq_typed.transport.faults import translated


def call(client: AnyClient, command: Command[Any]) -> Any:
    """Runs a script, loaded where the server does not know it. Raises ServerError."""
    args, options = call_args(command), call_options(client, command)
    with translated():
        for _ in range(REPEATS):
            try:
                return client.execute_command(*args, **options)  # type: ignore[no-untyped-call]
            except NoScriptError:
                # LOAD, never EVAL: newer servers evict scripts that EVAL brought. More than once,
                # for the server's scripts may be flushed in between.
                client.script_load(command.script.text)
        return client.execute_command(*args, **options)  # type: ignore[no-untyped-call]


def call_all(client: AnyClient, commands: Sequence[Command[Any]]) -> list[Any]:
    """Runs several in one round trip. Raises ServerError."""
    scripts = {command.script for command in commands}
    with translated():
        pipeline = client.pipeline(transaction=False)
        for script in scripts:
            pipeline.execute_command(*load_words(script))
        for command in commands:
            pipeline.execute_command(*call_args(command), **RAW)
        replies: list[Any] = pipeline.execute()
    return replies[len(scripts) :]


def wait_for_wake(client: AnyClient, key: bytes, timeout_s: float) -> bool:
    """Waits for a wake token; whether there was one. Raises ServerError."""
    with translated():
        reply = client.execute_command(*wake_args(key, timeout_s), **RAW)  # type: ignore[no-untyped-call]
    return reply is not None


async def call_async(client: AnyAsyncClient, command: Command[Any]) -> Any:
    """The asyncio twin of `call`."""
    args, options = call_args(command), call_options(client, command)
    with translated():
        for _ in range(REPEATS):
            try:
                return await client.execute_command(*args, **options)
            except NoScriptError:
                await client.script_load(command.script.text)
        return await client.execute_command(*args, **options)


async def call_all_async(client: AnyAsyncClient, commands: Sequence[Command[Any]]) -> list[Any]:
    """The asyncio twin of `call_all`."""
    scripts = {command.script for command in commands}
    with translated():
        pipeline = client.pipeline(transaction=False)
        for script in scripts:
            pipeline.execute_command(*load_words(script))
        for command in commands:
            pipeline.execute_command(*call_args(command), **RAW)
        replies: list[Any] = await pipeline.execute()
    return replies[len(scripts) :]


async def wait_for_wake_async(client: AnyAsyncClient, key: bytes, timeout_s: float) -> bool:
    """The asyncio twin of `wait_for_wake`."""
    with translated():
        reply = await client.execute_command(*wake_args(key, timeout_s), **RAW)
    return reply is not None
