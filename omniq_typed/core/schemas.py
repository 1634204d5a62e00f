"""Commands of the registry of schemas. Scripts: lua/commands/check_schemas.lua,
register_schemas.lua, list_schemas.lua, read_schemas.lua, forget_schemas.lua."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from omniq_typed.core.arguments import check_int
from omniq_typed.core.command import CHECK, Arg, Command
from omniq_typed.core.keys import check_type_name, schema_keys
from omniq_typed.core.replies import number, refuse, text
from omniq_typed.core.schema_records import (
    SchemaChange,
    SchemaEntry,
    SchemaRecord,
    SchemaRole,
    SchemaStatus,
    SchemaVerdict,
)
from omniq_typed.core.scripts import Script, script
from omniq_typed.errors import InvalidArgument
from omniq_typed.models import Compatibility

R = TypeVar("R")

MAX_VERSION = 10**9
TYPES_PER_PAGE = 100
BYTES_PER_CALL = 1_048_576
"""A call holds up the server for as long as it takes to copy this much."""
_FINGERPRINT = re.compile(r"[0-9a-f]{16}\Z")


def check_schemas(schemas: Iterable[tuple[str, SchemaRecord]]) -> Command[list[SchemaVerdict]]:
    """Whether versions (by the name of their type) are registered with these fingerprints; one
    verdict each, in order. Contents are not looked at."""
    args: list[Arg] = []
    for name, record in schemas:
        args += [check_type_name(name), *_identity(record)]
    return _reading(script("check_schemas"), args, lambda reply: [_verdict(*row) for row in reply])


def register_schemas(changes: Sequence[SchemaChange], *, now_ms: int = 0) -> Command[bool]:
    """Writes all changes or none. False: one of the types has another revision by now, so that
    what was decided may not hold any more, and nothing was written.

    Changes to what is there already are none, whatever the revisions, and so is a reader's where a
    writer has said the same. Raises OperationRefused where a writer has registered a version with
    another writer, and it is not to be replaced.
    """
    args: list[Arg] = [check_int("now_ms_override", now_ms, 0), CHECK, len(changes)]
    for change in changes:
        args += _change(change)

    def parse(reply: Any) -> bool:
        if reply[0] == b"ERR" and reply[1] == b"STALE":
            return False
        if reply[0] == b"ERR":
            refuse("register_schemas", text(reply[1]), f"{text(reply[2])} v{text(reply[3])}")
        return True

    return Command(script("register_schemas"), schema_keys(), args, parse, repeatable=True)


def list_schemas(after: str = "") -> Command[list[SchemaEntry]]:
    """The next 100 types behind a name, by name, without waivers and contents; fewer: the last
    page."""
    args: list[Arg] = [after, TYPES_PER_PAGE]
    return _reading(script("list_schemas"), args, _entries)


def read_schemas(
    names: Iterable[str], *, max_bytes: int = BYTES_PER_CALL
) -> Command[list[SchemaEntry]]:
    """Types with all that is registered of them, in the order of their names' arguments; not
    registered ones with revision 0. Where `max_bytes` are reached the last ones are left out, but
    never all."""
    args: list[Arg] = [max_bytes, *map(check_type_name, names)]
    return _reading(script("read_schemas"), args, _entries)


def forget_schemas(name: str, versions: Iterable[int], *, now_ms: int = 0) -> Command[int]:
    """Deletes versions of a type, with the last one all that is known of it; without versions, all.
    Answers how many were there."""
    args: list[Arg] = [check_int("now_ms_override", now_ms, 0), CHECK, check_type_name(name)]
    args += [check_int("version", version, 1, MAX_VERSION) for version in versions]
    return Command(script("forget_schemas"), schema_keys(), args, number, repeatable=True)


def _reading(called: Script, args: list[Arg], parse: Callable[[Any], R]) -> Command[R]:
    return Command(called, schema_keys(), args, parse, repeatable=True, as_reader=True)


def _identity(record: SchemaRecord) -> list[Arg]:
    fingerprints = (record.fingerprint, record.reader_fingerprint)
    for each in fingerprints:
        if not _FINGERPRINT.match(each):
            raise InvalidArgument("fingerprint", f"{each!r} is none; it has 16 hex digits")
    return [check_int("version", record.version, 1, MAX_VERSION), *fingerprints]


def _change(change: SchemaChange) -> list[Arg]:
    if change.mode not in ("", *Compatibility):
        raise InvalidArgument("mode", f"{change.mode!r} is none; use {', '.join(Compatibility)}")
    if change.revision == 0 and not change.mode:
        raise InvalidArgument("mode", f"{change.name} is new, and has to have one")
    args: list[Arg] = [
        check_type_name(change.name),
        check_int("revision", change.revision, 0),
        change.mode,
        change.waivers,
        len(change.records),
    ]
    for record in change.records:
        replace = "1" if change.replace else "0"
        args += [*_identity(record), record.role, record.content, replace]
    return args


def _verdict(status: Any, role: Any, mode: Any, revision: Any) -> SchemaVerdict:
    known = _role(role) if role else None
    return SchemaVerdict(SchemaStatus(text(status)), known, text(mode), number(revision))


def _role(role: Any) -> SchemaRole:
    return SchemaRole.READER if text(role) == SchemaRole.READER else SchemaRole.WRITER


def _entries(reply: Any) -> list[SchemaEntry]:
    return [_entry(*row) for row in reply]


def _entry(name: Any, mode: Any, revision: Any, waivers: Any, flat: list[Any]) -> SchemaEntry:
    rows = [flat[at : at + 6] for at in range(0, len(flat), 6)]
    return SchemaEntry(
        text(name),
        text(mode),
        number(revision),
        text(waivers),
        tuple(_record(*row) for row in rows),
    )


def _record(
    version: Any, writer: Any, reader: Any, role: Any, at_ms: Any, content: Any
) -> SchemaRecord:
    identity = number(version), text(writer), text(reader)
    return SchemaRecord(*identity, bytes(content), number(at_ms), _role(role))
