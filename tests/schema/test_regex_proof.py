"""Proofs between regular expressions, against texts and against what is known of them."""

from __future__ import annotations

from random import Random

import jsonschema_rs
import pytest

from omniq_typed.schema.regex.regex_proof import all_match, counterexample, of_length
from omniq_typed.schema.sampling.text_formats import PATTERNS
from omniq_typed.schema.wire import wire_texts
from omniq_typed.schema.wire.numerals import Bounds, decimal_patterns

PROVEN = [
    ("^[A-Z]{3}$", "^[A-Za-z]{2,3}$"),
    ("^[0-9]{3}$", "^[0-9][0-9][0-9]$"),
    ("^[0-9][0-9][0-9]$", "^[0-9]{3}$"),
    ("^[A-Z]{3}$", of_length(3, 3)),
    (of_length(2, 5), of_length(0, None)),
    (wire_texts.BASE64, "^[A-Za-z0-9+/=]*$"),
    (wire_texts.DURATION, "^-?P"),
    (wire_texts.NAIVE_DATETIME, "^[0-9:.T-]+$"),
    (PATTERNS["uuid"], of_length(36, 36)),
    (r"^\w+$", "^[A-Za-z0-9_]+$"),
    ("^[A-Za-z0-9_]+$", r"^\w+$"),
    (r"^\s+$", r"^[^\S]+$"),
    ("^a(?!b)", "^a(?:[^b]|$)"),
    ("abc", "b"),
    ("^(?:ab)+$", "^a.*b$"),
    ("^$", ""),
    ("^a$|^b$", "^[ab]$"),
    (r"^[^\u{e001}]$", r"^[\u{0}-\u{d7ff}\u{e000}\u{e002}-\u{10ffff}]$"),
]
NOT_PROVEN = [
    ("^[A-Za-z]{2,3}$", "^[A-Z]{3}$"),
    ("^[a-y]$", "^[a-x]$"),
    ("^[a-z]$", "^[b-z]$"),
    ("^[^b]$", "^[^a-b]$"),
    ("^.$", r"^[^\u{10000}]$"),
    ("^[0-9]{1,500}$", "^[0-9]{1,499}$"),
    ("^[0-9]{1,5000}$", "^[0-9]{1,4999}$"),
    (r"^[\u{0}-\u{10ffff}]$", r"^[\u{0}-\u{d7ff}]$"),
    (r"^[\u{0}-\u{10ffff}]$", r"^[\u{e000}-\u{10ffff}]$"),
    ("a", "^a"),
    (wire_texts.AWARE_DATETIME, wire_texts.NAIVE_DATETIME),
    # A category of Unicode is not known character by character, nor is what is looked at for ever.
    (r"^\p{L}$", r"^\p{L}$"),
    ("^(?:(?!ab)[ab])*$", "^b*a*$"),
    ("(?<=a)b", "b"),
]


@pytest.mark.parametrize(("written", "wanted"), PROVEN)
def test_what_is_proven_is_so(written: str, wanted: str) -> None:
    assert all_match([written], [wanted])
    assert counterexample([written], [wanted]) is None


@pytest.mark.parametrize(("written", "wanted"), NOT_PROVEN)
def test_what_is_not_so_is_not_proven(written: str, wanted: str) -> None:
    assert not all_match([written], [wanted])


def test_decimals_within_each_other() -> None:
    short = decimal_patterns(Bounds(places=2, total=8))
    assert all_match(short, decimal_patterns(Bounds(places=4, total=12)))
    assert not all_match(decimal_patterns(Bounds(places=4, total=12)), short)
    assert counterexample(decimal_patterns(Bounds(places=3, total=9)), short) is not None


PIECES = ("a", "b", "[ab]", "[^a]", ".", "(?:a|bc)", "(?=a)", "(?!b)", r"\d", "", "1")
QUANTIFIERS = ("", "", "", "?", "*", "+", "{2}", "{1,2}")


def some_regex(rng: Random) -> str:
    parts = [rng.choice(PIECES) for _ in range(rng.randint(1, 3))]
    text = "".join(
        part + (rng.choice(QUANTIFIERS) if part and not part.startswith(("(?=", "(?!")) else "")
        for part in parts
    )
    if rng.random() < 0.3:
        text = f"(?:{text}|{rng.choice(PIECES)})"
    return rng.choice(("", "^")) + text + rng.choice(("", "$"))


@pytest.mark.slow
def test_random_ones_against_all_short_texts() -> None:
    """All texts of up to four of a few characters: a proof has no exception among them, and what
    is said to be an exception is one."""
    letters = "abc1\n"
    texts = [""]
    for _ in range(4):
        texts += [text + char for text in texts for char in letters if len(text) < 4]
    texts = sorted(set(texts))
    rng = Random(5)
    proven = refuted = 0
    for _ in range(400):
        one, other = some_regex(rng), some_regex(rng)
        matches, matches_other = (
            jsonschema_rs.Draft202012Validator({"pattern": each}).is_valid for each in (one, other)
        )
        exceptions = [text for text in texts if matches(text) and not matches_other(text)]
        if all_match([one], [other]):
            proven += 1
            assert exceptions == [], (one, other)
            continue
        found = counterexample([one], [other])
        assert found is not None, (one, other)
        refuted += 1
        assert matches(found) and not matches_other(found), (one, other, found)
    assert proven > 40 and refuted > 100
