"""The part of an adapter that is the same for all: orders in, reports out, as lines of JSON.

A *publisher* reads orders from its standard input and answers each with the seconds that it took;
a *worker* runs until its input ends, and reports what its handler has seen. All moments are
microseconds of the machine's monotonic clock, which all processes share.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import os
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any, ClassVar

QUEUE = "bench"
PER_BULK = 1000
REPORT_EVERY_S = 0.02
WAIT_S = 0.01
"""What the handler of the kind "wait" waits."""

ITEMS = [{"sku": "TEA-0042", "count": 2, "cents": 450}, {"sku": "HON-0007", "count": 1, "cents": 7}]


def order(number: int, at_us: int = 0) -> dict[str, Any]:
    """The fields of an order: about 250 bytes of JSON. `at_us`: when it is to be handled."""
    return {
        "order_id": f"ORD-{number:010d}",
        "customer": "customer-000042",
        "email": "jo@example.com",
        "currency": "EUR",
        "cents": 1500,
        "express": True,
        "items": ITEMS,
        "at_us": at_us,
    }


def now_us() -> int:
    return time.monotonic_ns() // 1000


class Recorder:
    """What the handlers of this process have seen; `note` is all that a handler does."""

    def __init__(self) -> None:
        self.keeps_delays = False
        self._count = 0
        self._first_us = self._last_us = 0
        self._delays: list[int] = []
        self._reported = 0
        self._lock = threading.Lock()

    def note(self, at_us: int) -> None:
        """A job has come."""
        now = time.monotonic_ns() // 1000
        if not self._count:
            self._first_us = now
        self._last_us = now
        self._count += 1
        if self.keeps_delays:
            self._delays.append(now - at_us)
            self.report()

    def report(self) -> None:
        """Tells the runner, if there is something new."""
        with self._lock:
            count = self._count
            if count == self._reported:
                return
            delays, self._delays = self._delays, []
            self._reported = count
            said = {"count": count, "first_us": self._first_us, "last_us": self._last_us}
            answer({**said, "delays_us": delays})

    def report_for_ever(self) -> None:
        while True:
            time.sleep(REPORT_EVERY_S)
            self.report()


recorder = Recorder()


class NotOffered(Exception):
    """The queue has no such way."""


class Adapter:
    """One queue. Methods may be plain or async."""

    in_flight: ClassVar[bool] = False
    """Whether `publish` is async, so that many may be under way at once."""

    def __init__(self, url: str) -> None:
        self.url = url

    def open(self) -> Any:
        """Connects a publisher."""

    def close(self) -> Any:
        """Lets its connections go."""

    def publish(self, order: dict[str, Any]) -> Any:
        """One order."""
        raise NotOffered

    def publish_many(self, orders: list[dict[str, Any]]) -> Any:
        """Some orders in the queue's own way of doing it at once."""
        raise NotOffered

    def publish_later(self, order: dict[str, Any], due_ms: int) -> Any:
        """An order that falls due at a time in ms since 1970."""
        raise NotOffered

    def publish_in_flight(self, order: dict[str, Any]) -> Any:
        """One order, where async publishing is another door than `publish`."""
        raise NotOffered

    def work(self, kind: str, at_once: int) -> Any:
        """Runs a worker for ever: with a handler of the kind "quick" (the queue's quickest that
        does nothing), "async" (an async one that does nothing) or "wait" (async, waits WAIT_S), and
        that many jobs at once (0: as the queue does best)."""
        raise NotOffered


