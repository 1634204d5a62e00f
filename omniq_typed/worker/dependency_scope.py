"""One job's dependencies: got in the order of the plan, closed in reverse."""

from __future__ import annotations

import inspect
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from dataclasses import dataclass
from types import MethodType
from typing import Any, TypeAlias

log = logging.getLogger("omniq_typed.worker")

Needs: TypeAlias = tuple[tuple[str, int], ...]
"""Parameter name, and the place of the step whose value it gets."""
Identity: TypeAlias = tuple[int, ...]
"""Of a provider; see `identity`."""
AnyGenerator: TypeAlias = Generator[Any, None, Any] | AsyncGenerator[Any, None]

_NOTHING = object()

OVERRIDES: dict[Identity, Step] = {}
"""Providers that a test has replaced, and what is done in their place. Empty outside of tests."""


@dataclass(frozen=True, slots=True)
class Step:
    """One provider. `needs` and `ctx_names`: where its arguments come from."""

    function: Callable[..., Any]
    name: str
    needs: Needs
    ctx_names: tuple[str, ...]
    yields: bool
    is_awaited: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """The providers of one handler, each after those that it needs, and what the handler gets."""

    steps: tuple[Step, ...]
    needs: Needs
    ctx_names: tuple[str, ...]

    def run(self, ctx: object, call: Callable[..., Any]) -> Any:
        """What `call` answers, given its dependencies by name. A generator among them sees how it
        ended, and cannot make a failure a success; one that fails after a success makes it a
        failure. Raises what `call` or a provider raises."""
        opened: list[AnyGenerator] = []
        try:
            values: list[Any] = []
            for step in overridden(self) if OVERRIDES else self.steps:
                value = step.function(**_arguments(step, ctx, values))
                if step.yields:
                    opened.append(value)
                    value = _checked(next(value, _NOTHING), step)
                values.append(value)
            result = call(**_arguments(self, ctx, values))
        except BaseException as error:
            trace = error.__traceback__
            end = _close(opened, error)
            error.__traceback__ = trace  # without the way through the generators
            if end is not error and end is not None:
                raise end from error
            raise
        end = _close(opened, None)
        if end is not None:
            raise end
        return result

    async def run_async(self, ctx: object, call: Callable[..., Awaitable[Any]]) -> Any:
        """The asyncio twin of `run`."""
        opened: list[AnyGenerator] = []
        try:
            values: list[Any] = []
            for step in overridden(self) if OVERRIDES else self.steps:
                value = step.function(**_arguments(step, ctx, values))
                if step.yields:
                    opened.append(value)
                    first = (
                        await anext(value, _NOTHING)
                        if isinstance(value, AsyncGenerator)
                        else next(value, _NOTHING)
                    )
                    value = _checked(first, step)
                elif step.is_awaited or inspect.iscoroutine(value):  # a decorator may hide `async`
                    value = await value
                values.append(value)
            result = await call(**_arguments(self, ctx, values))
        except BaseException as error:
            trace = error.__traceback__
            end = await _close_async(opened, error)
            error.__traceback__ = trace
            if end is not error and end is not None:
                raise end from error
            raise
        end = await _close_async(opened, None)
        if end is not None:
            raise end
        return result


def identity(function: Any) -> Identity:
    """The same for a method each time that it is taken from the same object."""
    if isinstance(function, MethodType):
        return id(function.__self__), id(function.__func__)
    return (id(function),)


def overridden(plan: Plan) -> list[Step]:
    """The steps of a plan with those in place that a test gives, each at its own place; nothing is
    done for one that only a replaced one needed."""
    steps = [OVERRIDES.get(identity(step.function), step) for step in plan.steps]
    wanted = {place for _, place in plan.needs}
    for place in reversed(range(len(steps))):
        if place in wanted:
            wanted |= {each for _, each in steps[place].needs}
    return [step if place in wanted else _NO_STEP for place, step in enumerate(steps)]


def _do_nothing() -> None:
    pass


_NO_STEP = Step(_do_nothing, "", (), (), yields=False, is_awaited=False)


def _arguments(taker: Step | Plan, ctx: object, values: list[Any]) -> dict[str, Any]:
    arguments = {name: values[place] for name, place in taker.needs}
    for name in taker.ctx_names:
        arguments[name] = ctx
    return arguments


def _checked(first: Any, step: Step) -> Any:
    if first is _NOTHING:
        raise RuntimeError(f"provider {step.name} ended without a yield")
    return first


def _close(opened: list[AnyGenerator], error: BaseException | None) -> BaseException | None:
    """Ends the generators, the last one first. Answers what the job ends with."""
    while opened:
        generator = opened.pop()
        try:
            _end(generator, error)
        except BaseException as raised:
            error = _chosen(generator, error, raised)
    return error


async def _close_async(
    opened: list[AnyGenerator], error: BaseException | None
) -> BaseException | None:
    while opened:
        generator = opened.pop()
        try:
            await _end_async(generator, error)
        except BaseException as raised:
            error = _chosen(generator, error, raised)
    return error


def _end(generator: Any, error: BaseException | None) -> None:
    """Lets a generator go on after its yield, where `error` is raised. Raises what it raises."""
    if error is None:
        again = next(generator, _NOTHING) is not _NOTHING
    else:
        try:
            generator.throw(error)
        except StopIteration:  # it swallowed the error, which does not make it undone
            return
        again = True
    if again:
        generator.close()
        raise RuntimeError(f"provider {generator.__qualname__} yields more than once")


async def _end_async(generator: Any, error: BaseException | None) -> None:
    if inspect.isgenerator(generator):
        return _end(generator, error)
    if error is None:
        again = await anext(generator, _NOTHING) is not _NOTHING
    else:
        try:
            await generator.athrow(error)
        except StopAsyncIteration:
            return
        again = True
    if again:
        await generator.aclose()
        raise RuntimeError(f"provider {generator.__qualname__} yields more than once")


def _chosen(generator: Any, error: BaseException | None, raised: BaseException) -> BaseException:
    """What a job ends with whose provider raised while it was closed: the first error, unless the
    new one interrupts the job."""
    if error is None or raised is error:
        return raised
    interrupts = not isinstance(raised, Exception)
    if interrupts and isinstance(error, Exception):
        return raised
    # Python puts a StopIteration that passes a generator into a RuntimeError.
    if raised.__cause__ is not error or not isinstance(error, (StopIteration, StopAsyncIteration)):
        log.error(
            "provider %s failed while it was closed after %s",
            generator.__qualname__,
            type(error).__name__,
            exc_info=raised,
        )
    return error
