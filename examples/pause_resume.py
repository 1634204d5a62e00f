"""A handler that keeps another queue waiting while it works.

Quotes must not be answered from half a price list: the import pauses their queue, loads, and
resumes it. A paused queue takes new jobs, but hands none out; those already running go on.
"""

import os
import threading
from dataclasses import dataclass

from omniq_typed import Bus, Ctx, SafeInt, message

bus = Bus(os.environ.get("OMNIQ_URL", "embedded://"))
done = threading.Event()
prices: dict[str, int] = {}

PRICE_LIST = {"book": 1990, "lamp": 4500, "desk": 24900}


@message("prices.import", queue="imports")
@dataclass
class ImportPrices:
    cents_by_product: dict[str, SafeInt]


@message("quotes.requested", queue="quotes")
@dataclass
class QuoteRequested:
    product: str
    last: bool = False


@bus.consumer(ImportPrices)
def import_prices(ctx: Ctx[ImportPrices]) -> None:
    ctx.exec.pause(queue="quotes")
    # `finally`, since a paused queue stays paused until somebody resumes it. Should the whole
    # process die in here, the job's next attempt pauses again and resumes at its end.
    try:
        for number, (product, cents) in enumerate(ctx.payload.cents_by_product.items(), 1):
            prices[product] = cents
            last = number == len(ctx.payload.cents_by_product)
            ctx.exec.publish_json(QuoteRequested(product, last))
            print(f"loaded {product}; quotes paused: {ctx.exec.is_paused(queue='quotes')}")
    finally:
        ctx.exec.resume(queue="quotes")
    print("import finished, quotes resumed")


@bus.consumer(QuoteRequested)
def answer_quote(ctx: Ctx[QuoteRequested]) -> None:
    product = ctx.payload.product
    print(f"quote: {product} costs {prices[product]} cents, of {len(prices)} prices known")
    if ctx.payload.last:
        done.set()


def main() -> None:
    with bus:
        bus.publish_json(ImportPrices(PRICE_LIST))
        bus.run(stop=done)


if __name__ == "__main__":
    main()
