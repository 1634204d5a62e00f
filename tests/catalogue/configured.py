"""Types whose configuration changes what is on the wire, or what Python may do with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, computed_field
from pydantic.alias_generators import to_camel
from pydantic.dataclasses import dataclass as pydantic_dataclass

from omniq_typed import SafeInt
from tests.catalogue.kinds import both, form, kind

QUEUE = "catalogue-configured"


class TransferModel(BaseModel):
    from_account: str = Field(alias="from")
    to_account: str = Field(alias="@to")


@dataclass
class TransferDataclass:
    from_account: Annotated[str, Field(alias="from")]
    to_account: Annotated[str, Field(alias="@to")]


ACCOUNTS = (("NO93 8601", "SE45 5000"), ("", "Ærø"), ("a", "b" * 300))

ALIAS = kind(
    "alias",
    "Aliases",
    'from_account: str = Field(alias="from")',
    form(
        "model",
        TransferModel,
        [TransferModel.model_validate({"from": a, "@to": b}) for a, b in ACCOUNTS],
    ),
    form("dataclass", TransferDataclass, [TransferDataclass(a, b) for a, b in ACCOUNTS]),
    queue=QUEUE,
)

CAMEL_CASE = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class CustomerModel(BaseModel):
    model_config = CAMEL_CASE
    first_name: str
    loyalty_points: SafeInt = 0


@dataclass
class CustomerDataclass:
    __pydantic_config__ = CAMEL_CASE
    first_name: str
    loyalty_points: SafeInt = 0


CAMEL = kind(
    "camel_case",
    "Aliases by a generator",
    "CAMEL_CASE = ConfigDict(alias_generator=to_camel, populate_by_name=True)",
    *both(
        CustomerModel,
        CustomerDataclass,
        [
            {"first_name": "Grace", "loyalty_points": 85},
            {"first_name": ""},
            {"first_name": "Zoë", "loyalty_points": -1},
        ],
    ),
    queue=QUEUE,
)


Side = Annotated[int, Field(ge=-(10**6), le=10**6)]


class BoxModel(BaseModel):
    width: Side
    height: Side

    @computed_field  # type: ignore[prop-decorator]
    @property
    def area(self) -> SafeInt:
        return self.width * self.height


@pydantic_dataclass
class BoxDataclass:
    width: Side
    height: Side

    @computed_field  # type: ignore[prop-decorator]
    @property
    def area(self) -> SafeInt:
        return self.width * self.height


COMPUTED = kind(
    "computed",
    "Computed fields",
    "def area(self) -> SafeInt:",
    *both(
        BoxModel,
        BoxDataclass,
        [{"width": 3, "height": 4}, {"width": 0, "height": 0}, {"width": -7, "height": 10**6}],
        style="Pydantic dataclass",
    ),
    queue=QUEUE,
)


class SessionModel(BaseModel):
    user: str
    _seen: int = PrivateAttr(default=0)


@dataclass
class SessionDataclass:
    user: str

    def __post_init__(self) -> None:
        self._seen = 0


PRIVATE = kind(
    "private",
    "Private attributes (they stay at home)",
    "_seen: int = PrivateAttr(default=0)",
    *both(SessionModel, SessionDataclass, [{"user": "ada"}, {"user": ""}, {"user": "Ø"}]),
    queue=QUEUE,
)


class RefModel(BaseModel):
    model_config = ConfigDict(frozen=True)
    repo: str
    sha: str = Field(pattern="^[0-9a-f]{40}$")


@dataclass(frozen=True)
class RefDataclass:
    repo: str
    sha: Annotated[str, Field(pattern="^[0-9a-f]{40}$")]


REFS = (
    {"repo": "core", "sha": "9fceb02d0ae598e95dc970b74767f19372d61af8"},
    {"repo": "", "sha": "0" * 40},
    {"repo": "größe", "sha": "f" * 40},
)

FROZEN = kind(
    "frozen",
    "Frozen",
    ("model_config = ConfigDict(frozen=True)", "@dataclass(frozen=True)"),
    *both(RefModel, RefDataclass, REFS),
    queue=QUEUE,
)


@dataclass(slots=True)
class SlottedDataclass:
    x: SafeInt
    y: SafeInt = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenSlottedDataclass:
    x: SafeInt
    y: SafeInt = 0


SLOTTED = kind(
    "slotted",
    "Slotted dataclass",
    "@dataclass(slots=True)",
    form(
        "dataclass",
        SlottedDataclass,
        [SlottedDataclass(3, -4), SlottedDataclass(0), SlottedDataclass(2**53 - 1, 1)],
    ),
    queue=QUEUE,
)

FROZEN_SLOTTED = kind(
    "frozen_slotted",
    "Frozen, slotted, keyword-only dataclass",
    "@dataclass(frozen=True, slots=True, kw_only=True)",
    form(
        "dataclass",
        FrozenSlottedDataclass,
        [
            FrozenSlottedDataclass(x=3, y=-4),
            FrozenSlottedDataclass(x=0),
            FrozenSlottedDataclass(x=2**53 - 1, y=1),
        ],
    ),
    queue=QUEUE,
)


@pydantic_dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class SealedDataclass:
    code: Annotated[str, Field(min_length=1)]
    note: str | None = None


class SealedModel(BaseModel):
    model_config = ConfigDict(extra="forbid")
    code: str = Field(min_length=1)
    note: str | None = None


FORBID = kind(
    "forbid",
    "Unknown fields forbidden",
    'model_config = ConfigDict(extra="forbid")',
    *both(
        SealedModel,
        SealedDataclass,
        [{"code": "A7"}, {"code": "Ж", "note": ""}, {"code": "x" * 200, "note": "n"}],
        style="Pydantic dataclass",
    ),
    queue=QUEUE,
)


class OpenModel(BaseModel):
    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, str] = Field(init=False)  # pyright: ignore[reportIncompatibleVariableOverride]
    name: str


EXTRAS = kind(
    "extras",
    "Unknown fields kept, of a given type",
    "__pydantic_extra__: dict[str, str] = Field(init=False)",
    form(
        "model",
        OpenModel,
        [
            OpenModel.model_validate({"name": "lamp", "colour": "röd"}),
            OpenModel(name=""),
            OpenModel.model_validate({"name": "n", "": "", "a b": "c"}),
        ],
    ),
    queue=QUEUE,
)

KINDS = (
    ALIAS,
    CAMEL,
    COMPUTED,
    PRIVATE,
    FROZEN,
    SLOTTED,
    FROZEN_SLOTTED,
    FORBID,
    EXTRAS,
)
