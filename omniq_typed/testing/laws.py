"""Laws that messages should keep, each a call in a test: `laws.roundtrip(OrderCreated)`.

All look for the smallest value that breaks them, and raise LawBroken with it. They take a class, a
MessageType or any other type; `values` is a strategy to use instead of `payloads(T)`; `examples`
says how many values are tried (default: as the profile of Hypothesis in force says). They raise
NoStrategy where no values are known, see `payloads`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from hypothesis.strategies import SearchStrategy
from pydantic_core import from_json
from typing_extensions import TypeForm

from omniq_typed.errors import InvalidArgument, InvalidPayload, UndecodableJob
from omniq_typed.messages.codec import decode, encode
from omniq_typed.messages.message_type import MessageType
from omniq_typed.messages.registry import Registry, default_registry
from omniq_typed.schema.export import Json, canonical_json, reader_schema, writer_schema
from omniq_typed.schema.versions import SchemaVersion
from omniq_typed.schema.wire.generator import UNSAID
from omniq_typed.testing.differences import differences
from omniq_typed.testing.evolution import OldVersion
from omniq_typed.testing.law_search import Fault, LawBroken, search
from omniq_typed.testing.message_types import message_type_of
from omniq_typed.testing.near_misses import NearMiss, Rule, near_miss
from omniq_typed.testing.payloads import payloads
from omniq_typed.testing.plain_schema import plain_schema
from omniq_typed.testing.stored_schemas import Schemas, stored_versions
from omniq_typed.testing.strategies.json_schemas import objection_of

__all__ = [
    "Law",
    "LawBroken",
    "all",
    "conforms",
    "evolves",
    "forward",
    "portable",
    "rejects_near_misses",
    "roundtrip",
]


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
        written = _published(declared, value)
        try:
            read = decode(declared, written)
        except UndecodableJob as error:
            raise _fault("what is written cannot be read", value, written, str(error)) from error
        found = differences(value, read)
        if found:
            changed = "; ".join(f"{it.path or 'it'} was {it.one}, is {it.other}" for it in found)
            raise _fault("a message comes back as another", value, written, changed)

    search("roundtrip", declared.label, _values(declared, values), check, examples)


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
        written = _published(declared, value)
        for view, objection in views.items():
            if why := objection(from_json(written)):
                raise _fault(f"the schema of its {view}s refuses a message", value, written, why)

    search("conforms", declared.label, _values(declared, values), check, examples)


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
        written = _published(declared, value)
        if why := objection(from_json(written)):
            raise _fault("other languages read a message differently", value, written, why)

    search("portable", declared.label, _values(declared, values), check, examples)


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


def evolves(
    message_type: TypeForm[Any] | MessageType[Any],
    /,
    *,
    schemas: Schemas,
    registry: Registry | None = None,
    values: Mapping[int, SearchStrategy[Any]] | None = None,
    may_drop: Collection[str] = (),
    examples: int | None = None,
) -> None:
    """Payloads of every stored version up to today's can be read, through the upcasts of the
    registry, and lose no field that the type still has.

    `schemas`: a folder of exported schemas, or histories by name; `values`: JSON of a version, to
    use instead of what its schema allows; `may_drop`: JSON pointers ('*' for any key or index) of
    what upcasts leave out on purpose. Raises InvalidMessageType for a type that is not in the
    registry (default: the default one), InvalidArgument where nothing of it is stored.
    """
    __tracebackhide__ = True
    known = default_registry if registry is None else registry
    declared = known.of_type(message_type)
    for number, stored in stored_versions(declared.name, schemas).items():
        if number > declared.version:
            continue
        steps = known.steps(declared.name, number, declared.version)
        if steps is None:
            gap = {"stored": f"v{number}", "today": declared.label}
            raise LawBroken("evolves", declared.label, f"no upcasts lead from v{number}", gap)
        old = OldVersion(stored, declared, steps, may_drop)
        given = (values or {}).get(number)
        trees = old.payloads(known) if given is None else given
        search("evolves", declared.label, trees, old.check, examples)


def forward(
    message_type: TypeForm[Any] | MessageType[Any],
    /,
    *,
    schemas: Schemas,
    registry: Registry | None = None,
    values: SearchStrategy[Any] | None = None,
    examples: int | None = None,
) -> None:
    """Readers of the version before take what is published today, by their stored schema. Raises
    InvalidMessageType for a type that is not in the registry (default: the default one),
    InvalidArgument where no earlier version is stored."""
    __tracebackhide__ = True
    declared = (default_registry if registry is None else registry).of_type(message_type)
    earlier = _earlier(declared, schemas)
    if not earlier:
        raise InvalidArgument("schemas", f"no version before {declared.label} is stored")
    before = earlier[max(earlier)]
    objection = objection_of(before.reader)

    def check(value: Any) -> None:
        written = _published(declared, value)
        if why := objection(from_json(written)):
            problem = f"readers of v{before.version} refuse a message"
            raise _fault(problem, value, written, why)

    search("forward", declared.label, _values(declared, values), check, examples)


@dataclass(frozen=True)
class Law:
    """A law of one message type; `str` of it is a good id of a test."""

    name: str
    message_type: MessageType[Any]
    _hold: Callable[[], None]

    def check(self) -> None:
        """Raises LawBroken."""
        __tracebackhide__ = True
        self._hold()

    def __str__(self) -> str:
        return f"{self.name}-{self.message_type.name}-v{self.message_type.version}"


def all(
    registry: Registry | None = None,
    *,
    schemas: Schemas | None = None,
    examples: int | None = None,
) -> list[Law]:
    """The laws of all types of a registry (default: the default one), for one test:
    `@pytest.mark.parametrize("law", laws.all(registry), ids=str)`, which calls `law.check()`.

    `portable` is left out for types that say they are read by Python alone (`strict_types=False`);
    `evolves` and `forward` come in for the newest version of names that have stored `schemas`.
    """
    known = default_registry if registry is None else registry
    newest = {each.name: each for each in known.types()}
    found: list[Law] = []
    for each in known.types():
        of_each = [roundtrip, conforms, rejects_near_misses]
        if each.strict_types is not False:
            of_each.append(portable)
        found += (Law(it.__name__, each, partial(it, each, examples=examples)) for it in of_each)
        if schemas is not None and newest[each.name] is each:
            found += _laws_of_versions(each, schemas, known, examples)
    return found


def _laws_of_versions(
    message_type: MessageType[Any], schemas: Schemas, registry: Registry, examples: int | None
) -> Iterator[Law]:
    try:
        earlier = _earlier(message_type, schemas)
    except InvalidArgument:  # a new type, of which nothing is stored
        return
    holds = partial(evolves, schemas=schemas, registry=registry, examples=examples)
    yield Law("evolves", message_type, partial(holds, message_type))
    if earlier:
        takes = partial(forward, schemas=schemas, registry=registry, examples=examples)
        yield Law("forward", message_type, partial(takes, message_type))


def _earlier(message_type: MessageType[Any], schemas: Schemas) -> dict[int, SchemaVersion]:
    stored = stored_versions(message_type.name, schemas)
    return {number: it for number, it in stored.items() if number < message_type.version}


def _values(
    message_type: MessageType[Any], given: SearchStrategy[Any] | None
) -> SearchStrategy[Any]:
    return payloads(message_type) if given is None else given


def _published(message_type: MessageType[Any], value: Any) -> bytes:
    try:
        return encode(message_type, value)
    except InvalidPayload as error:
        rows = (f"{it.path or 'the whole'}: {it.message} ({it.code})" for it in error.faults)
        why = "; ".join(rows)
        raise Fault("a message cannot be published", value=repr(value), why=why) from error


def _fault(problem: str, value: Any, written: bytes, why: str) -> Fault:
    return Fault(problem, value=repr(value), written=written.decode(), why=why)


def _rules_said_by(schema: Json) -> frozenset[Rule]:
    """Where anything is left to Python, only what no schema leaves to it."""
    vague = UNSAID.encode() in canonical_json(schema)
    never_left = {Rule.REQUIRED, Rule.EXTRA, Rule.TYPE, Rule.ENUM}
    return frozenset(never_left if vague else set(Rule) - {Rule.VALIDATOR})
