"""Laws find the faults that they are for, and say so; they hold where nothing is wrong."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from pydantic import AfterValidator, BaseModel, Field
from typing_extensions import TypedDict

from omniq_typed import Registry, SafeInt, message, upcast
from omniq_typed.errors import InvalidArgument, InvalidMessageType, NoStrategy
from omniq_typed.schema import files
from omniq_typed.schema.history import read_history
from omniq_typed.testing import LawBroken, laws
from omniq_typed.testing.differences import differences
from tests.catalogue import FORMS
from tests.testing.planted_faults import FAULTS, NOW, Placed, Planted, export_what_was_deployed
from tests.testing.realistic_types import REGISTRY, Coupon, Transfer

EXAMPLES = 200
MOST_S = 15.0


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("schemas")
    export_what_was_deployed(folder)
    return folder


@pytest.mark.parametrize("fault", FAULTS, ids=lambda it: it.name)
def test_a_planted_fault_is_found_by_its_law(fault: Planted, deployed: Path) -> None:
    started = time.process_time()
    with pytest.raises(LawBroken) as raised:
        fault.check(deployed, EXAMPLES)
    assert time.process_time() - started < MOST_S
    assert fault.shows in str(raised.value)
    assert raised.value.law == fault.law.__name__
    assert raised.value.subject == fault.message_type.label


def test_a_failure_reads_well(deployed: Path) -> None:
    with pytest.raises(LawBroken) as raised:
        laws.evolves(Placed, schemas=deployed, registry=NOW)
    header, *rows = str(raised.value).splitlines()
    assert header == (
        "evolves does not hold for upcast_drops_a_field v2: a field of v1 is lost on the way"
    )
    assert [row.split()[0] for row in rows] == ["payload", "upcasts", "becomes", "lost"]
    assert rows[0] == '  payload  {"order_id":"","total":0,"note":null}'
    assert rows[2] == '  becomes  {"order_id":"","amount":0}'
    assert "total_is_called_amount at " in rows[1] and "may_drop=['/note']" in rows[3]
    assert raised.value.__context__ is None and not hasattr(raised.value, "__notes__")


def test_what_is_dropped_on_purpose_is_said(deployed: Path) -> None:
    laws.evolves(Placed, schemas=deployed, registry=NOW, may_drop=["/note"])
    nested = next(each for each in NOW.types() if each.name == "upcast_drops_a_nested_field")
    laws.evolves(nested, schemas=deployed, registry=NOW, may_drop=["/parcels/*/fragile"])


def test_laws_hold_for_what_is_right() -> None:
    for declared in (REGISTRY.of_type(Coupon), REGISTRY.of_type(Transfer)):
        laws.roundtrip(declared, examples=30)
        laws.conforms(declared, examples=30)
        laws.portable(declared, examples=30)
        laws.rejects_near_misses(declared, examples=30)


def test_laws_hold_for_the_catalogue() -> None:
    for form in FORMS[::9]:
        laws.roundtrip(form.message_type, examples=10)
        laws.conforms(form.message_type, examples=10)
        laws.rejects_near_misses(form.message_type, examples=10)


def test_values_of_the_users_own_are_used() -> None:
    @dataclass
    class Odd:
        number: int

        def __post_init__(self) -> None:
            self.number = abs(self.number)

    laws.roundtrip(Odd)
    laws.roundtrip(Odd, values=st.builds(Odd, st.integers(0, 9)))
    with pytest.raises(LawBroken, match=r"cannot be published(.|\n)*a str, not a .*Odd"):
        laws.roundtrip(Odd, values=st.just("odd"))


def test_a_type_without_a_strategy_is_no_broken_law() -> None:
    class Odd(BaseModel, arbitrary_types_allowed=True):
        thing: Registry

    with pytest.raises(NoStrategy):
        laws.roundtrip(Odd)


def test_the_profile_of_hypothesis_says_how_many_examples() -> None:
    seen: list[int] = []

    class Number(TypedDict):
        value: SafeInt

    def counted(number: int) -> Number:
        seen.append(number)
        return Number(value=number)

    numbers = st.integers(0, 10**6).map(counted)
    settings.register_profile("few", settings(max_examples=7))
    settings.register_profile("as before", settings())
    settings.load_profile("few")
    try:
        laws.roundtrip(Number, values=numbers)
    finally:
        settings.load_profile("as before")
    assert len(seen) == 7
    laws.roundtrip(Number, values=numbers, examples=23)
    assert len(seen) == 30


# Versions


@pytest.fixture
def history(tmp_path: Path) -> tuple[Path, Registry]:
    """A folder with v1 and v2, and a registry with v3 and the way to it."""
    old, now = Registry(), Registry()

    @message("parcels.sent", version=1, registry=old)
    class SentV1(BaseModel):
        weight: Annotated[int, Field(ge=0, le=1000)]

    @message("parcels.sent", version=2, registry=old)
    class SentV2(BaseModel):
        grams: Annotated[int, Field(ge=0, le=1_000_000)]

    files.write(tmp_path, old.types())

    @message("parcels.sent", version=3, registry=now)
    class SentV3(BaseModel):
        grams: Annotated[int, Field(ge=0, le=1_000_000)]
        express: bool

    @upcast(SentV3, from_version=1, registry=now)
    def in_grams(sent: dict[str, Any]) -> dict[str, Any]:
        return {"grams": sent["weight"] * 1000}

    @upcast(SentV3, from_version=2, registry=now)
    def never_express(sent: dict[str, Any]) -> dict[str, Any]:
        return {**sent, "express": False}

    return tmp_path, now


def test_every_stored_version_arrives(history: tuple[Path, Registry]) -> None:
    folder, registry = history
    (newest,) = registry.types()
    laws.evolves(newest, schemas=folder, registry=registry)
    laws.evolves(newest, schemas=read_history(folder), registry=registry)
    laws.forward(newest, schemas=folder, registry=registry)
    too_heavy = st.just({"weight": 1001})
    with pytest.raises(LawBroken, match="a payload of v1 cannot be read"):
        laws.evolves(newest, schemas=folder, registry=registry, values={1: too_heavy})


def test_versions_that_are_not_stored_or_not_registered_are_named(
    history: tuple[Path, Registry], tmp_path: Path
) -> None:
    folder, registry = history
    (newest,) = registry.types()
    with pytest.raises(InvalidArgument, match=r"nowhere is no folder"):
        laws.evolves(newest, schemas=tmp_path / "nowhere", registry=registry)
    with pytest.raises(InvalidArgument, match=r"has no schemas of types.coupon"):
        laws.evolves(Coupon, schemas=folder, registry=REGISTRY)
    with pytest.raises(InvalidArgument, match=r"nowhere is no folder"):
        laws.all(registry, schemas=tmp_path / "nowhere")
    with pytest.raises(InvalidMessageType, match="is no message type"):
        laws.evolves(newest.cls, schemas=folder)
    with pytest.raises(InvalidArgument, match=r"no version before parcels.sent v3 is stored"):
        laws.forward(newest, schemas=registry, registry=registry)


def _even(value: int) -> int:
    if value % 2:
        raise ValueError("odd")
    return value


Even = Annotated[SafeInt, AfterValidator(_even)]


def test_what_old_validators_may_have_refused_breaks_no_law(tmp_path: Path) -> None:
    old, now = Registry(), Registry()

    @message("pairs", version=1, registry=old)
    class PairsV1(BaseModel):
        count: Even

    files.write(tmp_path, old.types())

    @message("pairs", version=2, registry=now)
    class Pairs(BaseModel):
        shoes: Even

    @upcast(Pairs, from_version=1, registry=now)
    def renamed(pairs: dict[str, Any]) -> dict[str, Any]:
        return {"shoes": pairs["count"]}

    laws.evolves(Pairs, schemas=tmp_path, registry=now)


# All of a registry

ALL = laws.all(REGISTRY, examples=2)


@pytest.mark.parametrize("law", ALL, ids=str)
def test_a_whole_registry_in_one_test(law: laws.Law) -> None:
    law.check()


def test_all_has_each_law_of_each_type_by_name(history: tuple[Path, Registry]) -> None:
    assert "roundtrip-types.coupon-v1" in map(str, ALL)
    assert len(ALL) == 4 * len(REGISTRY.types()) == len({str(law) for law in ALL})
    folder, registry = history
    assert [law.name for law in laws.all(registry, schemas=folder)] == [
        *("roundtrip", "conforms", "rejects_near_misses", "portable", "evolves", "forward")
    ]
    named = {law.name for law in laws.all(NOW)}
    assert named == {"roundtrip", "conforms", "rejects_near_misses"}, "read by Python alone"
    assert laws.all(Registry()) == []


def test_all_finds_what_is_planted(deployed: Path) -> None:
    found = {(law.name, law.message_type): law for law in laws.all(NOW, schemas=deployed)}
    planted = [it for it in FAULTS if it.law is not laws.portable]
    assert {(it.law.__name__, it.message_type) for it in planted} <= found.keys()
    for fault in planted[-4:]:
        with pytest.raises(LawBroken):
            found[fault.law.__name__, fault.message_type].check()


# Differences


def test_differences_are_told_down_to_the_type_of_each_part() -> None:
    class Point(BaseModel):
        x: Any

    def told(one: Any, other: Any) -> list[tuple[str, str, str]]:
        return [(it.path, it.one, it.other) for it in differences(one, other)]

    assert told(Point(x={"a": [1]}), Point(x={"a": [1]})) == []
    assert told(Point(x={"a": [1]}), Point(x={"a": [True]})) == [("/x/a/0", "1", "True")]
    assert told(Point(x=1), Point(x=1.0)) == [("/x", "1", "1.0")]
    assert told({"a": 1}, {"b": 1}) == [("/a", "1", "'nothing'"), ("/b", "'nothing'", "1")]
    assert told({1}, {1, 2}) == [("/2", "'nothing'", "2")]
    assert told(float("nan"), float("nan")) == []
