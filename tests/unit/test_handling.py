"""Which callables may be handlers, and what they are called with. No server: the ctx is real, what
it would publish with is not."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from functools import partial, wraps
from types import SimpleNamespace
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Generic,
    Literal,
    NewType,
    NotRequired,
    Protocol,
    TypedDict,
    TypeVar,
    Union,
)
from unittest.mock import AsyncMock, Mock

import pytest
from pydantic import BaseModel, Field

import omniq_typed
from omniq_typed.context import AsyncCtx, AsyncJobCtx, Ctx, JobCtx, Lease
from omniq_typed.errors import InvalidMessageType
from omniq_typed.models import Reserved
from omniq_typed.worker.handling import bind_handler, is_async

if TYPE_CHECKING:
    import collections
    from decimal import Decimal as Gone

    import omniq_typed.context as elsewhere
    from omniq_typed.context import JobCtx as OrderCtx

T = TypeVar("T")

JOB = Reserved("j1", b"{}", 1_000, 2, 3, "", "token-1", 30_000, 0)
NO_PUBLISHER: Any = SimpleNamespace(transport=None, settings=None)


class Base:
    pass


@dataclass
class Order(Base):
    number: int = 1


@dataclass
class Invoice:
    number: int = 1


@dataclass
class Box(Generic[T]):
    inside: T


class Page(BaseModel, Generic[T]):
    items: list[T]


class Card(BaseModel):
    kind: Literal["card"] = "card"


class Cash(BaseModel):
    kind: Literal["cash"] = "cash"


class Row(TypedDict):
    number: int
    note: NotRequired[str]


class SameRow(TypedDict):
    number: int


class LongRow(TypedDict):
    number: int
    text: str


class OtherRow(TypedDict):
    number: str


class Numbered(Protocol):
    number: int


PaidOrder = NewType("PaidOrder", Order)
Payment = Annotated[Card | Cash, Field(discriminator="kind")]
OwnCtx = Ctx[Order]


class BetterCtx(Ctx[Order]):
    pass


def sync_ctx(payload: object) -> Ctx[Any]:
    return Ctx(Lease("orders", JOB), payload, NO_PUBLISHER)


def async_ctx(payload: object) -> AsyncCtx[Any]:
    return AsyncCtx(Lease("orders", JOB), payload, NO_PUBLISHER)


def bound(handler: Any, expected: Any = Order) -> Callable[[Any], Any]:
    return bind_handler(handler, expected, is_async=False)


def handed(handler: Any, expected: Any = Order) -> str:
    """Whether a sync handler, which answers its argument, gets the ctx or the payload."""
    ctx = sync_ctx(Order())
    got = bound(handler, expected)(ctx)
    assert got is ctx or got is ctx.payload
    return "ctx" if got is ctx else "payload"


def refusal(handler: Any, expected: Any = Order, *, is_async: bool = False) -> str:
    with pytest.raises(InvalidMessageType) as refused:
        bind_handler(handler, expected, is_async=is_async)
    assert refused.value.field == "consumer"
    return refused.value.problem


# What the first parameter gets


def of_nothing(it):  # type: ignore[no-untyped-def]
    return it


def of_any(it: Any) -> object:
    return it


def of_object(it: object) -> object:
    return it


def of_bare_ctx(it: Ctx) -> object:  # type: ignore[type-arg]
    return it


def of_ctx(it: Ctx[Order]) -> object:
    return it


def of_ctx_of_base(it: Ctx[Base]) -> object:
    return it


def of_job_ctx(it: JobCtx) -> object:
    return it


def of_alias(it: OwnCtx) -> object:
    return it


def of_dotted_ctx(it: omniq_typed.Ctx[Order]) -> object:
    return it


def of_quoted_ctx(it: "Ctx[Order]") -> object:  # noqa: UP037
    return it


def of_optional_ctx(it: Ctx[Order] | None) -> object:
    return it


def of_either_ctx(it: Ctx[Order] | Ctx[Invoice]) -> object:
    return it


def of_annotated_ctx(it: Annotated[Ctx[Order], "documented"]) -> object:
    return it


def of_ctx_of_any_type(it: Ctx[T]) -> object:
    return it


def of_positional_only(it: Ctx[Order], /) -> object:
    return it


def of_many(*it: Any) -> object:
    return it[0]


def of_ctx_and_default(it: Ctx[Order], times: int = 1, *more: int, **options: int) -> object:
    return it


@pytest.mark.parametrize(
    "handler",
    [
        of_nothing,
        of_any,
        of_object,
        of_bare_ctx,
        of_ctx,
        of_ctx_of_base,
        of_job_ctx,
        of_alias,
        of_dotted_ctx,
        of_quoted_ctx,
        of_optional_ctx,
        of_either_ctx,
        of_annotated_ctx,
        of_ctx_of_any_type,
        of_positional_only,
        of_many,
        of_ctx_and_default,
        lambda it: it,
    ],
)
def test_the_ctx_is_given(handler: Any) -> None:
    assert handed(handler) == "ctx"


def of_order(it: Order) -> object:
    return it


def of_base(it: Base) -> object:
    return it


def of_union(it: Invoice | Order) -> object:
    return it


def of_optional_order(it: Order | None) -> object:
    return it


def of_protocol(it: Numbered) -> object:
    return it


def of_annotated_order(it: Annotated[Order, "documented"], /) -> object:
    return it


@pytest.mark.parametrize(
    "handler", [of_order, of_base, of_union, of_optional_order, of_protocol, of_annotated_order]
)
def test_the_payload_alone_is_given(handler: Any) -> None:
    assert handed(handler) == "payload"


def of_payment(it: Payment) -> object:
    return it


def of_card_or_cash(it: Cash | Card) -> object:
    return it


def of_models(it: BaseModel) -> object:
    return it


def of_card(it: Card) -> object:
    return it


def of_row(it: Row) -> object:
    return it


def of_same_row(it: SameRow) -> object:
    return it


def of_long_row(it: LongRow) -> object:
    return it


def of_other_row(it: OtherRow) -> object:
    return it


def of_dict(it: dict[str, Any]) -> object:
    return it


def of_box(it: Box[Order]) -> object:
    return it


def of_any_box(it: Box[Any]) -> object:
    return it


def of_plain_box(it: Box) -> object:  # type: ignore[type-arg]
    return it


def of_invoice_box(it: Box[Invoice]) -> object:
    return it


def of_page(it: Page[Order]) -> object:
    return it


def of_invoice_page(it: Page[Invoice]) -> object:
    return it


def of_paid_order(it: PaidOrder) -> object:
    return it


def of_literal(it: Literal["card"]) -> object:
    return it


def of_int(it: int) -> object:
    return it


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        (of_payment, Payment),
        (of_card_or_cash, Payment),
        (of_card_or_cash, Union[Card, Cash]),  # noqa: UP007 - the older spelling
        (of_card_or_cash, Card),
        (of_models, Payment),
        (of_row, Row),
        (of_same_row, LongRow),
        (of_dict, Row),
        (of_box, Box[Order]),
        (of_any_box, Box[Order]),
        (of_plain_box, Box[Order]),
        (of_page, Page[Order]),
        (of_paid_order, PaidOrder),
        (of_order, PaidOrder),
    ],
)
def test_any_kind_of_message_type_is_recognised(handler: Any, expected: Any) -> None:
    assert handed(handler, expected) == "payload"


@pytest.mark.parametrize(
    ("handler", "expected", "text"),
    [
        (of_order, Invoice, "of_order: parameter 'it' is Order, but the consumer is for Invoice;"),
        (of_order, Base, "is Order, but the consumer is for Base; declare Ctx[Base], or Base"),
        (of_card, Payment, "is Card, but the consumer is for Card | Cash"),
        (of_row, OtherRow, "is Row, but the consumer is for OtherRow"),
        (of_other_row, Row, "is OtherRow, but the consumer is for Row"),
        (of_long_row, SameRow, "is LongRow, but the consumer is for SameRow"),
        (of_row, SameRow, "is Row, but the consumer is for SameRow"),
        (of_row, Order, "is Row, but the consumer is for Order"),
        (of_invoice_box, Box[Order], "is Box[Invoice], but the consumer is for Box[Order]"),
        (of_invoice_page, Page[Order], "is Page[Invoice], but the consumer is for Page[Order]"),
        (of_literal, Card, "but the consumer is for Card"),
        (of_int, Order, "is int, but the consumer is for Order"),
        (of_ctx, Invoice, "is Ctx[Order], but the consumer is for Invoice; declare Ctx[Invoice]"),
        (of_ctx, Base, "is Ctx[Order], but the consumer is for Base"),
        (of_either_ctx, Base, "is Ctx[Order] | Ctx[Invoice], but the consumer is for Base"),
    ],
)
def test_another_type_is_refused_by_the_names_of_both(
    handler: Any, expected: Any, text: str
) -> None:
    assert text in refusal(handler, expected)


def test_a_ctx_class_of_one_s_own_is_not_what_the_worker_gives() -> None:
    def handler(ctx: BetterCtx) -> None: ...

    assert "is BetterCtx, but a Bus gives Ctx[Order]" in refusal(handler)


# Shapes of callables


class Service:
    def __init__(self) -> None:
        self.seen: list[object] = []

    def on_order(self, ctx: Ctx[Order]) -> None:
        self.seen.append(ctx)

    def on_payload(self, order: Order) -> None:
        self.seen.append(order)

    async def on_order_async(self, ctx: AsyncCtx[Order]) -> None:
        self.seen.append(ctx)

    @staticmethod
    def on_static(ctx: Ctx[Order]) -> object:
        return ctx

    @classmethod
    def on_class(cls, ctx: Ctx[Order]) -> object:
        return ctx


class Callable_:
    def __init__(self) -> None:
        self.seen: list[object] = []

    def __call__(self, order: Order) -> None:
        self.seen.append(order)


class AsyncCallable:
    def __init__(self) -> None:
        self.seen: list[object] = []

    async def __call__(self, order: Order) -> None:
        self.seen.append(order)


def test_bound_methods() -> None:
    service, ctx = Service(), sync_ctx(Order())
    bound(service.on_order)(ctx)
    bound(service.on_payload)(ctx)
    assert service.seen == [ctx, ctx.payload]
    assert bound(Service.on_static)(ctx) is ctx
    assert bound(Service.on_class)(ctx) is ctx
    assert bound(Service().on_class)(ctx) is ctx


def test_callable_objects() -> None:
    handler, ctx = Callable_(), sync_ctx(Order())
    bound(handler)(ctx)
    assert handler.seen == [ctx.payload]


def test_static_methods_within_their_class() -> None:
    class Handlers:
        @staticmethod
        def on_order(order: Order) -> object:
            return order

        plain = vars()["on_order"]
        taken = bind_handler(plain, Order, is_async=False)

    ctx = sync_ctx(Order())
    assert Handlers.taken(ctx) is ctx.payload


def with_two(prefix: str, it: Order, suffix: str = "!") -> object:
    return prefix, it, suffix


def test_partials() -> None:
    ctx = sync_ctx(Order())
    assert bound(partial(with_two, "?"))(ctx) == ("?", ctx.payload, "!")
    assert bound(partial(partial(with_two, "?"), suffix="."))(ctx) == ("?", ctx.payload, ".")
    assert handed(partial(of_ctx)) == "ctx"
    service = Service()
    bound(partial(Service.on_payload, service))(ctx)
    bound(partial(service.on_payload))(ctx)
    assert service.seen == [ctx.payload, ctx.payload]
    text = refusal(partial(with_two, "?"), Invoice)
    assert text.startswith("with_two: parameter 'it' is Order, but the consumer is for Invoice")


def test_decorated_functions_are_read_through_their_wrapper() -> None:
    def traced(function: Callable[..., object]) -> Callable[..., object]:
        @wraps(function)
        def wrapper(*args: object, **named: object) -> object:
            return function(*args, **named)

        return wrapper

    assert handed(traced(of_order)) == "payload"
    assert handed(traced(of_ctx)) == "ctx"


def test_what_has_no_signature_gets_the_ctx() -> None:
    class Opaque:
        __signature__ = 5

        def __call__(self, it: object) -> object:
            return it

    with pytest.raises(TypeError):
        inspect.signature(Opaque())
    assert handed(Opaque()) == "ctx"


def test_mocks_get_the_ctx() -> None:
    mock, ctx = Mock(), sync_ctx(Order())
    bound(mock)(ctx)
    mock.assert_called_once_with(ctx)


def test_a_handler_of_the_ctx_alone_costs_nothing_more() -> None:
    assert bound(of_ctx) is of_ctx

    async def handler(ctx: AsyncCtx[Order]) -> None: ...

    assert bind_handler(handler, Order, is_async=True) is handler


def test_the_payload_and_a_ctx_behind_it() -> None:
    def handler(order: Order, tries: int = 7, *, ctx: Ctx[Order]) -> object:
        return order, tries, ctx

    ctx = sync_ctx(Order())
    assert bound(handler)(ctx) == (ctx.payload, 7, ctx)


# The asyncio half


async def on_async(ctx: AsyncCtx[Order]) -> object:
    return ctx


async def on_async_payload(order: Order) -> object:
    return order


async def on_async_any(ctx: AsyncJobCtx) -> object:
    return ctx


async def test_async_handlers() -> None:
    ctx = async_ctx(Order())
    cases: list[tuple[Any, object]] = [
        (on_async, ctx),
        (on_async_any, ctx),
        (on_async_payload, ctx.payload),
        (partial(on_async_payload), ctx.payload),
    ]
    for handler, argument in cases:
        call = bind_handler(handler, Order, is_async=True)
        assert await call(ctx) is argument
    service, callable_object = Service(), AsyncCallable()
    await bind_handler(service.on_order_async, Order, is_async=True)(ctx)
    await bind_handler(callable_object, Order, is_async=True)(ctx)
    await bind_handler(partial(callable_object), Order, is_async=True)(ctx)
    assert service.seen == [ctx]
    assert callable_object.seen == [ctx.payload, ctx.payload]


async def test_async_mocks_are_async() -> None:
    mock, ctx = AsyncMock(), async_ctx(Order())
    await bind_handler(mock, Order, is_async=True)(ctx)
    mock.assert_awaited_once_with(ctx)


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        (of_ctx, False),
        (on_async, True),
        (partial(on_async), True),
        (Callable_(), False),
        (AsyncCallable(), True),
        (partial(AsyncCallable()), True),
        (Service().on_order, False),
        (Service().on_order_async, True),
        (staticmethod(on_async), True),
        (staticmethod(of_ctx), False),
        (5, False),
    ],
)
def test_is_async(handler: Any, expected: bool) -> None:
    assert is_async(handler) is expected


# Kinds that no bus of this kind can run


def generator(ctx: Ctx[Order]) -> Iterator[int]:
    yield 1


async def async_generator(ctx: AsyncCtx[Order]) -> AsyncIterator[int]:
    yield 1


@pytest.mark.parametrize(
    ("handler", "on_async_bus", "text"),
    [
        (on_async, False, "on_async: is async; an AsyncBus runs it, a Bus cannot"),
        (Service().on_order_async, False, "Service.on_order_async: is async"),
        (AsyncCallable(), False, "is async"),
        (of_ctx, True, "of_ctx: is not async; an AsyncBus runs `async def` handlers only"),
        (Callable_(), True, "is not async"),
        (generator, False, "generator: has a yield, and so runs nothing"),
        (async_generator, True, "async_generator: has a yield"),
        (Order, False, "Order: is a class; register an object of it"),
        (Service, True, "Service: is a class"),
        (5, False, "5: is not callable"),
        (None, True, "None: is not callable"),
        (vars(Service)["on_class"], False, "is not callable"),
    ],
)
def test_a_handler_of_the_wrong_kind_is_refused(
    handler: Any, on_async_bus: bool, text: str
) -> None:
    assert text in refusal(handler, is_async=on_async_bus)


def test_a_ctx_of_the_wrong_kind_is_refused() -> None:
    def on_bus(ctx: AsyncCtx[Order]) -> None: ...

    def on_bus_any(ctx: AsyncJobCtx) -> None: ...

    async def on_async_bus(ctx: Ctx[Order]) -> None: ...

    assert "is AsyncCtx[Order], but a Bus gives Ctx[Order]" in refusal(on_bus)
    assert "but a Bus gives Ctx[Order]" in refusal(on_bus_any)
    text = refusal(on_async_bus, is_async=True)
    assert "is Ctx[Order], but an AsyncBus gives AsyncCtx[Order]" in text


def test_a_method_without_its_object_is_refused() -> None:
    text = refusal(Service.on_order)
    assert text.startswith("Service.on_order: is a method without its object")
    assert "register the bound method, bus.consumer(...)(service.method)" in text
    assert "without its object" in refusal(Service.on_order_async, is_async=True)
    refused: list[str] = []
    with pytest.raises(InvalidMessageType, match="without its object"):

        class Decorated:
            def on_order(self, ctx: Ctx[Order]) -> None: ...

            refused.append(refusal(on_order))
            bind_handler(on_order, Order, is_async=False)

    assert len(refused) == 1


def test_a_function_may_call_its_parameter_self() -> None:
    def handler(self: Ctx[Order]) -> object:
        return self

    assert handed(handler) == "ctx"


@pytest.mark.parametrize("name", ["nothing", "by_name_only", "options"])
def test_a_handler_that_takes_nothing_by_position_is_refused(name: str) -> None:
    def nothing() -> None: ...

    def by_name_only(*, ctx: Ctx[Order]) -> None: ...

    def options(**ctx: Ctx[Order]) -> None: ...

    handlers: dict[str, Any] = {each.__name__: each for each in (nothing, by_name_only, options)}
    text = refusal(handlers[name])
    assert "takes no argument by position; its first one is the Ctx[Order]" in text


def test_a_parameter_that_nobody_provides_is_refused() -> None:
    def handler(ctx: Ctx[Order], session: Invoice) -> None: ...

    text = refusal(handler)
    assert "parameter 'session' has neither a default nor a provider" in text
    assert "Annotated[..., Provide(function)]" in text


# Annotations with names that only type checkers know


def of_unknown_payload(it: Gone) -> object:
    return it


def of_ctx_of_unknown(it: Ctx[Gone]) -> object:
    return it


def of_dotted_unknown(it: elsewhere.Lease) -> object:
    return it


def of_generic_unknown(it: collections.Counter[Gone] | None) -> object:
    return it


def of_unknown_ctx(it: elsewhere.Ctx[Order]) -> object:
    return it


def of_unknown_job_ctx(it: elsewhere.JobCtx) -> object:
    return it


def of_unknown_alias(it: OrderCtx) -> object:
    return it


def of_page_of_unknown(it: Ctx[Page[Gone]]) -> object:
    return it


def of_nonsense(it: "Order +") -> object:  # type: ignore[valid-type] # noqa: F722
    return it


@pytest.mark.parametrize(
    ("handler", "what"),
    [
        (of_unknown_payload, "payload"),
        (of_dotted_unknown, "payload"),
        (of_generic_unknown, "payload"),
        (of_nonsense, "payload"),
        (of_ctx_of_unknown, "ctx"),
        (of_unknown_ctx, "ctx"),
        (of_unknown_job_ctx, "ctx"),
        (of_unknown_alias, "ctx"),
        (of_page_of_unknown, "ctx"),
    ],
)
def test_names_that_cannot_be_found_are_judged_by_their_text(handler: Any, what: str) -> None:
    assert handed(handler) == what


def test_a_ctx_of_the_wrong_kind_is_known_by_its_name() -> None:
    def handler(ctx: elsewhere.AsyncCtx[Order]) -> None: ...

    assert "is elsewhere.AsyncCtx[Order], but a Bus gives Ctx[Order]" in refusal(handler)


def test_the_locals_of_the_function_around_are_known() -> None:
    @dataclass
    class Local:
        number: int = 1

    def of_local(it: Local) -> object:
        return it

    def of_local_ctx(it: Ctx[Local]) -> object:
        return it

    class Within:
        def method(self, it: Local) -> object:
            return it

    def around() -> list[str]:
        def of_outer_local(it: Local) -> object:
            return it

        def of_hidden(it: Hidden) -> object:
            return it

        class Hidden:
            pass

        return [handed(of_outer_local, Local), handed(of_hidden, Hidden)]

    class Hidden:
        pass

    assert handed(of_local, Local) == "payload"
    assert handed(of_local_ctx, Local) == "ctx"
    assert handed(Within().method, Local) == "payload"
    assert around() == ["payload", "payload"]
    assert Hidden.__name__ == "Hidden", "the outer one, which the inner one hides"
    assert "is Local, but the consumer is for Order" in refusal(of_local)
    assert "is Ctx[Local], but the consumer is for Order" in refusal(of_local_ctx)


def test_what_a_function_has_kept_of_those_around_it_is_known() -> None:
    def make() -> Callable[[Any], object]:
        @dataclass
        class Kept:
            number: int = 1

        def handler(it: Kept) -> object:
            return it, Kept, later

        bind_handler(handler, Kept, is_async=False)
        later = 5
        return handler

    handler = make()
    assert "is Kept, but the consumer is for Order" in refusal(handler)


def test_annotations_need_not_be_text() -> None:
    """As in modules without `from __future__ import annotations`."""

    def of_evaluated(it):  # type: ignore[no-untyped-def]
        return it

    for annotation, what in [
        (Ctx[Order], "ctx"),
        (Ctx["Order"], "ctx"),
        (Ctx["Gone"], "ctx"),
        ("Ctx[Order]", "ctx"),
        (Order, "payload"),
        ("Order", "payload"),
    ]:
        of_evaluated.__annotations__ = {"it": annotation}
        assert handed(of_evaluated) == what
    of_evaluated.__annotations__ = {"it": Ctx["Invoice"]}
    assert "is Ctx[Invoice], but the consumer is for Order" in refusal(of_evaluated)


def test_nothing_is_inspected_per_job(monkeypatch: pytest.MonkeyPatch) -> None:
    call, ctx = bound(of_order), sync_ctx(Order())

    def refuse(*args: object, **named: object) -> object:
        raise AssertionError("looked at again")

    monkeypatch.setattr(inspect, "signature", refuse)
    assert call(ctx) is ctx.payload


def test_a_failing_handler_s_error_comes_through() -> None:
    def handler(order: Order) -> None:
        raise KeyError("no such order")

    async def async_handler(order: Order) -> None:
        raise KeyError("no such order")

    with pytest.raises(KeyError):
        bound(handler)(sync_ctx(Order()))
    with pytest.raises(KeyError):
        asyncio.run(bind_handler(async_handler, Order, is_async=True)(async_ctx(Order())))
