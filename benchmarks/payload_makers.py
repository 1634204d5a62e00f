"""Makes values of the realistic types with one tool, and counts the valid ones; prints JSON.

Run by `benchmarks.payload_strategies`, each tool in a process of its own: the peers are installed
in an environment of theirs. `python -m benchmarks.payload_makers TOOL --values 100`.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import json
import random
import signal
import time
import warnings
from collections.abc import Callable
from types import FrameType
from typing import Any, TypeAlias

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from pydantic import BaseModel
from pydantic_core import to_json
from typing_extensions import is_typeddict

from omniq_typed import MessageType
from omniq_typed.messages.codec import decode, encode
from omniq_typed.schema.export import writer_schema
from omniq_typed.testing import payloads, wire_payloads
from tests.catalogue import REGISTRY as CATALOGUE_REGISTRY
from tests.testing.realistic_types import REGISTRY, TYPES

MOST_S = 60
SEED = 17
UNHEALTHY = (
    *(HealthCheck.too_slow, HealthCheck.filter_too_much),
    *(HealthCheck.data_too_large, HealthCheck.large_base_example),
)
Maker: TypeAlias = Callable[[MessageType[Any], int], list[Any]]


def drawn(strategy: SearchStrategy[Any], count: int) -> list[Any]:
    """Values of a strategy, whatever Hypothesis thinks of its health."""
    found: list[Any] = []

    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=UNHEALTHY,
    )
    @given(strategy)
    def collect(value: Any) -> None:
        found.append(value)

    collect()
    return found


def by_payloads(message_type: MessageType[Any], count: int) -> list[Any]:
    """Ours: instances."""
    return drawn(payloads(message_type), count)


def by_wire_payloads(message_type: MessageType[Any], count: int) -> list[Any]:
    """Ours: JSON by the schema."""
    known = REGISTRY if message_type.name.startswith("types.") else CATALOGUE_REGISTRY
    return drawn(wire_payloads(message_type.name, message_type.version, schemas=known), count)


def by_from_type(message_type: MessageType[Any], count: int) -> list[Any]:
    """Hypothesis on its own."""
    return drawn(st.from_type(message_type.cls), count)


def by_builds(message_type: MessageType[Any], count: int) -> list[Any]:
    """As `from_type`, by the constructor."""
    return drawn(st.builds(message_type.cls), count)


def by_polyfactory(message_type: MessageType[Any], count: int) -> list[Any]:
    """Its factory for models, dataclasses or TypedDicts."""
    cls: Any = message_type.cls
    factories: dict[str, Callable[[], bool]] = {
        "pydantic_factory.ModelFactory": lambda: issubclass(cls, BaseModel),
        "dataclass_factory.DataclassFactory": lambda: dataclasses.is_dataclass(cls),
        "typed_dict_factory.TypedDictFactory": lambda: is_typeddict(cls),
    }
    for name, fits in factories.items():
        if isinstance(cls, type) and fits():
            module, _, factory = name.partition(".")
            base = getattr(importlib.import_module(f"polyfactory.factories.{module}"), factory)
            made = base.create_factory(model=cls)
            made.seed_random(SEED)
            return [made.build() for _ in range(count)]
    raise TypeError("there is no factory for what is no class")


def by_hypothesis_jsonschema(message_type: MessageType[Any], count: int) -> list[Any]:
    """JSON by the schema."""
    peer = importlib.import_module("hypothesis_jsonschema")
    return drawn(peer.from_schema(writer_schema(message_type)), count)


MAKERS: dict[str, tuple[Maker, bool]] = {
    "payloads": (by_payloads, False),
    "st.from_type": (by_from_type, False),
    "st.builds": (by_builds, False),
    "polyfactory": (by_polyfactory, False),
    "wire_payloads": (by_wire_payloads, True),
    "hypothesis-jsonschema": (by_hypothesis_jsonschema, True),
}
"""How a tool makes values, and whether these are JSON."""


def result_of(tool: str, message_type: MessageType[Any], count: int) -> dict[str, Any]:
    """`made`, `valid`: how many; `ms`: processor time of one value; `error`: why there is none."""
    make, is_json = MAKERS[tool]
    started = time.process_time()
    found: dict[str, Any] = {"type": message_type.name, "made": 0, "valid": 0, "error": ""}
    signal.alarm(MOST_S)
    try:
        values = make(message_type, count)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        said = str(error).splitlines()
        return found | {"error": f"{type(error).__name__}: {said[0] if said else ''}"[:200]}
    finally:
        signal.alarm(0)
    elapsed_s = time.process_time() - started
    valid = sum(is_valid(message_type, value, is_json) for value in values)
    cost = {"ms": elapsed_s * 1e3 / len(values)} if values else {}
    return found | {"made": len(values), "valid": valid, **cost}


def is_valid(message_type: MessageType[Any], value: Any, is_json: bool) -> bool:
    """Whether a value can be published, or JSON be read."""
    try:
        if is_json:
            decode(message_type, to_json(value))
        else:
            encode(message_type, value)
    except Exception:
        return False
    return True


def _give_up(number: int, frame: FrameType | None) -> None:
    raise TimeoutError(f"took more than {MOST_S} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tool", choices=MAKERS)
    parser.add_argument("--values", type=int, default=100, help="of each type")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    random.seed(SEED)
    signal.signal(signal.SIGALRM, _give_up)
    print(json.dumps([result_of(options.tool, each, options.values) for each in TYPES]))


if __name__ == "__main__":
    main()
