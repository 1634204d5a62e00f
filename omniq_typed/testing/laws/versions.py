"""Laws of a message type and of its earlier versions, by their stored schemas."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from hypothesis.strategies import SearchStrategy
from pydantic_core import from_json
from typing_extensions import TypeForm

from omniq_typed.errors import InvalidArgument
from omniq_typed.messages.message_type import MessageType
from omniq_typed.messages.registry import Registry, default_registry
from omniq_typed.schema.versions import SchemaVersion
from omniq_typed.testing.laws.evolution import OldVersion
from omniq_typed.testing.laws.published import fault_of, published, values_of
from omniq_typed.testing.laws.search import LawBroken, search
from omniq_typed.testing.stored_schemas import Schemas, stored_versions
from omniq_typed.testing.strategies.json_schemas import objection_of


def evolves(
    message_type: TypeForm[Any] | MessageType[Any],
    /,
    *,
    schemas: Schemas,
    registry: Registry | None = None,
    values: Mapping[int, SearchStrategy[Any]] | None = None,
    may_drop: Collection[str] = (),
    examples: int | None = None,
) -> None:
    """Payloads of every stored version up to today's can be read, through the upcasts of the
    registry, and lose no field that the type still has.

    `schemas`: a folder of exported schemas, or histories by name; `values`: JSON of a version, to
    use instead of what its schema allows; `may_drop`: JSON pointers ('*' for any key or index) of
    what upcasts leave out on purpose. Raises InvalidMessageType for a type that is not in the
    registry (default: the default one), InvalidArgument where nothing of it is stored.
    """
    __tracebackhide__ = True
    known = default_registry if registry is None else registry
    declared = known.of_type(message_type)
    for number, stored in stored_versions(declared.name, schemas).items():
        if number > declared.version:
            continue
        steps = known.steps(declared.name, number, declared.version)
        if steps is None:
            gap = {"stored": f"v{number}", "today": declared.label}
            raise LawBroken("evolves", declared.label, f"no upcasts lead from v{number}", gap)
        old = OldVersion(stored, declared, steps, may_drop)
        given = (values or {}).get(number)
        trees = old.payloads(known) if given is None else given
        search("evolves", declared.label, trees, old.check, examples)


def forward(
    message_type: TypeForm[Any] | MessageType[Any],
    /,
    *,
    schemas: Schemas,
    registry: Registry | None = None,
    values: SearchStrategy[Any] | None = None,
    examples: int | None = None,
) -> None:
    """Readers of the version before take what is published today, by their stored schema. Raises
    InvalidMessageType for a type that is not in the registry (default: the default one),
    InvalidArgument where no earlier version is stored."""
    __tracebackhide__ = True
    declared = (default_registry if registry is None else registry).of_type(message_type)
    earlier = earlier_versions(declared, schemas)
    if not earlier:
        raise InvalidArgument("schemas", f"no version before {declared.label} is stored")
    before = earlier[max(earlier)]
    objection = objection_of(before.reader)

    def check(value: Any) -> None:
        written = published(declared, value)
        if why := objection(from_json(written)):
            problem = f"readers of v{before.version} refuse a message"
            raise fault_of(problem, value, written, why)

    search("forward", declared.label, values_of(declared, values), check, examples)


def earlier_versions(message_type: MessageType[Any], schemas: Schemas) -> dict[int, SchemaVersion]:
    """The stored versions before a type's own. Raises InvalidArgument where nothing is stored."""
    stored = stored_versions(message_type.name, schemas)
    return {number: it for number, it in stored.items() if number < message_type.version}
