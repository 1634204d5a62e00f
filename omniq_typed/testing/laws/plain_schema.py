"""What programs in other languages expect of a type: dates, durations, numbers and patterns as they
know them, where the export says what Python writes."""

from __future__ import annotations

from typing import Any

import jsonschema_rs

from omniq_typed.messages.fields import MAX_SAFE_INTEGER
from omniq_typed.messages.message_type import MessageType
from omniq_typed.schema.export import Json, writer_schema
from omniq_typed.schema.wire.generator import WireSchema


class PlainSchema(WireSchema):
    """RFC 3339 and integers that a double holds; a pattern is read by ECMAScript as it stands."""

    def int_schema(self, schema: Any) -> Json:
        """Beyond 2**53 JavaScript reads another number."""
        found = super().int_schema(schema)
        if "minimum" not in found and "exclusiveMinimum" not in found:
            found["minimum"] = -MAX_SAFE_INTEGER
        if "maximum" not in found and "exclusiveMaximum" not in found:
            found["maximum"] = MAX_SAFE_INTEGER
        return found

    def str_schema(self, schema: Any) -> Json:
        """Not translated."""
        found = super().str_schema({key: it for key, it in schema.items() if key != "pattern"})
        pattern = schema.get("pattern")
        text = getattr(pattern, "pattern", pattern)
        return found if text is None else {**found, "pattern": text}

    def datetime_schema(self, schema: Any) -> Json:
        """With its offset."""
        return {"type": "string", "format": "date-time"}

    def time_schema(self, schema: Any) -> Json:
        """With its offset."""
        return {"type": "string", "format": "time"}

    def timedelta_schema(self, schema: Any) -> Json:
        """Without signs, fractions, or days beside years."""
        return {"type": "string", "format": "duration"}


def plain_schema(message_type: MessageType[Any]) -> Json:
    """As `writer_schema`. Raises ValueError where a pattern is none in ECMAScript."""
    schema = writer_schema(message_type, PlainSchema)
    jsonschema_rs.Draft202012Validator(schema)
    return schema
