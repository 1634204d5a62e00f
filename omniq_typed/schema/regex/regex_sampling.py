"""Texts that match regular expressions, several at once, and are of a length: at random, the
shortest, and a set that goes through every part of the expressions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from math import inf
from random import Random

from omniq_typed.schema.regex.characters import ALPHABET
from omniq_typed.schema.regex.languages import Languages
from omniq_typed.schema.regex.regex_languages import is_exact, mentioned, searched
from omniq_typed.schema.regex.regex_parser import parse
from omniq_typed.schema.regex.regex_states import State, states_of

MOST_STATES = 3_000
"""What lies further in a large expression is not looked at: texts stay shorter than they might."""
_USUAL_LENGTH = 24
_PLAIN_SHARE = 0.75


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
        named = {char for tree in (*trees, *refused) for char in mentioned(tree)}
        self._languages = Languages(ALPHABET + "".join(sorted(named - set(ALPHABET))))
        wanted = [searched(self._languages, tree) for tree in trees]
        wanted += [self._languages.other_than(searched(self._languages, tree)) for tree in refused]
        self._states, complete = states_of(
            self._languages, self._languages.all_of(wanted), most_states
        )
        self._is_exact = complete and all(is_exact(tree) for tree in (*trees, *refused))
        self._chars: dict[int, str] = {}
        self._plain: dict[int, str] = {}

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
            mask, state = ways[int(rng.random() * len(ways))]
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
        """The first and the last more often than the others, the plain ones too."""
        chars, place = self._among(mask), rng.random()
        if rng.random() < _PLAIN_SHARE:
            chars = self._plain_among(mask) or chars
        if place < 0.5:
            return chars[0] if place < 0.25 else chars[-1]
        return chars[int((place - 0.5) * 2 * len(chars))]

    def _plain_among(self, mask: int) -> str:
        found = self._plain.get(mask)
        if found is None:
            found = "".join(each for each in self._among(mask) if " " <= each <= "~")
            self._plain[mask] = found
        return found

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
