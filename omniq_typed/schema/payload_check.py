"""Checks payloads against a JSON Schema where there is no Python class for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, NoReturn, TypeAlias

import jsonschema_rs
from jsonschema_rs import ValidationErrorKind

from omniq_typed.errors import Fault, InvalidArgument

Json: TypeAlias = dict[str, Any]

MAX_FAULTS = 100
MAX_MESSAGE_CHARS = 500
"""A message of the validator quotes the value that is wrong."""


class PayloadCheck:
    """A schema, ready to check payloads; formats count. Raises InvalidArgument for one that cannot
    be used."""

    def __init__(self, schema: Json) -> None:
        try:
            self._validator = jsonschema_rs.validator_for(
                schema, validate_formats=True, retriever=_refuse_to_fetch
            )
        except (jsonschema_rs.ValidationError, ValueError) as error:
            said = getattr(error, "message", "") or str(error)
            raise InvalidArgument("schema", f"cannot be used: {said}") from error

    def faults(self, payload: Any) -> tuple[Fault, ...]:
        """What is wrong with a payload, as `orjson.loads` gives it: at most 100 faults, each with
        the keyword of the schema as its code."""
        try:
            if self._validator.is_valid(payload):
                return ()
            return tuple(islice(self._found(payload), MAX_FAULTS))
        except ValueError as error:  # nested deeper than the validator goes
            return (Fault("", "nesting", str(error)),)

    def _found(self, payload: Any) -> Iterator[Fault]:
        for error in self._validator.iter_errors(payload):
            yield from _faults_of(error)


def _faults_of(error: jsonschema_rs.ValidationError) -> Iterator[Fault]:
    """At the field that is missing or too much, as Pydantic has it, not at the object around it."""
    place, kind = error.instance_path, error.kind
    if isinstance(kind, ValidationErrorKind.Required):
        yield _fault([*place, str(kind.property)], error.kind.name, error.message)
    elif isinstance(
        kind, (ValidationErrorKind.AdditionalProperties, ValidationErrorKind.UnevaluatedProperties)
    ):
        for name in kind.unexpected:
            yield _fault([*place, name], error.kind.name, "no such field is allowed here")
    else:
        yield _fault(place, error.kind.name, error.message)


def _fault(path: Sequence[str | int], code: str, message: str) -> Fault:
    short = message if len(message) <= MAX_MESSAGE_CHARS else message[:MAX_MESSAGE_CHARS] + "…"
    return Fault(_pointer(path), code, short)


def _pointer(path: Sequence[str | int]) -> str:
    parts = (str(part).replace("~", "~0").replace("/", "~1") for part in path)
    return "".join(f"/{part}" for part in parts)


def _refuse_to_fetch(uri: str) -> NoReturn:
    # What is registered comes from whoever may write to Redis.
    raise ValueError(f"{uri} is not fetched; a schema has all its definitions in itself")
