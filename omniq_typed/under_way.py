"""The publish calls that the server has not answered yet."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

from omniq_typed.errors import BatchInterrupted, ServerError
from omniq_typed.models import PublishResult
from omniq_typed.publish_batch import Batch, BatchCall
from omniq_typed.transport.async_reply import AsyncReply
from omniq_typed.transport.reply import Reply

R = TypeVar("R", Reply[list[PublishResult]], AsyncReply[list[PublishResult]])


class UnderWay(Generic[R]):
    """Of several batches, two calls at most, in order: the server has the next one at hand when it
    has done one."""

    def __init__(self) -> None:
        self.calls: deque[tuple[Batch, BatchCall, R]] = deque()
        self._batches: deque[Batch] = deque()

    def open(self, batch: Batch) -> None:
        """What is sent next is of this batch."""
        self._batches.append(batch)

    def has_place_for(self, call: BatchCall) -> bool:
        """Whether a call may be sent behind those that are under way."""
        if not self.calls:
            return True
        _, newest, reply = self.calls[-1]
        return len(self.calls) < 2 and reply.is_ahead and newest.may_be_followed_by(call)

    def sent(self, call: BatchCall, reply: R) -> None:
        """A call of the batch that was opened last."""
        self.calls.append((self._batches[-1], call, reply))

    def done(self) -> Iterator[Batch]:
        """The batches that are answered, up to the first that is not; each once."""
        while self._batches and self._batches[0].is_answered:
            yield self._batches.popleft()

    def interrupted(self, error: ServerError) -> ServerError:
        """What to raise: the error itself where nothing else is known to be published."""
        known = [result for batch in self._batches for result in batch.known()]
        if all(result is None for result in known):
            return error
        return BatchInterrupted(known, str(error))
