"""From a script's reply to a value, and from its error codes to exceptions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from omniq_typed.errors import (
    CounterExists,
    JobNotFound,
    LeaseLost,
    OperationRefused,
    StrictGroup,
    UnexpectedReply,
    WrongLane,
)

_REFUSALS: dict[str, tuple[type[OperationRefused], str]] = {
    "TOKEN_REQUIRED": (LeaseLost, "pass the lease_token that reserve gave"),
    "TOKEN_MISMATCH": (LeaseLost, "the job was leased again since"),
    "NOT_ACTIVE": (LeaseLost, "the job is not being worked on"),
    "NO_JOB": (JobNotFound, "no such job in this queue"),
    "NOT_FAILED": (WrongLane, "only failed jobs can be retried"),
    "ACTIVE": (WrongLane, "a running job cannot be removed"),
    "LANE_MISMATCH": (WrongLane, "the job is in another lane"),
    "NOT_IN_LANE": (WrongLane, "the lane does not list the job"),
    "ALREADY_INIT": (CounterExists, "use one key per set of children"),
    "BAD_EXPECTED": (OperationRefused, "expect at least one child"),
    "BATCH_TOO_LARGE": (OperationRefused, "at most 100 ids per call"),
    "CONFLICT": (OperationRefused, "the version is registered with another schema"),
    "STRICT_GROUP": (StrictGroup, "a strictly ordered group runs one job at a time"),
}


def refuse(operation: str, code: str, subject: str) -> NoReturn:
    """Raises the exception of an error code."""
    kind, explanation = _REFUSALS.get(code, (OperationRefused, "unknown code"))
    raise kind(operation, code, subject, explanation)


def text(raw: Any) -> str:
    """A bulk string or number of a reply as str. Foreign bytes that are no UTF-8 are escaped."""
    if isinstance(raw, bytes):
        return raw.decode("utf-8", "backslashreplace") if raw else ""
    return "" if raw is None else str(raw)


def number(raw: Any) -> int:
    """A number of a reply or of a hash field; '', absent and what is no number are 0, as scripts
    take them: a field that another program filled with nonsense must not stop a worker."""
    if raw is None or raw == b"" or raw == "":
        return 0
    try:
        return int(raw)
    except ValueError:
        pass
    try:
        return int(float(raw))
    except (ValueError, OverflowError):
        return 0


def pairs(flat: list[Any]) -> list[tuple[Any, Any]]:
    """[a, 1, b, 2] → [(a, 1), (b, 2)]."""
    return list(zip(flat[::2], flat[1::2], strict=True))


def shaped(operation: str, parse: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """`parse`, with UnexpectedReply for a reply that it cannot read."""

    def parse_or_explain(reply: Any) -> Any:
        try:
            return parse(reply)
        except (IndexError, KeyError, TypeError, ValueError) as error:
            raise UnexpectedReply(
                f"{operation} got a reply of another shape than documented: {reply!r:.200}",
                str(error),
            ) from error

    return parse_or_explain
