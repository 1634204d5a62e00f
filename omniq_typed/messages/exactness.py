"""Finds what would change without a word between a value and what its reader gets: the part of a
publish check that writing the JSON and reading it back cannot see."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import partial
from math import isfinite
from types import NoneType
from typing import Any, TypeAlias, cast
from uuid import UUID

from pydantic import BaseModel, TypeAdapter
from pydantic_core import SchemaSerializer, SchemaValidator

from omniq_typed.errors import Fault
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

Found: TypeAlias = list[tuple[tuple[str, ...], str, str]]
"""Path, code, message of each fault."""
Check: TypeAlias = Callable[[Any], Found | None]


@dataclass(frozen=True, slots=True)
class Look:
    """What to do at a place: nothing where the value's exact type is trusted, else `check` it."""

    trusted: frozenset[type]
    check: Check


Part: TypeAlias = tuple[str, frozenset[type], Check, tuple[str, ...]]
"""A field: its name, its Look, what it adds to a path."""


class _Absent:
    """The type of a field that is not there; trusted, since the encoder says what that means."""


_ABSENT = _Absent()
_NEVER: frozenset[type] = frozenset()
_MAX_DEPTH = 20
_SAFE_INTEGER = 2**53

# What may be iterated without harm. A generator must not be used up here.
_ITERABLES = (list, tuple, set, frozenset, deque)

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
            return Look(_NEVER, _masked)
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
            self._made[key] = Look(_NEVER, lambda value: _look_at(self._made[key], value))
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
            way_back = _round_trip(place) if is_ambiguous(place) else None
            if way_back is not None:
                return Look(_NEVER, lambda value: _look_at(optional, value) or way_back(value))
            return optional
        if kind in ("union", "tagged-union"):
            return self._union(place, beside, root)
        if kind in ARRAYS:
            return _items(self.look(place.at(place.schema.get("items_schema", ANYTHING))))
        if kind in MAPPINGS:
            return self._mapping(place)
        if kind == "tuple":
            return self._tuple(place)
        if kind in NAMED_TUPLES:
            return self._named_tuple(place)
        if kind == "literal":
            return _literal(place.schema.get("expected", ()), beside)
        if kind == "float":
            mode = place.config.get("ser_json_inf_nan", "null")
            return _float(self._inf_nan_in_unions if "number" in beside else mode, beside)
        return {"int": _INT, "any": _ANY}.get(kind)

    def _object(self, place: Place, root: bool) -> Look | None:
        schema, body = place.schema, body_of(place)
        cls: type = schema["cls"]
        extras: Look | None = None
        if schema.get("root_model"):
            look = self.look(body)
            parts = [] if look is None else [_part("root", look, ())]
        else:
            body = content_of(body).place
            parts = self._parts(body)
            if place.kind == "model" and extra_of(body) == "allow":
                extras = self._extras(body)
        exact = _exact_classes(cls)
        if not parts and extras is None:
            bare = Look(exact, lambda v: None if type(v) in exact else _stray(cls, v))
            return None if root else bare
        return Look(_NEVER, _object_check(cls, None if root else exact, parts, extras))

    def _parts(self, body: Place) -> list[Part]:
        looks = ((field, self.look(field.place)) for field in fields_of(body))
        return [
            _part(field.name, look, (field.written,)) for field, look in looks if look is not None
        ]

    def _extras(self, body: Place) -> Look | None:
        return self.look(body.at(body.schema.get("extras_schema", ANYTHING)))

    def _typed_dict(self, place: Place) -> Look:
        body = body_of(place)
        parts = self._parts(body)
        names = frozenset(body.schema.get("fields") or ())
        allowed = extra_of(body) == "allow"
        extras = self._extras(body) if allowed else Look(_NEVER, _unknown_key)

        def check(value: Any) -> Found | None:
            if not isinstance(value, dict):
                return None
            found = _look_at_parts(parts, value.get)
            if extras is None or value.keys() <= names:
                return found
            others = {key: value[key] for key in value if key not in names}
            return _join(found, _look_at_named(extras, others))

        return Look(_NEVER, check)

    def _named_tuple(self, place: Place) -> Look | None:
        cls = _tuple_class(place)
        looks = [self.look(each) for each in items_of_named_tuple(place)]
        return None if cls is None else _of_class(cls, _positions(looks))

    def _tuple(self, place: Place) -> Look | None:
        looks = [self.look(place.at(each)) for each in place.schema.get("items_schema") or ()]
        variadic = place.schema.get("variadic_item_index")
        if variadic is None:
            return _positions(looks)
        # Where a variadic part has neighbours, positions shift; such tuples are left alone.
        return _items(looks[0]) if len(looks) == 1 else None

    def _mapping(self, place: Place) -> Look | None:
        values = self.look(place.at(place.schema.get("values_schema", ANYTHING)))
        keys = _key_check(place)
        if values is None and keys is None:
            return None

        def check(value: Any) -> Found | None:
            if not isinstance(value, Mapping):
                return None
            found = keys(value) if keys is not None else None
            return _join(found, _look_at_named(values, value)) if values is not None else found

        return Look(_NEVER, check)

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
        way_back = _round_trip(place) if _is_uncertain(place, members) else None
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
        return Look(_NEVER if way_back is not None or by_tag else frozenset(trusted), check)

    def _by_tag(self, place: Place, beside: frozenset[str]) -> dict[Any, Look | None]:
        """The choices that are dicts, whose class does not tell which one is meant."""
        choices, tag_name = place.schema.get("choices"), place.schema.get("discriminator")
        if not isinstance(choices, Mapping) or not isinstance(tag_name, str):
            return {}
        places = {tag: place.at(each) for tag, each in choices.items() if isinstance(each, Mapping)}
        if not any(content_of(each).kind == "typed-dict" for each in places.values()):
            return {}
        return {tag: self.look(each, beside) for tag, each in places.items()}


