"""A schema in a few words, for people: `integer, 0 to 9`, `list of Line`, `string or null`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]

REF = "#/$defs/"
MAX_DEPTH = 3
MAX_LISTED = 6
MAX_TEXT = 60

_BOUNDS = (
    *(("minimum", "at least"), ("exclusiveMinimum", "more than")),
    *(("maximum", "at most"), ("exclusiveMaximum", "less than"), ("multipleOf", "multiple of")),
    *(("minLength", "length from"), ("maxLength", "length up to")),
    *(("minItems", "from"), ("maxItems", "up to"), ("format", ""), ("contentEncoding", "")),
    ("pattern", "matching"),
)


def describe(schema: Any, definitions: Mapping[str, Any], depth: int = MAX_DEPTH) -> str:
    """What a schema allows. `definitions`: those that its references mean."""
    if schema is False:
        return "nothing"
    if not isinstance(schema, dict):
        return "anything"
    if "$ref" in schema:
        name = str(schema["$ref"]).removeprefix(REF)
        target = definitions.get(name)
        is_named = isinstance(target, dict) and target.get("type") == "object"
        return name if is_named or depth == 0 else describe(target, definitions, depth - 1)
    if "const" in schema:
        return as_text(schema["const"])
    if "enum" in schema:
        return f"one of {_listed([as_text(each) for each in schema['enum']])}"
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return " or ".join(describe(each, definitions, depth - 1) for each in schema[key])
    if len(schema.get("allOf", ())) == 1 and not schema.keys() & {"type", "properties"}:
        return describe(schema["allOf"][0], definitions, depth)
    return ", ".join([_kind(schema, definitions, depth), *_limits(schema)])


def as_text(value: Any) -> str:
    """A JSON value as JSON, cut where it is long."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 1]}…"


def _kind(schema: Json, definitions: Mapping[str, Any], depth: int) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        return " or ".join(kind)
    if kind == "array" and depth > 0:
        return _list(schema, definitions, depth)
    if kind == "object" and depth > 0:
        return _object(schema, definitions, depth)
    return "anything" if kind is None else str(kind)


def _list(schema: Json, definitions: Mapping[str, Any], depth: int) -> str:
    if "prefixItems" in schema:
        each = [describe(it, definitions, depth - 1) for it in schema["prefixItems"]]
        return f"list of exactly {_listed(each)}"
    what = "set" if schema.get("uniqueItems") else "list"
    items = describe(schema.get("items"), definitions, depth - 1)
    return what if items == "anything" else f"{what} of {items}"


def _object(schema: Json, definitions: Mapping[str, Any], depth: int) -> str:
    if "title" in schema:
        return str(schema["title"])
    if schema.get("properties"):
        return f"object with {_listed(list(schema['properties']))}"
    values = describe(schema.get("additionalProperties"), definitions, depth - 1)
    return "object" if values in ("anything", "nothing") else f"object of {values}"


def _limits(schema: Json) -> list[str]:
    found = []
    for key, words in _BOUNDS:
        if key in schema:
            value = schema[key]
            text = value if isinstance(value, str) else as_text(value)
            found.append(f"{words} {text}".strip())
    return found


def _listed(texts: list[str]) -> str:
    rest = len(texts) - MAX_LISTED
    shown = ", ".join(texts[:MAX_LISTED])
    return f"{shown} and {rest} more" if rest > 0 else shown
