"""Dependencies of handlers: `session: Annotated[Session, Provide(get_session)]`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, Generic, TypeVar, overload

from omniq_typed.errors import InvalidArgument
from omniq_typed.signatures import name_of

__all__ = ["Provide"]

T_co = TypeVar("T_co", covariant=True)
V = TypeVar("V")


class Provide(Generic[T_co]):
    """Annotates a handler's parameter, `Annotated[X, Provide(function)]`: the function is called
    once per job, and what it gives is passed in.

    `function`: a function, class or other callable. A generator function yields once; the rest of
    it runs after the handler, whose exception is raised at the `yield`. It may be async where an
    AsyncBus runs the handler. Its own parameters may be a Ctx, or provided in turn. Raises
    InvalidArgument for what is not callable.
    """

    __slots__ = ("function",)

    @overload
    def __init__(self: Provide[V], function: type[V]) -> None: ...
    @overload
    def __init__(self: Provide[V], function: Callable[..., AsyncIterator[V]]) -> None: ...
    @overload
    def __init__(self: Provide[V], function: Callable[..., Iterator[V]]) -> None: ...
    @overload
    def __init__(self: Provide[V], function: Callable[..., Awaitable[V]]) -> None: ...
    @overload
    def __init__(self: Provide[V], function: Callable[..., V]) -> None: ...
    def __init__(self, function: Callable[..., Any]) -> None:
        if not callable(function):
            raise InvalidArgument(
                "Provide", f"{function!r} is not callable; pass the function itself"
            )
        self.function = function

    def __repr__(self) -> str:
        return f"Provide({name_of(self.function)})"
