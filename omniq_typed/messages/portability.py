"""What makes the JSON of a type break its own exported schema, or mean something else to a reader
in another language. Found from the core schema alone, once per type."""

from __future__ import annotations

import math
import operator
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from pydantic import TypeAdapter

from omniq_typed.messages.regex_dialects import unportable_regex
from omniq_typed.messages.schema_walk import (
    ANYTHING,
    ARRAYS,
    MAPPINGS,
    NAMED_TUPLES,
    Content,
    Field,
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
    writes_number,
)

_MAX_SAFE_INTEGER = 2**53 - 1


@dataclass(frozen=True, slots=True)
class Hazard:
    """One place whose JSON others read differently, or not at all.

    `path`: JSON pointer by the names that are written, '*' for every item of an array or value of
    a mapping, '' for the whole; `code`: stable name of the problem; `way_out`: what to write
    instead; `fatal`: no payload of the type can be published.
    """

    path: str
    code: str
    problem: str
    way_out: str
    fatal: bool = False


Parts: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Stop:
    """A place to visit; `key`: it is the text of a mapping's keys."""

    path: Parts
    place: Place
    key: bool = False


def hazards(adapter: TypeAdapter[Any]) -> tuple[Hazard, ...]:
    """Every hazard of a type, at most one of a code at a path, those near the top first. A class
    that occurs at several places is looked into at the first one."""
    whole = place_of(adapter)
    found = {(each.path, each.code): each for each in _scalar_payload(whole)}
    for stop, content in _walk(whole):
        for each in _hazards_at(stop, content):
            found.setdefault((each.path, each.code), each)
    return tuple(found.values())


def _walk(whole: Place) -> Iterator[tuple[_Stop, Content]]:
    """Breadth first, so that what recursive types repeat is named by its shortest path."""
    waiting = deque([_Stop((), whole)])
    entered: set[str] = set()
    while waiting:
        stop = waiting.popleft()
        content = content_of(stop.place)
        yield stop, content
        if content.custom or content.opaque:
            continue
        below = list(_below(stop, content))
        ref = content.place.schema.get("ref") or content.ref
        if below and ref is not None:
            if ref in entered:
                continue
            entered.add(ref)
        waiting.extend(below)


def _below(stop: _Stop, content: Content) -> Iterator[_Stop]:
    place, path = content.place, stop.path
    schema = place.schema
    if content.kind in ARRAYS:
        yield _Stop((*path, "*"), place.at(schema.get("items_schema", ANYTHING)))
    elif content.kind in MAPPINGS:
        yield _Stop((*path, "*"), place.at(schema.get("values_schema", ANYTHING)))
        yield _Stop((*path, "*"), place.at(schema.get("keys_schema", ANYTHING)), key=True)
    elif content.kind == "tuple":
        variadic = schema.get("variadic_item_index")
        for index, item in enumerate(schema.get("items_schema") or ()):
            part = "*" if index == variadic else str(index)
            yield _Stop((*path, part), place.at(item))
    elif content.kind == "nullable":
        yield _Stop(path, place.at(schema.get("schema", ANYTHING)), stop.key)
    elif content.kind in ("union", "tagged-union"):
        for choice in choices_of(place):
            yield _Stop(path, choice, stop.key)
    elif content.kind in NAMED_TUPLES:
        for index, item in enumerate(items_of_named_tuple(place)):
            yield _Stop((*path, str(index)), item)
    elif content.kind == "model" and schema.get("root_model"):
        yield _Stop(path, body_of(place))
    elif content.kind in ("model", "dataclass", "typed-dict"):
        body = content_of(body_of(place)).place
        for each in fields_of(body):
            yield _Stop((*path, each.written), each.place)
        for written, computed in _computed(body):
            yield _Stop((*path, written), computed)


def _computed(body: Place) -> Iterator[tuple[str, Place]]:
    for each in body.schema.get("computed_fields") or ():
        name = each.get("alias") or each.get("property_name", "")
        yield name, body.at(each.get("return_schema", ANYTHING))


def _hazards_at(stop: _Stop, content: Content) -> Iterator[Hazard]:
    if content.secret:
        yield _hazard(stop.path, "secret")
    if content.custom or content.opaque:
        return  # what the user writes himself cannot be judged
    if stop.key:
        yield from _in_keys(stop.path, content)
        return
    check = _CHECKS.get(content.kind)
    if check is not None:
        yield from check(stop.path, content.place)


def _in_keys(path: Parts, content: Content) -> Iterator[Hazard]:
    """Keys are always text in JSON: 1 and '1' become the same, None becomes 'None'."""
    if content.kind == "any":
        yield _hazard(path, "any")
    elif content.kind in ("nullable", "union") and not _is_fixed_text(content.place):
        yield _hazard(path, "ambiguous_union")
    elif content.kind == "str":
        yield from _pattern(path, content.place)


