"""Single changes to JSON that know nothing of its meaning: in the tree, and in the bytes."""

from __future__ import annotations

import gzip
import json
import pickle
import random
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

Tree = Any
"""JSON as Python has it: dict, list, str, int, float, bool, None."""


@dataclass(frozen=True)
class Change:
    """`apply(before, rng)` gives what stands there afterwards; `breaks`: it is no JSON any more,
    or none that programs can hold."""

    label: str
    apply: Callable[[Any, random.Random], Any]
    breaks: bool = False


@dataclass(frozen=True)
class Changed:
    """The payload after one change; `why` says which, and where as a JSON pointer."""

    payload: bytes
    why: str
    breaks: bool


def change_tree(payload: bytes, rng: random.Random) -> Changed:
    """One value somewhere in the payload, or the whole, replaced."""
    tree = json.loads(payload)
    path = rng.choice(list(_paths(tree)))
    before = _at(tree, path)
    change = rng.choice(_CHANGES[type(before)])
    tree = _replaced(tree, path, change.apply(before, rng))
    pointer = "".join(f"/{step}" for step in path)
    return Changed(_written(tree), f"{pointer or 'the whole'}: {change.label}", change.breaks)


def change_text(payload: bytes, rng: random.Random) -> Changed:
    """The bytes as a whole damaged, wrapped or replaced."""
    change = rng.choice(_TEXT_CHANGES)
    return Changed(change.apply(payload, rng), f"the bytes: {change.label}", change.breaks)


Path = tuple[str | int, ...]


def _paths(tree: Tree, path: Path = ()) -> Iterator[Path]:
    """The places of all values, the whole and the nested ones."""
    yield path
    if isinstance(tree, dict):
        inner: Iterable[tuple[str | int, Tree]] = tree.items()
    else:
        inner = enumerate(tree) if isinstance(tree, list) else ()
    for step, each in inner:
        yield from _paths(each, (*path, step))


def _at(tree: Tree, path: Path) -> Tree:
    for step in path:
        tree = tree[step]
    return tree


def _replaced(tree: Tree, path: Path, after: Tree) -> Tree:
    if not path:
        return after
    _at(tree, path[:-1])[path[-1]] = after
    return tree


_RAW = "\ue000"
"""Around text that is to stand in the payload as it is, not as a string."""


