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
from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from omniq_typed.context import Lease
from omniq_typed.core.command import Command
from omniq_typed.core.reserve import is_of_batch, new_token_prefix, reserve
from omniq_typed.core.retry import given_back
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


class _Call(NamedTuple):
    """One call: the results that it takes along; the prefixes that are to be asked about if its
    reply is lost, and those that it asks about; when it was sent, by time.monotonic."""

    command: Command[Reservation]
    batch: list[Ended]
    prefixes: list[str]
    asks_about: list[str]
    sent_at: float


class Exchange:
    """Belongs to one queue loop, which has one `settle_and_reserve` and one `reserve_when_woken`
    under way at most. `pulse`: where answers are noted; `alone`: jobs run one after another."""

    def __init__(
        self,
        publisher: AsyncPublisher,
        queue: str,
        heartbeat: Heartbeat,
        stop: StopRequest,
        pulse: Pulse,
        *,
        alone: bool,
        poll_interval_s: float,
    ) -> None:
        self._publisher = publisher
        self._transport = publisher.transport
        self._queue = queue
        self._heartbeat = heartbeat
        self._stop = stop
        self._pulse = pulse
        self._alone = alone
        self._poll_interval_s = poll_interval_s
        self._leases: dict[Lease, None] = {}  # all that are held, oldest first
        self._results: dict[Lease, Settlement] = {}
        self._taken_away: dict[Lease, str] = {}
        self._lost_prefixes: list[str] = []
        self._deaf = 0

    @property
    def results(self) -> int:
        """How many results the server does not have yet."""
        return len(self._results)

    @property
    def is_loaded(self) -> bool:
        """Whether there is something to tell the server."""
        return bool(self._results or self._lost_prefixes)

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

    def return_all_but(self, known: set[Lease]) -> None:
        """Gives back the leases that nobody knows of."""
        for lease in self._leases:
            if lease not in known and lease not in self._results:
                self._results[lease] = given_back(lease.job)

    def forget(self) -> None:
        """What is held still is not kept alive any longer."""
        self._heartbeat.unwatch_all(self._leases)
        self._leases.clear()
        self._results.clear()
        self._lost_prefixes.clear()

    async def settle_and_reserve(self, wanted: int) -> Answer | None:
        """One round trip; waits for the server to come back. None: it stayed away from a stopping
        worker, whose results are dropped then. Raises what waiting does not mend."""
        failures = 0
        give_up_at = 0.0
        while True:
            self._drop_lost()
            call = self._call(wanted, self._batch())
            try:
                reservation = await self._transport.run(call.command)
            except FATAL:
                raise
            except ServerError as error:
                failures += 1
                self._note_failure(call, error)
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
            self._note_settled(call.batch, reservation)
            return Answer(reservation, call.sent_at, wanted)

    async def reserve_when_woken(self, wanted: int) -> Answer | None:
        """Waits on a connection of its own until a publisher wakes a worker, at most for the poll
        interval, and takes up to `wanted` jobs. None: the worker stops, or the server did not
        answer, and a moment has passed."""
        ends_at = time.monotonic() + self._poll_interval_s
        call = None
        try:
            while (left_s := ends_at - time.monotonic()) > LISTEN_S:
                if await self._transport.wait_for_wake(self._queue, LISTEN_S):
                    left_s = 0.0
                    break
                if self._stop.requested:
                    return None
                self._pulse.came_back_at = time.monotonic()
            call = self._call(wanted, [])
            reservation = await self._reserve(call, left_s)
        except FATAL:
            raise
        except ServerError as error:
            # If it is the server, the next reserve meets the same trouble and says so.
            log.info("queue %s: %s", self._queue, error)
            self._note_failure(call, error)
            self._deaf += 1
            await self._pause(reconnect_wait_s(self._deaf, random.random()))
            return None
        self._deaf = 0
        now = time.monotonic()
        self._pulse.answered(now)
        return Answer(reservation, now, wanted)  # no lease of it began when the call was sent

    async def _reserve(self, call: _Call, wait_s: float) -> Reservation:
        if wait_s <= 0:
            return await self._transport.run(call.command)
        wait_s = max(0.001, wait_s)
        return await self._transport.run_when_woken(self._queue, wait_s, call.command)

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

    def _call(self, wanted: int, batch: list[Ended]) -> _Call:
        # Beside other jobs it is one of a batch: if this process dies, it need not have been this
        # one that killed it. See lua/lib/reap_leases.lua.
        is_batch = not self._alone or wanted > 1
        lost = self._lost_prefixes.pop() if self._lost_prefixes else ""
        # The next try makes its leases under the prefix that it asks about, so that a server that
        # is away for hours leaves one to ask about, and not one for each try.
        again = lost and is_of_batch(lost) == is_batch
        prefix = lost if again else new_token_prefix(is_batch=is_batch)
        command = reserve(
            self._queue,
            limit=wanted,
            token_prefix=prefix,
            lost_prefix=lost,
            settlements=release_last([settlement for _, settlement in batch]),
            keep_completed=self._publisher.settings.keep_completed,
        )
        for lease, _ in batch:
            lease.settling = True
        makes = prefix if wanted and not again else ""
        prefixes = [each for each in (lost, makes) if each]
        return _Call(command, batch, prefixes, [lost] if lost else [], time.monotonic())

    def _note_failure(self, call: _Call | None, error: ServerError) -> None:
        """What the call took along is to be sent again, and what it may have leased given back."""
        self._pulse.failed(time.monotonic())
        if call is None:
            return
        unknown = isinstance(error, ConnectionLost)
        # Of a call that the server refused, only what it asked about is still to be asked about.
        self._lost_prefixes += call.prefixes if unknown else call.asks_about
        for lease, _ in call.batch:
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
        self._lost_prefixes.clear()

    def _note_settled(self, batch: list[Ended], reservation: Reservation) -> None:
        warn_refused(self._queue, batch, reservation.settled)
        self._drop([lease for lease, _ in batch])


def _is_returned(settlement: Settlement) -> bool:
    return settlement.outcome is Outcome.RELEASE