def _is_fixed_text(place: Place) -> bool:
    kinds = kinds_of(place)
    fixed = kinds is not None and all(isinstance(kind, tuple) for kind in kinds - {"null"})
    return fixed and "null" not in (kinds or ()) and not is_ambiguous(place)


def _scalar_payload(whole: Place) -> Iterator[Hazard]:
    kinds = kinds_of(whole)
    if kinds is not None and not kinds <= {"object", "array"}:
        yield _hazard((), "scalar_payload", fatal=True)


def _date(path: Parts, place: Place) -> Iterator[Hazard]:
    if place.config.get("ser_json_temporal", "iso8601") != "iso8601":
        yield _hazard(path, "temporal_number")


def _aware(path: Parts, place: Place) -> Iterator[Hazard]:
    yield from _date(path, place)
    zone = place.schema.get("tz_constraint")
    if zone == "aware" or isinstance(zone, int):
        return
    if place.kind == "time":
        yield _hazard(path, "naive_time")
    else:
        yield _hazard(path, "naive_datetime")


def _timedelta(path: Parts, place: Place) -> Iterator[Hazard]:
    yield _hazard(path, "timedelta_number" if writes_number(place) else "timedelta")


def _bytes(path: Parts, place: Place) -> Iterator[Hazard]:
    written = place.config.get("ser_json_bytes", "utf8")
    read = place.config.get("val_json_bytes", "utf8")
    if written == "utf8" or written != read:
        yield _hazard(path, "bytes_not_base64")


def _float(path: Parts, place: Place) -> Iterator[Hazard]:
    if place.setting("allow_inf_nan", True) is not False and any(
        _within_bounds(place, odd) for odd in (math.nan, math.inf, -math.inf)
    ):
        yield _hazard(path, "nan")


def _within_bounds(place: Place, value: float) -> bool:
    """NaN satisfies no comparison, an infinity those that point its way."""
    bounds = ((compare, place.schema.get(name)) for name, compare in _COMPARISONS.items())
    return all(compare(value, bound) for compare, bound in bounds if bound is not None)


def _int(path: Parts, place: Place) -> Iterator[Hazard]:
    schema = place.schema
    least = max(schema.get("ge", -math.inf), schema.get("gt", -math.inf) + 1)
    most = min(schema.get("le", math.inf), schema.get("lt", math.inf) - 1)
    if least < -_MAX_SAFE_INTEGER or most > _MAX_SAFE_INTEGER:
        yield _hazard(path, "unbounded_int")


def _pattern(path: Parts, place: Place) -> Iterator[Hazard]:
    found = unportable_regex(place.schema.get("pattern"), python=_uses_python_regex(place))
    if found:
        yield _hazard(path, "pattern", ", ".join(found))


def _uses_python_regex(place: Place) -> bool:
    return bool(place.setting("regex_engine") == "python-re")


def _union(path: Parts, place: Place) -> Iterator[Hazard]:
    if is_ambiguous(place):
        yield _hazard(path, "ambiguous_union")


def _any(path: Parts, place: Place) -> Iterator[Hazard]:
    yield _hazard(path, "any")


def _generator(path: Parts, place: Place) -> Iterator[Hazard]:
    yield _hazard(path, "lazy_iterable")


def _object(path: Parts, place: Place) -> Iterator[Hazard]:
    if place.schema.get("root_model"):
        return
    body = content_of(body_of(place)).place
    for field in fields_of(body):
        yield from _field(path, field)
    problem = _READ_BACK.get((place.kind, extra_of(body)))
    for written, _ in _computed(body):
        if problem is not None:
            yield _hazard((*path, written), "computed_field", problem)


def _field(path: Parts, field: Field) -> Iterator[Hazard]:
    here = (*path, field.written)
    if field.init_only:
        yield _hazard(here, "init_only")
    elif not field.init:
        yield _hazard(here, "init_false")
    elif field.written not in field.read:
        looked_for = " or ".join(map(repr, field.read)) or "a path"
        problem = f"written as {field.written!r}, looked for as {looked_for}"
        yield _hazard(here, "alias_choices", problem)
    elif field.written != field.read[0]:
        problem = f"written as {field.written!r}, its schema for readers says {field.read[0]!r}"
        yield _hazard(here, "alias_choices", problem)


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "ge": operator.ge,
    "gt": operator.gt,
    "le": operator.le,
    "lt": operator.lt,
}

_CHECKS: dict[str, Callable[[Parts, Place], Iterator[Hazard]]] = {
    "date": _date,
    "datetime": _aware,
    "time": _aware,
    "timedelta": _timedelta,
    "bytes": _bytes,
    "float": _float,
    "int": _int,
    "str": _pattern,
    "union": _union,
    "nullable": _union,
    "any": _any,
    "generator": _generator,
    "model": _object,
    "dataclass": _object,
    "typed-dict": _object,
}

