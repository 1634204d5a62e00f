"""From a message to checked JSON and back. What encodes here decodes there: the written bytes are
read back under the reader's rules before they leave."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticSerializationError

from omniq_typed.errors import Fault, InvalidPayload, UndecodableJob
from omniq_typed.messages.message import MessageType

T = TypeVar("T")


def encode(message_type: MessageType[T], value: T) -> bytes:
    """JSON of an instance of exactly this type. Raises InvalidPayload with path, code and message
    of each fault: wrong field types in a dataclass, a mutated or unvalidated model, a subclass."""
    if type(value) is not message_type.cls:
        raise InvalidPayload(
            message_type.label,
            (
                Fault(
                    "",
                    "wrong_class",
                    f"a {type(value).__qualname__}, not a {message_type.cls.__qualname__}",
                ),
            ),
        )
    return _write_checked(message_type.adapter, value, message_type.label)


def encode_unregistered(value: Any) -> bytes:
    """JSON of a dataclass or Pydantic model that has no registered name, checked the same way."""
    cls: Any = type(value)
    return _write_checked(_adapter(cls), value, cls.__qualname__)


def decode(message_type: MessageType[T], payload: bytes) -> T:
    """The instance written in a payload, under strict JSON rules. Raises UndecodableJob with path,
    code and message of each fault."""
    try:
        return message_type.adapter.validate_json(payload, strict=True)
    except ValidationError as error:
        raise UndecodableJob(
            "invalid_payload",
            f"the payload is no valid {message_type.label}",
            _faults(error),
        ) from error


def _write_checked(adapter: TypeAdapter[Any], value: Any, label: str) -> bytes:
    try:
        payload = adapter.dump_json(value, by_alias=True, warnings="error")
        adapter.validate_json(payload, strict=True)
    except ValidationError as error:
        raise InvalidPayload(label, _faults(error)) from error
    except (PydanticSerializationError, AttributeError, RecursionError) as error:
        raise InvalidPayload(label, _explain(adapter, value, error)) from error
    return payload


def _explain(adapter: TypeAdapter[Any], value: Any, error: Exception) -> tuple[Fault, ...]:
    """The serializer says what it met but not where; the validator knows where."""
    try:
        adapter.validate_json(adapter.dump_json(value, warnings=False, by_alias=True), strict=True)
        adapter.validate_python(_input_of(value), strict=True)
    except ValidationError as precise:
        return _faults(precise)
    except (PydanticSerializationError, AttributeError, TypeError, RecursionError):
        pass
    return (Fault("", "serialization", str(error).replace("\n", " ")),)


def _input_of(value: Any) -> Any:
    """A model as the dict, by alias, that its validator takes; it would pass an instance."""
    if not isinstance(value, BaseModel):
        return value
    fields = type(value).model_fields
    return {
        _alias(fields[name], name) if name in fields else name: content
        for name, content in value.__dict__.items()
    }


def _alias(field: FieldInfo, name: str) -> str:
    return field.validation_alias if isinstance(field.validation_alias, str) else name


def _faults(error: ValidationError) -> tuple[Fault, ...]:
    return tuple(
        Fault(_pointer(each["loc"]), each["type"], each["msg"])
        for each in error.errors(include_url=False, include_input=False, include_context=False)
    )


def _pointer(location: tuple[int | str, ...]) -> str:
    """('items', 0, 'a/b') → '/items/0/a~1b' (RFC 6901)."""
    parts = (str(part).replace("~", "~0").replace("/", "~1") for part in location)
    return "".join(f"/{part}" for part in parts)


@lru_cache(maxsize=1024)
def _adapter(cls: Any) -> TypeAdapter[Any]:
    return TypeAdapter(cls)
