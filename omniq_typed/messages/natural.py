"""The quick part of a publish check: whether a value is made of just the classes that its type
names. Then exactness.py would find nothing and the serializer has nothing to warn of, which are
the dear parts. Nearly every message is such a value.

The look is Python source, made once per type: of all ways to look at some twenty values it is the
quickest, four times as fast as functions that call one another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from math import isfinite
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter
from pydantic_core import TzInfo

from omniq_typed.messages.readable import conditions, fields_are_sure
from omniq_typed.messages.schema_walk import (
    ANYTHING,
    Content,
    Place,
    body_of,
    content_of,
    extra_of,
    fields_of,
    place_of,
)

_LEAVES: dict[str, type] = {
    "bool": bool,
    "int": int,
    "float": float,
    "str": str,
    "bytes": bytes,
    "decimal": Decimal,
    "date": date,
    "time": time,
    "datetime": datetime,
    "timedelta": timedelta,
    "uuid": UUID,
}
_ITEMS: dict[str, type] = {"list": list, "set": set, "frozenset": frozenset}


def natural_check(adapter: TypeAdapter[Any]) -> Callable[[Any], bool]:
    """Compiles the look of a type. It answers True only where nothing is left to check but what
    writing and reading back show; False may be said of any value, and always is for types of which
    classes do not tell enough: unions without a tag, the user's own serializers, `Any`."""
    try:
        look = _Source().compiled(place_of(adapter))
    except _CannotTell:
        return _never

    def is_natural(value: Any) -> bool:
        try:
            return look(value)
        except Exception:  # an attribute that is not there, or a cycle
            return False

    return is_natural


def sure_writer(adapter: TypeAdapter[Any]) -> Callable[[Any], bytes | None]:
    """Compiles the JSON of a natural value that any reader of its type is sure to take, by classes
    and bounds alone: there is no need to read it back. None: of this value that cannot be said."""
    source = _Source(checks_bounds=True)
    try:
        look = source.compiled(place_of(adapter))
    except _CannotTell:
        return _nothing
    if not source.is_sure:
        return _nothing
    write = adapter.serializer.to_json

    def written(value: Any) -> bytes | None:
        try:
            return write(value, by_alias=True, warnings=False) if look(value) else None
        except Exception:  # as above, or a text that is no Unicode
            return None

    return written


def _nothing(value: Any) -> bytes | None:
    return None


def _never(value: Any) -> bool:
    return False


class _CannotTell(Exception):
    """Classes alone do not say that all is well."""


