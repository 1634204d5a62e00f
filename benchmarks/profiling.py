"""Whose processor time it is: a profile by layers, freed from what profiling itself costs.

Python's profiler slows each call by about as much as a small function takes. Therefore the same
work is done twice, with it and without: the difference, spread over all calls, is taken off again.
"""

from __future__ import annotations

import cProfile
import pstats
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

PYDANTIC = "pydantic"
DRIVER = "redis-py, hiredis"
SOCKET = "socket: system calls"
MESSAGES = "ours, messages: check, envelope, decode"
CORE = "ours, commands and replies"
TRANSPORT = "ours, transport"
WORKER = "ours, worker: lane, leases, routing, settlements"
BUS = "ours, bus and publisher"
LIBRARY = "Python's library"
PROGRAM = "the handler and the program"
LAYERS = (PYDANTIC, MESSAGES, BUS, WORKER, CORE, TRANSPORT, DRIVER, SOCKET, LIBRARY, PROGRAM)

# What a place in the code belongs to, the first that fits.
_FILES = (
    ("/pydantic/", PYDANTIC),
    ("/redis/", DRIVER),
    ("/hiredis/", DRIVER),
    ("/omniq_typed/messages/", MESSAGES),
    ("/omniq_typed/core/", CORE),
    ("/omniq_typed/transport/", TRANSPORT),
    ("/omniq_typed/worker/", WORKER),
    ("/omniq_typed/context.py", WORKER),
    ("/omniq_typed/models.py", CORE),
    ("/omniq_typed/", BUS),
    ("/benchmarks/", PROGRAM),
)
_BUILT_IN = (
    ("pydantic", PYDANTIC),
    ("SchemaValidator", PYDANTIC),
    ("SchemaSerializer", PYDANTIC),
    ("hiredis", DRIVER),
    ("socket", SOCKET),
    ("select.", SOCKET),
)

Place = tuple[str, int, str]
Layers = dict[str, float]


def clock() -> float:
    """Seconds of this thread's processor time."""
    return time.thread_time()


class Profile:
    """Of one thread. `start` and `stop` may be called in the middle of things."""

    def __init__(self) -> None:
        self._profile = cProfile.Profile(time.thread_time_ns, 1e-9)

    def start(self) -> None:
        self._profile.enable()

    def stop(self) -> None:
        self._profile.disable()

    def layers(self, real_s: float) -> Layers:
        """Seconds by layer. `real_s`: what the same work takes without a profile."""
        stats: dict[Place, Any] = pstats.Stats(self._profile).stats  # type: ignore[attr-defined]
        return attribute(stats, real_s)


def attribute(stats: dict[Place, Any], real_s: float) -> Layers:
    """As `Profile.layers`, of the dict that pstats keeps."""
    profiled_s = sum(own for _, _, own, _, _ in stats.values())
    calls = sum(number for _, number, _, _, _ in stats.values())
    overhead_s = max(0.0, profiled_s - real_s) / max(1, calls)
    layers: Layers = defaultdict(float)
    for place, (_, _, own, _, callers) in stats.items():
        layer = layer_of(place)
        if layer is None and not callers:
            layer = LIBRARY
        if layer is not None:
            layers[layer] += own
        for caller, (number, _, own_there, _) in callers.items():
            # Half of what a call costs falls to each side of it.
            called, calling = layer_of(place), layer_of(caller) or LIBRARY
            layers[called or calling] -= number * overhead_s / 2
            layers[calling] -= number * overhead_s / 2
            if called is None:
                layers[calling] += own_there
    return {name: max(0.0, layers[name]) for name in LAYERS}


def layer_of(place: Place) -> str | None:
    """None: a built-in function, which belongs to whoever calls it."""
    file, _, name = place
    if file == "~":
        return next((layer for part, layer in _BUILT_IN if part in name), None)
    return next((layer for part, layer in _FILES if part in file), LIBRARY)


def twice(body: Callable[[Callable[[], None], Callable[[], None]], None]) -> tuple[float, Layers]:
    """Does the work twice: `body(start, stop)` calls these around what is to be measured. Seconds
    of processor time in all, and by layer."""
    moments: list[float] = []
    note = lambda: moments.append(clock())  # noqa: E731
    body(note, note)
    real_s = moments[-1] - moments[0]
    profile = Profile()
    body(profile.start, profile.stop)
    return real_s, profile.layers(real_s)
