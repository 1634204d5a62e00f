"""`near_miss`: every rule is broken somewhere, at one place at a time, and both ends refuse it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import is_dataclass
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

import pytest
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    Field,
    NaiveDatetime,
    PastDate,
    create_model,
)
from pydantic_core import from_json

from omniq_typed import MessageType
from omniq_typed.errors import InvalidPayload, NoStrategy, UndecodableJob
from omniq_typed.messages.codec import decode, encode
from omniq_typed.testing import NearMiss, Rule, near_miss
from omniq_typed.testing.mutations.rules import changed
from tests.catalogue import FORMS
from tests.testing.drawing import drawn
from tests.testing.realistic_types import TYPES

FEW = 3


def misses_of(declared: Any, count: int = 200) -> list[NearMiss]:
    """Of a type that a model has as its field `value`."""

    holder: Any = create_model("Holder", value=(declared, ...))
    return drawn(near_miss(holder), count)


def rules_of(declared: Any, count: int = 80) -> set[Rule]:
    return {each.rule for each in misses_of(declared, count) if each.pointer.startswith("/value")}


def test_all_are_refused_by_the_decoder_and_made_of_what_it_takes() -> None:
    rules: Counter[Rule] = Counter()
    for message_type in TYPES:
        for miss in drawn(near_miss(message_type), FEW):
            rules[miss.rule] += 1
            with pytest.raises(UndecodableJob):
                decode(message_type, miss.payload)
            decode(message_type, miss.valid)
    assert sum(rules.values()) > len(TYPES) * FEW * 0.8
    assert len(rules) > 10


def test_they_differ_from_a_valid_payload_at_the_place_that_they_name() -> None:
    for message_type in TYPES:
        for miss in drawn(near_miss(message_type), 2):
            before, after = from_json(miss.valid), miss.json
            assert before != after
            places = list(differing(before, after))
            within = miss.pointer.rpartition("/")[0]
            assert all(place.startswith(within) for place in places), miss
            assert miss.why.startswith(f"{miss.pointer or 'the whole'}: {miss.rule}")


def differing(one: Any, other: Any, path: str = "") -> Iterator[str]:
    if type(one) is not type(other) or not isinstance(one, dict | list):
        if one != other:
            yield path
        return
    if isinstance(one, list):
        if len(one) != len(other):
            yield path
            return
        one, other = dict(enumerate(one)), dict(enumerate(other))
    for key in {**one, **other}:
        step = str(key).replace("~", "~0").replace("/", "~1")
        if key not in one or key not in other:
            yield f"{path}/{step}"
        else:
            yield from differing(one[key], other[key], f"{path}/{step}")


# What each rule is broken by


class Sealed(BaseModel, extra="forbid"):
    name: str


class Card(BaseModel):
    kind: Literal["card"] = "card"
    last4: Annotated[str, Field(pattern="^[0-9]{4}$")]


class Cash(BaseModel):
    kind: Literal["cash"] = "cash"


def _even(value: int) -> int:
    if value % 2:
        raise ValueError("odd")
    return value


BREACHES: list[tuple[Any, set[Rule]]] = [
    (Annotated[int, Field(ge=1, multiple_of=3)], {Rule.BOUND, Rule.MULTIPLE}),
    (Annotated[float, Field(lt=5, multiple_of=0.5)], {Rule.BOUND, Rule.MULTIPLE}),
    (
        Annotated[Decimal, Field(max_digits=5, decimal_places=2, gt=0)],
        {Rule.BOUND, Rule.DIGITS, Rule.FORMAT},
    ),
    (Annotated[str, Field(min_length=2, max_length=3)], {Rule.LENGTH}),
    (Annotated[str, Field(pattern="^a+$")], {Rule.PATTERN}),
    (AwareDatetime, {Rule.TIMEZONE, Rule.FORMAT}),
    (NaiveDatetime, {Rule.TIMEZONE, Rule.FORMAT}),
    (PastDate, {Rule.BOUND, Rule.FORMAT}),
    (Annotated[date, Field(le=date(2024, 1, 1))], {Rule.BOUND, Rule.FORMAT}),
    (Literal["a", 7], {Rule.ENUM}),
    (Annotated[list[int], Field(min_length=1, max_length=2)], {Rule.LENGTH}),
    (tuple[int, str], {Rule.LENGTH}),
    (dict[Annotated[str, Field(pattern="^k$")], int], {Rule.KEY}),
    (dict[date, int], {Rule.KEY}),
    (Sealed, {Rule.EXTRA, Rule.REQUIRED}),
    (list[Sealed], {Rule.EXTRA, Rule.REQUIRED}),
    (Annotated[Card | Cash, Field(discriminator="kind")], {Rule.TAG, Rule.PATTERN}),
    (Annotated[int, AfterValidator(_even)], {Rule.VALIDATOR}),
    (int | None, {Rule.TYPE}),
]


@pytest.mark.parametrize(
    ("declared", "rules"), BREACHES, ids=[str(declared)[:50] for declared, _ in BREACHES]
)
def test_each_rule_of_a_type_is_broken(declared: Any, rules: set[Rule]) -> None:
    assert rules <= rules_of(declared)


def test_every_rule_is_among_them() -> None:
    assert set.union(*(rules for _, rules in BREACHES)) == set(Rule)


def test_what_is_nested_is_broken_where_it_lies() -> None:
    pointers = {each.pointer for each in misses_of(list[list[Card]], 120)}
    assert {"", "/value", "/value/0", "/value/0/0/last4"} <= pointers


def test_a_union_that_takes_anything_else_instead_is_no_near_miss() -> None:
    assert Rule.BOUND not in rules_of(Annotated[int, Field(ge=5)] | int)


def test_a_type_that_takes_everything_has_none() -> None:
    with pytest.raises(NoStrategy, match=r"Only a type that refuses something has near misses"):
        drawn(near_miss(Any))


def test_a_pointer_escapes_what_pointers_mean() -> None:
    class Odd(BaseModel):
        value: int = Field(alias="a/b~c")

    assert "/a~1b~0c" in {each.pointer for each in drawn(near_miss(Odd), 30)}


# Both ends


@pytest.mark.parametrize("count", [2, pytest.param(10, marks=pytest.mark.slow)])
def test_the_publisher_refuses_them_too(count: int) -> None:
    """Values that nobody checked, with the broken part of a near miss put into a valid one."""
    refused: Counter[Rule] = Counter()
    for form in FORMS:
        for miss in drawn(near_miss(form.message_type), count):
            value = unchecked(form.message_type, miss)
            if value is None:
                continue
            with pytest.raises(InvalidPayload):
                encode(form.message_type, value)
            refused[miss.rule] += 1
    assert sum(refused.values()) > 30 * count
    if count > 2:
        assert set(Rule) - set(refused) <= {Rule.EXTRA, Rule.KEY, Rule.TAG}


def unchecked(message_type: MessageType[Any], miss: NearMiss) -> Any:
    """A valid instance with a field that is wrong, or missing, as in the near miss; None where it
    is not about a field of the outermost object by its own name."""
    value: Any = decode(message_type, miss.valid)
    name = miss.pointer[1:]
    if not name.isidentifier() or not isinstance(miss.json, dict):
        return None
    if not isinstance(value, BaseModel | dict) and not is_dataclass(value):
        return None
    if isinstance(value, dict):
        return miss.json if name in value else None
    if name not in vars_of(value):
        return None
    if name in miss.json:
        object.__setattr__(value, name, miss.json[name])
    else:
        object.__delattr__(value, name)
        if hasattr(value, name):  # the class has a default of that name
            return None
    return value


def vars_of(value: Any) -> list[str]:
    if isinstance(value, BaseModel):
        return list(type(value).model_fields)
    return list(value.__dataclass_fields__)


def test_changed_puts_a_value_where_the_path_leads() -> None:
    tree = {"a": [1, {"b": 2}], "c": 3}
    assert changed(tree, ("a", 1, "b"), "x") == {"a": [1, {"b": "x"}], "c": 3}
    assert changed(tree, (), None) is None
    assert tree == {"a": [1, {"b": 2}], "c": 3}
