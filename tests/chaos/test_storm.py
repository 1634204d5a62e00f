"""The storm in its short form, half a minute; its long form is `make chaos`: docs/chaos.md."""

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
KINDS: tuple[Kind, ...] = ("redis", "valkey")


@pytest.mark.slow
@pytest.mark.timeout(400)  # what hangs is told by the storm itself, which has deadlines
def test_no_storm_breaks_a_law(tmp_path: Path) -> None:
    """On Redis for even seeds, on Valkey for odd ones."""
    seed = int(os.environ.get(SEED) or random.SystemRandom().randrange(10**6))
    kind = KINDS[seed % 2]
    try:
        find_binary(kind)
    except ServerUnavailable as error:
        pytest.skip(str(error))
    verdict = run_storm(seed, SHORT, tmp_path, kind)
    assert verdict.holds, complaint(verdict)
