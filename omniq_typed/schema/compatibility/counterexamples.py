"""Payloads that a writer may write and a reader refuses: made up for the place where it fails, else
found among samples; each verified against both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import islice
from typing import Any, TypeAlias

import jsonschema_rs

from omniq_typed.errors import InvalidArgument
from omniq_typed.schema.compatibility.failures import Failure, Path
from omniq_typed.schema.proving.documents import Document, Schema
from omniq_typed.schema.proving.places import OTHER
from omniq_typed.schema.sampling.sampler import Sampler

Json: TypeAlias = dict[str, Any]
Refuses: TypeAlias = Callable[[Any], bool]

_AT_THE_PLACE = 12
"""Samples of each schema of what is refused."""
_SYSTEMATIC = 150
_AT_RANDOM = 50
_MOST_ERRORS = 50


class Counterexamples:
    """Of a reader and a writer, as exported. `refuses`: whether the reader refuses a payload, where
    somebody knows better than its schema. Raises ValueError for a schema that nobody can use: with
    a pattern that is none, or a reference that leads nowhere."""

    def __init__(self, reader: Json, writer: Json, refuses: Refuses | None) -> None:
        self._written = Document(writer)
        self._writer = writer
        self._is_written = _validator(writer)
        self._takes = _validator(reader)
        self._refuses = refuses

    def of(self, failure: Failure) -> list[Any]:
        """One for a failure; none where none is found."""
        found = (each for each in self._tries(failure) if self._breaks(each, failure.path))
        return list(islice(found, 1))

    def _tries(self, failure: Failure) -> Iterator[Any]:
        yield from self._made_up(failure)
        yield from self._samples

    def _made_up(self, failure: Failure) -> Iterator[Any]:
        for refused in (*failure.refused, True):
            here = {"allOf": [*failure.writer.schemas, refused]}
            whole = [self._written.root, _with_inside(failure.above, here)]
            yield from _samples(self._written.standalone(whole), 1, _AT_THE_PLACE)

    @cached_property
    def _samples(self) -> list[Any]:
        return list(_samples(self._writer, _SYSTEMATIC, _AT_RANDOM))

    def _breaks(self, payload: Any, path: Path) -> bool:
        if not self._is_written.is_valid(payload):
            return False
        errors = list(islice(self._takes.iter_errors(payload), _MOST_ERRORS))
        if errors:
            return any(_is_at(path, each.instance_path) for each in errors)
        return self._refuses is not None and self._refuses(payload)


def _samples(schema: Schema, systematic: int, at_random: int) -> Iterator[Any]:
    """None of a schema of which no payload can be made up."""
    try:
        sampler = Sampler(schema)
        yield from islice(sampler.systematic(), systematic)
        for _ in range(at_random):
            yield sampler.payload()
    except (InvalidArgument, ValueError, LookupError, RecursionError):
        return


def _with_inside(path: Path, schema: Schema) -> Schema:
    """What has a value of a schema at a place."""
    for step in reversed(path):
        if step.is_item and step.name != OTHER:
            index = int(step.name)
            before = [True] * index
            schema = {"type": "array", "prefixItems": [*before, schema], "minItems": index + 1}
        elif step.is_item:
            schema = {"type": "array", "items": schema, "minItems": 1}
        elif step.name == OTHER:
            schema = {"type": "object", "additionalProperties": schema, "minProperties": 1}
        else:
            fields = {step.name: schema}
            schema = {"type": "object", "properties": fields, "required": [step.name]}
    return schema


def _is_at(path: Path, place: list[str | int]) -> bool:
    """Whether what is said of one place may be about the other: one of them is in the other."""
    pairs = zip(path, place, strict=False)
    return all(step.name in (OTHER, str(found)) for step, found in pairs)


def _validator(schema: Schema) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True, offline=True)
