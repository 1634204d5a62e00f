"""A small application as tests find it: buses at module level, whose server nobody can reach, their
handlers, and functions that publish through them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel
from typing_extensions import TypedDict

from omniq_typed import (
    AsyncBus,
    AsyncCtx,
    Bus,
    Ctx,
    Fixed,
    OmniqClient,
    Provide,
    Registry,
    Reject,
    Retry,
    SafeInt,
    message,
    message_type,
    upcast,
)

NOWHERE = "redis://127.0.0.1:1/0"
REGISTRY = Registry(strict_types=False)

bus = Bus(NOWHERE, registry=REGISTRY, source="shop")
async_bus = AsyncBus(NOWHERE, registry=REGISTRY, source="shop")
client = OmniqClient(url=NOWHERE)


@message("shop.ordered", queue="orders", backoff_ms=5_000, registry=REGISTRY)
@dataclass
class Ordered:
    order_id: str
    amount: SafeInt
    fail: str = ""
    """How the handler is to fail: '' not, or 'once', 'always', 'reject', 'later', 'assert'."""


@message("shop.invoice", version=2, queue="invoices", registry=REGISTRY)
class Invoice(BaseModel):
    order_id: str
    currency: str = "EUR"


@upcast(Invoice, from_version=1, registry=REGISTRY)
def all_in_euros(old: dict[str, str]) -> dict[str, str]:
    return {**old, "currency": "EUR"}


class Line(TypedDict):
    sku: str


message_type(Line, name="shop.line", queue="lines", registry=REGISTRY)


class Ledger:
    """What the handlers remember."""

    def __init__(self) -> None:
        self.rows: list[str] = []
        self.closed = 0


def get_settings() -> str:
    raise AssertionError("the real settings are read")


def get_ledger(settings: Annotated[str, Provide(get_settings)]) -> Iterator[Ledger]:
    if settings:
        raise AssertionError("the real ledger is opened")
    yield Ledger()


def order(order_id: str, amount: int, fail: str = "") -> str:
    """Publishes through the bus of the module, as application code does."""
    return bus.publish_json(Ordered(order_id, amount, fail))


async def order_async(order_id: str, amount: int, fail: str = "") -> str:
    """The same through the async one."""
    return await async_bus.publish_json(Ordered(order_id, amount, fail))


def _end(ordered: Ordered, attempt: int) -> None:
    if ordered.fail == "always" or (ordered.fail == "once" and attempt == 1):
        raise RuntimeError(f"attempt {attempt}")
    if ordered.fail == "reject":
        raise Reject("not ours")
    if ordered.fail == "later" and attempt == 1:
        raise Retry(after=60)
    if ordered.fail == "assert":
        raise AssertionError("never")


@bus.consumer(Ordered)
def on_ordered(ctx: Ctx[Ordered]) -> None:
    _end(ctx.payload, ctx.attempt)
    ctx.exec.publish_json(Invoice(order_id=ctx.payload.order_id))


@bus.consumer(Invoice, retry=Fixed(1_000))
def on_invoice(invoice: Invoice, ledger: Annotated[Ledger, Provide(get_ledger)]) -> None:
    ledger.rows.append(invoice.order_id)


@async_bus.consumer(Ordered)
async def on_ordered_async(ctx: AsyncCtx[Ordered]) -> None:
    _end(ctx.payload, ctx.attempt)
    await ctx.exec.publish_json(Invoice(order_id=ctx.payload.order_id))


@async_bus.consumer(Invoice)
async def on_invoice_async(
    invoice: Invoice, ledger: Annotated[Ledger, Provide(get_ledger)]
) -> None:
    ledger.rows.append(invoice.order_id)
