"""The rules by which a change of schema breaks readers: stable names for waivers and reports."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Rule(StrEnum):
    """Why a reader does not take what a writer may write. `RULES` has a row for each."""

    FIELD_REQUIRED = "field_required"
    FIELD_FORBIDDEN = "field_forbidden"
    TYPE_CHANGED = "type_changed"
    TYPE_NARROWED = "type_narrowed"
    NULL_REFUSED = "null_refused"
    ENUM_NARROWED = "enum_narrowed"
    CONST_CHANGED = "const_changed"
    UNION_NARROWED = "union_narrowed"
    BOUND_TIGHTENED = "bound_tightened"
    LENGTH_TIGHTENED = "length_tightened"
    MULTIPLE_CHANGED = "multiple_changed"
    PATTERN_CHANGED = "pattern_changed"
    FORMAT_CHANGED = "format_changed"
    ITEMS_CHANGED = "items_changed"
    UNIQUE_REQUIRED = "unique_required"
    KEYS_CHANGED = "keys_changed"
    VALIDATOR_CHANGED = "validator_changed"
    NOT_PROVEN = "not_proven"
    VERSION_CHANGED = "version_changed"
    UPCAST_FAILED = "upcast_failed"


RULES: Mapping[Rule, tuple[str, str]] = {
    Rule.FIELD_REQUIRED: (
        "the reader requires a field that the writer may leave out, or never writes",
        "give the field a default",
    ),
    Rule.FIELD_FORBIDDEN: (
        "the reader forbids a field that the writer writes",
        "keep the field, or allow others (no extra='forbid')",
    ),
    Rule.TYPE_CHANGED: (
        "the reader wants another type than the writer writes",
        "add a field under a new name, or take both types in a union",
    ),
    Rule.TYPE_NARROWED: (
        "the reader takes only some of the types that the writer writes",
        "take the others in a union",
    ),
    Rule.NULL_REFUSED: (
        "the writer may write null, which the reader refuses",
        "allow None",
    ),
    Rule.ENUM_NARROWED: (
        "the writer has values that are none of the reader's",
        "keep the old values until nobody writes them",
    ),
    Rule.CONST_CHANGED: (
        "the reader wants another fixed value than the writer writes",
        "take both values, Literal['old', 'new']",
    ),
    Rule.UNION_NARROWED: (
        "the writer writes a choice of a union that the reader does not have",
        "keep the choice until nobody writes it",
    ),
    Rule.BOUND_TIGHTENED: (
        "the reader's bounds leave out numbers that the writer may write",
        "keep the bounds as wide as they were",
    ),
    Rule.LENGTH_TIGHTENED: (
        "the reader's limits of length leave out what the writer may write",
        "keep the limits as wide as they were",
    ),
    Rule.MULTIPLE_CHANGED: (
        "the reader takes multiples of a number that the writer does not keep to",
        "keep the step, or make it a divisor of the old one",
    ),
    Rule.PATTERN_CHANGED: (
        "nothing proves that all texts of the writer match the reader's pattern",
        "keep the pattern, or drop it",
    ),
    Rule.FORMAT_CHANGED: (
        "the reader wants a format that the writer does not keep to",
        "keep the type, or take both in a union",
    ),
    Rule.ITEMS_CHANGED: (
        "the reader wants another number of items in a tuple than the writer writes",
        "add a field under a new name",
    ),
    Rule.UNIQUE_REQUIRED: (
        "the reader wants items that differ, the writer may repeat them",
        "keep a list",
    ),
    Rule.KEYS_CHANGED: (
        "the writer may write keys that the reader refuses",
        "keep the type of the keys",
    ),
    Rule.VALIDATOR_CHANGED: (
        "the reader checks by code what the writer did not check by the same code",
        "keep the function, or waive this if it takes all that the old one took",
    ),
    Rule.NOT_PROVEN: (
        "nothing proves that the reader takes all that the writer writes",
        "make the schemas simpler, or waive this if you know better",
    ),
    Rule.VERSION_CHANGED: (
        "the version is recorded with another schema, and versions do not change",
        "give the change a version of its own",
    ),
    Rule.UPCAST_FAILED: (
        "the upcasts lead from a payload of the old version to none of the new one",
        "mend the upcast",
    ),
}
"""Rule → what it says, and what to do."""
