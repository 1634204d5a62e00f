"""Pydantic's generator of JSON Schemas, corrected where it does not say what is on the wire: what
the codec writes (mode serialization), and what it reads under strict rules (mode validation)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from decimal import Decimal
from typing import Any, TypeAlias

import orjson
from pydantic.errors import PydanticInvalidForJsonSchema
from pydantic.json_schema import GenerateJsonSchema

from omniq_typed.messages.schema_walk import names_read
from omniq_typed.schema.wire import wire_texts
from omniq_typed.schema.wire.names_read import add_names, is_path, not_required
from omniq_typed.schema.wire.numerals import Bounds, decimal_patterns
from omniq_typed.schema.wire.python_functions import checks_of, users_function
from omniq_typed.schema.wire.regexes import to_ecma

Json: TypeAlias = dict[str, Any]

TAG = "x-omniq-tag"
"""Mark on the choices of a tagged union: the property that tells them apart. Taken off later."""
UNSAID = "and besides: "
"""Begins a `$comment` on what a reader checks and JSON Schema has no words for."""

_LIMITS = ("ge", "gt", "le", "lt", "multiple_of")
_LENGTHS = ("min_length", "max_length")


class WireSchema(GenerateJsonSchema):
    """One schema of one type. Objects are closed in serialization mode, where all fields that are
    always written are required; in validation mode they are as open as their class says."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """No titles made of the names of fields."""
        return False

    def emit_warning(self, kind: Any, detail: str) -> None:
        """A choice of a union that cannot be said may be read less, but not written."""
        if kind == "skipped-choice" and self.mode == "serialization":
            raise PydanticInvalidForJsonSchema(detail)

    def field_is_required(self, field: Any, total: bool) -> bool:
        """A writer writes fields with defaults too."""
        if self.mode != "serialization" or field["type"] == "typed-dict-field":
            return super().field_is_required(field, total)
        may_be_left_out = field.get("serialization_exclude_if") or _may_be_missing(field["schema"])
        return not may_be_left_out

    def default_schema(self, schema: Any) -> Json:
        """Defaults are for readers."""
        if self.mode == "serialization":
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)

    def encode_default(self, dft: Any) -> Any:
        """Sets in one order, always the same."""
        if isinstance(dft, Set):
            items: list[Any] = [super(WireSchema, self).encode_default(each) for each in dft]
            return sorted(items, key=orjson.dumps)
        return super().encode_default(dft)

    def _named_required_fields_schema(self, named_required_fields: Any) -> Json:
        """A reader may look for a field under several names."""
        found: Json = super()._named_required_fields_schema(named_required_fields)
        if self.mode == "serialization":
            return found
        by_name = bool(self._config.validate_by_name or self._config.populate_by_name)
        by_alias = self._config.validate_by_alias is not False
        for name, required, field in named_required_fields:
            alias = field.get("validation_alias")
            names = names_read(name, alias, by_name=by_name, by_alias=by_alias)
            if is_path(alias):
                not_required(found, names)
                _with_unsaid(found, [f"{name} read from {alias}"])
            elif len(names) > 1 and names[0] in found["properties"]:
                add_names(found, names, required=required, alone=self._config.extra == "forbid")
        return found

    # Numbers

    def decimal_schema(self, schema: Any) -> Json:
        """Written as text. Read from text in the same form, or from a number."""
        bounds = _bounds_of(schema)
        multiple_of = schema.get("multiple_of")
        infinite = schema.get("allow_inf_nan") is True
        first, *others = decimal_patterns(bounds, infinite=infinite)
        text: Json = {"type": "string", "pattern": first}
        if others:
            text["allOf"] = [{"pattern": each} for each in others]
        if multiple_of is not None:
            text["$comment"] = f"{UNSAID}multiple_of {multiple_of}"
        if self.mode == "serialization":
            return text
        number = _number_of(bounds)
        if multiple_of is not None:
            if multiple_of != int(multiple_of):
                return text  # in floating point hardly any number is a multiple of 0.05
            number["multipleOf"] = int(multiple_of)
        return {"anyOf": [text, number]}

    # Texts

    def str_schema(self, schema: Any) -> Json:
        """Lengths count characters; patterns are translated."""
        bare = {key: value for key, value in schema.items() if key != "pattern"}
        found = super().str_schema(bare)  # type: ignore[arg-type]
        patterns = []
        unsaid = []
        pattern = schema.get("pattern")
        if pattern is not None:
            engine = schema.get("regex_engine") or getattr(self._config, "regex_engine", None)
            translated = to_ecma(pattern, python=engine == "python-re")
            if translated is None:
                read_as = getattr(pattern, "flags", "") or ("" if engine is None else engine)
                unsaid.append(f"pattern {getattr(pattern, 'pattern', pattern)} {read_as}".strip())
            else:
                patterns.append(translated)
        stripped = schema.get("strip_whitespace", getattr(self._config, "str_strip_whitespace", 0))
        # A reader takes the blanks, and counts and matches what is left without them.
        if stripped and (self.mode == "serialization" or patterns or "minLength" in found):
            patterns.append(wire_texts.TRIMMED)
        if patterns:
            found["pattern"] = patterns[0]
        if len(patterns) > 1:
            found["allOf"] = [{"pattern": each} for each in patterns[1:]]
        return _with_unsaid(found, unsaid)

    def bytes_schema(self, schema: Any) -> Json:
        """Base64 with the letters - and _, if the configuration says so; else the text itself."""
        unsaid = [f"{key} {schema[key]} bytes" for key in _LENGTHS if schema.get(key) is not None]
        if self._config.ser_json_bytes == "hex":
            return _with_unsaid({"type": "string", "pattern": wire_texts.HEX}, unsaid)
        if self._config.ser_json_bytes != "base64":
            return _with_unsaid({"type": "string"}, unsaid)
        found = base64_text(wire_texts.BASE64_URL, "base64url")
        return _with_unsaid(found, unsaid)

    def date_schema(self, schema: Any) -> Json:
        """RFC 3339, years 1 to 9999."""
        found = {"type": "string", "format": "date", "pattern": wire_texts.DATE}
        return _with_unsaid(found, _unsaid_limits(schema))

    def time_schema(self, schema: Any) -> Json:
        """ISO 8601; most times of day have no offset, which the format `time` asks for."""
        naive = {"pattern": wire_texts.NAIVE_TIME}
        aware = {"pattern": wire_texts.AWARE_TIME}
        return _with_unsaid(_zoned(schema, naive, aware), _unsaid_limits(schema))

    def datetime_schema(self, schema: Any) -> Json:
        """RFC 3339 with its offset; without one where the type allows that."""
        if self.mode == "serialization" and _is_number(super().datetime_schema(schema)):
            return {"type": "number"}
        naive = {"pattern": wire_texts.NAIVE_DATETIME}
        aware = {"format": "date-time", "pattern": wire_texts.AWARE_DATETIME}
        return _with_unsaid(_zoned(schema, naive, aware), _unsaid_limits(schema))

    def timedelta_schema(self, schema: Any) -> Json:
        """ISO 8601 with a sign; a strict reader takes no numbers."""
        if self.mode == "serialization" and _is_number(super().timedelta_schema(schema)):
            return {"type": "number"}
        found = {"type": "string", "pattern": wire_texts.DURATION}
        return _with_unsaid(found, _unsaid_limits(schema))

    def url_schema(self, schema: Any) -> Json:
        """With one of the schemes that are allowed. The web's URLs are not all that the format
        `uri` allows."""
        found = super().url_schema(schema)
        return _with_unsaid({**found, **_schemes(schema)}, ["a URL"])

    def multi_host_url_schema(self, schema: Any) -> Json:
        """There is no format for URLs with several hosts."""
        found = super().multi_host_url_schema(schema)
        del found["format"]
        return _with_unsaid({**found, **_schemes(schema)}, ["a URL"])

    def uuid_schema(self, schema: Any) -> Json:
        """With hyphens."""
        return {"type": "string", "format": uuid_format(schema.get("version"))}

    # Arrays

    def set_schema(self, schema: Any) -> Json:
        """A reader takes items twice, unless it counts them."""
        return self._may_repeat(super().set_schema(schema))

    def frozenset_schema(self, schema: Any) -> Json:
        """As any set."""
        return self._may_repeat(super().frozenset_schema(schema))

    def _may_repeat(self, found: Json) -> Json:
        if self.mode == "validation" and "minItems" not in found:
            del found["uniqueItems"]
        return found

    def tuple_schema(self, schema: Any) -> Json:
        """Item by item. What comes behind a part of any length is not told apart by place."""
        items = [self.generate_inner(each) for each in schema["items_schema"]]
        variadic = schema.get("variadic_item_index")
        if variadic is None:
            return fixed_array(items)
        found: Json = {"type": "array", "items": items[0] if len(items) == 1 else _any_of(items)}
        if len(items) > 1:
            found["minItems"] = len(items) - 1
            _with_unsaid(found, ["items by place"])
        self.update_with_validations(found, schema, self.ValidationsMapping.array)
        return found

    def p_arguments_schema(self, arguments: Any, var_args_schema: Any) -> Json:
        """Named tuples, before Pydantic had a schema for them."""
        return self._named_items([each["schema"] for each in arguments])

    def named_tuple_schema(self, schema: Any) -> Json:
        """A reader takes it without the items that have defaults."""
        return self._named_items([each["schema"] for each in schema["fields"]])

    def _named_items(self, schemas: list[Any]) -> Json:
        items = [self.generate_inner(each) for each in schemas]
        optional = 0
        if self.mode == "validation":
            while optional < len(items) and schemas[-1 - optional]["type"] == "default":
                optional += 1
        return _any_of(fixed_array(items[: len(items) - each]) for each in range(optional + 1))

    # Objects

    def dict_schema(self, schema: Any) -> Json:
        """All values by one schema, all keys by another."""
        found: Json = {"type": "object", "additionalProperties": True}
        if "values_schema" in schema:
            found["additionalProperties"] = self.generate_inner(schema["values_schema"]) or True
        if "keys_schema" in schema:
            found["propertyNames"] = self.generate_inner(schema["keys_schema"])
        self.update_with_validations(found, schema, self.ValidationsMapping.object)
        return found

    def frozendict_schema(self, schema: Any) -> Json:
        """As any mapping."""
        return self.dict_schema(schema)

    def ordered_dict_schema(self, schema: Any) -> Json:
        """As any mapping."""
        return self.dict_schema(schema)

    def counter_schema(self, schema: Any) -> Json:
        """A mapping to whole numbers."""
        return {**self.dict_schema(schema), "additionalProperties": {"type": "integer"}}

    def model_schema(self, schema: Any) -> Json:
        """Closed for writers."""
        return self._closed(super().model_schema(schema))

    def dataclass_schema(self, schema: Any) -> Json:
        """Closed for writers."""
        return self._closed(super().dataclass_schema(schema))

    def typed_dict_schema(self, schema: Any) -> Json:
        """Closed for writers."""
        return self._closed(super().typed_dict_schema(schema))

    def _closed(self, found: Json) -> Json:
        if self.mode == "serialization" and "properties" in found:
            found.setdefault("additionalProperties", False)
        return found

    # Unions and wrappers

    def tagged_union_schema(self, schema: Any) -> Json:
        """Any of the choices; their tag, which may have a default, has to be there to be read."""
        found = super().tagged_union_schema(schema)
        choices = found["oneOf"]
        tag = found.get("discriminator", {}).get("propertyName")
        if self.mode == "serialization":
            return _any_of(choices)
        if tag is None:
            return _any_of(choices)
        return {"anyOf": [{**each, TAG: tag} for each in choices]}

    def lax_or_strict_schema(self, schema: Any) -> Json:
        """Payloads are read strictly."""
        if self.mode == "validation":
            return self.generate_inner(schema["strict_schema"])
        return super().lax_or_strict_schema(schema)

    def generate_inner(self, schema: Any) -> Json:
        """In both modes with what functions of the user check: what is written is read back before
        it leaves. Here, since serializers and schemas in the user's own words hide the rest."""
        found = super().generate_inner(schema)
        checks = checks_of(schema, hidden=self.mode == "serialization")
        if not checks:
            return found
        if "ref" not in schema or "$ref" not in found:
            return _with_checks(dict(found), checks)
        definition = self.get_schema_from_definitions(found["$ref"])
        if definition is not None and not comment_of(definition).endswith(checks):
            _with_checks(definition, checks)
        return found

    def ser_schema(self, schema: Any) -> Json | None:
        """What a function of the user writes without saying what can be anything."""
        by_function = schema["type"] in ("function-plain", "function-wrap")
        if by_function and schema.get("return_schema") is None:
            return {} if users_function(schema.get("function")) else None
        return super().ser_schema(schema)


