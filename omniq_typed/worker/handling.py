"""From what a user registers as a handler to one call that takes a ctx. All is looked at once, when
it is registered."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from inspect import Parameter
from types import FunctionType
from typing import Any, TypeVar

from omniq_typed.signatures import code_of, is_coroutine_function, name_of, read_signature
from omniq_typed.type_fit import may_take, shown
from omniq_typed.worker.dependency_plan import Target, plan_for, provide_marks
from omniq_typed.worker.dependency_scope import Plan

_POSITIONAL = (
    Parameter.POSITIONAL_ONLY,
    Parameter.POSITIONAL_OR_KEYWORD,
    Parameter.VAR_POSITIONAL,
)


def is_async(handler: Callable[..., Any]) -> bool:
    """Whether calling the handler gives a coroutine."""
    return is_coroutine_function(handler)


def bind_handler(
    handler: Callable[..., Any], expected_type: Any, *, is_async: bool
) -> Callable[[Any], Any]:
    """`call(ctx)`, or an async one, that gives the handler its ctx or payload and dependencies.

    `expected_type`: the type of the payload. Raises InvalidMessageType for a handler that a bus of
    this kind cannot run, for another type, or with parameters that nobody provides.
    """
    target = Target(name_of(handler), expected_type, is_async)
    _check_kind(target, handler)
    signature = read_signature(handler)
    if signature is None:
        return handler
    parameters = list(signature.parameters.values())
    takes_payload = _takes_payload(target, handler, parameters)
    plan = plan_for(target, parameters[1:])
    if is_async:
        return _async_call(handler, takes_payload, plan)
    return _call(handler, takes_payload, plan)


def _check_kind(target: Target, handler: Any) -> None:
    if not callable(handler):
        target.refuse("is not callable; register a function, a bound method or a callable object")
    code = code_of(handler)
    if isinstance(code, type):
        target.refuse("is a class; register an object of it that can be called, or its method")
    if inspect.isgeneratorfunction(code) or inspect.isasyncgenfunction(code):
        target.refuse("has a yield, and so runs nothing when it is called; take it out")
    if is_async(handler) and not target.is_async:
        target.refuse("is async; an AsyncBus runs it, a Bus cannot")
    if target.is_async and not is_async(handler):
        target.refuse("is not async; an AsyncBus runs `async def` handlers only, a Bus plain ones")


def _takes_payload(target: Target, handler: Any, parameters: list[Parameter]) -> bool:
    """Whether the first parameter gets the payload alone, and not the ctx."""
    if not parameters or parameters[0].kind not in _POSITIONAL:
        target.refuse(f"takes no argument by position; its first one is the {target.ctx_name}")
    first = parameters[0]
    if _is_unbound(handler, first):
        target.refuse(
            f"is a method without its object ({first.name!r} is missing); register the bound"
            " method, bus.consumer(...)(service.method)"
        )
    where = f"parameter {first.name!r}"
    if provide_marks(first.annotation):
        target.refuse(
            f"{where} comes first, where the {target.ctx_name} or the payload is given; put what"
            " is provided behind it"
        )
    if first.annotation in (Parameter.empty, Any, object) or isinstance(first.annotation, TypeVar):
        return False
    if target.is_ctx(where, first.annotation):
        return False
    if not may_take(first.annotation, target.payload_type):
        target.refuse(
            f"{where} is {shown(first.annotation)}, but the consumer is for"
            f" {shown(target.payload_type)}; declare {target.ctx_name}, or"
            f" {shown(target.payload_type)} for the payload alone"
        )
    return True


def _is_unbound(handler: Any, first: Parameter) -> bool:
    """Whether it is a method that was taken from its class, or decorated within it."""
    if not isinstance(handler, FunctionType) or first.name not in ("self", "cls"):
        return False
    around = handler.__qualname__.rpartition(".")[0]
    return around != "" and not around.endswith("<locals>")


def _call(
    handler: Callable[..., Any], takes_payload: bool, plan: Plan | None
) -> Callable[[Any], Any]:
    if plan is None:
        return (lambda ctx: handler(ctx.payload)) if takes_payload else handler
    if takes_payload:
        return lambda ctx: plan.run(ctx, partial(handler, ctx.payload))
    return lambda ctx: plan.run(ctx, partial(handler, ctx))


def _async_call(
    handler: Callable[..., Any], takes_payload: bool, plan: Plan | None
) -> Callable[[Any], Any]:
    if plan is None and not takes_payload:
        return handler

    async def call(ctx: Any) -> Any:
        first = ctx.payload if takes_payload else ctx
        if plan is None:
            return await handler(first)
        return await plan.run_async(ctx, partial(handler, first))

    return call
