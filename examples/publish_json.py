"""Publishes a dataclass as JSON with the untyped client.

Its values are checked against its own annotations before anything is sent. The job carries no type
name: whoever consumes the queue gets a plain dict. typed_orders.py shows the other way, where the
consumer gets the class back.
"""

import os
from dataclasses import dataclass, field
from decimal import Decimal

from omniq_typed import OmniqClient
from omniq_typed.errors import InvalidPayload

URL = os.environ.get("OMNIQ_URL", "redis://localhost:6379/0")


@dataclass
class Customer:
    customer_id: str
    name: str
    email: str | None = None


@dataclass
class Line:
    sku: str
    quantity: int
    price: Decimal


@dataclass
class OrderCreated:
    order_id: str
    customer: Customer
    lines: list[Line]
    tags: list[str] = field(default_factory=list)
    coupon: str | None = None


def main() -> None:
    order = OrderCreated(
        order_id="ORD-1",
        customer=Customer("9", "Ada"),
        lines=[Line("book", 2, Decimal("19.90")), Line("lamp", 1, Decimal("45"))],
        tags=["gift"],
    )
    with OmniqClient(url=URL) as client:
        print("published", client.publish_json(queue="orders", payload=order))

        # A dataclass believes whatever it is given; the publisher does not.
        order.lines[1].quantity = "one"  # type: ignore[assignment]
        try:
            client.publish_json(queue="orders", payload=order)
        except InvalidPayload as error:
            for fault in error.faults:
                print(f"not published: {fault.path}: {fault.message}")


if __name__ == "__main__":
    main()
