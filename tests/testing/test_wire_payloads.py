"""`wire_payloads`: the JSON of stored schemas, whether their classes exist or not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from pydantic import BaseModel
from pydantic_core import to_json

from omniq_typed import Registry, message
from omniq_typed.errors import InvalidArgument, NoStrategy
from omniq_typed.messages.codec import decode
from omniq_typed.schema import files
from omniq_typed.schema.export import writer_schema
from omniq_typed.schema.history import read_history
from omniq_typed.testing import wire_payloads
from omniq_typed.testing.strategies.json_schemas import valid_json
from tests.catalogue import REGISTRY as CATALOGUE_REGISTRY
from tests.testing.drawing import drawn
from tests.testing.realistic_types import REGISTRY, TYPES

# Their validators refuse what no schema can tell.
BEYOND_A_SCHEMA = {
    *("catalogue.validated.model", "catalogue.seconds.model", "catalogue.ip_network.model"),
    *("types.booked", "types.scheduled", "types.delivery", "types.coupon", "types.firewall_rule"),
}


@pytest.mark.slow
def test_they_are_valid_and_read_by_the_class() -> None:
    for message_type in TYPES:
        known = REGISTRY if message_type.name.startswith("types.") else CATALOGUE_REGISTRY
        strategy = wire_payloads(message_type.name, message_type.version, schemas=known)
        validator = jsonschema_rs.Draft202012Validator(
            writer_schema(message_type), validate_formats=True
        )
        found = drawn(strategy, 3)
        assert found
        for tree in found:
            validator.validate(tree)
            if message_type.name not in BEYOND_A_SCHEMA:
                decode(message_type, to_json(tree))


def test_a_class_that_is_gone_lives_on_in_the_folder(tmp_path: Path) -> None:
    old = Registry(strict_types=False)

    @message("orders.placed", version=1, registry=old)
    class Placed(BaseModel):
        total: int
        note: str | None = None

    files.write(tmp_path, old.types())
    for schemas in (tmp_path, str(tmp_path), read_history(tmp_path)):
        found = drawn(wire_payloads("orders.placed", 1, schemas=schemas), 30)
        assert all(set(tree) == {"total", "note"} for tree in found)
        assert {type(tree["note"]) for tree in found} == {str, type(None)}


def test_what_is_not_stored_is_said(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match=r"has no schemas of orders.placed"):
        wire_payloads("orders.placed", 1, schemas=tmp_path)
    with pytest.raises(InvalidArgument, match=r"of types.coupon there are v1, no v7"):
        wire_payloads("types.coupon", 7, schemas=REGISTRY)


SCHEMAS: list[dict[str, Any]] = [
    {"type": "string", "pattern": "^[a-c]+$", "minLength": 3, "maxLength": 4},
    {"type": "string", "format": "date-time"},
    {"type": "integer", "minimum": 3, "exclusiveMaximum": 9, "multipleOf": 2},
    {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
    {"type": "array", "items": {"type": "boolean"}, "uniqueItems": True, "minItems": 2},
    {"type": "array", "prefixItems": [{"const": 1}, {"type": "string"}], "items": False},
    {
        "type": "array",
        "prefixItems": [{"const": 1}, {"type": "string"}],
        "items": {"type": "null"},
        "minItems": 3,
    },
    {
        "type": "object",
        "patternProperties": {"^i_": {"type": "integer"}, "^s_": {"type": "string"}},
        "additionalProperties": False,
        "minProperties": 1,
    },
    {
        "type": "object",
        "propertyNames": {"enum": ["a", "b", "c"]},
        "additionalProperties": {"type": "integer"},
        "maxProperties": 2,
    },
    {
        "$ref": "#/$defs/Tree",
        "$defs": {
            "Tree": {
                "type": "object",
                "properties": {"inner": {"type": "array", "items": {"$ref": "#/$defs/Tree"}}},
                "required": ["inner"],
                "additionalProperties": False,
            }
        },
    },
    {
        "allOf": [
            {"anyOf": [{"type": "integer"}, {"type": "string"}]},
            {"minLength": 2, "minimum": 5},
        ]
    },
    {"enum": ["x", 1, None]},
    {},
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=str)
def test_the_words_of_json_schema_are_kept(schema: dict[str, Any]) -> None:
    validator = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
    found = drawn(valid_json("a schema", schema), 30)
    assert found and all(validator.is_valid(each) for each in found)
    assert len({str(each) for each in found}) > 1


def test_a_schema_that_allows_nothing_is_refused() -> None:
    with pytest.raises(NoStrategy, match="allows nothing"):
        valid_json("a schema", {"type": "string", "allOf": [{"type": "integer"}]})
    with pytest.raises(NoStrategy, match=r"/name: .*matches"):
        valid_json(
            "a schema",
            {
                "type": "object",
                "properties": {"name": {"type": "string", "pattern": "^a$", "minLength": 2}},
                "required": ["name"],
            },
        )
