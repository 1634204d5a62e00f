"""An AsyncAPI 3.0 document of a program: the queues that it publishes to and consumes from, and the
messages in them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from omniq_typed.errors import InvalidArgument, UndecodableJob
from omniq_typed.messages.codec import decode
from omniq_typed.messages.message_type import MessageType
from omniq_typed.schema.draft07 import to_draft07
from omniq_typed.schema.export import fingerprint, reader_schema, writer_schema
from omniq_typed.schema.sampling.sampler import Sampler
from omniq_typed.schema.wire.wording import LISTS, MAPS, SINGLES

Json: TypeAlias = dict[str, Any]

VERSION = "3.0.0"
_ATTEMPTS = 50
_OLD_REF, _SCHEMAS = "#/definitions/", "#/components/schemas/"
_SCHEMA_LISTS = LISTS | {"items"}  # draft-07 has lists of items


@dataclass(frozen=True, slots=True)
class Route:
    """That a program publishes messages of a type to a queue (send), or consumes them (receive)."""

    action: Literal["send", "receive"]
    queue: str
    message_type: MessageType[Any]


def asyncapi_document(
    routes: Iterable[Route],
    *,
    title: str,
    version: str,
    description: str = "",
    server: str = "",
    examples: Mapping[str, Sequence[Any]] | None = None,
) -> Json:
    """The document of a program's routes: queues are channels, the `msg_*` fields are headers.

    `version`: of the program; `server`: host:port, '' = none named; `examples`: payloads as JSON
    values, by the label of their type (`orders.created v1`). The payload of a message that the
    program sends is described as it is written, else as it is read. Raises InvalidArgument, and
    InvalidMessageType for a type that has no schema.
    """
    known = sorted(routes, key=lambda it: (it.queue, it.action, _key(it.message_type)))
    samples = dict(examples or {})
    types = {_key(each.message_type): each.message_type for each in known}
    if strange := samples.keys() - {each.label for each in types.values()}:
        raise InvalidArgument("examples", f"no route has {', '.join(sorted(strange))}")
    sent = {_key(each.message_type) for each in known if each.action == "send"}
    schemas: Json = {}
    messages: Json = {}
    for key in sorted(types):
        schema = (writer_schema if key in sent else reader_schema)(types[key])
        schemas |= _hoisted(key, schema)
        schemas[f"{key}.headers"] = _headers(types[key], is_sent=key in sent)
        messages[key] = _message(key, types[key], samples.get(types[key].label, ()))
    information = {"title": title, "version": version, "description": description}
    return {
        "asyncapi": VERSION,
        "info": {name: text for name, text in information.items() if text},
        "defaultContentType": "application/json",
        **({"servers": {"omniq": {"host": server, "protocol": "redis"}}} if server else {}),
        "channels": _channels(known),
        "operations": _operations(known),
        "components": {"messages": messages, "schemas": schemas},
    }


def made_up_examples(routes: Iterable[Route]) -> dict[str, list[Any]]:
    """One payload of each message type of the routes, for `asyncapi_document`: the smallest one,
    or, where the type's own code refuses that, one at random. None for a type of which no payload
    could be made up."""
    types = {each.message_type.label: each.message_type for each in routes}
    found = {label: _made_up(message_type) for label, message_type in types.items()}
    return {label: payloads for label, payloads in found.items() if payloads}


def _made_up(message_type: MessageType[Any]) -> list[Any]:
    sampler = Sampler(writer_schema(message_type))
    for attempt in range(_ATTEMPTS):
        try:
            payload = sampler.payload() if attempt else sampler.smallest()
            decode(message_type, json.dumps(payload).encode())
        except (InvalidArgument, UndecodableJob):
            continue
        return [payload]
    return []


def _key(message_type: MessageType[Any]) -> str:
    return f"{message_type.name}.v{message_type.version}"


def _channels(routes: Sequence[Route]) -> Json:
    channels: Json = {}
    for each in routes:
        channel = channels.setdefault(each.queue, {"address": each.queue, "messages": {}})
        key = _key(each.message_type)
        channel["messages"][key] = {"$ref": f"#/components/messages/{key}"}
    return channels


def _operations(routes: Sequence[Route]) -> Json:
    operations: Json = {}
    for each in routes:
        operation = operations.setdefault(
            f"{each.action}.{each.queue}",
            {
                "action": each.action,
                "channel": {"$ref": f"#/channels/{each.queue}"},
                "messages": [],
            },
        )
        message = {"$ref": f"#/channels/{each.queue}/messages/{_key(each.message_type)}"}
        if message not in operation["messages"]:
            operation["messages"].append(message)
    return operations


def _message(key: str, message_type: MessageType[Any], examples: Sequence[Any]) -> Json:
    found: Json = {
        "name": message_type.name,
        "title": message_type.label,
        "contentType": "application/json",
        "headers": {"$ref": f"{_SCHEMAS}{key}.headers"},
        "correlationId": {"location": "$message.header#/msg_correlation_id"},
        "payload": {"$ref": f"{_SCHEMAS}{key}"},
    }
    if examples:
        headers = _fixed_headers(message_type)
        found["examples"] = [{"headers": headers, "payload": each} for each in examples]
    return found


def _fixed_headers(message_type: MessageType[Any]) -> dict[str, str]:
    return {
        "msg_type": message_type.name,
        "msg_version": str(message_type.version),
        "msg_schema": fingerprint(writer_schema(message_type)),
    }


def _headers(message_type: MessageType[Any], *, is_sent: bool) -> Json:
    """The side fields of a job. Other programs may write jobs without any of them."""
    fixed = {
        "msg_type": {"type": "string", "const": message_type.name},
        "msg_version": {"type": "string", "const": str(message_type.version)},
    }
    return {
        "type": "object",
        "description": "Fields of the job's hash beside its payload",
        "properties": {
            **fixed,
            "msg_schema": {
                "type": "string",
                "description": "Fingerprint of the writer's schema",
                "pattern": "^[0-9a-f]{16}$",
            },
            "msg_source": {"type": "string", "description": "Who published"},
            "msg_correlation_id": {"type": "string", "description": "The conversation"},
            "msg_causation_id": {"type": "string", "description": "The job that caused this one"},
            "msg_traceparent": {"type": "string", "description": "W3C trace context"},
            "msg_tracestate": {"type": "string", "description": "W3C trace context"},
        },
        **({"required": sorted(fixed)} if is_sent else {}),
    }


def _hoisted(key: str, schema: Json) -> Json:
    """The schema and its definitions, each under a name of its own: parsers of AsyncAPI look for
    references from the top of the document."""
    old = to_draft07(schema)
    definitions = old.pop("definitions", {})
    del old["$schema"]
    found = {key: old, **{f"{key}.{name}": each for name, each in definitions.items()}}
    return {name: _with_references(each, key) for name, each in found.items()}


def _with_references(schema: Any, key: str) -> Any:
    if not isinstance(schema, dict):
        return schema
    found: Json = {}
    for word, value in schema.items():
        if word == "$ref":
            found[word] = f"{_SCHEMAS}{key}.{value.removeprefix(_OLD_REF)}"
        elif word in MAPS | {"dependencies"} and isinstance(value, dict):
            found[word] = {name: _with_references(each, key) for name, each in value.items()}
        elif word in _SCHEMA_LISTS and isinstance(value, list):
            found[word] = [_with_references(each, key) for each in value]
        elif word in SINGLES | {"additionalItems"}:
            found[word] = _with_references(value, key)
        else:
            found[word] = value
    return found
