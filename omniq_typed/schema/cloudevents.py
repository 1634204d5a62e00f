"""A job as a CloudEvents 1.0 event in structured JSON, and such an event as a job."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias
from urllib.parse import quote, unquote

from omniq_typed.errors import InvalidArgument
from omniq_typed.models import JobInfo, NewJob

Json: TypeAlias = dict[str, Any]

SPECIFICATION = "1.0"
_JSON = "application/json"
_BYTES = "application/octet-stream"
# None of these can be a name of ours, as names have no colon.
_UNTYPED = "omniq:untyped"
_SCHEMA = "urn:omniq:schema:"
_SOURCE = "omniq-source:"
# What is a URI reference without doubt: a URL without odd letters, or a plain path.
_PLAIN_SOURCE = re.compile(
    r"(?:[A-Za-z][A-Za-z0-9+.-]*://[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~/-]*)?"
    r"|/?[A-Za-z0-9._~-]+(?:/[A-Za-z0-9._~-]+)*)\Z"
)
_EXTENSIONS = {
    "msg_version": "msgversion",
    "msg_correlation_id": "correlationid",
    "msg_causation_id": "causationid",
    "msg_traceparent": "traceparent",
    "msg_tracestate": "tracestate",
}
"""Field of the job → attribute of the event."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_cloudevent(job: JobInfo) -> Json:
    """The event of a job: a dict for `json.dumps`. The job's group is the `subject`, its time is
    the one of its publishing; a payload that is no JSON becomes `data_base64`. What belongs to the
    queue, attempts and times, is left out."""
    side = job.side
    event: Json = {
        "specversion": SPECIFICATION,
        "id": job.job_id,
        "source": _source_out(side.get("msg_source", "")),
        "type": side.get("msg_type") or _UNTYPED,
    }
    if job.gid:
        event["subject"] = job.gid
    time = _time(job.created_ms)
    if time:
        event["time"] = time
    schema = side.get("msg_schema")
    if schema:
        parts = (side.get("msg_type", ""), side.get("msg_version", ""), schema)
        event["dataschema"] = _SCHEMA + ":".join(quote(part, safe="") for part in parts)
    for field, attribute in _EXTENSIONS.items():
        if side.get(field):
            event[attribute] = side[field]
    return event | _data_out(job.payload_raw)


def from_cloudevent(event: Mapping[str, Any]) -> NewJob:
    """The job of an event, ours or another's, with its id, group, payload and `msg_*` fields; the
    rest as `NewJob` has it by default. Raises InvalidArgument for what is no event of version 1.0,
    or has no data that could be a payload."""
    if event.get("specversion") != SPECIFICATION:
        raise InvalidArgument("event", f"its specversion is not {SPECIFICATION!r}")
    named = event.get("type")
    side = {
        "msg_type": "" if named == _UNTYPED else _text(event, "type", required=True),
        "msg_source": _source_in(_text(event, "source", required=True)),
        "msg_schema": _schema_in(_text(event, "dataschema")),
        **{field: _extension(event, name) for field, name in _EXTENSIONS.items()},
    }
    return NewJob(
        job_id=_text(event, "id", required=True),
        payload=_data_in(event),
        gid=_text(event, "subject"),
        side={field: text for field, text in side.items() if text},
    )


def _text(event: Mapping[str, Any], name: str, *, required: bool = False) -> str:
    value = event.get(name)
    if value is None and not required:
        return ""
    if not isinstance(value, str) or (required and not value):
        raise InvalidArgument("event", f"{name} is {value!r}, not a text")
    return value


def _extension(event: Mapping[str, Any], name: str) -> str:
    value = event.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)  # other attributes are texts
    return _text(event, name)


def _source_out(source: str) -> str:
    return source if _PLAIN_SOURCE.match(source) else _SOURCE + quote(source, safe="")


def _source_in(source: str) -> str:
    return unquote(source.removeprefix(_SOURCE)) if source.startswith(_SOURCE) else source


def _schema_in(schema: str) -> str:
    """The fingerprint, of a schema of ours."""
    return unquote(schema.rpartition(":")[2]) if schema.startswith(_SCHEMA) else ""


def _time(created_ms: int) -> str:
    try:
        time = _EPOCH + timedelta(milliseconds=created_ms)
    except OverflowError:
        return ""
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z") if created_ms else ""


def _data_out(payload: bytes) -> Json:
    try:
        data = json.loads(payload.decode(), parse_constant=_refuse, object_pairs_hook=_object)
        _written(data)
    except (ValueError, RecursionError):
        text = base64.b64encode(payload).decode()
        return {"datacontenttype": _BYTES, "data_base64": text}
    return {"datacontenttype": _JSON, "data": data}


def _data_in(event: Mapping[str, Any]) -> bytes:
    encoded = event.get("data_base64")
    if encoded is not None:
        try:
            return base64.b64decode(encoded, validate=True)
        except (binascii.Error, TypeError, ValueError) as error:
            raise InvalidArgument("event", f"data_base64 is no base64: {error}") from error
    kind = _text(event, "datacontenttype") or _JSON
    data = event.get("data")
    if not re.match(r"[^;]*[/+]json\s*(?:;|\Z)", kind, re.IGNORECASE) or data is None:
        raise InvalidArgument("event", f"its data are no JSON but {kind!r}; a payload is JSON")
    try:
        return _written(data)
    except (ValueError, TypeError, RecursionError) as error:
        raise InvalidArgument("event", f"its data cannot be written as JSON: {error}") from error


def _written(data: Any) -> bytes:
    """As payloads are: compact, UTF-8. Raises ValueError for what is no JSON."""
    return json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")


def _object(pairs: list[tuple[str, Any]]) -> Json:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name occurs twice")  # each reader would take another
    return found
