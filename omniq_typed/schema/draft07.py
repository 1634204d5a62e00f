"""The same schema in the words of JSON Schema draft-07, for tools that know no newer one."""

from __future__ import annotations

from typing import Any, TypeAlias

from omniq_typed.errors import InvalidArgument
from omniq_typed.schema.wire.wording import rewrite

Json: TypeAlias = dict[str, Any]

DIALECT = "http://json-schema.org/draft-07/schema#"
_NEW_REF, _OLD_REF = "#/$defs/", "#/definitions/"
_NOTES = frozenset({"$schema", "$comment", "title", "description", "default", "examples"})
_NOT_THERE = frozenset({"deprecated", "contentSchema"})
"""Keywords that only inform."""
_COMBINING = frozenset({"allOf", "anyOf", "oneOf", "if", "then", "else", "$ref", "not"})
_DEPENDENT = ("dependentRequired", "dependentSchemas")


def to_draft07(schema: Json) -> Json:
    """A schema of draft 2020-12 that allows the same payloads. Raises InvalidArgument for what
    draft-07 cannot say; no exported schema has it unless the user's own words are in it."""
    converted = dict(rewrite(schema, _converted))
    # `rewrite` works from the inside out, so that the definitions are converted by now.
    definitions = converted.pop("$defs", None)
    if definitions is not None:
        converted["definitions"] = definitions
    return {"$schema": DIALECT, **{key: converted[key] for key in converted if key != "$schema"}}


def _converted(schema: Json) -> Json:
    found = {key: value for key, value in schema.items() if key not in _NOT_THERE}
    _convert_tuple(found)
    _convert_dependencies(found)
    _convert_unevaluated(found, "unevaluatedProperties", "additionalProperties")
    _convert_unevaluated(found, "unevaluatedItems", "additionalItems")
    for key in ("minContains", "maxContains"):
        if key in found:
            raise InvalidArgument("schema", f"draft-07 cannot say {key}")
    return _with_lone_reference(found)


def _convert_tuple(found: Json) -> None:
    if "prefixItems" not in found:
        return
    rest = found.pop("items", None)
    found["items"] = found.pop("prefixItems")
    if rest is not None:
        found["additionalItems"] = rest


def _convert_dependencies(found: Json) -> None:
    dependencies: Json = {}
    for key in _DEPENDENT:
        for name, wanted in found.pop(key, {}).items():
            if name in dependencies:
                names = dependencies[name]
                wanted = {"allOf": [{"required": names}, wanted]}
            dependencies[name] = wanted
    if dependencies:
        found["dependencies"] = dependencies


def _convert_unevaluated(found: Json, new: str, old: str) -> None:
    """Beside nothing that combines schemas, all that is not evaluated is what is additional."""
    if new not in found:
        return
    if found.keys() & _COMBINING:
        raise InvalidArgument("schema", f"draft-07 cannot say {new} beside combined schemas")
    value = found.pop(new)
    if old == "additionalItems" and not isinstance(found.get("items"), list):
        found.setdefault("items", value)
    else:
        found.setdefault(old, value)


def _with_lone_reference(found: Json) -> Json:
    """Draft-07 ignores what stands beside a reference."""
    if "$ref" not in found:
        return found
    reference = {"$ref": found["$ref"].replace(_NEW_REF, _OLD_REF, 1)}
    beside = {key: value for key, value in found.items() if key not in ("$ref", "$defs")}
    kept = {"$defs": found["$defs"]} if "$defs" in found else {}
    if not beside and not kept:
        return reference
    notes = {key: value for key, value in beside.items() if key in _NOTES}
    rules = {key: value for key, value in beside.items() if key not in _NOTES}
    return {**notes, "allOf": [reference, *([rules] if rules else [])], **kept}
