"""What it costs to check a message type against its earlier versions.

A version of an order with 20 fields and parts of its own is compared with each of the versions
before it, and large and recursive schemas with themselves; nothing is remembered from one round to
the next. The time is the processor's, since others may use the machine.
`python -m benchmarks.schema_check_cost`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AnyUrl, AwareDatetime, BaseModel, Field, create_model

from benchmarks.measuring import Spread, markdown, say, write_json
from omniq_typed import MessageType, Registry, SafeInt, message_type, upcast
from omniq_typed.models import Compatibility
from omniq_typed.schema.compatibility.check import check
from omniq_typed.schema.compatibility.compare import compare
from omniq_typed.schema.proving import implications, proof
from omniq_typed.schema.proving.proof import Proof, covers
from omniq_typed.schema.versions import TypeHistory, version_of

registry = Registry(strict_types=False)


class State(Enum):
    """In an order."""

    PLACED = "placed"
    PAID = "paid"
    SENT = "sent"


class Address(BaseModel):
    """In an order."""

    street: str
    city: str
    zip: Annotated[str, Field(pattern="^[0-9]{5}$")]
    country: Annotated[str, Field(min_length=2, max_length=2)] = "DE"


class Line(BaseModel):
    """In an order."""

    sku: Annotated[str, Field(pattern="^[A-Z]{3}-[0-9]{4}$")]
    quantity: Annotated[SafeInt, Field(ge=1)]
    price: Annotated[Decimal, Field(max_digits=10, decimal_places=2)]


class Card(BaseModel):
    """A way to pay."""

    kind: Literal["card"]
    last_digits: str


class Transfer(BaseModel):
    """A way to pay."""

    kind: Literal["transfer"]
    iban: str


class Order(BaseModel):
    """20 fields, as messages have them."""

    id: UUID
    number: SafeInt
    state: State
    placed_at: AwareDatetime
    sent_at: AwareDatetime | None = None
    customer_id: UUID
    email: str
    language: Literal["de", "en"] = "de"
    bill_to: Address
    send_to: Address | None = None
    lines: list[Line]
    paid_by: Annotated[Card | Transfer, Field(discriminator="kind")]
    total: Annotated[Decimal, Field(max_digits=12, decimal_places=2)]
    currency: Annotated[str, Field(min_length=3, max_length=3)]
    rate: float = 1.0
    labels: dict[str, str] = {}
    notes: set[str] = set()
    gift: bool = False
    link: AnyUrl | None = None
    source: str = "shop"


def orders(versions: int) -> list[MessageType[Any]]:
    """Each version has one optional field more than the one before."""
    found = []
    more: dict[str, Any] = {}
    for version in range(1, versions + 1):
        more[f"more_{version}"] = (str | None, None)
        declared = create_model("Order", __base__=Order, **more)
        made = message_type(declared, name="bench.order", version=version, registry=registry)
        found.append(made)
    return found


def views(declared: Any) -> tuple[Any, Any]:
    """Of a type's readers, and of its writers."""
    found = version_of(MessageType("bench.large", 1, declared))
    return found.reader, found.writer


def broken_order() -> Any:
    """Readers of this one refuse what orders have been."""
    more: dict[str, Any] = {"branch": (str, ...), "number": (str, ...)}
    return create_model("Order", __base__=Order, **more)


def choices(count: int, inner: Any) -> Any:
    """A union of so many."""
    members = [
        create_model(f"Choice{at}", kind=_only(f"choice {at}"), value=(inner, ...))
        for at in range(count)
    ]
    union = members[0]
    for each in members[1:]:
        union = union | each  # type: ignore[assignment]
    return Annotated[union, Field(discriminator="kind")]


def _only(value: str) -> Any:
    return Literal[value], ...


class Tree(BaseModel):
    """Holds others of its kind."""

    value: int | str
    inner: list[Tree] = []


def large() -> dict[str, tuple[Any, Any]]:
    """Readers and writers that a proof could be lost in."""
    fields: dict[str, Any] = {f"field_{at}": (int | str | None, None) for at in range(200)}
    return {
        "200 fields": views(create_model("Wide", **fields)),
        "a union of 40 types": views(create_model("Holder", value=(choices(40, int), ...))),
        "30 types, each with a union of 30": views(
            create_model("Holder", value=(choices(30, choices(30, int)), ...))
        ),
        "a recursive type": views(Tree),
    }


def forget() -> None:
    """What earlier rounds have found out."""
    for cached in (proof._by_library, proof._canonical, implications._follows):
        cached.cache_clear()


def measured(call: Callable[[], object], rounds: int) -> Spread:
    """Milliseconds of processor time."""
    times = []
    for _ in range(rounds):
        forget()
        started = time.process_time()
        call()
        times.append((time.process_time() - started) * 1e3)
    return Spread.of(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--versions", type=int, default=6, help="of the order")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures for programs")
    options = parser.parse_args()
    types = orders(options.versions)
    newest = types[-1]
    recorded = {each.version: version_of(each) for each in types[:-1]}
    history = TypeHistory("bench.order", Compatibility.FULL_TRANSITIVE, recorded)
    histories = {"bench.order": history}
    reader, writer = version_of(newest).reader, recorded[1].writer
    broken = version_of(MessageType("bench.order", 99, broken_order())).reader
    assert check([newest], registry, histories, mode=Compatibility.FULL_TRANSITIVE).ok
    assert len(compare(broken, writer)) == 2

    def checked(mode: Compatibility) -> Callable[[], object]:
        return lambda: check([newest], registry, histories, mode=mode)

    pairs = len(recorded)
    figures: dict[str, tuple[Spread, int]] = {}

    def take(name: str, call: Callable[[], object], versions: int = 1) -> None:
        say(f"{name} ...")
        figures[name] = (measured(call, options.rounds), versions)

    # Those of a type are made once.
    take("the two schemas of a version", lambda: version_of(replace(newest)))
    take("a proof that it is compatible", lambda: covers(reader, writer))
    take("two breaks, explained with payloads", lambda: compare(broken, writer))
    back, full = Compatibility.BACKWARD_TRANSITIVE, Compatibility.FULL_TRANSITIVE
    take(f"check, {back}, {pairs} versions", checked(back), pairs)
    take(f"check, {full}, {pairs} versions", checked(full), pairs)
    for version in range(1, options.versions):
        upcast(newest, from_version=version, registry=registry)(lambda order: order)
    take("the same, upcasts tried out", checked(full), pairs)
    for name, (its_reader, its_writer) in large().items():
        assert covers(its_reader, its_writer, limit_s=60) is Proof.YES
        take(f"a proof of {name}", lambda: covers(its_reader, its_writer, limit_s=60))  # noqa: B023

    rows = [
        [name, str(spread), f"{spread.median / versions:.1f}"]
        for name, (spread, versions) in figures.items()
    ]
    print(markdown(["ms, median (quartiles)", "in all", "per version"], rows))
    if options.json:
        write_json(options.json, {name: asdict(spread) for name, (spread, _) in figures.items()})


if __name__ == "__main__":
    main()
