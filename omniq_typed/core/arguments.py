"""Checks of arguments that several operations share. Each raises InvalidArgument, naming the
field, before Redis is touched."""

from __future__ import annotations

from collections.abc import Sequence

from omniq_typed.core.keys import check_job_id, is_utf8
from omniq_typed.errors import BatchTooLarge, InvalidArgument, PayloadTooLarge, UnstructuredPayload

MAX_IDS_PER_CALL = 100
MAX_MS = 10**14 - 1
"""Lua prints numbers with 14 digits; as a time that is the year 5138."""
MAX_INTERVAL_S = 86_400
MAX_ERROR_BYTES = 4096
DEFAULT_MAX_PAYLOAD_BYTES = 1024 * 1024


def check_int(field: str, value: object, low: int, high: int = MAX_MS) -> int:
    """An int of low..high. A bool is none."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidArgument(field, f"{value!r} is no int")
    if not low <= value <= high:
        raise InvalidArgument(field, f"{value} is out of range; use {low} to {high}")
    return value


def check_ordering(ordering: object) -> None:
    """'relaxed' or 'strict'."""
    if ordering not in ("relaxed", "strict"):
        raise InvalidArgument("ordering", f"{ordering!r} is none; use 'relaxed' or 'strict'")


def check_seconds(field: str, value: object, low: float = 0.001) -> float:
    """A time of `low` seconds to a day. NaN is none."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise InvalidArgument(field, f"{value!r} is no number of seconds")
    if not low <= value <= MAX_INTERVAL_S:
        raise InvalidArgument(field, f"{value} is out of range; use {low} to {MAX_INTERVAL_S}")
    return value


def check_token(lease_token: object) -> str:
    """A lease token as reserve gave it; an empty one is left to the server to refuse."""
    if not isinstance(lease_token, str) or not (lease_token.isascii() or is_utf8(lease_token)):
        raise InvalidArgument("lease_token", f"{lease_token!r} is no lease token")
    return lease_token


def check_ids(job_ids: Sequence[str]) -> Sequence[str]:
    """At most 100 job ids, none of them malformed."""
    if isinstance(job_ids, (str, bytes)):
        raise InvalidArgument("job_ids", "is one string; pass a list of ids")
    if not isinstance(job_ids, Sequence):
        raise InvalidArgument("job_ids", f"is a {type(job_ids).__name__}; pass a list of ids")
    if len(job_ids) > MAX_IDS_PER_CALL:
        raise BatchTooLarge("job_ids", len(job_ids), MAX_IDS_PER_CALL)
    for job_id in job_ids:
        check_job_id(job_id)
    return job_ids


def check_payload(payload: bytes, limit: int) -> bytes:
    """Encoded JSON of at most `limit` bytes that is an object or an array.

    Looks at how it begins only: the caller's encoder, or `publish_raw`, vouches for the rest.
    """
    if len(payload) > limit:
        raise PayloadTooLarge(len(payload), limit)
    starts = (b"{", b"[")
    if not payload.startswith(starts) and not payload.lstrip(b" \t\r\n").startswith(starts):
        raise UnstructuredPayload(
            "must be a JSON object or array; wrap single values, e.g. {'value': ...}"
        )
    return payload


def clip_error(text: str) -> str:
    """At most 4,096 bytes of UTF-8, whole characters only."""
    if not isinstance(text, str):
        raise InvalidArgument("error", f"is a {type(text).__name__}, not a str")
    raw = text.encode("utf-8", "backslashreplace")
    return raw[:MAX_ERROR_BYTES].decode("utf-8", "ignore")