def _members(place: Place, depth: int = _MAX_DEPTH) -> list[Content]:
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
        cls = _plain_class(content.instance_of)
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
        return _masked if any(each.secret for each in members) else _no_stray
    if not classes and not asked and not numbers:
        return _no_stray

    def strays(value: Any) -> Found | None:
        if isinstance(value, bool) and numbers:
            return _bool_as_number(value)
        if classes and (isinstance(value, BaseModel) or is_dataclass(value)):
            bases = [cls for cls in classes if isinstance(value, cls)]
            return _stray((bases or classes)[0], value)
        if classes or asked:
            return [((), "wrong_type", f"a {_name(value)}, which is no choice of the union")]
        return None

    return strays


def _best(looks: list[Look | None], value: Any) -> Found | None:
    """None if any of the choices has nothing to object to, else what the first one has."""
    first: Found | None = None
    for look in looks:
        found = _look_at(look, value)
        if not found:
            return None
        first = first or found
    return first


def _trusts(looks: list[Look | None], exact: type) -> bool:
    return any(look is None or exact in look.trusted for look in looks)


def _look_at(look: Look | None, value: Any) -> Found | None:
    return None if look is None or type(value) in look.trusted else look.check(value)


def _part(name: str, look: Look, step: tuple[str, ...]) -> Part:
    return (name, look.trusted | {_Absent}, look.check, step)


def _look_at_parts(parts: list[Part], get: Callable[[str, Any], Any]) -> Found | None:
    found: Found | None = None
    for name, trusted, check, step in parts:
        content = get(name, _ABSENT)
        if type(content) not in trusted:
            inner = check(content)
            if inner:
                found = _join(found, _below(step, inner))
    return found


def _look_at_named(look: Look, values: Mapping[Any, Any]) -> Found | None:
    trusted, check = look.trusted, look.check
    found: Found | None = None
    for key, value in values.items():
        if type(value) not in trusted:
            inner = check(value)
            if inner:
                found = _join(found, _below((str(key),), inner))
    return found


def _join(one: Found | None, other: Found | None) -> Found | None:
    return [*one, *other] if one and other else one or other


def _below(step: tuple[str, ...], found: Found) -> Found:
    return [((*step, *path), code, message) for path, code, message in found]


def _object_check(
    cls: type, exact: frozenset[type] | None, parts: list[Part], extras: Look | None
) -> Check:
    """`exact`: the classes that the value must have, None for the root. The first of these is the
    one that runs for nearly every object, so it is written out."""
    if cls.__dictoffset__ and extras is None:

        def check(value: Any) -> Found | None:
            if exact is not None and type(value) not in exact:
                return _stray(cls, value)
            # Not as attributes: a deprecated field warns when it is read as one.
            get = value.__dict__.get
            found: Found | None = None
            for name, trusted, check_part, step in parts:
                content = get(name, _ABSENT)
                if type(content) not in trusted:
                    inner = check_part(content)
                    if inner:
                        found = _join(found, _below(step, inner))
            return found

        return check

    def check_any_other(value: Any) -> Found | None:
        if exact is not None and type(value) not in exact:
            return _stray(cls, value)
        if extras is None:
            return _look_at_parts(parts, partial(getattr, value))
        found = _look_at_parts(parts, value.__dict__.get)
        more = value.__pydantic_extra__
        return _join(found, _look_at_named(extras, more)) if more else found

    return check_any_other


