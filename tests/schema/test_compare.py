"""Why a proof fails: rule, place and a payload."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest

from omniq_typed.schema.compatibility.compare import Break, compare, differing_places
from omniq_typed.schema.compatibility.rules import RULES, Rule
from omniq_typed.schema.export import Json
from omniq_typed.schema.proving.proof import Proof

INT: Json = {"type": "integer"}
TEXT: Json = {"type": "string"}
NULL: Json = {"type": "null"}


def closed(**fields: Any) -> Json:
    return {**opened(**fields), "additionalProperties": False}


def opened(**fields: Any) -> Json:
    return {"type": "object", "properties": fields, "required": list(fields)}


def rows(breaks: tuple[Break, ...]) -> list[str]:
    return [f"{each.rule} {each.pointer}".rstrip() for each in breaks]


def said(comment: str, **schema: Any) -> Json:
    return {"$comment": f"and besides: {comment}", **schema}


def tagged(*kinds: str, make: Any = closed, **more: Any) -> Json:
    return {"anyOf": [make(kind={"const": kind, "type": "string"}, **more) for kind in kinds]}


CASES: dict[str, tuple[Json, Json, list[str]]] = {
    # reader, writer, breaks of {"a": ...}
    "required": (opened(b=INT), closed(), ["field_required /a/b"]),
    "may be left out": (
        opened(b=INT),
        {**closed(b=INT), "required": []},
        ["field_required /a/b"],
    ),
    "forbidden": (closed(b=INT), closed(b=INT, c=INT), ["field_forbidden /a/c"]),
    "forbidden by name": (
        {"type": "object", "properties": {"c": False}},
        closed(c=INT),
        ["field_forbidden /a/c"],
    ),
    "any name is forbidden": (
        closed(b=INT),
        {**opened(b=INT), "additionalProperties": True},
        ["field_forbidden /a/*"],
    ),
    "type": (INT, TEXT, ["type_changed /a"]),
    "types": (INT, {"type": ["integer", "string"]}, ["type_narrowed /a"]),
    "float": (INT, {"type": "number"}, ["type_narrowed /a"]),
    "null": (INT, {"anyOf": [INT, NULL]}, ["null_refused /a"]),
    "null of types": (INT, {"type": ["integer", "null"]}, ["null_refused /a"]),
    "enum": ({"enum": ["x"]}, {"enum": ["x", "y"]}, ["enum_narrowed /a"]),
    "enum of any text": ({"enum": ["x"]}, TEXT, ["enum_narrowed /a"]),
    "const": ({"const": 1}, {"const": 2}, ["const_changed /a"]),
    "const of an enum": ({"const": 1}, {"enum": [1, 2]}, ["enum_narrowed /a"]),
    "tag": (
        tagged("x", make=opened)["anyOf"][0],
        tagged("x", "y"),
        ["const_changed /a/kind"],
    ),
    "choice": (
        tagged("x", "y", make=opened),
        tagged("x", "z", "y"),
        ["union_narrowed /a"],
    ),
    "type of a union": (INT, {"anyOf": [INT, TEXT]}, ["union_narrowed /a"]),
    "field of a choice": (
        tagged("x", "y", make=opened, n=INT),
        tagged("y", n=TEXT),
        ["type_changed /a/n"],
    ),
    "minimum": ({**INT, "minimum": 3}, {**INT, "minimum": 2}, ["bound_tightened /a"]),
    "maximum": (
        {"type": "number", "exclusiveMaximum": 3},
        {"type": "number", "maximum": 3},
        ["bound_tightened /a"],
    ),
    "length": ({**TEXT, "maxLength": 3}, TEXT, ["length_tightened /a"]),
    "size": (
        {"type": "array", "minItems": 1},
        {"type": "array", "items": INT},
        ["length_tightened /a"],
    ),
    "names": (
        {"type": "object", "maxProperties": 1},
        {"type": "object", "additionalProperties": INT},
        ["length_tightened /a"],
    ),
    "multiple": ({**INT, "multipleOf": 4}, {**INT, "multipleOf": 2}, ["multiple_changed /a"]),
    "pattern": ({**TEXT, "pattern": "^a"}, TEXT, ["pattern_changed /a"]),
    "format": ({**TEXT, "format": "date"}, TEXT, ["format_changed /a"]),
    "tuple": (
        {"type": "array", "prefixItems": [INT, INT], "minItems": 2, "maxItems": 2},
        {"type": "array", "prefixItems": [INT], "minItems": 1, "maxItems": 1},
        ["items_changed /a"],
    ),
    "item of a tuple": (
        {"type": "array", "prefixItems": [INT, INT]},
        {"type": "array", "prefixItems": [INT, TEXT], "minItems": 2, "maxItems": 2},
        ["type_changed /a/1"],
    ),
    "item": (
        {"type": "array", "items": opened(b=INT)},
        {"type": "array", "items": closed(b=TEXT)},
        ["type_changed /a/*/b"],
    ),
    "unique": (
        {"type": "array", "uniqueItems": True},
        {"type": "array", "items": INT},
        ["unique_required /a"],
    ),
    "keys": (
        {"type": "object", "propertyNames": {"pattern": "^[0-9]+$"}},
        {"type": "object", "additionalProperties": INT},
        ["keys_changed /a"],
    ),
    "values": (
        {"type": "object", "additionalProperties": INT},
        {"type": "object", "additionalProperties": TEXT},
        ["type_changed /a/*"],
    ),
    "several": (
        opened(b={**INT, "minimum": 0, "maximum": 9}, c=TEXT, d=INT),
        closed(b=INT, c={"anyOf": [TEXT, NULL]}),
        [
            "field_required /a/d",
            "bound_tightened /a/b",
            "bound_tightened /a/b",
            "null_refused /a/c",
        ],
    ),
    "a name with a slash": (
        opened(**{"b/c~d": INT}),
        closed(**{"b/c~d": TEXT}),
        ["type_changed /a/b~1c~0d"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_break_has_its_rule_its_place_and_a_payload(case: str) -> None:
    inner_reader, inner_writer, expected = CASES[case]
    reader, writer = opened(a=inner_reader), closed(a=inner_writer)
    breaks = compare(reader, writer)
    assert rows(breaks) == expected
    written = jsonschema_rs.Draft202012Validator(writer, validate_formats=True)
    taken = jsonschema_rs.Draft202012Validator(reader, validate_formats=True)
    for each in breaks:
        assert each.has_example and each.proof is Proof.NO
        assert written.is_valid(each.example) and not taken.is_valid(each.example)
        assert each.message.endswith(RULES[Rule(each.rule)][1])


def test_the_whole_payload_may_be_the_place() -> None:
    [found] = compare(INT, TEXT)
    assert (found.rule, found.pointer, found.example) == ("type_changed", "", "")


def test_what_is_proven_has_no_breaks() -> None:
    assert compare(opened(a=INT), closed(a=INT, b=TEXT)) == ()


def test_the_payload_is_small() -> None:
    writer = {**closed(a=INT, b=TEXT, c=INT), "required": ["c"]}
    [found] = compare(opened(d=INT), writer)
    assert found.example == {"c": 0}
    [found] = compare({"type": "object", "properties": {"a": TEXT}}, writer)
    assert found.example == {"a": 0, "c": 0}


def test_each_break_has_a_payload_of_its_own() -> None:
    reader = opened(a={**INT, "minimum": 10}, b={**INT, "maximum": 5})
    low, high = compare(reader, closed(a=INT, b=INT))
    assert low.example["a"] < 10 and high.example["b"] > 5


def test_recursive_types_are_explained_once() -> None:
    def tree(value: Json) -> Json:
        node = closed(value=value, inner={"type": "array", "items": {"$ref": "#/$defs/Tree"}})
        return {"$ref": "#/$defs/Tree", "$defs": {"Tree": node}}

    [found] = compare(tree(INT), tree({"anyOf": [INT, TEXT]}))
    assert (found.rule, found.pointer) == ("union_narrowed", "/value")
    assert found.has_example and isinstance(found.example["value"], str)


def test_a_shared_type_is_explained_wherever_it_is_used() -> None:
    def order(value: Json) -> Json:
        reference = {"$ref": "#/$defs/Money"}
        return {**closed(net=reference, gross=reference), "$defs": {"Money": closed(value=value)}}

    assert rows(compare(order(INT), order(TEXT))) == [
        "type_changed /net/value",
        "type_changed /gross/value",
    ]


def test_code_is_told_without_a_payload_unless_somebody_knows_one() -> None:
    f = "a Python function check_total 1234abcd (after)"
    reader, writer = opened(a=said(f, **INT)), closed(a=INT)
    [found] = compare(reader, writer)
    assert (found.rule, found.pointer) == ("validator_changed", "/a")
    assert found.proof is Proof.UNKNOWN and not found.has_example
    assert "check_total 1234abcd" in found.message
    [found] = compare(reader, writer, refuses=lambda payload: payload["a"] > 1)
    assert found.proof is Proof.NO and found.example["a"] > 1
    [found] = compare(reader, closed(a=said("ge 5", **INT)))
    assert "the writer has ge 5" in found.message


def test_code_and_words_are_told_side_by_side() -> None:
    f = "a Python function f 1234abcd (after)"
    assert rows(compare(opened(a=said(f, **INT)), closed(a=TEXT))) == [
        "validator_changed /a",
        "type_changed /a",
    ]


@pytest.mark.parametrize(
    "reader",
    [
        {"type": "object", "not": {"required": ["b"]}},
        {"type": "object", "if": {"required": ["a"]}, "then": {"required": ["c"]}},
    ],
)
def test_other_words_are_told_as_such(reader: Json) -> None:
    writer = {"type": "object", "properties": {"a": INT, "b": INT}, "additionalProperties": False}
    [found] = compare(reader, writer)
    assert (found.rule, found.pointer, found.has_example) == ("not_proven", "", True)


def test_no_schema_and_no_time_are_told_as_such() -> None:
    [found] = compare({"type": 7}, INT)
    assert (found.rule, found.has_example) == ("not_proven", False)
    [found] = compare(opened(a=INT), closed(a=TEXT), limit_s=0)
    assert found.rule == "not_proven" and "too long" in found.message


@pytest.mark.parametrize(
    "odd",
    [
        {"type": "string", "pattern": "("},
        {"type": "object", "patternProperties": {"(": INT}},
        {"$ref": "#/$defs/Missing"},
        {"$ref": "https://example.com/schema.json"},
        {"$ref": "#"},
        {"$id": "https://example.com/a", "$ref": "#/$defs/A", "$defs": {"A": INT}},
        {"$dynamicRef": "#node"},
        {"enum": []},
        {"not": {}},
    ],
)
def test_odd_schemas_do_not_crash_it(odd: Json) -> None:
    assert compare(opened(a=odd), closed(a={"type": "boolean"})) != ()
    assert isinstance(compare(opened(a={"type": "boolean"}), closed(a=odd)), tuple)


def test_each_rule_is_explained() -> None:
    assert set(RULES) == set(Rule)
    assert all(text for row in RULES.values() for text in row)


def test_where_two_schemas_differ() -> None:
    one = closed(a=INT, b=TEXT, c=INT)
    assert differing_places(one, one) == []
    assert differing_places(one, closed(a=TEXT, b=TEXT, d=INT)) == ["/a", "/c", "/d"]
