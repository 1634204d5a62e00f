"""Pydantic's core schemas as places in the JSON: wrappers taken off, references resolved, and the
configuration known that is in force at each place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from types import MappingProxyType
from typing import Any, TypeAlias

from pydantic import TypeAdapter

Schema: TypeAlias = Mapping[str, Any]
Kinds: TypeAlias = frozenset[str | tuple[str, Any]]
"""What a place is in JSON: 'string' for any text, ('string', 'a') for this text only."""

_NOTHING: Schema = MappingProxyType({})
ANYTHING: Schema = MappingProxyType({"type": "any"})

# Wrappers lie in each other a few deep; only a reference to itself goes on for ever.
_MOST_WRAPPERS = 100

# Wrapper → the key of what it wraps, as a strict reader of JSON goes.
_WRAPPED = {
    "definitions": "schema",
    "default": "schema",
    "function-before": "schema",
    "function-after": "schema",
    "function-wrap": "schema",
    "custom-error": "schema",
    "lax-or-strict": "strict_schema",
    "json-or-python": "json_schema",
}
_OBJECT_BODIES = frozenset({"model-fields", "dataclass-args", "typed-dict"})
_TEXT_LIKE_SERIALIZERS = frozenset({"to-string", "format"})

ARRAYS = frozenset({"list", "set", "frozenset", "generator", "deque"})
"""What has one `items_schema`."""
MAPPINGS = frozenset({"dict", "frozendict", "ordered-dict", "counter"})
"""What has a `keys_schema` and a `values_schema`."""
NAMED_TUPLES = frozenset({"named-tuple", "call"})
"""Before Pydantic had a schema for named tuples, it called their class."""

_KINDS: dict[str, tuple[str, ...]] = {
    "none": ("null",),
    "bool": ("boolean",),
    "int": ("number",),
    "float": ("number",),
    # Written as text; a reader takes numbers as well.
    "decimal": ("string", "number"),
    "fraction": ("string", "number"),
    "complex": ("string", "number"),
    **dict.fromkeys(("str", "bytes", "date", "time", "datetime", "timedelta"), ("string",)),
    **dict.fromkeys(("uuid", "url", "multi-host-url", "json"), ("string",)),
    **dict.fromkeys((*ARRAYS, "tuple"), ("array",)),
    **dict.fromkeys((*MAPPINGS, *_OBJECT_BODIES, "dataclass"), ("object",)),
}
_KINDS_OF_VALUES = {bool: "boolean", int: "number", float: "number", str: "string"}


@dataclass(frozen=True, slots=True)
class Place:
    """A core schema where it stands: `config` is in force there, `definitions` are in reach."""

    schema: Schema
    config: Schema = field(default_factory=dict)
    definitions: Mapping[str, Schema] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        return str(self.schema.get("type", ""))

    def at(self, schema: Schema) -> Place:
        """A schema below this one, under the same configuration."""
        return replace(self, schema=schema)

    def setting(self, name: str, default: Any = None) -> Any:
        """A setting of the schema itself, or else of its configuration."""
        return self.schema.get(name, self.config.get(name, default))


@dataclass(frozen=True, slots=True)
class Content:
    """What is left of a place without its wrappers.

    `ref`: the definition that it stands in. `custom`: the user's own serializer writes it, so that
    nothing can be said. `opaque`: Pydantic writes it in a form of its own, like a Path as text.
    `instance_of`: the class that the Python value must have, where only a class is asked for.
    """

    place: Place
    ref: str | None = None
    custom: bool = False
    opaque: bool = False
    secret: bool = False
    instance_of: Any = None

    @property
    def kind(self) -> str:
        return self.place.kind


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an object: `written` is its name in the JSON, `read` are the names that a reader
    looks for, the one of its exported schema first."""

    name: str
    place: Place
    written: str
    read: tuple[str, ...]
    init: bool = True
    init_only: bool = False


def pointer(parts: Iterable[str]) -> str:
    """('items', '0', 'a/b') → '/items/0/a~1b' (RFC 6901)."""
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in parts)


def place_of(adapter: TypeAdapter[Any]) -> Place:
    """The whole type."""
    return Place(adapter.core_schema)


def content_of(place: Place) -> Content:
    """Takes the wrappers off, up to what has a form of its own in JSON."""
    found = _note_serializer(Content(place))
    for _ in range(_MOST_WRAPPERS):
        inner = unwrap(found)
        if inner is None:
            return found
        found = _note_serializer(inner)
    return replace(found, place=place.at(_NOTHING))


