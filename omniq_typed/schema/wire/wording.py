"""What Pydantic says in words of its own in JSON Schemas, in words that every validator knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from omniq_typed.schema.wire import wire_texts
from omniq_typed.schema.wire.generator import UNSAID, base64_text, comment_of
from omniq_typed.schema.wire.numerals import integer_pattern

Json: TypeAlias = dict[str, Any]

KEYWORDS = (
    *("$schema", "$comment", "title", "description", "deprecated", "readOnly", "writeOnly"),
    *("$ref", "type", "const", "enum", "default", "examples"),
    *("format", "pattern", "minLength", "maxLength"),
    *("contentEncoding", "contentMediaType", "contentSchema"),
    *("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum", "multipleOf"),
    *("prefixItems", "items", "contains", "minContains", "maxContains", "minItems", "maxItems"),
    *("uniqueItems", "unevaluatedItems"),
    *("properties", "patternProperties", "additionalProperties", "propertyNames", "required"),
    *("minProperties", "maxProperties", "dependentRequired", "dependentSchemas"),
    *("unevaluatedProperties", "allOf", "anyOf", "oneOf", "not", "if", "then", "else", "$defs"),
)
"""All keywords that a schema may have, in the order in which they are written."""

MAPS = frozenset({"properties", "patternProperties", "dependentSchemas", "$defs"})
"""Keywords that hold schemas by name."""
LISTS = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
"""Keywords that hold lists of schemas."""
SINGLES = frozenset(
    {
        *("items", "contains", "additionalProperties", "propertyNames", "contentSchema"),
        *("unevaluatedItems", "unevaluatedProperties", "not", "if", "then", "else"),
    }
)
"""Keywords that hold a schema."""

# Formats that Ajv and jsonschema-rs both check, alike enough.
_KNOWN = frozenset(
    {
        *("date-time", "date", "time", "duration", "email", "hostname", "ipv4", "ipv6"),
        *("uri", "uri-reference", "uri-template", "uuid", "json-pointer", "regex"),
    }
)
_TEXTS: dict[str, Json] = {
    "base64": base64_text(wire_texts.BASE64, "base64"),
    "base64url": base64_text(wire_texts.BASE64_URL, "base64url"),
    "ipv4network": {"pattern": wire_texts.IPV4_NETWORK},
    "ipv6network": {"pattern": wire_texts.IPV6_NETWORK},
    "ipv4interface": {"pattern": wire_texts.IPV4_NETWORK},
    "ipv6interface": {"pattern": wire_texts.IPV6_NETWORK},
    "json-string": {"contentMediaType": "application/json"},
    **{
        f"uuid{version}": {"format": "uuid", "pattern": wire_texts.UUID_OF_VERSION.format(version)}
        for version in range(1, 9)
    },
}
# What a format asks for beyond the words that stand for it.
_UNSAID_OF = {
    "ipv4network": "no host bits",
    "ipv6network": "an IPv6 address, no host bits",
    "ipv6interface": "an IPv6 address",
    **{
        name: f"the format {name}"
        for name in (
            *("ipvanyaddress", "ipvanyinterface", "ipvanynetwork", "name-email"),
            *("file-path", "directory-path"),
        )
    },
}

Rewrite: TypeAlias = Callable[[Json], Json]


def rewrite(schema: Any, change: Rewrite) -> Any:
    """A copy in which each schema, from the inside out, is what `change` makes of it."""
    if not isinstance(schema, dict):
        return schema
    found: Json = {}
    for key, value in schema.items():
        if key in MAPS and isinstance(value, dict):
            found[key] = {name: rewrite(each, change) for name, each in value.items()}
        elif key in LISTS and isinstance(value, list):
            found[key] = [rewrite(each, change) for each in value]
        elif key in SINGLES:
            found[key] = rewrite(value, change)
        else:
            found[key] = value
    return change(found)


def in_known_words(schema: Json) -> Json:
    """Without keywords and formats that are Pydantic's or the user's own; for `rewrite`."""
    name = schema.get("format")
    found = dict(schema)
    if name is not None and name not in _KNOWN:
        del found["format"]
        said = _TEXTS.get(name, {})
        if "pattern" in found and "pattern" in said and "contentEncoding" not in said:
            found["allOf"] = [*found.get("allOf", []), {"pattern": found["pattern"]}]
        found |= said
        if name in _UNSAID_OF:
            found["$comment"] = UNSAID + ", ".join(
                filter(None, [_UNSAID_OF[name], comment_of(found)])
            )
    return {key: found[key] for key in KEYWORDS if key in found}


def in_order(schema: Json) -> Json:
    """Keywords in the one order; for `rewrite`."""
    return {key: schema[key] for key in KEYWORDS if key in schema}


def as_key(schema: Any, definitions: Json, depth: int = 20) -> Json:
    """The schema of a value that is the key of an object, where all is text: 7 is '7'."""
    if not isinstance(schema, dict) or depth == 0:
        return {}
    found = _as_key(schema, definitions, depth)
    words = _LOST_OF_KEYS.get(str(schema.get("type")), ())
    lost = [f"{word} {schema[word]}" for word in words if word in schema]
    comment = ", ".join(filter(None, [comment_of(found), *lost, comment_of(schema)]))
    return {**found, "$comment": UNSAID + comment} if comment else found


def _as_key(schema: Json, definitions: Json, depth: int) -> Json:
    if "$ref" in schema:
        target = definitions.get(schema["$ref"].rpartition("/")[2], {})
        return as_key(target, definitions, depth - 1)
    for word in ("anyOf", "oneOf"):
        if word in schema:
            choices = [as_key(each, definitions, depth - 1) for each in schema[word]]
            return {key: schema[key] for key in ("type",) if key in schema} | {"anyOf": choices}
    values = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if values is not None:
        return {"enum": [_written_key(each) for each in values]}
    kind = schema.get("type")
    if kind == "integer":
        return {"type": "string", "pattern": _integer_key(schema)}
    if kind == "number":
        return {"type": "string", "pattern": r"^-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,2})?$"}
    if kind == "boolean":
        return {"enum": ["true", "false"]}
    prose = ("title", "description", "$comment")
    return {key: value for key, value in schema.items() if key not in prose}


def _integer_key(schema: Json) -> str:
    least = [schema[key] + (key != "minimum") for key in _LEAST if key in schema]
    most = [schema[key] - (key != "maximum") for key in _MOST if key in schema]
    return integer_pattern(max(least, default=None), min(most, default=None))


_LEAST = ("minimum", "exclusiveMinimum")
_MOST = ("maximum", "exclusiveMaximum")
_LOST_OF_KEYS = {"integer": ("multipleOf",), "number": (*_LEAST, *_MOST, "multipleOf")}
"""What a pattern does not say of a number."""


def _written_key(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "None" if value is None else str(value)
