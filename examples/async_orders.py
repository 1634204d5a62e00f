"""The same with asyncio: handlers are coroutines, and `concurrency` of them run at once."""

import asyncio
import os
import threading
from dataclasses import dataclass

from omniq_typed import AsyncBus, AsyncCtx, SafeInt, message

bus = AsyncBus(os.environ.get("OMNIQ_URL", "embedded://"))
# `run` takes a threading event, since whoever stops it may well be in another thread.
done = threading.Event()

ORDERS = 8
waiting_for_stock = 0
most_waiting = 0
shipped: list[str] = []


@message("orders.placed", queue="orders")
@dataclass
class OrderPlaced:
    order_id: str
    items: list[str]


@message("orders.shipped", queue="parcels")
@dataclass
class OrderShipped:
    order_id: str
    parcels: SafeInt


@bus.consumer(OrderPlaced, concurrency=4)
async def on_placed(ctx: AsyncCtx[OrderPlaced]) -> None:
    order = ctx.payload
    await asyncio.gather(*(fetch_from_stock(item) for item in order.items))
    await ctx.exec.publish_json(OrderShipped(order.order_id, parcels=1))


@bus.consumer(OrderShipped)
async def on_shipped(ctx: AsyncCtx[OrderShipped]) -> None:
    shipped.append(ctx.payload.order_id)
    print(f"{ctx.payload.order_id} shipped ({len(shipped)} of {ORDERS})")
    if len(shipped) == ORDERS:
        done.set()


async def fetch_from_stock(item: str) -> None:
    """Waits, as for a call to another service; the other handlers go on meanwhile."""
    global waiting_for_stock, most_waiting
    waiting_for_stock += 1
    most_waiting = max(most_waiting, waiting_for_stock)
    await asyncio.sleep(0.02)
    waiting_for_stock -= 1


async def main() -> None:
    async with bus:
        for number in range(1, ORDERS + 1):
            await bus.publish_json(OrderPlaced(f"ORD-{number}", items=["book", "lamp"]))
        await bus.run(stop=done)
    print(f"up to {most_waiting} items were awaited at once")


if __name__ == "__main__":
    asyncio.run(main())
