"""Proofs: what is proven, and above all what must not be."""

from __future__ import annotations

import itertools
import subprocess
import time
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, create_model

from omniq_typed import MessageType
from omniq_typed.schema.export import Json, reader_schema, writer_schema
from omniq_typed.schema.proving.documents import Document
from omniq_typed.schema.proving.proof import Proof, covers, library_says_yes
from omniq_typed.schema.proving.prover import Prover
from tests.catalogue import FORMS, Form

YES, NO, UNKNOWN = Proof.YES, Proof.NO, Proof.UNKNOWN
INT: Json = {"type": "integer"}
TEXT: Json = {"type": "string"}


def closed(**fields: Any) -> Json:
    """An object of these fields and no others."""
    return {**opened(**fields), "additionalProperties": False}


def opened(**fields: Any) -> Json:
    return {"type": "object", "properties": fields, "required": list(fields)}


def said(comment: str, **schema: Any) -> Json:
    return {"$comment": f"and besides: {comment}", **schema}


def function(name: str, digest: str = "00000000") -> str:
    return f"a Python function {name} {digest} (after)"


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.label)
def test_each_type_reads_what_it_writes(form: Form) -> None:
    reader, writer = reader_schema(form.message_type), writer_schema(form.message_type)
    assert covers(reader, writer) is YES


@pytest.mark.parametrize(
    ("reader", "writer", "verdict"),
    [
        ({"type": "number"}, INT, YES),
        (INT, TEXT, NO),
        (opened(a=INT), closed(a=INT, b=TEXT), YES),
        (closed(a=INT), closed(a=INT, b=TEXT), NO),
        ({"anyOf": [INT, TEXT]}, {"anyOf": [TEXT, INT]}, YES),
        ({"anyOf": [INT, TEXT]}, {"type": ["integer", "null"]}, NO),
        ({}, {"anyOf": []}, UNKNOWN),  # no schema
    ],
)
def test_plain_schemas_are_judged(reader: Json, writer: Json, verdict: Proof) -> None:
    assert covers(reader, writer) is verdict


# Recursive schemas


def tree(value: Json, **more: Any) -> Json:
    node = {"value": value, "inner": {"type": "array", "items": {"$ref": "#/$defs/Tree"}}, **more}
    return {"$ref": "#/$defs/Tree", "$defs": {"Tree": closed(**node)}}


def test_recursive_types_are_compared_by_induction() -> None:
    assert covers(tree({"type": "number"}), tree(INT)) is YES
    assert covers(tree(INT), tree({"type": "number"})) is not YES
    assert covers(tree(INT, more=INT), tree(INT)) is not YES
    assert covers(opened(value=INT, inner=True), tree(INT)) is YES
    assert covers(tree(INT), closed(value=INT, inner={"type": "array", "maxItems": 0})) is YES


def test_types_that_hold_one_another_are_too() -> None:
    def pair(value: Json) -> Json:
        definitions = {
            "One": closed(two={"anyOf": [{"$ref": "#/$defs/Two"}, {"type": "null"}]}),
            "Two": closed(one={"$ref": "#/$defs/One"}, value=value),
        }
        return {"$ref": "#/$defs/One", "$defs": definitions}

    assert covers(pair({"type": "number"}), pair(INT)) is YES
    assert covers(pair(TEXT), pair(INT)) is not YES


@pytest.mark.parametrize(
    "circle",
    [
        {"A": {"$ref": "#/$defs/A"}},
        {"A": {"anyOf": [{"$ref": "#/$defs/A"}, TEXT]}},
        {"A": {"allOf": [{"$ref": "#/$defs/B"}, {}]}, "B": {"$ref": "#/$defs/A"}},
    ],
)
def test_a_circle_without_a_step_down_proves_nothing(circle: Json) -> None:
    """Even where it is the same on both sides: nobody knows what it allows."""
    schema = {"$ref": "#/$defs/A", "$defs": circle}
    assert covers(schema, INT) is not YES
    assert covers(TEXT, {**schema, "anyOf": [INT]}) is not YES


