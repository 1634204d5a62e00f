"""What follows from a writer's patterns and lengths and is not seen by the library, which knows a
pattern only when it meets it again."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, TypeAlias

from omniq_typed.schema.proving.documents import Parts, Schema
from omniq_typed.schema.regex.regex_proof import all_match, of_length

Json: TypeAlias = dict[str, Any]

_LENGTHS = ("minLength", "maxLength")


def implied_words(reader: Json, writer: Parts) -> Json:
    """Those of the reader's pattern and lengths that all texts of the writer keep to."""
    told = [each for each in writer.schemas if each is not False]
    patterns = {each["pattern"] for each in told if "pattern" in each}
    wanted = {word: reader[word] for word in ("pattern", *_LENGTHS) if word in reader}
    if wanted.get("pattern") in patterns:
        del wanted["pattern"]
    if not wanted or not (patterns or any(word in each for each in told for word in _LENGTHS)):
        return {}
    written = tuple(sorted({*patterns, *(_length(each) for each in told if _has_length(each))}))
    return {
        word: value for word, value in wanted.items() if _follows(written, _as_regex(word, value))
    }


def _has_length(schema: Schema) -> bool:
    return any(word in schema for word in _LENGTHS)


def _length(schema: Json) -> str:
    return of_length(schema.get("minLength", 0), schema.get("maxLength"))


def _as_regex(word: str, value: Any) -> str:
    if word == "pattern":
        return str(value)
    return of_length(value, None) if word == "minLength" else of_length(0, value)


@lru_cache(maxsize=4096)
def _follows(written: tuple[str, ...], wanted: str) -> bool:
    return all_match(written, [wanted])
