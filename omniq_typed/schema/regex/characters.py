"""Characters that stand for all of Unicode where texts are made up, and the sets of them that
regular expressions name."""

from __future__ import annotations

import string
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

_PLAIN = string.digits + string.ascii_lowercase + string.ascii_uppercase + string.punctuation + " "
_CONTROLS = "\n\t\r\x00\x0b\x0c\x1c\x1f\x7f\x85\u200c\u200d\u2028\ufeff"
# Letters of one and of two cases, with and without a mark, from right to left, digits, other
# numerals, marks, blanks, currency, emoji; beyond 16 bits and at the end of Unicode.
_FOREIGN = "éßİıſñΩяאع中あ𐐷٣߁𝟘²½Ⅷ\u0301\u0903‿\xa0\u3000€°«“–😀\u2603\ufffd\U0010ffff"
ALPHABET = _PLAIN + _FOREIGN + _CONTROLS
"""The plain ones come first."""

_WHITE_SPACE = frozenset("\t\n\x0b\x0c\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000") | frozenset(
    map(chr, range(0x2000, 0x200B))
)
_ESCAPED_SPACE = (_WHITE_SPACE - {"\x85"}) | {"\ufeff"}
_WORD = frozenset(string.ascii_letters + string.digits + "_")


@dataclass(frozen=True, slots=True)
class CharSet:
    """A set in brackets, or a single character. `ranges`: from one character to another;
    `properties`: names as in \\p{L}, and whether what does not have them is meant (\\P{L})."""

    ranges: tuple[tuple[str, str], ...] = ()
    properties: tuple[tuple[str, bool], ...] = ()
    negated: bool = False

    def __contains__(self, char: str) -> bool:
        found = any(low <= char <= high for low, high in self.ranges) or any(
            has_property(char, name) != inverse for name, inverse in self.properties
        )
        return found != self.negated

    @property
    def is_listed(self) -> bool:
        """Whether its characters are known one by one, not by a category of Unicode."""
        return all(name in _NAMED for name, _ in self.properties)

    def mentioned(self) -> Iterable[str]:
        """Characters that stand for all: the ends of its ranges, and their neighbours outside."""
        listed = (char for name, _ in self.properties for char in _NAMED.get(name, ()))
        for low, high in (*self.ranges, *((char, char) for char in listed)):
            yield from (low, high)
            before, after = ord(low) - 1, ord(high) + 1
            if before >= 0:
                yield chr(min(before, 0xD7FF) if before < 0xE000 else before)
            if after <= 0x10FFFF:
                yield chr(max(after, 0xE000) if after > 0xD7FF else after)


def has_property(char: str, name: str) -> bool:
    """Whether a character has a property of Unicode: a general category (L, Nd), Alphabetic or
    White_Space; d, w and s are ECMAScript's classes. Raises ValueError for others."""
    if name in _NAMED:
        return char in _NAMED[name]
    category = unicodedata.category(char)
    if name in ("Alphabetic", "Alpha"):
        return category[0] == "L" or category == "Nl"
    if name == "Any":
        return True
    if not 1 <= len(name) <= 2 or name[0] not in "LMNPSZC":
        raise ValueError(f"\\p{{{name}}} is not known")
    return category.startswith(name)


_NAMED = {
    "White_Space": _WHITE_SPACE,
    "d": frozenset(string.digits),
    "w": _WORD,
    "s": _ESCAPED_SPACE,
}
