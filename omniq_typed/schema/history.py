"""The versions that are recorded in a folder of exported schemas, as it is, or as it was at a
revision of its git repository."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from omniq_typed.errors import InvalidArgument
from omniq_typed.schema.files import (
    INDEX,
    Dialect,
    parse_index,
    parse_schema,
    read_index,
    read_schema,
)
from omniq_typed.schema.versions import (
    Compatibility,
    Json,
    SchemaVersion,
    TypeHistory,
    schema_version,
    waiver_from_json,
)

ReadSchema: TypeAlias = Callable[[str], Json]
"""By the name of a file in the folder. Raises InvalidArgument where there is none."""


def read_history(directory: Path | str) -> dict[str, TypeHistory]:
    """What a folder has, by the name of the type; nothing where there is no folder. Raises
    InvalidArgument for a broken index, and for a schema that is missing or not the recorded one."""
    return _histories(read_index(directory), lambda name: read_schema(directory, name))


def from_git(revision: str, directory: Path | str) -> dict[str, TypeHistory]:
    """What the folder had at a revision: a commit, tag or branch. Nothing where it was not there.
    Raises InvalidArgument, as `read_history`, and where there is no git, no repository, or no such
    revision in it."""
    folder = Path(os.path.abspath(directory))
    start = next(each for each in (folder, *folder.parents) if each.is_dir())
    root = Path(_git(start, "rev-parse", "--show-toplevel").decode().rstrip("\n"))
    commit = _commit(start, revision)
    blobs = _blobs(root, commit, folder)

    def read(name: str) -> Json:
        if name not in blobs:
            raise InvalidArgument("schema", f"{revision}:{name} does not exist")
        return parse_schema(_text(blobs[name]), f"{revision}:{name}")

    index = _text(blobs[INDEX]) if INDEX in blobs else None
    return _histories(parse_index(index, f"{revision}:{INDEX}"), read)


def with_index_of(
    directory: Path | str, histories: Mapping[str, TypeHistory]
) -> dict[str, TypeHistory]:
    """Versions that are recorded elsewhere, with the modes that a folder's index has now, and with
    its waivers besides: who proposes a change says there what is accepted. Raises InvalidArgument
    for a broken index."""
    entries = read_index(directory)["types"]
    found = dict(histories)
    for name in entries.keys() & found.keys():
        mode = Compatibility(entries[name]["mode"])
        added = [waiver_from_json(each) for each in entries[name]["waivers"]]
        waivers = dict.fromkeys([*found[name].waivers, *added])
        found[name] = replace(found[name], mode=mode, waivers=tuple(waivers))
    return found


def _histories(index: Json, read: ReadSchema) -> dict[str, TypeHistory]:
    dialect = index.get("dialect", Dialect.DRAFT_2020_12)
    if dialect != Dialect.DRAFT_2020_12:
        raise InvalidArgument(
            "index", f"schemas in {dialect} are not compared; export them in 2020-12 too"
        )
    return {
        name: TypeHistory(
            name,
            Compatibility(entry["mode"]),
            {each["version"]: _version(name, each, read) for each in entry["versions"]},
            tuple(waiver_from_json(each) for each in entry["waivers"]),
        )
        for name, entry in index["types"].items()
    }


def _version(name: str, entry: Json, read: ReadSchema) -> SchemaVersion:
    found = schema_version(name, entry["version"], read(entry["writer"]), read(entry["reader"]))
    if found.fingerprint != entry["fingerprint"]:
        raise InvalidArgument(
            "schema",
            f"{entry['writer']} has the fingerprint {found.fingerprint}, and the index says"
            f" {entry['fingerprint']}: one of them was changed by hand; restore both, or export"
            " them anew",
        )
    return found


def _commit(start: Path, revision: str) -> str:
    if not revision or revision.startswith("-"):
        raise InvalidArgument("revision", f"{revision!r} is none; name a commit, tag or branch")
    try:
        found = _git(start, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    except InvalidArgument as error:
        raise InvalidArgument(
            "revision",
            f"{revision!r} is no commit, tag or branch of the repository at {start}; a shallow"
            " clone has to fetch it first",
        ) from error
    return found.decode().strip()


def _blobs(root: Path, commit: str, folder: Path) -> dict[str, bytes]:
    """The files of a folder at a commit, by their path in it."""
    try:
        inside = folder.resolve().relative_to(root.resolve()).as_posix()
    except ValueError as error:
        raise InvalidArgument("directory", f"{folder} is not in the repository {root}") from error
    prefix = "" if inside == "." else f"{inside}/"
    listed = _git(root, "ls-tree", "-r", "-z", "--full-tree", commit, *([prefix] if prefix else []))
    rows = [row.split("\t", 1) for row in listed.decode("utf-8", "replace").split("\0") if row]
    names = {row[1].removeprefix(prefix): row[0].split()[2] for row in rows}
    wanted = {name: blob for name, blob in names.items() if name.endswith(".json")}
    contents = _contents(root, list(wanted.values()))
    return dict(zip(wanted, contents, strict=True))


def _contents(root: Path, blobs: list[str]) -> list[bytes]:
    """All in one call: a process for each file would take seconds."""
    given = "".join(f"{blob}\n" for blob in blobs).encode()
    answer = _git(root, "cat-file", "--batch", given=given)
    found, at = [], 0
    for _ in blobs:
        end = answer.index(b"\n", at)
        size = int(answer[at:end].split()[2])
        found.append(answer[end + 1 : end + 1 + size])
        at = end + 1 + size + 1
    return found


def _text(content: bytes) -> str:
    return content.decode("utf-8", "replace")


def _git(where: Path, *arguments: str, given: bytes = b"") -> bytes:
    try:
        done = subprocess.run(
            ["git", "-C", str(where), *arguments], input=given, capture_output=True, check=False
        )
    except OSError as error:
        raise InvalidArgument("git", f"cannot be run: {error}") from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip()
        raise InvalidArgument("git", f"git {arguments[0]} failed in {where}: {said}")
    return done.stdout