def _items(look: Look | None) -> Look | None:
    if look is None:
        return None
    trusted, check_item = look.trusted, look.check

    def check(value: Any) -> Found | None:
        if not isinstance(value, _ITERABLES):
            return None
        if trusted and trusted.issuperset(map(type, value)):
            return None
        found: Found | None = None
        for index, item in enumerate(value):
            if type(item) not in trusted:
                inner = check_item(item)
                if inner:
                    found = _join(found, _below((str(index),), inner))
        return found

    return Look(_NEVER, check)


def _positions(looks: list[Look | None]) -> Look | None:
    if not any(looks):
        return None

    def check(value: Any) -> Found | None:
        if not isinstance(value, tuple):
            return None
        found: Found | None = None
        for index, (look, item) in enumerate(zip(looks, value, strict=False)):
            inner = _look_at(look, item)
            if inner:
                found = _join(found, _below((str(index),), inner))
        return found

    return Look(_NEVER, check)


def _of_class(cls: Any, structure: Look | None) -> Look | None:
    """Where only a class is asked for, as for a Path: a str would be written all the same."""
    plain = _plain_class(cls)
    if plain is None:
        return structure

    def check(value: Any) -> Found | None:
        if not _is_a(plain, value):
            return [((), "wrong_type", f"a {_name(value)}, not a {plain.__name__}")]
        return _look_at(structure, value)

    trusted = frozenset({plain, *_standard_kinds_of(plain)})
    return Look(trusted if structure is None else _NEVER, check)


def _is_a(cls: type, value: Any) -> bool:
    """As Pydantic sees it: text is no Sequence."""
    return isinstance(value, cls) and (
        not isinstance(value, (str, bytes)) or issubclass(cls, (str, bytes))
    )


def _standard_kinds_of(cls: type) -> list[type]:
    """A list and a tuple are Sequences."""
    return [each for each in (*_ITERABLES, dict) if issubclass(each, cls)]


def _plain_class(cls: Any) -> type | None:
    plain = getattr(cls, "__origin__", None) or cls
    return plain if isinstance(plain, type) else None


def _stray(cls: type, value: Any) -> Found | None:
    if isinstance(value, cls):
        lost = "what the subclass adds would be lost"
        return [((), "subclass", f"a {_name(value)}, not a {cls.__qualname__}: {lost}")]
    return [((), "wrong_class", f"a {_name(value)}, not a {cls.__qualname__}")]


def _name(value: Any) -> str:
    return type(value).__qualname__


def _bool_as_number(value: Any) -> Found | None:
    if not isinstance(value, bool):
        return None
    return [((), "bool_as_number", f"{value} is no number, and would be written as {int(value)}")]


_INT = Look(frozenset({int}), _bool_as_number)


def _not_finite(value: Any) -> Found:
    return [((), "not_finite", f"{value} is not in JSON, and would be written as null or text")]


def _float(inf_nan: str, beside: frozenset[str]) -> Look:
    # Elsewhere the reader refuses what is written instead of a number.
    silent = {"null": "null", "strings": "string"}.get(inf_nan) in beside

    def check(value: Any) -> Found | None:
        if isinstance(value, bool):
            return _bool_as_number(value)
        if isinstance(value, float):
            return _not_finite(value) if silent and not isfinite(value) else None
        if isinstance(value, int) and -_SAFE_INTEGER <= value <= _SAFE_INTEGER:
            return None
        return _inexact(value) if isinstance(value, int | Decimal | Fraction) else None

    return Look(_NEVER if silent else frozenset({float}), check)


def _inexact(value: int | Decimal | Fraction) -> Found | None:
    if isinstance(value, Decimal) and not value.is_finite():
        return _not_finite(value)
    try:
        exact = float(value) == value
    except OverflowError:
        exact = False
    message = f"a {_name(value)} that no float holds exactly: it would be rounded"
    return None if exact else [((), "inexact", message)]


