"""`MessageType`: a Python type with the name and version under which its values travel."""

from __future__ import annotations

import logging
import types
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, is_dataclass
from functools import cached_property
from typing import Annotated, Any, Generic, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, TypeAdapter
from pydantic.errors import (
    PydanticSchemaGenerationError,
    PydanticUndefinedAnnotation,
    PydanticUserError,
)
from typing_extensions import TypeAliasType, is_typeddict

from omniq_typed.errors import Fault, InvalidMessageType, PortabilityWarning
from omniq_typed.messages.exactness import exactness_check
from omniq_typed.messages.natural import natural_check, sure_writer
from omniq_typed.messages.portability import Hazard, hazards
from omniq_typed.models import Compatibility, Ordering
from omniq_typed.protocols import RetryPolicy

T = TypeVar("T")

log = logging.getLogger("omniq_typed.messages")


@dataclass(frozen=True, eq=False)
class MessageType(Generic[T]):
    """A registered type. Times in ms; `queue` None: the publisher names one.

    `gid` and `dedup_key` are functions of the payload; `retry` is for consumers that name no
    policy; `shared` says that other teams or languages use the type; `defined_at` is the place of
    the registration, file:line.
    """

    name: str
    version: int
    cls: Any
    """What the values are: a class, a TypedDict, a Union, an Annotated type."""
    queue: str | None = None
    max_attempts: int = 3
    timeout_ms: int = 30_000
    backoff_ms: int = 5_000
    retry: RetryPolicy | None = None
    ordering: Ordering = "relaxed"
    gid: Callable[[Any], str | None] | None = None
    group_limit: int = 0
    dedup_key: Callable[[Any], str] | None = None
    strict_types: bool | None = None
    shared: bool = False
    compatibility: Compatibility | None = None
    defined_at: str = ""
    built: TypeAdapter[T] | None = field(default=None, repr=False)
    """The adapter, where it could be built at the registration."""

    @cached_property
    def adapter(self) -> TypeAdapter[T]:
        """Built at the registration or, where annotations refer to names that did not exist then,
        at first use. Raises InvalidMessageType where they still do not exist."""
        if self.built is not None:
            return self.built
        adapter = try_adapter(self.cls)
        if adapter is None:
            raise InvalidMessageType(
                "message",
                f"{self.label} at {self.defined_at} has an annotation with an unknown name; define"
                " the name at module level before the type is used",
            )
        self.check_portability(adapter)
        return adapter

    @cached_property
    def is_natural(self) -> Callable[[Any], bool]:
        """Whether a value is so plain that `exactness` and the serializer's warnings have nothing
        to say of it."""
        return natural_check(self.adapter)

    @cached_property
    def sure_writer(self) -> Callable[[Any], bytes | None]:
        """The JSON of a value so plain that nothing is left to check; None of any other."""
        return sure_writer(self.adapter)

    @cached_property
    def exactness(self) -> Callable[[Any], tuple[Fault, ...]] | None:
        """Finds what encoding would lose without a word; None where the type leaves no room."""
        return exactness_check(self.adapter)

    @cached_property
    def fingerprint(self) -> str:
        """16 hex digits of the schema that a writer of this type keeps to, as the exported index
        has them; '' where the type has no JSON Schema. Titles and descriptions do not count."""
        # Here, since the export stands on this module.
        from omniq_typed.schema.export import fingerprint, writer_schema

        try:
            return fingerprint(writer_schema(self))
        except InvalidMessageType:
            return ""
        except Exception:
            # A message that is fine is to be published, whatever the export makes of its type.
            log.exception("the schema of %s could not be made", self.label)
            return ""

    @property
    def declared_compatibility(self) -> Compatibility | None:
        """What the code says that versions owe to one another; None where it says nothing."""
        if self.compatibility is None and self.shared:
            return Compatibility.FULL_TRANSITIVE
        return self.compatibility

    @cached_property
    def classes(self) -> frozenset[type]:
        """The classes that instances may have; empty where the adapter alone can tell."""
        found = [_class_of(choice) for choice in choices_of(self.cls)]
        return frozenset() if None in found else frozenset(cls for cls in found if cls is not None)

    def check_portability(self, adapter: TypeAdapter[T] | None = None) -> None:
        """Warns of what other languages, or the type's own schema, read differently. Raises
        InvalidMessageType under strict_types, and for a type that is no JSON object or array."""
        found = hazards(self.adapter if adapter is None else adapter)
        fatal = tuple(each for each in found if each.fatal)
        if fatal or (found and self.strict_types):
            raise InvalidMessageType("message", self._described(fatal or found))
        if found and self.strict_types is None:
            path, _, line = self.defined_at.rpartition(":")
            warnings.warn_explicit(
                f"{self._described(found)} (strict_types=True makes this an error,"
                " strict_types=False says that only Python reads the type)",
                PortabilityWarning,
                path or self.defined_at,
                int(line) if line.isdigit() else 0,
            )

    def _described(self, found: Iterable[Hazard]) -> str:
        rows = [f"{each.path or 'payload'}: {each.problem}; {each.way_out}" for each in found]
        return f"{self.label}: " + " | ".join(rows)

    @cached_property
    def takes_infinity(self) -> bool:
        """Whether a value may hold an infinity, which Pydantic reads out of 1e999."""
        return any(each.code in ("nan", "any") for each in hazards(self.adapter))

    @property
    def label(self) -> str:
        """For messages: `orders.created v1`."""
        return f"{self.name} v{self.version}"


def choices_of(declared: Any) -> list[Any]:
    """The members of a union, or the type itself."""
    if isinstance(declared, TypeAliasType):
        return choices_of(declared.__value__)
    origin = get_origin(declared)
    if origin is Annotated:
        return choices_of(get_args(declared)[0])
    if origin is Union or origin is types.UnionType:
        return [each for member in get_args(declared) for each in choices_of(member)]
    if hasattr(declared, "__supertype__"):  # NewType
        return choices_of(declared.__supertype__)
    return [declared]


def _class_of(choice: Any) -> type | None:
    """`Box[int]` makes instances of Box; those of a TypedDict are plain dicts."""
    if is_typeddict(get_origin(choice) or choice):
        return dict
    cls = get_origin(choice) or choice
    structured = isinstance(cls, type) and (is_dataclass(cls) or issubclass(cls, BaseModel))
    return cls if structured else None


def try_adapter(declared: Any, depth: int = 0) -> TypeAdapter[Any] | None:
    """The adapter of a type, or None as long as its annotations have names that do not exist.
    `depth`: of the frame, counted from the caller's, whose local names annotations may use.
    Raises InvalidMessageType for what can be no field."""
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(declared, _parent_depth=depth + 3)
    except PydanticUndefinedAnnotation:
        return None
    except (PydanticSchemaGenerationError, PydanticUserError) as error:
        said = str(error).partition("\n\n")[0]
        raise InvalidMessageType("message", f"{declared!r} cannot be checked: {said}") from error
    # Newer releases of Pydantic do not raise: they try again at first use.
    return adapter if getattr(adapter, "pydantic_complete", True) else None
