"""Sets of texts as expressions: sequences, choices, repetitions, and, for lookaheads, what is in
all of several sets, or in none. `after` takes a character off the front of every text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal[
    "none", "empty", "start", "end", "char", "then", "or", "and", "not", "rep"
]


@dataclass(frozen=True, slots=True, eq=False)
class Language:
    """A set of texts. Two of one `Languages` are the same object if they are built alike.

    `number`: in the order in which they were made; `mask`: of a single character, which of the
    alphabet it may be, as bits; `least`, `most`: of a repetition.
    """

    kind: Kind
    number: int
    parts: tuple[Language, ...] = ()
    mask: int = 0
    least: int = 0
    most: int | None = None


class Languages:
    """Makes languages over an alphabet, and remembers each."""

    def __init__(self, alphabet: str) -> None:
        self.alphabet = alphabet
        self.all_chars = (1 << len(alphabet)) - 1
        self._made: dict[tuple[object, ...], Language] = {}
        self._after: dict[tuple[Language, int, bool], Language] = {}
        self._started: dict[Language, Language] = {}
        self.none = self._make("none")
        self.empty = self._make("empty")
        """Of the empty text alone."""
        self.start = self._make("start")
        self.end = self._make("end")
        self.anything = self.repeat(self.char(self.all_chars), 0, None)

    def char(self, mask: int) -> Language:
        """One character out of a set."""
        return self._make("char", mask=mask) if mask else self.none

    def then(self, first: Language, second: Language) -> Language:
        """A text of the first, followed by one of the second."""
        if self.none in (first, second):
            return self.none
        if first is self.empty:
            return second
        if second is self.empty or (first is second is self.anything):
            return first
        if first.kind == "then":
            head, rest = first.parts
            return self.then(head, self.then(rest, second))
        return self._make("then", (first, second))

    def any_of(self, choices: Iterable[Language]) -> Language:
        """The texts of all choices."""
        flat = [part for each in choices for part in (each.parts if each.kind == "or" else (each,))]
        if self.anything in flat:
            return self.anything
        mask = reduce(lambda mask, each: mask | each.mask, flat, 0)
        kept = {each for each in flat if each is not self.none and each.kind != "char"}
        if mask:
            kept.add(self.char(mask))
        return self._several("or", kept, self.none)

    def all_of(self, demands: Iterable[Language]) -> Language:
        """The texts that are in each."""
        flat = [
            part for each in demands for part in (each.parts if each.kind == "and" else (each,))
        ]
        if self.none in flat:
            return self.none
        return self._several("and", set(flat) - {self.anything}, self.anything)

    def other_than(self, language: Language) -> Language:
        """All other texts."""
        if language.kind == "not":
            return language.parts[0]
        if language in (self.none, self.anything):
            return self.anything if language is self.none else self.none
        return self._make("not", (language,))

    def repeat(self, language: Language, least: int, most: int | None) -> Language:
        """`least` to `most` (None: any number of) texts, one behind the other."""
        if most == 0 or language is self.empty:
            return self.empty
        if language is self.none:
            return self.none if least else self.empty
        if (least, most) == (1, 1):
            return language
        return self._make("rep", (language,), least=least, most=most)

    def _several(self, kind: Kind, parts: set[Language], without: Language) -> Language:
        if len(parts) < 2:
            return next(iter(parts), without)
        return self._make(kind, tuple(sorted(parts, key=lambda each: each.number)))

    def _make(
        self,
        kind: Kind,
        parts: tuple[Language, ...] = (),
        *,
        mask: int = 0,
        least: int = 0,
        most: int | None = None,
    ) -> Language:
        key = (kind, parts, mask, least, most)
        found = self._made.get(key)
        if found is None:
            found = self._made[key] = Language(kind, len(self._made), parts, mask, least, most)
        return found

    def has_empty(self, language: Language, *, at_start: bool, at_end: bool) -> bool:
        """Whether the empty text is in it, at this place of the whole text."""
        match language.kind:
            case "empty":
                return True
            case "start":
                return at_start
            case "end":
                return at_end
            case "or":
                return any(self._all_have_empty(language, at_start, at_end))
            case "then" | "and":
                return all(self._all_have_empty(language, at_start, at_end))
            case "not":
                return not all(self._all_have_empty(language, at_start, at_end))
            case "rep":
                return language.least == 0 or all(self._all_have_empty(language, at_start, at_end))
            case _:
                return False

    def _all_have_empty(self, language: Language, at_start: bool, at_end: bool) -> Iterable[bool]:
        return (self.has_empty(each, at_start=at_start, at_end=at_end) for each in language.parts)

    def after(self, language: Language, mask: int, *, at_start: bool = False) -> Language:
        """What may follow one of these characters, which have to be alike for the language (see
        `alike`)."""
        key = (language, mask, at_start)
        found = self._after.get(key)
        if found is None:
            found = self._after[key] = self._step(language, mask, at_start)
        return found

    def _step(self, language: Language, mask: int, at_start: bool) -> Language:
        parts = [self.after(each, mask, at_start=at_start) for each in language.parts[:1]]
        match language.kind:
            case "char":
                return self.empty if language.mask & mask else self.none
            case "then":
                first, second = language.parts
                ways = [self.then(parts[0], second)]
                if self.has_empty(first, at_start=at_start, at_end=False):
                    ways.append(self.after(second, mask, at_start=at_start))
                return self.any_of(ways)
            case "or" | "and":
                every = [self.after(each, mask, at_start=at_start) for each in language.parts]
                return self.any_of(every) if language.kind == "or" else self.all_of(every)
            case "not":
                return self.other_than(parts[0])
            case "rep":
                most = None if language.most is None else language.most - 1
                rest = self.repeat(language.parts[0], max(language.least - 1, 0), most)
                return self.then(parts[0], rest)
            case _:
                return self.none

    def started(self, language: Language) -> Language:
        """The language behind the first character, where no start is any more."""
        found = self._started.get(language)
        if found is None:
            found = self._started[language] = self._without_start(language)
        return found

    def _without_start(self, language: Language) -> Language:
        parts = [self.started(each) for each in language.parts]
        match language.kind:
            case "start":
                return self.none
            case "then":
                return self.then(parts[0], parts[1])
            case "or":
                return self.any_of(parts)
            case "and":
                return self.all_of(parts)
            case "not":
                return self.other_than(parts[0])
            case "rep":
                return self.repeat(parts[0], language.least, language.most)
            case _:
                return language

    def alike(self, language: Language) -> list[int]:
        """The alphabet in sets of characters after which the same may follow."""
        groups = [self.all_chars]
        for mask in self._masks(language, set()):
            halves = [half for group in groups for half in (group & mask, group & ~mask)]
            groups = [half for half in halves if half]
        return groups

    def _masks(self, language: Language, seen: set[Language]) -> Iterable[int]:
        if language in seen:
            return
        seen.add(language)
        if language.kind == "char":
            yield language.mask
        parts = language.parts
        if language.kind == "then" and not self._may_be_empty(parts[0]):
            parts = parts[:1]
        for each in parts:
            yield from self._masks(each, seen)

    def _may_be_empty(self, language: Language) -> bool:
        return self.has_empty(language, at_start=True, at_end=False)