def unwrap(found: Content) -> Content | None:
    """One wrapper off; None where there is none left."""
    place, schema = found.place, found.place.schema
    if place.kind == "definition-ref":
        ref = schema.get("schema_ref", "")
        return replace(found, place=place.at(place.definitions.get(ref, _NOTHING)), ref=ref)
    if place.kind == "definitions":
        named = {each["ref"]: each for each in schema.get("definitions", ()) if "ref" in each}
        place = replace(place, definitions={**place.definitions, **named})
    if place.kind == "chain":
        # Pydantic's own chains check in their first steps what the last one says in full.
        inner = next(reversed(schema.get("steps") or ()), None)
    else:
        inner = schema.get(_WRAPPED.get(place.kind, ""))
    if inner is None:
        return None
    asked = found.instance_of if found.instance_of is not None else _class_asked(schema)
    return replace(found, place=place.at(inner), instance_of=asked)


def _class_asked(schema: Schema) -> Any:
    """The class of `json-or-python` schemas, also where a chain begins with one."""
    if schema.get("type") == "chain":
        steps: list[Schema] = schema.get("steps") or []
        return _class_asked(steps[0]) if steps else None
    if schema.get("type") != "json-or-python":
        return None
    python: Schema = schema.get("python_schema", _NOTHING)
    if python.get("type") == "chain":
        python = next(iter(python.get("steps") or ()), _NOTHING)
    return python.get("cls") if python.get("type") == "is-instance" else None


def _note_serializer(found: Content) -> Content:
    serializer = found.place.schema.get("serialization")
    if not serializer or str(serializer.get("type", "")).startswith("include-exclude"):
        return found
    if serializer.get("type") in _TEXT_LIKE_SERIALIZERS:
        return replace(found, opaque=True)
    function = serializer.get("function")
    module = str(getattr(function, "__module__", ""))
    if not module.startswith("pydantic.") or module == "pydantic.functional_serializers":
        return replace(found, custom=True)
    if serializer.get("type") == "function-wrap":
        return found  # Sequence, Mapping: written as the list or dict that the schema says
    secret = "secret" in str(getattr(function, "__qualname__", "")).lower()
    return replace(found, opaque=True, secret=found.secret or secret)


def body_of(place: Place) -> Place:
    """From a model, dataclass or TypedDict to what holds its fields, under its own configuration;
    of a root model, to the root."""
    config = place.schema.get("config", _NOTHING if place.kind != "typed-dict" else place.config)
    inside = replace(place, config=config)
    return inside if place.kind == "typed-dict" else inside.at(place.schema.get("schema", _NOTHING))


def extra_of(body: Place) -> str:
    """What happens to unknown fields: 'ignore', 'forbid' or 'allow'."""
    return str(
        body.schema.get("extra_behavior") or body.config.get("extra_fields_behavior") or "ignore"
    )


def fields_of(body: Place) -> Iterator[Field]:
    """The fields of a `body_of` without wrappers, in order; those that are never written and never
    read by the type's own wish (`exclude=True`) are left out."""
    fields = body.schema.get("fields") or ()
    named: Iterable[tuple[str, Schema]] = (
        fields.items()
        if isinstance(fields, Mapping)
        else ((each.get("name", ""), each) for each in fields if isinstance(each, Mapping))
    )
    for name, each in named:
        if each.get("serialization_exclude") or each.get("serialization_exclude_if"):
            continue
        yield Field(
            name=name,
            place=body.at(each.get("schema", _NOTHING)),
            written=each.get("serialization_alias") or name,
            read=_names_read(body, name, each.get("validation_alias")),
            init=each.get("init", True) is not False,
            init_only=bool(each.get("init_only")),
        )


def _names_read(body: Place, name: str, alias: Any) -> tuple[str, ...]:
    by_name = (
        body.config.get("validate_by_name")
        or body.config.get("populate_by_name")
        or body.schema.get("populate_by_name")
    )
    by_alias = body.config.get("validate_by_alias") is not False
    return names_read(name, alias, by_name=bool(by_name), by_alias=by_alias)


def names_read(name: str, alias: Any, *, by_name: bool, by_alias: bool) -> tuple[str, ...]:
    """Under which names a field is looked for, the first of them first. Paths into nested objects
    are no names and do not count."""
    if alias is None:
        return (name,)
    if not by_alias:
        return (name,) if by_name else ()
    if isinstance(alias, str):
        aliases = [alias]
    else:
        paths = alias if all(isinstance(path, list) for path in alias) else [alias]
        aliases = [path[0] for path in paths if len(path) == 1]
    return (*aliases, name) if by_name and name not in aliases else tuple(aliases)


