"""Payloads made up from schemas: valid, the same for the same seed, and of every kind that a schema
leaves room for."""

from __future__ import annotations

import re
from functools import cache
from itertools import islice
from math import inf
from random import Random
from typing import Any

import jsonschema_rs
import orjson
import pytest

from omniq_typed.errors import InvalidArgument
from omniq_typed.messages.codec import decode
from omniq_typed.schema.export import Json, canonical_json, reader_schema, writer_schema
from omniq_typed.schema.regex.regex_parser import UnknownRegex
from omniq_typed.schema.regex.regex_sampling import Texts
from omniq_typed.schema.sampling.sampler import Sampler
from omniq_typed.schema.sampling.text_formats import PATTERNS
from omniq_typed.schema.wire.generator import UNSAID
from tests.catalogue import FORMS, Form

each_form = pytest.mark.parametrize("form", FORMS, ids=lambda form: form.label)


@cache
def views(form: Form) -> tuple[Json, Json]:
    return writer_schema(form.message_type), reader_schema(form.message_type)


def taken(form: Form, schema: Json, payloads: list[Any]) -> None:
    """Valid and, where the schema says all, decoded by the type."""
    validator = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
    told_all = UNSAID.encode() not in canonical_json(views(form)[1])
    for payload in payloads:
        validator.validate(payload)
        try:
            decode(form.message_type, orjson.dumps(payload))
        except Exception:  # a validator of the type's own may raise anything
            assert not told_all, payload


@each_form
def test_payloads_of_every_form_are_valid_and_decoded(form: Form) -> None:
    for schema in views(form):
        sampler = Sampler(schema)
        taken(form, schema, [sampler.smallest(), *sampler.payloads(5)])
        taken(form, schema, list(islice(sampler.systematic(), 20)))


@pytest.mark.slow
@each_form
def test_many_payloads_of_every_form_are_valid_and_decoded(form: Form) -> None:
    for schema in views(form):
        sampler = Sampler(schema, seed=7)
        taken(form, schema, sampler.payloads(200))
        taken(form, schema, list(sampler.systematic()))


def test_a_seed_gives_the_same_payloads() -> None:
    schema = writer_schema(FORMS[0].message_type)
    assert Sampler(schema, seed=1).payloads(5) == Sampler(schema, seed=1).payloads(5)
    assert Sampler(schema, seed=1).payloads(5) != Sampler(schema, seed=2).payloads(5)
    used = Sampler(schema, seed=3)
    used.payloads(3)
    assert used.smallest() == Sampler(schema).smallest()
    assert [*used.systematic()] == [*Sampler(schema).systematic()]


ORDER: Json = {
    "type": "object",
    "properties": {
        "id": {"type": "integer", "minimum": 10, "exclusiveMaximum": 20},
        "state": {"enum": ["new", "paid", None]},
        "note": {"type": "string", "minLength": 2, "maxLength": 4},
        "tags": {"type": "array", "items": {"type": "boolean"}, "maxItems": 3},
        "payer": {
            "anyOf": [
                {"$ref": "#/$defs/Person"},
                {"type": "object", "required": ["firm"], "properties": {"firm": {"const": 1}}},
            ]
        },
    },
    "required": ["id", "state"],
    "additionalProperties": False,
    "$defs": {
        "Person": {
            "type": "object",
            "properties": {"name": {"type": "string"}, "age": {"type": "number", "minimum": 0}},
            "required": ["name"],
        }
    },
}


def test_the_smallest_has_nothing_that_can_be_left_out() -> None:
    assert Sampler(ORDER).smallest() == {"id": 10, "state": None}


def test_the_systematic_ones_differ_at_every_place() -> None:
    found = list(Sampler(ORDER).systematic())
    assert {each["id"] for each in found} >= {10, 11, 18, 19}
    assert {each["state"] for each in found} == {"new", "paid", None}
    for name in ("note", "tags", "payer"):
        assert any(set(each) == {"id", "state", name} for each in found), f"{name} alone"
        assert any(set(ORDER["properties"]) - set(each) == {name} for each in found), f"no {name}"
    assert {len(each["note"]) for each in found if "note" in each} >= {2, 3, 4}
    assert {len(each["tags"]) for each in found if "tags" in each} == {0, 1, 2, 3}
    payers = [each["payer"] for each in found if "payer" in each]
    assert any("firm" in each for each in payers)
    assert any("age" in each for each in payers)
    assert any(set(each) == {"name"} for each in payers)
    assert any(set(each) - {"name", "age", "firm"} for each in payers), "an unknown property"
    keys = [canonical_json(each) for each in found]
    assert len(keys) == len(set(keys)) < 300


def test_random_ones_are_of_every_kind() -> None:
    found = Sampler(ORDER).payloads(300)
    assert {each["id"] for each in found} == set(range(10, 20))
    assert any(len(each.get("tags", [])) == 3 for each in found)
    assert any(not each["note"].isascii() for each in found if "note" in each)
    assert any(each["payer"].get("age", 0) > 1_000 for each in found if "payer" in each)


