"""A worker of OmniQ or of ours, as a process: `worker.py KIND PORT NAME`, KIND being omniq,
omniq_typed (the same untyped client) or bus (a typed consumer). Run by either interpreter.

It does what the payload says, `{"n": int, "fail_first": attempts}`, and logs each delivery to the
list LOG. While the key hang:NAME exists it hangs in the first fit job that it gets, and says so in
the list hanging:NAME: then the test kills it. It ends on SIGTERM, or with the tests, whose end it
sees as that of its stdin.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
import time
from dataclasses import dataclass
from typing import Any

import redis

QUEUE = "mixed"
LOG = "log"
WORK_S = 0.005


class Refused(Exception):
    """The payload told this attempt to fail."""


class Work:
    """What every kind of worker does."""

    def __init__(self, port: int, name: str) -> None:
        self._redis: Any = redis.Redis(port=port, socket_timeout=10)
        self._name = name

    def log(self, event: str, **facts: Any) -> None:
        self._redis.rpush(LOG, json.dumps({"event": event, "worker": self._name, **facts}))

    def do(self, ctx: Any, fail_first: int) -> None:
        facts = {"job_id": ctx.job_id, "gid": ctx.gid, "attempt": ctx.attempt}
        self.log("start", **facts)
        # Of a group, so that a slot is held too, and planned to succeed at once.
        fit = ctx.gid and ctx.attempt == 1 and fail_first == 0
        if fit and self._redis.exists(f"hang:{self._name}"):
            self._redis.rpush(f"hanging:{self._name}", ctx.job_id)
            threading.Event().wait()
        time.sleep(WORK_S)
        if ctx.attempt <= fail_first:
            self.log("fail", **facts)
            raise Refused(f"attempt {ctx.attempt} of {fail_first} that fail")
        self.log("done", **facts)


def consume_untyped(package: str, port: int, work: Work) -> None:
    def handler(ctx: Any) -> None:
        work.do(ctx, ctx.payload["fail_first"])

    client = importlib.import_module(f"{package}.client").OmniqClient(host="127.0.0.1", port=port)
    work.log("up")
    client.consume(queue=QUEUE, handler=handler)


def consume_typed(port: int, work: Work) -> None:
    from omniq_typed import Bus, Ctx, message

    @message("interop.task", version=1, queue=QUEUE)
    @dataclass
    class Task:
        n: int
        fail_first: int

    bus = Bus(f"redis://127.0.0.1:{port}/0")

    @bus.consumer(Task)
    def handle(ctx: Ctx[Task]) -> None:
        work.do(ctx, ctx.payload.fail_first)

    work.log("up")
    bus.run()


def end_with_parent() -> None:
    sys.stdin.read()
    os._exit(3)


if __name__ == "__main__":
    threading.Thread(target=end_with_parent, daemon=True).start()
    kind, at_port = sys.argv[1], int(sys.argv[2])
    mine = Work(at_port, sys.argv[3])
    if kind == "bus":
        consume_typed(at_port, mine)
    else:
        consume_untyped(kind, at_port, mine)
