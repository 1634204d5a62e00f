"""The Python types of fields and items as the code says them: core schemas forget NewTypes, and
classes that are made of a text."""

from __future__ import annotations

from collections.abc import Mapping
from types import NoneType
from typing import Any, Union, get_args, get_origin, get_type_hints

_WRAPPERS = frozenset({"Annotated", "NotRequired", "Required", "ReadOnly"})


def bare(annotation: Any) -> Any:
    """Without Annotated and the like."""
    while _name(get_origin(annotation)) in _WRAPPERS:
        annotation = get_args(annotation)[0]
    return annotation


def _name(origin: Any) -> str:
    """The same for what `typing` and `typing_extensions` both have."""
    return str(getattr(origin, "__name__", None) or getattr(origin, "_name", ""))


def of_fields(cls: Any, annotation: Any = None) -> Mapping[str, Any]:
    """Name → annotation of a model, dataclass, TypedDict or named tuple; none where names in the
    annotations cannot be found. `annotation`: the class with its arguments, if it is generic."""
    known = getattr(cls, "__pydantic_fields__", None)
    if known:
        return {name: each.annotation for name, each in known.items()}
    try:
        hints = get_type_hints(cls, include_extras=True)
    except Exception:  # whatever a name stands for that does not exist yet
        return {}
    names = getattr(cls, "__parameters__", ())
    arguments = dict(zip(names, get_args(bare(annotation)), strict=False))
    return {name: _filled(each, arguments) for name, each in hints.items()}


def _filled(annotation: Any, arguments: Mapping[Any, Any]) -> Any:
    if annotation in arguments:
        return arguments[annotation]
    names = getattr(annotation, "__parameters__", ())
    if not names or isinstance(annotation, type):
        return annotation
    return annotation[tuple(arguments.get(name, Any) for name in names)]


def of_items(annotation: Any, count: int) -> list[Any]:
    """The arguments of a container; None for each where there are not so many."""
    arguments = [each for each in get_args(bare(annotation)) if each is not Ellipsis]
    return arguments if len(arguments) == count else [None] * count


def of_choices(annotation: Any, count: int) -> list[Any]:
    """The members of a union but None."""
    annotation = bare(annotation)
    arguments = [each for each in get_args(annotation) if each not in (None, NoneType)]
    if not _is_union(annotation) or len(arguments) != count:
        return [annotation if count == 1 and not _is_union(annotation) else None] * count
    return arguments


def without_none(annotation: Any) -> Any:
    """What is optional; itself where nothing is."""
    annotation = bare(annotation)
    if not _is_union(annotation):
        return annotation
    arguments = [each for each in get_args(annotation) if each not in (None, NoneType)]
    return Union[tuple(arguments)] if arguments else None  # noqa: UP007


def _is_union(annotation: Any) -> bool:
    origin = get_origin(annotation)
    return origin is Union or _name(origin) == "UnionType"
