"""What passes between one queue of an asyncio worker and the server: results there, jobs back.

Results are kept until the server has taken them, however long it is away, or their lease is over.
A reply that never came may have leased jobs that nobody knows of: the next call names it, and the
server takes those back first.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
import uuid
from collections.abc import Sequence
from itertools import islice

from omniq_typed.context import Lease
from omniq_typed.core.command import Command
from omniq_typed.core.reserve import reserve
from omniq_typed.core.waiting import reconnect_wait_s
from omniq_typed.errors import ConnectionLost, ServerError
from omniq_typed.models import Outcome, Reservation, Settlement
from omniq_typed.publishing import AsyncPublisher
from omniq_typed.worker.deliveries import GIVE_UP_AFTER_STOP_S, Answer
from omniq_typed.worker.ending import Ended, release_last, warn_of_lost, warn_refused
from omniq_typed.worker.health import Pulse
from omniq_typed.worker.heartbeat import Heartbeat
from omniq_typed.worker.patience import FATAL
from omniq_typed.worker.stopping import NOTICE_S, StopRequest

log = logging.getLogger("omniq_typed.worker")

MAX_SETTLEMENTS = 500
"""Results that one call brings: after an outage there may be thousands, and the server does nothing
else meanwhile."""
LISTEN_S = 0.5
"""One blocking call for a wake token. Short: nothing can break it off without losing what it may
just have leased, so a stopping worker waits for its end."""


class Exchange:
    """Belongs to one queue loop, which has one `settle_and_reserve` and one `reserve_when_woken`
    under way at most. `pulse`: where answers are noted."""

    def __init__(
        self,
        publisher: AsyncPublisher,
        queue: str,
        heartbeat: Heartbeat,
        stop: StopRequest,
        pulse: Pulse,
    ) -> None:
        self._publisher = publisher
        self._transport = publisher.transport
        self._queue = queue
        self._heartbeat = heartbeat
        self._stop = stop
        self._pulse = pulse
        self._leases: dict[Lease, None] = {}  # all that are held, oldest first
        self._results: dict[Lease, Settlement] = {}
        self._taken_away: dict[Lease, str] = {}
        self._lost_prefixes: list[str] = []
        self._deaf = 0

    @property
    def results(self) -> int:
        """How many results the server does not have yet."""
        return len(self._results)

    def take(self, reservation: Reservation, asked_at: float) -> list[Lease]:
        """The leases of the jobs that a call brought, watched from now on. `asked_at`: when it was
        sent, by time.monotonic: none began earlier."""
        leases = [Lease(self._queue, job) for job in reservation.jobs]
        self._heartbeat.watch_all(leases, asked_at)
        self._leases.update(dict.fromkeys(leases))
        return leases

    def keep(self, lease: Lease, settlement: Settlement, taken_away: str = "") -> None:
        """A result to be delivered with the next call. `taken_away`: why the handler, which runs
        on, has no say in it any more."""
        self._results[lease] = settlement
        if taken_away:
            self._taken_away[lease] = taken_away

    def forget(self) -> None:
        """What is held still is not kept alive any longer."""
        self._heartbeat.unwatch_all(self._leases)
        self._leases.clear()
        self._results.clear()

    async def settle_and_reserve(self, wanted: int) -> Answer | None:
        """One round trip; waits for the server to come back. None: it stayed away from a stopping
        worker, whose results are dropped then. Raises what waiting does not mend."""
        failures = 0
        give_up_at = 0.0
        while True:
            self._drop_lost()
            batch = self._batch()
            command, prefix = self._reserve(wanted, batch)
            for lease, _ in batch:
                lease.settling = True
            asked_at = time.monotonic()
            try:
                reservation = await self._transport.run(command)
            except FATAL:
                raise
            except ServerError as error:
                failures += 1
                self._note_failure(error, prefix, batch)
                if self._stop.requested:
                    wanted = 0
                    give_up_at = give_up_at or time.monotonic() + GIVE_UP_AFTER_STOP_S
                    if time.monotonic() > give_up_at:
                        self._give_up(error)
                        return None
                wait_s = reconnect_wait_s(failures, random.random())
                log.warning("queue %s: %s; trying again in %.1f s", self._queue, error, wait_s)
                await self._pause(wait_s)
                continue
            if failures:
                log.warning("queue %s: the server is back", self._queue)
            self._pulse.answered(time.monotonic())
            self._note_settled(batch, reservation)
            return Answer(reservation, asked_at)

    async def reserve_when_woken(self, wanted: int, wait_s: float) -> Answer | None:
        """Waits on a connection of its own until a publisher wakes a worker, at most `wait_s`, and
        takes up to `wanted` jobs. None: the server did not answer, and a moment has passed."""
        command, prefix = self._reserve(wanted, [])
        asked_at = time.monotonic()
        try:
            reservation = await self._transport.run_when_woken(self._queue, wait_s, command)
        except FATAL:
            raise
        except ServerError as error:
            # If it is the server, the next reserve meets the same trouble and says so.
            log.info("queue %s: %s", self._queue, error)
            self._note_failure(error, prefix, [])
            self._deaf += 1
            await self._pause(reconnect_wait_s(self._deaf, random.random()))
            return None
        self._deaf = 0
        self._pulse.answered(time.monotonic())
        return Answer(reservation, asked_at)

    def _batch(self) -> list[Ended]:
        """What the next call brings: jobs that are given back last, in the order in which they were
        taken; of too many the last ones, so that all are in order when the first have followed."""
        returned = [(lease, self._results[lease]) for lease in self._returned()]
        if not returned:
            return list(islice(self._results.items(), MAX_SETTLEMENTS))
        others = [each for each in self._results.items() if not _is_returned(each[1])]
        if len(others) >= MAX_SETTLEMENTS:
            return others[:MAX_SETTLEMENTS]
        return others + returned[len(others) - MAX_SETTLEMENTS :]

    def _returned(self) -> list[Lease]:
        if not any(map(_is_returned, self._results.values())):
            return []
        return [
            lease
            for lease in self._leases
            if (result := self._results.get(lease)) is not None and _is_returned(result)
        ]

    def _reserve(self, wanted: int, batch: list[Ended]) -> tuple[Command[Reservation], str]:
        """The command, and the prefix of the leases that it makes."""
        lost = self._lost_prefixes.pop() if self._lost_prefixes else ""
        # A call after a lost one makes leases under the same prefix, so that a server that is away
        # for hours leaves one prefix to ask about, and not one for each try.
        prefix = lost or uuid.uuid4().hex
        command = reserve(
            self._queue,
            limit=wanted,
            token_prefix=prefix,
            lost_prefix=lost,
            settlements=release_last([settlement for _, settlement in batch]),
            keep_completed=self._publisher.settings.keep_completed,
        )
        return command, prefix

    def _note_failure(self, error: ServerError, prefix: str, batch: list[Ended]) -> None:
        self._pulse.failed(time.monotonic())
        unknown = isinstance(error, ConnectionLost)
        if unknown:
            self._lost_prefixes.append(prefix)
        for lease, _ in batch:
            lease.settling = False
            lease.told_before = lease.told_before or unknown

    async def _pause(self, seconds: float) -> None:
        ends_at = time.monotonic() + seconds
        while (left := ends_at - time.monotonic()) > 0:
            await asyncio.sleep(min(left, NOTICE_S))
            if self._stop.requested:
                return

    def _drop_lost(self) -> None:
        """Results whose lease was lost are another worker's to give."""
        if lost := [lease for lease in self._results if lease.lost]:
            warn_of_lost(lost)
            self._drop(lost)

    def _drop(self, leases: Sequence[Lease]) -> None:
        self._heartbeat.unwatch_all(leases)
        for lease in leases:
            del self._results[lease], self._leases[lease]
            if self._taken_away and (why := self._taken_away.pop(lease, "")):
                lease.mark_lost(why)

    def _give_up(self, error: ServerError) -> None:
        if self._results:
            log.error("server away, %d results lost: %s", len(self._results), error)
            self._drop(list(self._results))

    def _note_settled(self, batch: list[Ended], reservation: Reservation) -> None:
        warn_refused(self._queue, batch, reservation.settled)
        self._drop([lease for lease, _ in batch])


def _is_returned(settlement: Settlement) -> bool:
    return settlement.outcome is Outcome.RELEASE
