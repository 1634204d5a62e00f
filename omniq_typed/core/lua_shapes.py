"""Shapes of arguments and replies, as the headers of `lua/` write them: `[{id, 'OK', due_ms}]`.

The grammar is in lua/README.md. A shape becomes a dict for JSON, with one of

    type: "int", "number", "text" or "bytes"
    literal: the text that it always is
    one_of: shapes, of which the first that fits counts
    tuple: shapes, in this order; with `rest`, the shape of all that follow
    list: shapes that follow each other again and again, in one flat list

and, where it has one, its `name`, its `unit` and what it means.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]

TYPES = ("int", "number", "text", "bytes")
UNITS = ("ms",)
_TOKEN = re.compile(r"\s*('[^']*'|lib/\w+\.lua|\.\.\.|[a-z][a-z0-9_]*|[{}\[\],|])")
_DEFINITION = re.compile(r"([a-z][a-z0-9_]*(?:, [a-z][a-z0-9_]*)*): (.+)")


@dataclass(slots=True)
class Names:
    """What the words of a shape stand for: shapes of their own, and rows of files of `lib/`."""

    defined: Mapping[str, Json] = field(default_factory=dict)
    row_of: Callable[[str], Json] | None = None
    used: set[str] = field(default_factory=set)

    def look_up(self, word: str) -> Json:
        if word in TYPES:
            return {"type": word}
        if word.startswith("lib/") and self.row_of is not None:
            return self.row_of(word.removeprefix("lib/").removesuffix(".lua"))
        if word not in self.defined:
            raise ValueError(f"nothing says what {word!r} is")
        self.used.add(word)
        return self.defined[word]


def named(name: str, shape: Json, meaning: str) -> Json:
    """The shape of something that has a name; the name's end is its unit."""
    found: Json = {"name": name, **shape}
    unit = name.rpartition("_")[2]
    if unit in UNITS:
        found["unit"] = unit
    if meaning:
        found["meaning"] = meaning
    return found


def parse_described(lines: list[str], row_of: Callable[[str], Json]) -> Json:
    """The shape of RETURNS or ROW: first the shape, then the lines that explain its names."""
    first, *definitions = lines
    defined: dict[str, Json] = {}
    names = Names(defined, row_of)
    for line in reversed(definitions):  # a name is explained by what stands below
        row = _DEFINITION.fullmatch(line)
        if row is None:
            raise ValueError(f"{line!r} is no 'name: shape; meaning'")
        text, _, meaning = row[2].partition("; ")
        shape = parse_shape(text, names)
        for name in row[1].split(", "):
            if name in defined or name in TYPES:
                raise ValueError(f"{name!r} is explained twice")
            defined[name] = named(name, shape, meaning)
    shape = parse_shape(first, names)
    idle = defined.keys() - names.used
    if idle:
        raise ValueError(f"nothing in the shape is called {', '.join(sorted(idle))}")
    return shape


def parse_shape(text: str, names: Names) -> Json:
    """One shape. Raises ValueError for what is none."""
    tokens = _tokens(text)
    shape, rest = _alternatives(tokens, names)
    if rest:
        raise ValueError(f"{text!r} goes on after its end, with {rest[0]!r}")
    return shape


def literals_of(shape: Json) -> list[str]:
    """The literals that a shape consists of: of `'a'|'b'` both; none of any other."""
    options = shape.get("one_of", [shape])
    found = [each["literal"] for each in options if "literal" in each]
    return found if len(found) == len(options) else []


def _tokens(text: str) -> list[str]:
    tokens, at = [], 0
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            raise ValueError(f"{text!r} is no shape from {text[at:]!r} on")
        tokens.append(token[1])
        at = token.end()
    return tokens


def _alternatives(tokens: list[str], names: Names) -> tuple[Json, list[str]]:
    shape, rest = _single(tokens, names)
    options = [shape]
    while rest[:1] == ["|"]:
        shape, rest = _single(rest[1:], names)
        options.append(shape)
    return (options[0] if len(options) == 1 else {"one_of": options}), rest


def _single(tokens: list[str], names: Names) -> tuple[Json, list[str]]:
    if not tokens:
        raise ValueError("a shape is missing at the end")
    first, rest = tokens[0], tokens[1:]
    if first.startswith("'"):
        return {"literal": first[1:-1]}, rest
    if first == "{":
        return _tuple(rest, names)
    if first == "[":
        items, rest = _elements(rest, names)
        return {"list": items}, _after("]", rest)
    if not first[0].isalpha():
        raise ValueError(f"a shape is missing before {first!r}")
    return names.look_up(first), rest


def _tuple(tokens: list[str], names: Names) -> tuple[Json, list[str]]:
    items, rest = _elements(tokens, names)
    if rest[:1] == ["..."]:
        return {"tuple": items[:-1], "rest": items[-1]}, _after("}", rest[1:])
    return {"tuple": items}, _after("}", rest)


def _elements(tokens: list[str], names: Names) -> tuple[list[Json], list[str]]:
    shape, rest = _alternatives(tokens, names)
    items = [shape]
    while rest[:1] == [","]:
        shape, rest = _alternatives(rest[1:], names)
        items.append(shape)
    return items, rest


def _after(closing: str, tokens: list[str]) -> list[str]:
    if tokens[:1] != [closing]:
        raise ValueError(f"{closing!r} is missing")
    return tokens[1:]
