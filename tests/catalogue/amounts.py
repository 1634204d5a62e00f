"""Numbers: money, measures, counts, and the extremes that JSON carries."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, NewType

from pydantic import BaseModel, Field, FiniteFloat

from omniq_typed import SafeInt
from tests.catalogue.kinds import both, kind

QUEUE = "catalogue-amounts"

Amount = Annotated[Decimal, Field(max_digits=12, decimal_places=2)]
Rate = Annotated[Decimal, Field(gt=0, lt=1_000_000)]
Percent = Annotated[int, Field(ge=0, le=100)]
Dozens = Annotated[int, Field(gt=0, le=1200, multiple_of=12)]
Celsius = Annotated[FiniteFloat, Field(ge=-273.15, lt=1e6)]
CustomerNumber = NewType("CustomerNumber", int)
KnownCustomer = Annotated[CustomerNumber, Field(ge=1, le=999_999_999)]


class MoneyModel(BaseModel):
    amount: Amount
    currency: str = "EUR"


@dataclass
class MoneyDataclass:
    amount: Amount
    currency: str = "EUR"


MONEY = kind(
    "money",
    "Decimal money",
    "Amount = Annotated[Decimal, Field(max_digits=12, decimal_places=2)]",
    *both(
        MoneyModel,
        MoneyDataclass,
        [
            {"amount": Decimal("1299.90")},
            {"amount": Decimal("0.00"), "currency": "¥"},
            {"amount": Decimal("-9999999999.99"), "currency": "JPY"},
            {"amount": Decimal("7"), "currency": ""},
        ],
    ),
    queue=QUEUE,
)


class ExchangeModel(BaseModel):
    pair: str
    rate: Rate


@dataclass
class ExchangeDataclass:
    pair: str
    rate: Rate


EXCHANGE = kind(
    "exchange",
    "Decimal of any precision",
    "Rate = Annotated[Decimal, Field(gt=0, lt=1_000_000)]",
    *both(
        ExchangeModel,
        ExchangeDataclass,
        [
            {"pair": "EUR/NOK", "rate": Decimal("11.2345")},
            {"pair": "BTC/ETH", "rate": Decimal("0.1234567890123456789012345678901234567890")},
            {"pair": "VND/EUR", "rate": Decimal("3.5E-5")},
        ],
    ),
    queue=QUEUE,
)


class StockModel(BaseModel):
    sku: str
    fill: Percent
    eggs: Dozens = 12


@dataclass
class StockDataclass:
    sku: str
    fill: Percent
    eggs: Dozens = 12


STOCK = kind(
    "stock",
    "Constrained integers",
    "Dozens = Annotated[int, Field(gt=0, le=1200, multiple_of=12)]",
    *both(
        StockModel,
        StockDataclass,
        [
            {"sku": "EGG-L", "fill": 80, "eggs": 144},
            {"sku": "EGG-M", "fill": 0},
            {"sku": "EGG-S", "fill": 100, "eggs": 1200},
        ],
    ),
    queue=QUEUE,
)


class MeasurementModel(BaseModel):
    sensor: str
    celsius: Celsius
    ratio: FiniteFloat


@dataclass
class MeasurementDataclass:
    sensor: str
    celsius: Celsius
    ratio: FiniteFloat


MEASUREMENT = kind(
    "measurement",
    "Floats, finite and bounded",
    "Celsius = Annotated[FiniteFloat, Field(ge=-273.15, lt=1e6)]",
    *both(
        MeasurementModel,
        MeasurementDataclass,
        [
            {"sensor": "roof", "celsius": -12.5, "ratio": 0.1 + 0.2},
            {"sensor": "lab", "celsius": -273.15, "ratio": 5e-324},
            {"sensor": "sun", "celsius": 999_999.999, "ratio": 1.7976931348623157e308},
            {"sensor": "ice", "celsius": 0.0, "ratio": -1e-7},
        ],
    ),
    queue=QUEUE,
)


class CounterModel(BaseModel):
    reads: SafeInt
    delta: SafeInt


@dataclass
class CounterDataclass:
    reads: SafeInt
    delta: SafeInt


COUNTER = kind(
    "counter",
    "Integers that every language holds",
    "reads: SafeInt",
    *both(
        CounterModel,
        CounterDataclass,
        [
            {"reads": 1_048_576, "delta": -3},
            {"reads": 2**53 - 1, "delta": -(2**53 - 1)},
            {"reads": 0, "delta": 0},
        ],
    ),
    queue=QUEUE,
)


class InvoicedModel(BaseModel):
    customer: KnownCustomer


@dataclass
class InvoicedDataclass:
    customer: KnownCustomer


NEW_TYPE = kind(
    "new_type",
    "NewType",
    'CustomerNumber = NewType("CustomerNumber", int)',
    *both(
        InvoicedModel,
        InvoicedDataclass,
        [
            {"customer": CustomerNumber(4711)},
            {"customer": CustomerNumber(1)},
            {"customer": CustomerNumber(999_999_999)},
        ],
    ),
    queue=QUEUE,
)


class BigModel(BaseModel):
    factors: list[int]


@dataclass
class BigDataclass:
    factors: list[int]


BIG = kind(
    "big_integer",
    "Integers without bounds (Python reads them; JavaScript rounds them)",
    "factors: list[int]",
    *both(
        BigModel,
        BigDataclass,
        [{"factors": [2**127 - 1, 3]}, {"factors": []}, {"factors": [-(10**300)]}],
    ),
    queue=QUEUE,
    portable=False,
)


class AnyFloatModel(BaseModel):
    weights: list[float]


@dataclass
class AnyFloatDataclass:
    weights: list[float]


ANY_FLOAT = kind(
    "any_float",
    "Floats that may be NaN (refused when published: JSON has none)",
    "weights: list[float]",
    *both(
        AnyFloatModel,
        AnyFloatDataclass,
        [{"weights": [0.5, -2.0]}, {"weights": []}, {"weights": [1e22, -1.5e-300]}],
    ),
    queue=QUEUE,
    portable=False,
)

KINDS = (MONEY, EXCHANGE, STOCK, MEASUREMENT, COUNTER, NEW_TYPE, BIG, ANY_FLOAT)
