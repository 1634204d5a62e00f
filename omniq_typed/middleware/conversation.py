"""Which conversation a message belongs to: `Correlation` carries it from a job, or from a
`correlation()` block, to all that is published meanwhile."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from omniq_typed.context import AsyncCtx, Ctx
from omniq_typed.core.keys import is_utf8
from omniq_typed.errors import InvalidArgument
from omniq_typed.messages.envelope import Cause, Envelope, new_job_id
from omniq_typed.middleware.chain import (
    AsyncHandle,
    AsyncPublish,
    ForBothBuses,
    Handle,
    Publish,
)
from omniq_typed.middleware.scoped import scoped

_NO_CAUSE = Cause("", "")
_conversation: ContextVar[Cause] = ContextVar("omniq_typed_conversation", default=_NO_CAUSE)


class Correlation(ForBothBuses):
    """What is published while a job is handled, or within `correlation()`, belongs to the same
    conversation: correlation id, cause and trace context, unless the envelope names its own.

    `ctx.exec` does so by itself; this does it for every bus that has the middleware, wherever in
    the program `publish_json` is called. Tasks and `asyncio.to_thread` inherit the conversation, a
    thread started otherwise does not.
    """

    def handle(self, ctx: Ctx[Any], call_next: Handle) -> None:
        """The job's conversation is that of what its handler publishes."""
        with scoped(_conversation, _cause(ctx)):
            call_next(ctx)

    async def handle_async(self, ctx: AsyncCtx[Any], call_next: AsyncHandle) -> None:
        """As `handle`."""
        with scoped(_conversation, _cause(ctx)):
            await call_next(ctx)

    def publish(self, envelope: Envelope[Any], call_next: Publish) -> str:
        """Fills in the conversation at hand, where there is one."""
        return call_next(_in_conversation(envelope))

    async def publish_async(self, envelope: Envelope[Any], call_next: AsyncPublish) -> str:
        """As `publish`."""
        return await call_next(_in_conversation(envelope))


@contextmanager
def correlation(
    correlation_id: str | None = None,
    *,
    traceparent: str | None = None,
    tracestate: str | None = None,
) -> Generator[str]:
    """What is published within, through a bus with `Correlation`, belongs to this conversation:
    for web requests and other work that no job started. Gives the id.

    None or '': as outside of the block, or a new id where there is none. A traceparent goes with
    its own tracestate, never with that of outside; a tracestate alone is dropped. Raises
    InvalidArgument for what is no text.
    """
    _check_text("correlation_id", correlation_id)
    _check_text("traceparent", traceparent)
    _check_text("tracestate", tracestate)
    outside = _conversation.get()
    cause = Cause(
        outside.job_id,
        correlation_id or outside.correlation_id or new_job_id(),
        traceparent or outside.traceparent,
        (tracestate or "") if traceparent else outside.tracestate,
    )
    with scoped(_conversation, cause):
        yield cause.correlation_id


def _cause(ctx: Ctx[Any] | AsyncCtx[Any]) -> Cause:
    return Cause(ctx.job_id, ctx.correlation_id, ctx.traceparent, ctx.tracestate)


def _in_conversation(envelope: Envelope[Any]) -> Envelope[Any]:
    cause = _conversation.get()
    return envelope if cause is _NO_CAUSE else envelope.caused_by(cause)


def _check_text(field: str, text: object) -> None:
    if text is not None and (not isinstance(text, str) or not is_utf8(text)):
        raise InvalidArgument(field, f"{text!r:.100} is no str of valid Unicode")