def test_what_failed_on_the_way_is_not_taken_for_proven() -> None:
    """The first choice takes the writer's `inner` for a while, and then fails by its `value`."""
    choice = {"inner": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]}}
    node: Json = {
        "anyOf": [
            {"$ref": "#/$defs/Wrong"},
            closed(**choice, value=INT),
        ]
    }
    reader = {
        "$ref": "#/$defs/Node",
        "$defs": {"Node": node, "Wrong": closed(**choice, value=TEXT)},
    }
    written = {"inner": {"anyOf": [{"$ref": "#/$defs/N"}, {"type": "null"}]}}
    writer = {"$ref": "#/$defs/N", "$defs": {"N": closed(**written, value=INT)}}
    assert covers(reader, writer) is YES
    number = {"$ref": "#/$defs/N", "$defs": {"N": closed(**written, value={"type": "number"})}}
    assert covers(reader, number) is not YES


def failing() -> tuple[Json, Json]:
    """A recursive reader, and a writer that it takes in `inner` until it fails at `value`."""

    def node(name: str, value: Json) -> Json:
        inner = {"anyOf": [{"$ref": f"#/$defs/{name}"}, {"type": "null"}]}
        return {"$ref": f"#/$defs/{name}", "$defs": {name: closed(inner=inner, value=value)}}

    return node("Bad", TEXT), node("N", INT)


def test_what_was_proven_under_an_assumption_falls_with_it() -> None:
    bad, writer = failing()
    inner = bad["$defs"]["Bad"]["properties"]["inner"]
    reader = {"anyOf": [{"$ref": "#/$defs/Bad"}, opened(inner=inner)], "$defs": bad["$defs"]}
    assert covers(reader, writer) is not YES


def test_what_was_not_proven_to_the_end_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = failing()
    for questions in range(1, 12):
        prover = Prover(Document(reader), Document(writer), library_says_yes)
        times = itertools.chain([0] * questions, itertools.repeat(100))
        with monkeypatch.context() as patched:
            patched.setattr(time, "monotonic", lambda now=times: next(now))
            assert not prover.proves(deadline=1)
        assert not prover.proves(deadline=float("inf"))


# What JSON Schema has no words for


@pytest.mark.parametrize(
    ("reader", "writer", "verdict"),
    [
        (said("ge 5", **TEXT), said("ge 5", **TEXT), YES),
        (TEXT, said("ge 5", **TEXT), YES),
        (said("ge 5", **TEXT), TEXT, UNKNOWN),
        (said("ge 5", **TEXT), said("ge 4", **TEXT), UNKNOWN),
        (said(function("f"), **TEXT), said(function("f"), **TEXT), YES),
        (said(function("f"), **TEXT), said(function("f", "11111111"), **TEXT), UNKNOWN),
        (said(function("f"), **TEXT), said(function("g"), **TEXT), UNKNOWN),
        (said(function("f", "unknown"), **TEXT), said(function("f", "unknown"), **TEXT), UNKNOWN),
        (said(f"ge 5, {function('f')}", **INT), said(f"{function('f')}, ge 5", **INT), YES),
        (said(function("f"), **INT), said(function("f"), **TEXT), UNKNOWN),
        (said(function("f"), **INT), {"const": 1}, UNKNOWN),
        (INT, said(function("f"), **TEXT), UNKNOWN),  # it may refuse all texts
    ],
)
def test_a_comment_is_met_by_the_same_comment_alone(
    reader: Json, writer: Json, verdict: Proof
) -> None:
    assert covers(reader, writer) is verdict
    assert covers(opened(a=reader), closed(a=writer)) is verdict
    rows = ({"type": "array", "items": each} for each in (reader, writer))
    assert covers(*rows) is verdict


def test_functions_are_met_all_together_or_not_at_all() -> None:
    """Each may change the value that the next one gets."""
    f, g = function("f"), function("g")
    both = said(f"{f}, {g}", **TEXT)
    assert covers(both, both) is YES
    assert covers(said(f, **TEXT), both) is UNKNOWN
    assert covers(said(g, **TEXT), both) is UNKNOWN
    assert covers(said(f"{g}, {f}", **TEXT), both) is UNKNOWN
    assert covers(TEXT, both) is YES


def test_a_function_counts_wherever_it_stands() -> None:
    f = function("f")
    inside = {"anyOf": [said(f, **TEXT), {"type": "null"}]}
    around = said(f, anyOf=[TEXT, {"type": "null"}])
    assert covers(inside, inside) is covers(around, around) is YES
    assert covers(inside, around) is YES, "each text has passed it"
    assert covers(around, inside) is UNKNOWN, "null has not"
    twice = said(f, anyOf=[said(f, **TEXT)])
    assert covers(twice, said(f, **TEXT)) is UNKNOWN
    referring = {"$ref": "#/$defs/A", "$defs": {"A": said(f, **TEXT)}}
    assert covers(referring, referring) is covers(referring, said(f, **TEXT)) is YES
    assert covers(said(function("g"), **referring), referring) is UNKNOWN
    side_by_side = {"allOf": [said(f, **TEXT), said(function("g"))]}
    assert covers(side_by_side, said(f"{f}, {function('g')}", **TEXT)) is UNKNOWN


