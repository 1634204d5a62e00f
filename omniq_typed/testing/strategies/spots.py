"""A place of a type while strategies are made for it, and what its wrappers have to say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis.strategies import SearchStrategy

from omniq_typed.messages.schema_walk import ANYTHING, Content, Place, Schema, pointer, unwrap

FUNCTIONS = frozenset({"function-after", "function-before", "function-wrap", "function-plain"})

_LIMITS = frozenset(
    {
        *("ge", "gt", "le", "lt", "multiple_of", "max_digits", "decimal_places"),
        *("min_length", "max_length", "pattern", "strip_whitespace", "to_lower", "to_upper"),
        "ascii_only",
    }
)
# Schemas nest wrappers a few deep.
_MOST_WRAPPERS = 100


@dataclass(frozen=True, slots=True)
class Spot:
    """`path`: the names and indexes that lead there; `annotation`: its Python type as it is written
    in the code, None where that is unknown; `rounds`: how often types that contain themselves may
    do so from here on; `inside`: how many arrays and mappings it lies in; `overrides`: Python
    values of fields, where the object that has them is still to come."""

    place: Place
    path: tuple[str, ...] = ()
    annotation: Any = None
    rounds: int = 0
    inside: int = 0
    overrides: Mapping[str, SearchStrategy[Any]] = field(default_factory=dict)

    @property
    def pointer(self) -> str:
        return pointer(self.path)

    def at(self, schema: Schema, annotation: Any = None) -> Spot:
        """The same spot of the JSON, by another schema."""
        return replace(self, place=self.place.at(schema), annotation=annotation)

    def below(self, part: str, place: Place, annotation: Any = None) -> Spot:
        """A member of an object."""
        path = (*self.path, part)
        return replace(self, path=path, place=place, annotation=annotation, overrides={})

    def items(self, key: str, annotation: Any = None) -> Spot:
        """The items of an array or a mapping, whose schema stands under a key."""
        place = self.place.at(self.place.schema.get(key, ANYTHING))
        return replace(self.below("*", place, annotation), inside=self.inside + 1)


@dataclass(frozen=True, slots=True)
class Peeled:
    """What is left of a place without wrappers, or down to a definition that it refers to.

    `functions`: what checks or changes the value, from the outside in, as the core schema has it;
    `limits`: constraints that wrappers bring for what is inside.
    """

    content: Content
    functions: tuple[Schema, ...] = ()
    limits: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        return self.content.kind

    @property
    def place(self) -> Place:
        """The content with the limits of its wrappers."""
        place = self.content.place
        return place.at({**place.schema, **self.limits}) if self.limits else place


def peel(place: Place) -> Peeled:
    """Takes wrappers off and remembers what they do."""
    found = Peeled(Content(place))
    for _ in range(_MOST_WRAPPERS):
        if found.kind == "definition-ref":
            return found
        found = _noted(found)
        inner = unwrap(found.content)
        if inner is None:
            return found
        found = replace(found, content=inner)
    return found


def _noted(found: Peeled) -> Peeled:
    schema = found.content.place.schema
    if found.kind in FUNCTIONS:
        return replace(
            found,
            functions=(*found.functions, schema),
            limits={**_limits_of_function(function_of(schema)), **found.limits},
        )
    if found.kind == "chain":
        *earlier, _ = schema.get("steps") or [ANYTHING]
        checks = tuple(each for each in earlier if each.get("type") in FUNCTIONS)
        limits = {key: each[key] for each in earlier for key in each if key in _LIMITS}
        return replace(found, functions=found.functions + checks, limits={**limits, **found.limits})
    return found


def is_pydantics(schema: Schema) -> bool:
    """Whether the function of a function-* schema came with Pydantic or the standard library."""
    function = function_of(schema)
    function = getattr(function, "func", function)  # of a partial
    module = str(getattr(function, "__module__", None) or type(function).__module__)
    return module.partition(".")[0] in ("pydantic", "pydantic_core", "ipaddress")


def asks_around(peeled: Peeled) -> bool:
    """Whether a function of the user may look at other fields (`info.data`)."""
    return any(
        each["function"].get("type") == "with-info" and not is_pydantics(each)
        for each in peeled.functions
    )


def input_schema(peeled: Peeled) -> Schema | None:
    """What a function says that it takes (`json_schema_input_type`), which is believed."""
    told = (each.get("json_schema_input_schema") for each in peeled.functions)
    return next((each for each in told if each and each.get("type") != "any"), None)


def function_of(schema: Schema) -> Any:
    """The Python function of a function-* schema, or what a `call` schema calls."""
    found = schema.get("function")
    return found.get("function") if isinstance(found, Mapping) else found


def _limits_of_function(function: Any) -> dict[str, Any]:
    """Where a constraint stands behind a user's validator, Pydantic checks it by a function."""
    keywords = getattr(function, "keywords", None) or {}
    if not str(getattr(getattr(function, "func", None), "__module__", "")).startswith("pydantic."):
        return {}
    return {key: value for key, value in keywords.items() if key in _LIMITS}
