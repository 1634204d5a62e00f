"""Versions: steps between them, which are chained and checked once; what is wrong with a chain."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from omniq_typed import Registry, message, upcast
from omniq_typed.core.backoff import JobBackoff
from omniq_typed.errors import InvalidArgument, InvalidMessageType, UndecodableJob
from omniq_typed.messages.upcast import apply_upcasts
from omniq_typed.models import Reserved
from omniq_typed.worker.routing import Consumer, Route

HERE = Path(__file__).name


@dataclass
class V1:
    total: int


@dataclass
class V2:
    amount: int


@dataclass
class V3:
    amount: int
    currency: str


def registry(*classes: type[Any], name: str = "order") -> Registry:
    own = Registry(strict_types=False)
    for cls in classes:
        message(name, version=int(cls.__name__[1:]), registry=own)(cls)
    return own


def rename(order: dict[str, Any]) -> dict[str, Any]:
    order["amount"] = order.pop("total")
    return order


def add_currency(order: dict[str, Any]) -> dict[str, Any]:
    return {**order, "currency": "EUR"}


def route(own: Registry, *classes: type[Any]) -> Route:
    made = Route("orders", own)
    for cls in classes:
        made.add(
            Consumer("orders", print, JobBackoff(), 1, cls.__name__, own.of_type(cls)),
        )
    return made


def job(payload: bytes, version: str = "", name: str = "order") -> Reserved:
    return Reserved("1", payload, 0, 1, 3, "", "t", 0, 0, msg_type=name, msg_version=version)


def opened(made: Route, payload: bytes, version: str = "", name: str = "order") -> Any:
    consumer, value = made.open(job(payload, version, name))
    return consumer.name, value


def test_steps_are_chained_up_to_the_version_of_the_handler() -> None:
    own = registry(V3)
    upcast(V3, from_version=1, registry=own)(rename)
    upcast(V3, from_version=2, registry=own)(add_currency)
    made = route(own, V3)
    made.check()
    expected = "V3", V3(5, "EUR")
    assert opened(made, b'{"total":5}', "1") == expected
    assert opened(made, b'{"amount":5}', "2") == expected
    assert opened(made, b'{"amount":5,"currency":"EUR"}', "3") == expected
    assert opened(made, b'{"total":5}', "", "") == expected, "a job without type is version 1"


def test_a_version_goes_to_its_own_handler_else_to_the_nearest_newer_one() -> None:
    own = registry(V1, V2, V3)
    upcast(V2, from_version=1, registry=own)(rename)
    upcast(V3, from_version=2, registry=own)(add_currency)
    assert opened(route(own, V1, V3), b'{"total":5}', "1") == ("V1", V1(5))
    assert opened(route(own, V3, V2), b'{"total":5}', "1") == ("V2", V2(5))
    assert opened(route(own, V3, V2), b'{"amount":5}', "2") == ("V2", V2(5))


@pytest.mark.parametrize("version", ["2", "4", "0", "-1", "99999999999"])
def test_a_version_that_nothing_leads_from_is_unknown(version: str) -> None:
    own = registry(V3)
    with pytest.raises(UndecodableJob, match=rf"order v{version}; it takes order v3") as caught:
        opened(route(own, V3), b'{"amount":5,"currency":"EUR"}', version)
    assert caught.value.reason == "unknown_type"


def test_a_step_is_free_to_change_what_it_is_given() -> None:
    own = registry(V2)
    upcast(V2, from_version=1, registry=own)(rename)
    made = route(own, V2)
    payload = b'{"total":5}'
    assert opened(made, payload, "1") == opened(made, payload, "1")


def test_the_result_is_checked_at_the_end() -> None:
    own = registry(V2)
    upcast(V2, from_version=1, registry=own)(lambda order: {"amount": str(order["total"])})
    with pytest.raises(UndecodableJob) as caught:
        opened(route(own, V2), b'{"total":5}', "1")
    assert caught.value.reason == "invalid_payload"
    assert [fault.path for fault in caught.value.faults] == ["/amount"]


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda order: order["nope"], "KeyError: 'nope'"),
        (lambda order: None, "gave a NoneType, not a dict"),
        (lambda order: [order], "gave a list, not a dict"),
        (lambda order: {"amount": object()}, "cannot be written as JSON"),
    ],
)
def test_a_step_that_fails_says_which_and_why(function: Any, said: str) -> None:
    own = registry(V2)
    upcast(V2, from_version=1, registry=own)(function)
    with pytest.raises(UndecodableJob) as caught:
        opened(route(own, V2), b'{"total":5}', "1")
    assert caught.value.reason == "upcast_failed"
    assert said in caught.value.faults[0].message
    assert "the upcast of order from v1 at" in str(caught.value) and HERE in str(caught.value)


@pytest.mark.parametrize("payload", [b"{", b"", b"[1]", b"NaN", b"\xff"])
def test_an_old_payload_that_is_no_object_is_invalid(payload: bytes) -> None:
    own = registry(V2)
    upcast(V2, from_version=1, registry=own)(rename)
    with pytest.raises(UndecodableJob) as caught:
        opened(route(own, V2), payload, "1")
    assert caught.value.reason == "invalid_payload"


# What is wrong with a chain.


def test_two_steps_from_one_version_are_refused_with_both_places() -> None:
    own = registry(V3)
    upcast(V3, from_version=1, registry=own)(rename)
    with pytest.raises(InvalidMessageType, match="has two from v1") as caught:
        upcast(V3, from_version=1, registry=own)(add_currency)
    assert len(set(re.findall(rf"{re.escape(HERE)}:(\d+)", str(caught.value)))) == 2


@pytest.mark.parametrize(
    ("cls", "from_version"), [(V3, 3), (V3, 4), (V1, 1), (V3, 0), (V3, -1), (V3, True)]
)
def test_a_step_that_does_not_lead_upwards_is_refused(cls: type[Any], from_version: int) -> None:
    own = registry(V1, V3)
    with pytest.raises(InvalidArgument) as caught:
        upcast(cls, from_version=from_version, registry=own)
    assert caught.value.field == "from_version"


def test_a_gap_is_found_when_the_bus_starts() -> None:
    own = registry(V3)
    upcast(V3, from_version=1, registry=own)(rename)
    made = route(own, V3)
    with pytest.raises(InvalidMessageType, match="write the one from v2"):
        made.check()


def test_a_chain_that_ends_below_the_handlers_version_is_a_gap() -> None:
    own = registry(V2, V3)
    upcast(V2, from_version=1, registry=own)(rename)
    with pytest.raises(InvalidMessageType, match=r"begins at order v1, but no chain"):
        route(own, V3).check()
    route(own, V2, V3).check()


def test_a_step_of_an_unregistered_type_is_refused() -> None:
    with pytest.raises(InvalidMessageType, match="is no message type"):
        upcast(V3, from_version=1, registry=Registry())


def test_a_step_must_be_a_plain_function() -> None:
    own = registry(V3)

    async def later(order: dict[str, Any]) -> dict[str, Any]:
        return order

    wrong: Any
    for wrong in (later, "rename", None):
        with pytest.raises(InvalidMessageType, match="no plain function"):
            upcast(V3, from_version=1, registry=own)(wrong)
    assert own.upcasts("order") == []


def test_a_step_stays_the_function_that_it_was() -> None:
    own = registry(V2)
    assert upcast(V2, from_version=1, registry=own)(rename) is rename
    assert rename({"total": 1}) == {"amount": 1}


def test_integers_beyond_64_bits_stay_whole() -> None:
    own = registry(V1, V2)
    upcast(V2, from_version=1, registry=own)(rename)
    steps = own.steps("order", 1, 2)
    assert steps is not None
    assert apply_upcasts(b'{"total":123456789012345678901234567890}', steps) == (
        b'{"amount":123456789012345678901234567890}'
    )