def test_a_function_on_keys_or_in_a_recursive_type_counts() -> None:
    keys = {"type": "object", "propertyNames": said(function("f"), **TEXT)}
    plain = {"type": "object", "propertyNames": TEXT}
    assert covers(keys, keys) is covers(plain, keys) is YES
    assert covers(keys, plain) is covers(keys, closed(a=INT)) is UNKNOWN
    checked = tree(said("ge 5", **INT))
    assert covers(checked, checked) is covers(tree(INT), checked) is YES
    assert covers(checked, tree(INT)) is UNKNOWN


@pytest.mark.parametrize("word", ["not", "contains", "if"])
def test_a_comment_under_other_words_is_left_alone(word: str) -> None:
    schema = {"type": "array", word: said("ge 5", **INT)}
    assert covers(schema, schema) is UNKNOWN


def no_edges(text: str) -> str:
    return text.strip()


def twice(text: str) -> str:
    return text * 2


def test_validators_of_real_types() -> None:
    def verdict(new: Any, old: Any, **more: Any) -> Proof:
        views = [
            view(MessageType("m", 1, create_model("M", text=(each, ...), **extra)))
            for view, each, extra in ((reader_schema, new, more), (writer_schema, old, {}))
        ]
        return covers(*views)

    checked = Annotated[str, AfterValidator(no_edges)]
    assert verdict(checked, checked, more=(int, 0)) is YES
    assert verdict(str, checked) is YES
    assert verdict(checked, str) is UNKNOWN
    assert verdict(Annotated[str, AfterValidator(twice)], checked) is UNKNOWN
    assert verdict(Annotated[str, BeforeValidator(no_edges)], checked) is UNKNOWN
    assert verdict(Annotated[str | None, AfterValidator(no_edges)], checked) is UNKNOWN, (
        "the function meets other values"
    )
    json_in_text: Json = {"type": "string", "contentMediaType": "application/json"}
    assert covers(opened(a=json_in_text), closed(a=TEXT)) is UNKNOWN
    assert covers(json_in_text, json_in_text) is UNKNOWN


# Whole numbers that are written as 1.0: integers for JSON Schema, and none for a strict reader

WHOLE: list[Json] = [
    {"type": "number", "multipleOf": 1},
    {"type": "number", "minimum": 2, "maximum": 2},
    {"type": "number", "allOf": [{"minimum": 2}, {"maximum": 2}]},
    {"type": "number", "enum": [1.0, 2.0]},
    {"const": 1.0},
]


@pytest.mark.parametrize("written", WHOLE)
def test_a_whole_float_is_no_integer(written: Json) -> None:
    assert covers(INT, written) is UNKNOWN
    assert covers(opened(a=INT), closed(a=written)) is UNKNOWN
    assert covers({"anyOf": [INT, TEXT]}, {"anyOf": [TEXT, written]}) is UNKNOWN
    assert covers({"type": "number"}, written) is YES
    assert covers(opened(a={"type": "number"}, b=INT), closed(a=written, b=INT)) is YES
    assert covers(opened(a=written, b=INT), closed(a=written, b=INT)) is YES


@pytest.mark.parametrize(
    "reader",
    [{"not": INT}, {"oneOf": [INT, {"type": "number"}]}, {"if": INT, "then": False, "else": True}],
)
def test_readers_that_say_what_they_refuse_keep_their_integers(reader: Json) -> None:
    assert covers(reader, {"type": "number", "multipleOf": 1}) is not YES


# Texts


@pytest.mark.parametrize(
    ("reader", "writer", "verdict"),
    [
        ({"pattern": "^[a-z0-9]+$"}, {"pattern": "^[a-z]+$"}, YES),
        ({"pattern": "^[a-z]+$"}, {"pattern": "^[a-z0-9]+$"}, NO),
        ({"maxLength": 5}, {"pattern": "^[a-z]{1,5}$"}, YES),
        ({"minLength": 2}, {"pattern": "^[a-z]{1,5}$"}, NO),
        ({"pattern": "^.{0,9}$", "minLength": 1}, {"pattern": "^[a-z]$"}, YES),
        ({"pattern": r"^\p{Lu}+$"}, {"pattern": r"^\p{L}+$"}, NO),
        ({"anyOf": [{"pattern": "^a"}, {"pattern": "^b"}]}, {"pattern": "^ba"}, YES),
    ],
)
def test_patterns_may_follow_from_others(reader: Json, writer: Json, verdict: Proof) -> None:
    taken, written = {**TEXT, **reader}, {**TEXT, **writer}
    keys = ({"type": "object", "propertyNames": each} for each in (taken, written))
    pairs = [(taken, written), (opened(a=taken), closed(a=written)), tuple(keys)]
    for pair in pairs:
        assert (covers(*pair) is YES) == (verdict is YES)


