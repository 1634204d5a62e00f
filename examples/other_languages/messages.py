"""What a shop in Python and a warehouse in TypeScript say to each other."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, Field

from omniq_typed import SafeInt, message


@dataclass
class Address:
    name: str
    street: str
    postcode: str
    country: Annotated[str, Field(pattern="^[A-Z]{2}$")]


@message("parcels.ordered", version=1, queue="warehouse")
class ParcelOrdered(BaseModel):
    """To the warehouse: pack this."""

    order_id: Annotated[str, Field(min_length=1)]
    weight_grams: Annotated[SafeInt, Field(gt=0)]
    value: Annotated[Decimal, Field(ge=0, decimal_places=2)]
    ship_to: Address
    speed: Literal["normal", "express"] = "normal"
    gift_note: str | None = None
    ordered_at: AwareDatetime


@message("parcels.packed", version=1, queue="shop")
class ParcelPacked(BaseModel):
    """From the warehouse: it is packed."""

    order_id: Annotated[str, Field(min_length=1)]
    tracking_code: Annotated[str, Field(pattern="^[A-Z]{2}[0-9]{8}$")]
    box: Literal["S", "M", "L"]
    insured: bool
    packed_at: AwareDatetime
