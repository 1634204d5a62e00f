"""What the registry of schemas holds, as its commands (schemas.py) take and give it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class SchemaStatus(StrEnum):
    """How a version that a program has compares with what the registry of schemas has."""

    SAME = "SAME"
    UNKNOWN = "UNKNOWN"
    """The version is not registered."""
    OTHER_WRITER = "OTHER_WRITER"
    """It is, and its writers write something else."""
    OTHER_READER = "OTHER_READER"
    """It is, and its readers take something else."""


class SchemaRole(StrEnum):
    """Of a program that has a version: what it does with its messages."""

    WRITER = "writer"
    """It publishes them, and so says what they are."""
    READER = "reader"
    """It only consumes them: a version that nobody else has registered is provisional."""


@dataclass(frozen=True, slots=True)
class SchemaVerdict:
    """What the registry says to one version. `role`: of who has registered it, None = nobody;
    `mode` and `revision` are its type's, '' and 0 where that is not registered."""

    status: SchemaStatus
    role: SchemaRole | None
    mode: str
    revision: int


@dataclass(frozen=True, slots=True)
class SchemaRecord:
    """One version in the registry. Fingerprints have 16 hex digits; `content`: JSON as in
    docs/wire.md, b'' where it was not asked for; `registered_ms`: when, 0 = now."""

    version: int
    fingerprint: str
    reader_fingerprint: str
    content: bytes = b""
    registered_ms: int = 0
    role: SchemaRole = SchemaRole.WRITER


@dataclass(frozen=True, slots=True)
class SchemaEntry:
    """A message type in the registry.

    `revision` changes with whatever is written of the type, 0 = it is not registered; `waivers`:
    JSON, a list of objects, '' = none, or not asked for.
    """

    name: str
    mode: str
    revision: int
    waivers: str
    records: tuple[SchemaRecord, ...]


@dataclass(frozen=True, slots=True)
class SchemaChange:
    """What is to be written of a message type. `revision`: on which that was decided; '' of `mode`
    and `waivers`: as they are; `replace`: also versions that a writer has registered otherwise."""

    name: str
    revision: int
    mode: str = ""
    waivers: str = ""
    records: tuple[SchemaRecord, ...] = ()
    replace: bool = False
