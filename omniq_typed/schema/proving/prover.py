"""Proofs that a reader takes all that a writer writes, place by place, for schemas that the library
for whole ones cannot judge: recursive ones, large unions, and those with words in comments.

Why a yes is right. What is asked of a pair is always "is each value under the writer's schemas one
of the reader's?", and each step answers it from questions that together imply it:

- Whatever is left out of a writer's schemas, a word, a comment or one of the schemas themselves,
  only lets it write more. A union that it writes is each of its choices, one after the other.
- Whatever is left out of a reader's schema is asked in a question of its own: each of what holds
  together, what stands in fields and items (against what the writer may have there; a place that
  cannot be filled needs no proof), what the comments say (the writer's have to say the same). Of a
  union, one choice that takes all is enough.
- A pair that is met again in a field or an item of itself is taken for proven. JSON values are
  finite: were it wrong, the smallest wrong value would hold a smaller one. Without such a step down
  it is no proof.
- What is known to hold of all that a writer writes may be said of it: it writes the same.
- A pair without any of that goes to the library as it is. There an integer may be written as 1.0,
  which strict readers refuse: where a writer may do that, readers lose their integers first.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from omniq_typed.schema.proving.documents import Document, Json, Parts, Schema, text_of
from omniq_typed.schema.proving.implications import implied_words
from omniq_typed.schema.proving.places import Goal, goals_of, without_inner
from omniq_typed.schema.proving.traits import effort, together, types_of
from omniq_typed.schema.wire.unsaid import Unsaid
from omniq_typed.schema.wire.wording import rewrite

SaysYes = Callable[[Schema, Schema], bool]
"""Whether the library proves that its first schema takes all of the second."""

LARGE = 15_000
"""Choices times schemas, of either side and across: more takes the library too long."""

# Words with schemas that a proof goes into.
_PLACES = frozenset(
    {"properties", "patternProperties", "additionalProperties", "items", "prefixItems"}
    | {"propertyNames"}
)
# The others. A writer may write more without them.
_REST = frozenset(
    {"not", "if", "then", "else", "contains", "minContains", "maxContains", "dependentSchemas"}
)


class _OutOfTime(Exception):
    """The proof takes longer than it may."""


@dataclass(frozen=True, slots=True)
class Whole:
    """Two schemas of which a yes of the library is a proof. `is_small`: it will not take long;
    `is_exact`: a no of the library is one, too. `keeps_steps`: floats have to be multiples of the
    same: of other steps a strict reader refuses those that are too large to divide."""

    reader: Schema
    writer: Schema
    is_small: bool
    is_exact: bool
    keeps_steps: bool


class Prover:
    """Proofs between two documents; `says_yes`: the library."""

    def __init__(self, reader: Document, writer: Document, says_yes: SaysYes) -> None:
        self._reader = reader
        self._writer = writer
        self._says_yes = says_yes
        self._deadline = float("inf")
        self._assumed: dict[str, None] = {}
        self._failed: set[str] = set()

    def proves(self, deadline: float) -> bool:
        """Whether it is proven, until a time of `time.monotonic()`, that the reader takes all that
        the writer writes."""
        written = self._writer.parts(self._writer.root)
        return written is not None and self.takes(self._reader.root, written, deadline)

    def takes(self, reader: Schema, writer: Parts, deadline: float) -> bool:
        """The same of schemas of the two."""
        self._deadline = deadline
        try:
            return self._takes(reader, writer, ())
        except (_OutOfTime, RecursionError, ValueError):  # the last: a pattern that is none
            self._assumed.clear()  # it was not proven to the end
            return False

    def whole(self) -> Whole | None:
        """The two as the library can compare them; None where they have what it does not know."""
        written = self._writer.parts(self._writer.root)
        if written is None or not self._is_plain(self._reader.root, written):
            return None
        return self._for_library(self._reader.root, written)

    def _takes(self, reader: Schema, writer: Parts, level: tuple[str, ...]) -> bool:
        """`level`: the pairs that were met on the way here without a step down."""
        if time.monotonic() > self._deadline:
            raise _OutOfTime
        if reader is True or False in writer.schemas:
            return True
        parts = self._reader.parts(reader)
        pair = self.pair(reader, writer)
        if parts is None or pair in level or pair in self._failed:
            return False
        if pair in self._assumed:
            return True
        before = len(self._assumed)
        if self._judge(reader, parts, writer, (*level, pair)):
            self._assumed.setdefault(pair)
            return True
        self._forget(before)
        self._failed.add(pair)
        return False

    def _judge(self, reader: Schema, parts: Parts, writer: Parts, level: tuple[str, ...]) -> bool:
        if not parts.unsaid.is_met_by(writer.unsaid):
            return self._takes_each_choice(reader, writer, level)
        writer = without_functions(writer, parts)
        return all(self._holds(schema, writer, level) for schema in parts.schemas)

    def _holds(self, reader: Schema, writer: Parts, level: tuple[str, ...]) -> bool:
        """`reader`: a part, without references, `allOf` or a comment."""
        if reader is False:
            return False
        if self._is_plain(reader, writer) and self._library_proves(reader, writer):
            return True
        implied = implied_words(reader, writer)
        if implied:
            # All that it writes keeps to them: said in so many words, it writes the same.
            writer = replace(writer, schemas=(*writer.schemas, implied))
        if self._writer.choices(writer) is not None:
            return self._takes_each_choice(reader, writer, level)
        if "anyOf" in reader:
            rest = {key: reader[key] for key in reader if key != "anyOf"}
            choices = [each for each in reader["anyOf"] if not self.is_other(each, writer)]
            return (not rest or self._holds(rest, writer, level)) and any(
                self._takes(each, writer, level) for each in choices
            )
        return self._holds_place_by_place(reader, writer, level)

    def is_other(self, choice: Schema, writer: Parts) -> bool:
        """Whether a field has one value in a choice of the reader, and another in the writer: no
        need to try."""
        parts = self._reader.parts(choice)
        asked = constants_of(parts.schemas if parts else ())
        written = constants_of(writer.schemas)
        return any(name in written and written[name] != asked[name] for name in asked)

    def _takes_each_choice(self, reader: Schema, writer: Parts, level: tuple[str, ...]) -> bool:
        """Of a union that the writer has."""
        choices = self._writer.choices(writer)
        return choices is not None and all(self._takes(reader, each, level) for each in choices)

    def _holds_place_by_place(self, reader: Json, writer: Parts, level: tuple[str, ...]) -> bool:
        if any(
            key not in _PLACES and (traits.is_recursive or traits.is_opaque)
            for key, traits in self._reader.inner_traits(reader)
        ):
            return False
        own = {key: each for key, each in without_inner(reader).items() if key != "propertyNames"}
        if not self._library_proves(own, bare(writer)):
            return False
        goals = goals_of(reader, writer, self._writer)
        return all(self._takes_below(goal, level) for goal in goals)

    def _takes_below(self, goal: Goal, level: tuple[str, ...]) -> bool:
        before = len(self._assumed)
        self._assumed |= dict.fromkeys(level)
        if self._takes(goal.reader, goal.writer, ()):
            return True
        self._forget(before)
        return False

    def _forget(self, before: int) -> None:
        while len(self._assumed) > before:
            self._assumed.popitem()

    def _is_plain(self, reader: Schema, writer: Parts) -> bool:
        asked = self._reader.traits(reader)
        written = together([self._writer.traits(each) for each in writer.schemas])
        is_deep = asked.is_deep or written.is_deep
        return not (asked.is_opaque or asked.is_recursive or written.is_recursive or is_deep)

    def _library_proves(self, reader: Schema, writer: Parts) -> bool:
        pair = self._for_library(reader, writer)
        if pair is None or not (pair.is_small and pair.keeps_steps):
            return False
        return self._says_yes(pair.reader, pair.writer)

    def _for_library(self, reader: Schema, writer: Parts) -> Whole | None:
        asked = self._reader.traits(reader)
        written = together([self._writer.traits(each) for each in writer.schemas])
        alone = self._reader.standalone([reader])
        loses_integers = asked.has_integers and written.may_hold_whole_floats
        if loses_integers:
            if asked.has_negations:
                return None
            alone = rewrite(alone, _without_integers)
        return Whole(
            alone,
            self._writer.standalone(writer.schemas),
            is_small=effort(asked, written) <= LARGE and not (asked.is_deep or written.is_deep),
            is_exact=not (loses_integers or written.is_opaque or writer.unsaid)
            and self._writer.is_exact,
            keeps_steps=asked.float_steps <= written.float_steps,
        )

    def pair(self, reader: Schema, writer: Parts) -> str:
        """The same for what asks the same."""
        texts = sorted(self._writer.text(each) for each in writer.schemas)
        written = " & ".join([*texts, text_of(writer.unsaid)])
        return f"{self._reader.text(reader)} <- {written}"


def without_functions(writer: Parts, reader: Parts) -> Parts:
    """A writer behind the functions that it has and its reader asked for: what stands inside of
    the reader may ask for some of its own."""
    if not reader.unsaid.functions:
        return writer
    return replace(writer, unsaid=Unsaid(facts=writer.unsaid.facts))


def bare(writer: Parts) -> Parts:
    """A writer without what it says of fields and items, but which of them it never has."""
    return Parts(tuple(without_inner(_without_rest(each)) for each in writer.schemas))


def constants_of(schemas: Iterable[Schema]) -> dict[str, Any]:
    """Fields that have one value only."""
    fields = [item for each in schemas if each for item in each.get("properties", {}).items()]
    plain = {name: each for name, each in fields if isinstance(each, dict)}
    return {name: each["const"] for name, each in plain.items() if "const" in each}


def _without_rest(schema: Json) -> Json:
    """A writer's schema without words that hold schemas, but for those of its places."""
    return {key: schema[key] for key in schema if key not in _REST}


def _without_integers(schema: Json) -> Schema:
    named = types_of(schema)
    if "integer" not in named:
        return schema
    others = [each for each in named if each != "integer"]
    return {**schema, "type": others} if others else False
