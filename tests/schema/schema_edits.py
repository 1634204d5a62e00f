"""Random edits of exported schemas, as a change of the Python type would make them, and others."""

from __future__ import annotations

import copy
from random import Random

from tests.schema import edits_of_objects as objects
from tests.schema import edits_of_values as values
from tests.schema.edit_place import Edit, Json, NotHere, Place, nodes_of

EDITS: tuple[Edit, ...] = (*objects.EDITS, *values.EDITS)


def edited(schema: Json, rng: Random) -> tuple[Json, str]:
    """A copy with one random edit at a random place, and the edit's name."""
    while True:
        found: Json = copy.deepcopy(schema)
        edit = rng.choice(EDITS)
        nodes = list(nodes_of(found))
        rng.shuffle(nodes)
        for node in nodes:
            try:
                edit(Place(node, found, rng))
            except NotHere:
                continue
            return found, edit.__name__
