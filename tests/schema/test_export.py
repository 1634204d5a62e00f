"""Exported schemas: what we publish is valid under them, what we refuse is refused, and the same
code gives the same bytes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson
import pytest
from pydantic import BaseModel, Field, create_model

from omniq_typed import MessageType, Registry, message, message_type
from omniq_typed.errors import InvalidMessageType
from omniq_typed.messages.codec import encode
from omniq_typed.schema.draft07 import to_draft07
from omniq_typed.schema.export import (
    DIALECT,
    canonical_json,
    fingerprint,
    reader_schema,
    writer_schema,
)
from tests.catalogue import FORMS, Form
from tests.catalogue.near_misses import collect

ROOT = Path(__file__).parents[2]
each_form = pytest.mark.parametrize("form", FORMS, ids=lambda form: form.label)


@cache
def validator(form: Form, view: str, dialect: str = "2020") -> Any:
    schema = (writer_schema if view == "writer" else reader_schema)(form.message_type)
    if dialect == "2020":
        return jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
    return jsonschema_rs.Draft7Validator(to_draft07(schema), validate_formats=True)


@pytest.mark.parametrize("dialect", ["2020", "draft-07"])
@pytest.mark.parametrize("view", ["writer", "reader"])
@each_form
def test_what_is_published_is_valid(form: Form, view: str, dialect: str) -> None:
    for sample in form.samples:
        payload = orjson.loads(encode(form.message_type, sample))
        validator(form, view, dialect).validate(payload)


# What a schema cannot say and the reader refuses all the same: JSON that Python cannot hold.
BEYOND_A_SCHEMA = ("huge", "beyond what JavaScript holds", "lists deep")


def test_what_the_reader_refuses_is_refused() -> None:
    """Near misses of all types, by our decoder's verdict. The schema may refuse more (a reader
    takes blanks around a number, say), but hardly ever less."""
    said: Counter[str] = Counter()
    wrong = []
    for case in collect(FORMS, 20 * len(FORMS), seed=11):
        try:
            payload = orjson.loads(case.near_miss.payload)
            valid = validator(case.form, "reader").is_valid(payload)
        except ValueError:
            continue  # no JSON, or nested too deeply for any validator
        said[f"{'allowed' if case.allowed else 'refused'}, {'valid' if valid else 'invalid'}"] += 1
        if valid and not case.allowed and not case.near_miss.why.endswith(BEYOND_A_SCHEMA):
            wrong.append((case.form.label, case.near_miss.why, case.near_miss.payload))
    assert wrong == []
    assert said["refused, invalid"] > 1_000
    assert said["refused, valid"] < said["refused, invalid"] / 100
    assert said["allowed, invalid"] < said["allowed, valid"]


def test_a_writer_is_closed_and_a_reader_open() -> None:
    class Open(BaseModel):
        name: str
        age: int = 3

    class Forbidding(BaseModel, extra="forbid"):
        name: str

    def views(cls: type[Any]) -> tuple[Any, Any]:
        its_type: MessageType[Any] = MessageType("a", 1, cls)
        return tuple(
            jsonschema_rs.Draft202012Validator(view(its_type))
            for view in (writer_schema, reader_schema)
        )  # type: ignore[return-value]

    writer, reader = views(Open)
    more = {"name": "x", "age": 1, "more": 1}
    assert not writer.is_valid(more) and reader.is_valid(more)
    assert not writer.is_valid({"name": "x"}), "a writer writes its defaults"
    assert reader.is_valid({"name": "x"}), "a reader has them"
    writer, reader = views(Forbidding)
    assert not reader.is_valid({"name": "x", "more": 1})


@pytest.mark.slow
def test_the_same_code_gives_the_same_bytes() -> None:
    program = (
        "import hashlib\n"
        "from tests.catalogue import FORMS\n"
        "from omniq_typed.schema.export import canonical_json, reader_schema, writer_schema\n"
        "found = hashlib.sha256()\n"
        "for form in FORMS:\n"
        "    for view in (writer_schema, reader_schema):\n"
        "        found.update(repr(view(form.message_type)).encode())\n"
        "print(found.hexdigest())\n"
    )
    seen = set()
    for seed in ("1", "2", "3"):
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        seen.add(done.stdout)
    assert len(seen) == 1


def test_a_fingerprint_is_that_of_the_meaning() -> None:
    def of(**fields: Any) -> str:
        model = create_model("Shape", **fields)
        return fingerprint(writer_schema(MessageType("a", 1, model)))

    plain = of(count=(int, ...))
    assert plain == of(count=(int, Field(description="how many", title="Count", examples=[1])))
    assert plain != of(count=(str, ...))
    assert plain != of(count=(int, Field(ge=0)))
    assert of(a=(int, ...), b=(str, ...)) == of(b=(str, ...), a=(int, ...))
    assert len(plain) == 16


def test_it_is_json_schema_2020_12_by_name() -> None:
    class Order(BaseModel):
        """An order."""

        number: int

    own = Registry(strict_types=False)
    message("orders.created", registry=own)(Order)
    schema = writer_schema(own.of_type(Order))
    assert schema["$schema"] == DIALECT
    assert schema["title"] == "orders.created"
    assert schema["description"] == "An order."
    assert orjson.loads(canonical_json(schema)) == schema


def test_no_module_path_and_no_noise_is_in_it() -> None:
    for form in FORMS:
        text = canonical_json(writer_schema(form.message_type)).decode()
        assert "tests__" not in text and "tests.catalogue" not in text
        assert '"discriminator"' not in text


def test_a_type_without_a_schema_is_refused_by_name() -> None:
    class Odd:
        pass

    class Holder(BaseModel, arbitrary_types_allowed=True):
        odd: Odd

    own = Registry(strict_types=False)
    odd = message_type(Holder, name="odd", registry=own)
    with pytest.raises(InvalidMessageType, match="odd v1 has no JSON Schema"):
        writer_schema(odd)


def test_types_that_differ_have_fingerprints_that_differ() -> None:
    """Forms of one kind may share theirs, and so may a few kinds that are written alike."""
    kinds: dict[str, set[str]] = {}
    for form in FORMS:
        kinds.setdefault(fingerprint(writer_schema(form.message_type)), set()).add(form.kind)
    assert len(kinds) > 50
    assert all(len(each) < 4 for each in kinds.values())