def items_of_named_tuple(place: Place) -> list[Place]:
    """Its items in order; none for a call of anything else."""
    if place.kind == "named-tuple":
        return [field.place for field in fields_of(place)]
    called = place.schema.get("function")
    if not (isinstance(called, type) and issubclass(called, tuple)):
        return []
    arguments = place.schema.get("arguments_schema", _NOTHING).get("arguments_schema") or ()
    return [place.at(each.get("schema", _NOTHING)) for each in arguments]


def choices_of(place: Place) -> list[Place]:
    """The choices of a union; each may again be a union."""
    choices = place.schema.get("choices") or ()
    if isinstance(choices, Mapping):
        return [place.at(each) for each in choices.values() if isinstance(each, Mapping)]
    return [place.at(each[0] if isinstance(each, tuple) else each) for each in choices]


def kinds_of(place: Place, depth: int = 20) -> Kinds | None:
    """What the place is in JSON; None where that cannot be said."""
    found = content_of(place)
    schema = found.place.schema
    if depth == 0:
        return None
    if found.custom:
        returned = schema.get("serialization", _NOTHING).get("return_schema")
        return kinds_of(found.place.at(returned), depth - 1) if returned else None
    if found.kind in ("literal", "enum"):
        return _kinds_of_values(schema.get("expected") or schema.get("members") or ())
    if found.kind == "model":
        root = body_of(found.place)
        return kinds_of(root, depth - 1) if schema.get("root_model") else frozenset({"object"})
    if found.kind == "timedelta" and writes_number(found.place):
        return frozenset({"string", "number"})
    if found.kind == "nullable":
        inner = kinds_of(found.place.at(schema.get("schema", _NOTHING)), depth - 1)
        return None if inner is None else inner | {"null"}
    if found.kind in ("union", "tagged-union"):
        each = [kinds_of(choice, depth - 1) for choice in choices_of(found.place)]
        known = [kinds for kinds in each if kinds is not None]
        return frozenset().union(*known) if len(known) == len(each) else None
    if found.kind in NAMED_TUPLES:
        # Written as an array; a reader takes objects as well.
        is_tuple = found.kind == "named-tuple" or items_of_named_tuple(found.place)
        return frozenset({"array", "object"}) if is_tuple else None
    kinds = _KINDS.get(found.kind)
    return None if kinds is None else frozenset(kinds)


def _kinds_of_values(values: Iterable[Any]) -> Kinds | None:
    plain = [each.value if isinstance(each, Enum) else each for each in values]
    if not all(each is None or type(each) in _KINDS_OF_VALUES for each in plain):
        return None
    # Pydantic takes true for 1 and false for 0 where only certain values may be.
    bits = [bool(each) for each in plain if type(each) is int and each in (0, 1)]
    return frozenset(
        "null" if each is None else (_KINDS_OF_VALUES[type(each)], each) for each in [*plain, *bits]
    )


def writes_number(place: Place) -> bool:
    """Whether a timedelta is written as seconds or milliseconds, not as ISO 8601."""
    temporal = place.config.get("ser_json_temporal")
    iso = temporal == "iso8601" if temporal else place.config.get("ser_json_timedelta") != "float"
    return not iso


def is_ambiguous(place: Place) -> bool:
    """Whether the JSON of a union does not say which choice it is: two of them look alike. Also
    of Optional, where a model in it may itself be written as null."""
    if place.kind == "nullable":
        inner = content_of(place.at(place.schema.get("schema", _NOTHING)))
        within = choices_of(inner.place) if inner.kind == "union" else [inner.place]
        return any(map(_is_model_of_null, within))
    choices = choices_of(place)
    for index, choice in enumerate(choices):
        if any(_look_alike(choice, other) for other in choices[:index]):
            return True
    return False


def _look_alike(one: Place, other: Place) -> bool:
    kinds, others = kinds_of(one), kinds_of(other)
    if kinds is None or others is None:
        return False
    if "null" in kinds & others and (_is_model_of_null(one) or _is_model_of_null(other)):
        return True
    kinds, others = kinds - {"null"}, others - {"null"}
    shared = {_general(kind) for kind in kinds} & {_general(kind) for kind in others}
    return any(
        kind in kinds or kind in others or _values(kinds, kind) & _values(others, kind)
        for kind in shared
    )


def _is_model_of_null(place: Place) -> bool:
    content = content_of(place)
    return content.kind == "model" and "null" in (kinds_of(content.place) or ())


def _general(kind: str | tuple[str, Any]) -> str:
    return kind if isinstance(kind, str) else kind[0]


def _values(kinds: Kinds, general: str) -> set[Any]:
    return {kind[1] for kind in kinds if isinstance(kind, tuple) and kind[0] == general}
