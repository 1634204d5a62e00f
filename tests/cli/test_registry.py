"""The commands on the registry of schemas in Redis, on a real server."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from omniq_typed import NewJob, OmniqClient
from omniq_typed.schema_registry import SchemaStore
from omniq_typed.transport.connect import connect
from tests.cli.conftest import Project
from tests.conformance.test_bad_input import acl_user
from tests.conformance.test_schema_registry import limited
from tests.servers import Server

NOWHERE = "redis://127.0.0.1:9/0"


@pytest.fixture
def url(valkey_server: Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty server, which OMNIQ_URL names."""
    valkey_server.ensure_running()
    valkey_server.flushall()
    monkeypatch.setenv("OMNIQ_URL", valkey_server.url)
    return valkey_server.url


def versions(url: str) -> dict[str, list[int]]:
    transport = connect(url)
    found = SchemaStore(transport).list()
    transport.close()
    return {each.name: [it.version for it in each.records] for each in found}


@pytest.fixture
def two_versions(project: Project, url: str) -> Project:
    """orders.created v1 and v2, pushed."""
    for version in (1, 2):
        fields = "number: int; note: str | None = None" if version == 2 else "number: int"
        project.write_orders(fields, version=version)
        project.run("schema", "push", "app:bus")
    return project


def test_pushed_listed_and_shown(two_versions: Project) -> None:
    rows = two_versions.run("schema", "list").stdout.splitlines()
    assert [row.split()[:3] for row in rows] == [
        ["NAME", "VERSION", "MODE"],
        ["orders.created", "v1", "BACKWARD_TRANSITIVE"],
        ["orders.created", "v2", "BACKWARD_TRANSITIVE"],
    ]
    (listed,) = json.loads(two_versions.run("schema", "list", "--format", "json").stdout)
    assert [each["version"] for each in listed["versions"]] == [1, 2]
    assert listed["versions"][0]["fingerprint"] in rows[1]
    newest = json.loads(two_versions.run("schema", "show", "orders.created").stdout)
    oldest = json.loads(two_versions.run("schema", "show", "orders.created", "1").stdout)
    reader = json.loads(two_versions.run("schema", "show", "orders.created", "--reader").stdout)
    assert list(newest["properties"]) == list(reader["properties"]) == ["number", "note"]
    assert list(oldest["properties"]) == newest["required"][:1] == reader["required"] == ["number"]


def test_pushing_again_changes_nothing(two_versions: Project) -> None:
    result = two_versions.run("schema", "push", "app:bus")
    assert (result.stdout, result.stderr) == ("", "nothing is new\n")


def test_an_empty_registry(project: Project, url: str) -> None:
    assert project.run("schema", "list").stderr == "nothing is registered\n"
    assert json.loads(project.run("schema", "list", "--format", "json").stdout) == []
    said = project.run("schema", "show", "orders.created", status=2).stderr
    assert said == "error: orders.created is not recorded in Redis\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["show", "orders.create"],
            "orders.create is not recorded in Redis; did you mean orders.c",
        ),
        (["show", "orders.created", "3"], "orders.created v3 is not recorded; there are v1, v2"),
        (["pull", "nothing"], "nothing is not recorded in Redis"),
        (["prune", "nothing"], "nothing is not recorded in Redis"),
        (["prune", "orders.created", "--version", "7"], "orders.created v7 is not recorded"),
        (["prune", "orders.created", "--version", "1", "--keep", "1"], "exclude each other"),
        (["list", "--url", NOWHERE], "error: no connection to the server [Error "),
        (["list", "--url", "nonsense"], "error: url: 'nonsense' is none"),
        (["push"], "there is no schemas/index.json; `omniq-typed schema export` writes it"),
    ],
)
def test_what_is_wrong_is_said(two_versions: Project, arguments: list[str], said: str) -> None:
    assert said in two_versions.run("schema", *arguments, status=2).stderr


def test_without_a_url_it_is_asked_for(project: Project) -> None:
    said = project.run("schema", "list", status=2).stderr
    assert "Missing option '--url' (env var: 'OMNIQ_URL')" in said


