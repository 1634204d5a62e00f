"""Strategies that users give for their own types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

from hypothesis.strategies import SearchStrategy
from typing_extensions import TypeForm

from omniq_typed.errors import InvalidArgument
from omniq_typed.testing.strategies.annotations import bare
from omniq_typed.testing.strategies.natural_types import natural_type
from omniq_typed.testing.strategies.spots import Peeled

T = TypeVar("T")

StrategyOf: TypeAlias = SearchStrategy[T] | Callable[[type[T]], SearchStrategy[T]]

_known: dict[Any, StrategyOf[Any]] = {}


def register_strategy(declared: TypeForm[T], strategy: StrategyOf[T]) -> None:
    """Says how `payloads` makes values of a class or a NewType, wherever it occurs.

    `strategy` gives values of it, or is a function of the type that gives such a strategy. Values
    that a field refuses are left out there. The last one registered counts. Raises InvalidArgument.
    """
    if not isinstance(strategy, SearchStrategy) and not callable(strategy):
        raise InvalidArgument("strategy", f"{strategy!r} is neither one nor a function of a type")
    try:
        _known[declared] = strategy
    except TypeError as error:
        raise InvalidArgument("type", f"{declared!r} is not hashable") from error


def registered(annotation: Any, peeled: Peeled) -> SearchStrategy[Any] | None:
    """Python values for a place, where somebody said how to make them: for its type as the code
    says it, or as the schema knows it."""
    content = peeled.content
    names = (bare(annotation), content.instance_of, content.place.schema.get("cls"))
    return next((found for each in names if (found := _of(each)) is not None), None)


def registered_for_kind(kind: str) -> SearchStrategy[Any] | None:
    """As `registered`, for str, int, UUID and the like wherever they occur."""
    return _of(natural_type(kind))


def _of(declared: Any) -> SearchStrategy[Any] | None:
    try:
        found = _known.get(declared)
    except TypeError:  # not hashable
        return None
    if found is None or isinstance(found, SearchStrategy):
        return found
    made: object = found(declared)
    if not isinstance(made, SearchStrategy):
        raise InvalidArgument(
            "strategy", f"the function for {declared!r} gave {made!r}, which is no strategy"
        )
    return made
