"""What a reader asks of one value by itself, word by word, where a writer does not keep to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from omniq_typed.schema.compatibility.rules import Rule
from omniq_typed.schema.proving.documents import Parts, Schema
from omniq_typed.schema.proving.places import OTHER, matches, names_of
from omniq_typed.schema.proving.traits import types_of

Json: TypeAlias = dict[str, Any]
Takes: TypeAlias = Callable[[Schema], bool]
"""Whether it is proven that the writer's value is one of a schema."""

_KINDS = ("null", "boolean", "integer", "number", "string", "array", "object")

# A word that leaves out too much → its rule, and the word, with what is added to its value, for
# some of what it leaves out.
_BEYOND: dict[str, tuple[Rule, str, int]] = {
    "minimum": (Rule.BOUND_TIGHTENED, "exclusiveMaximum", 0),
    "exclusiveMinimum": (Rule.BOUND_TIGHTENED, "maximum", 0),
    "maximum": (Rule.BOUND_TIGHTENED, "exclusiveMinimum", 0),
    "exclusiveMaximum": (Rule.BOUND_TIGHTENED, "minimum", 0),
    "minLength": (Rule.LENGTH_TIGHTENED, "maxLength", -1),
    "maxLength": (Rule.LENGTH_TIGHTENED, "minLength", 1),
    "minItems": (Rule.LENGTH_TIGHTENED, "maxItems", -1),
    "maxItems": (Rule.LENGTH_TIGHTENED, "minItems", 1),
    "minProperties": (Rule.LENGTH_TIGHTENED, "maxProperties", -1),
    "maxProperties": (Rule.LENGTH_TIGHTENED, "minProperties", 1),
}
_OTHER_WORDS = {
    "multipleOf": Rule.MULTIPLE_CHANGED,
    "pattern": Rule.PATTERN_CHANGED,
    "format": Rule.FORMAT_CHANGED,
    "propertyNames": Rule.KEYS_CHANGED,
}
_SAYS = {
    "minimum": "numbers from {}",
    "exclusiveMinimum": "numbers above {}",
    "maximum": "numbers up to {}",
    "exclusiveMaximum": "numbers below {}",
    "minLength": "{} characters and more",
    "maxLength": "{} characters and less",
    "minItems": "{} items and more",
    "maxItems": "{} items and less",
    "minProperties": "{} fields and more",
    "maxProperties": "{} fields and less",
    "multipleOf": "multiples of {}",
    "pattern": "texts with {}",
    "format": "texts of the format {}",
    "propertyNames": "keys with {}",
}
_MOST_CHARACTERS = 100


@dataclass(frozen=True, slots=True)
class WordFailure:
    """`field`: of the value, where it is about one; `refused`: schemas of some of what the reader
    does not take."""

    rule: Rule
    detail: str
    refused: tuple[Schema, ...] = ()
    field: str | None = None


def word_failures(reader: Json, writer: Parts, takes: Takes) -> Iterator[WordFailure]:
    """Of a schema without references and unions. `takes`: of the writer without inner schemas."""
    if "type" in reader and not takes({"type": reader["type"]}):
        found = _of_type(reader, writer)
        yield found
        if found.rule is not Rule.TYPE_NARROWED and found.rule is not Rule.NULL_REFUSED:
            return
    yield from _of_values(reader, writer, takes)
    yield from _of_limits(reader, takes)
    yield from _of_fields(reader, writer, takes)
    if "uniqueItems" in reader and not takes({"uniqueItems": reader["uniqueItems"]}):
        yield WordFailure(
            Rule.UNIQUE_REQUIRED, "the reader takes no item twice", ({"minItems": 2},)
        )


def kinds_of(schemas: Iterable[Schema]) -> set[str]:
    """The types that values may have; an integer is a number, too."""
    found: set[str] = set(_KINDS)
    for each in schemas:
        named = set(types_of(each)) if each is not False else set()
        values = _values_of(each)
        if values is not None:
            named = {_kind_of(value) for value in values}
        if "number" in named:
            named.add("integer")
        found &= named or found
    return found


