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

from omniq_typed.context import Lease
from omniq_typed.core.command import Command
from omniq_typed.core.reserve import reserve
from omniq_typed.core.waiting import reconnect_wait_s
from omniq_typed.errors import ConnectionLost, ServerError
from omniq_typed.models import Outcome, Reservation, Settlement
from omniq_typed.publishing import AsyncPublisher
from omniq_typed.worker.ending import Ended, release_last
from omniq_typed.worker.health import Pulse
from omniq_typed.worker.heartbeat import Heartbeat
from omniq_typed.worker.lane import GIVE_UP_AFTER_STOP_S
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
        self._results: dict[Lease, Settlement] = {}
        self._taken_away: dict[Lease, str] = {}
        self._resent: set[Lease] = set()
        self._lost_prefixes: list[str] = []
        self._deaf = 0

    @property
    def results(self) -> int:
        """How many results the server does not have yet."""
        return len(self._results)

    def keep(self, lease: Lease, settlement: Settlement, taken_away: str = "") -> None:
        """A result to be delivered with the next call. `taken_away`: why the handler, which runs
        on, has no say in it any more."""
        self._results[lease] = settlement
        if taken_away:
            self._taken_away[lease] = taken_away

    def forget(self) -> None:
        """What could not be delivered is not kept alive any longer."""
        for lease in self._results:
            self._heartbeat.unwatch(lease)
        self._results = {}

    async def settle_and_reserve(self, wanted: int) -> Reservation | None:
        """One round trip; waits for the server to come back. None: it stayed away from a stopping
        worker, whose results are dropped then. Raises what waiting does not mend."""
        failures = 0
        give_up_at = 0.0
        while True:
            self._drop_lost()
            batch = self._batch()
            command, prefix = self._reserve(wanted, batch)
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
            return reservation

    async def reserve_when_woken(self, wanted: int, wait_s: float) -> Reservation | None:
        """Waits on a connection of its own until a publisher wakes a worker, at most `wait_s`, and
        takes up to `wanted` jobs. None: the server did not answer, and a moment has passed."""
        command, prefix = self._reserve(wanted, [])
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
        return reservation

    def _batch(self) -> list[Ended]:
        """What the next call brings. Of jobs that are given back the last ones, so that all are in
        order again when the first have gone back to the head of the lane."""
        results = list(self._results.items())
        if len(results) <= MAX_SETTLEMENTS:
            return results
        done = [each for each in results if each[1].outcome is not Outcome.RELEASE]
        return done[:MAX_SETTLEMENTS] or results[-MAX_SETTLEMENTS:]

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
            settlements=release_last([settlement for _, settlement in batch]),
            keep_completed=self._publisher.settings.keep_completed,
        )
        return command, prefix

    def _note_failure(self, error: ServerError, prefix: str, batch: list[Ended]) -> None:
        self._pulse.failed(time.monotonic())
        if isinstance(error, ConnectionLost):
            self._lost_prefixes.append(prefix)
            self._resent.update(lease for lease, _ in batch)

    async def _pause(self, seconds: float) -> None:
        ends_at = time.monotonic() + seconds
        while (left := ends_at - time.monotonic()) > 0:
            await asyncio.sleep(min(left, NOTICE_S))
            if self._stop.requested:
                return

    def _drop_lost(self) -> None:
        """Results whose lease was lost are another worker's to give."""
        for lease in [each for each in self._results if each.lost]:
            log.warning(
                "result of job %s in queue %s dropped: lease lost (%s)",
                lease.job.job_id,
                self._queue,
                lease.lost_because,
            )
            self._drop(lease)

    def _drop(self, lease: Lease) -> str:
        """Answers why its handler has no say, '' = it has."""
        self._results.pop(lease, None)
        self._resent.discard(lease)
        return self._taken_away.pop(lease, "")

    def _give_up(self, error: ServerError) -> None:
        if self._results:
            log.error("server away, %d results lost: %s", len(self._results), error)
        self.forget()

    def _note_settled(self, batch: list[Ended], reservation: Reservation) -> None:
        if any(settled.status == "ERR" for settled in reservation.settled):
            self._tell_refused(batch, reservation)
        for lease, settlement in batch:
            self._heartbeat.unwatch(lease)
            taken_away = self._drop(lease)
            if settlement.outcome is Outcome.RELEASE:
                taken_away = taken_away or "the job was given back"
            if taken_away:
                lease.mark_lost(taken_away)

    def _tell_refused(self, batch: list[Ended], reservation: Reservation) -> None:
        """Not of those whose loss was told already; and a result that was sent before, when the
        reply was lost, may have been taken then."""
        leases = {lease.job.job_id: lease for lease, _ in batch}
        for settled in reservation.settled:
            lease = leases.get(settled.job_id)
            if settled.status != "ERR" or lease is None or lease.lost:
                continue
            level = logging.DEBUG if lease in self._resent else logging.WARNING
            told = "result of job %s in queue %s not taken: %s"
            log.log(level, told, settled.job_id, self._queue, settled.detail)
