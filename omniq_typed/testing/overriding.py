"""Other dependencies for handlers, for as long as a test wants."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from typing import Any

from omniq_typed.errors import InvalidArgument
from omniq_typed.providers import Provide
from omniq_typed.signatures import code_of, is_coroutine_function, name_of
from omniq_typed.worker.dependency_scope import OVERRIDES, Step, identity


@contextmanager
def override(provider: Callable[..., Any], value: Any) -> Generator[None]:
    """Within, every handler that is provided by `provider`, `Annotated[X, Provide(provider)]`, gets
    `value` instead, on every bus of the process. `Provide(function)` as value: what the function
    gives, called once per job and without arguments; it may be a generator. What only the replaced
    provider needed is not called. Raises InvalidArgument for a provider that is none."""
    with override_all([(provider, value)]):
        yield


@contextmanager
def override_all(values: Iterable[tuple[Callable[..., Any], Any]]) -> Generator[None]:
    """`override` for several; as pairs, for a provider need not be hashable."""
    before = dict(OVERRIDES)
    for provider, value in values:
        if not callable(provider):
            raise InvalidArgument("provider", f"{provider!r} is none; pass the function itself")
        OVERRIDES[identity(provider)] = _step(provider, value)
    try:
        yield
    finally:
        OVERRIDES.clear()
        OVERRIDES.update(before)


def _step(provider: Callable[..., Any], value: Any) -> Step:
    name = name_of(provider)
    if not isinstance(value, Provide):
        return Step(lambda: value, name, (), (), yields=False, is_awaited=False)
    code = code_of(value.function)
    yields = inspect.isgeneratorfunction(code) or inspect.isasyncgenfunction(code)
    is_awaited = is_coroutine_function(value.function)
    return Step(value.function, name, (), (), yields=yields, is_awaited=is_awaited)
