"""`Batch`: the messages of one `publish_many`, or some of a `publish_each`, the script calls that
publish them, and what became of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from omniq_typed.core.command import Command
from omniq_typed.core.enqueue import duplicate_error, enqueue_records, published
from omniq_typed.errors import InvalidArgument, InvalidBatch
from omniq_typed.messages.envelope import Addressed, Addressing, Envelope, new_job_ids
from omniq_typed.messages.message_type import MessageType
from omniq_typed.models import PublishResult

JOBS_PER_CALL = 100
BYTES_PER_CALL = 1_048_576
"""A call holds up the server for as long as it takes to copy this much."""


@dataclass(slots=True)
class BatchCall:
    """One script call: messages for one queue, and the index of each in the batch."""

    queue: str
    jobs: list[Addressed] = field(default_factory=list)
    indexes: list[int] = field(default_factory=list)
    payload_bytes: int = 0

    def has_room(self, payload_bytes: int) -> bool:
        """Whether a payload of this size may go along."""
        if len(self.jobs) >= JOBS_PER_CALL:
            return False
        return not self.jobs or self.payload_bytes + payload_bytes <= BYTES_PER_CALL

    def add(self, ready: Addressed, index: int = 0) -> None:
        """Takes a message in."""
        self.jobs.append(ready)
        self.indexes.append(index)
        self.payload_bytes += len(ready.payload)

    def may_be_followed_by(self, other: BatchCall) -> bool:
        """Whether the other may be sent before this one is answered. Not where both have jobs of
        one group, or a failure of this call alone would change their order."""
        if self.queue != other.queue:
            return True
        groups = {ready.kind.gid for ready in self.jobs} - {""}
        return not groups or groups.isdisjoint(ready.kind.gid for ready in other.jobs)

    def command(self) -> Command[list[PublishResult]]:
        """The call; it answers one result per message."""
        return enqueue_records(self.queue, self.jobs, self._results)

    def _results(self, reply: Sequence[Any]) -> list[PublishResult]:
        queue = self.queue
        results = [PublishResult(ready.job_id, queue, "wait") for ready in self.jobs]
        for row in reply:
            nth = row[0] - 1
            results[nth] = _result(self.jobs[nth], row)
        return results


def _result(ready: Addressed, row: Sequence[Any]) -> PublishResult:
    found = published(ready, row)
    error = duplicate_error(ready, found, ready.is_same)
    return PublishResult(ready.job_id, ready.queue, found.state, found.duplicate, error)


class Batch:
    """Takes messages in, one after another; `calls` are those to make, in order of the first
    message of each."""

    def __init__(self, addressing: Addressing) -> None:
        self._addressing = addressing
        self._count = 0
        self._kept_back: dict[int, PublishResult] = {}
        self._errors: dict[int, InvalidArgument] = {}
        self.calls: list[BatchCall] = []
        self._unanswered = 0
        self._open: dict[str, BatchCall] = {}
        self._results: list[PublishResult | None] = []
        self._taken = False
        self._ids: list[str] = []

    def next_one(self) -> None:
        """What follows is about the next message."""
        self._count += 1
        self._taken = False

    def accept(self, envelope: Envelope[Any]) -> str:
        """The end of the middleware: the message at hand is in the batch, and this is its job id.
        Raises InvalidArgument for one that could never be published."""
        ready = self._addressing.address(envelope)
        self._take(ready)
        return ready.job_id

    def accept_plain(self, message: object) -> bool:
        """As `next_one` and `accept`, where there is no middleware and nothing is said of the
        message; answers whether that is so."""
        plain = self._addressing.plain(type(message))
        if plain is None:
            return False
        self._count += 1
        if not self._ids:
            self._ids = new_job_ids(JOBS_PER_CALL)
        self._take(self._addressing.address_plain(plain, message, self._ids.pop()))
        return True

    def _take(self, ready: Addressed) -> None:
        call = self._open.get(ready.queue)
        if call is None or not call.has_room(len(ready.payload)):
            call = self._open[ready.queue] = BatchCall(ready.queue)
            self.calls.append(call)
        call.add(ready, self._count - 1)
        self._taken = True

    def answered(self, job_id: str) -> None:
        """What the middleware answered: it stands where it kept the message back."""
        if not self._taken:
            self._kept_back[self._count - 1] = PublishResult(job_id, queue="", state="")

    def refuse(self, error: InvalidArgument) -> None:
        """The message at hand could never be published."""
        self._errors[self._count - 1] = error

    def close(self, *, all_or_none: bool) -> None:
        """There are no more messages. Raises InvalidBatch, `all_or_none`, for those that were
        refused."""
        if self._errors and all_or_none:
            raise InvalidBatch(self._errors)
        for index, error in self._errors.items():
            self._kept_back[index] = PublishResult("", queue="", state="", error=error)
        self._results = [self._kept_back.get(index) for index in range(self._count)]
        self._unanswered = len(self.calls)

    @property
    def is_empty(self) -> bool:
        """Whether no message was taken in, kept back or refused."""
        return self._count == 0

    @property
    def is_answered(self) -> bool:
        """Whether the server has answered all calls."""
        return not self._unanswered

    def types(self) -> list[MessageType[Any]]:
        """The types of the messages that were accepted, each once."""
        return list({ready.message_type: None for call in self.calls for ready in call.jobs})

    def note(self, call: BatchCall, results: list[PublishResult]) -> None:
        """What the server did."""
        self._unanswered -= 1
        for index, result in zip(call.indexes, results, strict=True):
            self._results[index] = result

    def known(self) -> list[PublishResult | None]:
        """One per message, in order; None where the server has not answered."""
        return self._results

    def results(self) -> list[PublishResult]:
        """One per message, in order."""
        return [result for result in self._results if result is not None]
