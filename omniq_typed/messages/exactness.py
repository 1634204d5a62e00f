"""Finds what would change without a word between a value and what its reader gets: the part of a
publish check that writing the JSON and reading it back cannot see."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from types import NoneType
from typing import Any
from uuid import UUID

from pydantic import BaseModel, TypeAdapter

from omniq_typed.errors import Fault
from omniq_typed.messages.exact_leaves import (
    ANY,
    INT,
    bool_as_number,
    float_look,
    key_check,
    literal_look,
    masked,
    plain_class,
    round_trip_check,
    unknown_key,
)
from omniq_typed.messages.looks import (
    ITERABLES,
    MAX_DEPTH,
    NEVER,
    Check,
    Found,
    Look,
    Part,
    class_name,
    items_look,
    join_found,
    look_at,
    look_at_named,
    look_at_parts,
    object_check,
    part_of,
    positions_look,
    stray,
)
from omniq_typed.messages.schema_walk import (
    ANYTHING,
    ARRAYS,
    MAPPINGS,
    NAMED_TUPLES,
    Content,
    Place,
    body_of,
    choices_of,
    content_of,
    extra_of,
    fields_of,
    is_ambiguous,
    items_of_named_tuple,
    kinds_of,
    place_of,
    pointer,
)

_NATURAL: dict[str, tuple[type, ...]] = {
    "none": (NoneType,),
    "bool": (bool,),
    "int": (int,),
    "float": (float, int),
    "str": (str,),
    "bytes": (bytes,),
    "decimal": (Decimal,),
    "fraction": (Fraction,),
    "complex": (complex,),
    "date": (date,),
    "time": (time,),
    "datetime": (datetime,),
    "timedelta": (timedelta,),
    "uuid": (UUID,),
    "list": (list,),
    "deque": (deque,),
    "tuple": (tuple,),
    "set": (set,),
    "frozenset": (frozenset,),
    "dict": (dict,),
    "typed-dict": (dict,),
}


def exactness_check(adapter: TypeAdapter[Any]) -> Callable[[Any], tuple[Fault, ...]] | None:
    """Compiles the check of a type; None where nothing can get lost.

    The check takes an instance and returns its faults: `subclass` and `wrong_class` below the
    root, `not_finite`, `inexact`, `bool_as_number`, `wrong_type`, `unknown_key`, `key_as_text`,
    `union_choice`, `masked`. It never raises: what it does not understand it leaves to the encoder.
    """
    whole = place_of(adapter)
    look = _Compiler(content_of(whole).place).look(whole, root=True)
    if look is None:
        return None
    check = look.check

    def faults(value: Any) -> tuple[Fault, ...]:
        try:
            found = check(value)
        except Exception:  # a cycle, or a value that does not even answer to its attributes
            return ()
        if not found:
            return ()
        return tuple(Fault(pointer(path), code, message) for path, code, message in found)

    return faults


class _Compiler:
    """From places of a schema to Looks. Each definition is compiled once, recursive ones too."""

    def __init__(self, root: Place) -> None:
        # In unions NaN is written as the configuration of the whole says, not that of its class.
        self._inf_nan_in_unions = root.schema.get("config", {}).get("ser_json_inf_nan", "null")
        self._made: dict[tuple[str, frozenset[str], bool], Look | None] = {}

    def look(
        self, place: Place, beside: frozenset[str] = frozenset(), *, root: bool = False
    ) -> Look | None:
        """`beside`: what else the place takes in JSON, in a union; `root`: it is the whole value,
        whose class the caller has checked."""
        return self._look_into(content_of(place), beside, root)

    def _look_into(self, content: Content, beside: frozenset[str], root: bool) -> Look | None:
        if content.custom:
            return None
        if content.secret:
            return Look(NEVER, masked)
        if content.instance_of is not None:
            structure = None if content.opaque else self._structure(content, beside, root)
            return _of_class(content.instance_of, structure)
        if content.opaque:
            return None
        if content.ref is None:
            return self._structure(content, beside, root)
        return self._definition(content.ref, content, beside, root)

    def _definition(
        self, ref: str, content: Content, beside: frozenset[str], root: bool
    ) -> Look | None:
        key = (ref, beside, root)
        if key not in self._made:
            self._made[key] = Look(NEVER, lambda value: look_at(self._made[key], value))
            self._made[key] = self._structure(content, beside, root)
        return self._made[key]

    def _structure(self, content: Content, beside: frozenset[str], root: bool) -> Look | None:
        place, kind = content.place, content.kind
        if kind in ("model", "dataclass"):
            return self._object(place, root)
        if kind == "typed-dict":
            return self._typed_dict(place)
        if kind == "nullable":
            inner = self.look(place.at(place.schema["schema"]), beside | {"null"}, root=root)
            optional = inner and Look(inner.trusted | {NoneType}, inner.check)
            way_back = round_trip_check(place) if is_ambiguous(place) else None
            if way_back is not None:
                return Look(NEVER, lambda value: look_at(optional, value) or way_back(value))
            return optional
        if kind in ("union", "tagged-union"):
            return self._union(place, beside, root)
        if kind in ARRAYS:
            return items_look(self.look(place.at(place.schema.get("items_schema", ANYTHING))))
        if kind in MAPPINGS:
            return self._mapping(place)
        if kind == "tuple":
            return self._tuple(place)
        if kind in NAMED_TUPLES:
            return self._named_tuple(place)
        if kind == "literal":
            return literal_look(place.schema.get("expected", ()), beside)
        if kind == "float":
            mode = place.config.get("ser_json_inf_nan", "null")
            return float_look(self._inf_nan_in_unions if "number" in beside else mode, beside)
        return {"int": INT, "any": ANY}.get(kind)

    def _object(self, place: Place, root: bool) -> Look | None:
        schema, body = place.schema, body_of(place)
        cls: type = schema["cls"]
        extras: Look | None = None
        if schema.get("root_model"):
            look = self.look(body)
            parts = [] if look is None else [part_of("root", look, ())]
        else:
            body = content_of(body).place
            parts = self._parts(body)
            if place.kind == "model" and extra_of(body) == "allow":
                extras = self._extras(body)
        exact = _exact_classes(cls)
        if not parts and extras is None:
            bare = Look(exact, lambda v: None if type(v) in exact else stray(cls, v))
            return None if root else bare
        return Look(NEVER, object_check(cls, None if root else exact, parts, extras))

    def _parts(self, body: Place) -> list[Part]:
        looks = ((field, self.look(field.place)) for field in fields_of(body))
        return [
            part_of(field.name, look, (field.written,)) for field, look in looks if look is not None
        ]

    def _extras(self, body: Place) -> Look | None:
        return self.look(body.at(body.schema.get("extras_schema", ANYTHING)))

    def _typed_dict(self, place: Place) -> Look:
        body = body_of(place)
        parts = self._parts(body)
        names = frozenset(body.schema.get("fields") or ())
        allowed = extra_of(body) == "allow"
        extras = self._extras(body) if allowed else Look(NEVER, unknown_key)

        def check(value: Any) -> Found | None:
            if not isinstance(value, dict):
                return None
            found = look_at_parts(parts, value.get)
            if extras is None or value.keys() <= names:
                return found
            others = {key: value[key] for key in value if key not in names}
            return join_found(found, look_at_named(extras, others))

        return Look(NEVER, check)

    def _named_tuple(self, place: Place) -> Look | None:
        cls = _tuple_class(place)
        looks = [self.look(each) for each in items_of_named_tuple(place)]
        return None if cls is None else _of_class(cls, positions_look(looks))

    def _tuple(self, place: Place) -> Look | None:
        looks = [self.look(place.at(each)) for each in place.schema.get("items_schema") or ()]
        variadic = place.schema.get("variadic_item_index")
        if variadic is None:
            return positions_look(looks)
        # Where a variadic part has neighbours, positions shift; such tuples are left alone.
        return items_look(looks[0]) if len(looks) == 1 else None

    def _mapping(self, place: Place) -> Look | None:
        values = self.look(place.at(place.schema.get("values_schema", ANYTHING)))
        keys = key_check(place)
        if values is None and keys is None:
            return None

        def check(value: Any) -> Found | None:
            if not isinstance(value, Mapping):
                return None
            found = keys(value) if keys is not None else None
            return join_found(found, look_at_named(values, value)) if values is not None else found

        return Look(NEVER, check)

    def _union(self, place: Place, beside: frozenset[str], root: bool) -> Look | None:
        beside = beside | _general_kinds(place)
        by_type: dict[type, list[Look | None]] = {}
        unknown = False
        members = _members(place)
        for member in members:
            look = self._look_into(member, beside, root)
            natural = _natural_types(member)
            unknown = unknown or natural is None
            for each in natural or ():
                by_type.setdefault(each, []).append(look)
        way_back = round_trip_check(place) if _is_uncertain(place, members) else None
        strays = _strays_among(members, unknown=unknown or root)
        if way_back is None and strays is _no_stray and not any(map(any, by_type.values())):
            return None
        by_tag = self._by_tag(place, beside)
        tag_name = place.schema.get("discriminator")

        def check(value: Any) -> Found | None:
            looks = by_type.get(type(value)) or _inherited(by_type, value)
            if by_tag and isinstance(value, dict):
                looks = [by_tag.get(value.get(tag_name))]
            found = strays(value) if looks is None else _best(looks, value)
            return way_back(value) if found is None and way_back is not None else found

        trusted = [each for each, looks in by_type.items() if _trusts(looks, each)]
        return Look(NEVER if way_back is not None or by_tag else frozenset(trusted), check)

    def _by_tag(self, place: Place, beside: frozenset[str]) -> dict[Any, Look | None]:
        """The choices that are dicts, whose class does not tell which one is meant."""
        choices, tag_name = place.schema.get("choices"), place.schema.get("discriminator")
        if not isinstance(choices, Mapping) or not isinstance(tag_name, str):
            return {}
        places = {tag: place.at(each) for tag, each in choices.items() if isinstance(each, Mapping)}
        if not any(content_of(each).kind == "typed-dict" for each in places.values()):
            return {}
        return {tag: self.look(each, beside) for tag, each in places.items()}


def _members(place: Place, depth: int = MAX_DEPTH) -> list[Content]:
    """The choices of a union and of the unions among them."""
    found: list[Content] = []
    for choice in choices_of(place) if depth else ():
        content = content_of(choice)
        if content.custom or content.opaque:
            found.append(content)
        elif content.kind in ("union", "tagged-union"):
            found += _members(content.place, depth - 1)
        elif content.kind == "nullable":
            inner = content.place.at({"type": "union", "choices": [content.place.schema["schema"]]})
            found += _members(inner, depth - 1)
            found.append(Content(place.at({"type": "none"})))
        else:
            found.append(content)
    return found


def _is_uncertain(place: Place, members: list[Content]) -> bool:
    """Whether a value may come back as another choice. Text of Pydantic's own making, such as a
    Path's, may be made of any other choice's value; an iterator can be written but once."""
    if place.kind != "union" or any(each.kind == "generator" for each in members):
        return False
    return is_ambiguous(place) or any(each.opaque for each in members)


def _natural_types(content: Content) -> frozenset[type] | None:
    """The exact Python types that a value of this choice has; None where that cannot be said."""
    schema = content.place.schema
    if content.custom:
        return None
    if content.instance_of is not None:
        cls = plain_class(content.instance_of)
        return None if cls is None else frozenset({cls, *_standard_kinds_of(cls)})
    if content.opaque:
        return None
    if content.kind in ("model", "dataclass"):
        return _exact_classes(schema["cls"])
    if content.kind == "enum":
        return frozenset({schema["cls"]})
    if content.kind in NAMED_TUPLES:
        named = _tuple_class(content.place)
        return None if named is None else frozenset({named})
    if content.kind == "literal":
        return frozenset(map(type, schema.get("expected", ())))
    natural = _NATURAL.get(content.kind)
    return None if natural is None else frozenset(natural)


def _exact_classes(cls: type) -> frozenset[type]:
    """An instance of `Page` is one of `Page[Order]`, too, as far as its fields go."""
    generic = getattr(cls, "__pydantic_generic_metadata__", None) or {}
    return frozenset({cls, generic.get("origin") or cls})


def _tuple_class(place: Place) -> type | None:
    cls = place.schema.get("cls") or place.schema.get("function")
    return cls if isinstance(cls, type) and issubclass(cls, tuple) else None


def _general_kinds(place: Place) -> frozenset[str]:
    """What a union takes in JSON; where that is unknown, whatever NaN may be written as."""
    kinds = kinds_of(place)
    if kinds is None:
        return frozenset({"null", "string", "number"})
    return frozenset(kind if isinstance(kind, str) else kind[0] for kind in kinds)


def _inherited(by_type: Mapping[type, list[Look | None]], value: Any) -> list[Look | None] | None:
    """An IntEnum is looked at as an int, an OrderedDict as a dict; a bool is no number here, and
    classes with fields of their own must fit exactly."""
    if isinstance(value, bool | BaseModel) or is_dataclass(value):
        return None
    return next((looks for each, looks in by_type.items() if _is_a(each, value)), None)


def _no_stray(value: Any) -> Found | None:
    return None


def _strays_among(members: list[Content], *, unknown: bool) -> Check:
    """For values whose type belongs to no choice, where the encoder would not object. `unknown`:
    they may belong to one all the same."""
    classes = [each.place.schema["cls"] for each in members if each.kind in ("model", "dataclass")]
    asked = any(each.instance_of is not None or each.kind in NAMED_TUPLES for each in members)
    numbers = any(int in (_natural_types(each) or ()) for each in members)
    if unknown:
        return masked if any(each.secret for each in members) else _no_stray
    if not classes and not asked and not numbers:
        return _no_stray

    def strays(value: Any) -> Found | None:
        if isinstance(value, bool) and numbers:
            return bool_as_number(value)
        if classes and (isinstance(value, BaseModel) or is_dataclass(value)):
            bases = [cls for cls in classes if isinstance(value, cls)]
            return stray((bases or classes)[0], value)
        if classes or asked:
            return [((), "wrong_type", f"a {class_name(value)}, which is no choice of the union")]
        return None

    return strays


def _best(looks: list[Look | None], value: Any) -> Found | None:
    """None if any of the choices has nothing to object to, else what the first one has."""
    first: Found | None = None
    for look in looks:
        found = look_at(look, value)
        if not found:
            return None
        first = first or found
    return first


def _trusts(looks: list[Look | None], exact: type) -> bool:
    return any(look is None or exact in look.trusted for look in looks)


def _of_class(cls: Any, structure: Look | None) -> Look | None:
    """Where only a class is asked for, as for a Path: a str would be written all the same."""
    plain = plain_class(cls)
    if plain is None:
        return structure

    def check(value: Any) -> Found | None:
        if not _is_a(plain, value):
            return [((), "wrong_type", f"a {class_name(value)}, not a {plain.__name__}")]
        return look_at(structure, value)

    trusted = frozenset({plain, *_standard_kinds_of(plain)})
    return Look(trusted if structure is None else NEVER, check)


def _is_a(cls: type, value: Any) -> bool:
    """As Pydantic sees it: text is no Sequence."""
    return isinstance(value, cls) and (
        not isinstance(value, (str, bytes)) or issubclass(cls, (str, bytes))
    )


def _standard_kinds_of(cls: type) -> list[type]:
    """A list and a tuple are Sequences."""
    return [each for each in (*ITERABLES, dict) if issubclass(each, cls)]
