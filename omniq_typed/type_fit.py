"""Whether a value of one declared type may go where another one is declared, as far as that can be
told at run time."""

from __future__ import annotations

import inspect
from types import UnionType
from typing import (
    Annotated,
    Any,
    ForwardRef,
    Literal,
    NewType,
    ParamSpec,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from omniq_typed.signatures import Missing


def shown(annotation: Any) -> str:
    """A type for messages, without the modules of classes."""
    if get_origin(annotation) is Annotated:
        return shown(get_args(annotation)[0])
    if annotation in (None, type(None)):
        return "None"
    if isinstance(annotation, type) and not get_args(annotation):
        return annotation.__qualname__.rpartition("<locals>.")[2]
    origin = get_origin(annotation)
    if isinstance(origin, type) and origin is not UnionType:
        return f"{shown(origin)}[{', '.join(shown(each) for each in get_args(annotation))}]"
    if is_union(annotation):
        return " | ".join(shown(each) for each in get_args(annotation))
    return str(getattr(annotation, "__name__", None) or annotation)


def is_union(annotation: Any) -> bool:
    """Union[...], Optional[...] or `A | B`."""
    return get_origin(annotation) in (Union, UnionType)


def plain_type(annotation: Any) -> Any:
    """Without Annotated, NewType and `type` statements around it."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        elif isinstance(annotation, NewType):
            annotation = annotation.__supertype__
        elif type(annotation).__name__ == "TypeAliasType":  # two classes have that name
            annotation = annotation.__value__
        else:
            return type(None) if annotation is None else annotation


def may_take(wanted: Any, given: Any) -> bool:
    """Whether a value of the type `given` may go where `wanted` is declared. True where that cannot
    be told: type checkers know more."""
    wanted, given = plain_type(wanted), plain_type(given)
    if _undecided(wanted) or _undecided(given) or wanted is object or wanted == given:
        return True
    if is_union(given):
        return all(may_take(wanted, each) for each in get_args(given))
    if is_union(wanted):
        return any(may_take(each, given) for each in get_args(wanted))
    if get_origin(given) is Literal:
        if get_origin(wanted) is Literal:
            return set(get_args(given)) <= set(get_args(wanted))
        return all(may_take(wanted, type(each)) for each in get_args(given))
    if get_origin(wanted) is Literal:
        return False
    if is_typeddict(wanted):
        return is_typeddict(given) and _has_keys_of(wanted, given)
    return _may_take_class(wanted, given)


def _undecided(annotation: Any) -> bool:
    return annotation in (Any, inspect.Parameter.empty) or isinstance(
        annotation, (TypeVar, ParamSpec, ForwardRef, Missing, str)
    )


def _has_keys_of(wanted: Any, given: Any) -> bool:
    # Which keys are required is unreliable where annotations are text, and left to type checkers.
    asked, there = get_type_hints(wanted), get_type_hints(given)
    return all(key in there and may_take(asked[key], there[key]) for key in asked)


def _may_take_class(wanted: Any, given: Any) -> bool:
    wanted_class, given_class = get_origin(wanted) or wanted, get_origin(given) or given
    if not isinstance(wanted_class, type) or not isinstance(given_class, type):
        return True
    try:
        is_subclass = issubclass(given_class, wanted_class)
    except TypeError:  # a protocol that cannot be asked
        return True
    if wanted_class is given_class:
        pairs = zip(get_args(wanted), get_args(given), strict=False)
        # Which parameters are covariant is left to type checkers.
        return all(may_take(one, other) or may_take(other, one) for one, other in pairs)
    return is_subclass or (wanted_class in (float, complex) and given_class in (int, float))
