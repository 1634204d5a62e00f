"""Of which places it is sure, by the schema alone, that a reader takes what is written there of a
natural value (natural.py). A message made of such places need not be read back before it leaves,
which would be the dearest part of publishing.

Only what is known in full is sure. Any validator of the user's, any setting or constraint that is
not named here, whatever a later Pydantic may add, makes a place unsure: then it is read back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any

from omniq_typed.messages.schema_walk import Place, Schema, content_of, fields_of

_ANY = frozenset({"type", "ref", "metadata", "strict"})
_SIZES = ("min_length", "max_length")
_BOUNDS = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}

_KNOWN: dict[str, frozenset[str]] = {
    "bool": _ANY,
    "uuid": _ANY,
    "str": _ANY.union(_SIZES),
    "int": _ANY.union(_BOUNDS),
    "float": _ANY.union(_BOUNDS, ["allow_inf_nan"]),
    "date": _ANY,
    "datetime": _ANY | {"tz_constraint", "microseconds_precision"},
    "enum": _ANY | {"cls", "members", "sub_type"},
    "literal": _ANY | {"expected"},
    "nullable": _ANY | {"schema"},
    "list": _ANY.union(_SIZES, ["items_schema", "fail_fast"]),
    "dict": _ANY.union(_SIZES, ["keys_schema", "values_schema"]),
    "model": _ANY | {"cls", "schema", "config", "frozen", "revalidate_instances", "generic_origin"},
    "dataclass": _ANY
    | {"cls", "cls_name", "schema", "config", "frozen", "slots", "fields", "generic_origin"},
    "model-fields": _ANY | {"fields", "model_name", "extra_behavior"},
    "dataclass-args": _ANY | {"fields", "dataclass_name", "extra_behavior"},
    "default": _ANY
    | {"schema", "default", "default_factory", "default_factory_takes_data"}
    | {"validate_default", "copy_default", "on_error"},
    "definitions": _ANY | {"schema", "definitions"},
    "definition-ref": _ANY | {"schema_ref"},
}
"""What a schema of each kind may say. What is false or None says nothing."""
_FIELD = frozenset(
    {"type", "name", "schema", "metadata", "frozen", "kw_only", "init"}
    | {"validation_alias", "serialization_alias"}
)
_CONFIG = frozenset(
    {"title", "strict", "extra_fields_behavior", "validate_default", "from_attributes"}
    | {"hide_input_in_errors", "revalidate_instances", "loc_by_alias", "cache_strings"}
)
_WRAPPERS = ("default", "definitions", "definition-ref")
_HAS_ZONE = "({0}.tzinfo is UTC or type({0}.tzinfo) is TzInfo and not {0}.utcoffset().seconds % 60)"
"""Pydantic writes offsets in whole minutes; of other classes of zones nothing is known."""
_ZONES = {
    "aware": _HAS_ZONE,
    "naive": "{0}.tzinfo is None",
    None: f"({{0}}.tzinfo is None or {_HAS_ZONE})",
}
_SMALLEST, _LARGEST = -(2**63), 2**63 - 1
"""Pydantic reads no numbers of thousands of digits."""


def conditions(place: Place, value: str) -> list[str] | None:
    """What has to be true of the expression `value`, besides that it is natural, so that it is
    sure; None: it never is. Without what lies within a container or an object."""
    content = content_of(place).place
    if not all(_says_only(each, _KNOWN) for each in _down_to(place, content)):
        return None
    if content.kind in ("str", "list", "dict"):
        return list(_sizes(content, f"len({value})"))
    if content.kind == "int":
        low, high = content.schema.get("ge"), content.schema.get("le")
        if type(low) is int and type(high) is int:  # SafeInt, mostly
            return [f"{low} <= {value} <= {high}", *_bounds(content, value, "gt", "lt")]
        return [f"{_SMALLEST} <= {value} <= {_LARGEST}", *_bounds(content, value, *_BOUNDS)]
    if content.kind == "datetime":
        return [_ZONES.get(content.schema.get("tz_constraint"), "False").format(value)]
    if content.kind == "enum":
        texts = all(type(each.value) is str for each in content.schema["members"])
        return [] if texts else None
    if content.kind == "float":
        return list(_bounds(content, value, *_BOUNDS))
    return []


def fields_are_sure(cls: type, body: Place) -> bool:
    """Whether an object is read by the names under which it is written, and made of what is read
    by nobody but Pydantic. `body`: of a model or dataclass."""
    made_by_python: Any = object.__new__
    if cls.__new__ is not made_by_python or not _says_only(body.schema, _KNOWN):
        return False
    fields = body.schema.get("fields") or ()
    each_field = list(fields.values()) if isinstance(fields, Mapping) else list(fields)
    if any(not _only(each, _FIELD) or _is_odd(each) for each in each_field):
        return False
    found = list(fields_of(body))
    written = {each.written for each in found}
    return len(written) == len(each_field) and all(each.read == (each.written,) for each in found)


def _is_odd(field: Schema) -> bool:
    alias = field.get("validation_alias")
    return field.get("init") is False or not (alias is None or isinstance(alias, str))


def _down_to(place: Place, content: Place) -> Iterator[Schema]:
    """The schemas from a place to its content, both included, through the wrappers that are
    sure; an empty one stands for any other."""
    schema, definitions = place.schema, {**content.definitions, **place.definitions}
    yield schema
    while schema is not content.schema:
        kind = schema.get("type")
        if kind not in _WRAPPERS:
            yield {}
            return
        if kind == "definition-ref":
            schema = definitions.get(schema["schema_ref"], {})
        else:
            schema = schema["schema"]
        yield schema


def _says_only(schema: Schema, known: Mapping[str, frozenset[str]]) -> bool:
    names = known.get(str(schema.get("type")))
    return names is not None and _only(schema, names) and _only(schema.get("config") or {}, _CONFIG)


def _only(schema: Schema, names: frozenset[str]) -> bool:
    return all(
        name in names or said is None or said is False or (type(said) in (list, dict) and not said)
        for name, said in schema.items()
    )


def _sizes(content: Place, size: str) -> Iterator[str]:
    for name, comparison in (("min_length", ">="), ("max_length", "<=")):
        bound = content.schema.get(name)
        if bound is not None:
            yield f"{size} {comparison} {int(bound)}"


def _bounds(content: Place, value: str, *names: str) -> Iterator[str]:
    numbers = (int,) if content.kind == "int" else (int, float)
    for name in names:
        bound: Any = content.schema.get(name)
        if bound is not None:
            # What is no plain number may be written in any way, and not as Python reads it.
            is_plain = type(bound) in numbers and isfinite(bound)
            yield f"{value} {_BOUNDS[name]} {bound!r}" if is_plain else "False"
