"""A shop whose warehouse is a program in TypeScript: `python -m examples.other_languages.shop`.

Sends parcels to be packed, and waits until the warehouse has told of each. README.md beside this
file says how to start the warehouse.
"""

from __future__ import annotations

import argparse
import os
import threading
import uuid
from datetime import UTC, datetime
from decimal import Decimal

from examples.other_languages.messages import Address, ParcelOrdered, ParcelPacked
from omniq_typed import Bus, Ctx

bus = Bus(os.environ.get("OMNIQ_URL", "redis://localhost:6379/0"), source="shop")
all_packed = threading.Event()
waiting_for: set[str] = set()

ADA = Address(name="Ada Lovelace", street="12 St James's Square", postcode="SW1Y", country="GB")


@bus.consumer(ParcelPacked)
def on_packed(ctx: Ctx[ParcelPacked]) -> None:
    parcel = ctx.payload
    insured = ", insured" if parcel.insured else ""
    print(f"{parcel.order_id}: box {parcel.box}{insured}, {parcel.tracking_code}")
    waiting_for.discard(parcel.order_id)
    if not waiting_for:
        all_packed.set()


def order(number: int, run: str) -> ParcelOrdered:
    """One of a run's parcels; each is worth more than the one before."""
    return ParcelOrdered(
        order_id=f"ORD-{run}-{number}",
        weight_grams=350 * (1 + number % 50),
        value=Decimal("19.90") * number,
        ship_to=ADA,
        speed="express" if number % 4 == 0 else "normal",
        gift_note="Happy birthday! ✨" if number % 3 == 0 else None,
        ordered_at=datetime.now(UTC),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Have parcels packed by a warehouse elsewhere.")
    parser.add_argument("--orders", type=int, default=10, metavar="N")
    count: int = parser.parse_args().orders
    run = uuid.uuid4().hex[:6]
    orders = [order(number, run) for number in range(1, count + 1)]
    waiting_for.update(each.order_id for each in orders)
    with bus:
        bus.publish_many(orders)
        print(f"{count} parcels ordered; waiting for the warehouse (Ctrl-C ends)", flush=True)
        if orders:
            bus.run(stop=all_packed)


if __name__ == "__main__":
    main()