def _literal(expected: Iterable[Any], beside: frozenset[str]) -> Look:
    values = tuple(expected)
    types = frozenset(map(type, values))

    def check(value: Any) -> Found | None:
        if isinstance(value, bool):
            return _bool_as_number(value) if value in values else None
        if isinstance(value, float) and not isfinite(value) and "null" in beside:
            return _not_finite(value)
        if isinstance(value, (int, float, *types)):
            return None  # the encoder compares
        return [((), "wrong_type", f"a {_name(value)}, where only {values} may be")]

    return Look(types, check)


def _finite(value: Any, depth: int = _MAX_DEPTH) -> Found | None:
    """Where anything goes: NaN becomes null all the same."""
    if isinstance(value, float):
        return None if isfinite(value) else _not_finite(value)
    if not depth or not isinstance(value, (dict, *_ITERABLES)):
        return None
    inside = Look(_PLAIN, lambda each: _finite(each, depth - 1))
    return (
        _look_at_named(inside, value)
        if isinstance(value, dict)
        else _look_at(_items(inside), value)
    )


_PLAIN: frozenset[type] = frozenset({str, int, bool, NoneType})
_ANY = Look(_PLAIN, _finite)


def _masked(value: Any) -> Found | None:
    secret = value.get_secret_value() if hasattr(value, "get_secret_value") else None
    return [((), "masked", "would be written as **********")] if secret else None


def _unknown_key(value: Any) -> Found:
    return [((), "unknown_key", "the type has no such key, so it would be lost")]


def _key_check(place: Place) -> Check | None:
    """Keys are text in JSON: where their type allows other things besides, 1 may become '1'."""
    keys = place.schema.get("keys_schema", ANYTHING)
    content = content_of(place.at(keys))
    asked = _plain_class(content.instance_of)
    if asked is not None and not content.custom:
        return lambda value: _wrong_keys(asked, value)
    if content.custom or content.kind not in ("any", "nullable", "union"):
        return None
    way_back = _way_back(place, {"type": "dict", "keys_schema": keys, "values_schema": _NULL})

    def check(value: Any) -> Found | None:
        if content.kind == "any" and all(type(key) is str for key in value):
            return None
        back = way_back(dict.fromkeys(value)) if way_back is not None else _ABSENT
        changed = not isinstance(back, _Absent) and not _same(list(value), list(back))
        message = "keys are text in JSON, and not all of them would come back as they are"
        return [((), "key_as_text", message)] if changed else None

    return check


def _wrong_keys(cls: type, value: Mapping[Any, Any]) -> Found | None:
    wrong = next((key for key in value if not isinstance(key, cls)), None)
    if wrong is None:
        return None
    return [((str(wrong),), "wrong_type", f"the key is a {_name(wrong)}, not a {cls.__name__}")]


_NULL: Mapping[str, Any] = {"type": "none"}


def _round_trip(place: Place) -> Check | None:
    """For unions whose JSON does not say which choice it is: the only way to know is to try."""
    way_back = _way_back(place, place.schema)
    if way_back is None:
        return None

    def check(value: Any) -> Found | None:
        back = way_back(value)
        if isinstance(back, _Absent) or _same(value, back):
            return None
        kept = type(value) is type(back)
        message = f"a {_name(value)} that comes back as " + (
            "one of other items" if kept else f"a {_name(back)}"
        )
        return [((), "union_choice", message)]

    return check


def _way_back(place: Place, schema: Mapping[str, Any]) -> Callable[[Any], Any] | None:
    """What a reader gets for a value, _ABSENT where it cannot be written or read: the encoder will
    say so. None for a schema that does not stand by itself."""
    whole: Any = {
        "type": "definitions",
        "schema": schema,
        "definitions": list(place.definitions.values()),
    }
    config = cast(Any, dict(place.config))
    try:
        writer, reader = SchemaSerializer(whole, config), SchemaValidator(whole, config)
    except Exception:
        return None

    def way_back(value: Any) -> Any:
        try:
            written = writer.to_json(value, by_alias=True, warnings="error")
            return reader.validate_json(written, strict=True)
        except Exception:
            return _ABSENT

    return way_back


def _same(value: Any, back: Any) -> bool:
    """Whether a value came back as it was, as far as the choice of a union goes: what is inside
    models and dataclasses has checks of its own."""
    if type(value) is not type(back):
        return bool(value == back) and isinstance(value, bool) == isinstance(back, bool)
    if isinstance(value, list | tuple):
        return len(value) == len(back) and all(map(_same, value, back))
    if isinstance(value, dict):
        return _same(list(value.items()), list(back.items()))
    if isinstance(value, set | frozenset):
        return bool(value == back) or set(map(type, value)) == set(map(type, back))
    return True
