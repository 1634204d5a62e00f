"""Numbers and texts that a shape allows: the ones at its bounds and the odd ones, and random ones
between them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from functools import reduce
from itertools import islice
from random import Random
from typing import Any

from omniq_typed.schema.regex.characters import ALPHABET
from omniq_typed.schema.regex.regex_sampling import texts
from omniq_typed.schema.sampling.shape import Shape
from omniq_typed.schema.sampling.text_formats import PATTERNS
from omniq_typed.schema.wire import wire_texts

_WHOLE = (0, 1, -1, 2, 7, 10, -10, 255, 2**31 - 1, 2**31, -(2**31), 2**53 - 1, -(2**53) + 1)
_LARGE = (2**53, 2**53 + 1, 2**63 - 1, -(2**63))
_FLOATS = (0.5, -0.5, 0.1, 1.5, -2.25, 1e-7, 1.7976931348623157e308, -1e300, 5e-324)
_LARGEST_INT = 2**63 - 1
"""Of a number that may be a float: many readers of JSON know no larger integers."""
_SIZES = (10, 1_000, 2**31, 2**53, 2**62)
ANYTHING: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 2**53 - 1, 1.5, -1e-7, "", "a", "é😀", "0", [], {}),
    *([None, [1, "a"]], {"": {"a": [{}]}}, {"type": "object", "é": 0}),
)
"""Where a schema says nothing."""
_WORDS = (
    *("a", "é", " ", "0", "null", "true", "1.5", "A b", "2026-01-31", "a@b.example", "\u00a0x "),
    *('"', "\\", "/", "\n", "\x00", "😀", "e\u0301", "日本語", "\u2028", "-1", "1e5", "{}"),
)
_LONG = 300
_LONGEST = 5_000
"""Texts are made up to the longest that is allowed, up to this many characters."""
_TRIES = 20


class Numbers:
    """Numbers of a shape."""

    def __init__(self, shape: Shape) -> None:
        self._whole = shape.kind == "integer"
        steps = [Fraction(str(each)) for each in shape.each("multipleOf")]
        if self._whole and steps:
            steps.append(Fraction(1))
        self._step = reduce(_common_multiple, steps) if steps else Fraction(self._whole)
        # With True behind it, the bound itself is out.
        lows = [(Fraction(each), False) for each in shape.each("minimum")]
        lows += [(Fraction(each), True) for each in shape.each("exclusiveMinimum")]
        highs = [(-Fraction(each), False) for each in shape.each("maximum")]
        highs += [(-Fraction(each), True) for each in shape.each("exclusiveMaximum")]
        low, self._low_open = max(lows, default=(None, False))
        high, self._high_open = max(highs, default=(None, False))
        self._low, self._high = low, None if high is None else -high

    def edges(self) -> list[int | float]:
        """The plainest first."""
        step = self._step or Fraction(1)
        near = [
            bound + steps * step
            for bound in (self._low, self._high)
            if bound is not None
            for steps in (0, 1, -1, 2, -2, Fraction(1, 2), Fraction(-1, 2))
        ]
        plain: list[int | float] = [*_WHOLE, *_LARGE, *(() if self._whole else _FLOATS)]
        wanted = [*(Fraction(each) for each in plain), *near]
        found = [self._nearest(each) for each in wanted]
        if not self._step:
            found += [_float(each) for each in near] + self._beside_open_bounds()
        kept = [each for each in found if self._fits(each)]
        plainest = sorted(kept, key=abs)[:1]
        # 1 and 1.0 are one number.
        return list(dict.fromkeys([*plainest, *kept]))

    def random(self, rng: Random) -> int | float | None:
        """None where none was met."""
        size = rng.choice(_SIZES)
        low = -size if self._low is None else self._low
        high = size if self._high is None else self._high
        if self._low is None or (self._high is None and low + size > high):
            low = min(low, high - size)
        if self._high is None:
            high = max(high, low + size)
        part = Fraction(rng.randrange(10**9 + 1), 10**9)
        at = low + (high - low) * part
        if not self._step and rng.random() < 0.7:
            found: int | float = round(_float(at), rng.choice((1, 2, 3, 9)))
        else:
            found = self._nearest(Fraction(at))
        return found if self._fits(found) else None

    def _nearest(self, value: Fraction) -> int | float:
        """The next one that keeps to the step."""
        if self._step:
            value = round(value / self._step) * self._step
        is_int = value.denominator == 1 and (self._whole or abs(value) <= _LARGEST_INT)
        return int(value) if is_int else _float(value)

    def _beside_open_bounds(self) -> list[float]:
        bounds = ((self._low, math.inf), (self._high, -math.inf))
        return [math.nextafter(_float(at), to) for at, to in bounds if at is not None]

    def _fits(self, value: int | float) -> bool:
        low, high = self._low, self._high
        above = low is None or value > low or (value == low and not self._low_open)
        below = high is None or value < high or (value == high and not self._high_open)
        return above and below and abs(value) != math.inf


def _float(value: Fraction) -> float:
    """Infinite beyond the largest."""
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _common_multiple(one: Fraction, other: Fraction) -> Fraction:
    denominator = math.lcm(one.denominator, other.denominator)
    return Fraction(math.lcm(int(one * denominator), int(other * denominator)), denominator)


class Words:
    """Texts of a shape. Raises UnknownRegex for a pattern that cannot be read."""

    def __init__(self, shape: Shape) -> None:
        self._least = shape.highest("minLength") or 0
        self._most = math.inf if shape.lowest("maxLength") is None else shape.lowest("maxLength")
        formats = [PATTERNS[each] for each in shape.each("format") if each in PATTERNS]
        encoded = {"base64": wire_texts.BASE64, "base64url": wire_texts.BASE64_URL}
        encodings = [encoded[each] for each in shape.each("contentEncoding") if each in encoded]
        self._regexes = tuple(dict.fromkeys([*shape.each("pattern"), *formats, *encodings]))

    def edges(self) -> list[str]:
        """The shortest first."""
        found = self._matching() if self._regexes else self._plain()
        return [each for each in dict.fromkeys(found) if self._least <= len(each) <= self._most]

    def random(self, rng: Random) -> str | None:
        """None where none was met."""
        if self._regexes:
            source = texts(self._regexes)
            return source.random(rng, self._least, self._most) if source.exist else None
        sizes = (0, 1, rng.randrange(12), rng.randrange(12), rng.randrange(60), _LONG)
        size = min(self._least + rng.choice(sizes), self._most)
        letters = rng.choice((ALPHABET[:62], ALPHABET[:95], ALPHABET))
        return "".join(rng.choices(letters, k=int(size)))

    def _plain(self) -> Iterable[str]:
        yield "a" * self._least
        yield from _WORDS
        least, most = self._least, int(min(self._most, self._least + _LONG))
        yield "é" * least
        yield from ("😀" * (least + 1), "b" * (least + 1), "c" * (most - 1), "d" * most)
        if self._least + _LONG < self._most <= _LONGEST:
            yield "e" * int(self._most)

    def _matching(self) -> Iterable[str]:
        source = texts(self._regexes)
        if not source.exist:
            return
        yield source.shortest()
        yield from self._of_length(self._least, self._least)
        yield from source.varied()
        yield from self._of_length(self._least, self._least + 1)
        most = min(self._most, self._least + _LONG)
        yield from self._of_length(int(most), most)

    def _of_length(self, least: int, most: float) -> Iterable[str]:
        source, rng = texts(self._regexes), Random(0)
        tries = (source.random(rng, least, most) for _ in range(_TRIES))
        yield from islice((each for each in tries if each is not None), 1)
