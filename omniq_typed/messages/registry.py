"""`Registry`: which Python type a name and version stand for, and how old versions become new."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from typing_extensions import TypeForm, is_typeddict

from omniq_typed.errors import InvalidMessageType
from omniq_typed.messages.message_type import MessageType

T = TypeVar("T")

UpcastFunction: TypeAlias = Callable[[dict[str, Any]], dict[str, Any]]
"""The JSON object of one version → that of the next."""


@dataclass(frozen=True, slots=True)
class Upcast:
    """One step, from `from_version` to the next, of the messages of a name."""

    name: str
    from_version: int
    function: UpcastFunction
    defined_at: str


class Registry:
    """Message types by name and version, and by Python type; and the upcasts between versions.

    `strict_types`: whether a type whose JSON other languages, or its own schema, would read
    differently is refused (True), warned of (None) or taken (False), unless it says so itself.
    """

    def __init__(self, *, strict_types: bool | None = None) -> None:
        self.strict_types = strict_types
        self._by_name: dict[tuple[str, int], MessageType[Any]] = {}
        self._by_type: dict[Any, MessageType[Any]] = {}
        self._by_member: dict[type, list[MessageType[Any]]] = defaultdict(list)
        self._upcasts: dict[tuple[str, int], Upcast] = {}

    def add(self, message_type: MessageType[Any]) -> None:
        """Registers a type. Raises InvalidMessageType, naming both places, where the name and
        version or the Python type are taken."""
        key = (message_type.name, message_type.version)
        for other in (self._by_name.get(key), self._by_type.get(message_type.cls)):
            if other is not None and not _is_reload(other, message_type):
                raise InvalidMessageType(
                    "message",
                    f"{message_type.label} at {message_type.defined_at} collides with"
                    f" {other.label} at {other.defined_at}; give one another name or version",
                )
        self._by_name[key] = message_type
        self._by_type[message_type.cls] = message_type
        for cls in message_type.classes - {message_type.cls, dict}:
            others = [it for it in self._by_member[cls] if (it.name, it.version) != key]
            self._by_member[cls] = [*others, message_type]

    def add_upcast(self, upcast: Upcast) -> None:
        """Registers a step between versions. Raises InvalidMessageType, naming both places, where
        there is one."""
        key = (upcast.name, upcast.from_version)
        old = self._upcasts.get(key)
        if old is not None and old.defined_at != upcast.defined_at:
            raise InvalidMessageType(
                "upcast",
                f"{upcast.name} has two from v{upcast.from_version}: at {old.defined_at} and at"
                f" {upcast.defined_at}; keep one",
            )
        self._upcasts[key] = upcast

    def of_type(self, declared: TypeForm[T] | MessageType[T]) -> MessageType[T]:
        """The message type of a decorated class, or a message type itself. Raises
        InvalidMessageType for any other."""
        if isinstance(declared, MessageType):
            known = self._by_name.get((declared.name, declared.version))
            if known is None or known.defined_at != declared.defined_at:
                raise InvalidMessageType(
                    "message",
                    f"{declared.label} is in another registry; pass registry= to @message and to"
                    " the bus alike",
                )
            return declared
        found = self._by_type.get(declared)
        if found is None:
            raise InvalidMessageType("message", _unknown(declared))
        return found

    def of_class(self, cls: type) -> MessageType[Any] | None:
        """The message type that is registered for a class itself: once there is one, it stays."""
        return self._by_type.get(cls)

    def of_value(self, value: object, declared: Any = None) -> MessageType[Any]:
        """The message type under which a value is published: as `declared`, or of its class, or
        the only union that its class is a member of. Raises InvalidMessageType."""
        if declared is not None:
            return self.of_type(declared)
        cls = type(value)
        found = self._by_type.get(cls)
        if found is not None:
            return found
        candidates = self._by_member.get(cls, [])
        if len(candidates) == 1:
            return candidates[0]
        if candidates:
            names = ", ".join(each.label for each in candidates)
            raise InvalidMessageType(
                "message", f"a {cls.__qualname__} may be one of {names}; pass message_type="
            )
        raise InvalidMessageType("message", _unknown(cls))

    def types(self) -> list[MessageType[Any]]:
        """All types, by name and version."""
        return [self._by_name[key] for key in sorted(self._by_name)]

    def upcasts(self, name: str) -> list[Upcast]:
        """The steps between versions of a name, oldest first."""
        return [self._upcasts[key] for key in sorted(self._upcasts) if key[0] == name]

    def steps(self, name: str, from_version: int, to_version: int) -> list[Upcast] | None:
        """What leads from one version to another, in order; None where a step is missing."""
        steps = [self._upcasts.get((name, each)) for each in range(from_version, to_version)]
        found = [step for step in steps if step is not None]
        return found if len(found) == len(steps) else None

    def check(self, name: str) -> None:
        """Raises InvalidMessageType for a step that leads to no version: a gap in the chain, or
        one beyond the newest version."""
        versions = {version for known, version in self._by_name if known == name}
        for upcast in self.upcasts(name):
            reached = upcast.from_version + 1
            if reached not in versions and (name, reached) not in self._upcasts:
                newest = max(versions, default=0)
                todo = (
                    f"write the one from v{reached}"
                    if reached < newest
                    else f"register {name} v{reached}"
                )
                raise InvalidMessageType(
                    "upcast",
                    f"the one of {name} at {upcast.defined_at} leads from v{reached - 1} to"
                    f" v{reached}, and nothing leads on from there; {todo}",
                )


default_registry = Registry()


def _unknown(declared: object) -> str:
    name = getattr(declared, "__qualname__", None) or repr(declared)
    if declared is dict:
        return "a dict may be of any TypedDict; pass message_type="
    if not isinstance(declared, type) or is_typeddict(declared):
        return f"{name} is no message type; register it with message_type(..., name=...)"
    return f"{name!r} is no message type; decorate it with @message('a.stable.name')"


def _is_reload(old: MessageType[Any], new: MessageType[Any]) -> bool:
    """The same source executed again: a module reloaded, or run as __main__ and imported."""
    same_name = (old.name, old.version) == (new.name, new.version)
    return same_name and old.cls is not new.cls and old.defined_at == new.defined_at
