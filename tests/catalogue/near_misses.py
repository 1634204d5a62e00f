"""Payloads one step away from a valid one: what a careless or an older program might publish.

The steps are blind to the type. Whether it allows the result says an oracle that shares no code
with ours.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import zip_longest
from typing import Any

import orjson
from pydantic import TypeAdapter, ValidationError

from tests.catalogue.kinds import Form
from tests.catalogue.mutations import change_text, change_tree

TEXT_SHARE = 0.25
"""Of the near misses, those damaged as bytes and not as a tree."""
CONTROL_SHARE = 0.2
"""At most so many near misses that are still allowed are kept for one that is not."""


@dataclass(frozen=True)
class NearMiss:
    """`why`: what was done to a valid payload, and where; `breaks`: it is no JSON, or none that
    programs can hold."""

    payload: bytes
    why: str
    breaks: bool = False


@dataclass(frozen=True)
class Case:
    """A near miss of a form, and whether the form's type allows it all the same."""

    form: Form
    near_miss: NearMiss
    allowed: bool


def near_misses(form: Form, rng: random.Random) -> Iterator[NearMiss]:
    """Without end; the same one may come again."""
    samples = [valid_payload(form, sample) for sample in form.samples]
    while True:
        change = change_text if rng.random() < TEXT_SHARE else change_tree
        changed = change(rng.choice(samples), rng)
        yield NearMiss(changed.payload, changed.why, changed.breaks)


def valid_payload(form: Form, sample: Any) -> bytes:
    """What Pydantic alone writes for a sample."""
    return _adapter(form).dump_json(sample, by_alias=True)


def is_allowed(form: Form, payload: bytes) -> bool | None:
    """The oracle: JSON by orjson, and valid for Pydantic alone under its strict rules. None where
    nobody is to say: a number beyond every double, in a field that the type ignores."""
    try:
        value = read(form, payload)
    except Exception:  # a validator of the type's own may raise anything
        return False
    try:
        orjson.loads(payload)
    except orjson.JSONDecodeError:
        return None if _is_json(payload) and _can_be_published(form, value) else False
    return True


def _is_json(payload: bytes) -> bool:
    """By the grammar of RFC 8259, which knows no bounds of numbers."""
    try:
        json.loads(payload.decode(), parse_constant=_refuse)
    except ValueError:
        return False
    return True


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _can_be_published(form: Form, value: Any) -> bool:
    """Not with an infinity in it, which is written as null."""
    try:
        return bool(read(form, valid_payload(form, value)) == value)
    except ValidationError:
        return False


def read(form: Form, payload: bytes) -> Any:
    """The value as Pydantic alone reads it."""
    return _adapter(form).validate_json(payload, strict=True)


def cases_of(form: Form, refused: int, seed: int) -> list[Case]:
    """So many different near misses that the type does not allow, some that it allows, and the
    samples themselves."""
    cases = [
        Case(form, NearMiss(valid_payload(form, sample), "a sample"), True)
        for sample in form.samples
    ]
    seen = {case.near_miss.payload for case in cases}
    wanted = {False: refused, True: int(refused * CONTROL_SHARE)}
    for near_miss in near_misses(form, random.Random(f"{seed} {form.label}")):
        if not wanted[False]:
            break
        if near_miss.payload in seen:
            continue
        seen.add(near_miss.payload)
        allowed = is_allowed(form, near_miss.payload)
        if allowed is not None and wanted[allowed]:
            wanted[allowed] -= 1
            cases.append(Case(form, near_miss, allowed))
    return cases


def collect(forms: Iterable[Form], refused: int, seed: int) -> list[Case]:
    """At least `refused` near misses that are not allowed, evenly from all forms, with the allowed
    ones between them, form after form in turn. The same for the same seed."""
    chosen = list(forms)
    each = -(-refused // len(chosen))
    turns = zip_longest(*(cases_of(form, each, seed) for form in chosen))
    return [case for turn in turns for case in turn if case is not None]


@cache
def _adapter(form: Form) -> TypeAdapter[Any]:
    return TypeAdapter(form.message_type.cls)
