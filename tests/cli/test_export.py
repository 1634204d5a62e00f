"""`schema export` and `asyncapi`."""

from __future__ import annotations

import json
from typing import Any

from omniq_typed.messages.codec import decode
from omniq_typed.schema.asyncapi import Route, made_up_examples
from tests.catalogue import FORMS
from tests.cli.conftest import Project


def test_a_folder_is_written_once_and_is_current_then(project: Project) -> None:
    project.write_orders("number: int")
    assert project.run("schema", "export", "app:bus", "--out", "contracts").stdout == (
        "1 message type, 3 files written in contracts\n"
    )
    assert project.run("schema", "export", "app:bus", "--out", "contracts").stdout == (
        "1 message type, 0 files written in contracts\n"
    )
    result = project.run("schema", "export", "app:bus", "--out", "contracts", "--check")
    assert result.output == ""
    written = sorted(each.name for each in (project.root / "contracts").rglob("*.json"))
    assert written == ["index.json", "v1.json", "v1.reader.json"]


def test_what_is_not_current_is_listed_and_nothing_is_written(project: Project) -> None:
    project.write_orders("number: int")
    result = project.run("schema", "export", "app:bus", "--check", status=1)
    assert result.stdout.splitlines() == [
        "missing: schemas/index.json",
        "missing: schemas/orders.created/v1.json",
        "missing: schemas/orders.created/v1.reader.json",
    ]
    assert "export again" in result.stderr
    assert not (project.root / "schemas").exists()
    project.run("schema", "export", "app:bus")
    project.write_orders("number: str")
    result = project.run("schema", "export", "app:bus", "--check", status=1)
    assert result.stdout.splitlines() == [
        "stale: schemas/index.json",
        "stale: schemas/orders.created/v1.json",
        "stale: schemas/orders.created/v1.reader.json",
    ]


def test_older_versions_are_history_and_newer_ones_are_foreign(project: Project) -> None:
    project.write_orders("number: int")
    project.run("schema", "export", "app:bus")
    project.write_orders("number: int; note: str", version=2)
    project.run("schema", "export", "app:bus")
    assert project.run("schema", "export", "app:bus", "--check").output == ""
    index = json.loads((project.root / "schemas/index.json").read_text())
    versions = index["types"]["orders.created"]["versions"]
    assert [each["version"] for each in versions] == [1, 2]
    project.write_orders("number: int")
    result = project.run("schema", "export", "app:bus", "--check", status=1)
    assert result.stdout.splitlines() == [
        "foreign: schemas/orders.created/v2.json",
        "foreign: schemas/orders.created/v2.reader.json",
    ]
    assert "name the APP that has them too" in result.stderr


def test_a_change_under_the_same_version_is_pointed_out(project: Project) -> None:
    project.write_orders("number: int")
    assert project.run("schema", "export", "app:bus").stderr == ""
    project.write_orders("number: int", more="OrderCreated.__doc__ = 'Of a customer.'")
    assert project.run("schema", "export", "app:bus").stderr == ""
    project.write_orders("number: str")
    said = project.run("schema", "export", "app:bus").stderr
    assert said.startswith("note: orders.created v1 changes under the same version;")


def test_draft_07_has_a_folder_of_its_own(project: Project) -> None:
    draft = ("--dialect", "draft-07")
    project.write_orders("number: int; pair: tuple[int, str]")
    project.run("schema", "export", "app:bus", *draft)
    schema = json.loads((project.root / "schemas/orders.created/v1.json").read_text())
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert "items" in schema["properties"]["pair"]
    assert project.run("schema", "export", "app:bus", *draft, "--check").output == ""
    said = project.run("schema", "export", "app:bus", status=2).stderr
    assert "the schemas in schemas are in draft-07, and not in 2020-12; export into" in said
    project.run("schema", "export", "app:bus", "--out", "new")
    said = project.run("schema", "export", "app:bus", "--out", "new", *draft, status=2).stderr
    assert "are in 2020-12, and not in draft-07" in said


def test_a_type_without_a_schema_is_an_error_and_nothing_is_written(project: Project) -> None:
    project.write_orders("number: int; call: Any", more=CALLABLE)
    said = project.run("schema", "export", "app:bus", status=2).stderr
    assert said.startswith("error: message: calls.made v1 has no JSON Schema")
    assert not (project.root / "schemas").exists()


CALLABLE = """
    from typing import Callable

    @message("calls.made", strict_types=False, registry=registry)
    class CallMade(BaseModel):
        call: Callable[[], int]
"""