def _of_type(reader: Json, writer: Parts) -> WordFailure:
    taken = kinds_of([{"type": reader["type"]}])
    written = kinds_of(writer.schemas)
    refused = written - taken or {"number"}
    if refused == {"null"}:
        return WordFailure(Rule.NULL_REFUSED, "the writer may write null", ({"type": "null"},))
    rule = Rule.TYPE_NARROWED if written & taken else Rule.TYPE_CHANGED
    detail = (
        f"the reader wants {_listed(types_of(reader))}, the writer has {_listed(_plain(written))}"
    )
    return WordFailure(rule, detail, tuple({"type": each} for each in sorted(refused)))


def _of_values(reader: Json, writer: Parts, takes: Takes) -> Iterator[WordFailure]:
    for word in ("const", "enum"):
        if word not in reader or takes({word: reader[word]}):
            continue
        wanted = _values_of(reader) or []
        written = [value for each in writer.schemas for value in _values_of(each) or ()]
        lost = [each for each in written if each not in wanted]
        is_const = word == "const" and any("const" in each for each in writer.schemas)
        rule = Rule.CONST_CHANGED if is_const else Rule.ENUM_NARROWED
        detail = f"the reader takes {_listed(wanted)}, the writer has {_listed(lost) or 'others'}"
        yield WordFailure(rule, detail, ({"enum": lost},) if lost else ())


def _of_limits(reader: Json, takes: Takes) -> Iterator[WordFailure]:
    is_tuple = "prefixItems" in reader
    for word, (rule, beyond, more) in _BEYOND.items():
        if word in reader and not takes({word: reader[word]}):
            refused = ({beyond: reader[word] + more},)
            changed = is_tuple and word in ("minItems", "maxItems")
            yield WordFailure(Rule.ITEMS_CHANGED if changed else rule, _only(word, reader), refused)
    for word, rule in _OTHER_WORDS.items():
        if word in reader and not takes({word: reader[word]}):
            yield WordFailure(rule, _only(word, reader))


def _only(word: str, reader: Json) -> str:
    said = _SAYS[word].format(reader[word])
    cut = said if len(said) <= _MOST_CHARACTERS else said[:_MOST_CHARACTERS] + "..."
    return f"the reader takes only {cut}"


def _of_fields(reader: Json, writer: Parts, takes: Takes) -> Iterator[WordFailure]:
    named = names_of(writer)
    for name in reader.get("required", ()):
        if not takes({"required": [name]}):
            how = "may leave it out" if name in named else "never writes it"
            refused: tuple[Schema, ...] = ({"properties": {name: False}},)
            yield WordFailure(Rule.FIELD_REQUIRED, f"the writer {how}", refused, field=name)
    for name in named:
        if _forbids(reader, name) and not takes({"properties": {name: False}}):
            refused = ({"required": [name]},)
            yield WordFailure(Rule.FIELD_FORBIDDEN, "the writer may write it", refused, field=name)
    closed: Json = {"properties": dict.fromkeys(named, True), "additionalProperties": False}
    if reader.get("additionalProperties") is False and not takes(closed):
        more = ({"minProperties": len(named) + 1},)
        detail = "the writer may write fields of any name"
        yield WordFailure(Rule.FIELD_FORBIDDEN, detail, more, field=OTHER)


def _forbids(reader: Json, name: str) -> bool:
    named = reader.get("properties", {})
    if name in named:
        return named[name] is False
    if any(matches(pattern, name) for pattern in reader.get("patternProperties", ())):
        return False
    return reader.get("additionalProperties") is False


def _values_of(schema: Schema) -> list[Any] | None:
    """The only values that a schema allows, where it names them."""
    if schema is False or not schema.keys() & {"const", "enum"}:
        return None
    return [schema["const"]] if "const" in schema else list(schema["enum"])


def _kind_of(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return "null" if value is None else "boolean"
    names = {int: "integer", float: "number", str: "string", list: "array"}
    return names.get(type(value), "object")


def _plain(kinds: set[str]) -> list[str]:
    """Without the integers among numbers."""
    shown = kinds - {"integer"} if "number" in kinds else kinds
    return [each for each in _KINDS if each in shown]


def _listed(values: Iterable[Any]) -> str:
    shown = [each if isinstance(each, str) and each in _KINDS else repr(each) for each in values]
    return ", ".join(shown[:5]) + (", ..." if len(shown) > 5 else "")
