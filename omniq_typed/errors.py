"""Every exception of omniq_typed.

    OmniqError
    ├── InvalidArgument (ValueError)      a call that could never work; Redis was not touched
    │   ├── UnstructuredPayload (TypeError)  neither an object nor a list
    │   ├── PayloadTooLarge
    │   ├── BatchTooLarge
    │   ├── InvalidPayload                a typed payload that its own type does not allow
    │   └── InvalidMessageType            a message type or a handler that cannot be registered
    ├── OperationRefused (RuntimeError)   the server ran the script and said no
    │   ├── LeaseLost                     the lease is another's by now, or over
    │   ├── JobNotFound
    │   ├── WrongLane                     the job is in another lane or state than the call needs
    │   ├── CounterExists                 childs_init on a key in use
    │   ├── StrictGroup                   a strictly ordered group cannot run jobs side by side
    │   └── DuplicateJob                  the id is taken by a job with other content
    ├── UndecodableJob                    a job whose payload no handler may see
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
        └── EmbeddedServerError           the embedded server could not be started

Errors carry fields; nobody needs to read their text.
"""

from __future__ import annotations

from dataclasses import dataclass


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

    `job_id` is the id, `state` the lane of the job that has it.
    """

    def __init__(self, job_id: str, state: str) -> None:
        super().__init__(
            "publish",
            "DUPLICATE",
            job_id,
            f"a job with this id and other content is {state}; ids are published once",
        )
        self.job_id = job_id
        self.state = state


class UndecodableJob(OmniqError):
    """A job that cannot become a value of its message type.

    `reason` is one of 'invalid_payload', 'unknown_type'; `faults` say where.
    """

    def __init__(self, reason: str, message: str, faults: tuple[Fault, ...] = ()) -> None:
        super().__init__(message if not faults else f"{message}: {_describe(faults)}")
        self.reason = reason
        self.message = message
        self.faults = faults


class HandlerSignal(OmniqError):
    """Raised by a handler to say how its job ends."""


class Retry(HandlerSignal):
    """The job runs again after `after_s` seconds (None: by the usual policy), as long as attempts
    are left."""

    def __init__(self, message: str = "retry requested", *, after_s: float | None = None) -> None:
        super().__init__(message)
        if after_s is not None and after_s < 0:
            raise InvalidArgument("after_s", f"{after_s} is negative")
        self.after_s = after_s


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


class EmbeddedServerError(ServerError):
    """The embedded server could not be started or used."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
