"""What passes between one lane and the server: results there, jobs back.

Results wait in `done`, in whose hands they are is decided by who takes them out: the lane, with its
next reserve, or the overseer, where that would be long. The same holds for the calls under way. A
call whose reply was lost may have leased jobs that nobody knows of; the next one names it, and the
server takes those back first.
"""

from __future__ import annotations

import logging
import random
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from omniq_typed.context import Lease
from omniq_typed.core.command import Command
from omniq_typed.core.reserve import new_token_prefix, reserve
from omniq_typed.core.retry import given_back
from omniq_typed.core.settle import settle
from omniq_typed.core.waiting import reconnect_wait_s
from omniq_typed.errors import ConnectionLost, ServerError
from omniq_typed.models import Outcome, Reservation, Settled
from omniq_typed.publishing import Publisher
from omniq_typed.transport.reply import Reply
from omniq_typed.worker.ending import Ended, release_last, warn_of_lost, warn_refused
from omniq_typed.worker.health import Pulse
from omniq_typed.worker.heartbeat import Heartbeat
from omniq_typed.worker.patience import FATAL
from omniq_typed.worker.stopping import StopRequest

log = logging.getLogger("omniq_typed.worker")

GIVE_UP_AFTER_STOP_S = 5.0
"""How long a stopping worker tries to deliver results to a server that is away."""
ERRAND_S = 2.0
"""How long the overseer waits for an answer: it has others to look after."""


class Answer(NamedTuple):
    """What a reserve of `wanted` jobs brought. `asked_at`: when it was sent, by time.monotonic: no
    lease of it began earlier."""

    reservation: Reservation
    asked_at: float
    wanted: int

    @property
    def is_full(self) -> bool:
        """Whether it brought all that were wanted, so that there may be more."""
        return len(self.reservation.jobs) >= self.wanted > 0


@dataclass(slots=True)
class _Call:
    """One call under way: `sent`, the results that it takes along; `wanted` jobs, whose tokens
    begin with `prefix`; `healed`: the same, where it stands for a call that was lost."""

    command: Command[Reservation]
    sent: list[Ended]
    wanted: int
    prefix: str
    healed: str
    reply: Reply[Reservation] | None = None
    sent_at: float = 0.0


