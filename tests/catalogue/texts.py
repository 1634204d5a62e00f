"""Strings and bytes."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Annotated

from pydantic import (
    AfterValidator,
    Base64Bytes,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)

from tests.catalogue.kinds import both, form, kind

QUEUE = "catalogue-texts"


class NoteModel(BaseModel):
    text: str


@dataclass
class NoteDataclass:
    text: str


NOTE = kind(
    "note",
    "Text of any kind",
    "text: str",
    *both(
        NoteModel,
        NoteDataclass,
        [
            {"text": "Grüße aus Kærlighed 東京 🚀"},
            {"text": ""},
            {"text": 'quotes " and \\ and / and \u2028 and \x00\x1f\x7f'},
            {"text": "\U0010ffff" * 500},
        ],
    ),
    queue=QUEUE,
)

Sku = Annotated[str, Field(pattern="^[A-Z]{2}-[0-9]{4}$")]
Title = Annotated[str, Field(min_length=1, max_length=80)]


class ArticleModel(BaseModel):
    sku: Sku
    title: Title


@dataclass
class ArticleDataclass:
    sku: Sku
    title: Title


ARTICLE = kind(
    "article",
    "Constrained strings",
    'Sku = Annotated[str, Field(pattern="^[A-Z]{2}-[0-9]{4}$")]',
    *both(
        ArticleModel,
        ArticleDataclass,
        [
            {"sku": "BK-0042", "title": "The Hitchhiker’s Guide"},
            {"sku": "ZZ-9999", "title": "ß"},
            {"sku": "AA-0000", "title": "🦄" * 80},
        ],
    ),
    queue=QUEUE,
)


def _no_edges(text: object) -> object:
    return text.strip() if isinstance(text, str) else text


def _no_shouting(text: str) -> str:
    if text.isupper():
        raise ValueError("no shouting, please")
    return text


Trimmed = Annotated[str, BeforeValidator(_no_edges), AfterValidator(_no_shouting)]
CountryCode = Annotated[str, StringConstraints(to_upper=True, max_length=2)]


class AddressModel(BaseModel):
    city: Trimmed
    country: CountryCode


@dataclass
class AddressDataclass:
    city: Trimmed
    country: CountryCode


VALIDATED = kind(
    "validated",
    "Annotated validators",
    "Trimmed = Annotated[str, BeforeValidator(_no_edges), AfterValidator(_no_shouting)]",
    *both(
        AddressModel,
        AddressDataclass,
        [
            {"city": "Århus", "country": "DK"},
            {"city": "", "country": "ZZ"},
            {"city": "Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch", "country": "GB"},
        ],
    ),
    queue=QUEUE,
)

BASE64 = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")


class ThumbnailModel(BaseModel):
    model_config = BASE64
    png: bytes


@dataclass
class ThumbnailDataclass:
    __pydantic_config__ = BASE64
    png: bytes


THUMBNAIL = kind(
    "thumbnail",
    "Bytes as base64, by configuration",
    'ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")',
    *both(
        ThumbnailModel,
        ThumbnailDataclass,
        [{"png": b"\x89PNG\r\n\x1a\n\xff"}, {"png": b""}, {"png": bytes(range(256)) * 4}],
    ),
    queue=QUEUE,
)


class SignatureModel(BaseModel):
    digest: Base64Bytes


@dataclass
class SignatureDataclass:
    digest: Base64Bytes


DIGESTS = (b"\x00\xfe\xdc\xba\x98\xff", b"", b"Z" * 64)

SIGNATURE = kind(
    "signature",
    "Bytes as base64, by field type",
    "digest: Base64Bytes",
    # A model validates what it is made of, so it takes the base64 text.
    form("model", SignatureModel, [SignatureModel(digest=base64.b64encode(d)) for d in DIGESTS]),
    form("dataclass", SignatureDataclass, [SignatureDataclass(digest) for digest in DIGESTS]),
    queue=QUEUE,
)


class TextBytesModel(BaseModel):
    body: bytes


@dataclass
class TextBytesDataclass:
    body: bytes


TEXT_BYTES = kind(
    "text_bytes",
    "Bytes without base64 (only what is UTF-8 can be published)",
    "body: bytes",
    *both(
        TextBytesModel,
        TextBytesDataclass,
        [{"body": b"From: ada@example.com\r\n"}, {"body": b""}, {"body": "π ≈ 3".encode()}],
    ),
    queue=QUEUE,
    portable=False,
)

KINDS = (NOTE, ARTICLE, VALIDATED, THUMBNAIL, SIGNATURE, TEXT_BYTES)
