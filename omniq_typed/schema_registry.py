"""The registry of schemas in Redis, for tools and operators: what is in it, and what changes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from omniq_typed.core.command import Steps
from omniq_typed.core.keys import SCHEMA_KEYS_PATTERN
from omniq_typed.core.schema_records import (
    SchemaChange,
    SchemaEntry,
    SchemaRecord,
    SchemaRole,
)
from omniq_typed.core.schemas import (
    BYTES_PER_CALL,
    TYPES_PER_PAGE,
    forget_schemas,
    list_schemas,
    read_schemas,
    register_schemas,
)
from omniq_typed.errors import PermissionDenied
from omniq_typed.schema.compatibility.check import Report, check_histories
from omniq_typed.schema.compatibility.refusal import incompatible
from omniq_typed.schema.stored import Origin, origin_of, to_history, to_record, waivers_to_text
from omniq_typed.schema.versions import TypeHistory
from omniq_typed.transport.steps import AsyncRunner, Runner, run_steps, run_steps_async

MAY_NOT_READ = (
    f"the user may not read the registry of schemas; grant %R{SCHEMA_KEYS_PATTERN} with +evalsha_ro"
    " and +hmget"
)
GRANT_WRITING = f"grant {SCHEMA_KEYS_PATTERN} with +evalsha +time +hmget +hset +zadd"
_MAY_NOT_LIST = f"{MAY_NOT_READ}, and +zrange to list it"
_MAY_NOT_WRITE = f"the user may not write the registry of schemas; {GRANT_WRITING}"
_MAY_NOT_FORGET = f"{_MAY_NOT_WRITE}, and +del +hdel +zrem to delete from it"

R = TypeVar("R")

Check: TypeAlias = Callable[[Mapping[str, TypeHistory], Mapping[str, TypeHistory]], Report]
"""From what is to be registered, and what is registered, to what is wrong with it."""

__all__ = ["AsyncSchemaStore", "Pushed", "SchemaStore"]


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a push has changed. `versions`: those that are new or other than before, as
    `orders.created v2`; `settings`: the types that have another mode or other waivers."""

    versions: tuple[str, ...]
    settings: tuple[str, ...]


class SchemaStore:
    """The registry on the server of a transport, such as `bus.transport`.

    Every call may raise ServerError; reading needs no more than `%R~{omniq:schemas}:*`.
    """

    def __init__(self, transport: Runner) -> None:
        self._transport = transport

    def list(self) -> tuple[SchemaEntry, ...]:
        """All types by name, with the fingerprints of their versions, without the schemas.
        lua/commands/list_schemas.lua"""
        return run_steps(self._transport, listing())

    def histories(self, names: Iterable[str] | None = None) -> dict[str, TypeHistory]:
        """Types by name with all their versions, modes and waivers; None: all types. Names that are
        not registered are left out. lua/commands/read_schemas.lua"""
        return run_steps(self._transport, reading_histories(names))

    def origins(self, name: str) -> dict[int, Origin]:
        """Where the versions of a type came from. lua/commands/read_schemas.lua"""
        return run_steps(self._transport, reading_origins(name))

    def push(
        self,
        histories: Mapping[str, TypeHistory],
        *,
        force: bool = False,
        check: Check = check_histories,
    ) -> Pushed:
        """Registers all versions of these types, as a publisher does but for those that the history
        calls provisional, and their modes and waivers; other versions stay.

        Raises IncompatibleSchema where they do not keep to their modes, and nothing is written;
        `force` writes them all the same. `check`: how what is new is checked against what is
        registered, by somebody who knows upcasts. lua/commands/register_schemas.lua
        """
        return run_steps(self._transport, pushing(histories, force=force, check=check))

    def forget(self, name: str, versions: Iterable[int] = ()) -> int:
        """Deletes versions of a type, with the last one its mode and waivers too; none given: all.
        Answers how many there were. Programs that run are not told; their next start registers the
        version that they have. lua/commands/forget_schemas.lua"""
        return run_steps(self._transport, forgetting(name, versions))


class AsyncSchemaStore:
    """The asyncio twin of `SchemaStore`."""

    def __init__(self, transport: AsyncRunner) -> None:
        self._transport = transport

    async def list(self) -> tuple[SchemaEntry, ...]:
        """As `SchemaStore.list`. lua/commands/list_schemas.lua"""
        return await run_steps_async(self._transport, listing())

    async def histories(self, names: Iterable[str] | None = None) -> dict[str, TypeHistory]:
        """As `SchemaStore.histories`. lua/commands/read_schemas.lua"""
        return await run_steps_async(self._transport, reading_histories(names))

    async def origins(self, name: str) -> dict[int, Origin]:
        """As `SchemaStore.origins`. lua/commands/read_schemas.lua"""
        return await run_steps_async(self._transport, reading_origins(name))

    async def push(
        self,
        histories: Mapping[str, TypeHistory],
        *,
        force: bool = False,
        check: Check = check_histories,
    ) -> Pushed:
        """As `SchemaStore.push`. lua/commands/register_schemas.lua"""
        steps = pushing(histories, force=force, check=check)
        return await run_steps_async(self._transport, steps)

    async def forget(self, name: str, versions: Iterable[int] = ()) -> int:
        """As `SchemaStore.forget`. lua/commands/forget_schemas.lua"""
        return await run_steps_async(self._transport, forgetting(name, versions))


