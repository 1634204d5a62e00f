"""What a publish is made of: a message, where it goes, and which conversation it belongs to."""

from __future__ import annotations

import os
from binascii import b2a_base64
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Any, Generic, TypeVar

from omniq_typed.core.arguments import DEFAULT_MAX_PAYLOAD_BYTES, check_payload
from omniq_typed.core.enqueue import JobKind, Record, job_kind, own_side
from omniq_typed.core.keys import check_gid, check_job_id, queue_keys
from omniq_typed.errors import InvalidArgument
from omniq_typed.messages.codec import encode, same_message
from omniq_typed.messages.message_type import MessageType
from omniq_typed.messages.registry import Registry
from omniq_typed.models import Ordering, Reserved

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, init=False)
class Envelope(Generic[T_co]):
    """A message and how it is to be published. None, 0 and '': as its message type says.

    `message_type`: for values whose class does not tell it, as TypedDicts; `due_ms`: absolute
    time in ms, 0 = now; `correlation_id` and the trace context: of the conversation, else new.
    """

    message: T_co
    message_type: Any = field(default=None, kw_only=True)
    queue: str | None = field(default=None, kw_only=True)
    job_id: str | None = field(default=None, kw_only=True)
    max_attempts: int | None = field(default=None, kw_only=True)
    timeout_ms: int | None = field(default=None, kw_only=True)
    backoff_ms: int | None = field(default=None, kw_only=True)
    due_ms: int = field(default=0, kw_only=True)
    gid: str | None = field(default=None, kw_only=True)
    group_limit: int = field(default=0, kw_only=True)
    ordering: Ordering | None = field(default=None, kw_only=True)
    correlation_id: str | None = field(default=None, kw_only=True)
    causation_id: str | None = field(default=None, kw_only=True)
    traceparent: str | None = field(default=None, kw_only=True)
    tracestate: str | None = field(default=None, kw_only=True)

    def __init__(
        self,
        message: T_co,
        *,
        message_type: Any = None,
        queue: str | None = None,
        job_id: str | None = None,
        max_attempts: int | None = None,
        timeout_ms: int | None = None,
        backoff_ms: int | None = None,
        due_ms: int = 0,
        gid: str | None = None,
        group_limit: int = 0,
        ordering: Ordering | None = None,
        correlation_id: str | None = None,
        causation_id: str | None = None,
        traceparent: str | None = None,
        tracestate: str | None = None,
    ) -> None:
        # Written out: every publish makes one, and that of a frozen dataclass takes thrice as long.
        self.__dict__.update(
            message=message,
            message_type=message_type,
            queue=queue,
            job_id=job_id,
            max_attempts=max_attempts,
            timeout_ms=timeout_ms,
            backoff_ms=backoff_ms,
            due_ms=due_ms,
            gid=gid,
            group_limit=group_limit,
            ordering=ordering,
            correlation_id=correlation_id,
            causation_id=causation_id,
            traceparent=traceparent,
            tracestate=tracestate,
        )

    def caused_by(self, cause: Cause) -> Envelope[T_co]:
        """In the conversation of `cause`, where the envelope names none of its own."""
        trace = self.traceparent is None and self.tracestate is None
        return replace(
            self,
            correlation_id=self.correlation_id or cause.correlation_id,
            causation_id=self.causation_id or cause.job_id,
            traceparent=cause.traceparent if trace else self.traceparent,
            tracestate=cause.tracestate if trace else self.tracestate,
        )


@dataclass(frozen=True, slots=True)
class Cause:
    """The job out of which another is published."""

    job_id: str
    correlation_id: str
    traceparent: str = ""
    tracestate: str = ""

    @classmethod
    def of(cls, job: Reserved) -> Cause:
        """A job without a conversation starts one under its own id."""
        return cls(
            job.job_id,
            job.msg_correlation_id or job.job_id,
            job.msg_traceparent,
            job.msg_tracestate,
        )


def envelope_of(message: object) -> Envelope[Any]:
    """An envelope as it is, any other message in one that says nothing."""
    if isinstance(message, Envelope):
        return message
    envelope: Envelope[Any] = Envelope.__new__(Envelope)
    # The rest it has from its class: the defaults of the fields.
    envelope.__dict__["message"] = message
    return envelope


