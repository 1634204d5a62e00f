"""A publisher of the storm, as a process, with the arguments FOLDER WHO URL STYLE SEED PUBLISHERS
LEASE_MS. It publishes the jobs that are its own, up to the number in the file `quota`, and goes on
where the one before it was killed."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from omniq_typed import AsyncBus, Bus
from omniq_typed.errors import ServerError
from omniq_typed.messages.envelope import Envelope
from tests.chaos.storm.jobs import FLOOD_FIRST, REGISTRY, Work, spec
from tests.chaos.storm.ledger import Ledger, Ledgers

STYLES = ("one", "many", "async", "flood")
CHUNKS = {"one": 1, "many": 40, "async": 25}
FLOOD_SIZE = 600
FLOOD_EVERY_S = 2.5
QUOTA = "quota"
"""Holds the number below which jobs may be published, and `end` when no more will come."""
LOOK_S = 0.02


@dataclass(frozen=True)
class Share:
    """What one publisher has to do."""

    folder: Path
    index: int
    style: str
    seed: int
    publishers: int
    lease_ms: int

    def chunks(self, ledger: Ledger) -> Iterator[list[int]]:
        """The numbers that are to be published next, again and again until there are no more."""
        if self.style == "flood":
            yield from self._floods(ledger)
            return
        left = self._first_left(self.index, self.publishers)
        while True:
            quota, is_last = read_quota(self.folder)
            last = min(quota, left + self.publishers * CHUNKS[self.style])
            numbers = list(range(left, last, self.publishers))
            if numbers:
                left = numbers[-1] + self.publishers
                yield from noted(ledger, numbers)
            elif is_last:
                return
            else:
                time.sleep(LOOK_S)

    def _floods(self, ledger: Ledger) -> Iterator[list[int]]:
        """Many at once and then none for a while, for as long as the others publish."""
        left = self._first_left(FLOOD_FIRST, 1)
        while not read_quota(self.folder)[1]:
            yield from noted(ledger, list(range(left, left + FLOOD_SIZE)))
            left += FLOOD_SIZE
            time.sleep(FLOOD_EVERY_S)

    def envelopes(self, numbers: list[int]) -> list[Envelope[Work]]:
        now_ms = int(time.time() * 1000)
        specs = [spec(self.seed, n, self.publishers, self.lease_ms) for n in numbers]
        return [each.envelope(lease_ms=self.lease_ms, now_ms=now_ms) for each in specs]

    def _first_left(self, first: int, step: int) -> int:
        """Behind the last number that an earlier life of this publisher saw acknowledged."""
        found = Ledgers(self.folder, f"p{self.index}.")
        found.refresh()
        acked = [n for entry in found.entries if entry.kind == "ack" for n in entry.jobs]
        return max(acked) + step if acked else first


def noted(ledger: Ledger, numbers: list[int]) -> Iterator[list[int]]:
    """What is about to be published, with an entry before and one after it."""
    ledger.write("intend", jobs=numbers)
    yield numbers
    ledger.write("ack", jobs=numbers)


def read_quota(folder: Path) -> tuple[int, bool]:
    """(the number below which jobs may be published, whether that is final)."""
    words = (folder / QUOTA).read_text().split()
    return int(words[0]), words[1:] == ["end"]


def write_quota(folder: Path, number: int, *, final: bool = False) -> None:
    """At once for whoever reads it."""
    new = folder / f"{QUOTA}.new"
    new.write_text(f"{number} end" if final else str(number))
    new.replace(folder / QUOTA)


def main() -> None:
    """Publishes until the quota is final and reached."""
    folder, who, url, style, seed, publishers, lease_ms = sys.argv[1:8]
    index = int(who.removeprefix("p").split(".")[0])
    share = Share(Path(folder), index, style, int(seed), int(publishers), int(lease_ms))
    logging.getLogger("omniq_typed").setLevel(logging.CRITICAL)
    ledger = Ledger(share.folder, who, durable=True)
    ledger.write("up")
    if style == "async":
        asyncio.run(publish_async(share, ledger, url))
    else:
        publish_sync(share, ledger, url)
    ledger.write("bye")


def publish_sync(share: Share, ledger: Ledger, url: str) -> None:
    """One by one, or in batches."""
    with Bus(url, registry=REGISTRY, source="storm") as bus:
        for numbers in share.chunks(ledger):
            envelopes = share.envelopes(numbers)

            def publish(batch: list[Envelope[Work]] = envelopes) -> None:
                if share.style == "one":
                    bus.publish_json(batch[0].message, **options(batch[0]))
                    return
                for result in bus.publish_many(batch):
                    if result.error is not None:
                        raise result.error

            until_taken(ledger, publish)


async def publish_async(share: Share, ledger: Ledger, url: str) -> None:
    """Many at the same time."""
    async with AsyncBus(url, registry=REGISTRY, source="storm") as bus:
        for numbers in share.chunks(ledger):
            envelopes = share.envelopes(numbers)

            async def publish(batch: list[Envelope[Work]] = envelopes) -> None:
                ends = await asyncio.gather(
                    *(bus.publish_json(each.message, **options(each)) for each in batch),
                    return_exceptions=True,
                )
                for end in ends:
                    if isinstance(end, BaseException):
                        raise end

            await until_taken_async(ledger, publish)


def until_taken(ledger: Ledger, publish: Callable[[], None]) -> None:
    """Again until the server has acknowledged it. Job ids make that harmless."""
    while True:
        try:
            return publish()
        except ServerError as error:
            ledger.write("log", text=str(error)[:200])
            time.sleep(0.1)


async def until_taken_async(ledger: Ledger, publish: Callable[[], Awaitable[None]]) -> None:
    """The asyncio twin of `until_taken`."""
    while True:
        try:
            return await publish()
        except ServerError as error:
            ledger.write("log", text=str(error)[:200])
            await asyncio.sleep(0.1)


def options(envelope: Envelope[Work]) -> dict[str, Any]:
    """What `publish_json` takes beside the message."""
    names = (each.name for each in fields(envelope) if each.name != "message")
    given = {name: getattr(envelope, name) for name in names}
    del given["causation_id"]
    return given
