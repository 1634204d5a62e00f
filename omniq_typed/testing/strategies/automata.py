"""Texts that match regular expressions, drawn step by step through their automaton."""

from __future__ import annotations

from functools import lru_cache
from math import inf
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from omniq_typed.schema.regex_parser import UnknownRegex
from omniq_typed.schema.regex_sampling import State, Texts, texts

_USUAL_LENGTH = 20
"""Texts of any length are rarely longer than this many characters beyond the shortest."""


def matching(
    regexes: tuple[str, ...], least: int = 0, most: int | None = None
) -> SearchStrategy[str]:
    """Texts that match all of the regexes, of so many characters; they shrink to the shortest, of
    the plainest characters. Raises UnknownRegex, also where no text matches."""
    source = texts(regexes)
    limit = inf if most is None else most
    if not source.exist or source.start.to_end > limit or source.start.longest < least:
        wanted = " and ".join(regexes)
        raise UnknownRegex(f"no text of {least} to {limit} characters matches {wanted}")
    return _walks(source, least, limit)


@st.composite
def _walks(draw: DrawFn, source: Texts, least: int, most: float) -> str:
    shortest = max(least, int(source.start.to_end))
    longest = min(most, source.start.longest, shortest + _USUAL_LENGTH)
    wanted = draw(_below(int(longest) - shortest + 1)) + shortest
    text: list[str] = []
    state = source.start
    while not (state.whole and len(text) >= wanted):
        ways = _ways(state, len(text), least, most, towards_end=len(text) >= wanted)
        if not ways:
            break
        mask, state = ways[draw(_below(len(ways)))] if len(ways) > 1 else ways[0]
        chars = source.characters(mask)
        text.append(chars[draw(_below(len(chars)))] if len(chars) > 1 else chars)
    return "".join(text)


def _ways(
    state: State, length: int, least: int, most: float, *, towards_end: bool
) -> list[tuple[int, State]]:
    """Those that still lead to a text of a good length, the shortest ones first."""
    ways = [
        (mask, target)
        for mask, target in state.ways
        if length + 1 + target.to_end <= most and length + 1 + target.longest >= least
    ]
    ways.sort(key=lambda way: way[1].to_end)
    if towards_end and ways:
        ways = [way for way in ways if way[1].to_end == ways[0][1].to_end]
    return ways


@lru_cache(maxsize=512)
def _below(count: int) -> SearchStrategy[Any]:
    return st.integers(0, count - 1)