# Kind of object, its `extra` → what becomes of a computed field when it is read. A dataclass keeps
# extras where nobody sees them, a TypedDict has no computed fields.
_REFUSED = "refused when it is read (extra='forbid')"
_READ_BACK = {
    ("model", "forbid"): _REFUSED,
    ("dataclass", "forbid"): _REFUSED,
    ("model", "allow"): "kept as an extra field of that name when it is read (extra='allow')",
}

# Row → code, problem, way out. Rows of one code differ in what there is to say.
_TEXTS: dict[str, tuple[str, str, str]] = {
    "naive_datetime": (
        "naive_datetime",
        "a datetime may lack its time zone; without one it is no RFC 3339 date-time, and each"
        " reader guesses another",
        "use pydantic.AwareDatetime",
    ),
    "naive_time": (
        "naive_datetime",
        "a time of day is written without a time zone, which the format `time` of its schema asks"
        " for",
        "use an AwareDatetime, or an int of seconds since midnight",
    ),
    "timedelta": (
        "timedelta",
        "written as ISO 8601 text such as P1Y35DT0.5S, which the format `duration` of its schema"
        " does not allow and few languages read",
        "use seconds as a number: a FiniteFloat named like `wait_s`",
    ),
    "timedelta_number": (
        "timedelta",
        "written as a number, which a strict reader refuses for a timedelta: no value of it can be"
        " published",
        "use a FiniteFloat of seconds named like `wait_s`, without ser_json_timedelta",
    ),
    "temporal_number": (
        "temporal_number",
        "written as a number, which a strict reader refuses for a date or time: no value of it can"
        " be published",
        "leave ser_json_temporal='iso8601'",
    ),
    "bytes_not_base64": (
        "bytes_not_base64",
        "bytes are written as if they were UTF-8 text, or not read back the way they are written",
        "use ConfigDict(ser_json_bytes='base64', val_json_bytes='base64'), both of them, or"
        " pydantic.Base64Bytes",
    ),
    "nan": (
        "nan",
        "NaN and the infinities are allowed, and JSON has none of them",
        "use pydantic.FiniteFloat or Field(allow_inf_nan=False); bounds count where there is a"
        " lower and an upper one",
    ),
    "unbounded_int": (
        "unbounded_int",
        "integers beyond ±(2**53 - 1) are allowed; languages that read numbers as doubles round"
        " them",
        "use omniq_typed.SafeInt, or ge= and le= within that range",
    ),
    "pattern": (
        "pattern",
        "the pattern means something else, or nothing, in other regex engines: {}",
        "spell it out, in ASCII: [0-9] for \\d, [A-Za-z0-9_] for \\w, [ \\t\\r\\n] for \\s, ^ and"
        " $ for \\A and \\Z, no flags, no looking around",
    ),
    "init_false": (
        "init_false",
        "init=False: the field is written, and its value is ignored or refused when it is read",
        "let __init__ take it (remove init=False), or make it a property",
    ),
    "init_only": (
        "init_false",
        "an InitVar is never written, so a reader cannot have it",
        "make it a field of the message",
    ),
    "computed_field": (
        "computed_field",
        "the computed field is written, and {}",
        "leave extra='ignore', or make it a plain property, which is not written",
    ),
    "alias_choices": (
        "alias_choices",
        "{}",
        "use one alias for both directions: Field(alias=...), whose name an upcaster can change"
        " later",
    ),
    "ambiguous_union": (
        "ambiguous_union",
        "the JSON does not say which choice of the union it is: a value may come back as another",
        "use Field(discriminator=...) between objects, one type or choices of different JSON types"
        " otherwise",
    ),
    "any": (
        "any",
        "anything goes, so nothing is checked, and what JSON lacks (tuples, dates, keys that are"
        " no text) comes back as something else",
        "name the type, as in dict[str, str]",
    ),
    "lazy_iterable": (
        "lazy_iterable",
        "an iterable is read item by item: its items are checked in the handler, not before it",
        "use list[...] or tuple[..., ...]",
    ),
    "secret": (
        "secret",
        "written as ********** instead of its value",
        "use str, or a serializer that calls get_secret_value()",
    ),
    "scalar_payload": (
        "scalar_payload",
        "the JSON of the whole type can be something else than an object or an array",
        "put it into a field of a model or dataclass",
    ),
}


def _hazard(path: Parts, row: str, detail: str = "", *, fatal: bool = False) -> Hazard:
    code, problem, way_out = _TEXTS[row]
    return Hazard(
        pointer(path), code, problem.format(detail) if detail else problem, way_out, fatal
    )
