"""`near_miss`: payloads one step away from valid ones, that their type refuses."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy
from pydantic_core import from_json, to_json
from typing_extensions import TypeForm

from omniq_typed.errors import UndecodableJob
from omniq_typed.messages.message_type import MessageType
from omniq_typed.messages.schema_walk import place_of, pointer
from omniq_typed.testing.message_types import message_type_of
from omniq_typed.testing.mutations.here import Readers
from omniq_typed.testing.mutations.rules import Rule, changed
from omniq_typed.testing.mutations.walk import changes_of
from omniq_typed.testing.payloads import json_payloads
from omniq_typed.testing.reading import read
from omniq_typed.testing.strategies.readers import Sieve

__all__ = ["NearMiss", "Rule", "near_miss"]


@dataclass(frozen=True, slots=True)
class NearMiss:
    """A payload that its type refuses.

    `pointer`: JSON pointer of what is wrong ('' is the whole; of a missing field, where it would
    be); `rule`: what kind of rule it breaks; `why`: place and rule for people; `valid`: the payload
    before the change.
    """

    payload: bytes
    pointer: str
    rule: Rule
    why: str
    valid: bytes

    @property
    def json(self) -> Any:
        """The payload as Python has it."""
        return from_json(self.payload)

    def __repr__(self) -> str:
        return f"NearMiss({self.payload.decode()}, {self.why})"


def near_miss(message_type: TypeForm[Any] | MessageType[Any], /) -> SearchStrategy[NearMiss]:
    """Near misses of a message type: valid payloads in which one rule is broken at one place, the
    nested ones too, each refused by the decoder. Raises NoStrategy as `payloads`, also for a type
    that takes everything."""
    declared: MessageType[Any] = message_type_of(message_type, depth=1)
    advice = "Only a type that refuses something has near misses"
    sieve = Sieve(declared.label, "", partial(_doubt, declared), advice)
    return sieve.of(_broken(declared, json_payloads(declared), Readers(declared.label)))


@st.composite
def _broken(
    draw: DrawFn, message_type: MessageType[Any], trees: SearchStrategy[Any], readers: Readers
) -> NearMiss | bytes:
    """A rule first, so that rare rules are not rare. The payload itself if none can be broken."""
    tree = draw(trees)
    changes = changes_of(place_of(message_type.adapter), tree, readers)
    if not changes:
        return to_json(tree)
    rule = draw(st.sampled_from(sorted({each.rule for each in changes}, key=[*Rule].index)))
    change = draw(st.sampled_from([each for each in changes if each.rule is rule]))
    payload = to_json(changed(tree, change.path, draw(change.values())))
    where = pointer(str(part) for part in change.subject)
    why = f"{where or 'the whole'}: {rule} ({change.detail})"
    return NearMiss(payload, where, rule, why, to_json(tree))


def _doubt(message_type: MessageType[Any], miss: NearMiss | bytes) -> str:
    """The objection to a near miss: that it is none."""
    if isinstance(miss, bytes):
        return "nothing in it can be broken"
    try:
        read(message_type, miss.payload)
    except UndecodableJob:
        return ""
    return "it is valid all the same"
