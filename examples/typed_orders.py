"""The tour: message types, handlers that get them back, and a conversation of three messages.

OrderCreated causes InvoiceDue and ParcelDue, which share a queue. `--orders N` sends more of them.
"""

import argparse
import os
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, Field

from omniq_typed import Bus, Ctx, Exponential, Reject, SafeInt, message

bus = Bus(os.environ.get("OMNIQ_URL", "embedded://"), source="shop")


# The name travels with the job, and never changes; the class may be renamed and moved.
@message("orders.created", version=1, queue="orders")
@dataclass
class OrderCreated:
    order_id: str
    customer: str
    amount: SafeInt


# A message is a dataclass or a Pydantic model. Both are checked when sent and when received.
@message("invoices.due", queue="back-office")
class InvoiceDue(BaseModel):
    order_id: str
    amount: Annotated[SafeInt, Field(gt=0)]
    due_at: AwareDatetime


@message("parcels.due", queue="back-office")
class ParcelDue(BaseModel):
    order_id: str
    speed: Literal["normal", "express"] = "normal"


class Progress:
    """Sets `finished` when everything that was asked for is done. Handlers run in threads."""

    def __init__(self) -> None:
        self.finished = threading.Event()
        self._lock = threading.Lock()
        self._left = 0

    def expect(self, jobs: int) -> None:
        self._left = jobs

    def one_done(self) -> None:
        with self._lock:
            self._left -= 1
            if self._left == 0:
                self.finished.set()


progress = Progress()


@bus.consumer(OrderCreated, concurrency=4, retry=Exponential(first_ms=500, max_ms=60_000))
def on_created(ctx: Ctx[OrderCreated]) -> None:
    order = ctx.payload  # an OrderCreated, for the type checker and at run time
    if order.amount <= 0:
        # No further attempt could help: to the failed lane at once. Any other exception is retried.
        progress.one_done()
        raise Reject(f"{order.order_id} has the amount {order.amount}")
    in_two_weeks = datetime.now(UTC) + timedelta(days=14)
    ctx.exec.publish_json(
        InvoiceDue(order_id=order.order_id, amount=order.amount, due_at=in_two_weeks)
    )
    ctx.exec.publish_json(
        ParcelDue(order_id=order.order_id, speed="express" if order.amount > 1000 else "normal")
    )


# Two types on one queue: each job goes to the handler of its type.
@bus.consumer(InvoiceDue)
def on_invoice(ctx: Ctx[InvoiceDue]) -> None:
    days = (ctx.payload.due_at - datetime.now(UTC)).days + 1
    print(f"{ctx.payload.order_id}: invoice over {ctx.payload.amount}, due in {days} days")
    progress.one_done()


@bus.consumer(ParcelDue)
def on_parcel(ctx: Ctx[ParcelDue]) -> None:
    # What a handler publishes carries along where it comes from.
    print(f"{ctx.payload.order_id}: {ctx.payload.speed} parcel, caused by {ctx.causation_id}")
    progress.one_done()


def main() -> None:
    parser = argparse.ArgumentParser(description="Send orders through a typed bus.")
    parser.add_argument("--orders", type=int, default=3, metavar="N")
    orders: int = parser.parse_args().orders
    progress.expect(2 * orders + 1)
    with bus:
        for number in range(1, orders + 1):
            order = OrderCreated(f"ORD-{number}", customer=f"C{number % 3}", amount=600 * number)
            # One order of a customer at a time, in order, whatever happens to it.
            bus.publish_json(order, gid=f"customer:{order.customer}", ordering="strict")
        bus.publish_json(OrderCreated("ORD-X", "C9", amount=0))
        bus.run(stop=progress.finished)


if __name__ == "__main__":
    main()
