"""What a callable takes and gives, read once, when it is registered."""

from __future__ import annotations

import builtins
import inspect
import re
import sys
from collections.abc import Callable
from functools import partial
from types import CellType, FrameType, FunctionType, MethodType
from typing import Any, Union, get_type_hints

from omniq_typed.errors import OmniqError


class Missing:
    """Stands in an annotation for a name that cannot be found at run time, such as one that is
    imported for type checkers only. What else the annotation says can still be read."""

    __iter__ = None  # with __getitem__ alone it could be iterated, for ever

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def last_name(self) -> str:
        """'Ctx' of 'omniq_typed.Ctx[Order]' or 'omniq_typed.Ctx(...)'."""
        return re.split(r"[\[(]", self.name)[0].rpartition(".")[2]

    def __repr__(self) -> str:
        return self.name

    def __getattr__(self, name: str) -> Missing:
        if name.startswith("__"):
            raise AttributeError(name)
        return Missing(f"{self.name}.{name}")

    def __getitem__(self, item: object) -> Missing:
        items = item if isinstance(item, tuple) else (item,)
        return Missing(f"{self.name}[{', '.join(map(name_of, items))}]")

    def __call__(self, *arguments: object, **more: object) -> Missing:
        return Missing(f"{self.name}(...)")

    def __or__(self, other: Any) -> Any:
        return Union[self, other]  # noqa: UP007 - `|` is what is being defined

    def __ror__(self, other: Any) -> Any:
        return Union[other, self]  # noqa: UP007


def read_signature(function: Callable[..., Any]) -> inspect.Signature | None:
    """The signature with its annotations evaluated, without what a partial binds by name. None for
    some builtins."""
    try:
        signature = _signature(function)
    except (ValueError, TypeError):
        return None
    names = _Names(function)
    bound = function.keywords if isinstance(function, partial) else {}
    return signature.replace(
        parameters=[
            each.replace(annotation=_evaluated(each.annotation, names))
            for each in signature.parameters.values()
            if each.name not in bound
        ],
        return_annotation=_evaluated(signature.return_annotation, names),
    )


def _signature(function: Callable[..., Any]) -> inspect.Signature:
    try:
        return inspect.signature(function)
    except NameError:
        # From Python 3.14 on annotations are evaluated here; as text they are read name by name.
        if sys.version_info >= (3, 14):
            from annotationlib import Format

            return inspect.signature(function, annotation_format=Format.STRING)
        raise


def code_of(function: Any) -> Any:
    """The plain function that a partial, method or callable object leads to; a class itself."""
    if isinstance(function, partial):
        return code_of(function.func)
    if isinstance(function, (MethodType, staticmethod)):
        return code_of(function.__func__)
    if isinstance(function, (FunctionType, type)):
        return function
    call = getattr(type(function), "__call__", None)  # noqa: B004 - the method is looked at
    return call if isinstance(call, FunctionType) else function


def is_coroutine_function(function: Any) -> bool:
    """Whether calling it gives a coroutine."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(code_of(function))


def name_of(function: Any) -> str:
    """For messages."""
    while isinstance(function, partial):
        function = function.func
    return str(getattr(function, "__qualname__", None) or repr(function))


class _Names(dict[str, Any]):
    """The names that the annotations of a function may use."""

    def __init__(self, function: Callable[..., Any]) -> None:
        code = inspect.unwrap(code_of(function))
        if isinstance(code, type):
            made_by = inspect.getattr_static(code, "__init__")
            code = made_by if isinstance(made_by, FunctionType) else code
        module = sys.modules.get(getattr(code, "__module__", None) or "")
        of_module = getattr(code, "__globals__", None) or vars(module or builtins)
        super().__init__(of_module)
        self.update(_enclosing_locals(str(getattr(code, "__qualname__", "")), of_module))
        if isinstance(code, FunctionType) and code.__closure__ is not None:
            self.update(_filled(code.__code__.co_freevars, code.__closure__))

    def __missing__(self, name: str) -> Any:
        return getattr(builtins, name) if hasattr(builtins, name) else Missing(name)


def _enclosing_locals(qualname: str, of_module: dict[str, Any]) -> dict[str, Any]:
    """The locals of the functions within which one is being defined right now. Annotations that
    are text may name them, and no closure holds them."""
    found: dict[str, Any] = {}
    frame: FrameType | None = sys._getframe()
    while frame is not None and ".<locals>" in qualname:
        around = qualname.startswith(f"{frame.f_code.co_qualname}.<locals>.")
        if around and frame.f_globals is of_module:
            found = {**frame.f_locals, **found}  # the inner ones hide the outer ones
        frame = frame.f_back
    return found


def _filled(names: tuple[str, ...], cells: tuple[CellType, ...]) -> dict[str, Any]:
    found = {}
    for name, cell in zip(names, cells, strict=True):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # a name that is assigned later
            continue
    return found


def _evaluated(annotation: Any, names: _Names) -> Any:
    if annotation is inspect.Parameter.empty:
        return annotation

    def holder() -> None: ...

    holder.__annotations__ = {"it": annotation}
    try:
        return get_type_hints(holder, {}, names, include_extras=True)["it"]
    except OmniqError:
        raise
    except Exception:
        return Missing(annotation) if isinstance(annotation, str) else annotation
