"""Texts that match regular expressions: ways through their automaton."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from math import inf

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from omniq_typed.schema.regex.regex_sampling import Texts, texts
from omniq_typed.schema.regex.regex_states import State

_USUAL_LENGTH = 20
"""Texts of any length are at most this many characters longer than the shortest."""
# A text of turnings, one for each character of the result, is a single draw and shrinks to the
# first turning everywhere. Plain letters would be tried in an order of their own.
_FIRST_TURNING = 0x4E00
_TURNINGS = st.characters(min_codepoint=_FIRST_TURNING, max_codepoint=_FIRST_TURNING + 0xFFF)


class NoText(ValueError):
    """There is no text as it was asked for."""


def matching(
    regexes: tuple[str, ...], least: int = 0, most: int | None = None
) -> SearchStrategy[str]:
    """Texts that match all of the regexes (ECMAScript's), of so many characters; they shrink to
    the shortest, of the plainest characters. Raises NoText where there are none, UnknownRegex."""
    source = texts(regexes)
    start, limit = source.start, inf if most is None else most
    if not source.exist or start.to_end > limit or start.longest < least:
        size = (
            f"{least} to {most} characters" if most is not None else f"{least} characters or more"
        )
        raise NoText(f"no text of {size} matches {' and '.join(regexes)}")
    shortest = max(least, int(start.to_end))
    longest = int(min(limit, start.longest, shortest + _USUAL_LENGTH))
    turnings = st.text(_TURNINGS, min_size=shortest, max_size=longest)
    return turnings.map(partial(_text, source, least, limit))


def _text(source: Texts, least: int, most: float, turnings: str) -> str:
    state, text = source.start, ""
    for turning in turnings:
        options = list(_ways(state, len(text), least, most))
        if not options:
            break
        sizes = [len(source.characters(mask)) for mask, _ in options]
        at = (ord(turning) - _FIRST_TURNING) % sum(sizes)
        for (mask, target), size in zip(options, sizes, strict=True):
            if at < size:
                text, state = text + source.characters(mask)[at], target
                break
            at -= size
    return text + _shortest_end(source, state, len(text), least, most)


def _shortest_end(source: Texts, state: State, length: int, least: int, most: float) -> str:
    text = ""
    while not (state.whole and length + len(text) >= least):
        mask, state = next(_ways(state, length + len(text), least, most))
        text += source.characters(mask)[0]
    return text


def _ways(state: State, length: int, least: int, most: float) -> Iterator[tuple[int, State]]:
    """Those that still lead to a text of a good length, the shortest ones first."""
    ways = sorted(state.ways, key=lambda way: way[1].to_end)
    for mask, target in ways:
        if length + 1 + target.to_end <= most and length + 1 + target.longest >= least:
            yield mask, target
