"""Which tests CI gives a second chance.

On a busy machine one of thousands may fail for want of time, and be run once more (`.ci/run`). What
a random search has found is not of that kind: it is a fault, though the next search may miss it.
"""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import is_hypothesis_test

SEARCHES = (
    "tests/properties/",
    "tests/chaos/test_storm",
    "tests/testing/test_laws.py",
    "tests/testing/test_queue_machine.py",
)


def is_search(item: pytest.Item) -> bool:
    """Whether a random search is what the test does."""
    function = getattr(item, "obj", None)
    return item.nodeid.startswith(SEARCHES) or is_hypothesis_test(function)


def deny_to_searches(config: pytest.Config, items: Iterable[pytest.Item]) -> None:
    """Whatever the command line says. Nothing is to be done without the plugin."""
    if not config.pluginmanager.hasplugin("rerunfailures"):
        return
    for item in items:
        if is_search(item):
            item.add_marker(pytest.mark.flaky(reruns=0))
