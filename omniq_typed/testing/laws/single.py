"""Laws of one message type by itself."""

from __future__ import annotations

from typing import Any

from hypothesis.strategies import SearchStrategy
from pydantic_core import from_json
from typing_extensions import TypeForm

from omniq_typed.errors import UndecodableJob
from omniq_typed.messages.message_type import MessageType
from omniq_typed.schema.export import Json, canonical_json, reader_schema, writer_schema
from omniq_typed.schema.wire.generator import UNSAID
from omniq_typed.testing.differences import differences
from omniq_typed.testing.laws.plain_schema import plain_schema
from omniq_typed.testing.laws.published import fault_of, published, values_of
from omniq_typed.testing.laws.search import Fault, LawBroken, search
from omniq_typed.testing.message_types import message_type_of
from omniq_typed.testing.near_misses import NearMiss, Rule, near_miss
from omniq_typed.testing.reading import described, read
from omniq_typed.testing.strategies.json_schemas import objection_of


def roundtrip(
    message_type: TypeForm[Any] | MessageType[Any],
    /,
    *,
    values: SearchStrategy[Any] | None = None,
    examples: int | None = None,
) -> None:
    """Every message can be published, and comes back as it was, down to the type of each part."""
    __tracebackhide__ = True
    declared: MessageType[Any] = message_type_of(message_type, depth=1)

    def check(value: Any) -> None:
        written = published(declared, value)
        try:
            back = read(declared, written)
        except UndecodableJob as error:
            why = described(error)
            raise fault_of("what is written cannot be read", value, written, why) from error
        found = differences(value, back)
        if found:
            changed = "; ".join(f"{it.path or 'it'} was {it.one}, is {it.other}" for it in found)
            raise fault_of("a message comes back as another", value, written, changed)

    search("roundtrip", declared.label, values_of(declared, values), check, examples)


def conforms(
    message_type: TypeForm[Any] | MessageType[Any],
    /,
    *,
    values: SearchStrategy[Any] | None = None,
    examples: int | None = None,
) -> None:
    """What is published is valid under the exported schemas, of the writer and of the reader, with
    formats on."""
    __tracebackhide__ = True
    declared: MessageType[Any] = message_type_of(message_type, depth=1)
    views = {
        "writer": objection_of(writer_schema(declared)),
        "reader": objection_of(reader_schema(declared)),
    }

    def check(value: Any) -> None:
        written = published(declared, value)
        for view, objection in views.items():
            if why := objection(from_json(written)):
                raise fault_of(f"the schema of its {view}s refuses a message", value, written, why)

    search("conforms", declared.label, values_of(declared, values), check, examples)


def portable(
    message_type: TypeForm[Any] | MessageType[Any],
    /,
    *,
    values: SearchStrategy[Any] | None = None,
    examples: int | None = None,
) -> None:
    """What is published is what programs in other languages expect of such a type: dates and times
    of RFC 3339, integers that a double holds, patterns as ECMAScript reads them."""
    __tracebackhide__ = True
    declared: MessageType[Any] = message_type_of(message_type, depth=1)
    try:
        objection = objection_of(plain_schema(declared))
    except ValueError as error:
        raise LawBroken(
            "portable", declared.label, "a pattern is none in other languages", {"why": str(error)}
        ) from error

    def check(value: Any) -> None:
        written = published(declared, value)
        if why := objection(from_json(written)):
            raise fault_of("other languages read a message differently", value, written, why)

    search("portable", declared.label, values_of(declared, values), check, examples)


def rejects_near_misses(
    message_type: TypeForm[Any] | MessageType[Any], /, *, examples: int | None = None
) -> None:
    """What the type refuses, its exported schema refuses too, so that no program in another
    language publishes it. What a schema cannot say (its `$comment`s do) is left out."""
    __tracebackhide__ = True
    declared: MessageType[Any] = message_type_of(message_type, depth=1)
    schema = reader_schema(declared)
    objection = objection_of(schema)
    said = _rules_said_by(schema)

    def check(miss: NearMiss) -> None:
        if miss.rule in said and not objection(miss.json):
            raise Fault(
                "its schema allows what the type refuses",
                payload=miss.payload.decode(),
                instead_of=miss.valid.decode(),
                broken=miss.why,
            )

    search("rejects_near_misses", declared.label, near_miss(declared), check, examples)


def _rules_said_by(schema: Json) -> frozenset[Rule]:
    """Where anything is left to Python, only what no schema leaves to it."""
    vague = UNSAID.encode() in canonical_json(schema)
    never_left = {Rule.REQUIRED, Rule.EXTRA, Rule.TYPE, Rule.ENUM}
    return frozenset(never_left if vague else set(Rule) - {Rule.VALIDATOR})
