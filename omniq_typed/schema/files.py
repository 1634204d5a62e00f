"""The folder of exported schemas: `NAME/vN.json`, `NAME/vN.reader.json` and `index.json`."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeAlias

from omniq_typed.errors import InvalidArgument, InvalidMessageType
from omniq_typed.messages.message_type import MessageType
from omniq_typed.models import Compatibility
from omniq_typed.schema.export import fingerprint, reader_schema, writer_schema
from omniq_typed.schema.versions import DEFAULT_COMPATIBILITY, declared_mode, waiver_from_json

Json: TypeAlias = dict[str, Any]

INDEX = "index.json"

_FILE = re.compile(r"v([1-9][0-9]*)(?:\.reader)?\.json")


class Problem(StrEnum):
    """What is wrong with a file."""

    STALE = "stale"
    """It is not what the code exports now."""
    MISSING = "missing"
    FOREIGN = "foreign"
    """It belongs to a type or version that this program does not have. It is left alone."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A file of the folder, by its path in it, that is not as the code would write it."""

    path: str
    problem: Problem


def write(directory: Path | str, types: Iterable[MessageType[Any]]) -> list[Path]:
    """Exports types into a folder, and returns the files that it changed. Files and entries of
    other types stay, and so do waivers in the index, and the modes of types whose code says none.
    Each file is replaced in one step. Raises InvalidMessageType for a type that has no schema,
    InvalidArgument for a broken index."""
    root = Path(directory)
    changed = []
    for name, text in _exported(root, types).items():
        path = root / name
        if _text_of(path) != text:
            _replace(path, text)
            changed.append(path)
    return changed


def check(directory: Path | str, types: Iterable[MessageType[Any]]) -> list[Finding]:
    """How a folder differs from what `write` would leave there, by path. Raises as `write`."""
    root = Path(directory)
    exported = _exported(root, types)
    found = []
    for name, text in exported.items():
        there = _text_of(root / name)
        if there != text:
            found.append(Finding(name, Problem.MISSING if there is None else Problem.STALE))
    for path in root.glob("*/*.json"):
        name = path.relative_to(root).as_posix()
        if _FILE.fullmatch(path.name) and name not in exported:
            found.append(Finding(name, Problem.FOREIGN))
    return sorted(found, key=lambda each: each.path)


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


def _exported(root: Path, types: Iterable[MessageType[Any]]) -> dict[str, str]:
    """Path in the folder → text, the index last."""
    index = read_index(root)
    entries: Json = index["types"]
    files: dict[str, str] = {}
    known = sorted(types, key=lambda it: (it.name, it.version))
    for each in known:
        _check_name(each)
        schema = writer_schema(each)
        writer = f"{each.name}/v{each.version}.json"
        reader = f"{each.name}/v{each.version}.reader.json"
        files[writer] = _written(schema)
        files[reader] = _written(reader_schema(each))
        version: Json = {
            "version": each.version,
            "fingerprint": fingerprint(schema),
            "writer": writer,
            "reader": reader,
        }
        entry = entries.setdefault(each.name, {"mode": "", "versions": [], "waivers": []})
        others = [it for it in entry["versions"] if it["version"] != each.version]
        entry["versions"] = sorted([*others, version], key=lambda it: int(it["version"]))
    for name in {each.name for each in known}:
        said = declared_mode(each for each in known if each.name == name)
        entries[name]["mode"] = said or entries[name]["mode"] or DEFAULT_COMPATIBILITY
    index["types"] = {name: entries[name] for name in sorted(entries)}
    files[INDEX] = _written(index)
    return files


def _check_name(message_type: MessageType[Any]) -> None:
    # A name has no slash, but it may be one of these.
    if message_type.name in (".", "..") or message_type.name.lower() == INDEX:
        raise InvalidMessageType(
            "message", f"{message_type.label} can be no folder of schemas; give it another name"
        )


def _written(content: Json) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _text_of(path: Path) -> str | None:
    try:
        return path.read_bytes().decode("utf-8", "replace")
    except FileNotFoundError:
        return None


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