class Publishing:
    """Carries out a publisher's orders."""

    def __init__(self, adapter: Adapter) -> None:
        self._adapter = adapter
        self._numbers = itertools.count()
        self._orders: dict[str, Callable[[dict[str, Any]], Awaitable[float]]] = {
            "one": self._one,
            "bulk": self._bulk,
            "in_flight": self._in_flight,
            "paced": self._paced,
            "later": self._later,
            "fill": self._fill,
        }

    async def run(self, lines: AsyncIterator[str]) -> None:
        await settled(self._adapter.open())
        answer({"ready": True})
        async for line in lines:
            asked = json.loads(line)
            try:
                answer({"seconds": await self._orders[asked["do"]](asked)})
            except NotOffered:
                answer({"seconds": None})
        await settled(self._adapter.close())

    async def _one(self, asked: dict[str, Any]) -> float:
        publish = self._adapter.publish
        numbers = self._take(asked)
        started = time.perf_counter()
        if self._adapter.in_flight:
            for number in numbers:
                await publish(order(number, now_us()))
        else:
            for number in numbers:
                publish(order(number, now_us()))
        return time.perf_counter() - started

    async def _bulk(self, asked: dict[str, Any]) -> float:
        publish_many = self._adapter.publish_many
        numbers = iter(self._take(asked))
        started = time.perf_counter()
        while some := list(itertools.islice(numbers, PER_BULK)):
            await settled(publish_many([order(number) for number in some]))
        return time.perf_counter() - started

    async def _in_flight(self, asked: dict[str, Any]) -> float:
        adapter = self._adapter
        publish = adapter.publish if adapter.in_flight else adapter.publish_in_flight
        numbers = iter(self._take(asked))
        await publish(order(next(numbers)))  # connects

        async def go() -> None:
            for number in numbers:
                await publish(order(number))

        started = time.perf_counter()
        await asyncio.gather(*(go() for _ in range(asked["at_once"])))
        return time.perf_counter() - started

    async def _paced(self, asked: dict[str, Any]) -> float:
        """One after the other at a steady rate; how late each is handled counts from when it was
        to be published, so that a publisher that falls behind cannot hide it."""
        started = time.monotonic()
        for index, number in enumerate(self._take(asked)):
            due = started + index / asked["rate"]
            # Event loops wait for whole milliseconds, and nothing else is to run meanwhile.
            time.sleep(max(0.0, due - time.monotonic()))  # noqa: ASYNC251
            await settled(self._adapter.publish(order(number, int(due * 1e6))))
        return time.monotonic() - started

    async def _later(self, asked: dict[str, Any]) -> float:
        """Jobs that fall due one every `every_ms`, the first after `first_ms`."""
        publish_later = self._adapter.publish_later
        first_ms = int(time.time() * 1000) + asked["first_ms"]
        ahead_us = now_us() - time.time_ns() // 1000
        for index, number in enumerate(self._take(asked)):
            due_ms = first_ms + index * asked["every_ms"]
            await settled(publish_later(order(number, due_ms * 1000 + ahead_us), due_ms))
        return 0.0

    async def _fill(self, asked: dict[str, Any]) -> float:
        """The quickest way to a full queue."""
        for way in (self._bulk, self._in_flight):
            with suppress(NotOffered):
                return await way({**asked, "at_once": 100})
        return await self._one(asked)

    def _take(self, asked: dict[str, Any]) -> list[int]:
        return list(itertools.islice(self._numbers, asked["count"]))


async def settled(value: Any) -> Any:
    """A result, or what it comes to."""
    return await value if asyncio.iscoroutine(value) else value


async def input_lines() -> AsyncIterator[str]:
    """Standard input; a publisher has nothing else to do meanwhile."""
    while line := await asyncio.to_thread(sys.stdin.readline):
        yield line


_answers = sys.stdout


def answer(said: dict[str, Any]) -> None:
    print(json.dumps(said), file=_answers, flush=True)


def main(make: Callable[[str], Adapter]) -> None:
    """Entry of every adapter."""
    global _answers
    _answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the queue prints is no answer
    logging.disable(logging.WARNING)
    role, url = sys.argv[1:3]
    adapter = make(url)
    if role == "publisher":
        run_async(Publishing(adapter).run(input_lines()))
        return
    kind, at_once, keeps_delays = sys.argv[3], int(sys.argv[4]), sys.argv[5] == "delays"
    recorder.keeps_delays = keeps_delays
    answer({"ready": True})
    sys.stdin.readline()  # the word to begin
    for target in (recorder.report_for_ever, _end_with_input):
        threading.Thread(target=target, daemon=True).start()
    running = adapter.work(kind, at_once)
    if asyncio.iscoroutine(running):
        run_async(running)


def run_async(main: Any) -> None:
    """On uvloop where there is one, as all of these queues recommend."""
    try:
        import uvloop
    except ImportError:
        asyncio.run(main)
    else:
        uvloop.run(main)


def _end_with_input() -> None:
    """The runner has gone, or wants no more."""
    sys.stdin.read()
    os._exit(0)
