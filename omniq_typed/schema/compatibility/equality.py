"""Whether two versions say the same, in whatever words: another release of what exports schemas may
choose others."""

from __future__ import annotations

from omniq_typed.schema.proving.proof import Proof, covers
from omniq_typed.schema.versions import Json, SchemaVersion


def same_writer(one: SchemaVersion, other: SchemaVersion) -> bool:
    """Whether writers of both write the same."""
    return one.fingerprint == other.fingerprint or _are_equal(one.writer, other.writer)


def same_reader(one: SchemaVersion, other: SchemaVersion) -> bool:
    """Whether readers of both take the same."""
    same = one.reader_fingerprint == other.reader_fingerprint
    return same or _are_equal(one.reader, other.reader)


def _are_equal(one: Json, other: Json) -> bool:
    return covers(one, other) is Proof.YES and covers(other, one) is Proof.YES