def _written(tree: Tree) -> bytes:
    text = json.dumps(tree, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return re.sub(f'"{_RAW}(.*?){_RAW}"', r"\1", text).encode()


def _always(after: Tree) -> Callable[[Any, random.Random], Tree]:
    return lambda before, rng: after


def _one_of(*choices: Tree) -> Callable[[Any, random.Random], Tree]:
    return lambda before, rng: rng.choice(choices)


_NO_JSON = (
    *("NaN", "Infinity", "-Infinity", "undefined", "None", "True", "01", "+1", ".5"),
    *("1.", "0x1F", "1_000", "'x'", "-", "?"),
)

_NULL = Change("null", _always(None))
_FLAG = Change("a boolean", _one_of(True, False))
_NUMBER = Change("a number", _one_of(0, 1, -1, 17, 1.5, -0.25, 10**30, 2**53))
_TEXT = Change("a string", _one_of("", "x", "17", "true", "null", "2024-02-30", "ü" * 300))
_LIST = Change("a list", _one_of([], [1], [None], ["a", "b"], [{}]))
_OBJECT = Change("an object", _one_of({}, {"a": 1}, {"": None}, {"value": "x"}))
_IN_LIST = Change("in a list", lambda before, rng: [before])
_IN_OBJECT = Change("in an object", lambda before, rng: {"value": before})
_AS_TEXT = Change("its JSON as a string", lambda before, rng: json.dumps(before))
_TOO_DEEP = Change("300 lists deep", lambda before, rng: json.loads("[" * 300 + "]" * 300))
_NO_VALUE = Change(
    "a literal that JSON has not",
    lambda before, rng: f"{_RAW}{rng.choice(_NO_JSON)}{_RAW}",
    breaks=True,
)
_TOO_LARGE = Change(
    "a number that no double holds",
    lambda before, rng: f"{_RAW}{rng.choice(['1e400', '-1E+999'])}{_RAW}",
    breaks=True,
)

_ANY = (_IN_LIST, _IN_OBJECT, _AS_TEXT, _TOO_DEEP, _NO_VALUE, _TOO_LARGE)

_LOOKALIKES = _one_of(
    *("2024-02-30", "2024-13-01T00:00:00Z", "24:61", "2024-06-01T12:00:00", "P1Q", "PT"),
    *("not-a-uuid", "0190163d-8694", "999.1.1.1", "1.2.3", "10.0.0.1/99", "::g", "http://", "x:"),
    *("NaN", "-Infinity", "1e5", "1,5", "0x10", "--1", "12.345", "99999999999999", "===", "%%%%"),
)


def _without(text: str, rng: random.Random) -> str:
    at = rng.randrange(max(len(text), 1))
    return text[:at] + text[at + 1 :]


def _another_sign(text: str, rng: random.Random) -> str:
    at = rng.randrange(max(len(text), 1))
    return text[:at] + rng.choice("aZ09 -+:./€\x00\n") + text[at + 1 :]


_OF_TEXT = (
    Change("emptied", _always("")),
    Change("a character missing", _without),
    Change("another character", _another_sign),
    Change("a character more", lambda text, rng: text + rng.choice("aZ09 -+:./€\x00\n")),
    Change("the other case", lambda text, rng: text.swapcase()),
    Change("with blanks around", lambda text, rng: f" {text} "),
    Change("twice", lambda text, rng: text + text),
    Change("5,000 characters", _always("x" * 5000)),
    Change("Arabic digits", lambda text, rng: re.sub("[0-9]", "\u0664", text)),
    Change("what looks like something", _LOOKALIKES),
)

_OF_NUMBER = (
    Change("one more", lambda number, rng: number + 1),
    Change("one less", lambda number, rng: number - 1),
    Change("negated", lambda number, rng: -number),
    Change("a half more", lambda number, rng: float(f"{float(number):.6g}") + 0.5),
    Change("beyond what JavaScript holds", _one_of(2**53, -(2**53), 2**64, 10**40)),
    Change("huge", _one_of(1e308, -1e308, 1e300)),
    Change("tiny", _one_of(5e-324, -5e-324)),
    Change("as a string", lambda number, rng: str(number)),
)


def _missing_key(value: dict[str, Tree], rng: random.Random) -> dict[str, Tree]:
    gone = rng.choice(list(value)) if value else ""
    return {key: each for key, each in value.items() if key != gone}


def _renamed_key(value: dict[str, Tree], rng: random.Random) -> dict[str, Tree]:
    chosen = rng.choice(list(value)) if value else ""
    renamed = rng.choice([chosen.swapcase(), f"{chosen}_", f" {chosen}", chosen[1:]])
    return {renamed if key == chosen else key: each for key, each in value.items()}


def _swapped_values(value: dict[str, Tree], rng: random.Random) -> dict[str, Tree]:
    values = list(value.values())
    rng.shuffle(values)
    return dict(zip(value, values, strict=True))


_OF_OBJECT = (
    Change("a key missing", _missing_key),
    Change("a key missing", _missing_key),
    Change("a key renamed", _renamed_key),
    Change("a key more", lambda value, rng: {**value, "unexpected": rng.choice([1, "x", None])}),
    Change("values swapped", _swapped_values),
    Change("its values as a list", lambda value, rng: list(value.values())),
    Change("pairs", lambda value, rng: [[key, each] for key, each in value.items()]),
)


def _missing_item(value: list[Tree], rng: random.Random) -> list[Tree]:
    at = rng.randrange(max(len(value), 1))
    return value[:at] + value[at + 1 :]


_OF_LIST = (
    Change("an item missing", _missing_item),
    Change("an item more", lambda value, rng: [*value, rng.choice([None, 1, "x", [], {}])]),
    Change("an item twice", lambda value, rng: value + value[-1:]),
    Change("100 times as long", lambda value, rng: (value or [None]) * 100),
    Change("backwards", lambda value, rng: value[::-1]),
    Change("an object by index", lambda value, rng: {str(n): it for n, it in enumerate(value)}),
)

_CHANGES: dict[type, tuple[Change, ...]] = {
    dict: (*_OF_OBJECT, _NULL, _FLAG, _NUMBER, _TEXT, _LIST, *_ANY),
    list: (*_OF_LIST, _NULL, _FLAG, _NUMBER, _TEXT, _OBJECT, *_ANY),
    str: (*_OF_TEXT, _NULL, _FLAG, _NUMBER, _LIST, _OBJECT, *_ANY),
    int: (*_OF_NUMBER, _NULL, _FLAG, _TEXT, _LIST, _OBJECT, *_ANY),
    float: (*_OF_NUMBER, _NULL, _FLAG, _TEXT, _LIST, _OBJECT, *_ANY),
    bool: (_NULL, _NUMBER, _TEXT, _LIST, _OBJECT, *_ANY),
    type(None): (_FLAG, _NUMBER, _TEXT, _LIST, _OBJECT, *_ANY),
}


def _cut(payload: bytes, rng: random.Random) -> bytes:
    return payload[: rng.randrange(1, len(payload))]


def _byte_more(payload: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(1, len(payload))
    return payload[:at] + bytes([rng.randrange(256)]) + payload[at:]


def _byte_less(payload: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(payload))
    return payload[:at] + payload[at + 1 :]


def _not_utf8(payload: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(1, len(payload))
    wrong = rng.choice([b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b"\x80"])
    return payload[:at] + wrong + payload[at:]


def _key_twice(payload: bytes, rng: random.Random) -> bytes:
    tree = json.loads(payload)
    if not isinstance(tree, dict) or not tree:
        return payload + payload
    key = json.dumps(rng.choice(list(tree)), ensure_ascii=False)
    junk = rng.choice(["null", "{}", '"x"', "-1"])
    return payload[:-1] + f",{key}:{junk}}}".encode()


_FOREIGN = (
    b"",
    b" ",
    b"order 17 paid",
    b"<order id='17'/>",
    b"id: 17\npaid: true\n",
    b"id=17&paid=true",
    b"{'id': 17}",
    b"{id: 17}",
    b"\x82\xa2id\x11\xa4paid\xc3",
    b"\x00",
    pickle.dumps({"id": 17}),
)

_LEFTOVERS = (b"]", b"}", b",", b"0", b"{}", b"\x00")

_TEXT_CHANGES = (
    Change("cut off", _cut, breaks=True),
    Change("a byte more", _byte_more),
    Change("a byte less", _byte_less),
    Change("not UTF-8", _not_utf8, breaks=True),
    Change("twice", lambda payload, rng: payload + payload, breaks=True),
    Change("something behind", lambda payload, rng: payload + rng.choice(_LEFTOVERS), breaks=True),
    Change(
        "a trailing comma", lambda payload, rng: payload[:-1] + b"," + payload[-1:], breaks=True
    ),
    Change("a comment", lambda payload, rng: b"/* v1 */" + payload, breaks=True),
    Change("a byte order mark", lambda payload, rng: b"\xef\xbb\xbf" + payload, breaks=True),
    Change("UTF-16", lambda payload, rng: payload.decode().encode("utf-16"), breaks=True),
    Change("compressed", lambda payload, rng: gzip.compress(payload, mtime=0), breaks=True),
    Change("quoted once more", lambda payload, rng: json.dumps(payload.decode()).encode()),
    Change("a key twice", _key_twice),
    Change("blanks around", lambda payload, rng: b" \r\n" + payload + b"\t"),
    Change("not JSON at all", _one_of(*_FOREIGN), breaks=True),
)
