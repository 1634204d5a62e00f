"""Raw consumers and the registry of schemas used rightly. Never run: both type checkers have to
accept all of it (test_types.py)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, assert_type

from omniq_typed import AsyncBus, AsyncCtx, Bus, Ctx, LeaveForOthers, Never, Provide, message
from omniq_typed.core.schema_records import SchemaEntry
from omniq_typed.errors import IncompatibleSchema
from omniq_typed.registration import Register
from omniq_typed.schema.versions import TypeHistory
from omniq_typed.schema_registry import AsyncSchemaStore, Pushed, SchemaStore


@message("typing.order")
@dataclass
class Order:
    id: str


bus = Bus("embedded://", register="check")
async_bus = AsyncBus("embedded://", register="off")
strict: Register = "strict"
embedded = Bus.embedded(register=strict)


class Session: ...


def get_session() -> Iterator[Session]:
    yield Session()


@bus.raw_consumer("orders.created", queue="orders")
def on_order(ctx: Ctx[dict[str, Any]]) -> None:
    assert_type(ctx.payload, dict[str, Any])


@bus.raw_consumer(
    "orders.created", queue="more", concurrency=2, retry=Never(), on_invalid=LeaveForOthers()
)
def on_dict(order: dict[str, Any], session: Annotated[Session, Provide(get_session)]) -> int:
    return len(order)


@async_bus.raw_consumer("orders.created", queue="orders")
async def on_order_async(ctx: AsyncCtx[dict[str, Any]]) -> None:
    assert_type(ctx.payload, dict[str, Any])


@async_bus.raw_consumer("orders.created", queue="more")
async def on_dict_async(order: dict[str, Any]) -> None: ...


def check_handlers_stay_what_they_were(session: Session) -> None:
    assert_type(on_dict({}, session), int)


def look(store: SchemaStore) -> None:
    assert_type(store.list(), tuple[SchemaEntry, ...])
    histories = store.histories(["orders.created"])
    assert_type(histories, dict[str, TypeHistory])
    try:
        assert_type(store.push(histories, force=True), Pushed)
    except IncompatibleSchema as error:
        assert_type(error.version, int)
        assert_type(error.breaks[0].new_version, int)
    assert_type(store.forget("orders.created", [1]), int)
    assert_type(bus.register_schemas(), tuple[str, ...])


async def look_async() -> None:
    store = AsyncSchemaStore(async_bus.transport)
    assert_type(await store.histories(), dict[str, TypeHistory])
    assert_type(await store.forget("orders.created"), int)
    assert_type(await async_bus.register_schemas(), tuple[str, ...])


look(SchemaStore(bus.transport))
