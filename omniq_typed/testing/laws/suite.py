"""The laws of all types of a registry, for one parametrised test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from omniq_typed.messages.message_type import MessageType
from omniq_typed.messages.registry import Registry, default_registry
from omniq_typed.testing.laws.single import conforms, portable, rejects_near_misses, roundtrip
from omniq_typed.testing.laws.versions import evolves, forward
from omniq_typed.testing.stored_schemas import Schemas, all_versions


@dataclass(frozen=True)
class Law:
    """A law of one message type; `str` of it is a good id of a test."""

    name: str
    message_type: MessageType[Any]
    hold: Callable[[], None]

    def check(self) -> None:
        """Raises LawBroken."""
        __tracebackhide__ = True
        self.hold()

    def __str__(self) -> str:
        return f"{self.name}-{self.message_type.name}-v{self.message_type.version}"


def all(
    registry: Registry | None = None,
    *,
    schemas: Schemas | None = None,
    examples: int | None = None,
) -> list[Law]:
    """The laws of all types of a registry (default: the default one), for one test:
    `@pytest.mark.parametrize("law", laws.all(registry), ids=str)`, which calls `law.check()`.

    `portable` is left out for types that say they are read by Python alone (`strict_types=False`);
    `evolves` and `forward` come in for the newest version of names that have stored `schemas`.
    Raises InvalidArgument where `schemas` cannot be read.
    """
    known = default_registry if registry is None else registry
    newest = {each.name: each for each in known.types()}
    stored = {} if schemas is None else all_versions(schemas)
    found: list[Law] = []
    for each in known.types():
        of_each = [roundtrip, conforms, rejects_near_misses]
        if each.strict_types is not False:
            of_each.append(portable)
        found += (Law(it.__name__, each, partial(it, each, examples=examples)) for it in of_each)
        if schemas is not None and newest[each.name] is each and each.name in stored:
            holds = partial(evolves, each, schemas=schemas, registry=known, examples=examples)
            found.append(Law("evolves", each, holds))
            if min(stored[each.name]) < each.version:
                holds = partial(forward, each, schemas=schemas, registry=known, examples=examples)
                found.append(Law("forward", each, holds))
    return found