TREE: Json = {
    "$ref": "#/$defs/Node",
    "$defs": {
        "Node": {
            "type": "object",
            "properties": {
                "left": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]},
                "more": {"type": "array", "items": {"$ref": "#/$defs/Node"}},
            },
            "required": ["left", "more"],
            "additionalProperties": False,
        }
    },
}


def depth(value: Any) -> int:
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + max(map(depth, value), default=0) if isinstance(value, list) else 0


def test_recursive_schemas_have_an_end() -> None:
    sampler = Sampler(TREE)
    assert sampler.smallest() == {"left": None, "more": []}
    depths = {depth(each) for each in sampler.payloads(40)}
    assert max(depths) >= 4
    assert max(depths) < 12
    assert max(len(orjson.dumps(each)) for each in sampler.payloads(40)) < 50_000


KEYWORDS: list[Json] = [
    {"type": ["string", "null"], "maxLength": 3},
    {"allOf": [{"type": "integer", "minimum": 3}, {"type": "number", "maximum": 5}]},
    {"allOf": [{"enum": [1, 2, "x"]}, {"enum": [2, "x", True]}], "type": "integer"},
    {"oneOf": [{"type": "integer", "multipleOf": 6}, {"type": "integer", "multipleOf": 4}]},
    {"type": "integer", "minimum": 10**30},
    {"type": "integer", "minimum": 10**400},
    {"type": "number", "minimum": -(10**400), "maximum": 1.7976931348623157e308},
    {"type": "integer", "multipleOf": 0.5, "minimum": -1.5, "maximum": 1.5},
    {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1e-9},
    {"type": "number", "multipleOf": 0.01, "minimum": 99.95, "maximum": 100},
    {"type": "string", "minLength": 30, "pattern": "^[a-c]+$"},
    {"type": "string", "pattern": "^a", "allOf": [{"pattern": "b$"}, {"pattern": "c"}]},
    {"type": "string", "contentEncoding": "base64"},
    {"type": "string", "format": "uuid", "pattern": "^[0-9A-Fa-f-]{14}4"},
    {"type": "array", "uniqueItems": True, "items": {"enum": [1, 2, 3]}, "minItems": 3},
    {"type": "array", "prefixItems": [{"const": 1}, {"type": "null"}], "items": False},
    {"type": "array", "prefixItems": [{"const": 1}], "items": {"const": 2}, "minItems": 3},
    {"type": "array", "items": {"type": "array", "items": False}, "minItems": 1},
    {"type": "object", "propertyNames": {"pattern": "^k[0-9]$"}, "minProperties": 2},
    {"type": "object", "propertyNames": {"enum": ["a", "b"]}, "additionalProperties": {"const": 1}},
    {
        "type": "object",
        "patternProperties": {"^n": {"type": "null"}, "^i": {"type": "integer"}},
        "additionalProperties": False,
        "minProperties": 1,
    },
    {
        "allOf": [
            {"properties": {"a": {"minimum": 3}}, "required": ["a"]},
            {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"const": 1}}},
        ]
    },
    {
        "allOf": [
            {"type": "object", "additionalProperties": {"type": "integer"}},
            {"required": ["free"], "properties": {"free": {"maximum": 3}}},
        ]
    },
    {"anyOf": [{"anyOf": [{"const": 1}, {"const": 2}]}, {"anyOf": [{"const": 3}, False]}]},
    {"type": "object", "properties": {"a/b": {"const": 1}, "~": True}, "required": ["a/b", "~"]},
    {"type": "object", "dependentRequired": {"a": ["b"]}, "properties": {"a": {"const": 1}}},
    {"not": {"type": "string"}, "type": ["string", "integer"]},
    {},
]


@pytest.mark.parametrize("schema", KEYWORDS, ids=lambda schema: str(schema)[:60])
def test_keywords_in_all_their_combinations(schema: Json) -> None:
    validator = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
    sampler = Sampler(schema)
    found = [sampler.smallest(), *sampler.systematic(), *sampler.payloads(50)]
    assert all(validator.is_valid(each) for each in found)


@pytest.mark.parametrize("format_", sorted(PATTERNS))
def test_formats(format_: str) -> None:
    schema = {"type": "string", "format": format_}
    assert len(set(Sampler(schema).payloads(100))) > 20
    matching = Texts([PATTERNS[format_]])
    validator = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
    made_up = [*matching.varied(), *(matching.random(Random(each)) for each in range(200))]
    assert [each for each in made_up if not validator.is_valid(each)] == []