def test_a_folder_that_cannot_be_written_is_an_error(project: Project) -> None:
    project.write_orders("number: int")
    project.write("schemas/orders.created", "a file where a folder should be")
    said = project.run("schema", "export", "app:bus", status=2).stderr
    assert said.startswith("error: ") and "orders.created" in said
    said = project.run("schema", "export", "app:bus", "--out", "app.py", status=2).stderr
    assert "is a file" in said


def test_a_broken_index_is_an_error(project: Project) -> None:
    project.write_orders("number: int")
    project.write("schemas/index.json", "{")
    said = project.run("schema", "export", "app:bus", status=2).stderr
    assert said.startswith("error: index: schemas/index.json is no index of schemas")


# asyncapi

CONSUMERS = """
    @message("parcels.due", registry=registry)
    class ParcelDue(BaseModel):
        order: Annotated[int, Field(ge=100)]
        speed: Literal["normal", "express"] = "normal"

    @bus.consumer(OrderCreated, queue="audit")
    def audit(order: OrderCreated) -> None: ...

    @bus.consumer(ParcelDue, queue="parcels")
    def pack(parcel: ParcelDue) -> None: ...
"""


def asyncapi(project: Project, *arguments: str) -> dict[str, Any]:
    found = json.loads(project.run("asyncapi", "app:bus", *arguments).stdout)
    assert isinstance(found, dict)
    return found


def test_consumers_receive_and_types_with_queues_are_sent(project: Project) -> None:
    project.write_orders("number: int", more=CONSUMERS)
    document = asyncapi(project, "--title", "Shop", "--version", "2.3.0", "--server", "redis:6379")
    assert document["info"] == {"title": "Shop", "version": "2.3.0"}
    assert document["servers"]["omniq"]["host"] == "redis:6379"
    assert list(document["channels"]) == ["audit", "orders", "parcels"]
    assert list(document["operations"]) == ["receive.audit", "send.orders", "receive.parcels"]


def test_every_message_has_a_valid_example(project: Project) -> None:
    project.write_orders("number: int", more=CONSUMERS)
    messages = asyncapi(project)["components"]["messages"]
    (example,) = messages["parcels.due.v1"]["examples"]
    assert example["headers"]["msg_type"] == "parcels.due"
    assert example["payload"] == {"order": 100, "speed": "normal"}
    assert list(messages) == ["orders.created.v1", "parcels.due.v1"]


def test_made_up_examples_are_read_as_they_are_published() -> None:
    forms = [each for each in FORMS[::5] if "ip_network" not in each.label]
    examples = made_up_examples(Route("send", "queue", each.message_type) for each in forms)
    for form in forms:
        (example,) = examples[form.message_type.label]
        decode(form.message_type, json.dumps(example).encode())


def test_a_payload_that_only_its_schema_takes_is_no_example(project: Project) -> None:
    more = """
        from pydantic import field_validator

        @message("orders.odd", queue="orders", registry=registry)
        class Odd(BaseModel):
            number: int

            @field_validator("number")
            @classmethod
            def is_one_of_ours(cls, number: int) -> int:
                if number != 123_456_789_012:
                    raise ValueError("not ours")
                return number
    """
    project.write_orders("number: int", more=more)
    messages = asyncapi(project)["components"]["messages"]
    assert "examples" in messages["orders.created.v1"]
    assert "examples" not in messages["orders.odd.v1"]


def test_the_document_goes_into_a_file(project: Project) -> None:
    project.write_orders("number: int", more=CONSUMERS)
    said = project.run("asyncapi", "app:bus", "--out", "asyncapi.json").stdout
    assert said == "3 channels written to asyncapi.json\n"
    written = json.loads((project.root / "asyncapi.json").read_text())
    assert written == asyncapi(project)
    assert written["info"] == {"title": "app:bus", "version": "1.0.0"}


def test_an_async_bus_tells_its_consumers_too(project: Project) -> None:
    more = """
        from omniq_typed import AsyncBus

        later = AsyncBus("redis://localhost:1/0", registry=registry)

        @later.consumer(OrderCreated, queue="audit")
        async def audit(order: OrderCreated) -> None: ...
    """
    project.write_orders("number: int", more=more)
    document = json.loads(project.run("asyncapi", "app:later").stdout)
    assert list(document["operations"]) == ["receive.audit", "send.orders"]


def test_a_registry_has_no_consumers(project: Project) -> None:
    project.write_orders("number: int", more=CONSUMERS)
    document = json.loads(project.run("asyncapi", "app:registry").stdout)
    assert list(document["operations"]) == ["send.orders"]
