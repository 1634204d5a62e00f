"""Texts and bytes within their lengths and patterns, as JSON."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument as HypothesisRefuses
from hypothesis.strategies import SearchStrategy

from omniq_typed.messages.schema_walk import Place
from omniq_typed.schema.regex.regex_parser import UnknownRegex
from omniq_typed.schema.wire.regexes import to_ecma
from omniq_typed.testing.strategies.automata import matching

# Surrogates alone are no text that JSON could carry.
ANY_CHARACTER = st.characters(exclude_categories=["Cs"])
_ASCII = st.characters(max_codepoint=127)


def texts(place: Place) -> SearchStrategy[Any]:
    """Of any characters, also odd ones, unless a pattern says otherwise."""
    found = _shaped(place)
    for change in _changes(place):
        found = found.map(change)
    return found


def is_changed_when_read(place: Place) -> bool:
    """Whether a reader strips a text, or changes its case, after which its length is another."""
    return bool(_changes(place))


def _changes(place: Place) -> list[Callable[[str], str]]:
    ways: dict[str, Callable[[str], str]] = {
        "strip_whitespace": lambda text: text.strip(),
        "to_lower": lambda text: text.lower(),
        "to_upper": lambda text: text.upper(),
    }
    return [ways[name] for name in ways if place.setting(name, place.config.get(f"str_{name}"))]


def _shaped(place: Place) -> SearchStrategy[str]:
    schema = place.schema
    least = schema.get("min_length", place.config.get("str_min_length")) or 0
    most = schema.get("max_length", place.config.get("str_max_length"))
    pattern = schema.get("pattern")
    if pattern is None:
        alphabet = _ASCII if schema.get("ascii_only") else ANY_CHARACTER
        return st.text(alphabet, min_size=least, max_size=most)
    python = place.setting("regex_engine") == "python-re"
    translated = to_ecma(pattern, python=python)
    if translated is not None:
        try:
            return matching((translated,), least, most)
        except UnknownRegex:
            pass
    return _by_pythons_regex(pattern)


def _by_pythons_regex(pattern: str | re.Pattern[str]) -> SearchStrategy[str]:
    """For what ECMAScript cannot say. The lengths are left to the reader's check."""
    try:
        return st.from_regex(re.compile(pattern), alphabet=ANY_CHARACTER)
    except (re.error, HypothesisRefuses) as error:
        raise UnknownRegex(f"the pattern {pattern!r} cannot be followed: {error}") from error


def bytes_texts(place: Place) -> SearchStrategy[Any]:
    """Base64 or hexadecimal digits as the configuration says, else bytes that are UTF-8."""
    least = place.schema.get("min_length") or 0
    most = place.schema.get("max_length")
    mode = place.config.get("val_json_bytes", "utf8")
    if mode == "utf8":
        plain = st.text(_ASCII, min_size=least, max_size=most)
        # One character has up to four bytes.
        fits = most is None or least <= most // 4
        any_kind = st.text(ANY_CHARACTER, min_size=least, max_size=most and most // 4)
        return st.one_of(plain, any_kind) if fits else plain
    data = st.binary(min_size=least, max_size=most)
    if mode == "hex":
        return data.map(bytes.hex)
    return data.map(lambda each: base64.urlsafe_b64encode(each).decode())


TEXTS: dict[str, Callable[[Place], SearchStrategy[Any]]] = {"str": texts, "bytes": bytes_texts}
