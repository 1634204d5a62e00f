"""Proofs that texts that match some regular expressions match others too."""

from __future__ import annotations

from collections.abc import Iterable

from omniq_typed.schema.regex.regex_parser import UnknownRegex
from omniq_typed.schema.regex.regex_sampling import Texts

MOST_STATES = 1_000
"""Expressions that need more are not judged: a second, about, on a slow machine."""


def all_match(written: Iterable[str], wanted: Iterable[str]) -> bool:
    """Whether it is proven that each text that matches all of the ECMAScript regexes `written`
    matches all of `wanted`, too. False says nothing."""
    given = tuple(written)
    try:
        return all(
            Texts(given, but_not=(each,), most_states=MOST_STATES).cannot_exist for each in wanted
        )
    except UnknownRegex:
        return False


def counterexample(written: Iterable[str], wanted: Iterable[str]) -> str | None:
    """A text that matches all of `written` and not all of `wanted`; None where none was found."""
    given = tuple(written)
    for each in wanted:
        try:
            found = Texts(given, but_not=(each,), most_states=MOST_STATES)
        except UnknownRegex:
            continue
        if found.exist:
            return found.shortest()
    return None


def of_length(least: int, most: int | None) -> str:
    """A regex of all texts of so many characters."""
    return rf"^[\s\S]{{{least},{'' if most is None else most}}}$"
