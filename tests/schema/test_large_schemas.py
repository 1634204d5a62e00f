"""Schemas that a proof could be lost in: of 200 fields, of unions of unions, recursive ones. None
takes much longer than it may, and none crashes."""

from __future__ import annotations

import time
from itertools import islice
from typing import Any

import jsonschema_rs
import pytest
from pydantic import BaseModel, create_model

from omniq_typed import MessageType
from omniq_typed.schema.export import Json, reader_schema, writer_schema
from omniq_typed.schema.proving.proof import Proof, covers
from omniq_typed.schema.sampling.sampler import Sampler
from tests.catalogue import FORMS

pytestmark = pytest.mark.slow

LIMIT_S = 2.0
SLACK_S = 3.0
"""For a machine that has other things to do."""


def views(cls: Any) -> tuple[Json, Json]:
    its_type: MessageType[Any] = MessageType("large", 1, cls, strict_types=False)
    return reader_schema(its_type), writer_schema(its_type)


def verdict(reader: Json, writer: Json) -> Proof:
    start = time.monotonic()
    found = covers(reader, writer, limit_s=LIMIT_S)
    assert time.monotonic() - start < LIMIT_S + SLACK_S
    return found


def wide(fields: int, **more: Any) -> type[BaseModel]:
    """With fields of all types of the catalogue's models, one after the other."""
    types = [form.message_type.cls for form in FORMS if form.style == "model"]
    declared: dict[str, Any] = {
        f"field_{at}": (types[at % len(types)] if at % 3 else int | None, ...)
        for at in range(fields)
    }
    return create_model("Wide", **declared, **more)


@pytest.fixture(scope="module")
def wide_views() -> dict[str, tuple[Json, Json]]:
    return {
        "plain": views(wide(200)),
        "optional added": views(wide(200, note=(str | None, None))),
        "required added": views(wide(200, note=(str, ...))),
    }


def test_200_fields(wide_views: dict[str, tuple[Json, Json]]) -> None:
    reader, writer = wide_views["plain"]
    assert verdict(reader, writer) is Proof.YES
    assert verdict(wide_views["optional added"][0], writer) is Proof.YES
    assert verdict(reader, wide_views["required added"][1]) is Proof.YES
    assert verdict(wide_views["required added"][0], writer) is not Proof.YES


def test_200_fields_can_be_made_up(wide_views: dict[str, tuple[Json, Json]]) -> None:
    sampler = Sampler(wide_views["plain"][1])
    assert len(sampler.payload()) == 200
    assert len(list(islice(sampler.systematic(), 20))) == 20


def choice(name: str, inner: list[str]) -> Json:
    return {
        "type": "object",
        "properties": {
            "kind": {"const": name},
            "inner": {"anyOf": [{"$ref": f"#/$defs/{each}"} for each in inner] or [True]},
        },
        "required": ["kind", "inner"],
        "additionalProperties": False,
    }


def unions_of_unions(levels: int, width: int, leaf: str) -> Json:
    """Each choice of a level holds a union of all of the next."""
    names = [[f"L{level}C{at}" for at in range(width)] for level in range(levels)]
    definitions: Json = {"Leaf": {"type": leaf}}
    for level, group in enumerate(names):
        below = names[level + 1] if level + 1 < levels else ["Leaf"]
        definitions |= {name: choice(name, below) for name in group}
    return {"anyOf": [{"$ref": f"#/$defs/{name}"} for name in names[0]], "$defs": definitions}


def all_with_all(width: int, leaf: str) -> Json:
    """Recursive: each choice may hold any."""
    names = [f"C{at}" for at in range(width)]
    definitions = {name: choice(name, [*names, "Leaf"]) for name in names}
    top = {"anyOf": [{"$ref": f"#/$defs/{name}"} for name in names]}
    return {**top, "$defs": {**definitions, "Leaf": {"type": leaf}}}


def crossed(demands: int, width: int) -> Json:
    """All combinations of so many choices, as `allOf` of `anyOf`s."""
    choices = [
        {
            "anyOf": [
                {"properties": {f"p{demand}": {"const": at}}, "required": [f"p{demand}"]}
                for at in range(width)
            ]
        }
        for demand in range(demands)
    ]
    return {"type": "object", "allOf": choices}


def chained(length: int) -> Json:
    """References that lead to references."""
    definitions: Json = {f"D{at}": {"$ref": f"#/$defs/D{at + 1}"} for at in range(length)}
    return {"$ref": "#/$defs/D0", "$defs": {**definitions, f"D{length}": {"type": "integer"}}}


def nested(depth: int) -> Json:
    found: Json = {"type": "integer"}
    for _ in range(depth):
        found = {"type": "array", "items": found}
    return found


LARGE: dict[str, tuple[Json, Json]] = {
    "unions of unions": (unions_of_unions(4, 6, "number"), unions_of_unions(4, 6, "integer")),
    "unions of unions, a break": (
        unions_of_unions(4, 6, "integer"),
        unions_of_unions(4, 6, "number"),
    ),
    "all with all": (all_with_all(15, "number"), all_with_all(15, "integer")),
    "all with all, a break": (all_with_all(15, "integer"), all_with_all(15, "number")),
    "crossed": (crossed(12, 6), crossed(12, 6)),
    "crossed, a break": (crossed(12, 6), crossed(12, 7)),
    "chained": (chained(300), chained(300)),
    "nested": (nested(100), nested(100)),
}
PROVEN = ("unions of unions", "all with all", "chained", "nested")


@pytest.mark.parametrize("name", LARGE)
def test_neither_hangs_nor_crashes(name: str) -> None:
    reader, writer = LARGE[name]
    found = verdict(reader, writer)
    assert found is Proof.YES or name not in PROVEN
    assert found is not Proof.YES or "break" not in name
    takes = jsonschema_rs.Draft202012Validator(writer).is_valid
    assert all(map(takes, Sampler(writer).payloads(5)))


def test_a_reference_to_itself_is_no_proof() -> None:
    itself: Json = {"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}}
    assert verdict({"type": "string"}, {"type": "integer"}) is Proof.NO
    assert verdict({**itself, "type": "string"}, {**itself, "type": "integer"}) is not Proof.YES
