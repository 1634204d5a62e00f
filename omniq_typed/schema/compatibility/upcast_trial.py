"""Whether upcasts lead all that an old version writes to what the new one reads: tried out on
made-up payloads, through the code that workers use."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from omniq_typed.errors import InvalidArgument, UndecodableJob
from omniq_typed.messages.codec import decode
from omniq_typed.messages.message_type import MessageType
from omniq_typed.messages.registry import Upcast
from omniq_typed.messages.upcast import apply_upcasts
from omniq_typed.schema.proving.documents import Document
from omniq_typed.schema.sampling.sampler import Sampler
from omniq_typed.schema.versions import SchemaVersion

SYSTEMATIC = 60
AT_RANDOM = 40
"""Payloads that are tried, of a type with 20 fields in a tenth of a second."""

_BY_CODE = frozenset({"value_error", "assertion_error"})
"""What Pydantic calls a fault that a function of the user found."""


@dataclass(frozen=True, slots=True)
class Trial:
    """How it went. `fault`: what became of `payload`, '' where all `count` payloads were read."""

    count: int
    fault: str = ""
    payload: Any = None


def try_upcasts(
    old: SchemaVersion,
    steps: Sequence[Upcast],
    new: MessageType[Any],
    old_type: MessageType[Any] | None = None,
) -> Trial:
    """Leads payloads of an old version through the steps to the new one. `old_type`: the old
    version, where the code still has it; what it would not read itself was never written."""
    written_by_code = Document(old.writer).has_unsaid
    count = 0
    try:
        for payload in _payloads(old):
            text = json.dumps(payload).encode()
            if old_type is not None and fault_of(old_type, text) is not None:
                continue
            error = fault_of(new, text, steps)
            if error is None:
                count += 1
            elif not (written_by_code and _is_by_code(error)):
                return Trial(count, str(error), payload)
    except InvalidArgument as error:
        return Trial(0, f"it cannot be tried out: {error.problem}")
    return Trial(count) if count else Trial(0, "no payload of the old version could be made up")


def fault_of(
    message_type: MessageType[Any], payload: bytes, steps: Sequence[Upcast] = ()
) -> UndecodableJob | None:
    """Why a worker cannot read a payload; None where it can."""
    try:
        decode(message_type, apply_upcasts(payload, steps) if steps else payload)
    except UndecodableJob as error:
        return error
    except (Exception, SystemExit) as error:  # a function of the user may raise anything
        return UndecodableJob("invalid_payload", f"{type(error).__name__}: {error}")
    return None


def _payloads(old: SchemaVersion) -> Iterator[Any]:
    sampler = Sampler(old.writer)
    at_random = (sampler.payload() for _ in range(AT_RANDOM))
    return chain(islice(sampler.systematic(), SYSTEMATIC), at_random)


def _is_by_code(error: UndecodableJob) -> bool:
    """The old version may have the same check: then it never wrote this."""
    return bool(error.faults) and all(each.code in _BY_CODE for each in error.faults)