class _Source:
    """Functions of the source under construction: one for the whole, and one for each definition
    that is referred to, so that recursive types have an end."""

    def __init__(self, *, checks_bounds: bool = False) -> None:
        """`checks_bounds`: the look is to answer True only of what meets the `conditions` of
        readable.py, too."""
        self._names: dict[str, Any] = {"isfinite": isfinite, "UTC": UTC, "TzInfo": TzInfo}
        self._lines: list[str] = []
        self._of_refs: dict[str, str] = {}
        self._open_refs: list[str | None] = []
        self._checks_bounds = checks_bounds
        self.is_sure = checks_bounds

    def compiled(self, whole: Place) -> Callable[[Any], bool]:
        name = self._function(content_of(whole), list(self._conditions(whole, "value")))
        source = compile("\n".join(self._lines), f"<look, {__file__}>", "exec")
        exec(source, self._names)
        look: Callable[[Any], bool] = self._names[name]
        return look

    def _new(self, value: Any = None) -> str:
        """A name that is not taken, for a constant or a variable."""
        name = f"n{len(self._names)}"
        self._names[name] = value
        return name

    def _function(self, content: Content, conditions: list[str]) -> str:
        name = self._new()
        if content.ref is not None:
            self._of_refs[content.ref] = name
        self._open_refs.append(content.ref)
        body = [*self._refusals(content, "value"), *conditions]
        self._open_refs.pop()
        self._lines += [f"def {name}(value):", *(f"  {line}" for line in body), "  return True"]
        return name

    def _place(self, place: Place, value: str) -> Iterator[str]:
        """Lines that return False where what the expression `value` gives is not natural."""
        content = content_of(place)
        if content.ref is None or content.kind in _LEAVES:
            yield from self._refusals(content, value)
            yield from self._conditions(place, value)
        else:
            if content.ref in self._open_refs:
                self.is_sure = False  # there is a depth beyond which nothing is read
            conditions = list(self._conditions(place, "value"))
            name = self._of_refs.get(content.ref) or self._function(content, conditions)
            yield _unless(f"{name}({value})")

    def _conditions(self, place: Place, value: str) -> Iterator[str]:
        """Lines that return False where it is not sure that what is written is read."""
        if self._checks_bounds:
            found = conditions(place, value)
            self.is_sure = self.is_sure and found is not None
            yield from map(_unless, found or ())

    def _refusals(self, content: Content, value: str) -> Iterator[str]:
        place, kind = content.place, content.kind
        if content.custom or content.opaque or content.secret or content.instance_of is not None:
            raise _CannotTell
        if kind in _LEAVES:
            yield self._unless_of(_LEAVES[kind], value)
            if kind == "float":
                yield _unless(f"isfinite({value})")
        elif kind == "enum":
            yield self._unless_of(place.schema["cls"], value)
        elif kind == "literal":
            yield from self._literal(place, value)
        elif kind == "nullable":
            yield f"if {value} is not None:"
            yield from _indented(self._place(place.at(place.schema["schema"]), value))
        elif kind in _ITEMS:
            yield self._unless_of(_ITEMS[kind], value)
            yield from self._each(place.at(place.schema.get("items_schema", ANYTHING)), value)
        elif kind == "tuple":
            yield from self._tuple(place, value)
        elif kind == "dict":
            yield from self._dict(place, value)
        elif kind == "tagged-union":
            yield from self._tagged(place, value)
        elif kind in ("model", "dataclass"):
            yield from self._object(place, value)
        else:
            raise _CannotTell

    def _unless_of(self, cls: type, value: str) -> str:
        return _unless(f"type({value}) is {self._new(cls)}")

    def _literal(self, place: Place, value: str) -> Iterator[str]:
        expected: list[Any] = place.schema.get("expected", [])
        cls = type(expected[0])
        if cls not in (str, int) or any(type(each) is not cls for each in expected):
            raise _CannotTell
        yield self._unless_of(cls, value)
        yield _unless(f"{value} in {self._new(frozenset(expected))}")

    def _each(self, items: Place, value: str) -> Iterator[str]:
        item = self._new()
        yield f"for {item} in {value}:"
        yield from _indented(self._place(items, item))

    def _tuple(self, place: Place, value: str) -> Iterator[str]:
        items: list[Any] = place.schema.get("items_schema", [])
        yield self._unless_of(tuple, value)
        if place.schema.get("variadic_item_index") is None:
            yield _unless(f"len({value}) == {len(items)}")
            for index, item in enumerate(items):
                yield from self._place(place.at(item), f"{value}[{index}]")
        elif len(items) == 1:
            yield from self._each(place.at(items[0]), value)
        else:
            raise _CannotTell

    def _dict(self, place: Place, value: str) -> Iterator[str]:
        keys = content_of(place.at(place.schema.get("keys_schema", ANYTHING)))
        if keys.kind != "str" or keys.custom or keys.opaque:
            raise _CannotTell
        key, item = self._new(), self._new()
        yield self._unless_of(dict, value)
        yield f"for {key}, {item} in {value}.items():"
        yield f"  {self._unless_of(str, key)}"
        yield from _indented(self._conditions(place.at(place.schema["keys_schema"]), key))
        yield from _indented(
            self._place(place.at(place.schema.get("values_schema", ANYTHING)), item)
        )

    def _tagged(self, place: Place, value: str) -> Iterator[str]:
        """By class, which is the same as by tag, since each tag is checked as a field."""
        choices = place.schema["choices"].values()
        if not isinstance(place.schema.get("discriminator"), str):
            raise _CannotTell
        branch = "if"
        for choice in choices:
            content = content_of(place.at(choice))
            if not isinstance(choice, Mapping) or content.kind not in ("model", "dataclass"):
                raise _CannotTell
            yield f"{branch} type({value}) is {self._new(content.place.schema['cls'])}:"
            yield from _indented(self._place(place.at(choice), value))
            branch = "elif"
        yield "else:"
        yield "  return False"

    def _object(self, place: Place, value: str) -> Iterator[str]:
        cls: type = place.schema["cls"]
        inside = content_of(body_of(place))
        body = inside.place
        if place.schema.get("root_model") or inside.custom or not _is_plain(body):
            raise _CannotTell
        if body.schema is not body_of(place).schema or not fields_are_sure(cls, body):
            self.is_sure = False
        yield self._unless_of(cls, value)
        has_dict = bool(cls.__dictoffset__)
        holder = self._new() if has_dict else value
        if has_dict:
            yield f"{holder} = {value}.__dict__"
        for each in fields_of(body):
            content = self._new()
            yield (
                f"{content} = {holder}[{each.name!r}]"
                if has_dict
                else (f"{content} = {holder}.{each.name}")
            )
            yield from self._place(each.place, content)


def _is_plain(body: Place) -> bool:
    """Whether an object is written as its fields and nothing else."""
    if extra_of(body) == "allow" or body.schema.get("computed_fields"):
        return False
    fields = body.schema.get("fields") or ()
    each_field = fields.values() if isinstance(fields, Mapping) else fields
    odd = ("serialization_exclude", "serialization_exclude_if", "init_only")
    return not any(each.get(name) for each in each_field for name in odd)


def _unless(condition: str) -> str:
    return f"if not ({condition}): return False"


def _indented(lines: Iterator[str]) -> Iterator[str]:
    return (f"  {line}" for line in lines)
