"""The order as Pydantic models, for the queues whose handlers take one."""

from __future__ import annotations

from pydantic import BaseModel


class Item(BaseModel):
    sku: str
    count: int
    cents: int


class Order(BaseModel):
    order_id: str
    customer: str
    email: str
    currency: str
    cents: int
    express: bool
    items: list[Item]
    at_us: int