class Deliveries:
    """Of one lane. Its methods are the lane's own, but for `unload`, which is for any thread."""

    def __init__(
        self,
        publisher: Publisher,
        queue: str,
        heartbeat: Heartbeat,
        stop: StopRequest,
        pulse: Pulse,
    ) -> None:
        self.done: deque[Ended] = deque()
        self.waiting: deque[Lease] = deque()
        """Leased jobs that were not started yet."""
        self._publisher = publisher
        self._transport = publisher.transport
        self._queue = queue
        self._heartbeat = heartbeat
        self._stop = stop
        self._pulse = pulse
        self._under_way: deque[_Call] = deque()
        self._lost: deque[str] = deque()

    @property
    def is_loaded(self) -> bool:
        """Whether anything waits for the lane: a result, a job, or a call under way."""
        return bool(self.done or self.waiting or self._under_way)

    @property
    def under_way(self) -> int:
        """Calls whose answers were not taken yet."""
        return len(self._under_way)

    def start(self, wanted: int) -> None:
        """Sends what is done and asks for jobs; `landed` has the answer."""
        call = self._call(wanted)
        call.sent_at = time.monotonic()
        call.reply = self._transport.start(call.command, behind=self._newest_reply())
        self._under_way.append(call)

    def landed(self, within_s: float | None = None) -> Answer | None:
        """The answer to the first of the calls under way; None: there is none, somebody else took
        it, or it was lost, and what it took along is to be sent again."""
        try:
            call = self._under_way.popleft()
        except IndexError:
            return None
        try:
            assert call.reply is not None
            reservation = call.reply.result(within_s)
        except FATAL:
            raise
        except ServerError as error:
            log.info("queue %s: %s", self._queue, error)
            self._note_lost(call, error)
            return None
        return self._answered(call, reservation)

    def listen(self, wait_s: float, wanted: int) -> Answer:
        """Waits for a wake token, at most so long, and asks for jobs. Raises ServerError."""
        call = self._call(wanted)
        call.sent_at = time.monotonic()
        try:
            reservation = self._transport.run_when_woken(self._queue, wait_s, call.command)
        except ServerError as error:
            self._note_lost(call, error)
            raise
        # The leases began when the wait was over: now, unless this process stood still meanwhile.
        call.sent_at = min(time.monotonic(), call.sent_at + wait_s)
        return self._answered(call, reservation)

    def exchange(self, wanted: int) -> Answer | None:
        """One round trip; waits for the server to come back, as long as it takes. None: the worker
        stops, and nothing is left to deliver, or the server stays away."""
        failures = 0
        give_up_at = 0.0
        while True:
            call = self._call(wanted)
            if wanted == 0 and not call.sent and not call.healed:
                return None
            call.sent_at = time.monotonic()
            try:
                reservation = self._transport.run(call.command)
            except FATAL:
                raise
            except ServerError as error:
                self._note_lost(call, error)
                failures += 1
                if self._stop.requested:
                    wanted = 0
                    give_up_at = give_up_at or time.monotonic() + GIVE_UP_AFTER_STOP_S
                    if time.monotonic() > give_up_at:
                        self._give_up(error)
                        return None
                wait = reconnect_wait_s(failures, random.random())
                log.warning("queue %s: %s; trying again in %.1f s", self._queue, error, wait)
                self.pause(wait)
                continue
            if failures:
                log.warning("queue %s: the server is back", self._queue)
            return self._answered(call, reservation)

    def pause(self, seconds: float) -> None:
        """Waits, less long where the worker stops."""
        if self._stop.requested:
            time.sleep(min(seconds, 0.2))
        else:
            self._stop.wait(seconds)

    def unload(self, also: Iterable[Ended] = ()) -> None:
        """From another thread: settles what is done, and gives back what was not started, also
        what the calls under way bring, in order, in one call. `also`: further ends. What cannot be
        delivered waits for the lane's next call. Raises ServerError."""
        self._release(self._take_waiting())
        while self._under_way:
            landed = self.landed(ERRAND_S)
            if landed is not None:
                leases = [Lease(self._queue, job) for job in landed.reservation.jobs]
                self._heartbeat.watch_all(leases, landed.asked_at)
                self._release(leases)
        sent = [*self._take_done(), *also]
        if not sent:
            return
        settlements = release_last([settlement for _, settlement in sent])
        keep = self._publisher.settings.keep_completed
        try:
            settled = self._transport.run(
                settle(self._queue, settlements, keep_completed=keep), within_s=ERRAND_S
            )
        except ServerError as error:
            self._keep(sent, error)
            raise
        self._note_settled(sent, settled)

    def release_waiting(self) -> None:
        """Jobs that were not started are to be given back with the next call."""
        self._release(self._take_waiting())

    def forget(self) -> None:
        """The lane ends: what it could not settle is not to be kept alive with the leases of
        others, which may work for hours yet."""
        held = [*(lease for lease, _ in self._take_done()), *self._take_waiting()]
        while self._under_way:
            held += [lease for lease, _ in self._under_way.popleft().sent]
        self._heartbeat.unwatch_all(held)

    def _newest_reply(self) -> Reply[Reservation] | None:
        try:
            return self._under_way[-1].reply
        except IndexError:
            return None

    def _release(self, leases: Iterable[Lease]) -> None:
        self.done.extend((lease, given_back(lease.job)) for lease in leases)

    def _take_waiting(self) -> list[Lease]:
        taken: list[Lease] = []
        try:
            while True:
                taken.append(self.waiting.popleft())
        except IndexError:
            return taken

    def _take_done(self) -> list[Ended]:
        """The results, without those whose lease was lost: these are another worker's to give."""
        taken: list[Ended] = []
        lost: list[Lease] = []
        try:
            while True:
                ended = self.done.popleft()
                lease = ended[0]
                if lease.lost_because:
                    lost.append(lease)
                else:
                    lease.settling = True
                    taken.append(ended)
        except IndexError:
            pass
        if lost:
            warn_of_lost(lost)
            self._heartbeat.unwatch_all(lost)
        return taken

    def _call(self, wanted: int) -> _Call:
        sent = self._take_done()
        try:
            healed = self._lost.popleft() if self._lost else ""
        except IndexError:
            healed = ""
        if healed:
            # Where one reply was lost the next may be, and what it leases would lie idle. The same
            # prefix again: so there is never more than one to heal.
            wanted = min(wanted, 1)
        prefix = healed or new_token_prefix(is_batch=wanted > 1)
        command = reserve(
            self._queue,
            limit=wanted,
            token_prefix=prefix,
            settlements=release_last([settlement for _, settlement in sent]),
            keep_completed=self._publisher.settings.keep_completed,
            lost_prefix=healed,
        )
        return _Call(command, sent, wanted, prefix, healed)

    def _answered(self, call: _Call, reservation: Reservation) -> Answer:
        self._pulse.answered(time.monotonic())
        if call.sent:
            self._note_settled(call.sent, reservation.settled)
        return Answer(reservation, call.sent_at, call.wanted)

    def _note_settled(self, sent: list[Ended], settled: Iterable[Settled]) -> None:
        warn_refused(self._queue, sent, settled)
        self._heartbeat.unwatch_all([lease for lease, _ in sent])
        for lease, settlement in sent:
            if settlement.outcome is Outcome.RELEASE:
                lease.mark_lost("the job was given back")

    def _note_lost(self, call: _Call, error: ServerError) -> None:
        """What the call took along is to be sent again, and what it may have leased given back."""
        self._pulse.failed(time.monotonic())
        if call.healed or (call.wanted and isinstance(error, ConnectionLost)):
            self._lost.append(call.prefix)
        self._keep(call.sent, error)

    def _keep(self, sent: list[Ended], error: ServerError) -> None:
        unknown = isinstance(error, ConnectionLost)
        for lease, _ in sent:
            lease.settling = False
            lease.told_before = lease.told_before or unknown
        self.done.extendleft(reversed(sent))

    def _give_up(self, error: ServerError) -> None:
        lost = [lease for lease, _ in self._take_done()]
        self._heartbeat.unwatch_all(lost)
        log.error("server away, %d results lost: %s", len(lost), error)
