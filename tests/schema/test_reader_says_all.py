"""What the schema of a reader allows, the reader takes, or a comment says that there is more: types
beyond the catalogue, payloads made up from their schemas."""

import datetime
import decimal
import fractions
import ipaddress
import pathlib
import re
import uuid
from typing import Annotated, Any, Literal, NamedTuple

import orjson
import pydantic
import pytest
from annotated_types import Ge, Le, MultipleOf
from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    ByteSize,
    Field,
    StringConstraints,
    create_model,
)

from omniq_typed import MessageType
from omniq_typed.messages.codec import decode
from omniq_typed.schema.export import Json, reader_schema, writer_schema
from omniq_typed.schema.sampling.sampler import Sampler
from omniq_typed.schema.wire.generator import UNSAID


class Point(NamedTuple):
    x: int
    label: str = ""


class ByName(BaseModel, validate_by_name=True, validate_by_alias=True):
    known_as: int = Field(default=1, alias="knownAs")


class Strict(BaseModel, extra="forbid", validate_by_name=True, validate_by_alias=True):
    known_as: int = Field(alias="knownAs")


class Choices(BaseModel):
    price: int | None = Field(default=None, validation_alias=AliasChoices("cost", "known_as"))


class Path(BaseModel):
    price: int = Field(validation_alias=AliasPath("known_as", 0))


TYPES: dict[str, Any] = {
    **{name: getattr(pydantic, name) for name in ("AnyUrl", "HttpUrl", "FileUrl", "PostgresDsn")},
    **{name: getattr(pydantic, name) for name in ("IPvAnyAddress", "IPvAnyNetwork", "PastDate")},
    **{name: getattr(pydantic, name) for name in ("FutureDatetime", "Base64Bytes", "Base64Str")},
    **{name: getattr(pydantic, name) for name in ("SecretStr", "UUID1", "UUID3", "UUID4", "UUID5")},
    "ByteSize": ByteSize,
    "Json": pydantic.Json[list[int]],
    "path": pathlib.Path,
    "Decimal": decimal.Decimal,
    "Decimal, a multiple": Annotated[decimal.Decimal, MultipleOf(decimal.Decimal("0.05"))],
    "Decimal, bounded": Annotated[decimal.Decimal, Field(ge=1, lt=2, decimal_places=3)],
    "Decimal, a few digits": Annotated[decimal.Decimal, Field(max_digits=3, gt=-1)],
    "fraction": fractions.Fraction,
    "complex": complex,
    "pattern": re.Pattern[str],
    "UUID": uuid.UUID,
    "IPv6": ipaddress.IPv6Address,
    "timedelta": datetime.timedelta,
    "timedelta, bounded": Annotated[datetime.timedelta, Ge(datetime.timedelta(0))],
    "date": datetime.date,
    "time": datetime.time,
    "datetime": datetime.datetime,
    "bytes": bytes,
    "bytes, a few": Annotated[bytes, Field(max_length=3)],
    "lower case": Annotated[str, StringConstraints(to_lower=True, pattern="^[a-z]+$")],
    "stripped": Annotated[str, StringConstraints(strip_whitespace=True)],
    "stripped, not empty": Annotated[str, StringConstraints(strip_whitespace=True, min_length=2)],
    "stripped, short": Annotated[str, StringConstraints(strip_whitespace=True, max_length=2)],
    "stripped, matched": Annotated[str, StringConstraints(strip_whitespace=True, pattern="^a")],
    "float": float,
    "literals": Literal[1, "a", True, None],
    "set": set[int],
    "set of two": Annotated[set[int], Field(min_length=2)],
    "tuple": tuple[int, ...],
    "named tuple": Point,
    "anything": Any,
    "keys of float": dict[float, int],
    "keys of bool": dict[bool, int],
    "keys of date": dict[datetime.date, int],
    "keys of UUID": dict[uuid.UUID, int],
    "keys of a few": dict[Literal["a"], int],
    "keys of int": dict[Annotated[int, Ge(3), Le(30)], int],
    **{each.__name__: each for each in (ByName, Strict, Choices, Path)},
}
NAMES = ("known_as", "cost", "price", "knownAs")


def message_type(declared: Any) -> MessageType[Any]:
    model = create_model("Message", value=(declared, ...))
    return MessageType("says.all", 1, model, strict_types=False)


def refused(its_type: MessageType[Any], schema: Json) -> list[Any]:
    sampler = Sampler(schema, names=NAMES)
    found = []
    for payload in [*sampler.systematic(), *sampler.payloads(50)]:
        try:
            decode(its_type, orjson.dumps(payload))
        except Exception:  # a validator may raise anything
            found.append(payload)
    return found


@pytest.mark.parametrize("name", TYPES)
def test_the_reader_takes_what_its_schema_allows(name: str) -> None:
    its_type = message_type(TYPES[name])
    schema = reader_schema(its_type)
    assert refused(its_type, schema) == [] or UNSAID in str(schema)


@pytest.mark.parametrize("name", sorted(TYPES.keys() - {"Json"}))
def test_the_reader_takes_what_a_writer_may_write(name: str) -> None:
    """`Json` writes what it holds and reads a text: no message may have it."""
    its_type = message_type(TYPES[name])
    schema = writer_schema(its_type)
    told_less = UNSAID in str(schema) + str(reader_schema(its_type))
    assert refused(its_type, schema) == [] or told_less


@pytest.mark.parametrize("name", ["ByName", "Choices"])
def test_other_names_are_said_and_not_left_to_a_comment(name: str) -> None:
    schema = reader_schema(message_type(TYPES[name]))
    assert UNSAID not in str(schema)
    assert "known_as" in str(schema)
