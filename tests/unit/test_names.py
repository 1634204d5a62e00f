"""Names that go into keys: accepted exactly by the rule that docs/wire.md gives."""

from __future__ import annotations

import string
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from omniq_typed.core import keys
from omniq_typed.errors import InvalidArgument

QUEUE_LETTERS = frozenset(string.ascii_letters + string.digits + "._-")
CONTROL = frozenset(map(chr, [*range(32), 127]))
# Mostly near the rule's edge: otherwise a random text is hardly ever a valid name.
near = st.text(st.sampled_from("aZ09._- {}\n\x00\x1f\x7f\x80é\ud800😀"), max_size=8)
texts = near | st.text(st.characters(), max_size=8) | st.text(st.characters(), max_size=300)
strange = st.none() | st.integers() | st.binary(max_size=5) | st.lists(st.text(max_size=2))


def accepted(check: Callable[[Any], Any], value: object) -> bool:
    try:
        check(value)
    except InvalidArgument:
        return False
    return True


def is_queue(name: str) -> bool:
    return 1 <= len(name) <= 128 and set(name) <= QUEUE_LETTERS


def is_id(name: str, most: int = 256) -> bool:
    surrogates = any("\ud800" <= letter <= "\udfff" for letter in name)
    return 1 <= len(name) <= most and not set(name) & (CONTROL | {"{", "}"}) and not surrogates


@given(texts | st.text(st.sampled_from(sorted(QUEUE_LETTERS)), max_size=140))
@example("a" * 128)
@example("a" * 129)
@example("")
@example("a\n")
@example("é")
@example("٣")
def test_a_queue_name_is_accepted_iff_it_keeps_the_rule(name: str) -> None:
    assert accepted(keys.check_queue, name) == is_queue(name)
    assert accepted(keys.queue_keys, name) == is_queue(name)


@pytest.mark.parametrize("check", [keys.check_job_id, keys.check_gid, keys.check_child_id])
@given(texts)
@example("a" * 256)
@example("a" * 257)
@example("😀" * 256)
@example("")
@example("a\n")
@example("a:b c/ü")
@example("\ud800")
def test_an_id_is_accepted_iff_it_keeps_the_rule(check: Callable[[str], str], name: str) -> None:
    assert accepted(check, name) == is_id(name)
    if is_id(name):
        assert check(name) == name


@given(texts)
@example("a" * 128)
@example("a" * 129)
@example("\ud800")
def test_a_counter_is_accepted_iff_it_keeps_the_rule(name: str) -> None:
    assert accepted(keys.counter_keys, name) == is_id(name, 128)


CHECKS = [
    (keys.check_queue, "queue"),
    (keys.queue_keys, "queue"),
    (keys.check_job_id, "job_id"),
    (keys.check_gid, "gid"),
    (keys.check_child_id, "child_id"),
    (keys.counter_keys, "key"),
]


@pytest.mark.parametrize(("check", "field"), CHECKS)
@given(strange)
def test_what_is_no_str_is_refused_by_name(
    check: Callable[[Any], Any], field: str, value: object
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        check(value)
    assert caught.value.field == field


@given(st.text(st.sampled_from(sorted(QUEUE_LETTERS)), min_size=1, max_size=128))
def test_all_keys_of_a_queue_share_its_hash_tag(queue: str) -> None:
    found = keys.queue_keys(queue)
    assert len(found) == len(set(found)) == 18
    assert all(key.startswith(f"{{{queue}}}:".encode()) for key in found)
    assert keys.wake_key(queue) == f"{{{queue}}}:wake".encode()
    assert keys.wake_key(queue) in found


@given(texts.filter(lambda name: is_id(name, 128)))
def test_the_keys_of_a_counter_share_its_hash_tag(name: str) -> None:
    base = f"{{cc:{name}}}"
    assert keys.counter_keys(name) == tuple(
        f"{base}:{part}".encode() for part in ("count", "done", "finished")
    )


@given(st.text(st.sampled_from(sorted(QUEUE_LETTERS)), min_size=1, max_size=128))
def test_a_queue_is_found_again_from_its_stats_key(queue: str) -> None:
    stats = f"{{{queue}}}:stats"
    assert stats.encode() in keys.queue_keys(queue)
    assert keys.queue_of_stats_key(stats) == queue


@given(texts)
@example("{a}:stat")
@example("{a}")
@example("a:stats")
@example("{a:stats")
@example("{}:stats")
@example("{cc:x}:stats")
@example("{a}:job:1:stats")
@example(":stats")
def test_no_queue_is_found_in_the_keys_of_others(key: str) -> None:
    named = keys.queue_of_stats_key(key)
    if named is not None:
        assert is_queue(named) and f"{{{named}}}" + ":stats" == key
