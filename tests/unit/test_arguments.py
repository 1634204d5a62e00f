"""Checks of arguments that several operations share."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from omniq_typed.core.arguments import (
    MAX_ERROR_BYTES,
    MAX_IDS_PER_CALL,
    MAX_MS,
    check_ids,
    check_int,
    check_payload,
    check_seconds,
    check_token,
    clip_error,
)
from omniq_typed.errors import (
    BatchTooLarge,
    InvalidArgument,
    PayloadTooLarge,
    UnstructuredPayload,
)

# Lone surrogates among them: they occur in error texts, and are no UTF-8.
any_text = st.text(st.characters(exclude_categories=()))
long_text = st.builds(
    lambda start, piece: start + piece * (5_000 // max(len(piece), 1)), any_text, any_text
)


@given(st.integers(), st.integers(-100, 100), st.integers(0, 200))
def test_an_int_is_taken_iff_it_is_in_range(value: int, low: int, span: int) -> None:
    if low <= value <= low + span:
        assert check_int("n", value, low, low + span) == value
    else:
        with pytest.raises(InvalidArgument, match=f"{low} to {low + span}"):
            check_int("n", value, low, low + span)


@pytest.mark.parametrize("edge", [0, MAX_MS])
def test_the_ends_of_the_range_belong_to_it(edge: int) -> None:
    assert check_int("n", edge, 0) == edge


@pytest.mark.parametrize("beyond", [-1, MAX_MS + 1])
def test_what_lies_beyond_the_ends_does_not(beyond: int) -> None:
    with pytest.raises(InvalidArgument):
        check_int("n", beyond, 0)


@pytest.mark.parametrize("value", [True, False, 1.0, "1", None, b"1", float("nan"), [1]])
def test_what_is_no_int_is_refused_by_name(value: object) -> None:
    with pytest.raises(InvalidArgument) as caught:
        check_int("timeout_ms", value, 0)
    assert caught.value.field == "timeout_ms"
    assert repr(value) in caught.value.problem


@pytest.mark.parametrize("value", [0.001, 1, 2.5, 86_400])
def test_a_time_in_seconds_is_taken(value: float) -> None:
    assert check_seconds("every_s", value) == value


@pytest.mark.parametrize("value", [0, -1, 0.0009, 86_401, math.nan, math.inf, None, "1", True, [1]])
def test_what_is_no_time_in_seconds_is_refused_by_name(value: object) -> None:
    with pytest.raises(InvalidArgument) as caught:
        check_seconds("every_s", value)
    assert caught.value.field == "every_s"


def test_the_longest_time_has_as_many_digits_as_lua_prints() -> None:
    assert len(str(MAX_MS)) == 14 and len(str(MAX_MS + 1)) == 15


@given(any_text | long_text)
@example("é" * 4096)
@example("a" + "😀" * 2000)
@example("\ud800" * 2000)
@example("a" * MAX_ERROR_BYTES)
@example("a" * (MAX_ERROR_BYTES + 1))
def test_a_clipped_error_fits_and_is_utf8(text: str) -> None:
    clipped = clip_error(text)
    raw = clipped.encode()  # raises for a lone surrogate
    whole = text.encode("utf-8", "backslashreplace")
    assert len(raw) <= MAX_ERROR_BYTES
    assert whole.startswith(raw), "what is kept is the beginning"
    # Nothing goes that would fit: at most one character of four bytes is cut in two.
    assert len(raw) == len(whole) or len(raw) > MAX_ERROR_BYTES - 4


def test_a_short_error_stays_as_it_is() -> None:
    assert clip_error("boom ü 😀") == "boom ü 😀"
    assert clip_error("") == ""
    assert clip_error("a\ud800") == "a\\ud800"


@pytest.mark.parametrize("error", [None, b"boom", ValueError("x"), 5])
def test_an_error_that_is_no_text_is_refused(error: Any) -> None:
    with pytest.raises(InvalidArgument) as caught:
        clip_error(error)
    assert caught.value.field == "error"


@pytest.mark.parametrize("payload", [b"{}", b"[]", b'{"a":1}', b"[1]"])
def test_an_object_or_an_array_is_a_payload(payload: bytes) -> None:
    assert check_payload(payload, 100) == payload


@given(st.binary(max_size=20))
@example(b' {"a": 1}')
@example(b"\r\n\t [1]")
@example(b"\x0b{}")
@example(b" ")
def test_a_payload_is_known_by_its_first_byte_behind_white_space(payload: bytes) -> None:
    if payload.lstrip(b" \t\r\n").startswith((b"{", b"[")):
        assert check_payload(payload, 20) == payload
    else:
        with pytest.raises(UnstructuredPayload):
            check_payload(payload, 20)


def test_an_unstructured_payload_is_a_type_error_and_a_value_error() -> None:
    for kind in (TypeError, ValueError):
        with pytest.raises(kind):
            check_payload(b"5", 100)


def test_a_payload_may_be_as_long_as_the_limit_and_no_longer() -> None:
    assert check_payload(b"[1,2]", 5) == b"[1,2]"
    with pytest.raises(PayloadTooLarge) as caught:
        check_payload(b"[1,23]", 5)
    assert (caught.value.size, caught.value.limit, caught.value.field) == (6, 5, "payload")


def test_the_size_is_told_before_the_shape() -> None:
    with pytest.raises(PayloadTooLarge):
        check_payload(b'"long"', 5)


def test_ids_are_taken_up_to_the_limit() -> None:
    ids = [f"j{n}" for n in range(MAX_IDS_PER_CALL)]
    assert check_ids(ids) == ids
    assert check_ids(tuple(ids)) == tuple(ids)
    assert check_ids([]) == []
    with pytest.raises(BatchTooLarge) as caught:
        check_ids([*ids, "one more"])
    assert (caught.value.size, caught.value.limit) == (MAX_IDS_PER_CALL + 1, MAX_IDS_PER_CALL)


@pytest.mark.parametrize("ids", ["abc", b"abc", None, 5, {"a"}, iter(["a"])])
def test_ids_that_are_no_list_are_refused(ids: Any) -> None:
    with pytest.raises(InvalidArgument) as caught:
        check_ids(ids)
    assert caught.value.field == "job_ids"


@pytest.mark.parametrize("bad", ["", "a{b", "a\n", None, 5, "a" * 257])
def test_one_malformed_id_spoils_all(bad: Any) -> None:
    with pytest.raises(InvalidArgument):
        check_ids(["good", bad])


def test_a_token_is_text_and_an_empty_one_is_the_servers_to_refuse() -> None:
    assert check_token("abc-1") == "abc-1"
    assert check_token("") == ""
    for bad in (None, b"abc", 5, "\ud800"):
        with pytest.raises(InvalidArgument) as caught:
            check_token(bad)
        assert caught.value.field == "lease_token"
