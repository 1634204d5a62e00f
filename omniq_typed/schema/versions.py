"""What is known of the versions of a message type: their schemas, what they owe to one another, and
the breaks that somebody accepted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, TypeAlias

from omniq_typed.errors import InvalidArgument
from omniq_typed.messages.message_type import MessageType
from omniq_typed.models import Compatibility
from omniq_typed.schema.export import fingerprint, reader_schema, writer_schema

__all__ = [
    "DEFAULT_COMPATIBILITY",
    "Compatibility",
    "Json",
    "SchemaVersion",
    "TypeHistory",
    "Waiver",
    "declared_mode",
    "schema_version",
    "version_of",
    "waiver_from_json",
    "waiver_to_json",
]

Json: TypeAlias = dict[str, Any]

DEFAULT_COMPATIBILITY = Compatibility.BACKWARD_TRANSITIVE
"""Of a type where neither the code nor the index says anything."""


@dataclass(frozen=True, slots=True)
class SchemaVersion:
    """The schemas of one version: what its writers write, and what its readers take. Fingerprints
    have 16 hex digits."""

    name: str
    version: int
    writer: Json
    reader: Json
    fingerprint: str
    reader_fingerprint: str


@dataclass(frozen=True, slots=True)
class Waiver:
    """A break of `version` by `rule` that is accepted for a reason. `pointer`: JSON pointer of the
    place, '' = wherever it is."""

    version: int
    rule: str
    reason: str
    pointer: str = ""


@dataclass(frozen=True, slots=True)
class TypeHistory:
    """The recorded versions of a name, by number. `provisional`: those that only a consumer has
    registered, and by whom: nobody knows yet what their writers write."""

    name: str
    mode: Compatibility
    versions: Mapping[int, SchemaVersion]
    waivers: tuple[Waiver, ...] = ()
    provisional: Mapping[int, str] = field(default_factory=dict)

    def without_provisional(self) -> TypeHistory:
        """With those versions only that a publisher has registered."""
        firm = {at: each for at, each in self.versions.items() if at not in self.provisional}
        return replace(self, versions=firm, provisional={})


@lru_cache(maxsize=1024)
def version_of(message_type: MessageType[Any]) -> SchemaVersion:
    """The version as the code has it, made once. Raises InvalidMessageType for a type without a
    schema."""
    return schema_version(
        message_type.name,
        message_type.version,
        writer_schema(message_type),
        reader_schema(message_type),
    )


def schema_version(name: str, version: int, writer: Json, reader: Json) -> SchemaVersion:
    """A version of given schemas, with their fingerprints."""
    return SchemaVersion(name, version, writer, reader, fingerprint(writer), fingerprint(reader))


def declared_mode(types: Iterable[MessageType[Any]]) -> Compatibility | None:
    """What the newest of a name's versions that says something says; None where none does."""
    newest_first = sorted(types, key=lambda each: each.version, reverse=True)
    said = (each.declared_compatibility for each in newest_first)
    return next((mode for mode in said if mode is not None), None)


def waiver_from_json(content: object) -> Waiver:
    """A waiver as the index has it. Raises InvalidArgument for one that is incomplete, or has no
    reason."""
    if not isinstance(content, dict):
        raise InvalidArgument("waiver", f"{content!r} is no object")
    expected = {"version", "rule", "reason", "pointer"}
    if strange := content.keys() - expected:
        raise InvalidArgument("waiver", f"has {', '.join(sorted(strange))}, which means nothing")
    if missing := expected - {"pointer"} - content.keys():
        raise InvalidArgument("waiver", f"has no {', '.join(sorted(missing))}")
    version = content["version"]
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise InvalidArgument("waiver", f"its version is {version!r}, not a number from 1")
    texts = {key: content.get(key, "") for key in ("rule", "reason", "pointer")}
    for key, text in texts.items():
        if not isinstance(text, str) or not (text.strip() or key == "pointer"):
            raise InvalidArgument("waiver", f"its {key} is {text!r}; say it in a text")
    if texts["pointer"] and not texts["pointer"].startswith("/"):
        raise InvalidArgument("waiver", f"its pointer {texts['pointer']!r} begins with no '/'")
    return Waiver(version, **texts)


def waiver_to_json(waiver: Waiver) -> Json:
    """As the index has it."""
    found: Json = {"version": waiver.version, "rule": waiver.rule, "reason": waiver.reason}
    return {**found, "pointer": waiver.pointer} if waiver.pointer else found
