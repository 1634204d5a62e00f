"""A JSON Schema opened up for proofs: references resolved, what has to hold together side by side,
what JSON Schema has no words for set apart."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from omniq_typed.schema.proving.traits import Traits, traits_of
from omniq_typed.schema.wire.unsaid import NOTHING, Unsaid, unsaid_of
from omniq_typed.schema.wire.wording import LISTS, MAPS, SINGLES, rewrite

Json: TypeAlias = dict[str, Any]
Schema: TypeAlias = Any
"""A JSON Schema: an object, or True (anything) or False (nothing)."""

UNSAID_KEY = "x-unsaid"
"""In the schemas of a Document: what its comment says that JSON Schema cannot."""

_REF = "#/$defs/"
_PROSE = frozenset(
    {"$schema", "$comment", "title", "description", "examples", "deprecated", "default"}
    | {"readOnly", "writeOnly", "contentEncoding", "contentMediaType", "contentSchema"}
    | {UNSAID_KEY}
)

# What gives references another meaning.
_ELSEWHERE = frozenset({"$id", "$anchor", "$dynamicRef", "$dynamicAnchor", "$recursiveRef"})


@dataclass(frozen=True, slots=True)
class Parts:
    """Schemas that all hold of a value, none of them with a reference, `allOf` or a comment of its
    own; and what is unsaid of it."""

    schemas: tuple[Schema, ...]
    unsaid: Unsaid = NOTHING

    def both(self, other: Parts) -> Parts:
        return Parts(self.schemas + other.schemas, self.unsaid.beside(other.unsaid))


ANYTHING = Parts((), Unsaid(is_clear=False))
"""What cannot be taken apart."""


class Document:
    """A schema and its definitions. Of a writer, it leaves out words that depend on those beside
    them: that only lets it write more."""

    def __init__(self, schema: Schema, *, is_writers: bool = False) -> None:
        whole: Schema = rewrite(schema, _bare)
        bare = rewrite(whole, _without_unevaluated) if is_writers else whole
        self.is_exact = bare == whole
        """Whether nothing was left out."""
        self._definitions: Json = bare.pop("$defs", {}) if isinstance(bare, dict) else {}
        self._definitions.pop("", None)  # the name of no reference
        self.root = bare
        # By id, beside the schema itself: while it is kept, no other has its id.
        self._parts: dict[int, tuple[Schema, Parts | None]] = {}
        self._traits: dict[int, tuple[Schema, Traits]] = {}
        self._texts: dict[int, tuple[Schema, str]] = {}
        self._recursive = {
            name for name, each in self._definitions.items() if name in self._reached(each)
        }

    @property
    def has_unsaid(self) -> bool:
        """Whether there is something that JSON Schema has no words for."""
        return any(
            UNSAID_KEY in each
            for root in (self.root, *self._definitions.values())
            for each in walk(root)
        )

    def target(self, schema: Json) -> Schema:
        """The definition that a schema refers to; None where it is none of this document."""
        return self._definitions.get(_name_of(schema))

    def parts(self, schema: Schema) -> Parts | None:
        """A schema taken apart; None where that cannot be done."""
        known = self._parts.get(id(schema))
        if known is None:
            known = self._parts[id(schema)] = (schema, self._taken_apart(schema, frozenset()))
        return known[1]

    def choices(self, parts: Parts) -> list[Parts] | None:
        """Each choice of the first union in there, with all that holds beside it; None where there
        is no union."""
        at = next((at for at, each in enumerate(parts.schemas) if _word_of(each)), None)
        if at is None:
            return None
        union = parts.schemas[at]
        word = _word_of(union)
        rest = {key: union[key] for key in union if key != word}
        beside = (*parts.schemas[:at], *([rest] if rest else []), *parts.schemas[at + 1 :])
        return [
            Parts((*inner.schemas, *beside), inner.unsaid.then(parts.unsaid))
            for inner in (self.parts(each) or ANYTHING for each in union[word])
        ]

    def traits(self, schema: Schema) -> Traits:
        """Of a schema with all that it refers to."""
        if not isinstance(schema, dict):
            return Traits()
        known = self._traits.get(id(schema))
        if known is None:
            known = self._traits[id(schema)] = (schema, self._found_traits(schema))
        return known[1]

    def inner_traits(self, schema: Json) -> Iterator[tuple[str, Traits]]:
        """Of the schemas directly in a schema, with their keywords."""
        return ((key, self.traits(each)) for key, each in children(schema))

    def text(self, schema: Schema) -> str:
        """The same for schemas that say the same, in whatever order."""
        known = self._texts.get(id(schema))
        if known is None:
            known = self._texts[id(schema)] = (schema, text_of(schema))
        return known[1]

    def standalone(self, schemas: Iterable[Schema]) -> Schema:
        """A document of its own in which all of the schemas hold, without what is unsaid."""
        listed = list(schemas)
        if not listed:
            return True
        bare = [self._said(each) for each in listed]
        alone = {"allOf": bare} if len(bare) != 1 else bare[0]
        names = sorted(set().union(*(self._reached(each) for each in listed)))
        if not names or not isinstance(alone, dict):
            return alone
        needed = {name: self._said(self._definitions[name]) for name in names}
        return {**alone, "$defs": needed}

    def _said(self, schema: Schema) -> Schema:
        is_opaque = self.traits(schema).is_opaque
        return rewrite(schema, _without_unsaid) if is_opaque else schema

    def _taken_apart(self, schema: Schema, seen: frozenset[str]) -> Parts | None:
        if not isinstance(schema, dict):
            return Parts(() if schema is True else (schema,))
        inner = [self._taken_apart(each, seen) for each in schema.get("allOf", ())]
        if schema.keys() & _ELSEWHERE:
            return None
        if "$ref" in schema:
            target = self.target(schema)
            if target is None or schema["$ref"] in seen:
                return None
            inner.insert(0, self._taken_apart(target, seen | {schema["$ref"]}))
        found = Parts(())
        for each in inner:
            if each is None:
                return None
            found = found.both(each)
        own = {key: schema[key] for key in schema if key not in ("$ref", "allOf", UNSAID_KEY)}
        schemas = (*found.schemas, own) if own else found.schemas
        return Parts(schemas, found.unsaid.then(schema.get(UNSAID_KEY, NOTHING)))

    def _found_traits(self, schema: Json) -> Traits:
        target = self.target(schema)
        is_unknown = schema.keys() & _ELSEWHERE or ("$ref" in schema and target is None)
        if is_unknown or _name_of(schema) in self._recursive:
            return Traits(is_recursive=True, is_opaque=True)
        inner = list(self.inner_traits(schema))
        if target is not None:
            inner.append(("$ref", self.traits(target)))
        return traits_of(schema, inner, is_opaque=UNSAID_KEY in schema)

    def _reached(self, schema: Schema) -> set[str]:
        """The definitions that a schema refers to, directly or not."""
        found: set[str] = set()
        waiting = [schema]
        while waiting:
            for each in walk(waiting.pop()):
                name = _name_of(each)
                if name in self._definitions and name not in found:
                    found.add(name)
                    waiting.append(self._definitions[name])
        return found


def _name_of(schema: Json) -> str:
    """Of the definition that a schema refers to; '' where that is not sure."""
    reference = str(schema.get("$ref", ""))
    is_plain = reference.startswith(_REF) and not set(reference) & {"~", "%"}
    return reference.removeprefix(_REF) if is_plain else ""


def _word_of(schema: Schema) -> str:
    """Of the union that a schema is, '' for none."""
    return next((each for each in ("anyOf", "oneOf") if schema is not False and each in schema), "")


def children(schema: Json) -> Iterator[tuple[str, Schema]]:
    """The schemas directly in a schema, with their keyword."""
    for key, value in schema.items():
        if key in MAPS and isinstance(value, dict):
            yield from ((key, each) for each in value.values())
        elif key in LISTS and isinstance(value, list):
            yield from ((key, each) for each in value)
        elif key in SINGLES:
            yield key, value


def walk(schema: Schema) -> Iterator[Json]:
    """All schemas in a schema, without what it refers to."""
    waiting = [schema]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            yield each
            waiting.extend(inner for _, inner in children(each))


def text_of(schema: Schema) -> str:
    """The same for schemas that say the same, in whatever order."""
    return json.dumps(schema, sort_keys=True, separators=(",", ":"), default=_as_json)


def _as_json(value: Any) -> Any:
    if isinstance(value, Unsaid):
        return [value.functions, sorted(value.facts), value.is_clear]
    raise TypeError


def _bare(schema: Json) -> Json:
    """Without prose, comments made readable."""
    found = {key: value for key, value in schema.items() if key not in _PROSE}
    unsaid = unsaid_of(schema)
    return {**found, UNSAID_KEY: unsaid} if unsaid else found


def _without_unevaluated(schema: Json) -> Json:
    return {key: schema[key] for key in schema if not key.startswith("unevaluated")}


def _without_unsaid(schema: Json) -> Json:
    return {key: value for key, value in schema.items() if key != UNSAID_KEY}
