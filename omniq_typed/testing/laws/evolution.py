"""How payloads of stored versions become messages of today."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import partial
from typing import Any

import orjson
from hypothesis.strategies import SearchStrategy
from pydantic_core import from_json, to_json

from omniq_typed.errors import InvalidPayload, UndecodableJob
from omniq_typed.messages.codec import encode
from omniq_typed.messages.message_type import MessageType
from omniq_typed.messages.registry import Registry, Upcast
from omniq_typed.messages.schema_walk import pointer
from omniq_typed.messages.upcast import apply_upcasts
from omniq_typed.schema.versions import SchemaVersion, version_of
from omniq_typed.schema.wire.generator import UNSAID
from omniq_typed.testing.laws.search import Fault
from omniq_typed.testing.payloads import payloads
from omniq_typed.testing.reading import described, read
from omniq_typed.testing.strategies.json_schemas import valid_json
from omniq_typed.testing.strategies.readers import Sieve

# What a reader refuses without looking at the value: no validator of the old type can have known.
_STRUCTURAL = frozenset(
    {"missing", "extra_forbidden", "upcast_failed", "json_invalid", "literal_error", "enum"}
)


_UNPUBLISHED = object()


class OldVersion:
    """A stored version on its way to today's type. `may_drop`: JSON pointers ('*' for any index or
    key) of what upcasts may drop."""

    def __init__(
        self,
        stored: SchemaVersion,
        today: MessageType[Any],
        steps: list[Upcast],
        may_drop: Collection[str],
    ) -> None:
        self._stored = stored
        self._today = today
        self._steps = steps
        self._may_drop = frozenset(may_drop)
        # Checks that the schema has no words for: its payloads need not have passed them.
        self._is_vague = UNSAID.encode() in orjson.dumps(stored.writer)

    @property
    def label(self) -> str:
        return f"{self._stored.name} v{self._stored.version}"

    def payloads(self, registry: Registry) -> SearchStrategy[Any]:
        """JSON as its writers wrote it: by its class, where there still is one, else by its stored
        schema, without what today's validators refuse and the old ones may have refused too."""
        known = [it for it in registry.types() if it.label == self.label]
        if known and version_of(known[0]).fingerprint == self._stored.fingerprint:
            made = payloads(known[0]).map(partial(_written, known[0]))
        else:
            made = valid_json(self.label, self._stored.writer)
        advice = f"Give JSON of v{self._stored.version} with values={{{self._stored.version}: ...}}"
        return Sieve(self.label, "", self._doubt, advice).of(made)

    def _doubt(self, tree: Any) -> str:
        """Why the payload may be none that was ever written; '' where it may be one."""
        if tree is _UNPUBLISHED:
            return "it cannot be published"
        if not self._is_vague:
            return ""
        try:
            self._arrive(tree)
        except UndecodableJob as error:
            codes = [fault.code for fault in error.faults]
            certain = any(code in _STRUCTURAL or code.endswith("_type") for code in codes)
            return "" if certain else described(error)
        return ""

    def check(self, tree: Any) -> None:
        """Raises Fault where a payload does not arrive, or not all of it."""
        try:
            upcasted, value = self._arrive(tree)
        except UndecodableJob as error:
            raise Fault(
                f"a payload of v{self._stored.version} cannot be read",
                payload=to_json(tree).decode(),
                upcasts=self._named_steps(),
                why=described(error),
            ) from error
        now = _written(self._today, value)
        for path in _lost(tree, upcasted, now):
            if _general(path, self._may_drop):
                continue
            raise Fault(
                f"a field of v{self._stored.version} is lost on the way",
                payload=to_json(tree).decode(),
                upcasts=self._named_steps(),
                becomes=to_json(upcasted).decode(),
                lost=f"{pointer(path)}, which {self._today.label} has too; carry it over, or say"
                f" may_drop=[{pointer(path)!r}]",
            )

    def _arrive(self, tree: Any) -> tuple[Any, Any]:
        payload = to_json(tree)
        if self._steps:
            payload = apply_upcasts(payload, self._steps)
        return from_json(payload), read(self._today, payload)

    def _named_steps(self) -> str:
        named = (f"{it.function.__name__} at {it.defined_at}" for it in self._steps)
        return ", ".join(named) or "none"


def _written(message_type: MessageType[Any], value: Any) -> Any:
    try:
        return from_json(encode(message_type, value))
    except InvalidPayload:  # another law's matter
        return _UNPUBLISHED


def _lost(
    before: Any, after: Any, written: Any, path: tuple[str, ...] = ()
) -> Iterator[tuple[str, ...]]:
    """Places that the old payload had, that the new type writes, and that the upcasts left out: the
    new message has a default there."""
    if isinstance(before, dict) and isinstance(after, dict) and isinstance(written, dict):
        for key in before.keys() & written.keys():
            here = (*path, key)
            if key not in after:
                yield here
            else:
                yield from _lost(before[key], after[key], written[key], here)
    elif _are_lists_of_one_length(before, after, written):
        for index, parts in enumerate(zip(before, after, written, strict=True)):
            yield from _lost(*parts, (*path, str(index)))


def _are_lists_of_one_length(*values: Any) -> bool:
    return all(isinstance(each, list) for each in values) and len(set(map(len, values))) == 1


def _general(path: tuple[str, ...], pointers: Collection[str]) -> bool:
    """Whether one of the pointers means the path."""
    for each in pointers:
        parts = each.split("/")[1:]
        if len(parts) == len(path) and all(
            part in ("*", pointer((own,))[1:]) for part, own in zip(parts, path, strict=True)
        ):
            return True
    return False
