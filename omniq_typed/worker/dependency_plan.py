"""What a handler takes beside its job, found out and checked when it is registered. It becomes a
`Plan`: the providers to call, in order. A job only follows it; see dependency_scope.py."""

from __future__ import annotations

import inspect
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Generator,
    Iterable,
    Iterator,
)
from dataclasses import dataclass
from inspect import Parameter
from typing import Annotated, Any, NoReturn, get_args, get_origin

from omniq_typed.context import AsyncCtx, Ctx
from omniq_typed.errors import InvalidMessageType
from omniq_typed.providers import Provide
from omniq_typed.signatures import Missing, code_of, is_coroutine_function, name_of, read_signature
from omniq_typed.type_fit import is_union, may_take, plain_type, shown
from omniq_typed.worker.dependency_scope import Identity, Needs, Plan, Step, identity

_CTX_NAMES = ("Ctx", "JobCtx", "AsyncCtx", "AsyncJobCtx")
_ITERATORS = (Iterator, Generator, AsyncIterator, AsyncGenerator)
_VARIADIC = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)


@dataclass(frozen=True, slots=True)
class Target:
    """The handler for which parameters are read. `name`: for messages."""

    name: str
    payload_type: Any
    is_async: bool

    @property
    def ctx_name(self) -> str:
        """The ctx that it is given."""
        return f"{'AsyncCtx' if self.is_async else 'Ctx'}[{shown(self.payload_type)}]"

    def refuse(self, problem: str) -> NoReturn:
        """Raises InvalidMessageType."""
        raise InvalidMessageType("consumer", f"{self.name}: {problem}")

    def is_ctx(self, where: str, annotation: Any) -> bool:
        """Whether a parameter is declared to take the ctx. Raises InvalidMessageType for one of the
        other kind of bus or of another payload."""
        plain = plain_type(annotation)
        members = [plain_type(each) for each in (get_args(plain) if is_union(plain) else [plain])]
        problems = [self._ctx_problem(each) for each in members if _looks_like_ctx(each)]
        if problems and all(problems):
            self.refuse(f"{where} is {shown(plain)}, but {problems[0]}")
        return problems != []

    def _ctx_problem(self, annotation: Any) -> str:
        """Why the handler's ctx is not what an annotation says, '' = it is."""
        if isinstance(annotation, Missing):
            named_async = annotation.last_name.startswith("Async")
            is_own_kind = named_async is self.is_async or annotation.last_name not in _CTX_NAMES
        else:
            cls = get_origin(annotation) or annotation
            is_own_kind = cls is (AsyncCtx if self.is_async else Ctx)
        if not is_own_kind:
            return f"{'an AsyncBus' if self.is_async else 'a Bus'} gives {self.ctx_name}"
        if not all(may_take(each, self.payload_type) for each in get_args(annotation)):
            return f"the consumer is for {shown(self.payload_type)}; declare {self.ctx_name}"
        return ""


def _looks_like_ctx(annotation: Any) -> bool:
    if isinstance(annotation, Missing):
        return annotation.last_name.endswith("Ctx")
    cls = get_origin(annotation) or annotation
    return isinstance(cls, type) and issubclass(cls, (Ctx, AsyncCtx))


def plan_for(target: Target, parameters: Iterable[Parameter]) -> Plan | None:
    """How to get what a handler takes beside its job; None where that is nothing. Raises
    InvalidMessageType, saying what to do."""
    planner = _Planner(target)
    needs, ctx_names = planner.read("", parameters)
    if not needs and not ctx_names:
        return None
    return Plan(tuple(planner.steps), needs, ctx_names)


