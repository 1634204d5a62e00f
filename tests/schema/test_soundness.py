"""No yes is wrong: schemas of the catalogue are edited at random, and where a proof says that the
reader takes all that the writer writes, payloads of the writer are made up to refute it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from random import Random
from typing import Any

import jsonschema_rs
import pytest

from omniq_typed.errors import InvalidArgument
from omniq_typed.schema.export import Json, reader_schema, writer_schema
from omniq_typed.schema.proving.proof import Proof, covers
from omniq_typed.schema.sampling.sampler import Sampler
from omniq_typed.schema.wire.generator import UNSAID
from omniq_typed.schema.wire.wording import rewrite
from tests.catalogue import CATALOGUE
from tests.schema.edit_place import nodes_of
from tests.schema.schema_edits import edited

EDITS = int(os.environ.get("OMNIQ_SOUNDNESS_EDITS", "2000"))
SHARDS = 4
"""Tests, so that none takes long."""
BASES = [kind.forms[0].message_type for kind in CATALOGUE]
SYSTEMATIC = 60
RANDOM = 25


@dataclass(frozen=True)
class Case:
    """A reader and a writer of one type after one to three edits."""

    reader: Json
    writer: Json
    edits: tuple[str, ...]


def cases(count: int, seed: int) -> Iterator[Case]:
    rng = Random(seed)
    for number in range(count):
        base = BASES[(seed + number) % len(BASES)]
        sides = {"reader": reader_schema(base), "writer": writer_schema(base)}
        edits = []
        for _ in range(rng.choice((1, 1, 2, 3))):
            side = rng.choice(("reader", "writer"))
            sides[side], name = edited(sides[side], rng)
            edits.append(f"{name} of the {side} of {base.name}")
        yield Case(sides["reader"], sides["writer"], tuple(edits))


def readings(case: Case, rng: Random) -> Iterator[tuple[Json, Json]]:
    """The two schemas with what no schema says read in one way or another: as nothing, as never
    true, or as all but one value of those that the writer writes."""
    yield case.reader, case.writer
    said = {name for node in nodes_of(case.reader) for name in predicates(node)}
    if not said:
        return
    for name in sorted(said):
        yield tuple(read_as(each, {name: {"not": {}}}) for each in (case.reader, case.writer))  # type: ignore[misc]
    values = [value for each in payloads(case.writer, 1, 3) for value in parts_of(each)]
    for value in rng.sample(values, min(4, len(values))):
        meaning = {name: {"not": {"const": value}} for name in said}
        yield tuple(read_as(each, meaning) for each in (case.reader, case.writer))  # type: ignore[misc]


def predicates(node: Json) -> list[str]:
    comment = str(node.get("$comment", ""))
    return comment.removeprefix(UNSAID).split(", ") if comment.startswith(UNSAID) else []


def read_as(schema: Json, meanings: dict[str, Json]) -> Json:
    def change(node: Json) -> Json:
        wanted = [meanings[name] for name in predicates(node) if name in meanings]
        return {**node, "allOf": [*node.get("allOf", []), *wanted]} if wanted else node

    found: Json = rewrite(schema, change)
    return found


def parts_of(value: Any) -> Iterator[Any]:
    yield value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for each in inner:
        yield from parts_of(each)


def payloads(writer: Json, systematic: int, random: int, names: tuple[str, ...] = ()) -> list[Any]:
    """None where the writer can write nothing."""
    sampler = Sampler(writer, names=names)
    try:
        return [*islice(sampler.systematic(), systematic), *sampler.payloads(random)]
    except InvalidArgument:
        return []


def refuted_by(reader: Json, writer: Json, systematic: int, random: int) -> list[Any]:
    """Payloads of the writer that the reader refuses."""
    names = tuple(name for node in nodes_of(reader) for name in node.get("properties", ()))
    takes = jsonschema_rs.Draft202012Validator(reader, validate_formats=True).is_valid
    made_up = payloads(writer, systematic, random, tuple(dict.fromkeys(names)))
    return [each for each in made_up if not takes(each)]


@pytest.mark.slow
@pytest.mark.parametrize("shard", range(SHARDS))
def test_no_yes_is_refuted(shard: int) -> None:
    said: Counter[str] = Counter()
    wrong = []
    for number, case in enumerate(cases(EDITS // SHARDS, seed=shard)):
        verdict = covers(case.reader, case.writer)
        said[verdict] += 1
        if verdict is Proof.YES:
            for reader, writer in readings(case, Random(0)):
                refused = refuted_by(reader, writer, SYSTEMATIC, RANDOM)
                wrong += [(case.edits, payload, reader, writer) for payload in refused[:1]]
        elif number % 5 == 0:
            refused = refuted_by(case.reader, case.writer, SYSTEMATIC, RANDOM)
            said[f"{verdict}, with a payload"] += bool(refused)
            said[f"{verdict}, looked for"] += 1
    assert wrong == []
    least = EDITS / SHARDS / 10
    assert all(said[each] > least for each in Proof), said
    assert said["no, with a payload"] > 0.95 * said["no, looked for"]
    assert said["unknown, with a payload"] > 0.5 * said["unknown, looked for"]


FORGOTTEN = (
    *("required", "additionalProperties", "properties", "items", "type", "enum", "const", "anyOf"),
    *("minimum", "maximum", "exclusiveMinimum", "multipleOf", "maxLength", "minLength"),
    *("pattern", "format", "maxItems", "prefixItems", "propertyNames", "$comment"),
)


@pytest.mark.slow
@pytest.mark.parametrize("word", FORGOTTEN)
def test_a_proof_that_forgets_a_word_is_refuted(word: str) -> None:
    """What the attack is good for: each word of the reader's that a proof leaves out leads to a yes
    that a payload refutes."""
    for case in cases(EDITS, seed=len(word)):
        forgetful = rewrite(case.reader, lambda node: without(node, word))
        if forgetful == case.reader or covers(forgetful, case.writer) is not Proof.YES:
            continue
        if any(refuted_by(*pair, SYSTEMATIC, RANDOM) for pair in readings(case, Random(0))):
            return
    pytest.fail(f"no payload shows that {word} was forgotten")


def without(node: Json, word: str) -> Json:
    return {key: value for key, value in node.items() if key != word}
