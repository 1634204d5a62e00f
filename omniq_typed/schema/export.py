"""The JSON Schema of a message type, of what its writers write and of what its readers read: JSON
Schema 2020-12 in words that every validator knows, the same bytes for the same Python code."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any, Literal, TypeAlias

import orjson
from pydantic.errors import PydanticInvalidForJsonSchema

from omniq_typed.errors import InvalidMessageType
from omniq_typed.messages.message_type import MessageType
from omniq_typed.schema.wire.generator import TAG, UNSAID, WireSchema, comment_of
from omniq_typed.schema.wire.python_functions import split_comment
from omniq_typed.schema.wire.wording import LISTS, MAPS, SINGLES, as_key, in_known_words, rewrite

Json: TypeAlias = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_REF = "#/$defs/"
# Words for people: a schema means the same without them.
_PROSE = frozenset({"$schema", "title", "description", "examples", "deprecated", "default"})


def writer_schema(message_type: MessageType[Any], generator: type[WireSchema] = WireSchema) -> Json:
    """What a writer emits: objects are closed, and all fields that are always written required.
    `generator`: one that says more of some types, for comparisons. Raises InvalidMessageType for
    a type that has no JSON Schema."""
    return _schema(message_type, "serialization", generator)


def reader_schema(message_type: MessageType[Any]) -> Json:
    """What a reader takes: unknown fields, unless the class forbids them, and fields left out that
    have defaults. It may say less than the reader takes, never more, but for what the `$comment`s
    say. Raises InvalidMessageType for a type that has no JSON Schema."""
    return _schema(message_type, "validation")


def canonical_json(schema: Json) -> bytes:
    """Compact JSON, keys sorted."""
    try:
        return orjson.dumps(schema, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:  # a bound beyond 64 bits
        text = json.dumps(schema, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        return text.encode()


def fingerprint(schema: Json) -> str:
    """16 hex digits of what a schema means. Titles, descriptions and defaults, the user's functions
    that check, the names and the order of definitions and of properties do not count."""
    definitions = schema.get("$defs", {})
    numbers = {name: str(index) for index, name in enumerate(_names_in_order(schema, sort=True))}
    kept = {name: each for name, each in definitions.items() if name in numbers}
    meaning = rewrite({**schema, "$defs": kept}, _without_prose)
    return hashlib.sha256(canonical_json(_renamed(meaning, numbers))).hexdigest()[:16]


def _schema(
    message_type: MessageType[Any],
    mode: Literal["serialization", "validation"],
    generator: type[WireSchema] = WireSchema,
) -> Json:
    try:
        raw = message_type.adapter.json_schema(
            mode=mode, schema_generator=generator, ref_template=_REF + "{model}"
        )
    except PydanticInvalidForJsonSchema as error:
        said = str(error).partition("\n\n")[0]
        raise InvalidMessageType(
            "message", f"{message_type.label} has no JSON Schema: {said}"
        ) from error
    schema = _with_tags_required(raw)
    definitions = schema.get("$defs", {})
    schema = rewrite(schema, lambda each: _with_text_keys(each, definitions))
    schema = rewrite(schema, in_known_words)
    schema = _with_plain_names(schema)
    own = {"$schema": DIALECT, "title": message_type.name}
    return in_known_words({**schema, **own})


def _with_tags_required(schema: Json) -> Json:
    """Puts `required` where tagged unions want their tags: into the definition of a choice, if no
    other place refers to it, else beside the reference."""
    wanted: dict[str, set[str | None]] = {}
    for each in _walk(schema):
        if "$ref" in each:
            wanted.setdefault(each["$ref"], set()).add(each.get(TAG))
    definitions = dict(schema.get("$defs", {}))
    inside = set()
    for reference, tags in wanted.items():
        name = reference.removeprefix(_REF)
        tag = next(iter(tags))
        target = definitions.get(name, {})
        if len(tags) == 1 and tag is not None and tag in target.get("properties", {}):
            definitions[name] = _requiring(target, tag)
            inside.add(reference)

    def settle(each: Json) -> Json:
        tag = each.get(TAG)
        if tag is None:
            return each
        bare = {key: value for key, value in each.items() if key != TAG}
        if "$ref" not in bare:
            return _requiring(bare, tag) if "properties" in bare else bare
        if bare["$ref"] in inside:
            return bare
        wanted = {"type": "object", "properties": {tag: True}, "required": [tag]}
        return {"allOf": [bare, wanted]}

    return dict(rewrite({**schema, "$defs": definitions} if definitions else schema, settle))


def _requiring(schema: Json, name: str) -> Json:
    required = schema.get("required", [])
    if name in required:
        return schema
    names = [each for each in schema["properties"] if each == name or each in required]
    return {**schema, "required": names}


def _with_text_keys(schema: Json, definitions: Json) -> Json:
    if "propertyNames" not in schema:
        return schema
    keys = as_key(schema["propertyNames"], definitions)
    rest = {key: value for key, value in schema.items() if key != "propertyNames"}
    return rest if keys in ({}, {"type": "string"}) else {**rest, "propertyNames": keys}


def _with_plain_names(schema: Json) -> Json:
    """Definitions named after their classes, whatever modules those lie in: Money, then Money2."""
    definitions = schema.get("$defs", {})
    names: dict[str, str] = {}
    for old in _names_in_order(schema, sort=False):
        base = _plain_name(definitions[old].get("title") or old.rpartition("__")[2])
        taken = names.values()
        tries = (f"{base}{number}" if number > 1 else base for number in range(1, len(names) + 2))
        names[old] = next(each for each in tries if each not in taken)
    named = _renamed(schema, names)
    for name, each in named.get("$defs", {}).items():
        if _plain_name(each.get("title", "")) in (name, name.rstrip("0123456789")):
            del each["title"]
    return named


def _plain_name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]+", "", text) or "Part"


def _renamed(schema: Json, names: dict[str, str]) -> Json:
    """With other names of definitions, in the order of `names`; those without a name go."""

    def change(each: Json) -> Json:
        found = dict(each)
        if "$ref" in found:
            found["$ref"] = _REF + names[found["$ref"].removeprefix(_REF)]
        return found

    definitions = schema.get("$defs", {})
    found = dict(rewrite({key: schema[key] for key in schema if key != "$defs"}, change))
    if names:
        found["$defs"] = {new: rewrite(definitions[old], change) for old, new in names.items()}
    return found


def _names_in_order(schema: Json, *, sort: bool) -> list[str]:
    """The definitions that the schema needs, in the order in which a reader meets them."""
    definitions = schema.get("$defs", {})
    found: list[str] = []
    waiting = [{key: value for key, value in schema.items() if key != "$defs"}]
    while waiting:
        for each in _walk(waiting.pop(0), sort=sort):
            name = str(each.get("$ref", "")).removeprefix(_REF)
            if name in definitions and name not in found:
                found.append(name)
                waiting.append(definitions[name])
    return found


def _walk(schema: Any, *, sort: bool = False) -> Iterator[Json]:
    """All schemas in a schema, the outer ones first. `sort`: by key, not as they are written."""
    if not isinstance(schema, dict):
        return
    yield schema
    for key in sorted(schema) if sort else schema:
        value = schema[key]
        if key in MAPS and isinstance(value, dict):
            for name in sorted(value) if sort else value:
                yield from _walk(value[name], sort=sort)
        elif key in LISTS and isinstance(value, list):
            for each in value:
                yield from _walk(each, sort=sort)
        elif key in SINGLES:
            yield from _walk(value, sort=sort)


def _without_prose(schema: Json) -> Json:
    found = {key: value for key, value in schema.items() if key not in _PROSE}
    if "required" in found:
        found["required"] = sorted(found["required"])
    if comment_of(found):
        unsaid = split_comment(comment_of(found))[1]
        found["$comment"] = UNSAID + unsaid
        if not unsaid:
            del found["$comment"]
    return found