def explained(advice: str, steps: Steps[R]) -> Steps[R]:
    """The steps; a PermissionDenied says what to do."""
    try:
        return (yield from steps)
    except PermissionDenied as error:
        raise PermissionDenied(advice, error.server_message) from error


def listing() -> Steps[tuple[SchemaEntry, ...]]:
    """All types, page by page."""
    return explained(_MAY_NOT_LIST, _pages())


def _pages() -> Steps[tuple[SchemaEntry, ...]]:
    found: list[SchemaEntry] = []
    while True:
        page = yield list_schemas(found[-1].name if found else "")
        found += page
        if len(page) < TYPES_PER_PAGE:
            return tuple(found)


def reading(names: Iterable[str]) -> Steps[dict[str, SchemaEntry]]:
    """Types with all that is registered of them, by name, in calls that do not hold up the server;
    a type that is not registered has revision 0."""
    return explained(MAY_NOT_READ, _entries(names))


def _entries(names: Iterable[str]) -> Steps[dict[str, SchemaEntry]]:
    left = list(dict.fromkeys(names))
    found: dict[str, SchemaEntry] = {}
    while left:
        page = yield read_schemas(left[:TYPES_PER_PAGE], max_bytes=BYTES_PER_CALL)
        found.update((entry.name, entry) for entry in page)
        left = left[len(page) :]
    return found


def reading_histories(names: Iterable[str] | None) -> Steps[dict[str, TypeHistory]]:
    """Those of the types that are registered; None: all types."""
    if names is None:
        names = [entry.name for entry in (yield from listing())]
    entries = yield from reading(names)
    return {name: to_history(each) for name, each in entries.items() if each.revision}


def writing(changes: Iterable[SchemaChange]) -> Steps[bool]:
    """Writes changes, in one call if it is not too long for the server. False: one of the types is
    another by now than when that was decided, and is to be looked at again."""
    call: list[SchemaChange] = []
    size = 0
    for change in changes:
        bytes_more = sum(len(record.content) for record in change.records)
        if call and size + bytes_more > BYTES_PER_CALL:
            if not (yield register_schemas(call)):
                return False
            call, size = [], 0
        call.append(change)
        size += bytes_more
    return not call or (yield register_schemas(call))


def reading_origins(name: str) -> Steps[dict[int, Origin]]:
    """Where the versions of one type came from."""
    entries = yield from reading([name])
    return {record.version: origin_of(record) for record in entries[name].records}


def forgetting(name: str, versions: Iterable[int]) -> Steps[int]:
    """Versions of a type, none given: all."""
    return explained(_MAY_NOT_FORGET, _deleting(name, versions))


def _deleting(name: str, versions: Iterable[int]) -> Steps[int]:
    deleted: int = yield forget_schemas(name, versions)
    return deleted


def pushing(histories: Mapping[str, TypeHistory], *, force: bool, check: Check) -> Steps[Pushed]:
    """Decides and writes, until nobody has written in between."""
    while True:
        entries = yield from reading(histories)
        if not force:
            report = check(histories, _known(entries))
            if not report.ok:
                raise incompatible(report.findings)
        changes = [_change(histories[name], entry, force) for name, entry in entries.items()]
        if (yield from explained(_MAY_NOT_WRITE, writing(changes))):
            return _pushed(changes, entries)


def _known(entries: Mapping[str, SchemaEntry]) -> dict[str, TypeHistory]:
    return {name: to_history(each) for name, each in entries.items() if each.revision}


def _change(history: TypeHistory, entry: SchemaEntry, force: bool) -> SchemaChange:
    firm = {each.version for each in entry.records if each.role is SchemaRole.WRITER}
    provisional = history.provisional.keys() - firm
    # A consumer's own schema is none for what is published, unless somebody insists.
    no_more = set() if force else history.provisional.keys() & firm
    return SchemaChange(
        entry.name,
        entry.revision,
        history.mode,
        waivers_to_text(history.waivers),
        tuple(
            to_record(
                history.versions[number],
                Origin(source=history.provisional.get(number, "")),
                SchemaRole.READER if number in provisional else SchemaRole.WRITER,
            )
            for number in sorted(history.versions.keys() - no_more)
        ),
        # The check has accepted another writer, as `Registration` has it.
        replace=True,
    )


def _pushed(changes: Iterable[SchemaChange], entries: Mapping[str, SchemaEntry]) -> Pushed:
    versions, settings = [], []
    for change in changes:
        entry = entries[change.name]
        before = {each.version: _identity(each) for each in entry.records}
        for record in change.records:
            if before.get(record.version) != _identity(record):
                versions.append(f"{change.name} v{record.version}")
        if (entry.mode, entry.waivers or "[]") != (change.mode, change.waivers):
            settings.append(change.name)
    return Pushed(tuple(versions), tuple(settings))


def _identity(record: SchemaRecord) -> tuple[str, str, SchemaRole]:
    return record.fingerprint, record.reader_fingerprint, record.role