@dataclass(slots=True)
class Addressed(Record):
    """An envelope made ready: a checked job, and the queue that it goes to."""

    queue: str
    message_type: MessageType[Any]

    def is_same(self, stored_payload: bytes) -> bool:
        """Whether another payload of the same message type is the same message."""
        return same_message(self.message_type, self.payload, stored_payload)


_ID_LENGTH = 22
_ID_CHARACTERS = bytes.maketrans(b"+/", b"_.")


_IDS_AT_ONCE = 64
_spare_ids: tuple[int, list[str]] = 0, []
"""Ids that were made for the next calls, and by which process: a child that was forked must not
give out its parent's."""


def new_job_id() -> str:
    """132 random bits in 22 characters of A-Z a-z 0-9 _ and . (a waiting job holds its id four
    times, so each character counts; none begins like an option of a command)."""
    global _spare_ids
    owner, spare = _spare_ids
    pid = os.getpid()
    try:
        if owner == pid:
            return spare.pop()
    except IndexError:
        pass
    made = new_job_ids(_IDS_AT_ONCE)
    job_id = made.pop()
    _spare_ids = pid, made
    return job_id


def new_job_ids(count: int) -> list[str]:
    """So many of them."""
    written = b2a_base64(os.urandom(18 * count)).translate(_ID_CHARACTERS).decode()
    return [written[at : at + _ID_LENGTH] for at in range(0, 24 * count, 24)]


@dataclass(frozen=True, slots=True)
class Plain:
    """How messages of a class become jobs of which nobody says more: their type names the queue,
    and has no functions that are to be asked. `write`: encodes most of them (codec.py)."""

    message_type: MessageType[Any]
    queue: str
    kind: JobKind
    write: Callable[[Any], bytes | None]


_MOST_USUAL = 4096
_BRACE = ord("{")
_options = attrgetter(
    "max_attempts", "timeout_ms", "backoff_ms", "due_ms", "group_limit", "ordering"
)
_conversation = attrgetter("correlation_id", "causation_id", "traceparent", "tracestate")
_NO_OPTIONS = _options(Envelope(None))
_NO_CONVERSATION = _conversation(Envelope(None))


class Addressing:
    """How the messages of one publisher become jobs. Thread-safe."""

    def __init__(
        self,
        registry: Registry,
        source: str = "",
        max_payload_bytes: int = DEFAULT_MAX_PAYLOAD_BYTES,
    ) -> None:
        self._registry = registry
        self._source = source
        self._max_payload_bytes = max_payload_bytes
        # Most messages of a type, and of a group of it, are of one kind.
        self._usual: dict[tuple[MessageType[Any], str], JobKind] = {}
        self._plain: dict[type, Plain] = {}

    def address(self, envelope: Envelope[Any]) -> Addressed:
        """Checks and encodes a message, and fills in what its type says. Raises InvalidPayload,
        InvalidMessageType, and InvalidArgument for what could never be published otherwise."""
        message_type = self._registry.of_value(envelope.message, envelope.message_type)
        queue = message_type.queue if envelope.queue is None else envelope.queue
        if queue is None:
            raise InvalidArgument(
                "queue", f"{message_type.label} names none; pass queue= or set it in @message"
            )
        queue_keys(queue)
        # Encoded first: the functions of the type see valid messages only.
        payload = encode(message_type, envelope.message)
        check_payload(payload, self._max_payload_bytes)
        kind = self._kind(message_type, envelope, _gid(message_type, envelope))
        job_id = _job_id(message_type, envelope)
        return Addressed(job_id, payload, kind, _own_side(envelope), queue, message_type)

    def plain(self, cls: type) -> Plain | None:
        """How messages of a class are published where nothing more is said of them; None where
        each has to be asked."""
        found = self._plain.get(cls)
        if found is None:
            found = self._plain_of(cls)
            if found is not None:
                self._plain[cls] = found
        return found

    def address_plain(self, plain: Plain, message: object, job_id: str) -> Addressed:
        """As `address`, of a message of that class."""
        payload = plain.write(message)
        if payload is None:
            payload = encode(plain.message_type, message)
        if payload[0] != _BRACE or len(payload) > self._max_payload_bytes:
            check_payload(payload, self._max_payload_bytes)
        return Addressed(job_id, payload, plain.kind, (), plain.queue, plain.message_type)

    def _plain_of(self, cls: type) -> Plain | None:
        message_type = self._registry.of_class(cls)
        if message_type is None or message_type.queue is None:
            return None
        if message_type.gid is not None or message_type.dedup_key is not None:
            return None
        queue_keys(message_type.queue)
        kind = self._kind(message_type, Envelope(None), "")
        return Plain(message_type, message_type.queue, kind, message_type.sure_writer)

    def _kind(self, message_type: MessageType[Any], envelope: Envelope[Any], gid: str) -> JobKind:
        # False is no time, though it is equal to 0.
        if _options(envelope) != _NO_OPTIONS or type(envelope.due_ms) is not int:
            return _kind_of(message_type, envelope, gid, self._source)
        found = self._usual.get((message_type, gid))
        if found is None:
            found = _kind_of(message_type, envelope, gid, self._source)
            if len(self._usual) >= _MOST_USUAL:
                self._usual.clear()
            self._usual[message_type, gid] = found
        return found


