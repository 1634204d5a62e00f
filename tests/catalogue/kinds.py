"""What an entry of the catalogue is, and how the modules beside this one write it down."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from omniq_typed import MessageType, Registry, message_type

REGISTRY = Registry(strict_types=True)
"""Every kind passes the check for types that other languages read alike, unless it is registered
with `portable=False`, to show what the check is about."""

Style = Literal[
    "model",
    "dataclass",
    "Pydantic dataclass",
    "generic model",
    "generic dataclass",
    "root model",
    "TypedDict",
    "union of models",
    "union of dataclasses",
    "plain type",
]


@dataclass(frozen=True, eq=False)
class Form:
    """One way to write a kind in Python. `samples`: values of the type, the first one typical."""

    kind: str
    style: Style
    message_type: MessageType[Any]
    samples: tuple[Any, ...]

    @property
    def label(self) -> str:
        """The message's name: `catalogue.money.model`."""
        return self.message_type.name


@dataclass(frozen=True, eq=False)
class Kind:
    """Something that messages hold. `python`: the lines of its source that show it; `portable`:
    whether every language reads it alike."""

    name: str
    title: str
    python: tuple[str, ...]
    forms: tuple[Form, ...]
    portable: bool


@dataclass(frozen=True)
class Draft:
    """A form before it has a name."""

    style: Style
    declared: Any
    samples: tuple[Any, ...]


def kind(
    name: str,
    title: str,
    python: str | tuple[str, ...],
    *drafts: Draft,
    queue: str,
    portable: bool = True,
) -> Kind:
    """An entry with its message types registered, named `catalogue.NAME.STYLE`."""
    lines = (python,) if isinstance(python, str) else python
    forms = tuple(_registered(name, draft, queue, portable) for draft in drafts)
    return Kind(name, title, lines, forms, portable)


def form(style: Style, declared: Any, samples: Iterable[Any]) -> Draft:
    """One form and its samples."""
    return Draft(style, declared, tuple(samples))


def both(
    model: type[Any],
    dataclass_: type[Any],
    fields: Iterable[Mapping[str, Any]],
    style: Style = "dataclass",
) -> tuple[Draft, Draft]:
    """A model and a dataclass with samples made of the same fields."""
    rows = tuple(fields)
    return (
        form("model", model, [model(**row) for row in rows]),
        form(style, dataclass_, [dataclass_(**row) for row in rows]),
    )


def _registered(name: str, draft: Draft, queue: str, portable: bool) -> Form:
    suffix = draft.style.lower().replace(" ", "_")
    registered: MessageType[Any] = message_type(
        draft.declared,
        name=f"catalogue.{name}.{suffix}",
        queue=queue,
        backoff_ms=1,
        strict_types=None if portable else False,
        registry=REGISTRY,
    )
    return Form(name, draft.style, registered, draft.samples)
