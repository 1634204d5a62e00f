"""Whether a reader takes all that a writer writes, by proof: a yes is never wrong, and what cannot
be proven in time is unknown."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from enum import StrEnum
from functools import lru_cache
from typing import Any, TypeAlias

import jsonschema_rs

from omniq_typed.schema.export import DIALECT
from omniq_typed.schema.proving.documents import Document, Schema, text_of
from omniq_typed.schema.proving.prover import Prover

Json: TypeAlias = dict[str, Any]

DEFAULT_LIMIT_S = 2.0

_LEAST_S = 0.1
"""What another process takes to start."""
_MAX_DEPTH = 500
"""Of values in values."""
_CHILD = """
import json, sys
try:
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
except (ImportError, ValueError, OSError):
    pass
given = json.load(sys.stdin)
sys.path[:] = given["path"]
import jsonschema_rs
reader, writer = (
    jsonschema_rs.canonicalize(given[key], validate_formats=True, offline=True)
    for key in ("reader", "writer")
)
print(reader.covers(writer))
"""


class Proof(StrEnum):
    """What is proven of a reader and a writer."""

    YES = "yes"
    """The reader takes all that the writer writes."""
    NO = "no"
    """There is something that it refuses."""
    UNKNOWN = "unknown"


def covers(reader: Json, writer: Json, *, limit_s: float = DEFAULT_LIMIT_S) -> Proof:
    """Whether a reader takes all that a writer writes, by their exported schemas; unknown, too,
    for what is no JSON Schema 2020-12. `limit_s`: how long that may take, in seconds."""
    start = time.monotonic()
    if not is_schema(reader) or not is_schema(writer):
        return Proof.UNKNOWN
    try:
        asked, written = Document(reader), Document(writer, is_writers=True)
        prover = Prover(asked, written, library_says_yes)
        whole = prover.whole()
        # The library knows some that the steps do not, and the other way round.
        steps_s = limit_s if whole is None else limit_s / 2
        if prover.proves(start + steps_s):
            return Proof.YES
    except RecursionError:
        return Proof.UNKNOWN
    if whole is None:
        return Proof.UNKNOWN
    texts = (text_of(whole.reader), text_of(whole.writer))
    found = _by_library(*texts) if whole.is_small else _in_a_child(*texts, start + limit_s)
    is_trusted = {Proof.YES: whole.keeps_steps, Proof.NO: whole.is_exact}
    return found if is_trusted.get(found, True) else Proof.UNKNOWN


def is_schema(schema: Any) -> bool:
    """Whether it is one of JSON Schema 2020-12, not nested hundreds deep."""
    # First of all, since the library crashes on what is nested thousands deep.
    waiting: list[tuple[Any, int]] = [(schema, 0)]
    while waiting:
        each, depth = waiting.pop()
        if depth > _MAX_DEPTH:
            return False
        if isinstance(each, (dict, list)):
            inner = each.values() if isinstance(each, dict) else each
            waiting.extend((value, depth + 1) for value in inner)
    is_ours = isinstance(schema, dict) and schema.get("$schema", DIALECT) == DIALECT
    return is_ours and jsonschema_rs.meta.is_valid(schema)


def library_says_yes(reader: Schema, writer: Schema) -> bool:
    """Whether it proves that a reader takes all that a writer writes, given the time."""
    return _by_library(text_of(reader), text_of(writer)) == Proof.YES


@lru_cache(maxsize=4096)
def _by_library(reader: str, writer: str) -> Proof:
    try:
        return Proof(str(_canonical(reader).covers(_canonical(writer))))
    except Exception:
        # Words that it does not support, patterns that are none, references that lead nowhere.
        return Proof.UNKNOWN


@lru_cache(maxsize=4096)
def _canonical(text: str) -> jsonschema_rs.CanonicalSchema:
    return jsonschema_rs.canonicalize(json.loads(text), validate_formats=True, offline=True)


def _in_a_child(reader: str, writer: str, deadline: float) -> Proof:
    """The library cannot be interrupted, but a process can be ended."""
    left_s = deadline - time.monotonic()
    if left_s < _LEAST_S or not sys.executable:
        return Proof.UNKNOWN
    given = {"path": sys.path, "reader": json.loads(reader), "writer": json.loads(writer)}
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _CHILD],
            input=json.dumps(given).encode(),
            capture_output=True,
            check=True,
            timeout=left_s,
        )
        return Proof(done.stdout.decode().strip())
    except (OSError, subprocess.SubprocessError, ValueError):
        return Proof.UNKNOWN
