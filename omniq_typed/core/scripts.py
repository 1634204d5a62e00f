"""The Lua scripts: reads `lua/`, puts the included functions in front, and names the result by
its SHA-1, as Redis does."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).parent.parent
CHECKING = "local denied = ARGV[2] ~= '0' and require_commands("
"""How a script says that its second argument is the check of permissions."""
_INCLUDE = re.compile(r"^-- @include (.+)$", re.MULTILINE)
_INNER_INCLUDES = re.compile(r"(?:^ +-- @include .+\n)+", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Script:
    """One flattened script. `text` is what SCRIPT LOAD takes, `sha` what EVALSHA takes.

    `checks_permissions`: its second argument says whether it asks the server, before it changes
    anything, for the right to all its commands.
    """

    name: str
    text: str
    sha: str
    checks_permissions: bool = False


@cache
def lua_folder() -> Path:
    """Where the Lua files lie: inside the installed package, or beside it in a checkout."""
    for folder in (_PACKAGE / "lua", _PACKAGE.parent / "lua"):
        if (folder / "commands").is_dir():
            return folder
    raise RuntimeError(f"the lua/ folder is missing from this installation ({_PACKAGE})")


@cache
def script_names() -> tuple[str, ...]:
    """Names of all commands, sorted."""
    return tuple(sorted(path.stem for path in (lua_folder() / "commands").glob("*.lua")))


@cache
def script(name: str) -> Script:
    """The script `lua/commands/NAME.lua` with its includes (`-- @include a b c`) in front, each
    once, in the order given: a function stands behind those that it calls. An include within a
    block stands for the text of its files at that place."""
    source = (lua_folder() / "commands" / f"{name}.lua").read_text(encoding="utf-8")
    text = _texts(source) + _with_inner_includes(source)
    sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
    return Script(name, text, sha, CHECKING in source)


def _texts(lines: str) -> str:
    """The lib files that include lines name."""
    names = [name for line in _INCLUDE.findall(lines) for name in line.split()]
    return "".join(_lib(name) for name in dict.fromkeys(names))


@cache
def _lib(name: str) -> str:
    return _with_inner_includes((lua_folder() / "lib" / f"{name}.lua").read_text(encoding="utf-8"))


def _with_inner_includes(source: str) -> str:
    return _INNER_INCLUDES.sub(lambda lines: _texts(re.sub(r"(?m)^ +", "", lines[0])), source)
