"""What the comment above a script says, read strictly by the grammar of lua/README.md."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from omniq_typed.core.lua_arguments import parse_arguments
from omniq_typed.core.lua_shapes import Json, parse_described

SECTIONS = ("KEYS", "ARGV", "DERIVED", "RETURNS", "EFFECT", "STATE", "INVARIANT")
QUEUE_KEYS = "the 18 fixed keys of the queue, lib/queue_keys.lua"

_EFFECTS = {
    "reads only": (True, True),
    "writes; repeatable": (False, True),
    "writes; not repeatable": (False, False),
}
_TITLE = re.compile(r"-- (\w+): (\S.*\.)")
_SECTION = re.compile(r"-- ([A-Z]+):(?: (.+))?")
_WORDS = r"[A-Za-z0-9_.-]+(?::[A-Za-z0-9_.-]+)*"
_DECLARED = re.compile(rf"\{{{_WORDS}\}}:{_WORDS}")
_DERIVED = re.compile(rf"(?:\{{{_WORDS}\}}:)?{_WORDS}")

Lib = Callable[[str], str]
"""Name of a file of lua/lib → its text. Raises ValueError where there is none."""


@dataclass(frozen=True, slots=True)
class Header:
    """One header.

    `keys`: their patterns, in order; None: the fixed keys of a queue. `derived`: patterns of the
    keys that the script builds. `arguments`: see lua_arguments.py; `reply`: lua_shapes.py.
    """

    name: str
    does: str
    keys: tuple[str, ...] | None
    arguments: list[Json]
    derived: tuple[str, ...]
    reply: Json
    reads_only: bool
    repeatable: bool
    states: tuple[str, ...]
    invariant: str


def read_header(source: str, lib: Lib) -> Header:
    """The header of a command's file. Raises ValueError for what breaks the grammar."""
    first, *lines = [line for line in comment_of(source) if not line.startswith("-- @include ")]
    title = _TITLE.fullmatch(first)
    if title is None:
        raise ValueError(f"the first line is no '-- name: what it does.': {first!r}")
    if lines and not _SECTION.fullmatch(lines[0]):
        raise ValueError(f"{lines[0]!r} belongs to no section")
    sections = sections_of(lines)
    if tuple(sections) != SECTIONS:
        raise ValueError(f"the sections are {', '.join(sections)}, not {', '.join(SECTIONS)}")
    effect = _prose(sections["EFFECT"])
    if effect not in _EFFECTS:
        raise ValueError(f"EFFECT is {effect!r}; write one of: {', '.join(_EFFECTS)}")
    reads_only, repeatable = _EFFECTS[effect]
    return Header(
        name=title[1],
        does=title[2],
        keys=_keys(_prose(sections["KEYS"])),
        arguments=_arguments(sections["ARGV"], lib),
        derived=_patterns(_prose(sections["DERIVED"]), _DERIVED),
        reply=_reply(sections["RETURNS"], lib),
        reads_only=reads_only,
        repeatable=repeatable,
        states=_listed(_prose(sections["STATE"]), "; "),
        invariant=_prose(sections["INVARIANT"]),
    )


def comment_of(source: str) -> list[str]:
    """The lines of the comment at the beginning of a file."""
    lines = source.splitlines()
    ends = (at for at, line in enumerate(lines) if not line.startswith("-- "))
    return lines[: next(ends, len(lines))]


def sections_of(comment: list[str]) -> dict[str, list[str]]:
    """Title → what stands behind it, then the lines below, indented as below the title. What comes
    before the first section is left out."""
    found: dict[str, list[str]] = {}
    title = ""
    for line in comment:
        start = _SECTION.fullmatch(line)
        if start is not None:
            title = start[1]
            if title in found:
                raise ValueError(f"{title} stands there twice")
            found[title] = [start[2] or ""]
        elif title:
            if not line.startswith("--   "):
                raise ValueError(f"{line!r} is not indented as {title} goes on")
            found[title].append(line[5:])
    return found


def _keys(text: str) -> tuple[str, ...] | None:
    return None if text == QUEUE_KEYS else _patterns(text, _DECLARED)


def _patterns(text: str, pattern: re.Pattern[str]) -> tuple[str, ...]:
    found = _listed(text, ", ")
    for each in found:
        if not pattern.fullmatch(each):
            raise ValueError(f"{each!r} is no pattern of a key")
    if len(set(found)) < len(found):
        raise ValueError(f"a key stands twice in {text!r}")
    return found


def _arguments(section: list[str], lib: Lib) -> list[Json]:
    first, *lines = section
    if first == "(none)" and not lines:
        return []
    if first or not lines:
        raise ValueError("ARGV is (none), or has its arguments in the lines below")
    return parse_arguments(lines, lambda name: _section_of_lib(name, "RECORD", lib)[1:])


def _reply(section: list[str], lib: Lib) -> Json:
    def row_of(name: str) -> Json:
        return _reply(_section_of_lib(name, "ROW", lib), lib)

    return parse_described(_joined(section), row_of)


def _section_of_lib(name: str, title: str, lib: Lib) -> list[str]:
    sections = sections_of(comment_of(lib(name)))
    if title not in sections:
        raise ValueError(f"lib/{name}.lua has no {title} in its comment")
    return sections[title]


def _joined(lines: list[str]) -> list[str]:
    """The first line and those below it; what is indented further goes on."""
    found: list[str] = []
    for line in lines:
        if line.startswith(" ") and found:
            found[-1] = f"{found[-1]} {line.strip()}"
        else:
            found.append(line)
    return found


def _prose(section: list[str]) -> str:
    return " ".join(line.strip() for line in section)


def _listed(text: str, separator: str) -> tuple[str, ...]:
    return () if text == "(none)" else tuple(text.split(separator))
