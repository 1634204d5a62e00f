"""What is anywhere in a schema, as far as a proof has to know beforehand."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]

_NEGATIONS = frozenset(
    {"not", "if", "oneOf", "contains", "unevaluatedProperties", "unevaluatedItems"}
)
"""Words under which less means more."""
_MANY = 10**9
_MAX_DEPTH = 150
"""Of schemas in schemas; the library recurses."""


@dataclass(frozen=True, slots=True)
class Traits:
    """What is anywhere in a schema. `size` counts schemas, `alternatives` the choices of unions in
    unions; `floats_from`, `floats_to` are bounds of numbers that may be written with a point, and
    `float_steps` what those have to be multiples of."""

    is_recursive: bool = False
    is_opaque: bool = False
    has_integers: bool = False
    has_odd_floats: bool = False
    has_negations: bool = False
    floats_from: float = float("-inf")
    floats_to: float = float("inf")
    float_steps: frozenset[float] = frozenset()
    size: int = 1
    alternatives: int = 1
    depth: int = 1

    @property
    def may_hold_whole_floats(self) -> bool:
        """Whether all numbers of some place may be whole, but written as 1.0: that is an integer
        for JSON Schema, and none for a strict reader."""
        return self.has_odd_floats or self.floats_from >= self.floats_to

    @property
    def is_deep(self) -> bool:
        return self.depth > _MAX_DEPTH


_OF_NONE = Traits(size=0, depth=0)


def traits_of(schema: Json, inner: list[tuple[str, Traits]], *, is_opaque: bool) -> Traits:
    """Of a schema, from those of the schemas in it and of what it refers to, by keyword."""
    all_inner = combined([traits for _, traits in inner])
    negates = bool(schema.keys() & _NEGATIONS)
    least, most = _float_bounds(schema)
    return Traits(
        is_recursive=all_inner.is_recursive,
        is_opaque=is_opaque or all_inner.is_opaque,
        has_integers="integer" in types_of(schema) or all_inner.has_integers,
        has_odd_floats=negates or _is_odd_float(schema) or all_inner.has_odd_floats,
        has_negations=negates or all_inner.has_negations,
        floats_from=max(least, all_inner.floats_from),
        floats_to=min(most, all_inner.floats_to),
        float_steps=_float_steps(schema) | all_inner.float_steps,
        size=1 + all_inner.size,
        alternatives=_alternatives(inner),
        depth=1 + all_inner.depth,
    )


def combined(all_traits: list[Traits]) -> Traits:
    """Of schemas side by side."""
    if len(all_traits) < 2:
        return all_traits[0] if all_traits else _OF_NONE
    return Traits(
        is_recursive=any(each.is_recursive for each in all_traits),
        is_opaque=any(each.is_opaque for each in all_traits),
        has_integers=any(each.has_integers for each in all_traits),
        has_odd_floats=any(each.has_odd_floats for each in all_traits),
        has_negations=any(each.has_negations for each in all_traits),
        floats_from=max(each.floats_from for each in all_traits),
        floats_to=min(each.floats_to for each in all_traits),
        float_steps=frozenset().union(*(each.float_steps for each in all_traits)),
        size=min(_MANY, sum(each.size for each in all_traits)),
        alternatives=max(each.alternatives for each in all_traits),
        depth=max(each.depth for each in all_traits),
    )


def together(all_traits: list[Traits]) -> Traits:
    """Of schemas that hold together: their choices multiply."""
    alternatives = min(_MANY, math.prod(each.alternatives for each in all_traits))
    return replace(combined(all_traits), alternatives=alternatives)


def effort(reader: Traits, writer: Traits) -> int:
    """How much there is to compare, roughly."""
    within = reader.alternatives * reader.size + writer.alternatives * writer.size
    return within + reader.alternatives * writer.size


def _alternatives(inner: list[tuple[str, Traits]]) -> int:
    """Choices add up; what holds together multiplies; fields stand side by side."""
    choices, together, apart = 0, 1, 1
    for key, traits in inner:
        if key in ("anyOf", "oneOf"):
            choices += traits.alternatives
        elif key in ("allOf", "$ref"):
            together *= traits.alternatives
        else:
            apart = max(apart, traits.alternatives)
    return min(_MANY, max(choices, 1) * together * apart)


def types_of(schema: Json) -> tuple[str, ...]:
    """The types that a schema names; none where it allows all."""
    named = schema.get("type", ())
    return (named,) if isinstance(named, str) else tuple(named)


def _may_be_float(schema: Json) -> bool:
    named = types_of(schema)
    return not named or "number" in named


def _float_steps(schema: Json) -> frozenset[float]:
    is_one = "multipleOf" in schema and _may_be_float(schema)
    return frozenset({schema["multipleOf"]} if is_one else ())


def _is_odd_float(schema: Json) -> bool:
    values = [*schema.get("enum", ()), *([schema["const"]] if "const" in schema else ())]
    has_whole = any(isinstance(each, float) and each.is_integer() for each in values)
    return _may_be_float(schema) and (has_whole or "multipleOf" in schema)


def _float_bounds(schema: Json) -> tuple[float, float]:
    if not _may_be_float(schema):
        return float("-inf"), float("inf")
    least = [schema[key] for key in ("minimum", "exclusiveMinimum") if key in schema]
    most = [schema[key] for key in ("maximum", "exclusiveMaximum") if key in schema]
    return max(least, default=float("-inf")), min(most, default=float("inf"))
