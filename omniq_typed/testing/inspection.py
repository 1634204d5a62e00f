"""What a test asks of a stepped bus, blocking or asyncio: the time, what was published, and what
became of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta
from textwrap import indent
from typing import Any, TypeVar, cast, get_type_hints, overload

from pydantic import BaseModel
from typing_extensions import TypeForm, is_typeddict

from omniq_typed.core.keys import expiring_pattern
from omniq_typed.core.observe import read_job
from omniq_typed.errors import InvalidArgument
from omniq_typed.messages.message_type import MessageType
from omniq_typed.messages.registry import Registry
from omniq_typed.models import Lane
from omniq_typed.testing.matching import SHOWN, check_names, comparison, matches, nearest
from omniq_typed.testing.records import JobRecord, is_of, message_of, record_of
from omniq_typed.transport.stage import Stage, StagedJob
from omniq_typed.transport.sync import SyncTransport

T = TypeVar("T")

MAX_SPAN = timedelta(days=365 * 100)


class Inspection:
    """The part that a blocking and an asyncio stepped bus share. None of it waits for anything."""

    _stage: Stage
    _reading: SyncTransport
    """To the same server as the bus's own."""
    _registry: Registry

    @property
    def now(self) -> datetime:
        """The time of the bus, in UTC."""
        return datetime.fromtimestamp(self.now_ms / 1000, UTC)

    @property
    def now_ms(self) -> int:
        """The time of the bus in ms, e.g. for `due_ms=bus.now_ms + 5_000`."""
        return self._stage.now_ms

    def advance(
        self,
        by: timedelta | None = None,
        *,
        days: float = 0,
        hours: float = 0,
        minutes: float = 0,
        seconds: float = 0,
    ) -> datetime:
        """Lets time pass: delays, retries and leases fall due, and the next `run_pending` works
        them off. Answers the time then. Raises InvalidArgument for a time that goes backwards."""
        self.let_pass(span_ms(by, days, hours, minutes, seconds))
        return self.now

    def let_pass(self, ms: int) -> None:
        """`advance` in ms."""
        self._stage.advance(ms)
        age_keys(self._reading, ms)

    def published(self, message_type: TypeForm[T] | MessageType[T]) -> list[T]:
        """All messages of a type that were published, in order, by whomever: tests, handlers,
        `publish_many`. Of its own version; as readers get them. Raises InvalidMessageType."""
        messages = [message_of(each.job, self._registry) for each in self._staged(message_type)]
        return [message for message in messages if message is not None]

    @overload
    def jobs(self, message_type: TypeForm[T] | MessageType[T], /) -> list[JobRecord[T]]: ...
    @overload
    def jobs(self, message_type: None = None, /) -> list[JobRecord[Any]]: ...
    def jobs(self, message_type: Any = None, /) -> list[JobRecord[Any]]:
        """All jobs (of a type) that were published, in order, and what has become of them."""
        return self._records_of(message_type)

    @overload
    def completed(self, message_type: TypeForm[T] | MessageType[T], /) -> list[JobRecord[T]]: ...
    @overload
    def completed(self, message_type: None = None, /) -> list[JobRecord[Any]]: ...
    def completed(self, message_type: Any = None, /) -> list[JobRecord[Any]]:
        """Those jobs that are completed."""
        return self._in_state(message_type, Lane.COMPLETED)

    @overload
    def failed(self, message_type: TypeForm[T] | MessageType[T], /) -> list[JobRecord[T]]: ...
    @overload
    def failed(self, message_type: None = None, /) -> list[JobRecord[Any]]: ...
    def failed(self, message_type: Any = None, /) -> list[JobRecord[Any]]:
        """Those in the failed lane, with `reason`, `error` and `faults`."""
        return self._in_state(message_type, Lane.FAILED)

    @overload
    def pending(self, message_type: TypeForm[T] | MessageType[T], /) -> list[JobRecord[T]]: ...
    @overload
    def pending(self, message_type: None = None, /) -> list[JobRecord[Any]]: ...
    def pending(self, message_type: Any = None, /) -> list[JobRecord[Any]]:
        """Those that have something before them: they wait, are delayed or are being handled."""
        return self._in_state(message_type, Lane.WAIT, Lane.DELAYED, Lane.ACTIVE)

    def assert_published(self, message_type: TypeForm[T] | MessageType[T], /, **wanted: Any) -> T:
        """Answers the first published message of the type whose fields are as `wanted`. Raises
        AssertionError with the nearest ones where there is none; InvalidArgument for a field that
        the type does not have."""
        of_type, messages = self._candidates(message_type, wanted)
        for message in messages:
            if matches(message, wanted):
                return cast(T, message)
        raise AssertionError(self._no_match(of_type, messages, wanted))

    def assert_not_published(
        self, message_type: TypeForm[T] | MessageType[T], /, **unwanted: Any
    ) -> None:
        """Raises AssertionError where a message of the type was published whose fields are as
        `unwanted`."""
        of_type, messages = self._candidates(message_type, unwanted)
        found = [message for message in messages if matches(message, unwanted)]
        if found:
            raise AssertionError(f"{of_type.name} was published: {', '.join(map(repr, found))}")

    def _candidates(
        self, declared: Any, wanted: dict[str, Any]
    ) -> tuple[MessageType[Any], list[Any]]:
        of_type = self._registry.of_type(declared)
        check_names(of_type.label, field_names(of_type.cls), wanted)
        return of_type, self.published(declared)

    def _no_match(
        self, of_type: MessageType[Any], messages: list[Any], wanted: dict[str, Any]
    ) -> str:
        name = getattr(of_type.cls, "__name__", of_type.name)
        fields = ", ".join(f"{field}={value!r}" for field, value in wanted.items())
        if not messages:
            kinds = Counter(each.job.side.get("msg_type", "untyped") for each in self._staged())
            others = ", ".join(f"{kind} × {count}" for kind, count in kinds.items())
            return f"no {name} was published; published were: {others or 'no messages at all'}"
        lines = [f"no {name} was published with {fields}; {len(messages)} others were, nearest:"]
        for at in nearest(messages, wanted)[:SHOWN]:
            lines += [f"[{at}] {messages[at]!r}", indent(comparison(messages[at], wanted), "    ")]
        return "\n".join(lines)

    def _staged(self, declared: Any = None) -> list[StagedJob]:
        staged = list(self._stage.published)
        if declared is None:
            return staged
        of_type = self._registry.of_type(declared)
        return [each for each in staged if is_of(each.job, of_type)]

    def _in_state(self, declared: Any, *lanes: Lane) -> list[JobRecord[Any]]:
        return [record for record in self._records_of(declared) if record.state in lanes]

    def _records_of(self, declared: Any) -> list[JobRecord[Any]]:
        staged = self._staged(declared)
        reads = [read_job(each.queue, each.job.job_id) for each in staged]
        infos = self._reading.run_all(reads)
        return [
            record_of(each, info, message_of(each.job, self._registry))
            for each, info in zip(staged, infos, strict=True)
        ]


def field_names(cls: Any) -> Iterable[str]:
    """The names of the fields of a message type; none where it is a union or the like."""
    if isinstance(cls, type) and issubclass(cls, BaseModel):
        return list(cls.model_fields)
    if isinstance(cls, type) and is_dataclass(cls):
        return [each.name for each in fields(cls)]
    return list(get_type_hints(cls)) if is_typeddict(cls) else []


def span_ms(by: timedelta | None, days: float, hours: float, minutes: float, seconds: float) -> int:
    """A span of time in ms, of all its parts. Raises InvalidArgument where it is negative."""
    span = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    span += timedelta() if by is None else by
    if not timedelta() <= span <= MAX_SPAN:
        raise InvalidArgument("by", f"{span} is out of range; time goes forwards")
    return round(span / timedelta(milliseconds=1))


def age_keys(transport: SyncTransport, ms: int) -> None:
    """Keys that expire by the server's own clock do so `ms` earlier."""
    client: Any = transport.client
    for key in list(client.scan_iter(match=expiring_pattern(), count=1000)):
        left = client.pttl(key)
        if left > ms:
            client.pexpire(key, left - ms)
        elif left >= 0:
            client.delete(key)
