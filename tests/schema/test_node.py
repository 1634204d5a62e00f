"""What JavaScript says of our schemas: Ajv in strict mode, and the official parser of AsyncAPI."""

from __future__ import annotations

import subprocess
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
import pytest

from omniq_typed.messages.codec import encode
from omniq_typed.schema.asyncapi import Route, asyncapi_document, made_up_examples
from omniq_typed.schema.draft07 import to_draft07
from omniq_typed.schema.export import reader_schema, writer_schema
from omniq_typed.schema.sampling.sampler import Sampler
from tests import node
from tests.catalogue import FORMS
from tests.catalogue.near_misses import collect
from tests.schema.test_export import BEYOND_A_SCHEMA

pytestmark = pytest.mark.slow
HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@pytest.mark.parametrize("dialect", ["2020", "draft-07"])
@pytest.mark.parametrize("view", ["writer", "reader"])
def test_ajv_in_strict_mode_takes_what_is_published(
    node_packages: Path, view: str, dialect: str
) -> None:
    questions: list[dict[str, Any]] = []
    for form in FORMS:
        schema = (writer_schema if view == "writer" else reader_schema)(form.message_type)
        payloads = [encode(form.message_type, sample).decode() for sample in form.samples]
        converted = schema if dialect == "2020" else to_draft07(schema)
        questions.append({"dialect": dialect, "schema": converted, "payloads": payloads})
    answers = node.ajv(node_packages, questions)
    assert {
        form.label: answer
        for form, answer in zip(FORMS, answers, strict=True)
        if answer["error"] is not None or not all(answer["verdicts"])
    } == {}


@pytest.mark.parametrize("view", ["writer", "reader"])
def test_ajv_takes_what_is_made_up_from_schemas(node_packages: Path, view: str) -> None:
    questions: list[dict[str, Any]] = []
    for form in FORMS:
        schema = (writer_schema if view == "writer" else reader_schema)(form.message_type)
        sampler = Sampler(schema, seed=17)
        made_up = [*islice(sampler.systematic(), 10), *sampler.payloads(10)]
        texts = [orjson.dumps(each).decode() for each in made_up]
        questions.append({"dialect": "2020", "schema": schema, "payloads": texts})
    answers = node.ajv(node_packages, questions)
    refused = {
        form.label: [
            text
            for text, verdict in zip(question["payloads"], answer["verdicts"], strict=True)
            if not verdict
        ]
        for form, question, answer in zip(FORMS, questions, answers, strict=True)
    }
    assert {label: texts for label, texts in refused.items() if texts} == {}


def test_ajv_refuses_what_our_reader_refuses(node_packages: Path) -> None:
    by_form: dict[str, tuple[dict[str, Any], list[Any]]] = {}
    for case in collect(FORMS, 20 * len(FORMS), seed=13):
        if case.allowed:
            continue
        try:
            text = case.near_miss.payload.decode()
            orjson.loads(text)
        except ValueError:
            continue
        if case.near_miss.why.endswith(BEYOND_A_SCHEMA):
            continue
        question, cases = by_form.setdefault(
            case.form.label,
            (
                {
                    "dialect": "2020",
                    "schema": reader_schema(case.form.message_type),
                    "payloads": [],
                },
                [],
            ),
        )
        question["payloads"].append(text)
        cases.append(case)
    answers = node.ajv(node_packages, [question for question, _ in by_form.values()])
    wrong, asked = [], 0
    for (_, cases), answer in zip(by_form.values(), answers, strict=True):
        assert answer["error"] is None
        for case, verdict in zip(cases, answer["verdicts"], strict=True):
            asked += 1
            if verdict:
                wrong.append((case.form.label, case.near_miss.why, case.near_miss.payload))
    assert asked > 1_000
    assert wrong == []


def complaints(node_packages: Path, document: bytes) -> list[Any]:
    """Errors of AsyncAPI's own parser. (Examples are not compared with their schemas there.)"""
    answer = orjson.loads(node.run(HERE / "asyncapi.cjs", node_packages, document))
    assert answer["parsed"]
    messages = orjson.loads(document)["components"]["messages"].values()
    assert sorted(answer["messages"]) == sorted({each["name"] for each in messages})
    return [each for each in answer["diagnostics"] if each["severity"] == 0]


@pytest.mark.parametrize("examples", ["samples", "made up"])
def test_the_official_parser_of_asyncapi_has_no_complaint(
    node_packages: Path, examples: str
) -> None:
    types = [form.message_type for form in FORMS]
    routes = [Route("send", each.queue or "queue", each) for each in types]
    routes += [Route("receive", each.queue or "queue", each) for each in types[::2]]
    samples = {
        form.message_type.label: [orjson.loads(encode(form.message_type, form.samples[0]))]
        for form in FORMS
    }
    made_up = made_up_examples(routes)
    assert len(made_up) > 0.9 * len(samples)
    document = asyncapi_document(
        routes,
        title="Catalogue",
        version="1.0.0",
        server="localhost:6379",
        examples=samples if examples == "samples" else made_up,
    )
    assert complaints(node_packages, orjson.dumps(document)) == []


def test_nor_of_the_command_line_on_the_examples(node_packages: Path) -> None:
    apps = ("examples.typed_orders:bus", "examples.all_messages")
    command = [sys.executable, "-m", "omniq_typed", "asyncapi", *apps, "--server", "redis:6379"]
    document = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    operations = orjson.loads(document)["operations"]
    assert {"receive.back-office", "send.back-office", "send.github"} <= operations.keys()
    assert complaints(node_packages, document) == []
