"""The folder of exported schemas: `NAME/vN.json`, `NAME/vN.reader.json` and `index.json`."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeAlias

from omniq_typed.errors import InvalidArgument, InvalidMessageType
from omniq_typed.messages.message_type import MessageType
from omniq_typed.models import Compatibility
from omniq_typed.schema.draft07 import to_draft07
from omniq_typed.schema.versions import (
    DEFAULT_COMPATIBILITY,
    SchemaVersion,
    TypeHistory,
    declared_mode,
    version_of,
    waiver_from_json,
    waiver_to_json,
)

Json: TypeAlias = dict[str, Any]

INDEX = "index.json"

_FILE = re.compile(r"v([1-9][0-9]*)(?:\.reader)?\.json")


class Dialect(StrEnum):
    """In whose words the schemas are."""

    DRAFT_2020_12 = "2020-12"
    DRAFT_07 = "draft-07"


class Problem(StrEnum):
    """What is wrong with a file."""

    STALE = "stale"
    """It is not what the code exports now."""
    MISSING = "missing"
    FOREIGN = "foreign"
    """It belongs to a type, or to a version newer than any, that this program does not have. It is
    left alone. (Older versions are history, and nothing is wrong with them.)"""


@dataclass(frozen=True, slots=True)
class Finding:
    """A file of the folder, by its path in it, that is not as the code would write it."""

    path: str
    problem: Problem


def write(
    directory: Path | str,
    types: Iterable[MessageType[Any]],
    *,
    dialect: Dialect = Dialect.DRAFT_2020_12,
) -> list[Path]:
    """Exports types into a folder, and returns the files that it changed. Files and entries of
    other types stay, and so do waivers in the index, and the modes of types whose code says none.
    Each file is replaced in one step. Raises InvalidMessageType for a type that has no schema,
    InvalidArgument for a broken index or a folder of another dialect."""
    root = Path(directory)
    return _write(root, _exported(root, types, dialect))


def write_histories(directory: Path | str, histories: Iterable[TypeHistory]) -> list[Path]:
    """Writes recorded versions into a folder, with modes and waivers, and returns the files that it
    changed. Other versions and types stay. Raises InvalidArgument as `write`."""
    known = sorted(histories, key=lambda each: each.name)
    versions = [it.versions[number] for it in known for number in sorted(it.versions)]
    settings = {
        it.name: {"mode": it.mode.value, "waivers": [waiver_to_json(each) for each in it.waivers]}
        for it in known
    }
    root = Path(directory)
    return _write(root, _files(root, versions, settings, Dialect.DRAFT_2020_12))


def check(
    directory: Path | str,
    types: Iterable[MessageType[Any]],
    *,
    dialect: Dialect = Dialect.DRAFT_2020_12,
) -> list[Finding]:
    """How a folder differs from what `write` would leave there, by path. Raises as `write`."""
    root = Path(directory)
    known = list(types)
    newest: dict[str, int] = {}
    for each in known:
        newest[each.name] = max(each.version, newest.get(each.name, 0))
    exported = _exported(root, known, dialect)
    found = []
    for name, text in exported.items():
        there = _text_of(root / name)
        if there != text:
            found.append(Finding(name, Problem.MISSING if there is None else Problem.STALE))
    for path in root.glob("*/*.json"):
        file = _FILE.fullmatch(path.name)
        if file and int(file[1]) > newest.get(path.parent.name, 0):
            found.append(Finding(path.relative_to(root).as_posix(), Problem.FOREIGN))
    return sorted(found, key=lambda each: each.path)


def rewritten(directory: Path | str, types: Iterable[MessageType[Any]]) -> list[MessageType[Any]]:
    """The types that mean something else now than what the folder has under the same name and
    version. Raises InvalidArgument for a broken index."""
    entries = read_index(directory)["types"]
    there = {
        (name, each["version"]): each.get("fingerprint")
        for name, entry in entries.items()
        for each in entry["versions"]
    }
    return [
        each
        for each in types
        if there.get((each.name, each.version)) not in (None, each.fingerprint)
    ]


def read_index(directory: Path | str) -> Json:
    """The index: {"types": {NAME: {"mode": ..., "versions": [...], "waivers": [...]}}}; without
    types where there is none. Raises InvalidArgument for a file that is no index."""
    path = Path(directory) / INDEX
    return parse_index(_text_of(path), str(path))


def parse_index(text: str | None, where: str) -> Json:
    """The index in a text, None: there is none. Raises InvalidArgument, naming `where` it is."""
    if text is None:
        return {"types": {}}
    try:
        index = json.loads(text)
        for name, entry in index["types"].items():
            _check_entry(name, entry)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise InvalidArgument("index", f"{where} is no index of schemas: {error}") from error
    return dict(index)


def _check_entry(name: str, entry: Json) -> None:
    if entry["mode"] not in list(Compatibility):
        raise ValueError(
            f"{name} has the mode {entry['mode']!r}; use one of {', '.join(Compatibility)}"
        )
    if not all(isinstance(entry[key], list) for key in ("versions", "waivers")):
        raise ValueError(f"{name}: versions and waivers are lists")
    for version in entry["versions"]:
        if not isinstance(version["version"], int):
            raise ValueError(f"{name} has the version {version['version']!r}")
        if not all(isinstance(version[key], str) for key in ("fingerprint", "writer", "reader")):
            raise ValueError(f"{name} v{version['version']}: fingerprint and files are texts")
    for number, content in enumerate(entry["waivers"], 1):
        try:
            waiver_from_json(content)
        except InvalidArgument as error:
            raise ValueError(f"waiver {number} of {name}: {error.problem}") from error


def read_schema(directory: Path | str, file_name: str) -> Json:
    """A schema that the index names. Raises InvalidArgument where there is none."""
    path = Path(directory) / file_name
    try:
        return parse_schema(path.read_text(encoding="utf-8"), str(path))
    except (OSError, ValueError) as error:
        if isinstance(error, InvalidArgument):
            raise
        raise InvalidArgument("schema", f"{path} cannot be read: {error}") from error


def parse_schema(text: str, where: str) -> Json:
    """A schema in a text. Raises InvalidArgument, naming `where` it is."""
    try:
        schema = json.loads(text)
    except ValueError as error:
        raise InvalidArgument("schema", f"{where} cannot be read: {error}") from error
    if not isinstance(schema, dict):
        raise InvalidArgument("schema", f"{where} is no JSON object")
    return schema


def _exported(root: Path, types: Iterable[MessageType[Any]], dialect: Dialect) -> dict[str, str]:
    """Path in the folder → text, of types of the code."""
    known = sorted(types, key=lambda it: (it.name, it.version))
    names = dict.fromkeys(each.name for each in known)
    said = {name: declared_mode(each for each in known if each.name == name) for name in names}
    settings = {name: {"mode": mode.value} for name, mode in said.items() if mode is not None}
    return _files(root, map(version_of, known), settings, dialect)


def _files(
    root: Path, versions: Iterable[SchemaVersion], settings: Mapping[str, Json], dialect: Dialect
) -> dict[str, str]:
    """Path in the folder → text, the index last. `settings`: what it is to say of a type."""
    index = read_index(root)
    _check_dialect(root, index, dialect)
    entries: Json = index["types"]
    files: dict[str, str] = {}
    for each in versions:
        _check_name(each.name)
        writer = f"{each.name}/v{each.version}.json"
        reader = f"{each.name}/v{each.version}.reader.json"
        files[writer] = _written(_in_dialect(each.writer, dialect))
        files[reader] = _written(_in_dialect(each.reader, dialect))
        version: Json = {
            "version": each.version,
            "fingerprint": each.fingerprint,
            "writer": writer,
            "reader": reader,
        }
        new: Json = {"mode": DEFAULT_COMPATIBILITY.value, "versions": [], "waivers": []}
        entry = entries.setdefault(each.name, new)
        others = [it for it in entry["versions"] if it["version"] != each.version]
        entry["versions"] = sorted([*others, version], key=lambda it: int(it["version"]))
        entry.update(settings.get(each.name, {}))
    index["types"] = {name: entries[name] for name in sorted(entries)}
    files[INDEX] = _written(index)
    return files


def _check_dialect(root: Path, index: Json, dialect: Dialect) -> None:
    there = index.get("dialect", Dialect.DRAFT_2020_12)
    if index["types"] and there != dialect:
        raise InvalidArgument(
            "dialect",
            f"the schemas in {root} are in {there}, and not in {dialect}; export into another"
            " folder",
        )
    if dialect is not Dialect.DRAFT_2020_12:
        index["dialect"] = dialect.value


def _in_dialect(schema: Json, dialect: Dialect) -> Json:
    return to_draft07(schema) if dialect is Dialect.DRAFT_07 else schema


def _check_name(name: str) -> None:
    # A name has no slash, but it may be one of these.
    if name in (".", "..") or name.lower() == INDEX:
        raise InvalidMessageType(
            "message", f"{name!r} can be no folder of schemas; give it another name"
        )


def _written(content: Json) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _text_of(path: Path) -> str | None:
    try:
        return path.read_bytes().decode("utf-8", "replace")
    except FileNotFoundError:
        return None


def _write(root: Path, files: Mapping[str, str]) -> list[Path]:
    changed = []
    for name, text in files.items():
        path = root / name
        if _text_of(path) != text:
            _replace(path, text)
            changed.append(path)
    return changed


def _replace(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode("utf-8"))
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
