"""What the check says of a pair, and what the two types themselves say."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Any, Literal

import orjson

from omniq_typed import MessageType
from omniq_typed.errors import InvalidPayload
from omniq_typed.messages.codec import decode, encode
from omniq_typed.schema.compatibility.compare import Break, compare
from omniq_typed.schema.sampling.sampler import Sampler
from omniq_typed.schema.versions import SchemaVersion, version_of
from tests.evolution.pairs import Pair, Verdict

Direction = Literal["backward", "forward"]
SYSTEMATIC = 300


@dataclass(frozen=True)
class Said:
    """`breaks`: the check's; `verdict`: a break needs an example that the writer's class could
    have written and the reader's class refuses."""

    verdict: Verdict
    breaks: tuple[Break, ...]

    @property
    def rules(self) -> list[str]:
        """Each once."""
        return list(dict.fromkeys(str(each.rule) for each in self.breaks))


def sides(pair: Pair, direction: Direction) -> tuple[MessageType[Any], MessageType[Any]]:
    """The reader and the writer."""
    return (pair.new, pair.old) if direction == "backward" else (pair.old, pair.new)


@cache
def schemas_of(message_type: MessageType[Any]) -> SchemaVersion:
    """Both of its schemas."""
    return version_of(message_type)


@cache
def said_of(pair: Pair, direction: Direction) -> Said:
    """What the check says."""
    reader, writer = sides(pair, direction)
    breaks = compare(schemas_of(reader).reader, schemas_of(writer).writer)
    if not breaks:
        return Said("ok", ())
    examples = [orjson.dumps(each.example) for each in breaks if each.has_example]
    certain = any(takes(writer, each) and not takes(reader, each) for each in examples)
    return Said("break" if certain else "unknown", breaks)


def takes(message_type: MessageType[Any], payload: bytes) -> bool:
    """Whether the class reads a payload."""
    try:
        decode(message_type, payload)
    except Exception:  # a validator of the type's own may raise anything
        return False
    return True


def written(writer: MessageType[Any], reader: MessageType[Any], count: int) -> Iterator[bytes]:
    """At least so many payloads of a writer: valid under its schema and read by itself, as they
    were made up and as its own codec writes them again. Each place in turn, then at random."""
    names = schemas_of(reader).reader.get("properties", {})
    sampler = Sampler(schemas_of(writer).writer, names=names)
    done = 0
    for made_up in islice(sampler.systematic(), SYSTEMATIC):
        for payload in _as_written(writer, made_up):
            done += 1
            yield payload
    tries = 0
    while done < count and tries < 20 * count:
        tries += 1
        for payload in _as_written(writer, sampler.payload()):
            done += 1
            yield payload


def _as_written(writer: MessageType[Any], made_up: Any) -> Iterator[bytes]:
    payload = orjson.dumps(made_up)
    if not takes(writer, payload):
        return
    yield payload
    try:
        again = encode(writer, decode(writer, payload))
    except InvalidPayload:
        return  # what is read need not be what may be written
    if again != payload:
        yield again