def test_what_is_pulled_is_what_would_be_exported(two_versions: Project) -> None:
    two_versions.run("schema", "export", "app:bus", "--out", "exported")
    said = two_versions.run("schema", "pull", "--dir", "pulled").stdout
    assert said.splitlines()[0] == "written: pulled/orders.created/v1.json"
    pulled, exported = two_versions.root / "pulled", two_versions.root / "exported"
    for name in ("v2.json", "v2.reader.json"):
        path = f"orders.created/{name}"
        assert (pulled / path).read_bytes() == (exported / path).read_bytes()
    assert two_versions.run("schema", "pull", "orders.created", "--dir", "pulled").stdout == ""
    assert (
        two_versions.run("schema", "export", "app:bus", "--out", "pulled", "--check").output == ""
    )


def test_what_only_a_consumer_has_registered_is_told_apart(two_versions: Project, url: str) -> None:
    transport = connect(url)
    store = SchemaStore(transport)
    known = store.histories()["orders.created"]
    other = replace(known, name="orders.paid", provisional={1: "", 2: "billing"})
    store.push({"orders.paid": other, "orders.created": known})
    store.forget("orders.created", [2])
    store.push({"orders.created": replace(known, provisional={2: "billing"})})
    transport.close()
    rows = [row.split() for row in two_versions.run("schema", "list").stdout.splitlines()]
    assert [row[-1] for row in rows] == ["BY", "writer", "reader", "reader", "reader"]
    listed = json.loads(two_versions.run("schema", "list", "--format", "json").stdout)
    assert [it["role"] for it in listed[0]["versions"]] == ["writer", "reader"]
    told = "orders.created v2 is provisional, only a consumer, billing, has registered it\n"
    assert two_versions.run("schema", "show", "orders.created").stderr == f"note: {told}"
    assert two_versions.run("schema", "show", "orders.created", "1").stderr == ""
    pulled = two_versions.run("schema", "pull", "--dir", "pulled")
    assert pulled.stderr.splitlines()[:2] == [
        f"left out: {told}".rstrip(),
        "left out: orders.paid v1 is provisional, only a consumer has registered it",
    ]
    assert pulled.stderr.endswith("1 types pulled, 3 files changed in pulled\n")
    index = json.loads((two_versions.root / "pulled/index.json").read_text())
    assert {name: len(it["versions"]) for name, it in index["types"].items()} == {
        "orders.created": 1
    }


def test_pushing_an_app_makes_its_versions_firm(two_versions: Project, url: str) -> None:
    transport = connect(url)
    store = SchemaStore(transport)
    known = store.histories()["orders.created"]
    store.forget("orders.created")
    store.push({"orders.created": replace(known, provisional={1: "billing", 2: "billing"})})
    assert two_versions.run("schema", "push", "app:bus").stdout == "registered: orders.created v2\n"
    assert store.histories()["orders.created"].provisional == {1: "billing"}
    transport.close()


def test_a_folder_is_pushed_with_modes_and_waivers(project: Project, url: str) -> None:
    project.write_orders("number: int")
    project.run("schema", "export", "app:bus")
    waiver = {"version": 2, "rule": "type_changed", "reason": "only tests used it"}
    set_index(project, mode="FULL", waivers=[waiver])
    assert project.run("schema", "push").stdout.splitlines() == [
        "registered: orders.created v1",
        "mode and waivers: orders.created",
    ]
    project.run("schema", "pull", "--dir", "pulled")
    index = json.loads((project.root / "pulled/index.json").read_text())
    entry = index["types"]["orders.created"]
    assert (entry["mode"], entry["waivers"]) == ("FULL", [waiver])


def set_index(project: Project, **settings: Any) -> None:
    path = project.root / "schemas/index.json"
    index = json.loads(path.read_text())
    index["types"]["orders.created"].update(settings)
    path.write_text(json.dumps(index))


def test_an_incompatible_version_is_refused_unless_forced(two_versions: Project, url: str) -> None:
    two_versions.write_orders("number: str; note: str | None = None", version=3)
    result = two_versions.run("schema", "push", "app:bus", status=1)
    assert "break type_changed at /number" in result.stderr
    assert versions(url) == {"orders.created": [1, 2]}
    said = two_versions.run("schema", "push", "app:bus", "--force").stdout
    assert said == "registered: orders.created v3\n"
    assert versions(url) == {"orders.created": [1, 2, 3]}


def test_an_upcast_of_the_app_answers_a_break(two_versions: Project, url: str) -> None:
    more = """
        @upcast(OrderCreated, from_version=2, registry=registry)
        def from_2(old: dict[str, Any]) -> dict[str, Any]:
            return {"number": str(old["number"])}

        @upcast(OrderCreated, from_version=1, registry=registry)
        def from_1(old: dict[str, Any]) -> dict[str, Any]:
            return old
    """
    two_versions.write_orders("number: str", version=3, more=more)
    two_versions.run("schema", "push", "app:bus")
    assert versions(url) == {"orders.created": [1, 2, 3]}


