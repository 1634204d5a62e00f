"""Which Python type the values of a kind of core schema have."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

_NATURAL: dict[str, type] = {
    "bool": bool,
    "int": int,
    "float": float,
    "complex": complex,
    "decimal": Decimal,
    "fraction": Fraction,
    "str": str,
    "bytes": bytes,
    "date": date,
    "time": time,
    "datetime": datetime,
    "timedelta": timedelta,
    "uuid": UUID,
}


def natural_type(kind: str) -> type | None:
    """None for kinds of many types."""
    return _NATURAL.get(kind)