class _Planner:
    """Puts the providers of one handler in order: each after those that it needs itself."""

    def __init__(self, target: Target) -> None:
        self.steps: list[Step] = []
        self._target = target
        self._places: dict[tuple[int, ...], int] = {}
        # The providers whose parameters are being read, from the handler's on.
        self._path: dict[tuple[int, ...], str] = {}

    def read(self, owner: str, parameters: Iterable[Parameter]) -> tuple[Needs, tuple[str, ...]]:
        """Which parameter gets which step's value, and which get the ctx. `owner`: the provider
        whose parameters they are, '' = the handler."""
        needs: list[tuple[str, int]] = []
        ctx_names: list[str] = []
        for parameter in parameters:
            where = f"parameter {parameter.name!r}" + (f" of provider {owner}" if owner else "")
            provide = self._provide_of(where, parameter)
            if provide is not None:
                self._check_passed_by_name(where, parameter)
                needs.append((parameter.name, self._add(where, parameter.annotation, provide)))
            elif self._target.is_ctx(where, parameter.annotation):
                self._check_passed_by_name(where, parameter)
                ctx_names.append(parameter.name)
            elif parameter.default is Parameter.empty and parameter.kind not in _VARIADIC:
                unknown = parameter.annotation
                why = f" ({unknown} cannot be found)" if isinstance(unknown, Missing) else ""
                self._target.refuse(
                    f"{where} has neither a default nor a provider{why}; declare it as"
                    f" Annotated[..., Provide(function)]"
                )
        return tuple(needs), tuple(ctx_names)

    def _provide_of(self, where: str, parameter: Parameter) -> Provide[Any] | None:
        annotation = parameter.annotation
        if isinstance(parameter.default, Provide):
            self._target.refuse(f"{where} has a Provide as default; put it into an Annotated")
        if isinstance(annotation, Missing) and "Provide" in annotation.name:
            self._target.refuse(f"{where} is {annotation}, of which a part cannot be found")
        if is_union(annotation) and any(provide_marks(each) for each in get_args(annotation)):
            self._target.refuse(f"{where} has its Provide within a union; put it around the whole")
        marks = provide_marks(annotation)
        if len(marks) > 1:
            self._target.refuse(f"{where} has {len(marks)} providers; leave one")
        if not marks:
            return None
        (mark,) = marks
        if isinstance(mark, Missing):
            self._target.refuse(f"{where} is provided by {mark}, which cannot be found")
        if not isinstance(mark, Provide):
            self._target.refuse(f"{where} names no provider; write Provide(function)")
        return mark

    def _check_passed_by_name(self, where: str, parameter: Parameter) -> None:
        if parameter.kind is Parameter.POSITIONAL_ONLY:
            self._target.refuse(f"{where} is to be passed by name; move it behind the '/'")
        if parameter.kind in _VARIADIC:
            self._target.refuse(f"{where} is to be one value; take the '*' away")

    def _add(self, where: str, annotation: Any, provide: Provide[Any]) -> int:
        """The place of the provider's step among the others, made where there is none yet."""
        function = provide.function
        if isinstance(function, Missing):
            self._target.refuse(f"{where} is provided by {function}, which cannot be found")
        key, name = identity(function), name_of(function)
        self._check_no_circle(key, name)
        signature = read_signature(function) or inspect.Signature()
        made = _made_by(function, signature.return_annotation)
        self._check_made(where, annotation, name, made)
        if key not in self._places:
            self._path[key] = name
            needs, ctx_names = self.read(name, signature.parameters.values())
            del self._path[key]
            self._places[key] = len(self.steps)
            self.steps.append(Step(function, name, needs, ctx_names, made.yields, made.is_awaited))
        return self._places[key]

    def _check_no_circle(self, key: Identity, name: str) -> None:
        if key in self._path:
            first = list(self._path).index(key)
            circle = " -> ".join([*list(self._path.values())[first:], name])
            self._target.refuse(f"providers need each other in a circle, {circle}; break it")

    def _check_made(self, where: str, wanted: Any, name: str, made: _Made) -> None:
        if made.is_async and not self._target.is_async:
            self._target.refuse(
                f"{where}: provider {name} is async, which a Bus cannot run; make it a plain"
                " function, or use an AsyncBus"
            )
        if not made.yields and not made.is_awaited and get_origin(made.type) in _ITERATORS:
            self._target.refuse(
                f"{where}: provider {name} is declared to give {shown(made.type)}, but is no"
                " generator function; pass it without @contextmanager or other decorators"
            )
        if not may_take(wanted, made.type):
            self._target.refuse(
                f"{where} is {shown(wanted)}, but its provider {name} gives {shown(made.type)}"
            )


@dataclass(frozen=True, slots=True)
class _Made:
    """What a provider gives. `type`: Any where that is not declared."""

    type: Any
    yields: bool = False
    is_awaited: bool = False
    is_async: bool = False


def _made_by(function: Any, declared: Any) -> _Made:
    code, inner = code_of(function), get_args(declared)
    if isinstance(code, type):
        return _Made(code)
    if is_coroutine_function(function):
        return _Made(declared, is_awaited=True, is_async=True)
    if inspect.isgeneratorfunction(code):
        return _Made(inner[0] if inner else Any, yields=True)
    if inspect.isasyncgenfunction(code):
        return _Made(inner[0] if inner else Any, yields=True, is_async=True)
    origin = get_origin(declared) or declared
    if isinstance(origin, type) and issubclass(origin, Awaitable):
        return _Made(inner[-1] if inner else Any, is_awaited=True, is_async=True)
    return _Made(declared)


def provide_marks(annotation: Any) -> list[Any]:
    """What stands for a Provide in an Annotated, also where it is written wrongly."""
    if get_origin(annotation) is not Annotated:
        return []
    return [
        each
        for each in get_args(annotation)[1:]
        if each is Provide
        or isinstance(each, Provide)
        or (isinstance(each, Missing) and each.last_name.startswith("Provide"))
    ]
