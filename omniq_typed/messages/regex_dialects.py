"""Regexes that mean different things in Rust, Python and ECMAScript."""

from __future__ import annotations

import re

# Pieces of a regex: an escape, the opening of a group, a possessive quantifier, a POSIX class, an
# intersection, any other character.
_PIECE = re.compile(
    r"\\(?:[a-zA-Z]\{[^}]*\}|.)"
    r"|\(\?(?:P?[<=>!][=!]?|[a-zA-Z-]+[:)]|.)"
    r"|[*+?}]\+|\[\[:|&&|.",
    re.DOTALL,
)
_ODD_ESCAPES = frozenset("dDwWsSbBAZzGhHRXKpPNkgQEUaec0123456789")


def unportable_regex(pattern: str | re.Pattern[str] | None, *, python: bool = False) -> list[str]:
    """The constructs of a regex that Rust, Python and ECMAScript do not agree on, each once, as
    they are written. `python`: its own reader uses Python's engine, where $ also matches before a
    last line feed."""
    if pattern is None:
        return []
    if isinstance(pattern, re.Pattern):
        flags = re.RegexFlag(pattern.flags) & ~re.UNICODE
        named = [f"re.{flag.name}" for flag in re.RegexFlag if flag in flags]
        return named + unportable_regex(pattern.pattern, python=True)
    found: dict[str, None] = {}
    in_set = False
    for piece in _PIECE.findall(pattern):
        if piece[0] == "\\":
            odd = piece[1:2] in _ODD_ESCAPES or len(piece) > 2
        elif in_set:
            odd = piece in ("[[:", "&&")
            in_set = piece != "]"
        else:
            in_set = piece[0] == "["
            odd = _is_odd(piece, python)
        if odd:
            found[piece] = None
    return list(found)


def _is_odd(piece: str, python: bool) -> bool:
    if piece == "$":
        return python
    return len(piece) > 1 and piece not in ("(?:", "&&")
