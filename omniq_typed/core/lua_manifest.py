"""The scripts for clients in other languages: each in one file, and a manifest of how they are
called, made of their headers."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

from omniq_typed.core.keys import queue_keys
from omniq_typed.core.lua_header import Header, read_header
from omniq_typed.core.lua_shapes import Json
from omniq_typed.core.scripts import lua_folder, script, script_names

FORMAT = 1
"""Grows where a client that reads the manifest of before would misread the new one."""
MANIFEST = "manifest.json"
PLACEHOLDERS = {
    "QUEUE": "name of the queue: 1 to 128 letters, digits, '.', '_' or '-'",
    "ID": "id of a job: 1 to 256 characters, no braces, no control characters",
    "GID": "id of a group, as that of a job",
    "NAME": "name of a message type: as that of a queue",
    "KEY": "name of a completion counter: 1 to 128 characters, no braces, no control characters",
}
"""What is in capitals in the pattern of a key, and put in by the client."""


def exported(package_version: str) -> dict[str, str]:
    """File name → text: NAME.lua for each script, exactly what SCRIPT LOAD takes, and the manifest.
    The same package gives the same bytes. Raises ValueError for a header that breaks the grammar.
    """
    files = {f"{name}.lua": script(name).text for name in script_names()}
    return {**files, MANIFEST: _written(manifest(package_version))}


def manifest(package_version: str) -> Json:
    """How the scripts are called: what `exported` writes into the manifest.

    {"format", "package", "package_version", "placeholders": {NAME: meaning}, "scripts": {NAME:
    {"file", "sha1", "does", "keys", "derived_keys", "arguments", "reply", "errors", "reads_only",
    "repeatable", "checks_permissions", "states", "invariant"}}}; arguments as in lua_arguments.py,
    the reply as in lua_shapes.py.
    """
    return {
        "format": FORMAT,
        "package": "omniq_typed",
        "package_version": package_version,
        "placeholders": PLACEHOLDERS,
        "scripts": {name: _entry(name) for name in script_names()},
    }


def header(name: str) -> Header:
    """The header of `lua/commands/NAME.lua`. Raises ValueError, with the file, where it breaks the
    grammar."""
    path = lua_folder() / "commands" / f"{name}.lua"
    try:
        return read_header(path.read_text(encoding="utf-8"), _lib)
    except ValueError as error:
        raise ValueError(f"lua/commands/{name}.lua: {error}") from error


def _entry(name: str) -> Json:
    said, flat = header(name), script(name)
    return {
        "file": f"{name}.lua",
        "sha1": flat.sha,
        "does": said.does,
        "keys": list(_queue_patterns() if said.keys is None else said.keys),
        "derived_keys": [_from_the_tag(pattern) for pattern in said.derived],
        "arguments": said.arguments,
        "reply": said.reply,
        "errors": sorted(set(_codes(said.reply))),
        "reads_only": said.reads_only,
        "repeatable": said.repeatable,
        "checks_permissions": flat.checks_permissions,
        "states": list(said.states),
        "invariant": said.invariant,
    }


def _queue_patterns() -> list[str]:
    return [key.decode() for key in queue_keys("QUEUE")]


def _from_the_tag(pattern: str) -> str:
    return pattern if pattern.startswith("{") else f"{{QUEUE}}:{pattern}"


def _codes(shape: Json) -> list[str]:
    """What may stand behind 'ERR' in a reply."""
    inner = [*shape.get("one_of", ()), *shape.get("list", ()), *shape.get("tuple", ())]
    if "rest" in shape:
        inner.append(shape["rest"])
    found = [code for each in inner for code in _codes(each)]
    row = shape.get("tuple", [])
    for before, each in itertools.pairwise(row):
        if before.get("literal") == "ERR":
            options = each.get("one_of", [each])
            found += [option["literal"] for option in options if "literal" in option]
    return found


def _lib(name: str) -> str:
    path: Path = lua_folder() / "lib" / f"{name}.lua"
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ValueError(f"there is no lib/{name}.lua") from None


def _written(content: Json) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