# Places


@pytest.mark.parametrize(
    ("reader", "writer", "verdict"),
    [
        # Each pair is compared with a comment on both sides, so that no library can help.
        ({"properties": {"a": INT}}, closed(a=INT, b=TEXT), YES),
        ({"properties": {"b": INT}}, closed(a=INT, b=TEXT), UNKNOWN),
        ({"properties": {"c": INT}}, closed(a=INT, b=TEXT), YES),
        ({"properties": {"c": INT}}, opened(a=INT), UNKNOWN),
        ({"additionalProperties": INT}, closed(a=INT), YES),
        ({"additionalProperties": INT}, closed(a=TEXT), UNKNOWN),
        ({"additionalProperties": INT}, {"type": "object", "additionalProperties": INT}, YES),
        ({"additionalProperties": INT}, {"type": "object"}, UNKNOWN),
        ({"additionalProperties": INT, "properties": {"a": TEXT}}, closed(a=TEXT, b=INT), YES),
        ({"patternProperties": {"^a": INT}}, closed(a1=INT, b=TEXT), YES),
        ({"patternProperties": {"^a": INT}}, closed(a1=TEXT), UNKNOWN),
        ({"patternProperties": {"^a": INT}}, {"type": "object"}, UNKNOWN),
        ({"properties": {"a": INT}}, {"type": "object", "additionalProperties": INT}, YES),
        ({"properties": {"a": INT}}, {"type": "object", "patternProperties": {"": INT}}, YES),
        ({"required": ["a"]}, closed(a=INT), YES),
        ({"required": ["b"]}, closed(a=INT), UNKNOWN),
        ({"properties": {"a": False}}, closed(a=INT), UNKNOWN),
        ({"properties": {"b": False}}, closed(a=INT), YES),
        ({"items": INT}, {"type": "array", "items": INT}, YES),
        ({"items": INT}, {"type": "array"}, UNKNOWN),
        ({"items": INT}, {"type": "array", "prefixItems": [INT], "maxItems": 1}, YES),
        ({"items": INT}, {"type": "array", "prefixItems": [INT]}, UNKNOWN),
        ({"prefixItems": [TEXT], "items": INT}, {"type": "array", "items": INT}, UNKNOWN),
        (
            {"prefixItems": [TEXT], "items": INT},
            {"type": "array", "prefixItems": [TEXT], "items": INT},
            YES,
        ),
        ({"prefixItems": [TEXT, INT]}, {"type": "array", "prefixItems": [TEXT, INT]}, YES),
        ({"prefixItems": [TEXT, INT]}, {"type": "array", "prefixItems": [INT, TEXT]}, UNKNOWN),
        ({"minItems": 1}, {"type": "array", "prefixItems": [INT], "minItems": 1}, YES),
    ],
)
def test_fields_and_items_are_compared_place_by_place(
    reader: Json, writer: Json, verdict: Proof
) -> None:
    deep = tree(INT)
    taken = {**reader, "allOf": [{"$ref": "#/$defs/Any"}]}
    anything = {"anyOf": [{"type": ["object", "array"]}, {"$ref": "#/$defs/Tree"}]}
    definitions = {"Any": anything, "Tree": deep["$defs"]["Tree"]}
    assert covers({**taken, "$defs": definitions}, writer) is verdict
    assert covers(reader, writer) is not (NO if verdict is YES else YES)


def test_a_writers_words_that_depend_on_others_are_left_out() -> None:
    """Taken by itself, `unevaluatedProperties` would forbid the field of the definition."""
    writer = {
        "$ref": "#/$defs/A",
        "unevaluatedProperties": False,
        "$defs": {"A": {"type": "object", "properties": {"a": INT}}},
    }
    assert covers({"type": "object", "maxProperties": 0}, writer) is UNKNOWN
    assert covers({"type": "object", "properties": {"a": INT}}, writer) is YES


