"""Every kind of message of the catalogue goes through a server and comes back as it was.

docs/types.md shows the kinds, and the bytes that are stored of one sample each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import TypeAdapter

from omniq_typed import AsyncBus, Bus, Registry, message_type
from omniq_typed.core.observe import read_job
from omniq_typed.errors import InvalidMessageType
from omniq_typed.models import JobInfo
from tests.catalogue import CATALOGUE, FORMS, REGISTRY, Form, Kind
from tests.catalogue.exactness import differences
from tests.conformance.catalogue_worker import Handled, catalogue_worker
from tests.servers import AnyServer
from tests.workers import Face


@dataclass(frozen=True, eq=False)
class Sample:
    """One value to send."""

    job_id: str
    form: Form
    value: Any

    @property
    def queue(self) -> str:
        return self.form.message_type.queue or ""

    @property
    def declared(self) -> Any:
        """What `publish_json` has to be told: the class of these values does not tell it all."""
        untold = self.form.style in ("TypedDict", "generic dataclass", "plain type")
        return self.form.message_type if untold else None


SAMPLES = [
    Sample(f"{form.label} {number}", form, value)
    for form in FORMS
    for number, value in enumerate(form.samples)
]


def test_every_sample_is_stored_as_its_type_writes_it_and_received_as_it_was(
    any_server: AnyServer, face: Face
) -> None:
    publish_all(face, any_server.url)
    tell(faults_in_store(any_server.url))
    handled = Handled(len(SAMPLES))
    with catalogue_worker(face, any_server.url, handled):
        handled.wait()
    tell(faults_in(handled))


def tell(faults: Iterable[str]) -> None:
    """Fails with all faults, one a line."""
    found = list(faults)
    assert not found, "\n".join(found)


def publish_all(face: Face, url: str) -> None:
    async def publish_async() -> None:
        async with AsyncBus(url, registry=REGISTRY) as bus:
            for each in SAMPLES:
                await bus.publish_json(each.value, job_id=each.job_id, message_type=each.declared)

    if face == "async":
        asyncio.run(publish_async())
        return
    with Bus(url, registry=REGISTRY) as bus:
        for each in SAMPLES:
            bus.publish_json(each.value, job_id=each.job_id, message_type=each.declared)


def faults_in_store(url: str) -> Iterator[str]:
    """The jobs whose stored bytes are not what Pydantic alone writes."""
    for each, job in zip(SAMPLES, stored_jobs(url), strict=True):
        expected = TypeAdapter(each.form.message_type.cls).dump_json(each.value, by_alias=True)
        if job is None or job.payload_raw != expected:
            yield f"{each.job_id}: {job and job.payload_raw!r} instead of {expected!r}"


def stored_jobs(url: str) -> list[JobInfo | None]:
    with Bus(url, registry=REGISTRY) as bus:
        return bus.transport.run_all([read_job(each.queue, each.job_id) for each in SAMPLES])


def faults_in(handled: Handled) -> Iterator[str]:
    """The samples that did not reach the handler of their own type, once and as they were."""
    for each in SAMPLES:
        arrived = handled.by_id.get(each.job_id, [])
        if [form for form, _ in arrived] != [each.form]:
            yield f"{each.job_id}: handled by {[form.label for form, _ in arrived]}"
        for _, value in arrived:
            for difference in differences(value, each.value):
                yield f"{each.job_id}: {difference}"


# The catalogue itself.


def test_forty_kinds_and_more_are_portable_and_there_in_both_forms() -> None:
    def is_there_as(kind: Kind, word: str) -> bool:
        return any(word in form.style for form in kind.forms)

    portable = [kind for kind in CATALOGUE if kind.portable]
    assert len([it for it in portable if is_there_as(it, "model")]) >= 40
    assert len([it for it in portable if is_there_as(it, "dataclass")]) >= 40
    assert {kind.name for kind in CATALOGUE if not kind.portable} == {
        "any_datetime",
        "any_float",
        "anything",
        "big_integer",
        "iso_duration",
        "text_bytes",
        "time",
    }


def test_the_check_refuses_the_kinds_that_are_marked_as_not_portable() -> None:
    """The others have passed it: the catalogue's registry is strict."""
    for form in FORMS:
        if form.message_type.strict_types is False:
            with pytest.raises(InvalidMessageType, match=r"a v1: /[a-z_]+"):
                message_type(
                    form.message_type.cls, name="a", strict_types=True, registry=Registry()
                )


def test_all_forms_of_a_kind_write_the_same_bytes() -> None:
    """So that a model may be published and a dataclass received."""
    for kind in CATALOGUE:
        written = [[bytes_of(form, sample) for sample in form.samples] for form in kind.forms]
        assert all(len(payloads) >= 3 for payloads in written), kind.name
        assert all(payloads == written[0] for payloads in written), kind.name


def bytes_of(form: Form, sample: Any) -> list[int]:
    """Sorted: in which order the items of a set are written is no promise."""
    return sorted(TypeAdapter(form.message_type.cls).dump_json(sample, by_alias=True))


def test_differences_are_found() -> None:
    assert differences({"a": [1, (2.0,)]}, {"a": [1, (2.0,)]}) == []
    assert differences([1], [True]) == ["/0: int, not bool"]
    assert differences((1,), [1]) == ["the whole: tuple, not list"]
    assert differences({1}, {1.0}) == ["/0: int, not float"]
    assert differences({"a": 1}, {"a": 2}) == ["/'a'/1: 1 != 2"]
    assert differences({"a": 1}, {"a": 1, "b": 2}) == ["the whole: 1 parts, not 2"]
