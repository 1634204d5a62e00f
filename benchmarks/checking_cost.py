"""What checking costs: encoding and decoding messages, against the bare calls of Pydantic.

`encode` checks an instance and writes it; bare: `TypeAdapter.dump_json`, and `dump_json` and
`validate_json`, which is what checking would come to without a look of our own. `decode` checks
what came; bare: `TypeAdapter.validate_json`. The variants alternate in one run, so that their
ratios hold on a noisy machine. `python -m benchmarks.checking_cost`, or with the others
`make bench`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pydantic import AwareDatetime, BaseModel, TypeAdapter

from benchmarks.measuring import Spread, brief, markdown, say, write_json
from omniq_typed import Registry, SafeInt, message, upcast
from omniq_typed.messages.codec import decode, encode
from omniq_typed.messages.message_type import MessageType
from omniq_typed.messages.upcast import apply_upcasts

registry = Registry(strict_types=True)


class Customer(BaseModel):
    """In an order."""

    id: SafeInt
    name: str
    email: str


class Line(BaseModel):
    """In an order."""

    sku: str
    quantity: SafeInt
    price_cents: SafeInt


@message("bench.order", version=2, registry=registry)
class Order(BaseModel):
    """A realistic message: about 350 bytes."""

    order_id: str
    placed_at: AwareDatetime
    customer: Customer
    lines: list[Line]
    note: str | None = None


@message("bench.flat", registry=registry)
class Flat(BaseModel):
    """Without parts: about 350 bytes too."""

    order_id: str
    customer: str
    amount: SafeInt
    note: str


@dataclass
class PlainLine:
    """In an order."""

    sku: str
    quantity: SafeInt
    price_cents: SafeInt


@message("bench.plain", registry=registry)
@dataclass
class Plain:
    """The same as a dataclass."""

    order_id: str
    placed_at: AwareDatetime
    email: str
    lines: list[PlainLine] = field(default_factory=list)
    note: str | None = None


@upcast(Order, from_version=1, registry=registry)
def add_note(order: dict[str, Any]) -> dict[str, Any]:
    """As an older producer wrote it."""
    order["note"] = order.pop("remark", None)
    return order


def samples() -> list[Any]:
    """One instance of each type."""
    at = TypeAdapter(AwareDatetime).validate_python("2026-11-24T12:34:56.789Z")
    lines = [("SKU-000123", 2, 1999), ("SKU-004567", 1, 12900), ("SKU-000089", 10, 99)]
    note = "Leave it with the neighbour on the left, please."
    return [
        Order(
            order_id="ORD-0000012345",
            placed_at=at,
            customer=Customer(id=9973, name="Ada Lovelace", email="ada@example.com"),
            lines=[Line(sku=s, quantity=q, price_cents=p) for s, q, p in lines],
            note=note,
        ),
        Flat(order_id="ORD-0000012345", customer="customer-009973", amount=150000, note=note * 5),
        Plain(
            "ORD-0000012345", at, "ada@example.com", [PlainLine(*each) for each in lines], note * 2
        ),
    ]


def measure(call: Callable[[], object], loops: int) -> float:
    """Microseconds of processor time of one call: another program that runs does not count."""
    started = time.thread_time_ns()
    for _ in range(loops):
        call()
    return (time.thread_time_ns() - started) / loops / 1e3


def variants(message_type: MessageType[Any], value: Any) -> dict[str, Callable[[], object]]:
    """What is compared, by name."""
    adapter = message_type.adapter
    payload = encode(message_type, value)

    def dump_and_read() -> object:
        return adapter.validate_json(adapter.dump_json(value, by_alias=True), strict=True)

    return {
        "encode": lambda: encode(message_type, value),
        "dump_json": lambda: adapter.dump_json(value, by_alias=True),
        "dump_json + validate_json": dump_and_read,
        "decode": lambda: decode(message_type, payload),
        "validate_json": lambda: adapter.validate_json(payload, strict=True),
    }


def compare(value: Any, rounds: int, loops: int) -> dict[str, Any]:
    """Medians in µs over alternating rounds, and ratios within each round."""
    message_type = registry.of_value(value)
    calls = variants(message_type, value)
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            times[name].append(measure(call, loops))

    def ratio(one: str, other: str) -> Spread:
        pairs = zip(times[one], times[other], strict=True)
        return Spread.of([mine / bare for mine, bare in pairs])

    return {
        "type": type(value).__name__,
        "bytes": len(encode(message_type, value)),
        "us": {name: Spread.of(each) for name, each in times.items()},
        "encode / (dump_json + validate_json)": ratio("encode", "dump_json + validate_json"),
        "encode / dump_json": ratio("encode", "dump_json"),
        "decode / validate_json": ratio("decode", "validate_json"),
    }


def upcasting(value: Order, rounds: int, loops: int) -> dict[str, Spread]:
    """What one step from an older version adds to a delivery, in µs."""
    message_type = registry.of_type(Order)
    payload = encode(message_type, value)
    steps = registry.steps("bench.order", 1, 2)
    assert steps is not None
    bare: list[float] = []
    full: list[float] = []
    for _ in range(rounds):
        bare.append(measure(lambda: decode(message_type, payload), loops))
        full.append(measure(lambda: decode(message_type, apply_upcasts(payload, steps)), loops))
    return {"decode": Spread.of(bare), "upcast + decode": Spread.of(full)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=301)
    parser.add_argument("--loops", type=int, default=100, help="calls per round and variant")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures for programs")
    options = parser.parse_args()
    results = []
    for value in samples():
        say(f"{type(value).__name__} ...")
        results.append(compare(value, options.rounds, options.loops))
    first: Any = samples()[0]
    step = upcasting(first, options.rounds, options.loops)

    rows = []
    for result in results:
        us = result["us"]
        rows.append(
            [
                f"{result['type']}, {result['bytes']} bytes",
                str(us["encode"]),
                brief(us["dump_json + validate_json"].median),
                f"×{result['encode / (dump_json + validate_json)'].median:.2f}",
                f"×{result['encode / dump_json'].median:.2f}",
                str(us["decode"]),
                brief(us["validate_json"].median),
                f"×{result['decode / validate_json'].median:.2f}",
            ]
        )
    header = [
        "µs, median (quartiles)",
        "encode",
        "dump + validate",
        "ratio",
        "to dump alone",
        "decode",
        "validate",
        "ratio",
    ]
    print(markdown(header, rows))
    print(
        f"\nOne upcast adds {step['upcast + decode'].median - step['decode'].median:.1f} µs to the"
        f" decoding of an Order ({step['decode']} → {step['upcast + decode']})."
    )
    result = {
        "types": results,
        "upcast": {name: asdict(spread) for name, spread in step.items()},
    }
    write_json(options.json, result)


if __name__ == "__main__":
    main()
