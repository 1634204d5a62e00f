"""How long the supervisor of workers waits with the next process, and what it says of the last."""

from __future__ import annotations

import pytest

from omniq_typed.cli.processes.child import LONGEST_WAIT_S, STEADY_S, Place, how_it_ended
from omniq_typed.cli.processes.exits import worst


def test_the_first_death_costs_no_wait_and_each_further_one_a_longer_one() -> None:
    place = Place(1)
    waits = [place.wait_after(0.1) for _ in range(12)]
    assert waits[0] == 0
    for n, wait_s in enumerate(waits[1:]):
        bound = min(LONGEST_WAIT_S, 0.5 * 2**n)
        assert 0.75 * bound <= wait_s <= bound


def test_a_long_life_or_an_edit_forgets_the_deaths_before() -> None:
    place = Place(1)
    for _ in range(5):
        place.wait_after(0.1)
    assert place.wait_after(STEADY_S) == 0
    assert place.wait_after(0.1) == 0
    assert place.wait_after(0.1) > 0
    place.start_now()
    assert place.wait_after(0.1) == 0


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (3, "ended with code 3"),
        (137, "was killed by SIGKILL (as the kernel does where memory runs out)"),
        (143, "was killed by SIGTERM"),
        (255, "was killed by signal 127"),
    ],
)
def test_what_is_said_of_an_end(code: int, said: str) -> None:
    assert how_it_ended(code) == said


def test_the_worst_code_counts() -> None:
    assert (worst([]), worst([0, 3, 0]), worst([143, 2])) == (0, 3, 143)
