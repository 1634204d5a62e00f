"""Every exception of omniq_typed.

    OmniqError
    ├── InvalidArgument (ValueError)      a call that could never work; Redis was not touched
    │   ├── UnstructuredPayload (TypeError)  neither an object nor a list
    │   ├── PayloadTooLarge
    │   ├── BatchTooLarge
    │   ├── InvalidPayload                a typed payload that its own type does not allow
    │   ├── InvalidMessageType            a message type or a handler that cannot be registered
    │   │   └── IncompatibleSchema        a version that does not keep to those registered
    │   ├── InvalidBatch                  messages of publish_many that could never be published
    │   └── NoStrategy                    a type that omniq_typed.testing can make no values of
    ├── OperationRefused (RuntimeError)   the server ran the script and said no
    │   ├── LeaseLost                     the lease is another's by now, or over
    │   ├── JobNotFound
    │   ├── WrongLane                     the job is in another lane or state than the call needs
    │   ├── CounterExists                 childs_init on a key in use
    │   ├── StrictGroup                   a strictly ordered group cannot run jobs side by side
    │   └── DuplicateJob                  the id is taken by a job with other content
    ├── UndecodableJob                    a job whose payload no handler may see
    ├── HandlerTimeout                    an attempt that took longer than its consumer's timeout_s
    ├── HandlerSignal                     what a handler raises on purpose
    │   ├── Retry                         try again, after a time of the handler's choice
    │   └── Reject                        never try again: to the failed lane at once
    └── ServerError                       Redis could not be used
        ├── ConnectionLost (ConnectionError)
        ├── AuthenticationFailed
        ├── PermissionDenied              the user's ACL lacks a command or a key
        ├── ServerLoading                 still reading its data from disk
        ├── ReadOnlyServer                a replica, or a primary that lost its role
        ├── ServerOutOfMemory
        ├── ClusterUnavailable            slots without a node
        ├── UnexpectedReply               what came back is not what the script returns
        ├── BatchInterrupted              publish_many, publish_each: a part is published
        └── EmbeddedServerError           the embedded server could not be started

Errors carry fields; nobody needs to read their text. Beside them stands one warning,
PortabilityWarning.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from omniq_typed.models import PublishResult
    from omniq_typed.schema.compatibility.report import Finding


class OmniqError(Exception):
    """Base of every error that this library raises."""


class InvalidArgument(OmniqError, ValueError):
    """An argument that could never work. Raised before Redis is touched.

    Attributes: `field`, the name of the argument; `problem`, what is wrong and what to do.
    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


class UnstructuredPayload(InvalidArgument, TypeError):
    """A payload that is no JSON object or array."""

    def __init__(self, problem: str) -> None:
        super().__init__("payload", problem)


class PayloadTooLarge(InvalidArgument):
    """The encoded payload exceeds the limit of the client. `size` and `limit` in bytes."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(
            "payload",
            f"is {size:,} bytes as JSON, the limit is {limit:,}; store it elsewhere and publish a"
            " reference, or raise max_payload_bytes",
        )
        self.size = size
        self.limit = limit


class BatchTooLarge(InvalidArgument):
    """More ids than one atomic call takes. `size` and `limit` count ids."""

    def __init__(self, field: str, size: int, limit: int) -> None:
        super().__init__(field, f"has {size} ids, one call takes at most {limit}; split it")
        self.size = size
        self.limit = limit


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a payload.

    `path`: JSON pointer into the payload ('' is the whole); `code`: stable name of the rule
    (Pydantic's error type, or ours); `message`: for people.
    """

    path: str
    code: str
    message: str


def _describe(faults: tuple[Fault, ...]) -> str:
    return "; ".join(f"{f.path or 'payload'}: {f.message} ({f.code})" for f in faults)


class InvalidPayload(InvalidArgument):
    """A payload that its own message type does not allow. `message_type`, `faults`."""

    def __init__(self, message_type: str, faults: tuple[Fault, ...]) -> None:
        super().__init__("payload", f"is no valid {message_type}: {_describe(faults)}")
        self.message_type = message_type
        self.faults = faults


class InvalidMessageType(InvalidArgument):
    """A message type or handler that cannot be registered."""


class IncompatibleSchema(InvalidMessageType):
    """A version of a message type that does not keep to what its registered versions ask for.
    Nothing was registered, published or consumed.

    `name` and `version` are those of the first one; `breaks`: all that is wrong, each with rule,
    JSON pointer and, where one was found, a payload that would be refused: the findings of
    schema/compatibility/report.py.
    """

    def __init__(self, name: str, version: int, problem: str, breaks: tuple[Finding, ...]) -> None:
        super().__init__("schema", problem)
        self.name = name
        self.version = version
        self.breaks = breaks


class InvalidBatch(InvalidArgument):
    """Messages of `publish_many` that could never be published; none of the others was.

    `errors`: what is wrong with each, by its index in the batch; the text tells of the first 20.
    """

    _TOLD = 20

    def __init__(self, errors: dict[int, InvalidArgument]) -> None:
        told = list(errors.items())[: self._TOLD]
        rows = "; ".join(f"[{index}] {error}" for index, error in told)
        if len(errors) > len(told):
            rows += f"; and {len(errors) - len(told)} more"
        super().__init__("messages", f"nothing was published, {len(errors)} cannot be: {rows}")
        self.errors = errors


class NoStrategy(InvalidArgument):
    """A type, or a part of one, of which omniq_typed.testing knows no values.

    `subject`: the message type; `path`: JSON pointer of the part ('' is the whole).
    """

    def __init__(self, subject: str, path: str, problem: str) -> None:
        super().__init__("payloads", f"{subject}, {path or 'the whole'}: {problem}")
        self.subject = subject
        self.path = path