def test_bounds_are_met_from_both_sides() -> None:
    assert {0.5, 1.5} <= set(
        Sampler({"type": "number", "minimum": 0.5, "maximum": 1.5}).systematic()
    )
    above: list[Any] = [*Sampler({"type": "number", "exclusiveMinimum": 1}).systematic()]
    assert 1 < min(above) < 1.000_000_1
    lengths = {len(each) for each in Sampler({"type": "string", "maxLength": 999}).systematic()}
    assert {0, 1, 998, 999} & lengths >= {0, 1, 999}


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        (False, "at the whole"),
        ({"type": "object", "properties": {"a": False}, "required": ["a"]}, "at the whole"),
        (
            {"type": "object", "properties": {"a": {"type": "integer", "minimum": 2, "maximum": 1}}}
            | {"required": ["a"]},
            "at /a: no integer",
        ),
        (
            {"type": "string", "pattern": "^a$", "allOf": [{"pattern": "^b$"}]},
            "at the whole: no string",
        ),
        ({"type": "string", "pattern": "(?<=a)b"}, "lookbehind"),
        ({"type": "integer", "not": {"type": "integer"}}, "at the whole"),
        (
            {"type": "array", "items": {"const": 1}, "minItems": 2, "uniqueItems": True},
            "at the whole",
        ),
        ({"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}}, "at the whole"),
    ],
)
def test_what_has_no_payload_is_refused_with_its_place(schema: Any, said: str) -> None:
    schema = {"not": {}} if schema is False else schema
    for attempt in (Sampler(schema).payload, Sampler(schema).smallest):
        with pytest.raises(InvalidArgument, match=re.escape(said)):
            attempt()


def test_references_lead_anywhere_in_the_schema() -> None:
    schema: Json = {
        "type": "object",
        "properties": {
            "a/b": {"const": 7},
            "again": {"$ref": "#/properties/a~1b"},
            "inner": {"anyOf": [{"$ref": "#"}, {"type": "null"}]},
            "choice": {"$ref": "#/properties/inner/anyOf/1"},
        },
        "required": ["again", "choice", "inner"],
    }
    assert Sampler(schema).smallest() == {"again": 7, "choice": None, "inner": None}
    assert {depth(each) for each in Sampler(schema).payloads(50)} > {1, 2}


@pytest.mark.parametrize(
    "schema", [{"type": "text"}, {"pattern": "("}, {"$ref": "#/$defs/None"}, {"required": "a"}]
)
def test_what_is_no_schema_is_refused(schema: Json) -> None:
    with pytest.raises(InvalidArgument, match="schema: is no JSON Schema 2020-12"):
        Sampler(schema)


def test_names_that_others_know_are_among_the_unknown_ones() -> None:
    schema: Json = {"type": "object", "properties": {"a": {"type": "null"}}}
    found = list(Sampler(schema, names=["known"]).systematic())
    assert any("known" in each for each in found)
    assert not any("known" in each for each in Sampler(schema).systematic())


REGEXES = [
    r"^[A-Z]{2}-[0-9]{4}$",
    r"^(?=.*[A-Z])(?=.*[0-9])(?!.*foo).{8,}$",
    r"^(?:a|b(?=c))c$",
    "abc",
    "abc$|^x",
    r"^[\p{L}\p{N}_]+(?=\n?$)",
    r"^\w+\s\d{3,5}?$",
    r"^[^\s\S]?\x41\u0042\u{43}[\^\-\]]\$\.$",
    r"^(?<year>[0-9]{4})(?:-(?!00)[0-9]{2}){0,2}$",
    r"^\P{L}+$",
    "^$",
    "",
    r"^(?:[^a-y]|[\]\\]|[a-])*$",
    "(a|b)+?c*",
    "^(?:(?!ab)[ab])*$",
]


@pytest.mark.parametrize("regex", REGEXES)
def test_texts_match_their_regex(regex: str) -> None:
    validator = jsonschema_rs.Draft202012Validator({"pattern": regex})
    texts, rng = Texts([regex]), Random(0)
    found = [texts.shortest(), *texts.varied(), *(texts.random(rng) for _ in range(200))]
    assert [each for each in found if not validator.is_valid(each)] == []


def test_texts_match_several_regexes_and_not_others() -> None:
    between = Texts([r"^\d+\.\d\d$", "^1", "9$"], but_not=["^1[0-9]", "0"])
    rng = Random(0)
    found = {between.random(rng) for _ in range(300)}
    assert found == {f"1.{tenth}9" for tenth in range(1, 10)}
    assert between.shortest() in found
    assert not Texts(["^a+$"], but_not=["^a"]).exist
    assert not Texts(["^a", "^b"]).exist


def test_texts_are_of_a_length() -> None:
    rng = Random(0)
    words = Texts(["^(?:ab)*c?$"])
    assert {len(words.random(rng, 7, 8) or "") for _ in range(50)} == {7, 8}
    assert words.random(rng, 400, inf) is not None
    assert Texts(["^a{3}$"]).random(rng, 4, 9) is None


@pytest.mark.parametrize(
    "regex", ["(", "a)", "[a", "*", r"\b", r"(a)\1", r"\p{Greek}x", "(?<!a)b", r"\uD83D"]
)
def test_regexes_that_are_not_known_are_refused(regex: str) -> None:
    with pytest.raises(UnknownRegex):
        Texts([regex])