def fixed_array(items: list[Json]) -> Json:
    """An array of so many items, each with a schema of its own."""
    size = {"minItems": len(items), "maxItems": len(items)}
    return {"type": "array", **({"prefixItems": items} if items else {}), **size}


def base64_text(pattern: str, encoding: str) -> Json:
    """Bytes as text."""
    return {
        "type": "string",
        "contentEncoding": encoding,
        "contentMediaType": "application/octet-stream",
        "pattern": pattern,
    }


def uuid_format(version: int | None) -> str:
    """Pydantic's name; `wording.py` has the words that others know."""
    return f"uuid{version}" if version else "uuid"


def _any_of(choices: Iterable[Json]) -> Json:
    found: list[Json] = []
    found += (each for each in choices if each not in found)
    return found[0] if len(found) == 1 else {"anyOf": found}


def _with_unsaid(found: Json, unsaid: list[str]) -> Json:
    if unsaid:
        said = str(found.get("$comment", "")).removeprefix(UNSAID).split(", ")
        found["$comment"] = UNSAID + ", ".join(dict.fromkeys(filter(None, [*said, *unsaid])))
    return found


def comment_of(schema: Json) -> str:
    """What is said in a comment that JSON Schema has no words for; '' where there is nothing."""
    comment = str(schema.get("$comment", ""))
    return comment.removeprefix(UNSAID) if comment.startswith(UNSAID) else ""


