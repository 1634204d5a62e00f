"""Payloads made up from a schema: what a writer of it might write, what a reader has to take."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from random import Random
from typing import Any, TypeAlias

import jsonschema_rs

from omniq_typed.errors import InvalidArgument
from omniq_typed.schema.sampling.payload_maker import Maker, NoPayload, Picks

Json: TypeAlias = dict[str, Any]

_TRIES = 60
_MOST_SYSTEMATIC = 1_500


class Sampler:
    """Payloads that are valid under a schema (2020-12, formats on). The same ones in the same
    order for the same schema and seed. `names`: of properties that are to be among those of which
    the schema says nothing, because somebody else knows them.

    Raises InvalidArgument for what is no schema; all methods do, with the place, for a schema of
    which no payload could be made up.
    """

    def __init__(self, schema: Json, seed: int = 0, names: Iterable[str] = ()) -> None:
        self._rng = Random(seed)
        self._validator = _validator_of(schema)
        self._maker = Maker(schema, tuple(names))

    def payload(self) -> Any:
        """One at random, often at the bounds of what is allowed."""
        why = ""
        for _ in range(_TRIES):
            try:
                found = self._maker.payload(Picks(self._rng))
                self._validator.validate(found)
            except NoPayload as error:
                why = str(error)
            except jsonschema_rs.ValidationError as error:
                path = "".join(f"/{each}" for each in error.instance_path)
                why = f"at {path or 'the whole'}: {error.message}"
            else:
                return found
        raise InvalidArgument("schema", f"no payload could be made up; {why}")

    def payloads(self, count: int) -> list[Any]:
        """So many at random."""
        return [self.payload() for _ in range(count)]

    def smallest(self) -> Any:
        """Without what can be left out, and with the plainest values; always the same."""
        return next(self.systematic())

    def systematic(self) -> Iterator[Any]:
        """The smallest and the fullest, then all that differ from them at one place: each optional
        field in and out, each choice, each value of an enum, each bound and beside it."""
        seen: set[str] = set()
        for full in (False, True):
            for picks in islice(self._one_by_one(full), _MOST_SYSTEMATIC):
                found = self._valid(picks)
                key = "" if found is _NONE else json.dumps(found)
                if key and key not in seen:
                    seen.add(key)
                    yield found
        if not seen:
            yield Sampler(self._maker.schema).payload()

    def _one_by_one(self, full: bool) -> Iterator[Picks]:
        """Each is to be used before the next is asked for, which goes by what it met."""
        met: set[str] = set()
        waiting: deque[Mapping[str, int]] = deque([{}])
        while waiting:
            forced = waiting.popleft()
            picks = Picks(forced=forced, full=full)
            yield picks
            for place, (taken, count) in picks.met.items():
                if place in met:
                    continue
                met.add(place)
                waiting.extend({**forced, place: n} for n in range(count) if n != taken)

    def _valid(self, picks: Picks) -> Any:
        try:
            found = self._maker.payload(picks)
        except NoPayload:
            return _NONE
        return found if self._validator.is_valid(found) else _NONE


def _validator_of(schema: Json) -> jsonschema_rs.Draft202012Validator:
    try:
        return jsonschema_rs.Draft202012Validator(schema, validate_formats=True, offline=True)
    except (ValueError, jsonschema_rs.ReferencingError) as error:
        said = str(error).partition("\n")[0]
        raise InvalidArgument("schema", f"is no JSON Schema 2020-12: {said}") from error


_NONE: Any = object()
"""None is a payload."""