def _kind_of(
    message_type: MessageType[Any], envelope: Envelope[Any], gid: str, source: str
) -> JobKind:
    side = {
        "msg_type": message_type.name,
        "msg_version": str(message_type.version),
        "msg_schema": message_type.fingerprint,
        "msg_source": source,
    }
    return job_kind(
        max_attempts=_chosen(envelope.max_attempts, message_type.max_attempts),
        timeout_ms=_chosen(envelope.timeout_ms, message_type.timeout_ms),
        backoff_ms=_chosen(envelope.backoff_ms, message_type.backoff_ms),
        due_ms=envelope.due_ms,
        gid=gid,
        group_limit=envelope.group_limit or (message_type.group_limit if gid else 0),
        # A strict type is strict within groups; published without one it has no order to keep.
        ordering=envelope.ordering or (message_type.ordering if gid else "relaxed"),
        side={name: text for name, text in side.items() if text},
    )


def _own_side(envelope: Envelope[Any]) -> tuple[str, ...]:
    if _conversation(envelope) == _NO_CONVERSATION:
        return ()
    fields = {
        "msg_correlation_id": envelope.correlation_id,
        "msg_causation_id": envelope.causation_id,
        "msg_traceparent": envelope.traceparent,
        "msg_tracestate": envelope.tracestate,
    }
    return own_side({name: text for name, text in fields.items() if text})


def _chosen(choice: int | None, default: int) -> int:
    return default if choice is None else choice


def _gid(message_type: MessageType[Any], envelope: Envelope[Any]) -> str:
    if envelope.gid is not None:
        return "" if envelope.gid == "" else check_gid(envelope.gid)
    if message_type.gid is None:
        return ""
    gid: object = _told("gid", message_type, message_type.gid, envelope.message)
    if gid is not None and not isinstance(gid, str):
        raise InvalidArgument("gid", f"the function of {message_type.label} gave {gid!r}, no str")
    return check_gid(gid) if gid else ""


def _job_id(message_type: MessageType[Any], envelope: Envelope[Any]) -> str:
    if envelope.job_id is not None:
        return check_job_id(envelope.job_id)
    if message_type.dedup_key is None:
        return new_job_id()
    key: object = _told("dedup_key", message_type, message_type.dedup_key, envelope.message)
    if not isinstance(key, str) or not key:
        raise InvalidArgument(
            "dedup_key", f"the function of {message_type.label} gave {key!r}; it must give a str"
        )
    # With the type's name: an order and its invoice may both be called after the order.
    return check_job_id(f"{message_type.name}:{key}")


def _told(
    field_name: str, message_type: MessageType[Any], function: Callable[[Any], Any], message: Any
) -> Any:
    try:
        return function(message)
    except Exception as error:
        raise InvalidArgument(
            field_name,
            f"the function of {message_type.label} failed with {type(error).__name__}: {error}",
        ) from error
