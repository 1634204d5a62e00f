"""Pairs of types, before and after a change, with the verdicts on it. Read by the test of the
verdicts and by docs/compatibility.md."""

from types import ModuleType

from tests.evolution import (
    choices,
    classes,
    code,
    containers,
    fields,
    names,
    nested,
    numbers,
    objects,
    texts,
)
from tests.evolution.pairs import Pair, Verdict

__all__ = ["GROUPS", "PAIRS", "Pair", "Verdict"]


def _pairs_of(module: ModuleType) -> tuple[Pair, ...]:
    return tuple(each for each in vars(module).values() if isinstance(each, Pair))


GROUPS: dict[str, tuple[Pair, ...]] = {
    "Fields": _pairs_of(fields),
    "Names": _pairs_of(names),
    "Objects": _pairs_of(objects),
    "Numbers and null": _pairs_of(numbers),
    "Texts": _pairs_of(texts),
    "Choices": _pairs_of(choices),
    "Containers": _pairs_of(containers),
    "Classes in classes": _pairs_of(nested),
    "Kinds of classes": _pairs_of(classes),
    "Code": _pairs_of(code),
}
PAIRS: tuple[Pair, ...] = tuple(each for group in GROUPS.values() for each in group)
