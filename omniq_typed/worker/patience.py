"""Runs what a worker needs from the server before it can go on, however long the server is away."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable

from omniq_typed.core.command import Steps
from omniq_typed.core.waiting import reconnect_wait_s
from omniq_typed.errors import (
    AuthenticationFailed,
    PermissionDenied,
    ServerError,
    UnexpectedReply,
)
from omniq_typed.transport.steps import AsyncRunner, Runner, run_steps, run_steps_async
from omniq_typed.worker.stopping import NOTICE_S, StopRequest

log = logging.getLogger("omniq_typed.worker")

# Waiting does not mend these: the operator has to.
FATAL = (AuthenticationFailed, PermissionDenied, UnexpectedReply)


def nothing() -> None:
    """No steps: the worker of an untyped client needs none."""


def run_patiently(
    transport: Runner, make_steps: Callable[[], Steps[object] | None], stop: StopRequest
) -> bool:
    """Runs the steps, made anew for each try; None: there are none. False: the worker was stopped
    before they were done. Raises what they raise but for a server that is away."""
    failures = 0
    while (steps := make_steps()) is not None:
        if stop.requested:
            return False
        try:
            run_steps(transport, steps)
            return True
        except FATAL:
            raise
        except ServerError as error:
            failures += 1
            stop.wait(_told_wait_s(error, failures))
    return True


async def run_patiently_async(
    transport: AsyncRunner,
    make_steps: Callable[[], Steps[object] | None],
    stop: StopRequest,
    *,
    in_thread: bool = False,
) -> bool:
    """The asyncio twin of `run_patiently`; `in_thread` as of run_steps_async."""
    failures = 0
    while (steps := make_steps()) is not None:
        if stop.requested:
            return False
        try:
            await run_steps_async(transport, steps, in_thread=in_thread)
            return True
        except FATAL:
            raise
        except ServerError as error:
            failures += 1
            ends_at = time.monotonic() + _told_wait_s(error, failures)
            while time.monotonic() < ends_at and not stop.requested:  # noqa: ASYNC110
                await asyncio.sleep(NOTICE_S)
    return True


def _told_wait_s(error: ServerError, failures: int) -> float:
    wait_s = reconnect_wait_s(failures, random.random())
    log.warning("the registry of schemas: %s; trying again in %.1f s", error, wait_s)
    return wait_s