class PortabilityWarning(UserWarning):
    """A message type whose JSON other languages, or its own schema, read differently."""


class OperationRefused(OmniqError, RuntimeError):
    """The server ran the operation and refused it; nothing changed.

    Attributes: `operation`, e.g. 'ack_success'; `code`, e.g. 'TOKEN_MISMATCH'; `subject`, the job
    id, group or counter key.
    """

    def __init__(self, operation: str, code: str, subject: str, explanation: str = "") -> None:
        text = f"{operation} refused for {subject!r}: {code}"
        super().__init__(f"{text} ({explanation})" if explanation else text)
        self.operation = operation
        self.code = code
        self.subject = subject


class LeaseLost(OperationRefused):
    """The lease token is not (or no longer) the one of the running lease."""


class JobNotFound(OperationRefused):
    """No job has this id."""


class WrongLane(OperationRefused):
    """The job is in another lane or state than the operation needs."""


class CounterExists(OperationRefused):
    """A completion counter of this key is running, or finished and still remembered."""


class StrictGroup(OperationRefused):
    """A strictly ordered group runs one job at a time."""


class DuplicateJob(OperationRefused):
    """The id belongs to a job with other content. Nothing was published.

    `job_id` is the id, `state` the lane of the job that has it; `stored_fingerprint` and
    `new_fingerprint` tell the two contents (message type and payload) apart, 16 hex digits each.
    """

    def __init__(
        self, job_id: str, state: str, stored_fingerprint: str, new_fingerprint: str
    ) -> None:
        super().__init__(
            "publish",
            "DUPLICATE",
            job_id,
            f"the {state} job with this id holds other content, {stored_fingerprint} and not"
            f" {new_fingerprint}; ids are published once",
        )
        self.job_id = job_id
        self.state = state
        self.stored_fingerprint = stored_fingerprint
        self.new_fingerprint = new_fingerprint


class UndecodableJob(OmniqError):
    """A job that cannot become a value of its message type.

    `reason` is one of 'invalid_payload', 'unknown_type'; `faults` say where.
    """

    def __init__(self, reason: str, message: str, faults: tuple[Fault, ...] = ()) -> None:
        super().__init__(message if not faults else f"{message}: {_describe(faults)}")
        self.reason = reason
        self.message = message
        self.faults = faults


_MAX_RETRY_S = 10**9
"""31 years; a time that Lua still prints with all its digits, as ms."""


class HandlerTimeout(OmniqError):
    """An attempt took longer than its consumer's `timeout_s`; it counts as failed, with the reason
    'timeout'. A plain handler meets it where it is, an async one meets asyncio.CancelledError.

    `limit_s`: the consumer's `timeout_s`, 0 where it is raised in a handler.
    """

    def __init__(self, limit_s: float = 0.0) -> None:
        super().__init__(
            f"the handler took longer than its timeout of {limit_s:g} s"
            if limit_s
            else "the handler is over its timeout"
        )
        self.limit_s = limit_s


class HandlerSignal(OmniqError):
    """Raised by a handler to say how its job ends."""


class Retry(HandlerSignal):
    """The job runs again, as long as attempts are left.

    `after`: seconds or a timedelta, at most 10**9 s (None: by the usual policy); kept as `after_s`,
    in seconds. Raises InvalidArgument for what is no such time.
    """

    def __init__(
        self, message: str = "retry requested", *, after: float | timedelta | None = None
    ) -> None:
        super().__init__(message)
        self.after_s: float | None = None if after is None else _seconds(after)


def _seconds(after: object) -> float:
    seconds = after.total_seconds() if isinstance(after, timedelta) else after
    if not isinstance(seconds, (int, float)) or isinstance(seconds, bool):
        raise InvalidArgument("after", f"{after!r} is neither seconds nor a timedelta")
    if not 0 <= seconds <= _MAX_RETRY_S:  # NaN is not either
        raise InvalidArgument("after", f"{after!r} is out of range; use 0 to {_MAX_RETRY_S} s")
    return seconds


class Reject(HandlerSignal):
    """The job can never succeed: it goes to the failed lane at once, whatever attempts are left."""


class ServerError(OmniqError):
    """Redis could not be used. `server_message` is what it, or the connection, said."""

    def __init__(self, message: str, server_message: str = "") -> None:
        super().__init__(f"{message} [{server_message}]" if server_message else message)
        self.server_message = server_message


class ConnectionLost(ServerError, ConnectionError):
    """No connection, or it broke or timed out. The operation may or may not have happened."""


class AuthenticationFailed(ServerError):
    """Wrong user or password, or none where one is needed."""


class PermissionDenied(ServerError):
    """The user's ACL lacks a command or a key pattern."""


class ServerLoading(ServerError):
    """The server is still loading its data; try again soon."""


class ReadOnlyServer(ServerError):
    """The server takes no writes: a replica, or a primary that lost its role."""


class ServerOutOfMemory(ServerError):
    """The server is at maxmemory and takes no new data; settling still works."""


class ClusterUnavailable(ServerError):
    """A part of the cluster's slots has no node at the moment."""


class UnexpectedReply(ServerError):
    """The reply of a script has not the shape that it documents."""


class BatchInterrupted(ServerError):
    """`publish_many` or `publish_each` failed after a part of its calls.

    `results`: one per message (of `publish_each`: that was taken, and of which no result was
    yielded); None where it is not known to be published. Its cause is the error of the call that
    failed, which may or may not have been run.
    """

    def __init__(self, results: list[PublishResult | None], message: str) -> None:
        done = sum(result is not None for result in results)
        super().__init__(f"{done} of {len(results)} messages published, then: {message}")
        self.results = results


class EmbeddedServerError(ServerError):
    """The embedded server could not be started or used."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
