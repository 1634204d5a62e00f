"""What a schema says of one kind of value, after its references and choices are out of the way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Literal, TypeAlias

import jsonschema_rs

Json: TypeAlias = dict[str, Any]
Schema: TypeAlias = Json | bool
Kind: TypeAlias = Literal["null", "boolean", "integer", "number", "string", "array", "object"]


@dataclass(frozen=True, eq=False)
class Shape:
    """`parts`: plain schemas, all of which a value of this kind has to keep to; `values`: the only
    ones there are, where the schema names them."""

    kind: Kind
    parts: tuple[Json, ...]
    values: tuple[Any, ...] | None = None

    def highest(self, word: str) -> Any:
        """The strictest of a keyword that bounds from below; None without one."""
        return max((part[word] for part in self.parts if word in part), default=None)

    def lowest(self, word: str) -> Any:
        """The strictest of a keyword that bounds from above; None without one."""
        return min((part[word] for part in self.parts if word in part), default=None)

    def each(self, word: str) -> list[Any]:
        """All that the parts say by a keyword."""
        return [part[word] for part in self.parts if word in part]

    @cached_property
    def properties(self) -> dict[str, Schema]:
        """What the properties that have names hold; those that are required come first."""
        named = [name for part in self.parts for name in part.get("properties", ())]
        return {name: self.property(name) for name in dict.fromkeys([*self.required, *named])}

    @cached_property
    def required(self) -> list[str]:
        """Names of the properties that have to be there."""
        return list(dict.fromkeys(name for names in self.each("required") for name in names))

    def property(self, name: str) -> Schema:
        """What a property holds."""
        known = self._by_name.get(name)
        if known is None:
            known = self._by_name[name] = self._property(name)
        return known

    @cached_property
    def _by_name(self) -> dict[str, Schema]:
        return {}

    @cached_property
    def others(self) -> list[Schema]:
        """What properties may hold of which nothing is said by name."""
        patterns = [each for part in self.each("patternProperties") for each in part.values()]
        return [_all_of(self.each("additionalProperties")), *patterns]

    def _property(self, name: str) -> Schema:
        named = [part.get("properties", {}) for part in self.parts]
        if not any(name in each for each in named) and len(self.others) == 1:
            return self.others[0]
        return _all_of([each for part in self.parts for each in _property(part, name)])

    @cached_property
    def names(self) -> Schema:
        """What the names of other properties look like."""
        patterns: list[Schema] = [
            {"anyOf": [{"pattern": each} for each in part["patternProperties"]]}
            for part in self.parts
            if part.get("additionalProperties") is False and part.get("patternProperties")
        ]
        return _all_of([{"type": "string"}, *self.each("propertyNames"), *patterns])

    def item(self, index: int) -> Schema:
        """What the item at a place holds; False where there may be none."""
        return self.items[min(index, len(self.items) - 1)]

    @cached_property
    def items(self) -> Sequence[Schema]:
        """What each item holds, up to the one from which on they are all alike."""
        size = max((len(each) for each in self.each("prefixItems")), default=0)
        return [_all_of([_item(part, at) for part in self.parts]) for at in range(size + 1)]


def _property(part: Json, name: str) -> Iterator[Schema]:
    found = False
    if name in part.get("properties", ()):
        found = True
        yield part["properties"][name]
    for pattern, each in part.get("patternProperties", {}).items():
        if _matches(pattern, name):
            found = True
            yield each
    if not found:
        yield part.get("additionalProperties", True)


def _matches(pattern: str, text: str) -> bool:
    return _with_pattern(pattern).is_valid(text)


@lru_cache(maxsize=256)
def _with_pattern(pattern: str) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator({"pattern": pattern})


def _item(part: Json, index: int) -> Schema:
    ahead = part.get("prefixItems", ())
    found: Schema = ahead[index] if index < len(ahead) else part.get("items", True)
    return found


def _all_of(schemas: Sequence[Schema]) -> Schema:
    wanted = [each for each in schemas if each is not True and each != {}]
    if not wanted:
        return True
    if any(each is False for each in wanted):
        return False
    return wanted[0] if len(wanted) == 1 else {"allOf": wanted}
