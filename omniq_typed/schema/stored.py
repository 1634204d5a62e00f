"""How versions of message types lie in the registry of schemas: to its records and back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson

from omniq_typed.core.schema_records import SchemaEntry, SchemaRecord, SchemaRole
from omniq_typed.errors import InvalidArgument, UnexpectedReply
from omniq_typed.schema.versions import (
    Compatibility,
    SchemaVersion,
    TypeHistory,
    Waiver,
    waiver_from_json,
    waiver_to_json,
)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a version was registered from: the queue that its type names, who did it; '' = not
    said."""

    queue: str = ""
    source: str = ""


def to_record(
    version: SchemaVersion, origin: Origin = Origin(), role: SchemaRole = SchemaRole.WRITER
) -> SchemaRecord:
    """The record of a version; its schemas keep the order of their keys."""
    content = {
        "writer": version.writer,
        "reader": version.reader,
        "queue": origin.queue,
        "source": origin.source,
    }
    identity = version.version, version.fingerprint, version.reader_fingerprint
    return SchemaRecord(*identity, orjson.dumps(content), role=role)


def origin_of(record: SchemaRecord) -> Origin:
    """Where a record that was read came from; nothing is said of one that cannot be read."""
    try:
        content = _content(record)
    except (ValueError, TypeError):
        return Origin()
    return Origin(str(content.get("queue") or ""), str(content.get("source") or ""))


def to_history(entry: SchemaEntry) -> TypeHistory:
    """What the registry has of a type that was read whole. Raises UnexpectedReply for what neither
    we nor a client that keeps to docs/wire.md has written."""
    try:
        return TypeHistory(
            entry.name,
            Compatibility(entry.mode),
            {record.version: _version(entry.name, record) for record in entry.records},
            waivers_from_text(entry.waivers),
            {
                record.version: origin_of(record).source
                for record in entry.records
                if record.role is SchemaRole.READER
            },
        )
    except (ValueError, KeyError, TypeError, InvalidArgument) as error:
        raise UnexpectedReply(
            f"the registry of schemas cannot be read at {entry.name}; `omniq-typed schema prune"
            f" {entry.name}` and a push restore it",
            f"{type(error).__name__}: {error}",
        ) from error


def waivers_to_text(waivers: Iterable[Waiver]) -> str:
    """Waivers as a record has them."""
    return orjson.dumps([waiver_to_json(each) for each in waivers]).decode()


def waivers_from_text(text: str) -> tuple[Waiver, ...]:
    """The waivers of a record. Raises InvalidArgument, ValueError."""
    return tuple(waiver_from_json(each) for each in orjson.loads(text or "[]"))


def _version(name: str, record: SchemaRecord) -> SchemaVersion:
    content = _content(record)
    writer, reader = content["writer"], content["reader"]
    if not isinstance(writer, dict) or not isinstance(reader, dict):
        raise TypeError(f"a schema of v{record.version} is no object")
    return SchemaVersion(
        name,
        record.version,
        writer,
        reader,
        record.fingerprint,
        record.reader_fingerprint,
    )


def _content(record: SchemaRecord) -> dict[str, Any]:
    content = orjson.loads(record.content)
    if not isinstance(content, dict):
        raise TypeError(f"the content of v{record.version} is no object")
    return content
