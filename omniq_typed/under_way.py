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
    """Of several batches, two calls at most: the server has the next one at hand when it has done
    one. `replies`: theirs, in order."""

    def __init__(self) -> None:
        self.replies: deque[R] = deque()
        self._calls: deque[tuple[Batch, BatchCall]] = deque()
        self._batches: deque[Batch] = deque()

    def open(self, batch: Batch) -> None:
        """What is sent next is of this batch."""
        self._batches.append(batch)

    def has_place_for(self, call: BatchCall) -> bool:
        """Whether a call may be sent behind those that are under way."""
        if not self.replies:
            return True
        if len(self.replies) == 2 or not self.replies[-1].is_ahead:
            return False
        return self._calls[-1][1].may_be_followed_by(call)

    def sent(self, call: BatchCall, reply: R) -> None:
        """A call of the batch that was opened last."""
        self._calls.append((self._batches[-1], call))
        self.replies.append(reply)

    def next_reply(self) -> R:
        """The first one's, for `answered`; it is not under way any more, come what may."""
        return self.replies.popleft()

    def answered(self, results: list[PublishResult]) -> None:
        """What the server did by the first call."""
        batch, call = self._calls.popleft()
        batch.note(call, results)

    def failed(self) -> None:
        """The first call came to an error."""
        self._calls.popleft()

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
