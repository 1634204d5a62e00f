"""The storm in its short form; the long one is `make chaos`, and its report docs/chaos.md."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.chaos.storm.plan import SHORT
from tests.chaos.storm.report import complaint
from tests.chaos.storm.storm import run_storm
from tests.servers import Kind, ServerUnavailable, find_binary

SEED = "OMNIQ_STORM_SEED"
"""Set it to see a storm again, as far as processes allow."""


@pytest.mark.slow
@pytest.mark.timeout(400)  # what hangs is told by the storm itself, which has deadlines
@pytest.mark.parametrize("kind", ["redis", "valkey"])
def test_no_storm_breaks_a_law(kind: Kind, tmp_path: Path) -> None:
    try:
        find_binary(kind)
    except ServerUnavailable as error:
        pytest.skip(str(error))
    seed = int(os.environ.get(SEED) or random.SystemRandom().randrange(10**6))
    verdict = run_storm(seed, SHORT, tmp_path, kind)
    assert verdict.holds, complaint(verdict)
