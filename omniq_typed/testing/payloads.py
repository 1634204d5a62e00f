"""`payloads`: Hypothesis strategies of valid messages."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from hypothesis.strategies import SearchStrategy
from pydantic_core import to_json
from typing_extensions import TypeForm

from omniq_typed.errors import InvalidArgument, UndecodableJob
from omniq_typed.messages.message_type import MessageType
from omniq_typed.messages.schema_walk import place_of
from omniq_typed.testing.message_types import message_type_of
from omniq_typed.testing.reading import described, read
from omniq_typed.testing.strategies.compiler import json_strategy
from omniq_typed.testing.strategies.objects import field_names
from omniq_typed.testing.strategies.readers import Sieve

T = TypeVar("T")


def payloads(
    message_type: TypeForm[T] | MessageType[T], /, **overrides: SearchStrategy[Any]
) -> SearchStrategy[T]:
    """Valid instances of a message type, or of any other type that JSON can carry.

    They are read from JSON that is made up along the type's core schema, so each is what a reader
    would get: within every bound, with defaults left out or not. `overrides` are strategies of the
    values of fields, by their Python names, of a union in each member that has the field; what a
    type consists of may be given by `register_strategy`. Raises NoStrategy, with the place, for
    what no values are known of, InvalidArgument for a field that there is not.
    """
    declared: MessageType[T] = message_type_of(message_type, depth=1)
    read = json_payloads(declared, **overrides).map(partial(_read, declared))
    sieve = Sieve(declared.label, "", lambda arrived: str(arrived.objection))
    return sieve.of(read).map(lambda arrived: arrived.value)


def json_payloads(
    message_type: MessageType[Any], **overrides: SearchStrategy[Any]
) -> SearchStrategy[Any]:
    """The JSON of `payloads`, hardly any of which the reader refuses: only what a function of the
    whole type objects to."""
    whole = place_of(message_type.adapter)
    names = field_names(whole)
    for name, strategy in overrides.items():
        if name not in names:
            fields = ", ".join(sorted(names)) or "none"
            raise InvalidArgument(
                name, f"{message_type.label} has no such field that is read; it has {fields}"
            )
        if not isinstance(strategy, SearchStrategy):
            raise InvalidArgument(name, f"{strategy!r} is no strategy; use st.just(...)")
    return json_strategy(message_type.label, whole, message_type.cls, overrides)


@dataclass(frozen=True, slots=True)
class _Arrived:
    """What a reader makes of a payload: a value, or an objection."""

    payload: bytes
    value: Any = None
    objection: str = ""

    def __repr__(self) -> str:
        return self.payload.decode()


def _read(message_type: MessageType[Any], tree: Any) -> _Arrived:
    payload = to_json(tree)
    try:
        return _Arrived(payload, read(message_type, payload))
    except UndecodableJob as error:
        return _Arrived(payload, objection=described(error))
