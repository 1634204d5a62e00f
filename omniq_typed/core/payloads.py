"""Untyped payloads: dicts and lists to compact UTF-8 JSON and back."""

from __future__ import annotations

import math
from typing import Any

import orjson

from omniq_typed.errors import InvalidArgument, UndecodableJob, UnstructuredPayload


def encode_untyped(payload: object) -> bytes:
    """Compact JSON of a dict or list. Raises UnstructuredPayload (also a TypeError) for anything
    else, InvalidArgument for content that JSON cannot hold."""
    if not isinstance(payload, (dict, list)):
        raise UnstructuredPayload(
            f"is a {type(payload).__name__}, not a dict or list; wrap it, e.g."
            " {'text': ...} or {'value': ...}"
        )
    try:
        encoded = orjson.dumps(payload)
    except (orjson.JSONEncodeError, RecursionError) as error:
        raise InvalidArgument("payload", f"cannot be written as JSON: {error}") from error
    if b"null" in encoded:
        _refuse_infinities(payload, "")
    return encoded


def _refuse_infinities(value: object, path: str) -> None:
    """orjson writes NaN and infinities as null, which the reader could not tell from None."""
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidArgument("payload", f"cannot be written as JSON: {value} at {path}")
    if isinstance(value, dict):
        for key, each in value.items():
            _refuse_infinities(each, f"{path}/{key}")
    elif isinstance(value, (list, tuple)):
        for index, each in enumerate(value):
            _refuse_infinities(each, f"{path}/{index}")


def check_raw(payload: object) -> bytes:
    """Bytes that are a JSON object or array already. Raises InvalidArgument."""
    if not isinstance(payload, bytes):
        raise UnstructuredPayload(f"is a {type(payload).__name__}, not bytes")
    try:
        decoded = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise InvalidArgument("payload", f"is not JSON: {error}") from error
    if not isinstance(decoded, (dict, list)):
        raise UnstructuredPayload("must be a JSON object or array; wrap single values")
    return payload


def decode_untyped(payload: bytes) -> Any:
    """The dict or list of a payload. Raises UndecodableJob."""
    try:
        decoded = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise UndecodableJob("invalid_payload", f"the payload is not JSON: {error}") from error
    if not isinstance(decoded, (dict, list)):
        raise UndecodableJob("invalid_payload", "the payload is neither an object nor an array")
    return decoded
