"""What a value has to pass beyond what JSON Schema has words for, as comments of schemas say it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from omniq_typed.schema.wire.function_digest import UNKNOWN
from omniq_typed.schema.wire.generator import comment_of
from omniq_typed.schema.wire.python_functions import split_comment

Json: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Unsaid:
    """What a value has to pass besides: the user's functions, from the inside out, and facts.
    `is_clear`: whether it is known in which order the functions run, and what they are."""

    functions: tuple[str, ...] = ()
    facts: frozenset[str] = frozenset()
    is_clear: bool = True

    def __bool__(self) -> bool:
        return bool(self.functions or self.facts)

    def then(self, outer: Unsaid) -> Unsaid:
        """This, and another around it."""
        return Unsaid(
            self.functions + outer.functions,
            self.facts | outer.facts,
            self.is_clear and outer.is_clear,
        )

    def beside(self, other: Unsaid) -> Unsaid:
        """This, and another beside it."""
        both = self.then(other)
        lone = not (self.functions and other.functions)
        return Unsaid(both.functions, both.facts, both.is_clear and lone)

    def is_met_by(self, writer: Unsaid) -> bool:
        """Whether what passed `writer` passes this. Functions may change a value on its way to the
        next one, so that it is all of them or none."""
        if not self.facts <= writer.facts:
            return False
        if not self.functions:
            return True
        return self.is_clear and writer.is_clear and self.functions == writer.functions


NOTHING = Unsaid()


def unsaid_of(schema: Json) -> Unsaid:
    """What a schema says in its own comment."""
    functions, fact = split_comment(comment_of(schema))
    is_clear = not any(f" {UNKNOWN} (" in each for each in functions)
    # Of these the schema does not say enough to compare them.
    if schema.get("contentMediaType") == "application/json" or "items by place" in fact:
        functions, is_clear = (*functions, fact or "JSON in a text"), False
    return Unsaid(functions, frozenset({fact} - {""}), is_clear)
