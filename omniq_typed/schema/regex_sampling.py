"""Texts that match regular expressions, several at once, and are of a length: at random, the
shortest, and a set that goes through every part of the expressions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from math import inf
from random import Random

from omniq_typed.schema.characters import ALPHABET, CharSet
from omniq_typed.schema.languages import Language, Languages
from omniq_typed.schema.regex_parser import (
    Choice,
    Edge,
    Look,
    Node,
    Repeated,
    Sequence,
    parse,
)

MOST_STATES = 3_000
"""What lies further in a large expression is not looked at: texts stay shorter than they might."""
_MOST_LOOKS = 8
"""What is repeated and looks ahead is repeated so often at the most."""
_USUAL_LENGTH = 24
_PLAIN_SHARE = 0.75


@dataclass(eq=False, slots=True)
class State:
    """A place within the expressions. `ways`: characters (as bits) and where they lead;
    `to_end`, `longest`: the fewest and most characters to a whole text from here."""

    whole: bool
    ways: list[tuple[int, State]] = field(default_factory=list)
    before: tuple[State, int] | None = None
    to_end: float = inf
    longest: float = inf


class Texts:
    """Texts that match all of the regexes and none of `but_not`. Raises UnknownRegex."""

    def __init__(
        self,
        regexes: Iterable[str],
        but_not: Iterable[str] = (),
        *,
        most_states: int = MOST_STATES,
    ) -> None:
        trees = [parse(each) for each in regexes]
        refused = [parse(each) for each in but_not]
        mentioned = {char for tree in (*trees, *refused) for char in _mentioned(tree)}
        self._languages = Languages(ALPHABET + "".join(sorted(mentioned - set(ALPHABET))))
        wanted = [_searched(self._languages, tree) for tree in trees]
        wanted += [self._languages.other_than(_searched(self._languages, tree)) for tree in refused]
        self._states, complete = _explored(
            self._languages, self._languages.all_of(wanted), most_states
        )
        self._is_exact = complete and all(_is_exact(tree) for tree in (*trees, *refused))
        self._chars: dict[int, str] = {}

    @property
    def exist(self) -> bool:
        """Whether there are any (that are not very long)."""
        return self._states[0].to_end < inf

    @property
    def start(self) -> State:
        """Where every text begins."""
        return self._states[0]

    def characters(self, mask: int) -> str:
        """What a way stands for, the plainest characters first."""
        return self._among(mask)

    @property
    def cannot_exist(self) -> bool:
        """Whether it is certain that there are none, of whatever length and characters."""
        return self._is_exact and not self.exist

    def shortest(self) -> str:
        """One of the shortest, of the plainest characters. Raises LookupError if there is none."""
        return self._completed("", self._first())

    def random(self, rng: Random, least: int = 0, most: float = inf) -> str | None:
        """One of at least `least` and at most `most` characters; None where none was met."""
        state, text = self._first(), ""
        wanted = min(_some_length(rng, least), most)
        while not (state.whole and len(text) >= wanted):
            ways = self._ways(state, len(text), least, most)
            if not ways:
                break
            if len(text) >= wanted:
                nearest = min(way[1].to_end for way in ways)
                ways = [way for way in ways if way[1].to_end == nearest]
            mask, state = rng.choice(ways)
            text += self._char(mask, rng)
        return text if state.whole and least <= len(text) <= most else None

    def varied(self, limit: int = 40) -> list[str]:
        """At most `limit` texts that go, between them, through as many steps of the expressions as
        they can, each with the first and the last of its characters, on the shortest way."""
        every = list(dict.fromkeys(self._each_step()))
        apart = max(1, -(-len(every) // limit))
        return every[::apart]

    def _each_step(self) -> Iterator[str]:
        for state in self._states:
            for mask, target in state.ways:
                chars = self._among(mask)
                for char in (chars[0], chars[-1]):
                    yield self._completed(self._way_to(state) + char, target)

    def _first(self) -> State:
        if not self.exist:
            raise LookupError("no text matches all of the patterns")
        return self._states[0]

    def _ways(self, state: State, length: int, least: int, most: float) -> list[tuple[int, State]]:
        return [
            (mask, target)
            for mask, target in state.ways
            if length + 1 + target.to_end <= most and length + 1 + target.longest >= least
        ]

    def _completed(self, text: str, state: State) -> str:
        while not state.whole:
            mask, state = min(state.ways, key=lambda way: way[1].to_end)
            text += self._among(mask)[0]
        return text

    def _way_to(self, state: State) -> str:
        text = ""
        while state.before is not None:
            state, mask = state.before
            text = self._among(mask)[0] + text
        return text

    def _char(self, mask: int, rng: Random) -> str:
        chars = self._among(mask)
        if rng.random() < _PLAIN_SHARE:
            plain = [each for each in chars if " " <= each <= "~"]
            chars = "".join(plain) or chars
        return rng.choice((chars[0], chars[-1], rng.choice(chars), rng.choice(chars)))

    def _among(self, mask: int) -> str:
        found = self._chars.get(mask)
        if found is None:
            alphabet = self._languages.alphabet
            found = "".join(char for at, char in enumerate(alphabet) if mask >> at & 1)
            self._chars[mask] = found
        return found


@lru_cache(maxsize=512)
def texts(regexes: tuple[str, ...], but_not: tuple[str, ...] = ()) -> Texts:
    """Texts of the same regexes are made up once. Raises UnknownRegex."""
    return Texts(regexes, but_not)


def _some_length(rng: Random, least: int) -> int:
    kind = rng.random()
    if kind < 0.2:
        return least
    return least + rng.randrange(10 * _USUAL_LENGTH if kind > 0.97 else _USUAL_LENGTH)


def _mentioned(tree: Node) -> Iterator[str]:
    match tree:
        case CharSet():
            yield from tree.mentioned()
        case Sequence(parts) | Choice(parts):
            for each in parts:
                yield from _mentioned(each)
        case Repeated(part) | Look(part):
            yield from _mentioned(part)
        case Edge():
            return


def _searched(languages: Languages, tree: Node) -> Language:
    """The texts in which a regex is found somewhere."""
    anything = languages.anything
    return languages.then(anything, _followed(languages, tree, anything))


def _followed(languages: Languages, tree: Node, rest: Language) -> Language:
    """The texts of a tree with the rest behind them; the rest is what a lookahead sees."""
    match tree:
        case CharSet():
            chars = enumerate(languages.alphabet)
            mask = sum(1 << at for at, char in chars if char in tree)
            return languages.then(languages.char(mask), rest)
        case Edge(at):
            return languages.then(languages.start if at == "start" else languages.end, rest)
        case Sequence(parts):
            for each in reversed(parts):
                rest = _followed(languages, each, rest)
            return rest
        case Choice(parts) if _has_look(tree):
            return languages.any_of(_followed(languages, each, rest) for each in parts)
        case Choice(parts):
            each_alone = [_followed(languages, each, languages.empty) for each in parts]
            return languages.then(languages.any_of(each_alone), rest)
        case Repeated(part, least, most) if _has_look(part):
            return _unrolled(languages, part, least, most, rest)
        case Repeated(part, least, most):
            once = _followed(languages, part, languages.empty)
            return languages.then(languages.repeat(once, least, most), rest)
        case Look(part, negated):
            seen = _followed(languages, part, languages.anything)
            return languages.all_of([languages.other_than(seen) if negated else seen, rest])


def _has_look(tree: Node) -> bool:
    match tree:
        case Look():
            return True
        case Sequence(parts) | Choice(parts):
            return any(_has_look(each) for each in parts)
        case Repeated(part):
            return _has_look(part)
        case _:
            return False


def _is_exact(tree: Node) -> bool:
    """Whether the alphabet stands for all characters, and nothing was left out."""
    match tree:
        case CharSet():
            return tree.is_listed
        case Sequence(parts) | Choice(parts):
            return all(_is_exact(each) for each in parts)
        case Repeated(part, least, most):
            is_cut = _has_look(part) and (most is None or most > least + _MOST_LOOKS)
            return _is_exact(part) and not is_cut
        case Look(part):
            return _is_exact(part)
        case Edge():
            return True


def _unrolled(
    languages: Languages, part: Node, least: int, most: int | None, rest: Language
) -> Language:
    """Time after time, as each lookahead sees all that follows; not for ever."""
    limit = least + _MOST_LOOKS if most is None else min(most, least + _MOST_LOOKS)
    found = rest
    for time in range(limit, 0, -1):
        found = _followed(languages, part, found)
        if time > least:
            found = languages.any_of([found, rest])
    return found


def _explored(
    languages: Languages, language: Language, most_states: int
) -> tuple[list[State], bool]:
    """The places in the order of their distance from the first, ways to dead ends left out; and
    whether these are all places."""
    whole = languages.has_empty(language, at_start=True, at_end=True)
    states = [State(whole)]
    known: dict[Language, State] = {}
    waiting = [(states[0], language)]
    for state, here in waiting:
        if len(states) >= most_states:
            break
        at_start = state is states[0]
        for mask in languages.alike(here):
            follows = languages.after(here, mask & -mask, at_start=at_start)
            if at_start:
                follows = languages.started(follows)
            if follows is languages.none:
                continue
            target = known.get(follows)
            if target is None:
                whole = languages.has_empty(follows, at_start=False, at_end=True)
                target = known[follows] = State(whole, before=(state, mask))
                states.append(target)
                waiting.append((target, follows))
            state.ways.append((mask, target))
    _measure(states)
    return states, len(states) < most_states


def _measure(states: list[State]) -> None:
    """Distances to the end; ways to places without one are taken away."""
    into: dict[State, list[State]] = {state: [] for state in states}
    for state in states:
        for _, target in state.ways:
            into[target].append(state)
    reached = [state for state in states if state.whole]
    for state in reached:
        state.to_end = 0
    for state in reached:
        for earlier in into[state]:
            if earlier.to_end == inf:
                earlier.to_end = state.to_end + 1
                reached.append(earlier)
    for state in states:
        state.ways = [way for way in state.ways if way[1].to_end < inf]
    _measure_longest(reached, into)


def _measure_longest(alive: list[State], into: dict[State, list[State]]) -> None:
    """Where no circle is reached, the way to the last end has a length."""
    open_ways = {state: len(state.ways) for state in alive}
    done = [state for state in alive if not state.ways]
    for state in done:
        state.longest = max((1 + way[1].longest for way in state.ways), default=0)
        for earlier in into[state]:
            if earlier in open_ways:
                open_ways[earlier] -= 1
                if open_ways[earlier] == 0:
                    done.append(earlier)
