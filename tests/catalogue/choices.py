"""One of several: enums, literals, flags, what may be missing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum, StrEnum
from typing import Literal

from pydantic import BaseModel

from tests.catalogue.kinds import both, kind

QUEUE = "catalogue-choices"


class Status(StrEnum):
    NEW = "new"
    PAID = "paid"
    SHIPPED = "shipped"


class Colour(Enum):
    RED = "röd"
    BLACK = "svart"


class Priority(IntEnum):
    LOW = 1
    HIGH = 10


class StatusModel(BaseModel):
    status: Status
    colour: Colour = Colour.BLACK


@dataclass
class StatusDataclass:
    status: Status
    colour: Colour = Colour.BLACK


STR_ENUM = kind(
    "str_enum",
    "Enum of strings",
    ("class Status(StrEnum):", "status: Status"),
    *both(
        StatusModel,
        StatusDataclass,
        [
            {"status": Status.PAID, "colour": Colour.RED},
            {"status": Status.NEW},
            {"status": Status.SHIPPED, "colour": Colour.BLACK},
        ],
    ),
    queue=QUEUE,
)


class PriorityModel(BaseModel):
    priority: Priority


@dataclass
class PriorityDataclass:
    priority: Priority


INT_ENUM = kind(
    "int_enum",
    "Enum of integers",
    ("class Priority(IntEnum):", "priority: Priority"),
    *both(
        PriorityModel,
        PriorityDataclass,
        [{"priority": Priority.HIGH}, {"priority": Priority.LOW}, {"priority": Priority(10)}],
    ),
    queue=QUEUE,
)


class ReviewModel(BaseModel):
    verdict: Literal["approve", "reject"]
    round: Literal[1, 2, 3] = 1


@dataclass
class ReviewDataclass:
    verdict: Literal["approve", "reject"]
    round: Literal[1, 2, 3] = 1


LITERAL = kind(
    "literal",
    "Literals",
    'verdict: Literal["approve", "reject"]',
    *both(
        ReviewModel,
        ReviewDataclass,
        [
            {"verdict": "approve", "round": 2},
            {"verdict": "reject"},
            {"verdict": "approve", "round": 3},
        ],
    ),
    queue=QUEUE,
)


class ConsentModel(BaseModel):
    newsletter: bool
    tracking: bool = False


@dataclass
class ConsentDataclass:
    newsletter: bool
    tracking: bool = False


FLAGS = kind(
    "flags",
    "Booleans",
    "newsletter: bool",
    *both(
        ConsentModel,
        ConsentDataclass,
        [
            {"newsletter": True},
            {"newsletter": False, "tracking": True},
            {"newsletter": True, "tracking": True},
        ],
    ),
    queue=QUEUE,
)


class ProfileModel(BaseModel):
    nickname: str | None
    """Must be there, and may be null."""
    birth_year: Literal[1999, 2000] | None = None
    """May be left out."""


@dataclass
class ProfileDataclass:
    nickname: str | None
    birth_year: Literal[1999, 2000] | None = None


OPTIONAL = kind(
    "optional",
    "Optional, required and with a default",
    ("nickname: str | None", "birth_year: Literal[1999, 2000] | None = None"),
    *both(
        ProfileModel,
        ProfileDataclass,
        [
            {"nickname": "Ada ☕", "birth_year": 1999},
            {"nickname": None},
            {"nickname": "", "birth_year": 2000},
        ],
    ),
    queue=QUEUE,
)

KINDS = (STR_ENUM, INT_ENUM, LITERAL, FLAGS, OPTIONAL)
