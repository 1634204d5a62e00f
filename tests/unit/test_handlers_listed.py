"""`bus.handlers()`: what a bus consumes, for people and programs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from omniq_typed import AsyncBus, Bus, HandlerInfo, Registry, message

REGISTRY = Registry(strict_types=False)


@message("test.paid", version=2, queue="orders", registry=REGISTRY)
@dataclass
class Paid:
    """A message."""

    number: int


def on_paid(paid: Paid) -> None: ...


def on_any(ctx: Any) -> None: ...


def test_each_handler_is_named_with_what_it_takes() -> None:
    bus = Bus("memory://", registry=REGISTRY)
    bus.raw_consumer("test.refunded", queue="refunds")(on_any)
    bus.consumer(Paid, concurrency=4)(on_paid)
    assert bus.handlers() == [
        HandlerInfo("orders", "test.paid v2", f"{__name__}.on_paid", 4),
        HandlerInfo("refunds", "test.refunded", f"{__name__}.on_any", 1),
    ]


def test_a_bus_without_consumers_has_none() -> None:
    assert AsyncBus("memory://", registry=REGISTRY).handlers() == []
