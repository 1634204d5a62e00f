"""From a message to checked JSON and back. What encodes here decodes there: the written bytes are
read back under the reader's rules before they leave, unless the message is so plain that a look at
its values proves what reading would (readable.py)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal, TypeAlias, TypeVar

import orjson
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticSerializationError

from omniq_typed.errors import Fault, InvalidPayload, UndecodableJob
from omniq_typed.messages.message_type import MessageType

T = TypeVar("T")
WarningsAs: TypeAlias = Literal["none", "warn", "error"]
"""How Pydantic's serializer is to tell of values of another type than the field's."""


def encode(message_type: MessageType[T], value: T) -> bytes:
    """JSON of an instance of exactly this type. Raises InvalidPayload with path, code and message
    of each fault: wrong field types in a dataclass, a mutated or unvalidated model, a subclass
    here or further down, whatever would not come back as it was."""
    sure = message_type.sure_writer(value)
    if sure is not None:
        return sure
    classes = message_type.classes
    if classes and type(value) not in classes:
        raise InvalidPayload(message_type.label, (_wrong_class(message_type, value),))
    warnings: bool | WarningsAs = False
    if not message_type.is_natural(value):
        exactness, warnings = message_type.exactness, "error"
        if exactness is not None and (faults := exactness(value)):
            raise InvalidPayload(message_type.label, faults)
    adapter = message_type.adapter
    try:
        return _write_and_read_back(adapter, value, warnings)
    except Exception as error:  # a user's validator or serializer may raise anything
        raise _invalid(adapter, value, message_type.label, error) from error


def encode_unregistered(value: Any) -> bytes:
    """JSON of a dataclass or Pydantic model that has no registered name, checked the same way."""
    cls: Any = type(value)
    adapter = _adapter(cls)
    try:
        return _write_and_read_back(adapter, value, "error")
    except Exception as error:
        raise _invalid(adapter, value, cls.__qualname__, error) from error


def decode(message_type: MessageType[T], payload: bytes, *, strict: bool = True) -> T:
    """The instance written in a payload, under strict JSON rules or Pydantic's lax ones. Raises
    UndecodableJob with path, code and message of each fault."""
    try:
        value: T = message_type.adapter.validator.validate_json(payload, strict=strict)
    except ValidationError as error:
        raise UndecodableJob(
            "invalid_payload",
            f"the payload is no valid {message_type.label}",
            _faults(error),
        ) from error
    _refuse_constants(payload, thorough=message_type.takes_infinity)
    return value


def same_message(message_type: MessageType[Any], one: bytes, other: bytes) -> bool:
    """Whether two payloads are the same message: a set, say, may be written in any order."""
    try:
        return bool(decode(message_type, one) == decode(message_type, other))
    except UndecodableJob:
        return False


_N, _I = b"NI"


def _refuse_constants(payload: bytes, *, thorough: bool = False) -> None:
    """NaN and Infinity are no JSON, and 1e999 is no number of Python's: Pydantic reads them, other
    languages do not. (In a text they are words like any other.)"""
    # One byte is found ten times as fast as a word, and as a number faster still.
    suspicious = (_N in payload and b"NaN" in payload) or (_I in payload and b"Infinity" in payload)
    if suspicious or thorough:
        try:
            orjson.loads(payload)
        except orjson.JSONDecodeError as error:
            fault = Fault("", "json_invalid", str(error))
            raise UndecodableJob("invalid_payload", "the payload is not JSON", (fault,)) from error


def _wrong_class(message_type: MessageType[Any], value: object) -> Fault:
    wanted = " or ".join(sorted(cls.__qualname__ for cls in message_type.classes))
    return Fault("", "wrong_class", f"a {type(value).__qualname__}, not a {wanted}")


def _write_and_read_back(
    adapter: TypeAdapter[Any], value: Any, warnings: bool | WarningsAs
) -> bytes:
    payload = adapter.serializer.to_json(value, by_alias=True, warnings=warnings)
    adapter.validator.validate_json(payload, strict=True)
    _refuse_constants(payload)
    return payload


def _invalid(adapter: TypeAdapter[Any], value: Any, label: str, error: Exception) -> InvalidPayload:
    if isinstance(error, ValidationError):
        return InvalidPayload(label, _faults(error))
    if isinstance(error, UndecodableJob):
        return InvalidPayload(label, error.faults)
    return InvalidPayload(label, _explain(adapter, value, error))


def _explain(adapter: TypeAdapter[Any], value: Any, error: Exception) -> tuple[Fault, ...]:
    """The serializer says what it met but not where; the validator knows where."""
    try:
        adapter.validate_json(adapter.dump_json(value, warnings=False, by_alias=True), strict=True)
        adapter.validate_python(_input_of(value), strict=True)
    except ValidationError as precise:
        return _faults(precise)
    except Exception:
        pass
    if isinstance(error, (PydanticSerializationError, AttributeError, RecursionError)):
        return (Fault("", "serialization", str(error).replace("\n", " ")),)
    return (Fault("", "validator_failed", f"{type(error).__name__}: {error}"),)


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


_PYTHON_ONLY: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("date_type", "datetime_type", "time_type", "time_delta_type"), (str,)),
    **dict.fromkeys(("set_type", "frozen_set_type", "tuple_type"), (list,)),
    "bytes_type": (str,),
}
"""Of strict rules for JSON, none refuses these kinds of input; of those for Python, these do."""


def _faults(error: ValidationError) -> tuple[Fault, ...]:
    return tuple(
        Fault(_pointer(each["loc"]), each["type"], each["msg"] + _hint(each["type"], each["input"]))
        for each in error.errors(include_url=False, include_context=False)
    )


def _hint(code: str, given: object) -> str:
    """Why JSON is refused that is written as it should be, '' = it is not."""
    if type(given) not in _PYTHON_ONLY.get(code, ()):
        return ""
    return (
        "; a before- or wrap-validator around it hands on what JSON has, and strict rules then want"
        " the Python object: convert it in that validator, or make it mode='after'"
    )


def _pointer(location: tuple[int | str, ...]) -> str:
    """('items', 0, 'a/b') → '/items/0/a~1b' (RFC 6901)."""
    parts = (str(part).replace("~", "~0").replace("/", "~1") for part in location)
    return "".join(f"/{part}" for part in parts)


@lru_cache(maxsize=1024)
def _adapter(cls: Any) -> TypeAdapter[Any]:
    return TypeAdapter(cls)
