"""The verdicts on pairs of types: as written down, as the check says, and as the types themselves
say when payloads of the one are decoded by the other."""

from collections.abc import Iterator
from itertools import permutations
from random import Random
from typing import Any

import orjson
import pytest

from omniq_typed import MessageType
from omniq_typed.schema.proving.proof import Proof, covers
from omniq_typed.schema.sampling.sampler import Sampler
from omniq_typed.schema.wire.generator import UNSAID
from tests.evolution import PAIRS, Pair
from tests.evolution.page import PAGE, page
from tests.evolution.verdicts import Direction, said_of, schemas_of, sides, takes, written

each_pair = pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
each_direction = pytest.mark.parametrize("direction", ["backward", "forward"])
PAYLOADS = 1_000


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tests.evolution.page"


@each_direction
@each_pair
def test_the_check_says_what_is_written_down(pair: Pair, direction: Direction) -> None:
    assert said_of(pair, direction).verdict == getattr(pair, direction)


@each_pair
def test_types_read_what_their_schemas_allow(pair: Pair) -> None:
    """Unless they say that they do not say all. Names of the one are tried in the other."""
    names = {name: None for each in (pair.old, pair.new) for name in named_in(each)}
    for message_type in (pair.old, pair.new):
        schemas = schemas_of(message_type)
        for schema in (schemas.writer, schemas.reader):
            made_up = Sampler(schema, names=names).payloads(10)
            refused = [each for each in made_up if not takes(message_type, orjson.dumps(each))]
            assert refused == [] or UNSAID in str(schemas.reader), schema


def named_in(message_type: MessageType[Any]) -> Iterator[str]:
    fields = getattr(message_type.cls, "model_fields", {})
    yield from (*fields, *schemas_of(message_type).reader.get("properties", {}))


@pytest.mark.slow
@each_direction
@each_pair
def test_payloads_confirm_the_verdict(pair: Pair, direction: Direction) -> None:
    reader, writer = sides(pair, direction)
    verdict = getattr(pair, direction)
    payloads = list(written(writer, reader, PAYLOADS))
    refused = [payload for payload in payloads if not takes(reader, payload)]
    if verdict == "ok":
        assert len(payloads) >= PAYLOADS
        assert refused == []
    if verdict == "break":
        assert refused != []


@pytest.mark.slow
def test_no_yes_between_any_two_types_is_refuted() -> None:
    """Types that never were versions of one another, with a field of the same name."""
    groups: dict[str, list[MessageType[Any]]] = {}
    for message_type in (side for pair in PAIRS for side in (pair.old, pair.new)):
        schema = schemas_of(message_type).reader
        first = min(schema.get("properties", {}), default=str(schema.get("type")))
        groups.setdefault(first, []).append(message_type)
    pairs = [pair for group in groups.values() for pair in permutations(group, 2)]
    proven, wrong = 0, []
    for reader, writer in Random(3).sample(pairs, 1_000):
        if covers(schemas_of(reader).reader, schemas_of(writer).writer) is Proof.YES:
            proven += 1
            refused = [text for text in written(writer, reader, 60) if not takes(reader, text)]
            wrong += [(reader.label, writer.label, text) for text in refused[:1]]
    assert wrong == []
    assert proven > 200


def test_there_are_pairs_of_all_kinds() -> None:
    said = [getattr(pair, direction) for pair in PAIRS for direction in ("backward", "forward")]
    assert len(PAIRS) >= 60
    assert said.count("unknown") < len(said) / 10
    assert len({pair.title for pair in PAIRS}) == len(PAIRS)
