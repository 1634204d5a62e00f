"""What changed from one schema to another, place by place, for people to read. Whether a change
breaks anything is for compare.py."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import orjson

from omniq_typed.schema.description import REF, as_text, describe
from omniq_typed.schema.wire.wording import KEYWORDS

Json: TypeAlias = dict[str, Any]

_NO_CHANGE = frozenset({"$schema", "$defs", "title", "description", "examples"})
_WALKED = frozenset(
    {
        *("type", "const", "enum", "properties", "required"),
        *("additionalProperties", "patternProperties", "items", "prefixItems"),
    }
)
_NOTES = ("default", "deprecated", "readOnly", "writeOnly")
"""Said of a place as a whole, also where it is a union."""
_CHECKS = tuple(key for key in KEYWORDS if key not in _WALKED | _NO_CHANGE | {*_NOTES})
_NOTHING: Json = {"not": {}}
_MAX_NESTED_UNIONS = 20


@dataclass(frozen=True, slots=True)
class Change:
    """One change. `pointer`: JSON pointer into the payload, '*' for the items of a list and for
    keys that have no name in the schema; `what`: 'field', 'presence', 'type', 'value', 'choice',
    'other fields' or a keyword; `old` and `new`: in words, '' = it is not there."""

    pointer: str
    what: str
    old: str
    new: str


def differences(old: Json, new: Json) -> list[Change]:
    """All changes from the top down, those of fields in the order of `new`, the removed ones last.
    Titles and descriptions do not count, and neither do names and order of definitions."""
    return list(_Walk(old, new).changes(old, new, ""))


class _Walk:
    """Goes through two schemas side by side."""

    def __init__(self, old: Json, new: Json) -> None:
        self._old: Json = old.get("$defs", {})
        self._new: Json = new.get("$defs", {})
        self._open: set[tuple[int, int]] = set()
        """Pairs of schemas that are being walked: a recursive type comes back to them."""

    def changes(self, old: Any, new: Any, pointer: str) -> Iterator[Change]:
        pair = (id(old), id(new))
        if pair in self._open:
            return
        self._open.add(pair)
        one, other = _resolved(old, self._old), _resolved(new, self._new)
        yield from _of_keywords(one, other, pointer, _NOTES)
        olds, news = _choices(one, self._old), _choices(other, self._new)
        if len(olds) == len(news) == 1:
            yield from self._of_one(olds[0], news[0], pointer)
        else:
            yield from self._of_choices(olds, news, pointer)
        self._open.discard(pair)

    def _of_choices(self, olds: list[Json], news: list[Json], pointer: str) -> Iterator[Change]:
        pairs, gone, come = _paired(olds, news)
        for old, new in pairs:
            yield from self._of_one(old, new, pointer)
        for each in come:
            yield Change(pointer, "choice", "", self._is(each))
        for each in gone:
            yield Change(pointer, "choice", self._was(each), "")

    def _of_one(self, old: Json, new: Json, pointer: str) -> Iterator[Change]:
        if old.get("type") != new.get("type"):
            yield Change(pointer, "type", self._was(old), self._is(new))
            return
        yield from self._of_values(old, new, pointer)
        yield from _of_keywords(old, new, pointer, _CHECKS)
        yield from self._of_fields(old, new, pointer)
        yield from self._of_other_fields(old, new, pointer)
        yield from self._of_items(old, new, pointer)

    def _of_values(self, old: Json, new: Json, pointer: str) -> Iterator[Change]:
        before, after = _values(old), _values(new)
        if before.keys() == after.keys():
            return
        if not before or not after or len(before) == len(after) == 1:
            yield Change(pointer, "value", self._was(old), self._is(new))
            return
        for value in [each for each in after if each not in before]:
            yield Change(pointer, "value", "", after[value])
        for value in [each for each in before if each not in after]:
            yield Change(pointer, "value", before[value], "")

    def _of_fields(self, old: Json, new: Json, pointer: str) -> Iterator[Change]:
        before, after = _fields(old), _fields(new)
        for name in after:
            place = f"{pointer}/{_escaped(name)}"
            presence = _presence(new, name)
            if name not in before:
                yield Change(place, "field", "", f"{self._is(after[name])}, {presence}")
                continue
            if _presence(old, name) != presence:
                yield Change(place, "presence", _presence(old, name), presence)
            yield from self.changes(before[name], after[name], place)
        for name in [each for each in before if each not in after]:
            said = f"{self._was(before[name])}, {_presence(old, name)}"
            yield Change(f"{pointer}/{_escaped(name)}", "field", said, "")

    def _of_other_fields(self, old: Json, new: Json, pointer: str) -> Iterator[Change]:
        before, after = (each.get("additionalProperties", True) for each in (old, new))
        if (before is False) != (after is False):
            words = ["refused" if each is False else "allowed" for each in (before, after)]
            yield Change(f"{pointer}/*", "other fields", *words)
        elif before is not False:
            yield from self.changes(before, after, f"{pointer}/*")

    def _of_items(self, old: Json, new: Json, pointer: str) -> Iterator[Change]:
        befores, afters = old.get("prefixItems", []), new.get("prefixItems", [])
        for index, (before, after) in enumerate(zip(befores, afters, strict=False)):
            yield from self.changes(before, after, f"{pointer}/{index}")
        shared = min(len(befores), len(afters))
        for index, each in enumerate(afters[shared:], shared):
            yield Change(f"{pointer}/{index}", "item", "", self._is(each))
        for index, each in enumerate(befores[shared:], shared):
            yield Change(f"{pointer}/{index}", "item", self._was(each), "")
        yield from self.changes(old.get("items", True), new.get("items", True), f"{pointer}/*")

    def _was(self, schema: Any) -> str:
        return describe(schema, self._old)

    def _is(self, schema: Any) -> str:
        return describe(schema, self._new)


def _of_keywords(old: Json, new: Json, pointer: str, keys: Iterable[str]) -> Iterator[Change]:
    for key in keys:
        if _written(old, key) != _written(new, key):
            yield Change(
                pointer, key, *(as_text(it[key]) if key in it else "" for it in (old, new))
            )


def _written(schema: Json, key: str) -> bytes:
    return orjson.dumps(schema[key], option=orjson.OPT_SORT_KEYS) if key in schema else b""


def _choices(schema: Json, definitions: Json, depth: int = _MAX_NESTED_UNIONS) -> list[Json]:
    """What a resolved schema lets choose from; itself, where it is no union. What stands beside the
    union holds for each choice. (Beside a type, `anyOf` is one more check.)"""
    for key in ("anyOf", "oneOf"):
        if key in schema and "type" not in schema and depth > 0:
            beside = {it: schema[it] for it in schema if it not in (key, "title", *_NOTES)}
            choices = [_resolved({"allOf": [beside, it]}, definitions) for it in schema[key]]
            return [it for each in choices for it in _choices(each, definitions, depth - 1)]
    kinds = schema.get("type")
    return [{**schema, "type": kind} for kind in kinds] if isinstance(kinds, list) else [schema]


def _resolved(schema: Any, definitions: Json) -> Json:
    """Without references and `allOf` at its top, as far as one schema can say the same."""
    if not isinstance(schema, dict):
        return _NOTHING if schema is False else {}
    found = {key: value for key, value in schema.items() if key not in ("$ref", "allOf")}
    parts = list(schema.get("allOf", []))
    if "$ref" in schema:
        name = str(schema["$ref"]).removeprefix(REF)
        target = definitions.get(name, {})
        parts.insert(0, {"title": name, **target} if isinstance(target, dict) else target)
    left = []
    for part in parts:
        merged = _merged(found, _resolved(part, definitions))
        if merged is None:
            left.append(part)
        else:
            found = merged
    return {**found, "allOf": [*found.get("allOf", []), *left]} if left else found


def _merged(one: Json, other: Json) -> Json | None:
    """Both as one schema; None where they say two things by the same keyword."""
    shared = (one.keys() & other.keys()) - _NO_CHANGE - {"required"}
    if any(_written(one, key) != _written(other, key) for key in shared):
        return None
    required = [*one.get("required", []), *other.get("required", [])]
    found = {**other, **one}
    return {**found, "required": required} if required else found


def _paired(
    olds: Iterable[Json], news: Iterable[Json]
) -> tuple[list[tuple[Json, Json]], list[Json], list[Json]]:
    """Choices that are alike, in pairs; those that went; those that came."""
    gone, come, pairs = list(olds), [], []
    for new in news:
        alike = [each for each in gone if _kind(each) == _kind(new)]
        named = [each for each in alike if each.get("title") == new.get("title")]
        if not alike:
            come.append(new)
            continue
        old = (named or alike)[0]
        pairs.append((old, new))
        gone.remove(old)
    return pairs, gone, come


def _kind(choice: Json) -> tuple[Any, ...]:
    """The type, and the fixed values by which choices of a union are told apart."""
    fields = choice.get("properties", {})
    tags = [
        (name, as_text(fields[name]["const"]))
        for name in sorted(choice.get("required", ()))
        if isinstance(fields.get(name), dict) and "const" in fields[name]
    ]
    return (choice.get("type"), *tags)


def _values(schema: Json) -> dict[bytes, str]:
    """The only values that are allowed, as JSON and as text; none where there is no such list."""
    values = [schema["const"]] if "const" in schema else schema.get("enum", [])
    return {orjson.dumps(each): as_text(each) for each in values}


def _fields(schema: Json) -> Json:
    patterns = {f"{{{key}}}": each for key, each in schema.get("patternProperties", {}).items()}
    return {**schema.get("properties", {}), **patterns}


def _presence(schema: Json, name: str) -> str:
    return "required" if name in schema.get("required", ()) else "optional"


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