# What is no schema of ours


def deep(levels: int) -> Json:
    found = INT
    for _ in range(levels):
        found = {"type": "array", "items": found}
    return found


@pytest.mark.parametrize(
    "odd",
    [
        {"type": 7},
        {"$schema": "http://json-schema.org/draft-07/schema#", "type": "integer"},
        {"type": "string", "pattern": "("},
        {"$ref": "https://example.com/schema.json"},
        {"$ref": "#/$defs/Missing"},
        {"$ref": "#/$defs/a~1b", "$defs": {"a~1b": {"type": "boolean"}, "a/b": TEXT}},
        {"$ref": "#"},
        opened(a={"$ref": "#"}),
        {"$id": "https://example.com/a", "$ref": "#/$defs/A", "$defs": {"A": INT}},
        {"$dynamicRef": "#node"},
        deep(2_000),
        [],
        None,
    ],
)
def test_what_is_no_schema_of_ours_is_unknown(odd: Any) -> None:
    assert covers(odd, {"type": "boolean"}) is not YES
    assert covers({"type": "boolean"}, odd) is not YES
    if isinstance(odd, dict) and "$schema" not in odd:
        assert covers(opened(a=odd), closed(a=odd)) is not YES


# Time


def crossed(count: int, width: int) -> Json:
    """All combinations of so many choices."""
    choices = [
        {"anyOf": [opened(**{f"p{demand}_{at}": INT}) for at in range(width)]}
        for demand in range(count)
    ]
    return {"type": "object", "allOf": choices}


@pytest.mark.slow
def test_a_proof_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process is started for it, and ended."""
    ended: list[str] = []

    def run(*arguments: Any, **options: Any) -> Any:
        try:
            return real(*arguments, **options)
        except subprocess.TimeoutExpired:
            ended.append("ended")
            raise

    real = subprocess.run
    monkeypatch.setattr(subprocess, "run", run)
    assert covers(crossed(12, 3), crossed(12, 3), limit_s=4.0) is UNKNOWN
    assert ended == ["ended"]


def test_another_process_may_find_the_proof() -> None:
    """Of a union that no single choice of the reader takes."""
    tens = [{"type": "integer", "minimum": at, "maximum": at + 9} for at in range(0, 3000, 10)]
    assert covers({"anyOf": tens}, {"type": "integer", "minimum": 5, "maximum": 2_995}) is YES
    del tens[77]
    assert covers({"anyOf": tens}, {"type": "integer", "minimum": 5, "maximum": 2_995}) is NO


def test_no_time_is_no_proof() -> None:
    assert covers(tree(INT), tree(INT), limit_s=0) is UNKNOWN


def test_a_union_of_unions_is_proven_choice_by_choice() -> None:
    def both(make: Any, value: Json) -> Json:
        def union(kind: str, inner: Json) -> Json:
            return {"anyOf": [make(kind={"const": f"{kind}{at}"}, inner=inner) for at in range(30)]}

        return union("outer", union("inner", value))

    assert covers(both(opened, {"type": "number"}), both(closed, INT), limit_s=20) is YES
    assert covers(both(opened, INT), both(closed, TEXT)) is not YES


class Wide(BaseModel):
    pass


def test_200_fields_are_proven() -> None:
    fields: dict[str, Any] = {
        f"field_{at}": (Annotated[int | str | None, Field(title="x")], ...) for at in range(200)
    }
    declared = create_model("Wide", **fields)
    made: MessageType[Any] = MessageType("wide", 1, declared)
    reader, writer = reader_schema(made), writer_schema(made)
    assert covers(reader, writer) is YES
    narrower = create_model("Wide", **{**fields, "field_77": (str, ...)})
    assert covers(reader_schema(MessageType("wide", 2, narrower)), writer) is NO


def test_multiples_of_other_steps_are_not_proven_for_floats() -> None:
    """The largest floats are whole, and Pydantic finds them to be no multiples of 0.5."""

    def steps(size: float) -> tuple[Json, Json]:
        model = create_model("Steps", x=(Annotated[float, Field(multiple_of=size)], ...))
        of_size: MessageType[Any] = MessageType("steps", 1, model)
        return reader_schema(of_size), writer_schema(of_size)

    (whole_reader, whole_writer), (half_reader, half_writer) = steps(1), steps(0.5)
    assert covers(half_reader, whole_writer) is UNKNOWN
    assert covers(half_reader, half_writer) is YES
    assert covers(whole_reader, half_writer) is not YES
