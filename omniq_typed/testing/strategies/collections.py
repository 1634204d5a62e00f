"""Lists and dicts that shrink well, whatever they hold."""

from __future__ import annotations

from typing import Any

from hypothesis import reject
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

ROOM = (8, 3, 2)
"""How many more items than it must have a collection holds, by how many it lies in: examples that
grow in each direction are slow."""
_TRIES = 20


def limits(least: int, most: int | None, inside: int) -> tuple[int, int]:
    """Fewest and most items of a collection that lies `inside` so many others."""
    roomy = least + ROOM[min(inside, len(ROOM) - 1)]
    return least, roomy if most is None else max(least, min(most, roomy))


@st.composite
def several(draw: DrawFn, items: SearchStrategy[Any], least: int, most: int) -> list[Any]:
    """So many items. The number is drawn first: Hypothesis can then take out any item as a whole,
    where out of its own lists it takes a few choices at a time, too few for an object."""
    return [draw(items) for _ in range(draw(st.integers(least, most)))]


@st.composite
def entries(
    draw: DrawFn, keys: SearchStrategy[str], values: SearchStrategy[Any], least: int, most: int
) -> dict[str, Any]:
    """A dict; as `several`."""
    found: dict[str, Any] = {}
    for _ in range(draw(st.integers(least, most))):
        key, value = draw(st.tuples(keys, values))
        found.setdefault(key, value)
    for _ in range(_TRIES):
        if len(found) >= least:
            return found
        found.setdefault(draw(keys), draw(values))
    return reject()
