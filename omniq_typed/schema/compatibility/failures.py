"""The places of two schemas where a reader fails to take what a writer writes, as small as can be
said, each with its rule."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from omniq_typed.schema.compatibility.rules import Rule
from omniq_typed.schema.compatibility.word_failures import kinds_of, word_failures
from omniq_typed.schema.proving.documents import Document, Parts, Schema
from omniq_typed.schema.proving.places import Step, goals_of
from omniq_typed.schema.proving.prover import Prover, bare, constants_of, without_functions
from omniq_typed.schema.wire.unsaid import Unsaid

Json: TypeAlias = dict[str, Any]
Path: TypeAlias = tuple[Step, ...]

_DEEPEST = 60
_MOST_CHOICES = 8
"""Of a union that are looked into, to say what is wrong with the nearest."""


@dataclass(frozen=True, slots=True)
class Failure:
    """`path`: where; `detail`: what differs, in words. To make up an example: the value at `above`
    is one of `writer`'s, and of one of `refused`."""

    rule: Rule
    path: Path
    detail: str
    writer: Parts
    refused: tuple[Schema, ...] = ()
    steps_up: int = 0
    """How far above the path the example is made up."""

    @property
    def above(self) -> Path:
        return self.path[: len(self.path) - self.steps_up]


class _OutOfTime(Exception):
    """The places were not all found in time."""


class Failures:
    """Of a reader to take a writer. `deadline`: of `time.monotonic()`."""

    def __init__(self, reader: Document, writer: Document, prover: Prover, deadline: float) -> None:
        self._reader = reader
        self._writer = writer
        self._prover = prover
        self._deadline = deadline
        self._open: list[str] = []
        """The pairs on the way to the present place."""
        self._returned = 0
        """How often a pair was met again in itself."""

    def found(self) -> list[Failure]:
        """All of them; at least one."""
        written = self._writer.parts(self._writer.root) or Parts(())
        found: list[Failure] = []
        try:
            found.extend(self._of(self._reader.root, written, ()))
        except (_OutOfTime, RecursionError):
            found.append(Failure(Rule.NOT_PROVEN, (), "it takes too long to tell why", written))
        except ValueError as error:  # a pattern that is none
            found.append(Failure(Rule.NOT_PROVEN, (), str(error).partition("\n")[0], written))
        return found or [Failure(Rule.NOT_PROVEN, (), "it cannot be said where", written)]

    def _takes(self, reader: Schema, writer: Parts) -> bool:
        if time.monotonic() > self._deadline:
            raise _OutOfTime
        return self._prover.takes(reader, writer, self._deadline)

    def _of(self, reader: Schema, writer: Parts, path: Path) -> Iterator[Failure]:
        if self._takes(reader, writer):
            return
        pair = self._prover.pair(reader, writer)
        if pair in self._open or len(path) > _DEEPEST:
            self._returned += 1  # it is being told further up
            return
        before = self._returned
        self._open.append(pair)
        found = list(self._of_parts(reader, writer, path))
        self._open.pop()
        yield from found
        if not found and self._returned == before:
            yield Failure(Rule.NOT_PROVEN, path, "it cannot be said why", writer)

    def _of_parts(self, reader: Schema, writer: Parts, path: Path) -> Iterator[Failure]:
        parts = self._reader.parts(reader)
        choices = self._writer.choices(writer)
        if parts is None:
            return
        if parts.unsaid.is_met_by(writer.unsaid):
            for schema in parts.schemas:
                yield from self._of_schema(schema, without_functions(writer, parts), path)
        elif choices is not None:
            yield from self._of_choices(reader, choices, path)
        else:
            detail = _difference(parts.unsaid, writer.unsaid)
            yield Failure(Rule.VALIDATOR_CHANGED, path, detail, writer)
            for schema in parts.schemas:
                yield from self._of_schema(schema, writer, path)

    def _of_schema(self, reader: Schema, writer: Parts, path: Path) -> Iterator[Failure]:
        """`reader`: a part."""
        if self._takes(reader, writer):
            return
        choices = self._writer.choices(writer)
        if reader is False:
            yield Failure(Rule.FIELD_FORBIDDEN, path, "nothing is taken here", writer)
        elif choices is not None:
            yield from self._of_choices(reader, choices, path)
        elif "anyOf" in reader:
            rest = {key: reader[key] for key in reader if key != "anyOf"}
            yield from self._of_schema(rest, writer, path)
            yield from self._of_union(reader["anyOf"], writer, path)
        else:
            yield from self._of_words(reader, writer, path)
            for goal in goals_of(reader, writer, self._writer):
                if not goal.step.is_key:  # that is a word of its own
                    yield from self._of(goal.reader, goal.writer, (*path, goal.step))

    def _of_choices(self, reader: Schema, choices: list[Parts], path: Path) -> Iterator[Failure]:
        """Of a union of the writer."""
        some_are_taken = any(self._takes(reader, each) for each in choices)
        for choice in choices:
            for failure in self._of(reader, choice, path):
                is_lost = failure.rule is Rule.TYPE_CHANGED and failure.path == path
                rule = Rule.UNION_NARROWED if is_lost and some_are_taken else failure.rule
                yield replace(failure, rule=rule)

    def _of_union(self, union: list[Schema], writer: Parts, path: Path) -> Iterator[Failure]:
        """Of the choice that is nearest, where one is of the same kind."""
        if any(self._takes(each, writer) for each in union):
            return
        near = [each for each in union if self._is_near(each, writer)]
        if near and len(near) <= _MOST_CHOICES:
            told = [list(self._of(each, writer, path)) for each in near]
            yield from min(told, key=_how_little)
            return
        rule = Rule.NULL_REFUSED if kinds_of(writer.schemas) == {"null"} else Rule.UNION_NARROWED
        yield Failure(rule, path, f"the writer may write {_named(writer)}", writer)

    def _is_near(self, choice: Schema, writer: Parts) -> bool:
        parts = self._reader.parts(choice)
        if parts is None or self._prover.is_other(choice, writer):
            return False
        return bool(kinds_of(parts.schemas) & kinds_of(writer.schemas))

    def _of_words(self, reader: Json, writer: Parts, path: Path) -> Iterator[Failure]:
        by_itself = bare(writer)
        for each in word_failures(reader, writer, lambda it: self._takes(it, by_itself)):
            step = () if each.field is None else (Step(each.field),)
            yield Failure(
                each.rule, (*path, *step), each.detail, writer, each.refused, steps_up=len(step)
            )


def _how_little(failures: list[Failure]) -> tuple[bool, bool, int]:
    """To sort by: what says the most, and the least of that."""
    says_why = any(each.rule is not Rule.NOT_PROVEN for each in failures)
    return not failures, not says_why, len(failures)


def _difference(reader: Unsaid, writer: Unsaid) -> str:
    asked = [*(each for each in reader.functions), *sorted(reader.facts - writer.facts)]
    had = ", ".join([*writer.functions, *sorted(writer.facts)])
    wanted = f"the reader asks for {', '.join(asked)}"
    return f"{wanted}; the writer has {had}" if had else wanted


def _named(writer: Parts) -> str:
    """A choice of a union, in words."""
    constants = constants_of(writer.schemas)
    if constants:
        name, value = next(iter(constants.items()))
        return f"the choice with {name} {value!r}"
    return " or ".join(sorted(kinds_of(writer.schemas)))