def test_a_waiver_in_the_index_lets_an_app_be_pushed(two_versions: Project, url: str) -> None:
    two_versions.write_orders("number: str; note: str | None = None", version=3)
    two_versions.run("schema", "export", "app:bus")
    waiver = {"version": 3, "rule": "type_changed", "reason": "only tests used it"}
    set_index(two_versions, waivers=[waiver])
    two_versions.run("schema", "push", "app:bus")
    assert versions(url) == {"orders.created": [1, 2, 3]}


def test_a_waiver_lets_a_version_be_replaced(two_versions: Project, url: str) -> None:
    two_versions.write_orders("number: int; note: str | None = None; tag: str = ''", version=2)
    two_versions.run("schema", "export", "app:bus")
    waiver = {"version": 2, "rule": "version_changed", "reason": "only tests used it"}
    set_index(two_versions, waivers=[waiver])
    pushed = two_versions.run("schema", "push", "app:bus").stdout
    assert "registered: orders.created v2" in pushed
    shown = json.loads(two_versions.run("schema", "show", "orders.created", "2").stdout)
    assert "tag" in shown["properties"]


# prune


def test_versions_go_when_it_is_agreed(two_versions: Project, url: str) -> None:
    prune = ("schema", "prune", "orders.created", "--version", "1")
    result = two_versions.run(*prune, given="n\n", status=1)
    assert "orders.created v1: goes" in result.stdout and "Delete 1 of 2?" in result.stderr
    assert "nobody answered; pass --yes" in two_versions.run(*prune, given="", status=2).stderr
    assert versions(url) == {"orders.created": [1, 2]}
    assert two_versions.run(*prune, given="y\n").stdout.endswith("1 deleted\n")
    assert versions(url) == {"orders.created": [2]}


def test_all_but_the_newest_go(two_versions: Project, url: str) -> None:
    two_versions.run("schema", "prune", "orders.created", "--keep", "2", "--yes")
    assert versions(url) == {"orders.created": [1, 2]}
    two_versions.run("schema", "prune", "orders.created", "--keep", "1", "--yes")
    assert versions(url) == {"orders.created": [2]}
    two_versions.run("schema", "prune", "orders.created", "--yes")
    assert versions(url) == {}


def test_who_may_not_look_for_jobs_is_told_what_to_do(
    two_versions: Project, valkey_server: Server, url: str
) -> None:
    prune = ("schema", "prune", "orders.created", "--version", "1", "--yes")
    with acl_user(valkey_server, "+@all", "-scan", "~*") as user:
        said = two_versions.run(*prune, "--url", limited(user), status=2).stderr
        assert "grant +scan and ~*, or pass --force" in said
        assert versions(url) == {"orders.created": [1, 2]}
        two_versions.run(*prune, "--url", limited(user), "--force")
    assert versions(url) == {"orders.created": [2]}


def test_what_cannot_be_read_is_pruned_and_pushed_anew(
    two_versions: Project, valkey_server: Server, url: str
) -> None:
    key = "{omniq:schemas}:type:orders.created"
    valkey_server.command("HSET", key, "1:content", "garbage")
    said = two_versions.run("schema", "push", "app:bus", status=2).stderr
    assert "`omniq-typed schema prune orders.created` and a push restore it" in said
    assert "2 deleted" in two_versions.run("schema", "prune", "orders.created", "--yes").stdout
    two_versions.run("schema", "push", "app:bus")
    assert versions(url) == {"orders.created": [2]}


def test_versions_with_jobs_in_flight_stay(two_versions: Project, url: str) -> None:
    with OmniqClient(url=url) as client:
        for number, version in enumerate(("1", "1", "2")):
            side = {"msg_type": "orders.created", "msg_version": version}
            job = NewJob(str(number), b"{}", side=side)
            client.publish_batch(queue="anywhere", jobs=[job])
    result = two_versions.run("schema", "prune", "orders.created", "--yes", status=1)
    assert "orders.created v1: stays, 2 jobs in flight" in result.stdout
    assert "orders.created v2: stays, 1 jobs in flight" in result.stdout
    assert versions(url) == {"orders.created": [1, 2]}
    two_versions.run("schema", "prune", "orders.created", "--version", "1", "--force", "--yes")
    assert versions(url) == {"orders.created": [2]}
