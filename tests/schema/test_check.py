"""Whether versions keep to what they owe to one another: modes, histories, upcasts, waivers."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pytest
from pydantic import AfterValidator, BaseModel, Field, create_model

from omniq_typed import Registry, message_type, upcast
from omniq_typed.models import Compatibility
from omniq_typed.schema.compatibility.check import Report, Topic, check, check_histories
from omniq_typed.schema.versions import TypeHistory, Waiver, version_of


class Shop:
    """The versions of one type in a program, and what is recorded of others."""

    def __init__(self, mode: str | None = None) -> None:
        self.registry = Registry(strict_types=False)
        self.mode: Any = mode
        self.recorded: dict[int, Any] = {}
        self.waivers: list[Waiver] = []

    def has(self, version: int, declared: Any, **options: Any) -> Any:
        return message_type(
            declared,
            name="order",
            version=version,
            registry=self.registry,
            compatibility=self.mode,
            **options,
        )

    def had(self, version: int, declared: Any) -> None:
        made = message_type(declared, name="order", version=version, registry=Registry())
        self.recorded[version] = version_of(made)

    @property
    def histories(self) -> dict[str, TypeHistory]:
        if not self.recorded:
            return {}
        mode = Compatibility.BACKWARD_TRANSITIVE
        return {"order": TypeHistory("order", mode, self.recorded, tuple(self.waivers))}

    def check(self) -> Report:
        return check(self.registry.types(), self.registry, self.histories)


def fields(**named: Any) -> type[BaseModel]:
    made: dict[str, Any] = {
        name: each if isinstance(each, tuple) else (each, ...) for name, each in named.items()
    }
    return create_model("Order", __base__=BaseModel, **made)


def rows(report: Report) -> list[str]:
    return [
        f"v{each.new_version} {each.direction} v{each.old_version}: {each.found.rule}"
        f" {each.found.pointer}".rstrip()
        for each in report.findings
    ]


def topics(report: Report) -> list[Topic]:
    return [each.topic for each in report.notes]


# Modes. v1 to v2 makes a field required (readers of v2 refuse v1); v2 to v3 takes a field away that
# v2 requires (readers of v2 refuse v3).

V1 = fields(number=int)
V2 = fields(number=int, note=str)
V3 = fields(number=int, more=(int, 0))


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("NONE", []),
        ("BACKWARD", ["v2 backward v1: field_required /note"]),
        ("BACKWARD_TRANSITIVE", ["v2 backward v1: field_required /note"]),
        ("FORWARD", ["v3 forward v2: field_required /note"]),
        ("FORWARD_TRANSITIVE", ["v3 forward v2: field_required /note"]),
        (
            "FULL",
            ["v2 backward v1: field_required /note", "v3 forward v2: field_required /note"],
        ),
        (
            "FULL_TRANSITIVE",
            ["v2 backward v1: field_required /note", "v3 forward v2: field_required /note"],
        ),
    ],
)
def test_each_mode_asks_for_its_directions(mode: str, expected: list[str]) -> None:
    shop = Shop(mode)
    for version, declared in enumerate((V1, V2, V3), 1):
        shop.has(version, declared)
    assert rows(shop.check()) == expected


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("BACKWARD", []),
        ("BACKWARD_TRANSITIVE", ["v3 backward v1: type_changed /a"]),
        ("FORWARD", []),
        ("FORWARD_TRANSITIVE", ["v3 forward v1: type_changed /a"]),
        ("FULL", []),
        (
            "FULL_TRANSITIVE",
            ["v3 backward v1: type_changed /a", "v3 forward v1: type_changed /a"],
        ),
    ],
)
def test_transitive_modes_look_at_all_earlier_versions(mode: str, expected: list[str]) -> None:
    """A field that goes, and comes back as another type."""
    shop = Shop(mode)
    shop.has(1, fields(a=(int, 0)))
    shop.has(2, fields(b=(int, 0)))
    shop.has(3, fields(a=(str, "")))
    assert rows(shop.check()) == expected


def test_without_a_word_it_is_backward_transitive_and_for_shared_types_full() -> None:
    def breaks(**options: Any) -> list[str]:
        shop = Shop()
        shop.has(1, fields(number=int, note=str))
        shop.has(2, fields(number=int), **options)
        return rows(shop.check())

    assert breaks() == []
    assert breaks(shared=True) == ["v2 forward v1: field_required /note"]


def test_the_mode_of_the_index_counts_where_the_code_says_none_and_the_callers_before_all() -> None:
    shop = Shop()
    shop.had(1, V1)
    shop.has(2, V2)
    types, registry = shop.registry.types(), shop.registry
    none = {"order": TypeHistory("order", Compatibility.NONE, shop.recorded)}
    assert check(types, registry, none).ok
    assert not check(types, registry, none, mode=Compatibility.FULL).ok
    shop = Shop("BACKWARD")
    shop.had(1, V1)
    shop.has(2, V2)
    assert not check(shop.registry.types(), shop.registry, none).ok


# What is compared


def test_a_version_that_only_the_history_has_is_compared() -> None:
    shop = Shop()
    shop.had(1, V1)
    shop.has(2, V2)
    assert rows(shop.check()) == ["v2 backward v1: field_required /note"]


def test_a_break_is_found_also_where_it_is_recorded_already() -> None:
    shop = Shop()
    for version, declared in ((1, V1), (2, V2)):
        shop.had(version, declared)
        shop.has(version, declared)
    assert rows(shop.check()) == ["v2 backward v1: field_required /note"]


def test_what_is_recorded_of_others_is_not_checked_again() -> None:
    shop = Shop()
    shop.had(1, V1)
    shop.had(2, V2)
    shop.has(3, fields(number=(int, 0), note=(str, "")))
    assert rows(shop.check()) == []


def test_an_older_version_that_is_new_is_compared_with_the_newer_ones() -> None:
    shop = Shop()
    shop.had(2, V2)
    shop.has(1, V1)
    assert rows(shop.check()) == ["v2 backward v1: field_required /note"]


def test_a_version_does_not_change() -> None:
    shop = Shop()
    shop.had(1, V1)
    shop.has(1, fields(number=int, more=(int, 0)))
    report = shop.check()
    assert rows(report) == ["v1 version v1: version_changed"]
    [finding] = report.findings
    assert "they differ at /more" in finding.found.message
    assert shop.recorded[1].fingerprint in finding.found.message


def test_under_none_it_may() -> None:
    shop = Shop("NONE")
    shop.had(1, V1)
    shop.has(1, V2)
    assert shop.check() == Report(())


def test_its_reader_may_change_as_far_as_the_mode_goes() -> None:
    """With `extra="forbid"` it still reads what it writes, and no more what v2 wrote."""

    class Strict(BaseModel, extra="forbid"):
        number: int

    def breaks(mode: str) -> list[str]:
        shop = Shop(mode)
        shop.had(1, V1)
        shop.had(2, V3)
        shop.has(1, Strict)
        return rows(shop.check())

    assert breaks("BACKWARD_TRANSITIVE") == []
    assert breaks("FORWARD") == ["v2 forward v1: field_forbidden /more"]


def only_long(text: str) -> str:
    assert len(text) > 3
    return text


def test_a_version_that_checks_more_by_code_than_before_is_a_break() -> None:
    """No fingerprint shows it."""
    shop = Shop()
    shop.had(1, fields(text=str))
    shop.has(1, fields(text=Annotated[str, AfterValidator(only_long)]))
    report = shop.check()
    assert rows(report) == ["v1 backward v1: validator_changed /text"]
    [finding] = report.findings
    assert "only_long" in finding.found.message
    assert finding.found.example == {"text": ""}, "found by running the code"


def test_several_types_each_by_its_own_history() -> None:
    shop = Shop()
    shop.had(1, V1)
    shop.has(2, V2)
    message_type(fields(a=int), name="bill", registry=shop.registry)
    message_type(fields(a=str), name="bill", version=2, registry=shop.registry)
    report = shop.check()
    assert [(each.name, each.found.rule) for each in report.findings] == [
        ("bill", "type_changed"),
        ("order", "field_required"),
    ]
    assert report.compared == 2


def test_nothing_is_compatible_with_nothing() -> None:
    assert check([], Registry(), {}) == Report(())
    shop = Shop()
    shop.has(1, V1)
    assert shop.check() == Report(())


# Upcasts


def test_an_upcast_answers_a_break() -> None:
    shop = Shop()
    shop.had(1, V1)
    v2 = shop.has(2, V2)
    upcast(v2, from_version=1, registry=shop.registry)(lambda it: {**it, "note": ""})
    report = shop.check()
    assert report.ok and topics(report) == [Topic.ANSWERED]
    assert "payloads of v1 were led to v2" in report.notes[0].message


def test_a_chain_of_upcasts_answers_too_and_a_gap_does_not() -> None:
    shop = Shop()
    shop.had(1, V1)
    v3 = shop.has(3, fields(number=str, note=str))
    as_text = upcast(v3, from_version=2, registry=shop.registry)
    as_text(lambda it: {**it, "number": str(it["number"])})
    assert rows(shop.check()) == [
        "v3 backward v1: field_required /note",
        "v3 backward v1: type_changed /number",
    ]
    upcast(v3, from_version=1, registry=shop.registry)(lambda it: {**it, "note": ""})
    assert shop.check().ok


@pytest.mark.parametrize(
    ("function", "fault"),
    [
        (lambda it: {**it, "note": None}, "/note: Input should be a valid string"),
        (lambda it: it, "/note: Field required"),
        (lambda it: it["missing"], "KeyError: 'missing'"),
        (lambda it: [it], "it gave a list"),
        (lambda it: sys.exit(3), "SystemExit: 3"),
    ],
)
def test_an_upcast_that_leads_nowhere_is_a_break_with_the_payload(
    function: Any, fault: str
) -> None:
    shop = Shop()
    shop.had(1, V1)
    v2 = shop.has(2, V2)
    upcast(v2, from_version=1, registry=shop.registry)(function)
    report = shop.check()
    assert rows(report) == ["v2 backward v1: upcast_failed"]
    found = report.findings[0].found
    assert fault in found.message
    assert found.has_example and found.example == {"number": 0}


def test_an_upcast_is_tried_out_on_the_corners_of_the_old_version() -> None:
    """It fails for one value of an enum, of a field that is mostly left out."""
    shop = Shop()
    shop.had(1, fields(number=int, color=(Literal["red", "green", "mauve"] | None, None)))
    v2 = shop.has(2, fields(number=int, paint=int))
    paints = {"red": 1, "green": 2, None: 0}

    def to_paint(order: dict[str, Any]) -> dict[str, Any]:
        return {"number": order["number"], "paint": paints[order["color"]]}

    upcast(v2, from_version=1, registry=shop.registry)(to_paint)
    report = shop.check()
    assert rows(report) == ["v2 backward v1: upcast_failed"]
    assert report.findings[0].found.example["color"] == "mauve"


def test_an_upcast_between_compatible_versions_is_tried_out_all_the_same() -> None:
    """Workers go through it."""
    shop = Shop()
    shop.had(1, V1)
    v2 = shop.has(2, V3)
    upcast(v2, from_version=1, registry=shop.registry)(lambda it: {})
    assert rows(shop.check()) == ["v2 backward v1: upcast_failed"]


def test_what_the_old_version_would_not_write_need_not_be_led_over() -> None:
    shop = Shop()
    shop.has(1, fields(text=Annotated[str, AfterValidator(only_long)]))
    v2 = shop.has(2, fields(text=Annotated[str, Field(min_length=4)]))
    upcast(v2, from_version=1, registry=shop.registry)(lambda it: it)
    assert shop.check().ok
    gone = Shop()
    gone.had(1, fields(text=Annotated[str, AfterValidator(only_long)]))
    v2 = gone.has(2, fields(name=Annotated[str, AfterValidator(only_long)]))
    upcast(v2, from_version=1, registry=gone.registry)(lambda it: {"name": it["text"]})
    assert gone.check().ok, "the check may be the one that v1 had"


def test_compatible_versions_without_an_upcast_are_noted() -> None:
    shop = Shop()
    shop.had(1, V1)
    shop.has(2, V3)
    report = shop.check()
    assert report.ok and topics(report) == [Topic.NO_UPCAST]
    assert report.notes[0].message.startswith("workers of v2 do not take jobs of v1")
    shop.has(1, V1)
    assert topics(shop.check()) == [], "it has handlers for v1"


# Waivers


def waived(*waivers: Waiver) -> Report:
    shop = Shop()
    shop.had(1, V1)
    shop.has(2, V2)
    shop.waivers = list(waivers)
    return shop.check()


def test_a_waiver_accepts_its_break() -> None:
    by_rule = Waiver(2, "field_required", "nobody publishes v1")
    report = waived(by_rule)
    assert report.ok and rows(report) == ["v2 backward v1: field_required /note"]
    assert report.findings[0].waived_by == by_rule
    assert waived(Waiver(2, "field_required", "so", "/note")).ok


@pytest.mark.parametrize(
    "other",
    [
        Waiver(1, "field_required", "another version"),
        Waiver(2, "type_changed", "another rule"),
        Waiver(2, "field_required", "another place", "/number"),
    ],
)
def test_a_waiver_of_something_else_accepts_nothing(other: Waiver) -> None:
    report = waived(other)
    assert not report.ok
    unused = [each for each in report.notes if each.topic is Topic.UNUSED_WAIVER]
    assert len(unused) == (other.version == 2), "v1 is no version of the code's"


# Histories alone, and what programs read


def test_histories_are_compared_by_the_new_ones_mode_and_waivers() -> None:
    shop, known = Shop(), Shop()
    known.had(1, V1)
    shop.had(2, V2)
    assert rows(check_histories(shop.histories, known.histories)) == [
        "v2 backward v1: field_required /note"
    ]
    shop.waivers = [Waiver(2, "field_required", "so")]
    assert check_histories(shop.histories, known.histories).ok
    assert check_histories(shop.histories, {}).findings == ()
    known.had(2, V3)
    assert "version_changed" in rows(check_histories(shop.histories, known.histories))[0]


def test_a_report_is_json() -> None:
    report = waived(Waiver(2, "field_required", "so"))
    assert report.to_json() == {
        "ok": True,
        "compared": 1,
        "findings": [
            {
                "name": "order",
                "new_version": 2,
                "old_version": 1,
                "direction": "backward",
                "rule": "field_required",
                "pointer": "/note",
                "message": "the writer never writes it; give the field a default",
                "proof": "no",
                "example": {"number": 0},
                "waived": "so",
            }
        ],
        "notes": [],
    }


def test_dataclasses_and_models_are_compared_alike() -> None:
    @dataclass
    class Order:
        number: int
        note: str | None = None

    shop = Shop("FULL")
    shop.had(1, Order)
    shop.has(2, create_model("Order", number=(int, ...), note=(str | None, None)))
    assert rows(shop.check()) == []
