"""From Rust's and Python's regular expressions to ECMAScript's, the dialect of JSON Schema."""

from __future__ import annotations

import re

# \d, \w and \s know all of Unicode in Rust and Python, and ASCII alone in ECMAScript.
_WORD = r"\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\u200c\u200d"
_CLASSES = {"d": r"\p{Nd}", "w": _WORD, "s": r"\p{White_Space}"}
_PYTHON_CLASSES = {"d": r"\p{Nd}", "w": r"\p{L}\p{N}_", "s": r"\s\x1c-\x1f\x85"}
_ANCHORS = {"A": "^", "z": "$"}
_SYNTAX = frozenset("^$\\.*+?()[]{}|/")
_SAME_ESCAPES = frozenset("nrtfv")

# An escape, the opening of a group, a possessive quantifier, a counted one, any other character.
_PIECE = re.compile(
    r"\\(?:[xuU]\{[0-9A-Fa-f]+\}|x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}"
    r"|[pP](?:\{[^}]*\}|.)|.)"
    r"|\(\?(?:P<[A-Za-z_]\w*>|<[A-Za-z_]\w*>|<[=!]|[:=!]|.)"
    r"|[*+?}]\+|\{[0-9]+(?:,[0-9]*)?\}|.",
    re.DOTALL,
)


class _Untranslatable(Exception):
    """ECMAScript has no such thing, or it means something else."""


def to_ecma(pattern: str | re.Pattern[str], *, python: bool = False) -> str | None:
    """The same regex for ECMAScript with its flag `u`, None where that cannot be said. `python`:
    it is read by Python's engine, else by Rust's."""
    if isinstance(pattern, re.Pattern):
        if re.RegexFlag(pattern.flags) & ~re.UNICODE:
            return None
        return to_ecma(pattern.pattern, python=True)
    try:
        return _translate(pattern, python)
    except _Untranslatable:
        return None


def _translate(pattern: str, python: bool) -> str:
    written: list[str] = []
    pieces = _PIECE.findall(pattern)
    at = 0
    while at < len(pieces):
        piece = pieces[at]
        if piece == "[":
            text, at = _translate_set(pieces, at + 1, python)
            written.append(text)
            continue
        written.append(_outside(piece, python))
        at += 1
    return "".join(written)


def _outside(piece: str, python: bool) -> str:
    if piece[0] == "\\":
        return _escape(piece, python, in_set=False)
    if piece == ".":
        return r"[^\n]"
    if piece == "$" and python:
        return r"(?=\n?$)"
    if piece.startswith("(?"):
        if piece.startswith("(?P<"):
            return "(?<" + piece[4:]
        if piece not in ("(?:", "(?=", "(?!", "(?<=", "(?<!") and not piece.startswith("(?<"):
            raise _Untranslatable
        return piece
    if len(piece) == 2 and piece[1] == "+" and piece[0] in "*+?}":
        raise _Untranslatable
    return "\\" + piece if piece in ("]", "}", "{") else piece


def _translate_set(pieces: list[str], at: int, python: bool) -> tuple[str, int]:
    """A set from behind its bracket; and the place behind its end."""
    written = "["
    if at < len(pieces) and pieces[at] == "^":
        written, at = "[^", at + 1
    first = True
    while at < len(pieces):
        piece = pieces[at]
        if piece == "]" and not first:
            return written + "]", at + 1
        first = False
        if piece[0] == "\\":
            written += _escape(piece, python, in_set=True)
        elif piece[0] == "[" and not python:
            raise _Untranslatable  # sets in sets, classes of POSIX
        elif "".join(pieces[at : at + 2]) in ("&&", "--", "~~"):
            raise _Untranslatable  # sets less or with others
        else:
            # What is one piece outside of a set, as `(?:`, is single characters here.
            written += "".join("\\" + each if each in _SYNTAX else each for each in piece)
        at += 1
    raise _Untranslatable


def _escape(piece: str, python: bool, *, in_set: bool) -> str:
    kind, rest = piece[1], piece[2:]
    classes = _PYTHON_CLASSES if python else _CLASSES
    if kind in classes:
        return classes[kind] if in_set else f"[{classes[kind]}]"
    if kind.lower() in classes:
        if in_set:
            raise _Untranslatable
        return f"[^{classes[kind.lower()]}]"
    if kind in "xuU" and rest:
        return f"\\u{{{int(rest.strip('{}'), 16):x}}}"
    if kind in "pP" and rest and not python:
        name = rest.strip("{}")
        if not re.fullmatch(r"[A-Z][a-z]?", name):
            raise _Untranslatable  # names of scripts and properties differ between the engines
        return f"\\{kind}{{{name}}}"
    if kind in _ANCHORS and not in_set and not (python and kind == "z"):
        return _ANCHORS[kind]
    if kind == "Z" and python and not in_set:
        return "$"
    if kind == "a":
        return r"\u{7}"
    if kind in _SAME_ESCAPES:
        return piece
    if kind.isalnum():
        raise _Untranslatable
    return piece if kind in _SYNTAX or (in_set and kind == "-") else kind
