"""ECMAScript's regular expressions, with its flag `u`, as trees: as much of them as JSON Schemas of
ours and of most others use."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

from omniq_typed.schema.regex.characters import CharSet, has_property

_ESCAPE = re.compile(
    r"\\(?:u\{(?P<code>[0-9A-Fa-f]+)\}|u(?P<four>[0-9A-Fa-f]{4})|x(?P<two>[0-9A-Fa-f]{2})"
    r"|(?P<sign>[pP])\{(?P<property>[^}]+)\}|(?P<kind>.))",
    re.DOTALL,
)
_GROUP = re.compile(r"\((?:\?(?P<kind>:|=|!|<=|<!|<[A-Za-z_$][\w$]*>))?")
_COUNT = re.compile(r"[*+?]|\{(?P<least>[0-9]+)(?P<comma>,(?P<most>[0-9]*))?\}")
_CONTROL = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "v": "\v", "0": "\0"}
_LINE_ENDS = CharSet(tuple((char, char) for char in "\n\r\u2028\u2029"), negated=True)


class UnknownRegex(ValueError):
    """A regular expression that is not one, or has what is not known here."""


@dataclass(frozen=True, slots=True)
class Edge:
    """The start or the end of the text."""

    at: Literal["start", "end"]


@dataclass(frozen=True, slots=True)
class Sequence:
    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Repeated:
    part: Node
    least: int
    most: int | None


@dataclass(frozen=True, slots=True)
class Look:
    """What has to follow, or must not."""

    part: Node
    negated: bool


Node: TypeAlias = CharSet | Edge | Sequence | Choice | Repeated | Look


def parse(pattern: str) -> Node:
    """The tree of a regex. Raises UnknownRegex."""
    parser = _Parser(pattern)
    try:
        found = parser.choice()
    except (IndexError, ValueError) as error:
        raise UnknownRegex(f"{pattern!r}: {error}") from error
    if parser.at < len(pattern):
        raise UnknownRegex(f"{pattern!r}: unbalanced ) at {parser.at}")
    return found


class _Parser:
    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0

    def choice(self) -> Node:
        """Up to the end, or to the parenthesis that closes."""
        choices = [self._sequence()]
        while self._next("|"):
            choices.append(self._sequence())
        return choices[0] if len(choices) == 1 else Choice(tuple(choices))

    def _sequence(self) -> Node:
        parts: list[Node] = []
        while self.at < len(self.pattern) and self.pattern[self.at] not in "|)":
            parts.append(self._counted(self._single()))
        return parts[0] if len(parts) == 1 else Sequence(tuple(parts))

    def _single(self) -> Node:
        char = self.pattern[self.at]
        if char == "\\":
            return self._escape()
        if char == "(":
            return self._group()
        self.at += 1
        if char in "^$":
            return Edge("start" if char == "^" else "end")
        if char == ".":
            return _LINE_ENDS
        if char == "[":
            return self._set()
        if char in "*+?":
            raise UnknownRegex(f"nothing to repeat at {self.at - 1}")
        return CharSet(((char, char),))

    def _counted(self, part: Node) -> Node:
        found = _COUNT.match(self.pattern, self.at)
        if found is None:
            return part
        self.at = found.end()
        self._next("?")  # as few as possible: the same texts
        sign = found[0]
        if sign in ("*", "+", "?"):
            return Repeated(part, int(sign == "+"), 1 if sign == "?" else None)
        least = int(found["least"])
        most = least if found["comma"] is None else int(found["most"]) if found["most"] else None
        return Repeated(part, least, most)

    def _group(self) -> Node:
        found = _GROUP.match(self.pattern, self.at)
        assert found is not None
        self.at = found.end()
        inner = self.choice()
        if not self._next(")"):
            raise UnknownRegex("a parenthesis is left open")
        kind = found["kind"] or ":"
        if kind in ("<=", "<!"):
            raise UnknownRegex("lookbehind")
        return Look(inner, kind == "!") if kind in ("=", "!") else inner

    def _set(self) -> CharSet:
        negated = self._next("^")
        ranges: list[tuple[str, str]] = []
        properties: list[tuple[str, bool]] = []
        while not self._next("]"):
            low = self._member()
            if not self._is_range():
                ranges += low.ranges
                properties += low.properties
                continue
            self.at += 1
            ranges.append((low.ranges[0][0], self._member().ranges[0][1]))
        return CharSet(tuple(ranges), tuple(properties), negated)

    def _is_range(self) -> bool:
        rest = self.pattern[self.at : self.at + 2]
        return len(rest) == 2 and rest[0] == "-" and rest[1] != "]"

    def _member(self) -> CharSet:
        if self.pattern[self.at] == "\\":
            return self._escape()
        self.at += 1
        char = self.pattern[self.at - 1]
        return CharSet(((char, char),))

    def _escape(self) -> CharSet:
        found = _ESCAPE.match(self.pattern, self.at)
        if found is None:
            raise UnknownRegex("a single backslash")
        self.at = found.end()
        if name := found["property"]:
            has_property("a", name)
            return CharSet(properties=((name, found["sign"] == "P"),))
        kind = found["kind"]
        if kind is None:
            char = chr(int(found["code"] or found["four"] or found["two"], 16))
            if "\ud800" <= char <= "\udfff":
                raise UnknownRegex("half a character")
        elif kind.lower() in "dws":
            return CharSet(properties=((kind.lower(), kind.isupper()),))
        elif kind.isalnum() and kind not in _CONTROL:
            raise UnknownRegex(f"\\{kind}")
        else:
            char = _CONTROL.get(kind, kind)
        return CharSet(((char, char),))

    def _next(self, char: str) -> bool:
        """Takes a character, if it is the next one."""
        if self.pattern[self.at : self.at + 1] != char:
            return False
        self.at += 1
        return True