def _with_checks(found: Json, checks: str) -> Json:
    """Behind those that are there: they run from the inside out, and each may run twice."""
    said = comment_of(found)
    found["$comment"] = UNSAID + (f"{said}, {checks}" if said else checks)
    return found


def _unsaid_limits(schema: Mapping[str, Any]) -> list[str]:
    keys = (*_LIMITS, "now_op")
    return [f"{key} {schema[key]}" for key in keys if schema.get(key) is not None]


def _zoned(schema: Mapping[str, Any], naive: Json, aware: Json) -> Json:
    zone = schema.get("tz_constraint")
    if zone is None:
        return {"type": "string", "anyOf": [aware, naive]}
    found = {"type": "string", **(naive if zone == "naive" else aware)}
    return _with_unsaid(found, [f"offset {zone} s"] if isinstance(zone, int) else [])


def _is_number(found: Json) -> bool:
    return found.get("type") == "number"


def _schemes(schema: Mapping[str, Any]) -> Json:
    schemes = schema.get("allowed_schemes")
    if not schemes:
        return {}
    host = "" if "file" in schemes else "[^/?#]"
    return {"pattern": f"^(?:{'|'.join(each.replace('+', '[+]') for each in schemes)})://{host}"}


def _bounds_of(schema: Mapping[str, Any]) -> Bounds:
    lower = [(Decimal(schema[key]), key == "gt") for key in ("ge", "gt") if key in schema]
    upper = [(-Decimal(schema[key]), key == "lt") for key in ("le", "lt") if key in schema]
    least, most = max(lower, default=(None, False)), max(upper, default=(None, False))
    return Bounds(
        least=least[0],
        least_open=least[1],
        most=None if most[0] is None else -most[0],
        most_open=most[1],
        places=schema.get("decimal_places"),
        total=schema.get("max_digits"),
    )


