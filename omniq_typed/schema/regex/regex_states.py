"""A language as places with ways between them, each taken by a character: what may follow where,
and how far it is to the end."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf

from omniq_typed.schema.regex.languages import Language, Languages


@dataclass(eq=False, slots=True)
class State:
    """A place within the expressions. `ways`: characters (as bits) and where they lead;
    `to_end`, `longest`: the fewest and most characters to a whole text from here."""

    whole: bool
    ways: list[tuple[int, State]] = field(default_factory=list)
    before: tuple[State, int] | None = None
    to_end: float = inf
    longest: float = inf


def states_of(
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
