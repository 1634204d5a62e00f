"""Why a reader does not take all that a writer writes: the places where it fails, each with its
rule and a payload that breaks."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from omniq_typed.schema.compatibility.counterexamples import Counterexamples
from omniq_typed.schema.compatibility.failures import Failure, Failures, Path
from omniq_typed.schema.compatibility.rules import RULES, Rule
from omniq_typed.schema.proving.documents import Document, Parts
from omniq_typed.schema.proving.proof import (
    DEFAULT_LIMIT_S,
    Proof,
    covers,
    is_schema,
    library_says_yes,
)
from omniq_typed.schema.proving.prover import Prover

Json: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Break:
    """A place where a reader does not take what a writer may write there.

    `rule`: see `RULES`; `pointer`: JSON pointer into the payload, '*' for any item and for fields
    without a name, '' for the whole; `message`: what is wrong and what to do; `proof`: NO where it
    is certain. `example`: a payload of the writer that the reader refuses, if one was found.
    """

    rule: str
    pointer: str
    message: str
    proof: Proof
    example: Any = None
    has_example: bool = False


def compare(
    reader: Json,
    writer: Json,
    *,
    refuses: Callable[[Any], bool] | None = None,
    limit_s: float = DEFAULT_LIMIT_S,
) -> tuple[Break, ...]:
    """Where a reader does not take what a writer writes, by their exported schemas; () where it is
    proven that it takes all. `refuses`: whether the reader refuses a payload, if somebody knows
    better than its schema; `limit_s`: for the proof, and once more to look for the places."""
    proof = covers(reader, writer, limit_s=limit_s)
    if proof is Proof.YES:
        return ()
    if not (is_schema(reader) and is_schema(writer)):
        return (_break(Failure(Rule.NOT_PROVEN, (), "one of them is no schema", Parts(())), []),)
    failures = _failures(reader, writer, time.monotonic() + limit_s)
    try:
        counterexamples = Counterexamples(reader, writer, refuses)
    except ValueError:
        return tuple(_break(each, []) for each in failures)
    return tuple(_break(each, counterexamples.of(each)) for each in failures)


def differing_places(one: Json, other: Json) -> list[str]:
    """JSON pointers of where payloads of one schema may be none of the other's."""
    deadline = time.monotonic() + DEFAULT_LIMIT_S
    pairs = [pair for pair in ((one, other), (other, one)) if covers(*pair) is not Proof.YES]
    places = [each.path for pair in pairs for each in _failures(*pair, deadline)]
    return sorted({_pointer(path) for path in places})


def _failures(reader: Json, writer: Json, deadline: float) -> list[Failure]:
    asked, written = Document(reader), Document(writer, is_writers=True)
    prover = Prover(asked, written, library_says_yes)
    found = Failures(asked, written, prover, deadline).found()
    return list({(each.rule, each.path, each.detail): each for each in found}.values())


def _break(failure: Failure, examples: list[Any]) -> Break:
    return Break(
        failure.rule,
        _pointer(failure.path),
        f"{failure.detail}; {RULES[failure.rule][1]}",
        Proof.NO if examples else Proof.UNKNOWN,
        examples[0] if examples else None,
        bool(examples),
    )


def _pointer(path: Path) -> str:
    return "".join(f"/{each.name.replace('~', '~0').replace('/', '~1')}" for each in path)