def _number_of(bounds: Bounds) -> Json:
    """A JSON number for a Decimal. Where digits count, only whole ones: 0.1 in binary has many."""
    found: Json = {"type": "number"}
    if bounds.least is not None:
        found["exclusiveMinimum" if bounds.least_open else "minimum"] = _plain(bounds.least)
    if bounds.most is not None:
        found["exclusiveMaximum" if bounds.most_open else "maximum"] = _plain(bounds.most)
    if bounds.total is None and bounds.places is None:
        return found
    found["type"] = "integer"
    if bounds.total is not None:
        limit = 10 ** (bounds.total - (bounds.places or 0))
        if bounds.least is None or bounds.least <= -limit:
            found |= {"exclusiveMinimum": -limit}
            found.pop("minimum", None)
        if bounds.most is None or bounds.most >= limit:
            found |= {"exclusiveMaximum": limit}
            found.pop("maximum", None)
    return found


def _plain(number: Decimal) -> int | float:
    return int(number) if number == int(number) else float(number)


def _may_be_missing(schema: Mapping[str, Any]) -> bool:
    """A field of a model may be left out if its type has Pydantic's MISSING."""
    if schema["type"] in ("default", "nullable", "definitions"):
        return _may_be_missing(schema["schema"])
    if schema["type"] == "union":
        choices = [each[0] if isinstance(each, tuple) else each for each in schema["choices"]]
        return any(_may_be_missing(each) for each in choices)
    return bool(schema["type"] == "missing-sentinel")
